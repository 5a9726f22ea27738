"""What becomes of a question on each compute node, and why.

The engine speaks for PinningFilter; what else speaks against a node is found
beside it. Imported only when needed: Nova, which counts devices, takes
seconds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.fit import SPREAD, Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Refusal
from pinning_filter.core.remedy import Remedy, remedies
from pinning_filter.core.request import Request, ThreadPolicy
from pinning_filter.explain import devices as pci_devices
from pinning_filter.explain import engine, findings
from pinning_filter.explain.findings import Finding, Stage
from pinning_filter.explain.question import Question
from pinning_filter.fleet.capacity import free_kib

#: The filters that the engine, and the state of the service, answer for.
ANSWERED = ("PinningFilter", "NUMATopologyFilter", "ComputeFilter")


@dataclasses.dataclass(slots=True)
class Others:
    """What Nova itself says beside PinningFilter, host by host."""

    #: Host -> the other filters that refuse it.
    refused: dict[str, tuple[str, ...]] = dataclasses.field(
        default_factory=dict
    )
    #: Filter -> why it could not be asked.
    not_asked: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Hosts with an allocation candidate; None: it is not known.
    offered: set[str] | None = None


def of_file(snapshot: Snapshot) -> Others:
    """What a file cannot know: what its cloud's other filters would say."""
    covered = (*ANSWERED, findings.AGGREGATE_FILTER, findings.DEVICES_FILTER)
    return Others(
        not_asked={
            name: "the cloud is read from a file"
            for name in snapshot.filters or ()
            if name not in covered
        }
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a question on one compute node."""

    node: Node
    findings: tuple[Finding, ...] = ()  #: empty: it fits
    #: What the engine says, whether or not it is ever asked.
    answer: Placement | Refusal | None = None
    #: Changes after which it would fit, as clauses.
    remedies: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether a server could go there now."""
        return not self.findings

    @property
    def turned_away(self) -> Finding | None:
        """What keeps the request from the filter, if anything does."""
        for each in self.findings:
            if each.stage is not Stage.FILTER:
                return each
        return None


def judge(
    node: Node,
    question: Question,
    strategy: Strategy = SPREAD,
    filters: Sequence[str] | None = None,
    others: Others | None = None,
) -> Verdict:
    """Everything that speaks against a compute node, not only the first.

    :param strategy: of a node whose own is not known.
    :param filters: the scheduler's enabled filters; None: they are not known.
    :param others: what these refusals_of_nova, if they were asked.
    """
    strategy = node.strategy or strategy
    found = findings.beside(node, question, filters)
    found += pci_devices.lacking(node, question)
    found += _from_nova(node, others or Others(), found)
    request = question.request
    if request is None:
        return Verdict(node, tuple(found))
    devices = pci_devices.of(node, question)
    answer = engine.answer(node, request, devices, strategy)
    if isinstance(answer, Placement):
        return Verdict(node, tuple(found), answer)
    found += findings.of_refusal(answer)
    # Stable: else in the order of asking.
    found.sort(key=lambda finding: finding.passing)
    cures: Sequence[str] = ()
    if node.host and not node.problem and all(map(_curable, found)):
        cures = [
            cure.text
            for cure in remedies(node.host, request, strategy)
            if all(_cures(cure, node.host, request, each) for each in found)
            and fit(cure.host, cure.request, devices, strategy)
        ]
    return Verdict(node, tuple(found), answer, tuple(cures))


def _from_nova(
    node: Node, others: Others, found: Sequence[Finding]
) -> list[Finding]:
    """What Nova says, where nothing that is found says it with reasons."""
    stages = {each.stage for each in found}
    covered = {
        findings.AGGREGATE_FILTER: Stage.AGGREGATE in stages,
        findings.DEVICES_FILTER: Stage.DEVICES in stages,
    }
    refusals_of_nova = [
        Finding(Stage.OTHER_FILTER, name, f"{name} refuses the host")
        for name in others.refused.get(node.name, ())
        if not covered.get(name)
    ]
    offered = others.offered is None or node.name in others.offered
    if not offered and not stages & {
        Stage.PLACEMENT, Stage.SERVICE, Stage.ZONE
    }:
        text = "the Placement API has no allocation candidate there"
        refusals_of_nova.append(Finding(Stage.PLACEMENT, "candidates", text))
    return refusals_of_nova


def _curable(finding: Finding) -> bool:
    """Whether what helps the engine may help here, too."""
    if finding.stage is Stage.PLACEMENT:
        return finding.unit in ("PCPU", "MEMORY_MB") or _about_smt(finding)
    return finding.stage is Stage.FILTER


def _about_smt(finding: Finding) -> bool:
    return "HW_CPU_HYPERTHREADING" in finding.text


def _cures(
    cure: Remedy, host: Host, request: Request, finding: Finding
) -> bool:
    """Whether a remedy, which helps the engine, is enough for a finding."""
    if finding.stage is Stage.FILTER:
        return True
    if _about_smt(finding):
        return cure.request.thread_policy is ThreadPolicy.PREFER
    missing = (finding.needed or 0) - (finding.free or 0)
    if finding.unit == "MEMORY_MB":
        return _free_kib(cure.host) - _free_kib(host) >= missing * 1024
    freed = cure.host.free_pcpus - host.free_pcpus
    return freed + request.pcpus - cure.request.pcpus >= missing


def _free_kib(host: Host) -> float:
    return sum(map(free_kib, host.cells))
