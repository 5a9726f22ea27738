"""What does a build cost a compute node, with our driver and with Nova's?

Two nova-computes in one process (``pinning_filter.demo.cloud``), of equal
machines with equally many guests; one has PinningLibvirtDriver and our fit,
the other Nova's driver and fit. In turns a server is booted on each through
the API, reported by the periodic audit, and deleted. What is timed is what
Nova itself calls meanwhile on the compute node:

* the claim (``ResourceTracker.instance_claim``), and of it the test of the
  NUMA topology, where the fit is;
* the guest's XML (``LibvirtDriver._get_guest_xml``);
* the report (``ResourceTracker.update_available_resource``), and of it what
  the driver says of the host (``get_available_resource``) and the counting of
  all guests (``_update_usage_from_instances``).

CPU time of the thread that does it. Databases, the Placement API and libvirt
are Nova's test fixtures, the same for both; the first two run in that same
thread, where real ones run elsewhere, so what is the compute node's own is
added up beside the whole.

    python benchmarks/compute.py
    python benchmarks/compute.py --guests 20 --rounds 5 --json
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import json
import pstats
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from pinning_filter.demo import services  # before Nova: it chooses threads

# isort: split
from nova import context
from nova.compute import claims

from pinning_filter.core import synthetic
from pinning_filter.core.host import Host
from pinning_filter.demo import cloud as demo_cloud
from pinning_filter.nova import fit as nova_fit

HOST = "cell:2 core:64 pu:2"
VCPUS = 4
#: At most so many times what a build costs with Nova's driver.
BAR = 1.0
DRIVERS = {"ours": services.OUR_DRIVER, "stock": services.STOCK_DRIVER}
#: What a build consists of; and what of that is timed on its own.
STEPS = ("claim", "XML", "report")
PARTS = ("NUMA test", "resources", "usage")
#: What of it is the compute node's alone: no database, no Placement API.
OWN = ("NUMA test", "XML", "resources", "usage")


class Clock:
    """Notes the CPU seconds of every call of the methods that it is put on."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.profiler: cProfile.Profile | None = None

    def on(self, owner: Any, method: str, name: str) -> None:
        original = getattr(owner, method)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            profiled = self.profiler if name in OWN else None
            start = time.thread_time()
            if profiled:
                profiled.enable()
            try:
                return original(*args, **kwargs)
            finally:
                if profiled:
                    profiled.disable()
                taken = time.thread_time() - start
                self.seconds.setdefault(name, []).append(taken)

        setattr(owner, method, timed)

    def read(self) -> dict[str, float]:
        """What each took since the last time: it must be called once."""
        found, self.seconds = self.seconds, {}
        calls = {name: len(each) for name, each in found.items()}
        if calls != dict.fromkeys((*STEPS, *PARTS), 1):
            raise SystemExit(f"a build called otherwise than once: {calls}")
        return {name: each[0] for name, each in found.items()}


class Computes:
    """The two nova-computes with their guests, and a clock on each."""

    def __init__(self, cloud: demo_cloud.Cloud, guests: int) -> None:
        self._cloud = cloud
        self._novas_test = claims.Claim._test_numa_topology
        self.flavor = cloud.flavor(
            VCPUS,
            1024,
            hw__cpu_policy="dedicated",
            hw__cpu_thread_policy="prefer",
        )
        for name, driver in DRIVERS.items():
            cloud.add_compute(name, _machine(), driver=driver)
        self._our_test = claims.Claim._test_numa_topology
        for name in DRIVERS:
            self.switch(name)
            servers = cloud.boot_many(guests, self.flavor, host=name)
            if {server.status for server in servers} != {"ACTIVE"}:
                raise SystemExit(f"{name}: {[s.fault for s in servers]}")
        self.clocks = {name: self._clock(name) for name in DRIVERS}

    def _clock(self, name: str) -> Clock:
        clock = Clock()
        manager = self._cloud.services.computes[name].manager
        clock.on(manager.rt, "instance_claim", "claim")
        clock.on(manager.rt, "update_available_resource", "report")
        clock.on(manager.rt, "_update_usage_from_instances", "usage")
        clock.on(manager.driver, "_get_guest_xml", "XML")
        clock.on(manager.driver, "get_available_resource", "resources")
        return clock

    def switch(self, name: str) -> None:
        """This process is that of one of the computes."""
        if name == "ours":
            nova_fit.install()
            claims.Claim._test_numa_topology = self._our_test
        else:
            nova_fit.uninstall()
            claims.Claim._test_numa_topology = self._novas_test

    def build(self, name: str) -> dict[str, float]:
        """CPU seconds of each step of one build, reported and deleted."""
        self.switch(name)
        clock = self.clocks[name]
        test = claims.Claim._test_numa_topology
        clock.seconds = {}
        clock.on(claims.Claim, "_test_numa_topology", "NUMA test")
        try:
            server = self._cloud.boot(self.flavor, host=name)
            if server.status != "ACTIVE":
                raise SystemExit(f"{name}: {server.fault}")
            self._report(name)
        finally:
            claims.Claim._test_numa_topology = test
        found = clock.read()
        self._cloud.delete(server)
        return found

    def _report(self, name: str) -> None:
        """As the periodic task does, each minute."""
        manager = self._cloud.services.computes[name].manager
        manager.update_available_resource(context.get_admin_context())


