"""What a placement leaves behind."""

from __future__ import annotations

import itertools

import pytest

from pinning_filter.core import cpuset
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.synthetic import host
from pinning_filter.fleet import score
from pinning_filter.fleet.score import Halves, Loose

GIB = 1 << 20


def a_host(text: str, used: str = "") -> Host:
    return host(text, cpuset.parse(used))


def guest(
    *sizes: int, memory_gib: int = 0, threads: str = "prefer"
) -> Request:
    ids = itertools.count()
    return Request(
        tuple(
            GuestCell(
                frozenset(itertools.islice(ids, size)),
                memory_kib=memory_gib * GIB,
            )
            for size in sizes
        ),
        thread_policy=ThreadPolicy(threads),
    )


def choice(at: Host, request: Request, **devices: int) -> score.Choice:
    placement = fit(at, request, None, Strategy(tight=True))
    assert isinstance(placement, Placement), placement.text
    near = {int(name[1:]): count for name, count in devices.items()}
    return score.choice(at, placement, near)


def best(choices: list[score.Choice]) -> int:
    found = score.scores(choices)
    return max(range(len(found)), key=found.__getitem__)


def test_what_is_loose_before_and_after() -> None:
    at = a_host("cell:2(memory=16GiB) core:4 pu:2", "1,2")
    found = choice(at, guest(3, memory_gib=11), c0=2)
    assert found.cells == (Loose(6, 4, 4, 4, 2), Loose(8, 4, 8, 4, 0))
    assert found.changes == ((found.cells[0], Loose(3, 1, 2, 1, 2)),)
    assert found.halves == (
        Halves((6, 6), (4, 4)),
        Halves((3, 3), (2, 2)),
    )
    assert found.free == 6 + 8 + 8 + 8


def test_halves_of_many_cells() -> None:
    found = choice(a_host("cell:3 core:4", "0,8-9"), guest(4))
    assert found.halves[0][0] == (2, 3, 4)
    assert found.halves[1][0] == (0, 2, 3)


def test_cores_of_one_thread_are_no_whole_cores() -> None:
    found = choice(a_host("cell:1 core:4"), guest(1))
    assert found.changes == ((Loose(4, 2, 0, 0), Loose(3, 2, 0, 0)),)


def test_cores_need_not_be_alike() -> None:
    cell = HostCell(
        0, dedicated=frozenset(range(4)), siblings=[{0}, {1}, {2, 3}]
    )
    found = choice(Host((cell,)), guest(1))
    assert found.changes == ((Loose(4, 4, 2, 2), Loose(3, 3, 2, 2)),)


def test_isolate_takes_the_siblings_too() -> None:
    every = frozenset(range(4))
    cell = HostCell(
        0, dedicated=every, shared=every, siblings=[{0, 1}, {2, 3}]
    )
    found = choice(Host((cell,)), guest(1, threads="isolate"))
    assert found.changes == ((Loose(4, 4, 4, 4), Loose(2, 2, 2, 2)),)


def test_memory_that_is_overcommitted_serves_nothing() -> None:
    cell = a_host("cell:1(memory=16GiB) core:4").cells[0]
    cell = cell._replace(memory_used_kib=20 * GIB, pages=())
    seen = score.view(Host((cell,)))
    assert seen.cells == (Loose(0, 0, 0, 0),)
    assert seen.free == 4


def test_what_was_seen_before_serves_again() -> None:
    at = a_host("cell:2(memory=16GiB) core:4 pu:2", "1,2")
    placement = fit(at, guest(3, memory_gib=5))
    assert isinstance(placement, Placement)
    assert score.choice(at, placement) == score.choice(
        at, placement, {}, score.view(at)
    )


def test_room_in_one_cell() -> None:
    assert score.SIZES[:5] == (1, 2, 3, 4, 6)
    assert score.singles(9)[:5] == [9, 4, 3, 2, 1]


def test_room_near_devices() -> None:
    assert score.near_devices((9, 2))[:5] == [2, 2, 2, 2, 1]
    assert score.near_devices((9, 0))[:5] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("pcpus", "expected"),
    [
        pytest.param((8,), [0, 0, 0, 0], id="one cell"),
        pytest.param((8, 2), [2, 1, 0, 0], id="two cells"),
        pytest.param((3, 1, 1), [2, 0, 0, 0], id="three cells"),
        pytest.param((5, 1, 0, 0), [1, 0, 0, 0], id="a full cell has no use"),
        pytest.param((4, 4, 4), [6, 3, 1, 1], id="an odd one is left"),
    ],
)
def test_room_in_two_cells(
    pcpus: tuple[int, ...], expected: list[int]
) -> None:
    assert score.doubles(pcpus)[:4] == expected


@pytest.mark.parametrize(
    ("line", "full", "empty", "request_"),
    [
        pytest.param(
            "cell:2 core:4 pu:2", "0-3", "", guest(2), id="the fuller host"
        ),
        pytest.param(
            "cell:1 core:4 pu:2",
            "0-1,2,4",
            "0-3",
            guest(2),
            id="the one with half-used cores",
        ),
        pytest.param(
            "cell:1 core:4 pu:2",
            "0-1,2,4",
            "0-3",
            guest(2, threads="require"),
            id="the one with no whole core to spare",
        ),
    ],
)
def test_the_best_host_is(
    line: str, full: str, empty: str, request_: Request
) -> None:
    hosts = [a_host(line, empty), a_host(line, full), a_host(line)]
    assert best([choice(each, request_) for each in hosts]) == 1


def test_a_small_guest_leaves_the_only_large_cells_alone() -> None:
    hosts = [a_host("cell:1 core:16"), a_host("cell:4 core:4")]
    assert best([choice(each, guest(4)) for each in hosts]) == 1


def test_a_guest_of_little_memory_goes_where_memory_is_gone() -> None:
    starved = a_host("cell:1(memory=16GiB) core:8")
    cell = starved.cells[0]
    pages = [cell.pages[0]._replace(used=cell.pages[0].total - 1024)]
    starved = starved._replace(cells=(cell._replace(pages=pages),))
    sound = a_host("cell:1(memory=16GiB) core:8")
    hosts = [sound, starved]
    assert best([choice(each, guest(2)) for each in hosts]) == 1


def test_a_guest_of_much_memory_goes_where_pcpus_are_gone() -> None:
    line = "cell:1(memory=16GiB) core:8"
    hosts = [a_host(line), a_host(line, "0-5")]
    request = guest(1, memory_gib=10)
    assert best([choice(each, request) for each in hosts]) == 1


def test_a_guest_without_devices_leaves_them_alone() -> None:
    at = a_host("cell:1 core:8")
    choices = [choice(at, guest(2), c0=4), choice(at, guest(2))]
    assert best(choices) == 1


def test_alike_hosts_have_one_score() -> None:
    at = a_host("cell:1 core:8")
    one, other = score.scores([choice(at, guest(2)), choice(at, guest(2))])
    assert one == other < 0


def test_the_order_of_hosts_makes_no_difference() -> None:
    used = ("", "0-3", "0,2", "1-6", "0-7")
    choices = [choice(a_host("cell:2 core:4 pu:2", u), guest(2)) for u in used]
    forwards = score.scores(choices)
    assert score.scores(choices[::-1]) == pytest.approx(forwards[::-1])
    assert len(set(forwards)) == len(used)


def test_no_host_is_no_score() -> None:
    assert score.scores([]) == []
