"""Where the guests of a host can go, beside trying everything."""

from __future__ import annotations

import itertools
import random

import pytest

from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.fleet.evacuation import Evacuation, Homeless, evacuate
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest
from pinning_filter.fleet.layout import Places, anywhere
from tests.unit.fleet.clouds import random_cloud, running

FOUR = "cell:1 core:4"


def leaving(hosts: list[CloudHost], *names: str) -> list[Homeless]:
    return [
        Homeless(guest, host.name)
        for host in hosts
        if host.name in names
        for guest in host.guests
    ]


def emptied(
    hosts: list[CloudHost], *names: str, **options: object
) -> Evacuation:
    return evacuate(
        Places(hosts),
        leaving(hosts, *names),
        set(names),
        **options,  # type: ignore[arg-type]
    )


def targets(found: Evacuation) -> dict[str, str]:
    return {move.server.id: move.target for move in found.moves}


@pytest.mark.parametrize(
    ("hosts", "gone", "expected", "stuck"),
    [
        pytest.param(
            [running("a", FOUR, 2), running("b", FOUR), running("c", FOUR, 1)],
            "a",
            {"a0": "c"},
            [],
            id="to the fullest host that has room",
        ),
        pytest.param(
            [running("a", FOUR, 1, 3), running("b", FOUR, 1)],
            "a",
            {"a1": "b"},
            ["a0"],
            id="one stays without a place, the smaller",
        ),
        pytest.param(
            [running("a", FOUR, 2), running("b", FOUR, closed="disabled")],
            "a",
            {},
            ["a0"],
            id="a closed host takes nobody",
        ),
        pytest.param(
            [running("a", FOUR, closed="is down"), running("b", FOUR, 1)],
            "a",
            {},
            [],
            id="nobody is there",
        ),
        pytest.param(
            [
                running("a", "cell:2 core:4", (2, 2), 2),
                running("b", "cell:2 core:4", 2, 1),
                running("c", "cell:1 core:3"),
            ],
            "a",
            {"a0": "b", "a1": "c"},
            [],
            id="a guest of two cells and one that leaves it room",
        ),
    ],
)
def test_where_guests_go(
    hosts: list[CloudHost], gone: str, expected: object, stuck: list[str]
) -> None:
    found = emptied(hosts, gone)
    assert targets(found) == expected
    assert [guest.id for guest in found.stuck] == stuck


def test_only_where_a_guest_may_go() -> None:
    hosts = [running("a", FOUR, 2, 1), running("b", FOUR), running("c", FOUR)]
    found = emptied(
        hosts,
        "a",
        allowed=lambda guest: {"c"} if guest.id == "a0" else {"b"},
    )
    assert targets(found) == {"a0": "c", "a1": "b"}


def test_a_guest_of_another_host_makes_way_only_if_it_may() -> None:
    hosts = [
        running("a", FOUR, 3),
        running("b", FOUR, 2),
        running("c", FOUR, 2),
    ]
    assert [guest.id for guest in emptied(hosts, "a").stuck] == ["a0"]
    found = emptied(hosts, "a", making_way=True)
    assert [(move.server.id, move.target) for move in found.moves] == [
        ("b0", "c"),
        ("a0", "b"),
    ]
    fixed = [hosts[0], *(running(n, FOUR, 2, fixed="x") for n in "bc")]
    assert not emptied(fixed, "a", making_way=True).complete


def carried_out(cloud: Cloud, found: Evacuation, gone: str) -> bool:
    """Each move in turn, as the engine places it then; whether all fit."""
    hosts = {each.name: each for each in cloud.hosts}
    for move in found.moves:
        if fit(hosts[move.target].host, move.server.request) != move.placement:
            return False
        hosts[move.source] = hosts[move.source].without(move.server)
        hosts[move.target] = hosts[move.target].adding(
            move.server, move.placement
        )
    return not hosts[gone].guests


def can_all_go(hosts: dict[str, CloudHost], guests: list[Guest]) -> bool:
    """Every order of guests, every host for each."""
    if not guests:
        return True
    for index, guest in enumerate(guests):
        rest = guests[:index] + guests[index + 1 :]
        for name, host in hosts.items():
            placement = fit(host.host, guest.request)
            if isinstance(placement, Placement):
                then = hosts | {name: host.adding(guest, placement)}
                if can_all_go(then, rest):
                    return True
    return False


def fewest_more(cloud: Cloud, gone: str, most: int) -> int | None:
    """The fewest moves of guests of other hosts after which all can go."""
    hosts = {each.name: each for each in cloud.hosts}
    guests = list(hosts.pop(gone).guests)
    clouds = [hosts]
    for depth in range(most + 1):
        if any(can_all_go(each, guests) for each in clouds):
            return depth
        clouds = [
            then for each in clouds for then in after_one_move(each)
        ]
    return None


def after_one_move(hosts: dict[str, CloudHost]) -> list[dict[str, CloudHost]]:
    found = []
    for source, target in itertools.permutations(hosts.values(), 2):
        for guest in source.guests:
            placement = fit(target.host, guest.request)
            if isinstance(placement, Placement):
                moved = {
                    source.name: source.without(guest),
                    target.name: target.adding(guest, placement),
                }
                found.append(hosts | moved)
    return found


@pytest.mark.parametrize(
    ("line", "sizes", "seed"),
    [
        ("cell:1 core:3 pu:2", (1, 1, 2, 2, 3), 4),
        ("cell:2 core:3", (1, 1, 2, 2, 3), 5),
    ],
)
def test_beside_trying_everything(
    line: str, sizes: tuple[int, ...], seed: int
) -> None:
    """No way is missed that trying everything finds, nor one made up."""
    rng = random.Random(seed)
    possible = 0
    for _ in range(60):
        cloud = random_cloud(rng, "abc", line, sizes)
        hosts = {each.name: each for each in cloud.hosts}
        gone = hosts.pop("a")
        found = evacuate(
            Places(cloud.hosts), leaving([gone], "a"), {"a"}, anywhere
        )
        assert found.complete == can_all_go(hosts, list(gone.guests))
        if found.complete:
            possible += 1
            assert carried_out(cloud, found, "a")
    assert 10 < possible < 60


def test_ways_with_others_beside_trying_everything() -> None:
    """At most 1.1 times the fewest moves, and 99 of 100 plans found."""
    rng = random.Random(11)
    missed = possible = moves = best = 0
    for _ in range(80):
        cloud = random_cloud(rng, "abc", "cell:1 core:5", (1, 1, 2, 2, 3))
        found = emptied(list(cloud.hosts), "a", making_way=True)
        fewest = fewest_more(cloud, "a", 2)
        if fewest is None:
            assert not found.complete
            continue
        possible += 1
        missed += not found.complete
        if found.complete:
            assert carried_out(cloud, found, "a")
            moves += len(found.moves)
            best += fewest + len(leaving(list(cloud.hosts), "a"))
    assert possible > 20
    assert missed <= possible / 100
    assert moves <= 1.1 * best
