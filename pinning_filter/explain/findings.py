"""What speaks against a compute node besides the engine.

What a request meets before PinningFilter and beside it, services, zones,
aggregates, the Placement API and devices, read from the snapshot, in the
engine's words: something is needed, and so much of it is there.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Collection, Iterator, Sequence

from pinning_filter.cloud.snapshot import Node, Provider
from pinning_filter.core.refusal import FOR_NOW, Fact, Refusal
from pinning_filter.explain.question import Question
from pinning_filter.fleet import offers
from pinning_filter.fleet.offers import Resources


class Stage(str, enum.Enum):
    """Who turns a request away. The values are stable."""

    SERVICE = "service"  #: the compute service takes no guests
    ZONE = "zone"  #: another availability zone is asked for
    AGGREGATE = "aggregate"  #: an aggregate wants other extra specs
    PLACEMENT = "placement"  #: the Placement API offers no candidate there
    DEVICES = "devices"  #: the host has too few free PCI devices
    OTHER_FILTER = "other_filter"  #: a filter of Nova's; the code is its name
    FILTER = "filter"  #: PinningFilter


#: Nova's filter that compares aggregates with the flavor's extra specs.
AGGREGATE_FILTER = "AggregateInstanceExtraSpecsFilter"
#: Nova's filter that counts PCI devices.
DEVICES_FILTER = "PciPassthroughFilter"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One reason against a compute node."""

    stage: Stage
    #: Stable: of the filter a :class:`pinning_filter.core.refusal.Code`.
    code: str
    text: str
    needed: float | None = None
    free: float | None = None
    unit: str = ""
    host_cell: int | None = None
    guest_cell: int | None = None
    #: Whether guests that leave would cure it.
    passing: bool = False


def of_refusal(refusal: Refusal) -> list[Finding]:
    """What the engine found; passing, if room in one host cell will do."""
    passing = refusal.headline.code in FOR_NOW
    return [_of_fact(fact, passing) for fact in refusal.in_order]


def _of_fact(fact: Fact, passing: bool) -> Finding:
    return Finding(
        Stage.FILTER,
        fact.code.value,
        fact.clause,  # cells have columns of their own
        fact.needed,
        fact.free,
        fact.unit,
        fact.host_cell,
        fact.guest_cell,
        passing,
    )


def beside(
    node: Node, question: Question, filters: Collection[str] | None = None
) -> list[Finding]:
    """All that the snapshot says against a node, in the order of asking.

    :param filters: the scheduler's enabled filters; None: they are not known.
    """
    found = [
        *_service(node),
        *_zone(node, question),
        *_placement(node.provider, question.resources),
    ]
    if filters is None or AGGREGATE_FILTER in filters:
        found += _aggregates(node, question)
    return found


def _service(node: Node) -> Iterator[Finding]:
    if node.closed:
        yield Finding(Stage.SERVICE, "closed", node.closed)


def _zone(node: Node, question: Question) -> Iterator[Finding]:
    if question.zone and node.zone and question.zone != node.zone:
        yield Finding(
            Stage.ZONE,
            "zone",
            f"is in availability zone {node.zone}, not {question.zone}",
        )


#: Extra specs for aggregates alone, as Nova's own filter reads them.
_SCOPE = "aggregate_instance_extra_specs:"
#: A comparison, not a value: whether it holds is left to Nova.
_OPERATOR = re.compile(r"(<|>|=|!|s[=!<>]).* ")


def _aggregates(node: Node, question: Question) -> Iterator[Finding]:
    """Only specs within the scope: others are for whoever knows them."""
    for key, wanted in sorted(question.extra_specs.items()):
        if not key.startswith(_SCOPE):
            continue
        name = key.removeprefix(_SCOPE)
        values = {
            value.strip()
            for aggregate in node.aggregates
            for value in aggregate.metadata.get(name, "").split(",")
            if name in aggregate.metadata
        }
        if not values:
            text = f"no aggregate has {name}, the flavor wants {wanted}"
        elif wanted in values or _OPERATOR.match(wanted):
            continue
        else:
            text = (
                f"its aggregates have {name} {', '.join(sorted(values))}, "
                f"the flavor wants {wanted}"
            )
        yield Finding(Stage.AGGREGATE, "aggregate", text)


def _placement(
    provider: Provider | None, alternatives: Sequence[Resources]
) -> Sequence[Finding]:
    """Why no alternative is to be had; the reasons against the first."""
    if provider is None:
        return ()
    reasons = [
        [
            *_traits(provider, asked),
            *_resources(provider, asked),
        ]
        for asked in alternatives
    ]
    return reasons[0] if reasons and all(reasons) else ()


def _resources(provider: Provider, asked: Resources) -> Iterator[Finding]:
    """What is missing even where nothing is allocated, then what is in use."""
    found = list(offers.shortages(provider.inventories, asked))
    for kind, name, amount, there in found:
        text = _TOO_SMALL.get(kind)
        if text:
            text = text.format(room=there.room, most=there.most,
                               step=there.step)
            free = there.most if kind is offers.Kind.MOST else there.free
            yield _short(
                f"needs {amount} {name}, {text}", amount, max(0, free), name
            )
    for kind, name, amount, there in found:
        if kind is offers.Kind.FREE:
            free = max(0, there.free)
            text = f"needs {amount} {name}, {free} of {there.room} are free"
            yield dataclasses.replace(
                _short(text, amount, free, name), passing=True
            )


_TOO_SMALL = {
    offers.Kind.NONE: "has no inventory of it",
    offers.Kind.TOTAL: "has {room} in all",
    offers.Kind.MOST: "one guest may have at most {most}",
    offers.Kind.STEP: "which is not a multiple of {step}",
}


def _short(text: str, amount: int, free: int, name: str) -> Finding:
    return Finding(Stage.PLACEMENT, "resource", text, amount, free, name)


#: Traits that need more than their name to be understood.
_MEANINGS = {
    ("HW_CPU_HYPERTHREADING", True): "thread policy require needs SMT",
    ("HW_CPU_HYPERTHREADING", False): (
        "thread policy isolate needs a host without SMT"
    ),
}


def _traits(provider: Provider, asked: Resources) -> Iterator[Finding]:
    for trait in sorted(asked.required - provider.traits):
        why = _MEANINGS.get((trait, True))
        yield Finding(
            Stage.PLACEMENT,
            "trait_missing",
            f"has no trait {trait}" + (f": {why}" if why else ""),
        )
    for trait in sorted(asked.forbidden & provider.traits):
        why = _MEANINGS.get((trait, False))
        yield Finding(
            Stage.PLACEMENT,
            "trait_forbidden",
            f"has the trait {trait}" + (f": {why}" if why else ""),
        )
