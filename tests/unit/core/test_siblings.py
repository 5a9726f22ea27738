"""One guest cell's vCPUs onto the cores of one host cell."""

from __future__ import annotations

import pytest

from pinning_filter.core import cpuset, siblings
from pinning_filter.core.host import HostCell
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import ThreadPolicy
from pinning_filter.core.synthetic import host

PREFER, REQUIRE, ISOLATE = (
    ThreadPolicy.PREFER,
    ThreadPolicy.REQUIRE,
    ThreadPolicy.ISOLATE,
)


def cell(text: str, used: str = "", legacy: bool = False) -> HostCell:
    """A host cell of so many cores and threads; legacy: ``vcpu_pin_set``."""
    made = host(f"cell:1 {text}", cpuset.parse(used)).cells[0]
    return made._replace(shared=made.dedicated) if legacy else made


def pcpus(
    cell: HostCell, count: int, policy: ThreadPolicy, reserve: int = 0
) -> tuple[list[int], set[int]] | Fact:
    taken = siblings.take(cell, count, policy, reserve)
    if isinstance(taken, Fact):
        return taken
    return list(taken.pcpus), set(taken.reserved)


@pytest.mark.parametrize(
    ("text", "used", "count", "expected"),
    [
        pytest.param(
            "core:4", "", 2, [0, 1], id="without SMT the first cores"
        ),
        pytest.param(
            "core:4", "0,2", 2, [1, 3], id="without SMT the first free cores"
        ),
        pytest.param(
            "core:2 pu:2", "", 2, [0, 1], id="two vCPUs share a free core"
        ),
        pytest.param(
            "core:2 pu:2", "", 3, [0, 1, 2], id="three start a second core"
        ),
        pytest.param(
            "core:3 pu:2", "0", 2, [2, 3], id="a free core before a half-used"
        ),
        pytest.param("core:3 pu:2", "0", 1, [2], id="even for a single vCPU"),
        pytest.param(
            "core:3 pu:2",
            "0,4",
            3,
            [1, 2, 5],
            id="one thread of each core where whole cores are too few",
        ),
        pytest.param(
            "core:3 pu:2",
            "0,4",
            4,
            [1, 2, 3, 5],
            id="whatever is free where that is not enough",
        ),
        pytest.param(
            "core:2 pu:4", "", 4, [0, 1, 2, 3], id="four on a core of SMT 4"
        ),
        pytest.param(
            "core:3 pu:4",
            "0,4,8",
            4,
            [1, 2, 3, 5],
            id="three and one where no core of SMT 4 is whole",
        ),
        pytest.param(
            "core:2 pu:4",
            "0-1,6",
            4,
            [2, 3, 4, 5],
            id="two of each, the most that two cores can give alike",
        ),
        pytest.param(
            "core:2 pu:8", "0", 8, list(range(8, 16)), id="a core of SMT 8"
        ),
        pytest.param("core:2 pu:2", "0-3", 0, [], id="no vCPU needs nothing"),
    ],
)
def test_prefer(text: str, used: str, count: int, expected: list[int]) -> None:
    assert pcpus(cell(text, used), count, PREFER) == (expected, set())


@pytest.mark.parametrize(
    ("text", "used", "count", "expected"),
    [
        pytest.param("core:2 pu:2", "", 2, [0, 1], id="two on one core"),
        pytest.param(
            "core:2 pu:2", "", 3, [0, 1, 2], id="an odd vCPU may be alone"
        ),
        pytest.param(
            "core:2 pu:2", "0", 2, [2, 3], id="a half-used core is passed by"
        ),
        pytest.param(
            "core:2 pu:2", "0", 1, [2], id="a single vCPU, too, passes it by"
        ),
        pytest.param(
            "core:3 pu:2", "0", 3, [2, 3, 4], id="and so does the odd one"
        ),
        pytest.param(
            "core:2 pu:4",
            "6-7",
            6,
            [0, 1, 2, 3, 4, 5],
            id="cores that are not alike are filled, the emptiest first",
        ),
        pytest.param(
            "core:2 pu:4",
            "0-1",
            6,
            [4, 5, 6, 7, 2, 3],
            id="the emptiest first, wherever it stands",
        ),
        pytest.param(
            "core:2 pu:8", "", 9, list(range(9)), id="SMT 8 and one alone"
        ),
        pytest.param("core:2", "", 0, [], id="no vCPU needs no SMT"),
    ],
)
def test_require(
    text: str, used: str, count: int, expected: list[int]
) -> None:
    assert pcpus(cell(text, used), count, REQUIRE) == (expected, set())


