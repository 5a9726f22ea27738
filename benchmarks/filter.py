"""How fast is PinningFilter beside Nova's NUMATopologyFilter?

Both filters, in one process, on equal hosts, in turns. Hosts are Nova's own
``HostState`` with a real ``NUMATopology`` each; neither filter sees a host
that the other has touched. What is timed is ``filter_all``, from the list of
hosts to the list of those that pass, as the scheduler calls it.

The first columns are of hosts whose records have just changed, the next of
hosts whose records have not. As in a scheduler the host states are new each
time; what is kept of a host is what ``scheduler/topology_cache.py`` keeps by
its record's text. Counted: how many hosts had their answer without a fit.
What a whole request costs is for ``schedule.py`` to say.

    python benchmarks/filter.py
    python benchmarks/filter.py --hosts 500 --rounds 9 --json
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from cases import (
    CANDIDATES,
    HARDEST_MS,
    Case,
    Guest,
    Shape,
    hardest_cases,
    host_states,
    request_spec,
    short_cases,
    topology,
    usual_cases,
)
from nova import conf, objects
from nova.scheduler import host_manager
from nova.scheduler.filters import numa_topology_filter

from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import host as nova_host
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.topology_cache import TopologyCache

#: Where stock needs half a second a host.
SHORT_HOSTS = 10


def run(
    the_filter: Any,
    states: Sequence[host_manager.HostState],
    spec: objects.RequestSpec,
    mappings: Sequence[dict[str, list[str]]] = ({},),
) -> tuple[float, int]:
    """CPU seconds for a whole list of hosts, and how many passed.

    CPU time and not the clock, so that a busy machine disturbs less; neither
    filter waits for anything.
    """
    for state in states:
        state.limits = {}
        state.allocation_candidates = [
            {"mappings": mapping} for mapping in mappings
        ]
    ours = isinstance(the_filter, PinningFilter)
    (nova_fit.install if ours else nova_fit.uninstall)()
    gc.collect()
    start = time.process_time()
    passed = list(the_filter.filter_all(states, spec))
    return time.process_time() - start, len(passed)


def next_request(
    shape: Shape, hosts: int, text: str, cache: TopologyCache
) -> list[host_manager.HostState]:
    """The hosts of one more request, their records as they were."""
    states = host_states(shape, hosts)
    for state in states:
        state.numa_topology = cache.get(
            state.host, text, objects.NUMATopology.obj_from_db_obj
        )
    return states


def answers(states: Sequence[host_manager.HostState]) -> list[int]:
    """How many answers are kept of each host."""
    return [
        len(nova_host.cached(state.numa_topology).answers) for state in states
    ]


def compare(case: Case, hosts: int, rounds: int) -> dict[str, Any]:
    """Stock and ours in turns; the median of each, and of their ratio.

    In each round hosts that no filter has seen are asked by two requests:
    when their records are new, and when they have not changed since.
    """
    text = topology(case.shape)._to_json()
    known = []
    filters = {
        "stock": numa_topology_filter.NUMATopologyFilter(),
        "ours": PinningFilter(),
    }
    specs = {name: request_spec(case.guest) for name in filters}
    times: dict[str, list[tuple[float, ...]]] = {name: [] for name in filters}
    for number in range(rounds):
        order = list(filters) if number % 2 else list(reversed(filters))
        for name in order:
            cache = TopologyCache(hosts if name == "ours" else 0)
            states = next_request(case.shape, hosts, text, cache)
            turns = [run(filters[name], states, specs[name])]
            states = next_request(case.shape, hosts, text, cache)
            kept = answers(states)
            turns.append(run(filters[name], states, specs[name]))
            if name == "ours":
                pairs = zip(kept, answers(states), strict=True)
                known.append(sum(0 < old == new for old, new in pairs))
            for _, passed in turns:
                if passed != (hosts if case.fits else 0):
                    raise SystemExit(
                        f"{case.name}: {name} passed {passed} of {hosts} hosts"
                    )
            times[name].append(tuple(seconds / hosts for seconds, _ in turns))
    result: dict[str, Any] = {
        "host": case.shape.text,
        "case": case.name,
        "hosts": hosts,
        "bar": case.bar,
        "known": min(known),
    }
    for turn, suffix in ((0, "_new"), (1, "")):
        stock, ours = (
            [each[turn] for each in times[name]] for name in ("stock", "ours")
        )
        result[f"stock_us{suffix}"] = statistics.median(stock) * 1e6
        result[f"ours_us{suffix}"] = statistics.median(ours) * 1e6
        result[f"ratio{suffix}"] = statistics.median(
            one / other for one, other in zip(stock, ours, strict=True)
        )
    return result


def hardest(rounds: int) -> dict[str, Any]:
    """The slowest of the hardest questions, ours only."""
    slowest: tuple[float, str] = (0.0, "")
    rows = []
    for name, shape, guest in hardest_cases():
        states = host_states(shape, 1)
        spec = request_spec(guest)
        the_filter = PinningFilter()
        times = [run(the_filter, states, spec)[0] for _ in range(rounds)]
        seconds, passed = (
            statistics.median(times),
            bool(run(the_filter, states, spec)[1]),
        )
        rows.append({"case": name, "ms": seconds * 1e3, "passed": passed})
        slowest = max(slowest, (seconds * 1e3, name))
    return {
        "slowest_ms": slowest[0],
        "case": slowest[1],
        "rows": rows,
        "bar_ms": HARDEST_MS,
    }


def candidates(rounds: int, count: int = 1000) -> dict[str, Any]:
    """One candidate and many, of one host with that many devices' providers.

    Each candidate names another pair of providers, as Placement's do.
    """
    result: dict[str, Any] = {"candidates": count, "bar": CANDIDATES}
    providers = 64
    shape = Shape(cells=8, cores=8, providers=providers)
    pairs = [
        (f"provider-{one}", f"provider-{other}")
        for one in range(providers)
        for other in range(providers)
        if one != other
    ][:count]
    for key, guest in (
        ("plain", Guest((4, 4))),
        ("devices", Guest((4, 4), devices=2)),
        ("preferred", Guest((4, 4), devices=2, device_policy="preferred")),
    ):
        spec = request_spec(guest)
        ids = [each.request_id for each in spec.pci_requests.requests]
        mappings = [
            {
                f"{request}-0": [uuid]
                for request, uuid in zip(ids, pair, strict=False)
            }
            for pair in pairs
        ]
        states = host_states(shape, 1)
        the_filter = PinningFilter()
        one = [
            run(the_filter, states, spec, mappings[:1])[0]
            for _ in range(rounds)
        ]
        many = [
            run(the_filter, states, spec, mappings)[0] for _ in range(rounds)
        ]
        result[key] = {
            "one_ms": statistics.median(one) * 1e3,
            "many_ms": statistics.median(many) * 1e3,
            "ratio": statistics.median(many) / statistics.median(one),
        }
    return result


def prepare() -> None:
    """Nova's objects, and logging as in production: INFO, to nowhere."""
    conf.CONF([], project="nova", default_config_files=[])
    warnings.simplefilter("ignore")
    objects.register_all()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    nowhere = logging.StreamHandler(open(os.devnull, "w"))  # noqa: SIM115
    nowhere.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root.addHandler(nowhere)
    for name in ("", "nova", "pinning_filter"):
        logging.getLogger(name or None).setLevel(logging.INFO)


