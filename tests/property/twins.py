"""The engine's values as the objects that Nova has for the same.

Written apart from ``nova.guest_topology``, so that a slip there shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nova import objects
from nova.pci import stats, whitelist

from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.request import CpuPolicy, Request, ThreadPolicy
from tests.property.oracle import Claim

MIB = 1024

objects.register_all()


class Devices(NamedTuple):
    """Devices of a host, and which of them a guest asks for."""

    pools: Sequence[Mapping[str, Any]] = ()
    requests: Sequence[objects.InstancePCIRequest] = ()
    mapping: Mapping[str, Sequence[str]] | None = None


def topology(host: Host) -> objects.NUMATopology:
    return objects.NUMATopology(cells=[_host_cell(c) for c in host.cells])


def _host_cell(cell: HostCell) -> objects.NUMACell:
    twin = objects.NUMACell(
        id=cell.id,
        cpuset=set(cell.shared),
        pcpuset=set(cell.dedicated),
        memory=cell.memory_kib // MIB,
        cpu_usage=cell.shared_used,
        memory_usage=cell.memory_used_kib // MIB,
        pinned_cpus=set(cell.pinned),
        siblings=[set(core) for core in cell.siblings],
        mempages=[
            objects.NUMAPagesTopology(
                size_kb=pages.size_kib,
                total=pages.total,
                used=pages.used,
                reserved=pages.reserved,
            )
            for pages in cell.pages
        ],
        socket=cell.socket,
    )
    # A cell near no network may lack the field.
    if cell.physnets or cell.tunneled or cell.id % 2:
        twin.network_metadata = objects.NetworkMetadata(
            physnets=set(cell.physnets), tunneled=cell.tunneled
        )
    return twin


def instance(request: Request) -> objects.InstanceNUMATopology:
    # Nova knows two ways to say the usual.
    policy = request.cpu_policy.value
    if request.cpu_policy is CpuPolicy.SHARED and len(request.cells) % 2:
        policy = None
    threads = request.thread_policy.value
    if request.thread_policy is ThreadPolicy.PREFER and (
        len(request.cells[0].vcpus) % 2
    ):
        threads = None
    twin = objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                id=index,
                cpuset=set(cell.shared),
                pcpuset=set(cell.dedicated),
                memory=cell.memory_kib // MIB,
                pagesize=cell.page_size,
                cpu_policy=policy,
                cpu_thread_policy=threads,
            )
            for index, cell in enumerate(request.cells)
        ]
    )
    twin.emulator_threads_policy = (
        "isolate" if request.emulator_isolated else None
    )
    return twin


def limits(host: Host, request: Request) -> objects.NUMATopologyLimits | None:
    """None where the host has no ratios; then networks cannot be asked for."""
    if host.cpu_ratio is None:
        return None
    twin = objects.NUMATopologyLimits(
        cpu_allocation_ratio=host.cpu_ratio,
        ram_allocation_ratio=host.ram_ratio,
    )
    if request.physnets or request.tunneled:
        twin.network_metadata = objects.NetworkMetadata(
            physnets=set(request.physnets), tunneled=request.tunneled
        )
    return twin


def pci_stats(
    host: objects.NUMATopology, devices: Devices
) -> stats.PciDeviceStats:
    twin = stats.PciDeviceStats(host, dev_filter=whitelist.Whitelist(None))
    twin.pools = [dict(pool) for pool in devices.pools]
    return twin


def claims(fitted: objects.InstanceNUMATopology) -> list[Claim]:
    return [
        Claim(
            cell.id,
            cell.cpu_pinning or {},
            cell.cpuset_reserved or set(),
            cell.pagesize,
        )
        for cell in fitted.cells
    ]