@pytest.mark.parametrize(
    ("text", "used", "count", "expected"),
    [
        pytest.param("core:3", "0", 2, [1, 2], id="without SMT any core"),
        pytest.param(
            "core:3 pu:2", "", 2, [0, 2], id="a thread each of whole cores"
        ),
        pytest.param(
            "core:3 pu:2", "0", 2, [2, 4], id="half-used cores are passed by"
        ),
        pytest.param("core:2 pu:4", "", 2, [0, 4], id="SMT 4"),
        pytest.param("core:2 pu:8", "", 2, [0, 8], id="SMT 8"),
    ],
)
def test_isolate(
    text: str, used: str, count: int, expected: list[int]
) -> None:
    legacy = cell(text, used, legacy=True)
    assert pcpus(legacy, count, ISOLATE) == (expected, set())


def test_isolate_without_smt_needs_no_legacy_host() -> None:
    assert pcpus(cell("core:2"), 2, ISOLATE) == ([0, 1], set())


def test_isolate_takes_no_core_that_is_given_out_in_part() -> None:
    """``vcpu_pin_set=0,1,2,3,6,7`` on cores {0,4} {1,5} {2,6} {3,7}."""
    given = {0, 1, 2, 3, 6, 7}
    partly = HostCell(
        0, given, shared=given, siblings=[{0}, {1}, {2, 6}, {3, 7}]
    )
    assert pcpus(partly, 2, ISOLATE) == ([2, 3], set())
    assert siblings.take(partly, 3, ISOLATE) == Fact(
        Code.WHOLE_CORES, 3, 2, "cores", 0
    )
    assert siblings.lasting(partly, 3, ISOLATE) == Fact(
        Code.WHOLE_CORES_TOTAL, 3, 2, "cores", 0
    )


@pytest.mark.parametrize(
    ("text", "used", "count", "policy", "expected"),
    [
        pytest.param(
            "core:2", "", 1, PREFER, ([0], {1}), id="prefer: the next pCPU"
        ),
        pytest.param(
            "core:2 pu:2",
            "",
            1,
            PREFER,
            ([0], {1}),
            id="prefer: beside the guest",
        ),
        pytest.param(
            "core:2 pu:2",
            "0",
            2,
            PREFER,
            ([2, 3], {1}),
            id="prefer: the first that is left, before the guest's",
        ),
        pytest.param(
            "core:2 pu:2",
            "",
            2,
            REQUIRE,
            ([0, 1], {2}),
            id="require asks nothing of emulator threads",
        ),
        pytest.param(
            "core:2 pu:2",
            "0-2",
            0,
            REQUIRE,
            ([], {3}),
            id="require: emulator threads without dedicated vCPUs",
        ),
        pytest.param(
            "core:3 pu:2",
            "0",
            1,
            ISOLATE,
            ([2], {4}),
            id="isolate: another wholly free core",
        ),
        pytest.param(
            "core:2 pu:2",
            "0",
            0,
            ISOLATE,
            ([], {2}),
            id="isolate: a wholly free core even by themselves",
        ),
    ],
)
def test_emulator_threads(
    text: str,
    used: str,
    count: int,
    policy: ThreadPolicy,
    expected: tuple[list[int], set[int]],
) -> None:
    assert pcpus(cell(text, used, legacy=True), count, policy, 1) == expected


