"""How much does a scheduler keep of each host?

Hosts as Nova's scheduler has them are asked about one flavor after the other,
by ``PinningFilter`` and ``PinningWeigher``, and what is kept afterwards is
counted. It is bounded: by so many answers for each host, and all of a host's
go when its usage changes.

    python benchmarks/memory.py
    python benchmarks/memory.py --hosts 500
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tracemalloc
from collections.abc import Sequence
from typing import Any

from cases import Guest, Shape, host_states, request_spec
from filter import prepare
from nova.scheduler.weights import WeighedHost
from schedule import use

from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher

#: How many flavors are asked about.
FLAVORS = (1, 4, 16, 32, 64)


def kept(shape: Shape, hosts: int) -> tuple[float, list[float]]:
    """Bytes of a host: itself, and what is kept beside after each count."""
    rng = random.Random(1)
    parts = PinningFilter(), PinningWeigher()
    spare = _used(shape, 2, rng)
    _ask(spare, 1, *parts)  # what is there once, however many hosts
    tracemalloc.start()
    states = _used(shape, hosts, rng)
    itself = _bytes()
    found = []
    for number in range(1, max(FLAVORS) + 1):
        _ask(states, number, *parts)
        if number in FLAVORS:
            found.append((_bytes() - itself) / hosts)
    tracemalloc.stop()
    return itself / hosts, found


def _used(shape: Shape, count: int, rng: random.Random) -> list[Any]:
    states: list[Any] = host_states(shape, count)
    for state in states:
        use(state.numa_topology, rng)
    return states


def _bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _ask(
    states: Sequence[Any],
    number: int,
    the_filter: PinningFilter,
    the_weigher: PinningWeigher,
) -> None:
    """A flavor like no other: its memory tells them apart."""
    for state in states:
        state.limits, state.aggregates = {}, []
        state.allocation_candidates = [{"mappings": {}}]
    spec = request_spec(Guest((8,)))
    spec.numa_topology.cells[0].memory = 1024 + number
    passed = list(the_filter.filter_all(states, spec))
    the_weigher.weigh_objects([WeighedHost(s, 0.0) for s in passed], spec)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Count what filter and weigher keep of each host."
    )
    parser.add_argument("--hosts", type=int, default=200, help="default 200")
    options = parser.parse_args(arguments)
    if options.hosts < 1:
        parser.error("--hosts is 1 or more")
    prepare()
    nova_fit.install()
    sys.stdout.write("KiB of each host\n\n")
    row = "{:<12} {:>12}" + " {:>8}" * len(FLAVORS) + "\n"
    heads = [f"+{number}" for number in FLAVORS]
    sys.stdout.write(row.format("", "Nova's own", *heads))
    for shape in (Shape(), Shape(cores=64)):
        itself, more = kept(shape, options.hosts)
        numbers = [f"{each / 1024:.0f}" for each in (itself, *more)]
        sys.stdout.write(row.format(shape.text, *numbers))
    sys.stdout.write("\n+N: beside, when N flavors were asked about\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
