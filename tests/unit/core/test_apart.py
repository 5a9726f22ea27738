"""As many cores as there are free ones."""

from __future__ import annotations

import pytest

from pinning_filter.core import apart, cpuset, siblings
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import HostCell
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.siblings import Taken
from pinning_filter.core.synthetic import host

PREFER = ThreadPolicy.PREFER


@pytest.mark.parametrize(
    ("used", "count", "expected"),
    [
        pytest.param("", 2, [0, 2], id="a core for each vCPU"),
        pytest.param("1", 2, [2, 4], id="free cores before half-used ones"),
        pytest.param(
            "", 6, [0, 2, 4, 6, 1, 3], id="then siblings, from the first core"
        ),
        pytest.param(
            "1,3", 3, [4, 6, 5], id="its own siblings before others' cores"
        ),
        pytest.param(
            "1,3", 6, [4, 6, 5, 7, 0, 2], id="others' cores for the rest"
        ),
        pytest.param("1,3,5,7", 2, [0, 2], id="half-used cores only"),
    ],
)
def test_two_threads_a_core(
    used: str, count: int, expected: list[int]
) -> None:
    cell = host("cell:1 core:4 pu:2", cpuset.parse(used)).cells[0]
    assert apart.take(cell, count, PREFER) == Taken(expected, frozenset())


@pytest.mark.parametrize(
    ("used", "count", "expected"),
    [
        pytest.param("", 4, [0, 4, 1, 5], id="each a second before a third"),
        pytest.param(
            "0-2,4", 3, [5, 3, 6], id="others' in turn, the emptiest first"
        ),
    ],
)
def test_four_threads_a_core(
    used: str, count: int, expected: list[int]
) -> None:
    cell = host("cell:1 core:2 pu:4", cpuset.parse(used)).cells[0]
    assert apart.take(cell, count, PREFER) == Taken(expected, frozenset())


@pytest.mark.parametrize(
    ("used", "count", "reserved"),
    [
        pytest.param("", 2, 4, id="on a free core"),
        pytest.param("7", 3, 6, id="on a core of others"),
        pytest.param("6-7", 3, 1, id="beside a vCPU"),
    ],
)
def test_emulator_threads(used: str, count: int, reserved: int) -> None:
    cell = host("cell:1 core:4 pu:2", cpuset.parse(used)).cells[0]
    taken = apart.take(cell, count, PREFER, reserve=1)
    assert taken == Taken([0, 2, 4][:count], frozenset({reserved}))


@pytest.mark.parametrize(
    ("policy", "reserve"),
    [(ThreadPolicy.REQUIRE, 0), (ThreadPolicy.ISOLATE, 1)],
)
def test_other_policies_are_as_ever(
    policy: ThreadPolicy, reserve: int
) -> None:
    cell = host("cell:1 core:4 pu:2", {1}).cells[0]
    taken = apart.take(cell, 2, policy, reserve)
    assert taken == siblings.take(cell, 2, policy, reserve)


def test_a_core_with_a_thread_offline_is_a_free_core() -> None:
    cell = HostCell(0, dedicated={0, 1, 2}, siblings=[{0, 1}, {2}])
    assert apart.take(cell, 2, PREFER).pcpus == [0, 2]


def test_too_few_are_refused_in_the_same_words() -> None:
    cell = host("cell:1 core:2 pu:2", {0}).cells[0]
    fact = Fact(Code.PCPUS, 4, 3, "pCPUs", 0)
    assert apart.take(cell, 4, PREFER) == fact


def test_sibling_sets_that_overlap_are_of_no_use() -> None:
    cell = HostCell(0, dedicated={0, 1, 2}, siblings=[{0, 1}, {1, 2}])
    taken = apart.take(cell, 4, PREFER)
    assert isinstance(taken, Fact)
    assert taken.code is Code.UNREADABLE


def test_one_cache_has_all_the_cores_where_it_can() -> None:
    at = host("cell:1 l3:2 core:4 pu:2", {0})
    four = Request((GuestCell(frozenset(range(4))),))
    plain = fit(at, four, None, Strategy(apart=True))
    aligned = fit(at, four, None, Strategy(apart=True, align_caches=True))
    assert sorted(plain.pinning.values()) == [2, 4, 6, 8]
    assert sorted(aligned.pinning.values()) == [8, 10, 12, 14]


def test_the_fit_takes_the_emptiest_host_cell_as_nova() -> None:
    two = host("cell:2 core:4 pu:2", {0})
    request = Request((GuestCell(dedicated=frozenset({0, 1})),))
    placed = fit(two, request, None, Strategy(apart=True))
    assert placed.pinning == {0: 8, 1: 10}
