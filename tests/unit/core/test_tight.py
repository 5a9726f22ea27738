"""As few whole cores as possible."""

import pytest

from pinning_filter.core import cpuset, tight
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.siblings import Taken
from pinning_filter.core.synthetic import host

PREFER, REQUIRE = ThreadPolicy.PREFER, ThreadPolicy.REQUIRE


@pytest.mark.parametrize(
    ("used", "count", "policy", "expected"),
    [
        pytest.param("", 2, PREFER, [0, 1], id="whole cores if no other"),
        pytest.param("1", 1, PREFER, [0], id="a half-used core first"),
        pytest.param("1,3", 2, PREFER, [0, 2], id="two half-used cores"),
        pytest.param(
            "1,3", 4, PREFER, [4, 5, 0, 2], id="whole cores for the rest"
        ),
        pytest.param(
            "1",
            4,
            PREFER,
            [2, 3, 4, 5],
            id="no half-used core where it spares no whole one",
        ),
        pytest.param(
            "1,3", 2, REQUIRE, [4, 5], id="require: none alone on a core"
        ),
        pytest.param(
            "1,3",
            3,
            REQUIRE,
            [4, 5, 6],
            id="require: nor the last vCPU on a half-used core",
        ),
        pytest.param(
            "", 3, REQUIRE, [0, 1, 2], id="require: else a core is broken"
        ),
        pytest.param("1", 1, REQUIRE, [2], id="require: one vCPU"),
    ],
)
def test_two_threads_a_core(
    used: str, count: int, policy: ThreadPolicy, expected: list[int]
) -> None:
    cell = host("cell:1 core:4 pu:2", cpuset.parse(used)).cells[0]
    assert tight.take(cell, count, policy) == Taken(expected, frozenset())


@pytest.mark.parametrize(
    ("used", "count", "policy", "expected"),
    [
        pytest.param(
            "1,5-7",
            3,
            PREFER,
            [4, 0, 2],
            id="the core with the fewest free threads first",
        ),
        pytest.param(
            "1,6-7",
            4,
            REQUIRE,
            [4, 5, 0, 2],
            id="require: two and two of half-used cores",
        ),
        pytest.param(
            "1,5-7",
            4,
            REQUIRE,
            [8, 9, 10, 11],
            id="require: no core with one free thread",
        ),
        pytest.param(
            "1,5-7",
            7,
            REQUIRE,
            [8, 9, 10, 11, 0, 2, 3],
            id="require: whole cores for the rest",
        ),
    ],
)
def test_four_threads_a_core(
    used: str, count: int, policy: ThreadPolicy, expected: list[int]
) -> None:
    cell = host("cell:1 core:4 pu:4", cpuset.parse(used)).cells[0]
    assert tight.take(cell, count, policy) == Taken(expected, frozenset())


@pytest.mark.parametrize(
    ("used", "count", "policy", "expected"),
    [
        pytest.param(
            "1", 2, REQUIRE, Taken([2, 3], frozenset({0})), id="half-used"
        ),
        pytest.param(
            "", 3, PREFER, Taken([0, 1, 2], frozenset({3})), id="broken"
        ),
        pytest.param("", 2, PREFER, Taken([0, 1], frozenset({2})), id="whole"),
        pytest.param(
            "0-5",
            2,
            PREFER,
            Fact(
                Code.PCPUS,
                3,
                2,
                "pCPUs",
                0,
                detail=" (one for emulator threads)",
            ),
            id="none left",
        ),
    ],
)
def test_emulator_threads_take_a_core_that_is(
    used: str, count: int, policy: ThreadPolicy, expected: Taken | Fact
) -> None:
    cell = host("cell:1 core:4 pu:2", cpuset.parse(used)).cells[0]
    assert tight.take(cell, count, policy, reserve=1) == expected


@pytest.mark.parametrize(
    ("line", "used", "count", "policy", "expected"),
    [
        pytest.param(
            "cell:1 core:4 pu:1",
            "",
            2,
            REQUIRE,
            Fact(Code.NO_SMT, 2, 1, "threads a core", 0),
            id="require without SMT",
        ),
        pytest.param(
            "cell:1 core:4 pu:2",
            "1,3,5",
            4,
            REQUIRE,
            Fact(Code.SIBLINGS, 4, 2, "pCPUs", 0),
            id="require with too few siblings",
        ),
        pytest.param(
            "cell:1 core:2 pu:1",
            "1",
            2,
            PREFER,
            Fact(Code.PCPUS, 2, 1, "pCPUs", 0),
            id="too few pCPUs",
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            "",
            1,
            ThreadPolicy.ISOLATE,
            Fact(Code.SMT, 1, 0, "cores without SMT", 0, detail="2"),
            id="isolate where siblings cannot be kept idle",
        ),
    ],
)
def test_refusals_are_those_of_the_other_choice(
    line: str, used: str, count: int, policy: ThreadPolicy, expected: Fact
) -> None:
    cell = host(line, cpuset.parse(used)).cells[0]
    assert tight.take(cell, count, policy) == expected


def test_a_core_with_a_thread_offline_is_half_used() -> None:
    cell = HostCell(0, dedicated={0, 1, 2}, siblings=[{0, 1}, {2}])
    assert tight.take(cell, 1, PREFER).pcpus == [2]


def test_sibling_sets_that_overlap_are_of_no_use() -> None:
    cell = HostCell(0, dedicated={0, 1, 2}, siblings=[{0, 1}, {1, 2}])
    taken = tight.take(cell, 4, PREFER)
    assert isinstance(taken, Fact)
    assert taken.text == (
        "host cell 0: the host reports something unreadable: its sibling sets "
        "share pCPUs"
    )


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        pytest.param(Strategy(), {0: 8}, id="emptiest first as Nova"),
        pytest.param(Strategy(tight=True), {0: 1}, id="fullest first"),
    ],
)
def test_host_cells(strategy: Strategy, expected: dict[int, int]) -> None:
    two: Host = host("cell:2 core:4 pu:2", {0})
    request = Request((GuestCell(dedicated=frozenset({0})),))
    assert fit(two, request, None, strategy).pinning == expected
