"""``Strategy.apart``: other pCPUs, the same verdicts."""

from __future__ import annotations

from hypothesis import event, given

from pinning_filter.core import siblings
from pinning_filter.core.check import problems
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import Request, ThreadPolicy
from tests.property import worlds

APART = Strategy(apart=True)


@given(worlds.questions())
def test_it_changes_nothing_but_which_pcpus(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    plain, apart = fit(host, request), fit(host, request, None, APART)
    assert bool(plain) == bool(apart)
    if not (isinstance(plain, Placement) and isinstance(apart, Placement)):
        assert plain == apart
        return
    event("other pCPUs" if plain.pinning != apart.pinning else "the same")
    assert problems(host, request, apart) == []
    for one, other in zip(plain.cells, apart.cells, strict=True):
        assert one.host_cell == other.host_cell
        assert one.page_size_kib == other.page_size_kib
        if request.thread_policy is not ThreadPolicy.PREFER:
            assert one == other


@given(worlds.questions())
def test_no_core_is_shared_while_there_are_free_ones(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    placement = fit(host, request, None, APART)
    if not isinstance(placement, Placement):
        return
    if request.thread_policy is not ThreadPolicy.PREFER:
        return
    for placed in placement.cells:
        cell = placed.host_cell
        taken = set(placed.pinning.values())
        free = [core for core in cell.siblings if core and core <= cell.free]
        on_free = [core for core in free if core & taken]
        event("cores run short" if len(on_free) == len(free) else "enough")
        assert len(on_free) == min(len(placed.pinning), len(free))
        assert len(on_free) >= _cores_of_their_own(placed, free)


def _cores_of_their_own(
    placed: CellPlacement, free: list[frozenset[int]]
) -> int:
    """On how many of the free cores Nova would put the guest cell."""
    taken = siblings.take(
        placed.host_cell, len(placed.pinning), ThreadPolicy.PREFER
    )
    assert isinstance(taken, siblings.Taken)
    return sum(not core.isdisjoint(taken.pcpus) for core in free)
