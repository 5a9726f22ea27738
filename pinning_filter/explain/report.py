"""What ``explain`` says in sentences, before the table of hosts.

After the verdicts. The sentence about all hosts is that of the server's
fault (``fault``); here is what is said beside it. Knows nothing of tables and
terminals.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.refusal import Refusal
from pinning_filter.core.text import one_line
from pinning_filter.explain import caveats, fault
from pinning_filter.explain.findings import Stage
from pinning_filter.explain.question import Question
from pinning_filter.explain.verdicts import Others, Verdict
from pinning_filter.fleet import summary

#: Who turns hosts away, as a sentence names it.
_STAGES = {
    Stage.SERVICE: "the state of the service",
    Stage.ZONE: "the availability zone",
    Stage.AGGREGATE: "AggregateInstanceExtraSpecsFilter",
    Stage.PLACEMENT: "the Placement API",
    Stage.DEVICES: "PciPassthroughFilter",
}


def sentences(
    snapshot: Snapshot,
    question: Question,
    judged: Sequence[Verdict],
    others: Others,
) -> Iterator[str]:
    """What was asked, and the answer in a sentence or two."""
    if question.fault:
        yield f"Nova says: {one_line(question.fault)}"
    if snapshot.taken:
        yield f"The cloud is that of {one_line(snapshot.taken)}."
    if question.request is None:
        yield (
            "The server asks for no NUMA topology: PinningFilter passes every "
            "host, and only what is beside it can refuse."
        )
    fitting = sum(verdict.fits for verdict in judged)
    if fitting:
        what = "the server"
        if question.request is not None:
            what = summary.asked(question.request)
        yield f"{fitting} of {_hosts(len(judged))} can take {what}."
    elif question.request is not None:
        if text := fault.sentence(snapshot, question, judged):
            yield text
        passed = sum(
            not isinstance(verdict.answer, Refusal) for verdict in judged
        )
        if passed:
            yield f"PinningFilter alone would pass {_hosts(passed)}."
    yield from _turned_away(judged)
    yield from _beside(snapshot, question, others)


def _turned_away(judged: Sequence[Verdict]) -> Iterator[str]:
    """Who beside PinningFilter refuses how many hosts."""
    who = collections.Counter(
        finding.code
        if finding.stage is Stage.OTHER_FILTER
        else _STAGES[finding.stage]
        for verdict in judged
        if (finding := verdict.turned_away)
    )
    if who:
        counted = ", ".join(
            f"{_hosts(number)} by {name}" for name, number in who.most_common()
        )
        yield f"Turned away elsewhere: {counted}."


def _beside(
    snapshot: Snapshot, question: Question, others: Others
) -> Iterator[str]:
    """What the answer leaves out, and where it is not Nova's."""
    if question.forced:
        yield (
            f"The server was forced to {one_line(', '.join(question.forced))}"
            ": Nova asks no filter then. All hosts are judged here."
        )
    if snapshot.filters is not None and "PinningFilter" not in (
        snapshot.filters
    ):
        yield (
            "nova.conf does not enable PinningFilter here: what it would say "
            "is told."
        )
    if text := caveats.caveat(snapshot, question.request):
        yield text
    yield from not_asked(others)


def not_asked(others: Others) -> Iterator[str]:
    """The filters that were not asked, those of one reason together."""
    names = collections.defaultdict(list)
    for name, why in others.not_asked.items():
        names[one_line(why)].append(one_line(name))
    for why, together in names.items():
        yield f"Not asked: {', '.join(together)} ({why})."


def _hosts(number: int) -> str:
    return "1 host" if number == 1 else f"{number} hosts"
