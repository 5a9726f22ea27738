"""The one seam into Nova: its fit, with its signature, decided by our engine.

Nova looks ``nova.virt.hardware.numa_fit_instance_to_host`` up as an attribute
wherever it fits: the scheduler when it consumes what it chose, the claims on
the compute node, the moves. :func:`install` replaces that attribute, so that
all of them follow :func:`pinning_filter.core.fit.fit`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from nova import conf, objects
from nova.pci import stats
from nova.virt import hardware
from oslo_log import log as logging

from pinning_filter import opts
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.nova import guest_topology, releases
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import pci as nova_pci
from pinning_filter.nova import stats as nova_stats

LOG = logging.getLogger(__name__)

opts.register(conf.CONF)

#: Nova's own function, whatever is installed in its place.
stock_fit = hardware.numa_fit_instance_to_host


def strategy(node_stats: nova_stats.NodeStats | None = None) -> Strategy:
    """The preferences that ``nova.conf`` asks for, on one host.

    :param node_stats: what the host says: plain Nova there prefers what it
        always does; caches are aligned, and near host cells preferred, where
        the host does so. None: it was not asked.
    """
    compute = conf.CONF.compute
    pack = compute.packing_host_numa_cells_allocation_strategy
    if node_stats is not None and not node_stats.ours:
        return Strategy(pack=pack)
    core_choice = conf.CONF.pinning_filter.core_choice
    return Strategy(
        pack=pack,
        tight=core_choice == "tight",
        apart=core_choice == "spread",
        align_caches=node_stats is not None and node_stats.aligns,
        near_cells=node_stats is not None and node_stats.nears,
    )


def numa_fit_instance_to_host(
    host_topology: objects.NUMATopology | None,
    instance_topology: objects.InstanceNUMATopology | None,
    provider_mapping: nova_pci.ProviderMapping | None,
    limits: objects.NUMATopologyLimits | None = None,
    pci_requests: Sequence[objects.InstancePCIRequest] | None = None,
    pci_stats: stats.PciDeviceStats | None = None,
) -> objects.InstanceNUMATopology | None:
    """Fit a guest's NUMA topology onto a host's, as Nova's function does.

    :param provider_mapping: resource providers by request group, or None if
        the PCI requests carry them (on the compute node).
    :param limits: allocation ratios and the networks asked for.
    :returns: a new topology with host cell ids, pinning, reserved pCPUs and
        page sizes; None if the guest does not fit, or if what was handed in
        cannot be read, which is logged. Never raises: Nova would fail every
        server of the request. The arguments are never changed.
    """
    if not (host_topology and instance_topology):
        return None
    try:
        answer = _fit(
            host_topology,
            instance_topology,
            provider_mapping,
            limits,
            pci_requests,
            pci_stats,
        )
    except Exception:
        LOG.exception("A NUMA topology could not be read, and is refused")
        return None
    if isinstance(answer, Refusal):
        LOG.info("The guest's NUMA topology does not fit: %s", answer.text)
        return None
    return answer


def _fit(
    host_topology: objects.NUMATopology,
    instance_topology: objects.InstanceNUMATopology,
    provider_mapping: nova_pci.ProviderMapping | None,
    limits: objects.NUMATopologyLimits | None,
    pci_requests: Sequence[objects.InstancePCIRequest] | None,
    pci_stats: stats.PciDeviceStats | None,
) -> objects.InstanceNUMATopology | Refusal:
    network_metadata = cpu_ratio = ram_ratio = None
    if limits:
        cpu_ratio = limits.cpu_allocation_ratio
        ram_ratio = limits.ram_allocation_ratio
        if "network_metadata" in limits:
            network_metadata = limits.network_metadata
    node_stats = nova_stats.current()
    stock = node_stats is not None and not node_stats.ours
    if stock and len(instance_topology) > 1:
        return _nova_s(
            host_topology,
            instance_topology,
            provider_mapping,
            limits,
            pci_requests,
            pci_stats,
        )
    request = guest_topology.request_from_nova(
        instance_topology, network_metadata
    )
    host = nova_host.host_from_nova(
        host_topology, cpu_ratio, ram_ratio, networks=request.networks
    )
    placement = fit(
        host if node_stats is None else node_stats.with_layout(host),
        request,
        devices(pci_stats, pci_requests, provider_mapping),
        strategy(node_stats),
    )
    if isinstance(placement, Refusal):
        return placement
    return guest_topology.instance_topology(placement, instance_topology)


def _nova_s(
    host_topology: objects.NUMATopology,
    instance_topology: objects.InstanceNUMATopology,
    *args: Any,
) -> objects.InstanceNUMATopology | Refusal:
    """Nova's own answer, on a host whose claim will be Nova's.

    The filter has let such a host pass only if that answer is right.
    """
    asked = guest_topology.unfitted(instance_topology)
    fitted = stock_fit(host_topology, asked, *args)
    if fitted is None:
        return Refusal((Fact(Code.STOCK_CLAIM, detail="is a refusal"),))
    return guest_topology.remembering(fitted, instance_topology)


def claimed_stats(
    pci_stats: stats.PciDeviceStats | None,
    pci_requests: Sequence[objects.InstancePCIRequest] | None,
) -> stats.PciDeviceStats | None:
    """The devices that the claim on the compute node will hand the fit.

    For whoever predicts it: a prediction has to start from no others.
    """
    if pci_requests or releases.claims_count_devices():
        return pci_stats
    return None


def devices(
    pci_stats: stats.PciDeviceStats | None,
    pci_requests: Sequence[objects.InstancePCIRequest] | None,
    provider_mapping: nova_pci.ProviderMapping | None,
    reorder: bool = True,
) -> nova_pci.NovaDevices | None:
    """The host's devices, or None where they make no difference.

    :param reorder: as of :class:`~pinning_filter.nova.pci.NovaDevices`; not
        where plain Nova will hand them out.
    """
    if not pci_stats or not (pci_requests or pci_stats.pools):
        return None
    return nova_pci.NovaDevices(
        pci_stats, pci_requests, provider_mapping, reorder
    )


def install() -> None:
    """Put our fit in the place of Nova's, for this whole process.

    Devices follow: where they suffice only with the strictest request served
    first, Nova hands them out in that order. Calling this again is harmless.
    """
    if hardware.numa_fit_instance_to_host is numa_fit_instance_to_host:
        return
    hardware.numa_fit_instance_to_host = numa_fit_instance_to_host
    for name, wrap in _DEVICE_METHODS.items():
        _kept[name] = getattr(stats.PciDeviceStats, name)
        setattr(stats.PciDeviceStats, name, wrap(_kept[name]))


def uninstall() -> None:
    """Put Nova's own functions back."""
    if hardware.numa_fit_instance_to_host is not numa_fit_instance_to_host:
        return
    hardware.numa_fit_instance_to_host = stock_fit
    for name in _DEVICE_METHODS:
        setattr(stats.PciDeviceStats, name, _kept.pop(name))


def _applying(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply_requests(
        self: Any, requests: Any, provider_mapping: Any, numa_cells: Any = None
    ) -> Any:
        if not isinstance(self, nova_pci.LightStats):
            requests = nova_pci.serving_order(
                self, requests, provider_mapping, numa_cells
            )
        return original(self, requests, provider_mapping, numa_cells)

    return apply_requests


def _consuming(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def consume_requests(
        self: Any, pci_requests: Any, numa_cells: Any = None
    ) -> Any:
        requests = nova_pci.serving_order(self, pci_requests, None, numa_cells)
        return original(self, requests, numa_cells)

    return consume_requests


_DEVICE_METHODS = {
    "apply_requests": _applying,
    "consume_requests": _consuming,
}
_kept: dict[str, Callable[..., Any]] = {}
