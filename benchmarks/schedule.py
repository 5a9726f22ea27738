"""What does a whole request cost a scheduler?

Nova's own ``SchedulerManager.select_destinations`` in its default
configuration: from a SQLite database with a thousand compute nodes, computes
having told the scheduler of their instances, and a few hosts changed between
any two requests. With no NUMA filter at all, with Nova's, and with our filter
and weigher, in turns. The Placement API is a stub that offers every host.

It counts how many topologies were parsed, so that it is seen whether what is
kept from one request to the next is there.

    python benchmarks/schedule.py
    python benchmarks/schedule.py --hosts 200 --rounds 5 --json
    python benchmarks/schedule.py --profile
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import pathlib
import pstats
import random
import statistics
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from cases import HOST, Guest, Shape, request_spec, topology
from filter import prepare
from nova import conf, context, objects, rpc
from nova.db import migration
from nova.db.api import api as api_database
from nova.db.main import api as main_database
from nova.scheduler import manager
from oslo_utils import timeutils, uuidutils

from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import topology_cache

CONF = conf.CONF
#: At most so many times what a request costs without any NUMA filter.
BAR = 0.70
#: At least so many times ours is what a request costs with Nova's filter.
STOCK_BAR = 3.0
FILTER = "pinning_filter.scheduler.filter.PinningFilter"
WEIGHER = "pinning_filter.scheduler.weigher.PinningWeigher"
NAMES = ("none", "stock", "ours")
#: Hosts whose record changes between two requests.
CHANGED = 5
THREADS = 4


class Placement:
    """Offers each host once, and lets everything be claimed."""

    def __init__(self, uuids: Sequence[str], vcpus: int) -> None:
        self._uuids, self._vcpus = uuids, vcpus

    def get_allocation_candidates(
        self, context: Any, resources: Any
    ) -> tuple[list[Any], dict[str, Any], str]:
        amounts = {"PCPU": self._vcpus, "MEMORY_MB": 1024}
        requests = [
            {
                "allocations": {uuid: {"resources": amounts}},
                "mappings": {"": [uuid]},
            }
            for uuid in self._uuids
        ]
        summaries = {
            uuid: {"resources": {}, "traits": []} for uuid in self._uuids
        }
        return requests, summaries, "1.36"

    def claim_resources(self, *args: Any, **kwargs: Any) -> bool:
        return True


def make_cloud(directory: pathlib.Path, shape: Shape, hosts: int) -> list[str]:
    """The databases, with hosts of which each is used to its own degree."""
    cell = f"sqlite:///{directory}/cell.db"
    file = directory / "nova.conf"
    file.write_text(
        "[DEFAULT]\ntransport_url = fake://\n"
        f"service_down_time = {1 << 30}\n"
        f"[api_database]\nconnection = sqlite:///{directory}/api.db\n"
        f"[database]\nconnection = {cell}\n"
    )
    CONF([], project="nova", default_config_files=[str(file)])
    api_database.configure(CONF)
    main_database.configure(CONF)
    rpc.init(CONF)
    for database in ("api", "main"):
        migration.db_sync(database=database)
    admin = context.get_admin_context()
    objects.CellMapping(
        admin,
        uuid=uuidutils.generate_uuid(),
        name="cell",
        transport_url="fake://",
        database_connection=cell,
    ).create()
    context.set_target_cell(
        admin, objects.CellMappingList.get_all(admin).objects[0]
    )
    rng = random.Random(1)
    return [
        _compute_node(admin, shape, number, rng) for number in range(hosts)
    ]


def use(host: objects.NUMATopology, rng: random.Random) -> None:
    """Pin guests to some of the cores, at random, and give them memory."""
    for cell in host.cells:
        for core in cell.siblings:
            taken = rng.choice((0, 0, 1, 2))
            cell.pinned_cpus = cell.pinned_cpus | set(sorted(core)[:taken])
        cell.memory_usage = 4096 * len(cell.pinned_cpus)
        cell.mempages[0].used = cell.memory_usage * 256


def _compute_node(
    admin: Any, shape: Shape, number: int, rng: random.Random
) -> str:
    name = f"host{number}"
    used = topology(shape)
    use(used, rng)
    service = objects.Service(
        admin,
        host=name,
        binary="nova-compute",
        topic="compute",
        report_count=1,
        last_seen_up=timeutils.utcnow(),
    )
    service.create()
    node = objects.ComputeNode(
        admin,
        uuid=uuidutils.generate_uuid(),
        host=name,
        hypervisor_hostname=name,
        hypervisor_type="QEMU",
        hypervisor_version=10000000,
        vcpus=sum(len(cell.pcpuset) for cell in used.cells),
        vcpus_used=sum(len(cell.pinned_cpus) for cell in used.cells),
        memory_mb=sum(cell.memory for cell in used.cells),
        memory_mb_used=sum(cell.memory_usage for cell in used.cells),
        free_ram_mb=sum(cell.avail_memory for cell in used.cells),
        local_gb=1000,
        local_gb_used=0,
        free_disk_gb=1000,
        disk_available_least=1000,
        cpu_info="{}",
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        numa_topology=used._to_json(),
        running_vms=0,
        current_workload=0,
        host_ip="192.0.2.1",
        supported_hv_specs=[],
        metrics="[]",
        pci_device_pools=objects.PciDevicePoolList(objects=[]),
        stats={"pinning_filter": "1.0"},
        mapped=1,
    )
    node.create()
    return node.uuid


class Cloud:
    """Compute nodes in a database, and what becomes of them."""

    def __init__(self, directory: pathlib.Path, shape: Shape, hosts: int):
        self.uuids = make_cloud(directory, shape, hosts)
        self._shape = shape
        self._rng = random.Random(2)
        self._admin = context.get_admin_context()

    def change(self) -> None:
        """Guests come to a few hosts, and leave them."""
        for uuid in self._rng.sample(self.uuids, CHANGED):
            node = objects.ComputeNode.get_by_uuid(self._admin, uuid)
            used = topology(self._shape)
            use(used, self._rng)
            node.numa_topology = used._to_json()
            node.save()


class Scheduler:
    """One scheduler, with its own filters and weighers."""

    def __init__(self, cloud: Cloud, guest: Guest, how: str) -> None:
        section = CONF.filter_scheduler
        base = [
            name
            for name in section.enabled_filters
            if name not in ("NUMATopologyFilter", "PinningFilter")
        ]
        extra = {"none": [], "stock": ["NUMATopologyFilter"]}
        names = [*base, *extra.get(how, ["PinningFilter"])]
        weighers = ["nova.scheduler.weights.all_weighers"]
        if how == "ours":
            weighers.append(WEIGHER)
        overrides = {
            "available_filters": [
                "nova.scheduler.filters.all_filters",
                FILTER,
            ],
            "enabled_filters": names,
            "weight_classes": weighers,
        }
        for name, value in overrides.items():
            CONF.set_override(name, value, "filter_scheduler")
        self._ours = how == "ours"
        self._guest = guest
        stub = Placement(cloud.uuids, sum(guest.vcpus))
        kind = type(
            "Manager",
            (manager.SchedulerManager,),
            {"placement_client": stub},
        )
        self._manager = kind()
        self._be_told()

    def _be_told(self) -> None:
        """By every compute, of the instances that it has: by default."""
        hosts = self._manager.host_manager
        assert hosts.track_instance_changes
        for thread in threading.enumerate():
            # What Nova reads at its start, which overwrites what it is told.
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join(0.5)
        time.sleep(2)
        admin = context.get_admin_context()
        names = [
            node.host for node in objects.ComputeNodeList.get_all(admin)
        ]
        for _ in range(2):  # once to hear of the host, once to agree
            for name in names:
                hosts.sync_instance_info(admin, name, [])
        assert all(
            hosts._instance_info[name]["updated"] for name in names
        )

    def switch(self) -> None:
        """Into this process, of which one scheduler at a time is."""
        if self._ours:
            nova_fit.install()
            topology_cache.install(CONF.pinning_filter.remembered_hosts)
        else:
            nova_fit.uninstall()
            topology_cache.uninstall()

    def ask(self) -> None:
        """One request."""
        admin = context.get_admin_context()
        spec = _whole_spec(admin, self._guest)
        found = self._manager.select_destinations(
            admin,
            spec_obj=spec,
            instance_uuids=[HOST],
            return_objects=True,
            return_alternates=True,
        )
        assert found[0][0].service_host


def _whole_spec(admin: Any, guest: Guest) -> objects.RequestSpec:
    """A request as the conductor makes it."""
    asked = request_spec(guest)
    flavor = objects.Flavor(
        id=1,
        flavorid="1",
        name="pinned",
        vcpus=sum(guest.vcpus),
        memory_mb=1024,
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        extra_specs=asked.flavor.extra_specs,
    )
    spec = objects.RequestSpec.from_components(
        admin,
        HOST,
        asked.image,
        flavor,
        asked.numa_topology,
        asked.pci_requests,
        {},
        None,
        None,
        project_id="project",
        user_id="user",
    )
    spec.requested_resources = []
    return spec


def timed(ask: Callable[[], None]) -> float:
    """CPU seconds of one request."""
    gc.collect()
    start = time.process_time()
    ask()
    return time.process_time() - start


def requests(
    cloud: Cloud, schedulers: dict[str, Scheduler], rounds: int
) -> dict[str, Any]:
    """The three in turns; medians, and the median of the ratios of turns.

    Each has warmed up, since a scheduler runs for months: two requests of
    its own before each that counts.
    """
    times: dict[str, list[float]] = {name: [] for name in NAMES}
    parsed: list[int] = []
    for number in range(rounds):
        for name in NAMES[:: 1 if number % 2 else -1]:
            scheduler = schedulers[name]
            scheduler.switch()
            for _ in range(2):
                scheduler.ask()
            cloud.change()
            before = topology_cache.installed()
            counts = before and before.counts
            times[name].append(timed(scheduler.ask))
            if before and counts:
                parsed.append(before.counts.parsed - counts.parsed)
    return {
        "ms": {
            name: statistics.median(each) * 1e3 for name, each in times.items()
        },
        "ratio": {
            name: statistics.median(
                one / bare
                for one, bare in zip(times[name], times["none"], strict=True)
            )
            for name in NAMES
        },
        "stock_to_ours": statistics.median(
            one / ours
            for one, ours in zip(times["stock"], times["ours"], strict=True)
        ),
        "parsed": statistics.median(parsed),
    }


def at_once(
    cloud: Cloud, schedulers: dict[str, Scheduler], rounds: int
) -> dict[str, float]:
    """Requests a second, by the clock, of several threads that go on."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(rounds):
        for name in NAMES:
            scheduler = schedulers[name]
            scheduler.switch()
            scheduler.ask()
            cloud.change()
            threads = [
                threading.Thread(target=scheduler.ask) for _ in range(THREADS)
            ]
            start = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.perf_counter() - start
            found[name].append(THREADS / seconds)
    return {name: statistics.median(each) for name, each in found.items()}


