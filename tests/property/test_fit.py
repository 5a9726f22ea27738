"""``fit`` against the brute-force oracle."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import Phase, event, find, given, settings
from hypothesis import strategies as st

from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import FOR_NOW, Refusal
from pinning_filter.core.request import Request
from pinning_filter.fleet.capacity import emptied
from tests.property import oracle, worlds

strategies = st.builds(Strategy, pack=st.booleans(), tight=st.booleans())


def claims(placement: Placement) -> list[oracle.Claim]:
    return [
        oracle.Claim(
            cell.host_cell.id, cell.pinning, cell.reserved, cell.page_size_kib
        )
        for cell in placement.cells
    ]


@given(worlds.questions(), strategies)
def test_a_placement_keeps_every_rule_and_a_refusal_means_there_is_none(
    question: tuple[Host, Request], strategy: Strategy
) -> None:
    host, request = question
    answer = fit(host, request, None, strategy)
    possible = oracle.possible(host, request)
    if isinstance(answer, Placement):
        event("placed")
        assert oracle.objections(host, request, claims(answer)) == []
        assert possible
    else:
        event("refused")
        assert not possible
        assert answer.facts
        assert all(fact.text for fact in answer.facts)


@given(worlds.questions())
def test_the_same_question_has_the_same_answer(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    assert fit(host, request) == fit(host, request)


@given(worlds.questions())
def test_more_free_pcpus_never_turn_yes_into_no(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    cells = []
    for cell in host.cells:
        fields = cell._asdict()
        del fields["free"], fields["threads"]
        cells.append(HostCell(**fields | {"pinned": frozenset()}))
    emptied = Host(tuple(cells), host.cpu_ratio, host.ram_ratio)
    if fit(host, request):
        assert fit(emptied, request)


@given(worlds.questions(most_cells=2))
def test_what_time_cannot_cure_is_told_first(
    question: tuple[Host, Request],
) -> None:
    """A host cell's fact is that of the emptied one, if it refuses too."""
    host, request = question
    guest = dataclasses.replace(
        request, cells=request.cells[:1], physnets=frozenset(), tunneled=False
    )
    for cell in host.cells:
        one = Host((cell,))
        answer, later = fit(one, guest), fit(emptied(one), guest)
        if isinstance(answer, Placement):
            continue
        (fact,) = answer.facts
        event(fact.code.value)
        assert (fact.code in FOR_NOW) == bool(later)
        if isinstance(later, Refusal):
            assert fact == later.facts[0]


@pytest.mark.parametrize("wanted", [True, False], ids=["yes", "no"])
def test_the_worlds_hold_both_answers(wanted: bool) -> None:
    host, request = find(
        worlds.questions(),
        lambda pair: len(pair[1].cells) > 1 and bool(fit(*pair)) is wanted,
        settings=settings(phases=[Phase.generate]),
    )
    assert bool(fit(host, request)) is wanted
