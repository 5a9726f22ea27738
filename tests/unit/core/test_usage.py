"""A host with a guest more, or a guest less."""

import pytest

from pinning_filter.core import usage
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)

GIB = 1 << 20
CORES = [{0, 1}, {2, 3}]


def a_host(shared: frozenset[int] = frozenset()) -> Host:
    return Host(
        tuple(
            HostCell(
                number,
                dedicated=pcpus,
                pinned=pcpus & {3},
                siblings=[{p + 4 * number for p in core} for core in CORES],
                shared=pcpus & shared,
                shared_used=1,
                memory_kib=8 * GIB,
                memory_used_kib=1 * GIB,
                pages=(Pages(4, 1 << 20, 1 << 18), Pages(GIB, 4, 1)),
            )
            for number, pcpus in ((0, {0, 1, 2, 3}), (1, {4, 5, 6, 7}))
        )
    )


def placed(host: Host, request: Request) -> Placement:
    answer = fit(host, request)
    assert isinstance(answer, Placement), answer.text
    return answer


def pinned(host: Host) -> list[set[int]]:
    return [set(cell.pinned) for cell in host.cells]


TWO = GuestCell(frozenset({0, 1}), memory_kib=2 * GIB)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            Request((TWO,)), [{3}, {4, 5}], id="vCPUs take their pCPUs"
        ),
        pytest.param(
            Request((TWO,), emulator_isolated=True),
            [{3}, {4, 5, 6}],
            id="emulator threads take one more",
        ),
        pytest.param(
            Request((TWO, GuestCell(frozenset({2}), memory_kib=GIB))),
            [{0, 1, 3}, {4}],
            id="each guest cell takes from its own host cell",
        ),
    ],
)
def test_pcpus_are_taken(request_: Request, expected: list[set[int]]) -> None:
    host = a_host()
    assert pinned(usage.add(host, placed(host, request_))) == expected


def test_isolate_takes_the_siblings_too() -> None:
    host = a_host(shared=frozenset(range(8)))
    request = Request((TWO,), thread_policy=ThreadPolicy.ISOLATE)
    more = usage.add(host, placed(host, request))
    assert pinned(more) == [{3}, {4, 5, 6, 7}]
    assert more.cells[1].free == set()


def test_memory_is_taken_in_the_smallest_pages_where_none_are_asked() -> None:
    host = a_host()
    cell = usage.add(host, placed(host, Request((TWO,)))).cells[1]
    assert cell.memory_used_kib == 3 * GIB
    assert [pages.used for pages in cell.pages] == [(1 << 18) + (1 << 19), 1]


def test_memory_is_taken_in_the_pages_that_were_chosen() -> None:
    host = a_host()
    asked = GuestCell(frozenset({0}), memory_kib=2 * GIB, page_size=-2)
    cell = usage.add(host, placed(host, Request((asked,)))).cells[1]
    assert cell.memory_used_kib == 3 * GIB
    assert [pages.used for pages in cell.pages] == [1 << 18, 3]


def test_floating_vcpus_are_counted() -> None:
    host = a_host(shared=frozenset(range(8)))
    asked = GuestCell(frozenset({0}), frozenset({1, 2}))
    more = usage.add(host, placed(host, Request((asked,), CpuPolicy.MIXED)))
    assert [cell.shared_used for cell in more.cells] == [1, 3]


def test_a_guest_less_is_the_host_before() -> None:
    host = a_host(shared=frozenset(range(8)))
    asked = GuestCell(frozenset({0}), frozenset({1, 2}), 2 * GIB)
    placement = placed(host, Request((asked,), CpuPolicy.MIXED))
    assert usage.remove(usage.add(host, placement), placement) == host


def test_books_that_lost_the_guest_do_not_go_below_zero() -> None:
    asked = GuestCell(frozenset({0, 1}), memory_kib=7 * GIB)
    cell = HostCell(0, dedicated={0, 1}, siblings=[{0, 1}], memory_kib=8 * GIB)
    empty = Host((cell,))
    assert usage.remove(empty, placed(empty, Request((asked,)))) == empty