FOR_EMULATOR = " (one for emulator threads)"


@pytest.mark.parametrize(
    ("made", "count", "policy", "reserve", "fact"),
    [
        pytest.param(
            cell("core:2 pu:2", "0"),
            4,
            PREFER,
            0,
            Fact(Code.PCPUS, 4, 3, "pCPUs", 0),
            id="too few free",
        ),
        pytest.param(
            cell("core:2"),
            2,
            PREFER,
            1,
            Fact(Code.PCPUS, 3, 2, "pCPUs", 0, detail=FOR_EMULATOR),
            id="none left for emulator threads",
        ),
        pytest.param(
            cell("core:2"),
            1,
            REQUIRE,
            0,
            Fact(Code.NO_SMT, 2, 1, "threads a core", 0),
            id="require without SMT",
        ),
        pytest.param(
            cell("core:3 pu:2", "0,2"),
            4,
            REQUIRE,
            0,
            Fact(Code.SIBLINGS, 4, 2, "pCPUs", 0),
            id="require: two would be alone",
        ),
        pytest.param(
            cell("core:3 pu:2", "0,2"),
            3,
            REQUIRE,
            0,
            Fact(Code.SIBLINGS, 3, 2, "pCPUs", 0),
            id="require: the odd one would have no free sibling",
        ),
        pytest.param(
            cell("core:3 pu:2", "1,3,5"),
            1,
            REQUIRE,
            0,
            Fact(Code.SIBLINGS, 1, 0, "pCPUs", 0),
            id="require: every core is half used",
        ),
        pytest.param(
            cell("core:2 pu:2"),
            1,
            ISOLATE,
            0,
            Fact(Code.SMT, 1, 0, "cores without SMT", 0, detail="2"),
            id="isolate with SMT on a host that is not legacy",
        ),
        pytest.param(
            cell("core:2 pu:2", "0", legacy=True),
            2,
            ISOLATE,
            0,
            Fact(Code.WHOLE_CORES, 2, 1, "cores", 0),
            id="isolate: too few whole cores",
        ),
        pytest.param(
            cell("core:2 pu:2", "0", legacy=True),
            1,
            ISOLATE,
            1,
            Fact(Code.WHOLE_CORES, 2, 1, "cores", 0, detail=FOR_EMULATOR),
            id="isolate: no whole core for emulator threads",
        ),
    ],
)
def test_refused(
    made: HostCell,
    count: int,
    policy: ThreadPolicy,
    reserve: int,
    fact: Fact,
) -> None:
    assert pcpus(made, count, policy, reserve) == fact


def test_pcpus_shared_with_floating_vcpus_are_not_taken() -> None:
    half = HostCell(0, {1, 3}, shared={0, 2}, siblings=[{0, 1}, {2, 3}])
    assert pcpus(half, 2, PREFER) == ([1, 3], set())


@pytest.mark.parametrize(
    ("cores", "count", "policy", "reserve"),
    [
        pytest.param([{0, 1}, {1, 2}], 3, PREFER, 0, id="prefer"),
        pytest.param([{0, 1}, {1, 2}], 3, REQUIRE, 0, id="require"),
        pytest.param([{0}, {0}], 2, ISOLATE, 0, id="isolate"),
        pytest.param([{0}, {0}], 1, ISOLATE, 1, id="isolated emulator"),
    ],
)
def test_a_pcpu_of_two_cores_is_not_taken_twice(
    cores: list[set[int]], count: int, policy: ThreadPolicy, reserve: int
) -> None:
    broken = HostCell(3, {0, 1, 2}, siblings=cores)
    assert siblings.take(broken, count, policy, reserve) == Fact(
        Code.UNREADABLE, host_cell=3, detail="its sibling sets share pCPUs"
    )