def _machine() -> Host:
    return synthetic.host(HOST)


def compare(computes: Computes, rounds: int) -> dict[str, Any]:
    """Both in turns; medians, and the median of the ratios of turns."""
    turns: dict[str, list[dict[str, float]]] = {name: [] for name in DRIVERS}
    for number in range(rounds + 1):
        for name in list(DRIVERS)[:: 1 if number % 2 else -1]:
            found = computes.build(name)
            found["build"] = sum(found[step] for step in STEPS)
            found["own"] = sum(found[part] for part in OWN)
            turns[name].append(found)
    for each in turns.values():
        del each[0]  # in which what is read once is read
    names = ("build", "own", *STEPS, *PARTS)
    return {
        "ms": {
            driver: {
                name: statistics.median(turn[name] for turn in each) * 1e3
                for name in names
            }
            for driver, each in turns.items()
        },
        "ratio": {
            name: statistics.median(
                ours[name] / stock[name]
                for ours, stock in zip(
                    turns["ours"], turns["stock"], strict=True
                )
            )
            for name in names
        },
    }


def profile(computes: Computes, name: str) -> None:
    """Where the time of one build goes."""
    computes.build(name)
    computes.clocks[name].profiler = profiler = cProfile.Profile()
    computes.build(name)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


def show(results: dict[str, Any], write: Callable[[str], Any]) -> None:
    write(
        f"One build of {VCPUS} dedicated vCPUs on a compute node of {HOST} "
        f"with {results['guests']} guests.\n\n"
    )
    row = "{:<34} {:>9} {:>9} {:>7}\n"
    write(row.format("CPU ms", "stock", "ours", "ratio"))
    for name, text in (
        ("build", "claim, XML and report"),
        ("claim", "  claim"),
        ("NUMA test", "    of it the NUMA test"),
        ("XML", "  XML"),
        ("report", "  report"),
        ("resources", "    of it the driver's resources"),
        ("usage", "    of it the counting of guests"),
        ("own", "NUMA test, XML, resources, usage"),
    ):
        write(
            row.format(
                text,
                *(
                    f"{results['ms'][driver][name]:.2f}"
                    for driver in ("stock", "ours")
                ),
                f"{results['ratio'][name]:.2f}",
            )
        )
    for name, text in (("build", "all"), ("own", "the compute node's own")):
        ratio = results["ratio"][name]
        missed = "" if ratio <= BAR else "  missed"
        write(f"\n{text}, ours / stock: {ratio:.2f}, bar {BAR:.1f}{missed}")
    write("\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Time builds on a compute node, with our driver and not."
    )
    parser.add_argument("--guests", type=int, default=60, help="default 60")
    parser.add_argument("--rounds", type=int, default=11, help="default 11")
    parser.add_argument(
        "--json", action="store_true", help="figures for a program"
    )
    parser.add_argument(
        "--profile", choices=list(DRIVERS), help="where the time goes, instead"
    )
    options = parser.parse_args(arguments)
    most = sum(len(cell.dedicated) for cell in _machine().cells) // VCPUS - 1
    if not 1 <= options.guests <= most or options.rounds < 1:
        parser.error(f"--guests is 1 to {most}, --rounds 1 or more")
    warnings.simplefilter("ignore")
    with demo_cloud.cloud(services.OURS) as cloud:
        computes = Computes(cloud, options.guests)
        if options.profile:
            profile(computes, options.profile)
            return 0
        results = {"guests": options.guests}
        results |= compare(computes, options.rounds)
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(results, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
