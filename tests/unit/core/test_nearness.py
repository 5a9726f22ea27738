"""Host cells that are near one another."""

from __future__ import annotations

import pytest

from pinning_filter.core import nearness
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host

NEAR = Strategy(near_cells=True)
#: Two sockets of two cells, as an Intel Xeon with two sub-NUMA clusters says.
SNC2 = """
    10 11 21 21
    11 10 21 21
    21 21 10 11
    21 21 11 10
"""
#: Four sockets in a row.
ROW = """
    10 20 30 40
    20 10 20 30
    30 20 10 20
    40 30 20 10
"""


def machine(
    text: str, distances: str, used: set[int], sockets: str = ""
) -> Host:
    made = host(text, used)
    rows = [
        dict(enumerate(map(int, line.split())))
        for line in distances.strip().splitlines()
    ]
    packages = sockets.split() or [str(cell.id) for cell in made.cells]
    return Host(
        [
            cell._replace(distances=row, socket=int(package))
            for cell, row, package in zip(
                made.cells, rows, packages, strict=True
            )
        ]
    )


def guest(*sizes: int) -> Request:
    vcpus = iter(range(99))
    return Request(
        tuple(
            GuestCell(frozenset(next(vcpus) for _ in range(size)))
            for size in sizes
        )
    )


def cells(answer: object) -> list[int]:
    assert isinstance(answer, Placement)
    return [placed.host_cell.id for placed in answer.cells]


@pytest.mark.parametrize(
    ("distances", "used", "sizes", "plain", "near"),
    [
        pytest.param(
            SNC2, {0}, (1, 1), [1, 2], [1, 0], id="before the emptiest cells"
        ),
        pytest.param(
            SNC2, set(), (1, 1), [0, 1], [0, 1], id="as ever if it is near"
        ),
        pytest.param(
            SNC2, {0, 1, 4}, (2, 2), [2, 3], [2, 3], id="what is full is out"
        ),
        pytest.param(
            SNC2,
            {0, 1, 2, 8, 9, 10},
            (4, 4),
            [1, 3],
            [1, 3],
            id="far cells if nothing else will do",
        ),
        pytest.param(
            SNC2, {0}, (1, 1, 1), [1, 2, 3], [1, 2, 3], id="three of four"
        ),
        pytest.param(
            ROW, {0}, (1, 1, 1), [1, 2, 3], [1, 2, 3], id="three in a row"
        ),
        pytest.param(
            ROW, {8}, (1, 1, 1), [0, 1, 3], [0, 1, 2], id="all of them count"
        ),
    ],
)
def test_host_cells(
    distances: str,
    used: set[int],
    sizes: tuple[int, ...],
    plain: list[int],
    near: list[int],
) -> None:
    at = machine("cell:4 core:4", distances, used)
    assert cells(fit(at, guest(*sizes))) == plain
    assert cells(fit(at, guest(*sizes), None, NEAR)) == near


def test_the_same_socket_comes_before_a_shorter_distance() -> None:
    # As a vendor might fill in the table of distances, at random.
    odd = SNC2.replace("11", "31")
    at = machine("cell:4 core:4", odd, {0}, sockets="0 0 1 1")
    assert cells(fit(at, guest(1, 1), None, NEAR)) == [1, 0]


def test_sockets_alone_are_enough() -> None:
    made = machine("cell:4 core:4", SNC2, {0}, sockets="0 0 1 1")
    at = Host([cell._replace(distances={}) for cell in made.cells])
    assert cells(fit(at, guest(1, 1), None, NEAR)) == [1, 0]


def test_each_guest_cell_still_gets_a_host_cell_that_takes_it() -> None:
    # Of the two pairs on one socket only the second takes both.
    at = machine("cell:4 core:4", SNC2, {0, 4, 8})
    assert cells(fit(at, guest(4, 2))) == [3, 0]
    assert cells(fit(at, guest(4, 2), None, NEAR)) == [3, 2]


class Devices:
    """One device near each of some host cells, and none asked for."""

    requested = False
    attempts = ()

    def __init__(self, *near: int) -> None:
        self._near = near

    def free(self, host_cell: int) -> int:
        return int(host_cell in self._near)


def test_devices_that_others_may_want_are_not_wasted_for_it() -> None:
    at = machine("cell:4 core:4", SNC2, set())
    placed = fit(at, guest(1, 1), Devices(1, 3), NEAR)
    assert cells(placed) == [0, 2]


def test_too_many_sets_of_host_cells_are_not_compared() -> None:
    at = machine("cell:4 core:4", SNC2, {0}).cells
    chosen, better = (1, 2), (2, 3)
    found = nearness.nearer(at, [0] * 4, chosen, lambda family: better)
    assert found == better
    many = [at[index % 4]._replace(id=index) for index in range(16)]
    eight = tuple(range(8))
    assert nearness.nearer(many, [0] * 16, eight, lambda _: None) == eight
    assert nearness.MOST_SETS < 12870  # sets of 8 of 16


def test_the_sum_of_distances_counts_each_way() -> None:
    at = machine("cell:4 core:4", SNC2, set(), sockets="0 0 0 0").cells
    assert nearness.total(at, (0, 1)) == 22
    assert nearness.total(at, (0, 1, 2)) == 22 + 42 + 42
