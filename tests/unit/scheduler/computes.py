"""Compute nodes as the database has them, and a scheduler that reads them.

Nova's own ``SchedulerManager`` and ``HostState``, every request making new
states out of the records; stubs are the databases and the Placement API.
"""

import copy
import threading
import uuid

from nova import conf, context, objects
from nova.scheduler import host_manager, manager

from pinning_filter.core import synthetic
from tests.property import twins
from tests.unit.scheduler import test_filter as filters

FILTER = "pinning_filter.scheduler.filter.PinningFilter"
WEIGHER = "pinning_filter.scheduler.weigher.PinningWeigher"


def compute(name, line="cell:2 core:4 pu:2", used=frozenset()):
    """The record of a compute node that runs our driver."""
    topology = twins.topology(synthetic.host(line, used))
    return objects.ComputeNode(
        uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
        host=name,
        hypervisor_hostname=name,
        hypervisor_type="QEMU",
        hypervisor_version=1,
        vcpus=16,
        vcpus_used=0,
        memory_mb=1 << 20,
        memory_mb_used=0,
        free_ram_mb=1 << 20,
        local_gb=100,
        local_gb_used=0,
        free_disk_gb=100,
        disk_available_least=100,
        cpu_info="{}",
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        numa_topology=topology._to_json(),
        pci_device_pools=objects.PciDevicePoolList(objects=[]),
        supported_hv_specs=[],
        metrics="[]",
        host_ip="192.0.2.1",
        stats={"pinning_filter": "1.0"},
        updated_at=None,
    )


def state(node):
    """A host state, as the scheduler makes one for a request."""
    made = host_manager.HostState(
        node.host, node.hypervisor_hostname, filters.UUID
    )
    made.update(node, {}, [], {})
    return made


class Placement:
    """Offers each host once, and lets everything be claimed."""

    def __init__(self, nodes):
        self._nodes = nodes
        self._lock = threading.Lock()
        self.claimed = []

    def get_allocation_candidates(self, *args):
        requests = [
            {
                "allocations": {node.uuid: {"resources": {"PCPU": 1}}},
                "mappings": {"": [node.uuid]},
            }
            for node in self._nodes
        ]
        return copy.deepcopy(requests), {
            node.uuid: {} for node in self._nodes
        }, "1.36"

    def delete_allocation_for_instance(self, admin, consumer, *args, **kw):
        with self._lock:
            self.claimed.remove(consumer)

    def claim_resources(self, admin, consumer, *args, **kwargs):
        with self._lock:
            self.claimed.append(consumer)
        return True


class _Notifier:
    def info(self, *args):
        """Nobody listens."""


def scheduler(nodes, monkeypatch, *others):
    """A manager with our filter and weigher over these records.

    :param others: other filters, as ``module.Class``; they are asked first.
    """
    nothing = lambda *args, **kwargs: None  # noqa: E731
    for name in ("_init_instance_info", "_init_aggregates",
                 "refresh_cells_caches"):
        monkeypatch.setattr(host_manager.HostManager, name, nothing)
    monkeypatch.setattr(manager.request_filter, "process_reqspec", nothing)
    monkeypatch.setattr(
        manager.compute_utils, "notify_about_scheduler_action", nothing
    )
    monkeypatch.setattr(
        manager.rpc, "get_notifier", lambda *args: _Notifier()
    )
    for name, value in (
        ("available_filters", [*others, FILTER]),
        (
            "enabled_filters",
            [*(each.rpartition(".")[2] for each in others), "PinningFilter"],
        ),
        ("weight_classes", [WEIGHER]),
    ):
        conf.CONF.set_override(name, value, "filter_scheduler")

    class Manager(manager.SchedulerManager):
        placement_client = Placement(nodes)

        def _get_all_host_states(self, *args):
            return iter([state(node) for node in nodes])

    try:
        return Manager()
    finally:
        for name in ("available_filters", "enabled_filters",
                     "weight_classes"):
            conf.CONF.clear_override(name, "filter_scheduler")


def request(*sizes, policy="prefer"):
    """A request as the conductor makes it, in guest cells of these sizes."""
    extra_specs = {"hw:cpu_policy": "dedicated"}
    if policy != "prefer":
        extra_specs["hw:cpu_thread_policy"] = policy
    asked = filters.dedicated(*sizes, policy=policy)
    flavor = objects.Flavor(
        id=1,
        flavorid="1",
        name="pinned",
        vcpus=sum(sizes),
        memory_mb=512 * len(sizes),
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        extra_specs=extra_specs,
    )
    made = objects.RequestSpec.from_components(
        context.get_admin_context(),
        filters.UUID,
        objects.ImageMeta(properties=objects.ImageMetaProps()),
        flavor,
        twins.instance(asked),
        objects.InstancePCIRequests(requests=[]),
        {},
        None,
        None,
        project_id="project",
        user_id="user",
    )
    made.requested_resources = []
    return made


def ask(running, spec, count=1):
    """Hosts that ``select_destinations`` chooses for so many servers."""
    spec = copy.deepcopy(spec)
    spec.num_instances = count
    uuids = [str(uuid.uuid4()) for _ in range(count)]
    found = running.select_destinations(
        context.get_admin_context(),
        spec_obj=spec,
        instance_uuids=uuids,
        return_objects=True,
        return_alternates=False,
    )
    return [selected[0].service_host for selected in found]
