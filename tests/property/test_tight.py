"""``Strategy.tight``: other pCPUs, the same verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Set as AbstractSet

from hypothesis import event, given
from hypothesis import strategies as st

from pinning_filter.core import tight
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Fact
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from tests.property import oracle, worlds

TIGHT = Strategy(tight=True)


@given(worlds.questions())
def test_a_placement_keeps_every_rule_and_a_refusal_means_there_is_none(
    question: tuple[Host, Request],
) -> None:
    host, request = question
    answer = fit(host, request, None, TIGHT)
    assert bool(answer) is bool(fit(host, request))
    if isinstance(answer, Placement):
        event("placed")
        claims = [
            oracle.Claim(
                cell.host_cell.id,
                cell.pinning,
                cell.reserved,
                cell.page_size_kib,
            )
            for cell in answer.cells
        ]
        assert oracle.objections(host, request, claims) == []
    else:
        event("refused")
        assert answer.facts
        assert all(fact.text for fact in answer.facts)


def whole(cell: HostCell, taken: AbstractSet[int]) -> int:
    fewest = min(cell.threads, 2)
    return sum(
        len(core) >= fewest and core <= cell.free - taken
        for core in cell.siblings
    )


@given(
    worlds.hosts(most_cells=1),
    st.integers(1, 6),
    st.sampled_from((ThreadPolicy.PREFER, ThreadPolicy.REQUIRE)),
)
def test_no_other_choice_leaves_more_whole_cores(
    host: Host, count: int, policy: ThreadPolicy
) -> None:
    cell = HostCell(*host.cells[0][:5])  # without its memory
    host = Host((cell,))
    vcpus = frozenset(range(count))
    request = Request((GuestCell(dedicated=vcpus),), thread_policy=policy)
    taken = tight.take(cell, count, policy)
    choices = [
        frozenset(pcpus)
        for pcpus in itertools.combinations(sorted(cell.free), count)
        if not oracle.objections(
            host,
            request,
            [oracle.Claim(cell.id, dict(enumerate(pcpus)), set(), None)],
        )
    ]
    if isinstance(taken, Fact):
        assert choices == []
        return
    event("placed")
    best = max(whole(cell, pcpus) for pcpus in choices)
    assert whole(cell, frozenset(taken.pcpus)) == best