def show(results: dict[str, Any], write: Callable[[str], Any]) -> None:
    row = "{:<12} {:<36}" + " {:>8}" * 8 + "\n"
    write(
        "Microseconds a host, and how many times as fast as stock: where all "
        "hosts have\nchanged since the last request, where none has; and of "
        "how many of these the\nanswer was kept:\n\n"
    )
    heads = ("stock", "ours", "ratio") * 2
    write(row.format("host", "case", *heads, "bar", "kept"))
    for each in results["cases"]:
        figures = [
            f"{each[name + suffix]:.{digits}f}"
            for suffix in ("_new", "")
            for name, digits in (("stock_us", 0), ("ours_us", 1), ("ratio", 0))
        ]
        short = "" if each["ratio"] >= each["bar"] else " !"
        bar = f"{each['bar']:.0f}{short}"
        kept = f"{each['known']}/{each['hosts']}"
        write(row.format(each["host"], each["case"], *figures, bar, kept))
    hard = results["hardest"]
    write(
        f"\n16 host cells, 8 guest cells, {len(hard['rows'])} mixes: slowest "
        f"{hard['slowest_ms']:.1f} ms ({hard['case']}), "
        f"bar {hard['bar_ms']:.0f} ms\n"
    )
    many = results["candidates"]
    write(f"\n{many['candidates']} allocation candidates beside one:\n")
    for key in ("plain", "devices", "preferred"):
        write(
            f"  {key:<10} {many[key]['one_ms']:.2f} ms -> "
            f"{many[key]['many_ms']:.2f} ms, {many[key]['ratio']:.1f} times, "
            f"bar {many['bar']:.0f}\n"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Time PinningFilter beside Nova's NUMATopologyFilter."
    )
    parser.add_argument(
        "--hosts", type=int, default=200, help="hosts in a list (default: 200)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns a case (default: 5)"
    )
    parser.add_argument(
        "--json", action="store_true", help="figures for a program"
    )
    options = parser.parse_args(arguments)
    if options.hosts < 1 or options.rounds < 1:
        parser.error("--hosts and --rounds are 1 or more")
    prepare()
    results = {
        "cases": [
            compare(case, options.hosts, options.rounds)
            for case in usual_cases()
        ]
        + [
            compare(case, min(options.hosts, SHORT_HOSTS), options.rounds)
            for case in short_cases()
        ],
        "hardest": hardest(options.rounds),
        "candidates": candidates(options.rounds),
    }
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(results, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
