"""How much of a cloud can be used, by who decides between its hosts?

Guests come and go at random; Nova's own ``HostState``, weighers and
accounting, with PinningFilter before them, in one process:

* stock: Nova's weighers as they are, which spread;
* packing: the same with negative multipliers for RAM and CPU;
* ours: Nova's weighers as they are and PinningWeigher, and
  ``core_choice = tight``;
* failover, if asked for: ours with ``failover_room``;
* spread, if asked for: ours with ``core_choice = spread``;
* flavors, if asked for: ours with a weigher that knows the flavors.

``packing_samples.py`` looks at the hosts now and then.

``--stock-filter`` takes Nova's NUMATopologyFilter and fit for the first two,
which decides the same here and takes thirty times as long.

    python benchmarks/packing.py --quick
    python benchmarks/packing.py --json packing.json --plot packing.svg
"""

from __future__ import annotations

import argparse
import collections
import gc
import heapq
import json
import pathlib
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import packing_report
from cloud_of_states import POLICIES, States
from filter import prepare
from mixes import MIXES, Guest, Mix, arrivals
from packing_samples import Samples

LOADS = (0.8, 0.9, 1.0, 1.1, 1.2)
#: What happens before so many lifetimes is not counted: the cloud fills up.
WARM = 1.5
#: Refusals of a run for which moves are planned.
CURED = 3


def first_refusal(mix: Mix, policy: str, seed: int, stock: bool) -> float:
    """The share of pCPUs in use when guests that never go are refused."""
    states = States(mix, policy, stock)
    used = 0
    for guest in arrivals(mix, 1.0, 1 << 20, seed):
        if states.place(guest) is None:
            return used / mix.pcpus
        used += guest.flavor.vcpus
    raise AssertionError("an endless cloud")


def churn(
    mix: Mix, policy: str, load: float, count: int, seed: int, stock: bool
) -> dict[str, float]:
    """Guests come and go; what is refused is lost."""
    states = States(mix, policy, stock)
    samples = Samples(states, mix, seed, WARM)
    asked = accepted = used = 0
    free_when_refused: list[float] = []
    cures: list[int | None] = []
    for guest, number in _coming_and_going(mix, load, count, seed):
        vcpus = guest.flavor.vcpus
        samples.until(guest.goes if number is None else guest.comes)
        if number is None:
            used -= vcpus if states.remove(guest) else 0
            continue
        counted = guest.comes > WARM
        asked += vcpus * counted
        if states.place(guest) is not None:
            used += vcpus
            accepted += vcpus * counted
        elif counted and mix.pcpus - used >= vcpus:
            free_when_refused.append((mix.pcpus - used) / mix.pcpus)
            planned = policy == "ours" and not guest.flavor.devices
            if planned and len(cures) < CURED:
                cures.append(states.moves_for(guest))
    known = [moves for moves in cures if moves is not None]
    return {
        "accepted": accepted / asked,
        "free_when_refused": statistics.fmean(free_when_refused or [0.0]),
        "refusals_with_room": len(free_when_refused),
        "planned": len(cures),
        "curable": len(known),
        "moves": statistics.median(known) if known else 0,
        **samples.means(),
    }


def pool(mix: Mix, load: float, count: int, seed: int) -> float:
    """All pCPUs and all memory in one piece, first come, first in.

    What a cloud would take in if it were one host without cells and cores.
    """
    asked = accepted = used = 0
    memory = 0.0
    inside: set[int] = set()
    for guest, number in _coming_and_going(mix, load, count, seed):
        flavor = guest.flavor
        if number is None:
            if id(guest) in inside:
                used -= flavor.vcpus
                memory -= flavor.memory_gib
            continue
        counted = guest.comes > WARM
        asked += flavor.vcpus * counted
        if (
            used + flavor.vcpus <= mix.pcpus
            and memory + flavor.memory_gib <= mix.memory
        ):
            inside.add(id(guest))
            used += flavor.vcpus
            memory += flavor.memory_gib
            accepted += flavor.vcpus * counted
    return accepted / asked


def bound(mix: Mix, load: float, count: int, seed: int) -> float:
    """The most that anybody could take in who does not know lifetimes.

    At any moment the guests inside are some of those that would be there had
    everybody been let in. Of these, parts of guests included, as many vCPUs
    as pCPUs and memory allow: those with little memory first.
    """
    here: collections.Counter[float] = collections.Counter()
    before = asked = accepted = 0.0
    for guest, number in _coming_and_going(mix, load, count, seed):
        now = guest.goes if number is None else guest.comes
        if now > WARM:
            since = now - max(before, WARM)
            asked += here.total() * since
            accepted += _most(mix, here) * since
        flavor, before = guest.flavor, now
        here[flavor.gib_per_vcpu] += flavor.vcpus * (
            -1 if number is None else 1
        )
    return accepted / asked


