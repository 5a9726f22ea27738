"""A cloud as Nova's scheduler sees it: ``HostState`` objects that fill up.

Filters, weighs, consumes and frees as the scheduler and the resource tracker
do, by Nova's own code.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

from flavor_weigher import FlavorWeigher
from mixes import GIB, Flavor, Guest, HostShape, Mix
from nova import conf, objects
from nova.pci import stats, whitelist
from nova.scheduler import host_manager, weights
from nova.scheduler.filters import numa_topology_filter
from nova.virt import hardware

from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.fleet import defrag
from pinning_filter.fleet import hosts as core_cloud
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import guest_topology
from pinning_filter.nova import host as nova_host
from pinning_filter.scheduler.filter import PinningFilter

CONF = conf.CONF
POLICIES = ("stock", "packing", "ours", "failover", "spread", "flavors")
UUID = "6a1b1fd7-9d0b-4ab4-a1f6-9d3c0c3d0c0e"
#: Those of Nova's weighers that tell these hosts apart; the others look at
#: disks, images, groups, aggregates, failures and the like, all of them alike.
_NOVA_S = [
    f"nova.scheduler.weights.{name}"
    for name in ("ram.RAMWeigher", "cpu.CPUWeigher", "pci.PCIWeigher")
]
_OURS = "pinning_filter.scheduler.weigher.PinningWeigher"
_WEIGHERS = {
    "ours": [_OURS],
    "failover": [_OURS],
    "spread": [_OURS],
    "flavors": ["flavor_weigher.FlavorWeigher"],
}
_HUGE_KIB = 1 << 20


@dataclasses.dataclass(slots=True)
class _Inside:
    """A guest that was let in."""

    state: host_manager.HostState
    topology: objects.InstanceNUMATopology  #: as claimed
    guest: core_cloud.Guest  #: the same, as the engine sees it
    devices: list[dict[str, Any]]  #: the pools, with what was taken of each


class States:
    """The hosts of a mix, under one policy."""

    def __init__(self, mix: Mix, policy: str, stock_filter: bool) -> None:
        weigher = _WEIGHERS.get(policy, [])
        core_choice = "tight" if weigher else "nova"
        if policy == "spread":
            core_choice = policy
        CONF.set_override("core_choice", core_choice, "pinning_filter")
        CONF.set_override(
            "failover_room", policy == "failover", "pinning_filter"
        )
        FlavorWeigher.flavors = [
            (
                guest_topology.request_from_nova(
                    _request_spec(flavor).numa_topology
                ),
                flavor.weight,
            )
            for flavor in mix.flavors
        ]
        sign = -1.0 if policy == "packing" else 1.0
        for name in ("ram", "cpu"):
            CONF.set_override(
                f"{name}_weight_multiplier", sign, "filter_scheduler"
            )
        if stock_filter:
            nova_fit.uninstall()
            self._filter: Any = numa_topology_filter.NUMATopologyFilter()
        else:
            self._filter = PinningFilter()
        self._handler = weights.HostWeightHandler()
        names = [*_NOVA_S, *weigher]
        self._weighers = [
            each() for each in self._handler.get_matching_classes(names)
        ]
        self._states = [
            _state(shape, f"{shape.cells}x{shape.cores}-{number}")
            for shape in mix.hosts
            for number in range(shape.count)
        ]
        self._templates: dict[Flavor, objects.RequestSpec] = {}
        self._inside: dict[int, _Inside] = {}

    def place(self, guest: Guest) -> host_manager.HostState | None:
        """Let the guest in where the scheduler wants it; None: nowhere."""
        spec = self._spec(guest.flavor)
        for state in self._states:
            state.limits = {}
            state.allocation_candidates = [{"mappings": {}}]
        passed = list(self._filter.filter_all(self._states, spec))
        if not passed:
            return None
        weighed = self._handler.get_weighed_objects(
            self._weighers, passed, spec
        )
        chosen: host_manager.HostState = weighed[0].obj
        pools = [(pool, pool["count"]) for pool in chosen.pci_stats.pools]
        chosen.consume_from_request(spec)
        chosen.num_io_ops = 0  # built before the next one comes
        taken = _taken(pools, chosen.pci_stats.pools)
        self._inside[id(guest)] = _Inside(
            chosen,
            spec.numa_topology,
            _as_seen(str(id(guest)), chosen, spec.numa_topology, taken),
            taken,
        )
        return chosen

    def remove(self, guest: Guest) -> bool:
        """The guest goes, if it was let in at all."""
        inside = self._inside.pop(id(guest), None)
        if inside is None:
            return False
        state, flavor = inside.state, guest.flavor
        state.numa_topology = hardware.numa_usage_from_instance_numa(
            state.numa_topology, inside.topology, free=True
        )
        state.vcpus_used -= flavor.vcpus
        state.free_ram_mb += int(flavor.memory_gib * GIB)
        state.num_instances -= 1
        for taken in inside.devices:
            _give_back(state.pci_stats.pools, taken)
        return True

    def moves_for(self, guest: Guest) -> int | None:
        """Migrations that would make room for the guest; None: none found.

        Guests with devices are not moved; of these guests do not ask.
        """
        cloud = self.cloud()
        request = guest_topology.request_from_nova(
            self._spec(guest.flavor).numa_topology
        )
        plan = defrag.plan(cloud, request, 1)
        return len(plan.moves) if plan.enough else None

    def cloud(self) -> core_cloud.Cloud:
        """The hosts and the guests on them, as the engine sees them."""
        guests: dict[int, list[core_cloud.Guest]] = {
            id(state): [] for state in self._states
        }
        for inside in self._inside.values():
            guests[id(inside.state)].append(inside.guest)
        strategy = nova_fit.strategy()
        return core_cloud.Cloud(
            tuple(
                core_cloud.CloudHost(
                    state.host,
                    nova_host.host_from_nova(state.numa_topology),
                    tuple(guests[id(state)]),
                    strategy=strategy,
                )
                for state in self._states
            )
        )

    @property
    def free_pcpus(self) -> int:
        """Of all hosts."""
        return sum(
            nova_host.host_from_nova(state.numa_topology).free_pcpus
            for state in self._states
        )

    def _spec(self, flavor: Flavor) -> objects.RequestSpec:
        if flavor not in self._templates:
            self._templates[flavor] = _request_spec(flavor)
        spec = copy.copy(self._templates[flavor])
        spec.numa_topology = copy.deepcopy(spec.numa_topology)
        return spec


def _as_seen(
    name: str,
    state: host_manager.HostState,
    topology: objects.InstanceNUMATopology,
    devices: list[dict[str, Any]],
) -> core_cloud.Guest:
    """The guest as the engine sees it."""
    request = guest_topology.request_from_nova(topology)
    host = nova_host.host_from_nova(state.numa_topology)
    cells = {cell.id: cell for cell in host.cells}
    placed = (
        CellPlacement(
            asked, cells[claim.id], dict(claim.cpu_pinning), claim.pagesize
        )
        for asked, claim in zip(request.cells, topology.cells, strict=True)
    )
    return core_cloud.Guest(
        name,
        request,
        Placement(request, tuple(placed)),
        fixed="devices" if devices else "",
    )


def _taken(
    before: list[tuple[dict[str, Any], int]], after: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The pools, each with as many devices as were taken of it.

    Nova drops a pool of which it takes the last device, count and all.
    """
    left = {id(pool) for pool in after}
    return [
        {**pool, "count": count - (pool["count"] if id(pool) in left else 0)}
        for pool, count in before
        if id(pool) not in left or pool["count"] < count
    ]


