import copy
import pickle
from typing import Any

import pytest

from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.synthetic import host


def test_free_is_dedicated_and_not_pinned() -> None:
    cell = HostCell(0, dedicated={0, 1, 2, 3}, pinned={1, 9}, shared={4})
    assert cell.free == {0, 2, 3}


@pytest.mark.parametrize(
    ("siblings", "threads"),
    [
        pytest.param([], 1, id="no cores are known"),
        pytest.param([set()], 1, id="an empty core"),
        pytest.param([{0}, {1}], 1, id="no SMT"),
        pytest.param([{0}, {1, 2}], 2, id="the largest core counts"),
        pytest.param([{0, 1, 2, 3}], 4, id="SMT 4"),
    ],
)
def test_threads(siblings: list[set[int]], threads: int) -> None:
    assert HostCell(0, {0}, siblings=siblings).threads == threads


def test_memory_free_is_negative_when_overcommitted() -> None:
    cell = HostCell(0, set(), memory_kib=100, memory_used_kib=150)
    assert cell.memory_free_kib == -50


def test_free_pages_leave_out_used_and_reserved_ones() -> None:
    pages = Pages(2048, total=10, used=3, reserved=2)
    assert pages.free_kib == 5 * 2048
    assert pages.total_kib == 10 * 2048


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda cell: pickle.loads(pickle.dumps(cell))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_cell_survives_copies(again: Any) -> None:
    cell = HostCell(3, {0, 1}, {1}, [{0, 1}], physnets=frozenset({"a"}))
    assert again(cell) == cell
    assert again(cell).free == {0}


@pytest.mark.parametrize(
    "field", ["id", "shared_used", "memory_kib", "memory_used_kib"]
)
def test_a_cell_refuses_what_is_below_zero(field: str) -> None:
    fields: dict[str, Any] = {"id": 0, "dedicated": set()}
    with pytest.raises(InvalidHost) as caught:
        HostCell(**fields | {field: -1})
    assert caught.value.problems == (f"{field} is -1, which is below 0",)


def test_a_cell_names_every_problem() -> None:
    with pytest.raises(InvalidHost) as caught:
        HostCell(0, set(), shared_used=-1, memory_kib=-2)
    assert len(caught.value.problems) == 2


def cell(number: int, dedicated: set[int], **fields: Any) -> HostCell:
    fields.setdefault("siblings", [{pcpu} for pcpu in dedicated])
    return HostCell(number, dedicated, **fields)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        pytest.param(Host(()), "it has no NUMA cell", id="no cell"),
        pytest.param(
            Host((cell(1, {0}), cell(1, {1}))),
            "its cell ids repeat: [1, 1]",
            id="two cells of one id",
        ),
        pytest.param(
            Host((cell(0, {0, 1}), cell(1, {1}))),
            "pCPU 1 is in cells 0 and 1",
            id="a pCPU in two cells",
        ),
        pytest.param(
            Host((cell(0, {0, 1, 2}, siblings=[{0, 1}, {1, 2}]),)),
            "cell 0: pCPUs [1] are in several cores",
            id="a pCPU in two cores",
        ),
        pytest.param(
            Host((cell(0, {0, 1}, siblings=[{0}]),)),
            "cell 0: pCPUs [1] are in no core",
            id="a pCPU in no core",
        ),
        pytest.param(
            Host((cell(0, {0}, pages=[Pages(4, 1), Pages(4, 2)]),)),
            "cell 0: page sizes repeat: [4, 4] KiB",
            id="a page size twice",
        ),
        pytest.param(
            Host((cell(0, {0}, pages=[Pages(0, 1)]),)),
            "cell 0: a page of 0 KiB",
            id="a page of nothing",
        ),
        pytest.param(
            Host((cell(0, {0}, pages=[Pages(4, -1)]),)),
            "cell 0: pages of 4 KiB: a count below 0",
            id="fewer pages than none",
        ),
        pytest.param(
            Host((cell(0, {0}),), cpu_ratio=0.0),
            "cpu_ratio is 0.0, which is not above 0",
            id="a CPU ratio of nothing",
        ),
        pytest.param(
            Host((cell(0, {0}),), ram_ratio=float("nan")),
            "ram_ratio is nan, which is not above 0",
            id="a RAM ratio that is no number",
        ),
    ],
)
def test_check_names_what_no_machine_can_be(wrong: Host, problem: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        wrong.check()
    assert problem in caught.value.problems


def test_check_returns_a_host_that_can_be() -> None:
    machine = host("cell:2 core:2 pu:2", used=[1])
    assert machine.check() is machine


@pytest.mark.parametrize(
    ("text", "has_threads"),
    [("cell:2 core:2", False), ("cell:1 core:1 pu:2", True)],
    ids=["without SMT", "with SMT"],
)
def test_has_threads(text: str, has_threads: bool) -> None:
    assert host(text).has_threads is has_threads
