"""Moves that make room, beside trying all of them."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet import defrag
from pinning_filter.fleet.hosts import Cloud, CloudHost
from tests.unit.fleet.clouds import asks, random_cloud, running


def planned(
    hosts: list[CloudHost], request: Request, count: int = 1
) -> tuple[list[tuple[str, str]], bool]:
    plan = defrag.plan(Cloud(tuple(hosts)), request, count)
    moves = [(move.server.id, move.target) for move in plan.moves]
    return moves, plan.enough


ONE = "cell:1 core:4"
SIX = "cell:1 core:6"


@pytest.mark.parametrize(
    ("hosts", "wanted", "count", "moves", "enough"),
    [
        pytest.param(
            [running("a", ONE, 2)], asks(2), 1, [], True, id="there is room"
        ),
        pytest.param(
            [running("a", ONE, 2), running("b", ONE, 1)],
            asks(4),
            1,
            [("b0", "a")],
            True,
            id="the smaller guest moves",
        ),
        pytest.param(
            [running("a", ONE, 1, 1), running("b", ONE, 2)],
            asks(4),
            1,
            [("b0", "a")],
            True,
            id="one guest rather than two",
        ),
        pytest.param(
            [running("a", ONE, 1, 1, 1), running("b", ONE, 3)],
            asks(2),
            1,
            [("a0", "b")],
            True,
            id="one is enough",
        ),
        pytest.param(
            [
                running("a", ONE, 2),
                running("b", ONE, 1),
                running("c", ONE, 1),
                running("d", ONE, 3),
            ],
            asks(4),
            2,
            [("b0", "d"), ("c0", "a")],
            True,
            id="room for two",
        ),
        pytest.param(
            [
                running("a", "cell:1 core:2 pu:2", 1),
                running("b", "cell:1 core:2 pu:2", 1, 1),
            ],
            asks(4, threads="require"),
            1,
            [("a0", "b")],
            True,
            id="whole cores",
        ),
        pytest.param(
            [running("a", ONE, 2, 1), running("b", ONE, 2, 1)],
            asks(4),
            1,
            [],
            False,
            id="too few pCPUs in all",
        ),
        pytest.param(
            [
                running("a", ONE, 2),
                running("b", ONE, 1, fixed="has devices"),
                running("c", ONE, 3, fixed="has devices"),
            ],
            asks(4),
            1,
            [("a0", "b")],
            True,
            id="a fixed guest stays",
        ),
        pytest.param(
            [running("a", ONE, 2, fixed="x"), running("b", ONE, 1, fixed="x")],
            asks(4),
            1,
            [],
            False,
            id="every guest is fixed",
        ),
        pytest.param(
            [running("a", ONE, 1), running("b", ONE, closed="disabled")],
            asks(4),
            1,
            [],
            False,
            id="a closed host takes nobody",
        ),
        pytest.param(
            [
                running("a", SIX, 1, 4),
                running("b", SIX, 5),
                running("c", "cell:1 core:8", 2),
            ],
            asks(8),
            1,
            [("a0", "b"), ("c0", "a")],
            True,
            id="a guest makes way",
        ),
        pytest.param(
            [
                running("a", SIX, 1, 4, fixed="has devices"),
                running("b", SIX, 5),
                running("c", "cell:1 core:8", 2),
            ],
            asks(8),
            1,
            [],
            False,
            id="a fixed guest makes no way",
        ),
        pytest.param(
            [running("a", ONE, 2), running("b", ONE, 2)],
            asks(5),
            1,
            [],
            False,
            id="no host is large enough",
        ),
    ],
)
def test_moves(
    hosts: list[CloudHost],
    wanted: Request,
    count: int,
    moves: list[tuple[str, str]],
    enough: bool,
) -> None:
    assert planned(hosts, wanted, count) == (moves, enough)


def test_three_guests_go_together() -> None:
    hosts = [
        running("a", "cell:1 core:6", 1, 1, 1),
        running("b", "cell:1 core:6", 5),
        running("c", "cell:1 core:6", 5),
        running("d", "cell:1 core:6", 5),
    ]
    moves, enough = planned(hosts, asks(6))
    assert enough
    assert sorted(moves) == [("a0", "b"), ("a1", "c"), ("a2", "d")]


def test_what_a_plan_says_of_itself() -> None:
    hosts = [running("a", ONE, 2), running("b", ONE, 1)]
    plan = defrag.plan(Cloud(tuple(hosts)), asks(4), 3)
    assert (plan.wanted, plan.before, plan.after) == (3, 0, 1)
    assert (plan.free, plan.needed, plan.enough) == (5, 12, False)


def fewest(cloud: Cloud, request: Request, most: int) -> int | None:
    """Trying all moves, all moves after these, and so on."""
    clouds = [{each.name: each for each in cloud.hosts}]
    for depth in range(most + 1):
        if any(
            fit(each.host, request) for one in clouds for each in one.values()
        ):
            return depth
        clouds = [then for one in clouds for then in after_one_move(one)]
    return None


def after_one_move(one: dict[str, CloudHost]) -> list[dict[str, CloudHost]]:
    found = []
    for source, target in itertools.permutations(one.values(), 2):
        for guest in source.guests:
            placement = fit(target.host, guest.request)
            if isinstance(placement, Placement):
                found.append(
                    one
                    | {
                        source.name: source.without(guest),
                        target.name: target.adding(guest, placement),
                    }
                )
    return found


def mixed(strategy: Strategy) -> list[CloudHost]:
    """A guest of one vCPU is all that is in the way on "b"; it can go to "a",
    of whose cores one is half used and one is whole.
    """
    return [
        dataclasses.replace(
            running("a", "cell:1 core:2 pu:2", 1, fixed="stays"),
            strategy=strategy,
        ),
        running("b", "cell:1 core:2 pu:2", 1),
    ]


@pytest.mark.parametrize(
    ("strategy", "pcpu"),
    [
        pytest.param(Strategy(), 2, id="plain Nova breaks the whole core"),
        pytest.param(Strategy(tight=True), 1, id="ours fills the half-used"),
    ],
)
def test_each_host_chooses_as_its_own_claim_will(
    strategy: Strategy, pcpu: int
) -> None:
    plan = defrag.plan(Cloud(tuple(mixed(strategy))), asks(4), 1)
    (move,) = plan.moves
    assert move.placement.pinning == {0: pcpu}


def carried_out(cloud: Cloud, plan: defrag.Plan) -> Cloud:
    """The cloud after the moves, each checked when it comes."""
    hosts = {each.name: each for each in cloud.hosts}
    for move in plan.moves:
        source, target = hosts[move.source], hosts[move.target]
        (guest,) = [each for each in source.guests if each == move.server]
        assert fit(target.host, guest.request) == move.placement
        hosts[move.source] = source.without(guest)
        hosts[move.target] = target.adding(guest, move.placement)
    return Cloud(tuple(hosts.values()))


@pytest.mark.parametrize(
    ("seed", "expected"), [(6, (69, 69, 69)), (102, (62, 62, 62))]
)
def test_plans_beside_trying_all_moves(
    seed: int, expected: tuple[int, int, int]
) -> None:
    """Of the clouds where moves help: how often a plan, and a shortest."""
    rng = random.Random(seed)
    possible = found = shortest = 0
    for _ in range(100):
        cloud = random_cloud(
            rng, "abc", "cell:1 core:3 pu:2", (1, 1, 2, 2, 3)
        )
        request = asks(rng.choice((3, 4, 5, 6)), threads="require")
        best = fewest(cloud, request, 3)
        plan = defrag.plan(cloud, request, 1)
        if plan.enough:
            hosts = carried_out(cloud, plan).hosts
            assert any(fit(each.host, request) for each in hosts)
        if best:
            possible += 1
            found += plan.enough
            shortest += plan.enough and len(plan.moves) == best
    assert (possible, found, shortest) == expected
