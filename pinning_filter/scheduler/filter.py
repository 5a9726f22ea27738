"""``PinningFilter``: which hosts a pinned guest fits, in place of Nova's
``NUMATopologyFilter``.

Turns what the scheduler hands over (a ``RequestSpec``, ``HostState`` objects)
into a question for :func:`pinning_filter.core.fit.fit`, and the answer into a
verdict on the host and on its allocation candidates. The rules are not here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from nova import conf, objects
from nova.objects import fields
from nova.scheduler import filters
from nova.scheduler import utils as scheduler_utils
from oslo_log import log as logging

from pinning_filter import (
    nova_fit,
    nova_objects,
    nova_pci,
    nova_stats,
    opts,
)
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import Request
from pinning_filter.scheduler import answers, mixed, telling

LOG = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class _Question:
    """What one request asks of every host: read once, asked of each."""

    request: Request | None  #: None: the guest asks for no NUMA topology
    needs_threads: bool  #: dedicated and require: the host must have SMT
    pci_requests: Sequence[objects.InstancePCIRequest]
    network_metadata: objects.NetworkMetadata | None
    topology: objects.InstanceNUMATopology | None  #: what request was read of
    instance_uuid: str | None
    kept: answers.Answers | None  #: placements found, for the weigher
    #: What hosts say of themselves, and what that makes their claims prefer:
    #: most say the same.
    told: dict[object, tuple[nova_stats.Told, Strategy]] = dataclasses.field(
        default_factory=dict
    )
    #: Hosts of the same ratios share one object, which nobody changes.
    limits: dict[tuple[float, float], objects.NUMATopologyLimits] = (
        dataclasses.field(default_factory=dict)
    )

    @classmethod
    def of(cls, spec_obj: objects.RequestSpec) -> _Question:
        network_metadata = _given(spec_obj, "network_metadata")
        topology = _given(spec_obj, "numa_topology")
        pci_requests = _given(spec_obj, "pci_requests")
        return cls(
            nova_objects.request_from_nova(topology, network_metadata)
            if topology
            else None,
            _needs_threads(spec_obj),
            pci_requests.requests if pci_requests else (),
            network_metadata,
            topology,
            _given(spec_obj, "instance_uuid"),
            answers.kept_with(spec_obj) if answers.wanted() else None,
        )

    def told_by(
        self, stats: Mapping[str, str | None] | None
    ) -> tuple[nova_stats.Told, Strategy]:
        """What a host says, and what the claim there will prefer."""
        key = nova_stats.said(stats)
        known = self.told.get(key)
        if known is None:
            told = nova_stats.read(stats)
            known = self.told[key] = (told, nova_fit.strategy(told))
        return known

    def limits_for(
        self, cpu_ratio: float, ram_ratio: float
    ) -> objects.NUMATopologyLimits:
        """What the claim on the compute node will be held to."""
        key = (cpu_ratio, ram_ratio)
        limits = self.limits.get(key)
        if limits is None:
            limits = objects.NUMATopologyLimits(
                cpu_allocation_ratio=cpu_ratio, ram_allocation_ratio=ram_ratio
            )
            if self.network_metadata:
                limits.network_metadata = self.network_metadata
            self.limits[key] = limits
        return limits


class PinningFilter(filters.BaseHostFilter, filters.CandidateFilterMixin):
    """Pass the hosts whose NUMA cells and cores can take the guest."""

    # Nova's API refuses a rebuild that would change the NUMA topology.
    RUN_ON_REBUILD = False

    def __init__(self) -> None:
        super().__init__()
        nova_fit.install()
        mixed.install()
        opts.register(conf.CONF)
        #: Hosts that could not be read, with the cause that was logged.
        self._unreadable: dict[str, str] = {}

    def filter_all(
        self, filter_obj_list: Iterable[Any], spec_obj: objects.RequestSpec
    ) -> Iterator[Any]:
        """Yield the hosts that pass; the request is read once for all.

        :raises nova.exception.NoValidHost: after the last host, if all were
            refused, to tell whoever asked for one server why.
        """
        if scheduler_utils.request_is_rebuild(spec_obj):
            yield from filter_obj_list
            return
        question = self._question(spec_obj)
        if question is None:
            return
        refusals: list[Refusal] = []
        passed = False
        for host_state in filter_obj_list:
            answer = self._verdict(host_state, question)
            if isinstance(answer, Refusal):
                refusals.append(answer)
            else:
                passed = True
                yield host_state
        if refusals and not passed:
            telling.refused(spec_obj, question.request, refusals)

    def host_passes(
        self, host_state: Any, spec_obj: objects.RequestSpec
    ) -> bool:
        """Whether one host passes. Never raises."""
        question = self._question(spec_obj)
        return question is not None and not isinstance(
            self._verdict(host_state, question), Refusal
        )

    def _question(self, spec_obj: objects.RequestSpec) -> _Question | None:
        try:
            return _Question.of(spec_obj)
        except Exception:
            LOG.exception(
                "A request could not be read, and is refused on every host"
            )
            return None

    def _verdict(
        self, host_state: Any, question: _Question
    ) -> Placement | Refusal | None:
        """As :meth:`_answer`, and a host that cannot be read is refused."""
        try:
            answer = self._answer(host_state, question)
        except Exception as error:
            host_state.allocation_candidates = []
            self._warn(host_state, error)
            answer = Refusal((Fact(Code.UNREADABLE),))
        if answer is not None and LOG.isEnabledFor(logging.DEBUG):
            telling.verdict(host_state, question.instance_uuid, answer)
        return answer

    def _answer(
        self, host_state: Any, question: _Question
    ) -> Placement | Refusal | None:
        """The placement on a host, or why not; None: nothing was asked."""
        topology = host_state.numa_topology
        if question.needs_threads and topology and not topology.has_threads:
            return Refusal((Fact(Code.NO_SMT, 2, 1, "threads a core"),))
        if question.request is None:
            return None
        if topology is None:
            return Refusal((Fact(Code.NO_TOPOLOGY),))
        limits = question.limits_for(
            host_state.cpu_allocation_ratio, host_state.ram_allocation_ratio
        )
        host = nova_objects.host_from_nova(
            topology,
            host_state.cpu_allocation_ratio,
            host_state.ram_allocation_ratio,
            networks=question.network_metadata is not None,
            countable=True,
        )
        answer = _fit_candidates(host_state, host, question, limits)
        if answer:
            host_state.limits["numa_topology"] = limits
            if question.kept is not None:
                kept = answers.Answer(topology, host, answer)
                question.kept[id(host_state)] = kept
        return answer

    def _warn(self, host_state: Any, error: Exception) -> None:
        name = str(getattr(host_state, "host", "?"))
        cause = f"{type(error).__name__}: {error}"
        if self._unreadable.get(name) == cause:
            return
        self._unreadable[name] = cause
        LOG.warning(
            "Host %(host)s is refused for guests with a NUMA topology: it "
            "cannot be read. %(cause)s",
            {"host": name, "cause": cause},
            exc_info=not isinstance(error, InvalidHost),
        )


def _given(spec_obj: objects.RequestSpec, field: str) -> Any:
    """A field of the request, None where it was not set."""
    return getattr(spec_obj, field) if field in spec_obj else None


def _needs_threads(spec_obj: objects.RequestSpec) -> bool:
    """Nova's own reading of flavor and image, conflicts and all."""
    extra_specs = spec_obj.flavor.extra_specs
    image = spec_obj.image.properties
    dedicated = fields.CPUAllocationPolicy.DEDICATED
    require = fields.CPUThreadAllocationPolicy.REQUIRE
    return require in (
        extra_specs.get("hw:cpu_thread_policy"),
        image.get("hw_cpu_thread_policy"),
    ) and dedicated in (
        extra_specs.get("hw:cpu_policy"),
        image.get("hw_cpu_policy"),
    )


