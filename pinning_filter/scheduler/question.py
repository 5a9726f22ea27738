"""What one request asks of hosts, read once for all of them.

Between ``PinningFilter``, which goes through the hosts, and the engine.
Extra specs and image properties were parsed by Nova. Decides nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from nova import objects
from nova.objects import fields

from pinning_filter.core.fit import Strategy
from pinning_filter.core.request import Request
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import guest_topology
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler import answers


class Terms(NamedTuple):
    """What a question means on all hosts of the same ratios that say alike."""

    request: Request
    #: What the claim on the compute node will be held to. Hosts share one
    #: object, which nobody changes.
    limits: objects.NUMATopologyLimits
    node_stats: nova_stats.NodeStats  #: what the hosts say of themselves
    stock: bool  #: whether their claims are plain Nova's
    strategy: Strategy  #: what their claims prefer
    #: The same object whenever the same is asked on the same terms, in this
    #: request or in another; None: not to be compared.
    asked: object | None


@dataclasses.dataclass(slots=True)
class Question:
    """One request: read once, asked of each host."""

    request: Request | None  #: None: the guest asks for no NUMA topology
    needs_threads: bool  #: dedicated and require: the host must have SMT
    pci_requests: Sequence[objects.InstancePCIRequest]
    network_metadata: objects.NetworkMetadata | None
    topology: objects.InstanceNUMATopology | None  #: what request was read of
    instance_uuid: str | None
    kept: answers.Answers | None  #: placements found, for the weigher
    _terms: dict[object, Terms] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, spec_obj: objects.RequestSpec) -> Question:
        network_metadata = _given(spec_obj, "network_metadata")
        topology = _given(spec_obj, "numa_topology")
        pci_requests = _given(spec_obj, "pci_requests")
        return cls(
            guest_topology.request_from_nova(topology, network_metadata)
            if topology
            else None,
            _needs_threads(spec_obj),
            pci_requests.requests if pci_requests else (),
            network_metadata,
            topology,
            _given(spec_obj, "instance_uuid"),
            answers.of_request(spec_obj) if answers.enabled() else None,
        )

    def terms(self, host_state: Any) -> Terms:
        """The terms on which one host is asked, if there is a request."""
        stats = getattr(host_state, "stats", None)
        cpu_ratio = host_state.cpu_allocation_ratio
        ram_ratio = host_state.ram_allocation_ratio
        key = (nova_stats.fingerprint(stats), cpu_ratio, ram_ratio)
        terms = self._terms.get(key)
        if terms is None:
            assert self.request is not None
            node_stats = nova_stats.read(stats)
            limits = objects.NUMATopologyLimits(
                cpu_allocation_ratio=cpu_ratio, ram_allocation_ratio=ram_ratio
            )
            if self.network_metadata:
                limits.network_metadata = self.network_metadata
            strategy = nova_fit.strategy(node_stats)
            asked = None
            if not self.pci_requests:
                asked = _asked(self.request, self.needs_threads, key, strategy)
            # No stats at all: not from a compute node's record.
            stock = node_stats.version is None and stats is not None
            terms = self._terms[key] = Terms(
                self.request, limits, node_stats, stock, strategy, asked
            )
        return terms


@functools.lru_cache(maxsize=1024)
def _asked(*what: object) -> object:
    """One object for all who ask the same, so that it is compared at once."""
    return object()


def _given(spec_obj: objects.RequestSpec, field: str) -> Any:
    """A field of the request, None where it was not set."""
    return getattr(spec_obj, field) if field in spec_obj else None


def _needs_threads(spec_obj: objects.RequestSpec) -> bool:
    """Nova's own reading of flavor and image, conflicts and all."""
    extra_specs = spec_obj.flavor.extra_specs
    image = spec_obj.image.properties if spec_obj.image else {}
    dedicated = fields.CPUAllocationPolicy.DEDICATED
    require = fields.CPUThreadAllocationPolicy.REQUIRE
    return require in (
        extra_specs.get("hw:cpu_thread_policy"),
        image.get("hw_cpu_thread_policy"),
    ) and dedicated in (
        extra_specs.get("hw:cpu_policy"),
        image.get("hw_cpu_policy"),
    )