def _give_back(pools: list[dict[str, Any]], taken: dict[str, Any]) -> None:
    for pool in pools:
        if pool["numa_node"] == taken["numa_node"]:
            pool["count"] += taken["count"]
            return
    pools.append(dict(taken))


def _state(shape: HostShape, name: str) -> host_manager.HostState:
    """A compute node that reports itself for the first time."""
    topology = _topology(shape)
    pcpus = shape.cells * shape.cores * shape.threads
    memory = shape.cells * shape.memory_gib * GIB
    node = objects.ComputeNode(
        uuid=UUID,
        host=name,
        hypervisor_hostname=name,
        hypervisor_type="QEMU",
        hypervisor_version=10000000,
        updated_at=None,
        vcpus=pcpus,
        vcpus_used=0,
        memory_mb=memory,
        free_ram_mb=memory,
        local_gb=100000,
        local_gb_used=0,
        free_disk_gb=100000,
        disk_available_least=None,
        cpu_info="{}",
        cpu_allocation_ratio=1.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        numa_topology=topology._to_json(),
        host_ip="192.0.2.1",
        supported_hv_specs=[],
        metrics="[]",
        pci_device_pools=objects.PciDevicePoolList(objects=[]),
        stats={"pinning_filter": "1.0"},
    )
    state = host_manager.HostState(name, name, UUID)
    state.update(
        compute=node,
        service={},
        aggregates=[],
        inst_dict={
            "instances": {},
            "updated": True,
        },
    )
    state.pci_stats = stats.PciDeviceStats(
        state.numa_topology, dev_filter=whitelist.Whitelist(None)
    )
    if shape.devices:
        state.pci_stats.pools = [
            {
                "vendor_id": "8086",
                "product_id": "154c",
                "dev_type": "type-VF",
                "numa_node": number,
                "count": shape.devices,
            }
            for number in range(shape.cells)
        ]
    return state