def _fit_candidates(
    host_state: Any,
    host: Host,
    question: _Question,
    limits: objects.NUMATopologyLimits,
) -> Placement | Refusal:
    """Fit each allocation candidate, and leave those that do.

    Candidates differ, for the fit, only in the devices that they name; one
    answer serves all that name alike ones.
    """
    candidates = host_state.allocation_candidates
    mappings = [candidate["mappings"] for candidate in candidates]
    if not mappings:
        return Refusal((Fact(Code.CANDIDATES),))
    pci_stats = host_state.pci_stats
    pci_requests = question.pci_requests
    if not (pci_requests and pci_stats):
        answer = _fit(host_state, host, question, limits, None)
        host_state.allocation_candidates = candidates if answer else []
        return answer
    providers = nova_pci.Providers(pci_stats, pci_requests)
    keys = [providers.asks(mapping) for mapping in mappings]
    found: dict[object, Placement | Refusal] = {}
    for key, mapping in zip(keys, mappings, strict=True):
        if key not in found:
            found[key] = _fit(host_state, host, question, limits, mapping)
    host_state.allocation_candidates = [
        candidate
        for candidate, key in zip(candidates, keys, strict=True)
        if found[key]
    ]
    # A placement is true, a refusal is not: the first of the one, else any.
    return max(found.values(), key=bool, default=Refusal(()))


def _fit(
    host_state: Any,
    host: Host,
    question: _Question,
    limits: objects.NUMATopologyLimits,
    mapping: nova_pci.ProviderMapping | None,
) -> Placement | Refusal:
    """The answer to which the claim on the compute node will come, too."""
    stats = getattr(host_state, "stats", None)
    told, strategy = question.told_by(stats)
    pci_stats, pci_requests = host_state.pci_stats, question.pci_requests
    devices = nova_fit.devices(pci_stats, pci_requests, mapping)
    request = question.request
    if told.caches:
        host = told.told_of(host)
    if (
        told.version is not None
        or stats is None  # not from a compute node's record
        or (devices is None and len(request.cells) == 1)  # the same on both
    ):
        return fit(host, request, devices, strategy)

    def nova_s(asked: Any) -> objects.InstanceNUMATopology | None:
        return nova_fit.stock_fit(
            host_state.numa_topology,
            asked,
            mapping,
            limits,
            pci_requests,
            nova_pci.light(pci_stats),
        )

    return mixed.fit_stock(
        host, request, devices, strategy, question.topology, nova_s
    )
