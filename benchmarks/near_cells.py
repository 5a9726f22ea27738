"""How near each other are the host cells of a guest of several cells?

One host after the other, with the NUMA distances of real ones
(``numa_distances.txt``): guests of one, two and four cells come and go at
random, placed by the engine without and with ``nearest_numa_cells``. Shows the
mean distance between the host cells of a guest, over all its pairs, as libvirt
and ``numactl`` state it (10: the same cell), and how many of the vCPUs asked
for find a place.

    python benchmarks/near_cells.py
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import itertools
import pathlib
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence

from pinning_filter.core import usage
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host

FACTS = pathlib.Path(__file__).with_name("numa_distances.txt")
#: Cores of a cell, of two threads each.
CORES = 8
#: vCPUs that all guests together would use, by the host's pCPUs.
LOAD = 0.8
#: How often a guest has so many cells, and vCPUs of each cell.
CELLS = {1: 50, 2: 35, 4: 15}
SIZES = (1, 2, 4, 6, 8)


@dataclasses.dataclass(frozen=True)
class Topology:
    """A real host's cells."""

    title: str
    sockets: Sequence[int]
    distances: Sequence[Sequence[int]]

    def host(self) -> Host:
        """An empty host of this kind."""
        made = host(f"cell:{len(self.sockets)} core:{CORES} pu:2")
        return Host(
            [
                cell._replace(socket=socket, distances=dict(enumerate(row)))
                for cell, socket, row in zip(
                    made.cells, self.sockets, self.distances, strict=True
                )
            ]
        )


def topologies(text: str) -> Iterator[Topology]:
    """What the file of facts says."""
    for part in text.split("\n= ")[1:]:
        title, *lines = part.splitlines()
        lines = [line for line in lines if line and not line.startswith("#")]
        rows = [list(map(int, line.split())) for line in lines[1:]]
        sockets = list(map(int, lines[0].split()[1:]))
        if not lines[0].startswith("sockets ") or {
            len(row) for row in (*rows, sockets, rows)
        } != {len(rows)}:
            raise ValueError(f"{title}: no square of distances, with sockets")
        yield Topology(title, sockets, rows)


def mean_distance(placement: Placement) -> float:
    """Between the host cells of a guest, over all pairs, each way."""
    cells = [placed.host_cell for placed in placement.cells]
    return statistics.fmean(
        one.distances[other.id]
        for one, other in itertools.permutations(cells, 2)
    )


def churn(
    topology: Topology, strategy: Strategy, count: int, seed: int
) -> tuple[list[float], float, float]:
    """Guests come and go.

    :returns: the distance of each guest of several cells, the share of the
        vCPUs asked for that found a place, and CPU microseconds of a fit of
        such a guest.
    """
    dice = random.Random(seed)
    at = topology.host()
    mean = sum(k * v for k, v in CELLS.items()) / sum(CELLS.values())
    rate = LOAD * at.free_pcpus / (mean * statistics.fmean(SIZES))
    leaving: list[tuple[float, int, Placement]] = []
    distances, times = [], []
    now = asked = accepted = 0.0
    for number in range(count):
        now += dice.expovariate(rate)
        stays = dice.expovariate(1)
        request = _guest(dice)
        while leaving and leaving[0][0] <= now:
            at = usage.remove(at, heapq.heappop(leaving)[2])
        began = time.process_time()
        answer = fit(at, request, None, strategy)
        took = time.process_time() - began
        asked += request.pcpus
        several = len(request.cells) > 1
        if several:
            times.append(took)
        if isinstance(answer, Placement):
            at = usage.add(at, answer)
            accepted += request.pcpus
            heapq.heappush(leaving, (now + stays, number, answer))
            if several:
                distances.append(mean_distance(answer))
    return distances, accepted / asked, 1e6 * statistics.median(times)


def _guest(dice: random.Random) -> Request:
    (cells,) = dice.choices(list(CELLS), list(CELLS.values()))
    size = dice.choice(SIZES)
    return Request(
        tuple(
            GuestCell(frozenset(range(each * size, (each + 1) * size)))
            for each in range(cells)
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="How near are the host cells of a guest?"
    )
    parser.add_argument("--guests", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    print(
        f"{'':<54}{'mean distance':>16}{'vCPUs taken in':>18}"
        f"{'us for a fit':>16}\n"
        f"{'':<54}{'without   with':>16}{'without   with':>18}"
        f"{'without   with':>16}"
    )
    for topology in topologies(FACTS.read_text()):
        for choice, plain in (
            ("nova", Strategy()),
            ("tight", Strategy(tight=True)),
        ):
            near = dataclasses.replace(plain, near_cells=True)
            before, after = (
                churn(topology, strategy, options.guests, options.seed)
                for strategy in (plain, near)
            )
            far = [statistics.fmean(found[0]) for found in (before, after)]
            print(
                f"{topology.title + ', ' + choice:<54}"
                f"{far[0]:>9.1f}{far[1]:>7.1f}"
                f"{before[1]:>11.3f}{after[1]:>7.3f}"
                f"{before[2]:>9.0f}{after[2]:>7.0f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