def _most(mix: Mix, here: Mapping[float, int]) -> float:
    """The most vCPUs; those that are there, by GiB for each vCPU."""
    pcpus, memory = float(mix.pcpus), float(mix.memory)
    for rate, vcpus in sorted(here.items()):
        part = min(vcpus, pcpus, memory / rate)
        pcpus -= part
        memory -= part * rate
    return mix.pcpus - pcpus


def _coming_and_going(
    mix: Mix, load: float, count: int, seed: int
) -> Iterator[tuple[Guest, int | None]]:
    """Each guest twice: with a number when it comes, None when it goes."""
    leaving: list[tuple[float, int, Guest]] = []
    guests = list(arrivals(mix, load, count, seed))
    for number, guest in enumerate(guests):
        while leaving and leaving[0][0] <= guest.comes:
            yield heapq.heappop(leaving)[2], None
        yield guest, number
        heapq.heappush(leaving, (guest.goes, number, guest))


def requests_for(mix: Mix, load: float, least: int) -> int:
    """Enough for four lifetimes to be counted, and ``least`` in any case."""
    return max(least, int((WARM + 4) * load * mix.pcpus / mix.vcpus))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Everything, as figures for a program; written after each part."""
    mixes = [mix for mix in MIXES if mix.name in options.mixes]
    found: dict[str, Any] = {"loads": options.loads, "mixes": {}}
    for mix in mixes:
        counts = [
            requests_for(mix, load, options.requests) for load in options.loads
        ]
        found["mixes"][mix.name] = {
            "title": mix.title,
            "pcpus": mix.pcpus,
            "requests": counts,
            "seeds": {},
        }
    first = options.first_seed
    for seed in range(first, first + options.seeds):
        for mix in mixes:
            figures = found["mixes"][mix.name]
            figures["seeds"][str(seed)] = _run_mix(
                mix, options, figures["requests"], seed
            )
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n")
    return found


def _run_mix(
    mix: Mix, options: argparse.Namespace, counts: Sequence[int], seed: int
) -> dict[str, Any]:
    """One seed: figures for each policy, each a list by load."""
    runs = list(zip(options.loads, counts, strict=True))
    result: dict[str, Any] = {
        "bound": [bound(mix, load, count, seed) for load, count in runs],
        "pool": [pool(mix, load, count, seed) for load, count in runs],
    }
    for policy in options.policies:
        began = time.monotonic()
        stock = options.stock_filter and policy in POLICIES[:2]
        each = [
            churn(mix, policy, load, count, seed, stock)
            for load, count in runs
        ]
        result[policy] = {
            "first_refusal": first_refusal(mix, policy, seed, stock),
            **{key: [one[key] for one in each] for key in each[0]},
        }
        sys.stderr.write(
            f"{mix.name}, seed {seed}, {policy}: "
            f"{time.monotonic() - began:.0f} s\n"
        )
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    names = [mix.name for mix in MIXES]
    parser = argparse.ArgumentParser(
        description="How much of a cloud can be used?"
    )
    parser.add_argument("--seeds", type=int, default=3, help="default: 3")
    parser.add_argument("--first-seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--requests",
        type=int,
        default=2000,
        help="at least so many in a run (default: 2000)",
    )
    parser.add_argument("--loads", type=float, nargs="+", default=LOADS)
    parser.add_argument("--mixes", nargs="+", default=names, choices=names)
    parser.add_argument(
        "--policies", nargs="+", default=POLICIES[:3], choices=POLICIES
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one seed, loads 0.9 and 1.1, fewer requests: some minutes",
    )
    parser.add_argument("--stock-filter", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE")
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE")
    parser.add_argument(
        "--from",
        dest="known",
        type=pathlib.Path,
        nargs="+",
        metavar="FILE",
        help="show and plot what --json wrote before, and run nothing; of "
        "several files the seeds are taken together",
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.loads, options.requests = 1, (0.9, 1.1), 700
    if options.seeds < 1 or options.requests < 1 or min(options.loads) <= 0:
        parser.error("--seeds, --requests and --loads are above 0")
    if options.known:
        found = packing_report.merged(
            [json.loads(path.read_text()) for path in options.known]
        )
    else:
        prepare()
        gc.freeze()
        found = run(options)
    packing_report.show(found, sys.stdout.write)
    if options.plot:
        packing_report.plot(found, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
