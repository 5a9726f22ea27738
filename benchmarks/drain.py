"""Emptying hosts: CPU seconds in a large cloud, and plans beside all plans.

    python benchmarks/drain.py [--hosts 1000] [--clouds 1000]

1. A cloud of so many hosts, 4 in 5 pCPUs taken by pinned guests of one and two
   cells, floating servers beside them, a server group for each three servers.
   Each of several hosts is emptied; CPU seconds each, reading not included.
2. ``pinning-filter survive``'s engine on the same cloud: every host fails.
3. Small clouds, by ``tests/unit/fleet/clouds.py``, for which every plan is
   tried (``tests/unit/fleet/every_plan.py``): plans missed, and moves beside
   the fewest. Plans with more than two servers of other hosts are not tried.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.core.synthetic import host
from pinning_filter.fleet.drain import drain
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import (
    Group,
    GroupPolicy,
    Server,
)
from pinning_filter.fleet.survival import Survival
from tests.unit.fleet.clouds import asks, mixed_cloud
from tests.unit.fleet.every_plan import fewest_more

_SHAPE = "cell:2(memory=256GiB) core:16 pu:2"
_REQUESTS = (
    asks(2),
    asks(4),
    asks(8, threads="require"),
    asks(16),
    asks(12, 12),
)
_FLOATING = 4
_POLICIES = (GroupPolicy.ANTI_AFFINITY, GroupPolicy.SOFT_ANTI_AFFINITY)
_EMPTIED = 20


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--clouds", type=int, default=1000)
    parser.add_argument("--load", type=float, default=0.8)
    arguments = parser.parse_args()
    cloud = _large(arguments.hosts, arguments.load)
    print(f"{arguments.hosts} hosts, {arguments.load:.0%} of pCPUs taken")
    _time_drain(cloud)
    _time_survival(cloud)
    _beside_all_plans(arguments.clouds)


def _time_drain(cloud: Cloud) -> None:
    seconds, moves, stuck = [], 0, 0
    fullest = sorted(cloud.hosts, key=lambda host: -len(host.servers))
    for each in fullest[:: max(1, len(fullest) // _EMPTIED)]:
        begin = time.process_time()
        plan = drain(cloud, each.name)
        seconds.append(time.process_time() - begin)
        moves += len(plan.steps)
        stuck += len(plan.stuck)
    print(
        f"drain: {statistics.median(seconds):.2f} s CPU a host, at most "
        f"{max(seconds):.2f}; {moves} moves, {stuck} servers without a place"
    )


def _time_survival(cloud: Cloud) -> None:
    begin = time.process_time()
    losses = list(Survival(cloud).losses())
    seconds = time.process_time() - begin
    fatal = sum(not loss.survived for loss in losses)
    print(f"survive: {seconds:.1f} s CPU; {fatal} hosts may not fail")


def _beside_all_plans(clouds: int) -> None:
    rng = random.Random(1)
    missed = possible = moves = fewest = 0
    with_others = 0
    for _ in range(clouds):
        cloud = mixed_cloud(rng, rng.choice(("abc", "abc", "abcd")))
        plan = drain(cloud, "a")
        more = fewest_more(cloud, "a", 2 if len(cloud.hosts) == 3 else 1)
        if more is None:
            continue
        possible += 1
        with_others += more > 0
        missed += bool(plan.stuck)
        if not plan.stuck:
            moves += len(plan.steps)
            fewest += len(cloud.hosts[0].servers) + more
    print(
        f"{clouds} small clouds: a plan exists in {possible}, in "
        f"{with_others} of them with moves of other hosts' servers; missed "
        f"{missed}; {moves / max(1, fewest):.3f} times the fewest moves"
    )


def _large(hosts: int, load: float) -> Cloud:
    rng = random.Random(1)
    names = [
        f"{number:05}-{server:02}"
        for number in range(hosts)
        for server in range(40)
    ]
    rng.shuffle(names)
    groups = {}
    for start in range(0, len(names), 3):
        members = frozenset(names[start : start + 3])
        group = Group(str(start), rng.choice(_POLICIES), members)
        groups |= dict.fromkeys(members, group)
    return Cloud(
        tuple(_one(f"{number:05}", groups, load, rng)
              for number in range(hosts))
    )


def _one(
    name: str, groups: dict[str, Group], load: float, rng: random.Random
) -> CloudHost:
    made = CloudHost(
        name,
        host(_SHAPE),
        inventories={
            "PCPU": Inventory(64),
            "VCPU": Inventory(64),
            "MEMORY_MB": Inventory(512 << 10),
        },
    )
    for number in range(_FLOATING):
        server = Server(
            f"{name}-{number:02}",
            amounts={"VCPU": 2, "MEMORY_MB": 4096},
            group=groups[f"{name}-{number:02}"],
        )
        made = made.adding(server, None)
    for number in range(_FLOATING, 40):
        if made.host.free_pcpus < 64 * (1 - load):
            break
        request: Request = rng.choice(_REQUESTS)
        placed = fit(made.host, request)
        if isinstance(placed, Placement):
            id = f"{name}-{number:02}"
            guest = Guest(
                id,
                request,
                placed,
                amounts={"PCPU": request.pcpus, "MEMORY_MB": 4096},
                group=groups[id],
            )
            made = made.adding(guest, placed)
    return made


if __name__ == "__main__":
    main()
