"""The sentence that a server's fault has, out of verdicts.

As the scheduler comes to it (``scheduler.no_valid_host``): if the Placement
API offers no host, by what it knows of all; else by what the filters did, one
after the other, to the hosts that it offers. The words are those of
``fleet.summary`` in both places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.explain import findings
from pinning_filter.explain.findings import Stage
from pinning_filter.explain.question import Question
from pinning_filter.explain.verdicts import Verdict
from pinning_filter.fleet import offers, summary

#: What the Placement API decides; zones are aggregates there.
_BEFORE = (Stage.ZONE, Stage.PLACEMENT)
#: The filter that a finding of a snapshot stands for.
_FILTERS = {
    Stage.SERVICE: "ComputeFilter",
    Stage.AGGREGATE: findings.AGGREGATE_FILTER,
    Stage.DEVICES: findings.DEVICES_FILTER,
}
_DISABLED = "COMPUTE_STATUS_DISABLED"
_OURS = "PinningFilter"


def sentence(
    snapshot: Snapshot, question: Question, judged: Sequence[Verdict]
) -> str:
    """Why no host takes the server; empty where it is not known."""
    offered = [verdict for verdict in judged if _offered(verdict)]
    if offered:
        found = [
            _filtered(verdict, snapshot.filters or ()) for verdict in offered
        ]
        told = [each for each in found if each is not None]
    else:
        told = list(_unoffered(question, judged))
    return summary.sentence(question.request, told) if told else ""


def _offered(verdict: Verdict) -> bool:
    """Whether the Placement API has the host among its candidates."""
    provider = verdict.node.provider
    if provider is not None and _DISABLED in provider.traits:
        return False
    return all(each.stage not in _BEFORE for each in verdict.findings)


def _unoffered(
    question: Question, judged: Sequence[Verdict]
) -> Iterator[Refusal]:
    for verdict in judged:
        provider = verdict.node.provider
        if provider is None or _DISABLED in provider.traits:
            continue
        elsewhere = any(
            each.stage is Stage.ZONE for each in verdict.findings
        )
        offer = offers.Offer(
            provider.inventories, provider.traits, not elsewhere
        )
        refusal = offers.refusal(offer, question.resources[:1])
        if refusal is None:
            refusal = Refusal((Fact(Code.CANDIDATES),))
        yield refusal


def _filtered(
    verdict: Verdict, enabled: Sequence[str]
) -> Refusal | None:
    """What the first of the filters that refuses the host says of it."""
    refusing = {
        each.code
        if each.stage is Stage.OTHER_FILTER
        else _FILTERS.get(each.stage, _OURS)
        for each in verdict.findings
    }
    in_order = [name for name in enabled if name in refusing]
    first = (in_order or sorted(refusing, key=_OURS.__ne__) or [""])[0]
    if first == _OURS and isinstance(verdict.answer, Refusal):
        return verdict.answer
    if not first:
        return None
    return Refusal((Fact(Code.OTHER_FILTER, detail=first),))
