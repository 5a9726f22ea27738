"""Room for the guests of a host that fails."""

from __future__ import annotations

import pytest

from pinning_filter.core import cpuset
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.synthetic import host
from pinning_filter.fleet import failover
from pinning_filter.fleet.failover import Need


def need(at: Host, vcpus: int, threads: str = "prefer") -> Need:
    cell = GuestCell(frozenset(range(vcpus)))
    request = Request((cell,), thread_policy=ThreadPolicy(threads))
    placement = fit(at, request)
    assert isinstance(placement, Placement)
    return failover.need(at, placement)


def last(*needs: Need) -> list[bool]:
    """Which of the choices are put behind others."""
    numbers = failover.put_last(needs, [-0.5] * len(needs))
    return [number < -0.5 for number in numbers]


def test_free_pcpus_and_those_of_guests() -> None:
    at = host("cell:2 core:4 pu:2", cpuset.parse("0-2"))
    assert need(at, 4) == Need(free=13, lost=7)


def test_idle_siblings_are_lost_too() -> None:
    pcpus = frozenset(range(8))
    cores = [{first, first + 1} for first in range(0, 8, 2)]
    # As with vcpu_pin_set, where isolate is allowed with SMT.
    cell = HostCell(0, pcpus, siblings=cores, shared=pcpus)
    assert need(Host((cell,)), 2, "isolate") == Need(free=8, lost=4)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        pytest.param(
            ["cell:1 core:8", "cell:1 core:8"], [False, False], id="alike"
        ),
        pytest.param(
            ["cell:4 core:8", "cell:1 core:8", "cell:1 core:8"],
            [False, False, False],
            id="a large host with little on it",
        ),
        pytest.param(["cell:1 core:8"], [True], id="the only host"),
    ],
)
def test_empty_hosts(hosts: list[str], expected: list[bool]) -> None:
    assert last(*[need(host(each), 4) for each in hosts]) == expected


def test_a_large_host_is_not_filled_beyond_what_the_others_can_take() -> None:
    large = host("cell:4 core:8", cpuset.parse("0-15"))
    small = [host("cell:1 core:8"), host("cell:1 core:8")]
    # 16 pCPUs are in use there, and as many are free on the others.
    assert last(*[need(each, 4) for each in (large, *small)]) == [
        True,
        False,
        False,
    ]


def test_the_more_is_missing_the_worse() -> None:
    enough, little, much = (Need(8, lost) for lost in (16, 17, 30))
    numbers = failover.put_last([much, little, enough], [-0.1, -0.2, -0.3])
    assert sorted(range(3), key=numbers.__getitem__) == [0, 1, 2]
    # No farther apart than needed: weights are made of them.
    assert numbers[2] == -0.3
    assert numbers[0] >= -0.51


def test_no_choice_at_all() -> None:
    assert failover.put_last([], []) == []
