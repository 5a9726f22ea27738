"""Laws of the alignment to last-level caches."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from pinning_filter.core.check import problems
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from tests.property import worlds

tights = st.builds(Strategy, pack=st.booleans(), tight=st.booleans())


@st.composite
def cached(draw: Any, most_cells: int = 4) -> Any:
    """A host whose cores share caches at random, and a request."""
    host, request = draw(worlds.questions(most_cells))
    cells = []
    for cell in host.cells:
        cores = list(cell.siblings)
        size = draw(st.integers(1, max(1, len(cores))))
        banks = [
            frozenset().union(*cores[start : start + size])
            for start in range(0, len(cores), size)
        ]
        cells.append(cell._replace(caches=banks[: draw(st.integers(0, 9))]))
    return host._replace(cells=tuple(cells)), request


def aligning(strategy: Strategy) -> Strategy:
    return Strategy(strategy.pack, strategy.tight, align_caches=True)


@given(cached(), tights)
def test_alignment_changes_nothing_but_which_pcpus(
    question: tuple[Host, Request], strategy: Strategy
) -> None:
    host, request = question
    plain = fit(host, request, None, strategy)
    aligned = fit(host, request, None, aligning(strategy))
    assert bool(plain) == bool(aligned)
    if not (isinstance(plain, Placement) and isinstance(aligned, Placement)):
        assert plain == aligned
        return
    event("other pCPUs" if plain.pinning != aligned.pinning else "the same")
    assert problems(host, request, aligned) == []
    for one, other in zip(plain.cells, aligned.cells, strict=True):
        assert one.host_cell == other.host_cell
        assert one.page_size_kib == other.page_size_kib


@given(cached(most_cells=2))
def test_without_smt_no_choice_touches_fewer_caches(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    placement = fit(host, request, None, Strategy(align_caches=True))
    if not isinstance(placement, Placement):
        return
    for placed in placement.cells:
        cell = placed.host_cell
        if cell.threads > 1 or not set().union(*cell.caches) >= cell.free:
            continue
        event("looked at")
        chosen = set(placed.pinning.values())
        assert _touched(cell, chosen) == min(
            _touched(cell, set(other))
            for other in itertools.combinations(cell.free, len(chosen))
        )


def _touched(cell: HostCell, pcpus: set[int]) -> int:
    return sum(not pcpus.isdisjoint(bank) for bank in cell.caches)