def _topology(shape: HostShape) -> objects.NUMATopology:
    cells = []
    for number in range(shape.cells):
        first = number * shape.cores * shape.threads
        siblings = [
            set(range(start, start + shape.threads))
            for start in range(
                first, first + shape.cores * shape.threads, shape.threads
            )
        ]
        small = (shape.memory_gib - shape.huge_gib) * GIB * 256
        cells.append(
            objects.NUMACell(
                id=number,
                cpuset=set(),
                pcpuset=set().union(*siblings),
                memory=shape.memory_gib * GIB,
                cpu_usage=0,
                memory_usage=0,
                pinned_cpus=set(),
                siblings=siblings,
                mempages=[
                    objects.NUMAPagesTopology(
                        size_kb=size, total=total, used=0, reserved=0
                    )
                    for size, total in (
                        (4, small),
                        (_HUGE_KIB, shape.huge_gib),
                    )
                ],
                network_metadata=objects.NetworkMetadata(
                    physnets=set(), tunneled=False
                ),
                socket=number,
            )
        )
    return objects.NUMATopology(cells=cells)


def _request_spec(flavor: Flavor) -> objects.RequestSpec:
    each = flavor.vcpus // flavor.cells
    cells = [
        objects.InstanceNUMACell(
            id=number,
            cpuset=set(),
            pcpuset=set(range(number * each, (number + 1) * each)),
            memory=int(flavor.memory_gib * GIB) // flavor.cells,
            pagesize=_HUGE_KIB if flavor.huge else None,
            cpu_policy="dedicated",
            cpu_thread_policy=flavor.policy,
        )
        for number in range(flavor.cells)
    ]
    requests = [
        objects.InstancePCIRequest(
            request_id="00000000-0000-0000-0000-000000000001",
            count=flavor.devices,
            spec=[{"vendor_id": "8086", "product_id": "154c"}],
            alias_name="nic",
            numa_policy="required",
        )
    ]
    return objects.RequestSpec(
        instance_uuid=UUID,
        project_id="project",
        num_instances=2,  # no host for one of one is an exception
        flavor=objects.Flavor(
            vcpus=flavor.vcpus,
            memory_mb=int(flavor.memory_gib * GIB),
            root_gb=0,
            ephemeral_gb=0,
            swap=0,
            extra_specs={
                "hw:cpu_policy": "dedicated",
                "hw:cpu_thread_policy": flavor.policy,
            },
        ),
        image=objects.ImageMeta(properties=objects.ImageMetaProps()),
        numa_topology=objects.InstanceNUMATopology(cells=cells),
        pci_requests=objects.InstancePCIRequests(
            requests=requests if flavor.devices else []
        ),
        requested_resources=[],
        scheduler_hints={},
        limits=None,
        instance_group=None,
    )