def kept(scheduler: Scheduler, hosts: int) -> float:
    """KiB that a scheduler keeps of a host after a request."""
    topology_cache.uninstall()
    scheduler.switch()
    gc.collect()
    tracemalloc.start()
    try:
        scheduler.ask()
        gc.collect()
        more, _ = tracemalloc.get_traced_memory()
        topology_cache.uninstall()
        gc.collect()
        return (more - tracemalloc.get_traced_memory()[0]) / 1024 / hosts
    finally:
        tracemalloc.stop()


def profile(scheduler: Scheduler, cloud: Cloud) -> None:
    """Where the time of a request with ours goes."""
    scheduler.switch()
    for _ in range(2):
        scheduler.ask()
    cloud.change()
    profiler = cProfile.Profile()
    profiler.runcall(scheduler.ask)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


def show(results: dict[str, Any], write: Callable[[str], Any]) -> None:
    asked = results["requests"]
    write(
        f"One request over {results['hosts']} hosts of 2 x 16 x 2 pCPUs, "
        f"{CHANGED} of them changed since the last; of ours "
        f"{asked['parsed']:g} topologies were parsed in it.\n\n"
    )
    row = "{:<26} {:>7} {:>7} {:>12}\n"
    write(row.format("select_destinations with", "CPU ms", "ratio",
                     f"{THREADS} at once"))
    for name, text in (
        ("none", "no NUMA filter"),
        ("stock", "NUMATopologyFilter"),
        ("ours", "PinningFilter and -Weigher"),
    ):
        write(
            row.format(
                text,
                f"{asked['ms'][name]:.0f}",
                f"{asked['ratio'][name]:.2f}",
                f"{results['at_once'][name]:.2f}/s",
            )
        )
    for text, value, bar, good in (
        ("ours / no filter", asked["ratio"]["ours"], f"at most {BAR:.2f}",
         asked["ratio"]["ours"] <= BAR),
        ("stock / ours", asked["stock_to_ours"], f"at least {STOCK_BAR:.1f}",
         asked["stock_to_ours"] >= STOCK_BAR),
    ):
        missed = "" if good else "  missed"
        write(f"\n{text}: {value:.2f} ({bar}){missed}")
    write(f"\nkept of a host: {results['kept_kib']:.0f} KiB\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Time whole requests with and without our filter."
    )
    parser.add_argument("--hosts", type=int, default=1000, help="default 1000")
    parser.add_argument("--rounds", type=int, default=7, help="default 7")
    parser.add_argument(
        "--json", action="store_true", help="figures for a program"
    )
    parser.add_argument(
        "--profile", action="store_true", help="where the time goes, instead"
    )
    options = parser.parse_args(arguments)
    if options.hosts < CHANGED or options.rounds < 1:
        parser.error(f"--hosts is {CHANGED} or more, --rounds 1 or more")
    prepare()
    guest = Guest((4,), "prefer")
    with tempfile.TemporaryDirectory() as directory:
        cloud = Cloud(pathlib.Path(directory), Shape(), options.hosts)
        schedulers = {
            name: Scheduler(cloud, guest, name) for name in NAMES
        }
        if options.profile:
            profile(schedulers["ours"], cloud)
            return 0
        results = {
            "hosts": options.hosts,
            "requests": requests(cloud, schedulers, options.rounds),
            "at_once": at_once(cloud, schedulers, options.rounds // 2 + 1),
            "kept_kib": kept(schedulers["ours"], options.hosts),
        }
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(results, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
