"""What becomes of a question on each compute node, and why.

The engine speaks for what the filter sees. What a request meets before that,
services, zones, aggregates and the Placement API, is read from the snapshot
here, in the same words: something is needed, and so much of it is there.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Callable, Iterator, Sequence

from pinning_filter.cli.question import Question, Resources
from pinning_filter.cli.snapshot import Node, Provider
from pinning_filter.core.fit import SPREAD, Devices, Strategy, fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.remedy import remedies
from pinning_filter.core.request import CpuPolicy, Request, ThreadPolicy


class Stage(str, enum.Enum):
    """Who turns a request away. The values are stable."""

    SERVICE = "service"  #: the compute service takes no guests
    ZONE = "zone"  #: another availability zone is asked for
    AGGREGATE = "aggregate"  #: an aggregate wants other extra specs
    PLACEMENT = "placement"  #: the Placement API offers no candidate there
    FILTER = "filter"  #: PinningFilter


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One reason against a compute node."""

    stage: Stage
    code: str  #: stable: a :class:`Code`, or for other stages see below
    text: str
    needed: float | None = None
    free: float | None = None
    unit: str = ""
    host_cell: int | None = None
    guest_cell: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a question on one compute node."""

    node: Node
    findings: tuple[Finding, ...] = ()  #: empty: it fits
    #: What the engine says, whether or not it is ever asked.
    answer: Placement | Refusal | None = None
    #: Changes after which the engine would accept, as clauses.
    remedies: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether a server could go there now."""
        return not self.findings

    @property
    def reaches_filter(self) -> bool:
        """Whether the filter is asked at all."""
        return all(each.stage is Stage.FILTER for each in self.findings)


#: From a node to its devices, for questions that ask for some.
FindDevices = Callable[[Node, Question], Devices | None]


def judge(
    node: Node,
    question: Question,
    strategy: Strategy = SPREAD,
    devices: FindDevices | None = None,
) -> Verdict:
    """Everything that speaks against a compute node, not only the first."""
    findings = [
        *_service(node),
        *_zone(node, question),
        *_aggregates(node, question),
        *_placement(node.provider, question.resources),
    ]
    request = question.request
    if request is None:
        return Verdict(node, tuple(findings))
    found = devices(node, question) if devices else None
    answer: Placement | Refusal
    if node.problem:
        answer = Refusal((Fact(Code.UNREADABLE, detail=node.problem),))
    elif node.host is None:
        answer = Refusal((Fact(Code.NO_TOPOLOGY),))
    elif _needs_threads(request) and not node.host.has_threads:
        # What the filter asks first, too.
        answer = Refusal((Fact(Code.NO_SMT, 2, 1, "threads a core"),))
    else:
        answer = fit(node.host, request, found, strategy)
    if isinstance(answer, Placement):
        return Verdict(node, tuple(findings), answer)
    findings += [_finding(fact) for fact in answer.facts]
    cures: Sequence[str] = ()
    if node.host is not None and not node.problem:
        cures = [
            cure.text
            for cure in remedies(node.host, request, strategy)
            if found is None or fit(cure.host, cure.request, found, strategy)
        ]
    return Verdict(node, tuple(findings), answer, tuple(cures))


def _needs_threads(request: Request) -> bool:
    return (
        request.cpu_policy is CpuPolicy.DEDICATED
        and request.thread_policy is ThreadPolicy.REQUIRE
    )


def _finding(fact: Fact) -> Finding:
    return Finding(
        Stage.FILTER,
        fact.code.value,
        # The host cell has a column of its own.
        fact._replace(host_cell=None, guest_cell=None).text,
        fact.needed or None,
        fact.free if fact.needed else None,
        fact.unit,
        fact.host_cell,
        fact.guest_cell,
    )


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
        [*_missing(provider, asked), *_traits(provider, asked)]
        for asked in alternatives
    ]
    return reasons[0] if reasons and all(reasons) else ()


def _missing(provider: Provider, asked: Resources) -> Iterator[Finding]:
    for name, amount in sorted(asked.amounts.items()):
        inventory = provider.inventories.get(name)
        if inventory is None:
            # Disks and devices may be those of other providers.
            if name in _ALWAYS_THERE:
                text = f"needs {amount} {name}, has no inventory of it"
                yield _short(text, amount, 0, name)
            continue
        free = max(0, inventory.free)
        if amount > free:
            room = int(
                (inventory.total - inventory.reserved) * inventory.ratio
            )
            text = f"needs {amount} {name}, {free} of {room} are free"
            yield _short(text, amount, free, name)
        elif amount > inventory.most:
            text = f"needs {amount} {name}, one guest may have "
            text += str(inventory.most)
            yield _short(text, amount, inventory.most, name)
        elif amount % inventory.step:
            text = f"{amount} {name} are no multiple of {inventory.step}"
            yield _short(text, amount, free, name)


_ALWAYS_THERE = ("PCPU", "VCPU", "MEMORY_MB")


def _short(text: str, amount: int, free: int, name: str) -> Finding:
    return Finding(Stage.PLACEMENT, "resource", text, amount, free, name)


#: Traits that need more than their name to be understood.
_MEANINGS = {
    ("HW_CPU_HYPERTHREADING", True): "thread policy require needs SMT",
    ("HW_CPU_HYPERTHREADING", False): "thread policy isolate needs no SMT",
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
