"""Which hosts may fail."""

from __future__ import annotations

import pytest

from pinning_filter.fleet.hosts import Cloud, CloudHost
from pinning_filter.fleet.survival import Loss, Survival
from tests.unit.fleet.clouds import running

FOUR = "cell:1 core:4"


def survival(*hosts: CloudHost) -> Survival:
    return Survival(Cloud(hosts))


def short(loss: Loss) -> tuple[tuple[str, ...], int, int, list[str]]:
    stuck = [guest.id for guest in loss.stuck]
    return loss.hosts, loss.servers, loss.pcpus, stuck


def test_a_host_by_itself() -> None:
    found = survival(
        running("a", FOUR, 3), running("b", FOUR, 2), running("c", FOUR)
    )
    assert [short(loss) for loss in found.losses()] == [
        (("a",), 1, 3, []),
        (("b",), 1, 2, []),
    ]


def test_what_is_missing_is_said_of_the_largest_that_is_stuck() -> None:
    found = survival(running("a", FOUR, 1, 3), running("b", FOUR, 3))
    (loss, other) = found.losses()
    assert short(loss) == (("a",), 2, 4, ["a1"])
    assert loss.missing == (
        "No host can take 3 pinned vCPUs in one NUMA cell: 3 free pCPUs are "
        "needed in one NUMA cell, 1 host has 0."
    )
    assert short(other) == (("b",), 1, 3, ["b0"])


def test_two_hosts_at_once() -> None:
    found = survival(
        running("a", FOUR, 2),
        running("b", FOUR, 3),
        running("c", FOUR, 1),
        running("d", FOUR),
    )
    assert [short(loss) for loss in found.losses(2)] == [
        (("a", "b"), 2, 5, []),
        (("b", "a"), 2, 5, []),
        (("c", "b"), 2, 4, []),
    ]
    (loss, *_) = found.losses(3)
    assert short(loss) == (("a", "b", "c"), 3, 6, ["a0"])


def test_no_host_is_left() -> None:
    (loss,) = survival(running("a", FOUR, 2)).losses()
    assert not loss.survived
    assert loss.missing == "No host is left that may take it."


def test_a_closed_host_fails_and_takes_nobody_in() -> None:
    found = survival(
        running("a", FOUR, 2, closed="disabled"),
        running("b", FOUR, 3),
        running("c", FOUR, closed="down"),
    )
    assert [short(loss)[3] for loss in found.losses()] == [["a0"], ["b0"]]


def test_where_guests_may_not_go_they_find_no_place() -> None:
    cloud = Cloud((running("a", FOUR, 2), running("b", FOUR)))
    (loss,) = Survival(cloud, lambda guest: {"a"}).losses()
    assert [guest.id for guest in loss.stuck] == ["a0"]


@pytest.mark.parametrize(
    ("hosts", "failures"),
    [
        pytest.param([running("a", FOUR, 4)], 0, id="there is one host"),
        pytest.param(
            [running(name, FOUR, 3) for name in "abc"], 0, id="none is free"
        ),
        pytest.param(
            [running(name, FOUR, 2) for name in "abcd"],
            2,
            id="half of all pCPUs are free",
        ),
        pytest.param(
            [running("a", FOUR), running("b", FOUR)], 2, id="nobody is there"
        ),
    ],
)
def test_how_many_can_fail_in_turn(
    hosts: list[CloudHost], failures: int
) -> None:
    assert survival(*hosts).in_turn() == failures
