"""A whole Nova in this process: the ground that demo and tests stand on.

Real API, conductor, scheduler, Placement API and computes; SQLite for the
databases, and Nova's own fake libvirt, of whatever NUMA shape is asked for,
for the machines. Everything comes from the fixtures that Nova's wheel
carries. Knows how to run Nova, and nothing of what anybody does with it.

Nova starts in about two seconds, a compute in a quarter of one, and a
server in about one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import logging
import os
import queue
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any
from unittest import mock

import fixtures
import nova.conf
from lxml import etree
from nova import context as nova_context
from nova import objects, thread_pool_factory
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.functional.api import client
from nova.tests.functional.libvirt import base
from nova.virt.libvirt import config as libvirt_config

from pinning_filter import nova_fit
from pinning_filter.compute import launcher
from pinning_filter.compute.driver import PinningLibvirtDriver
from pinning_filter.core import cpuset
from pinning_filter.core.host import Host, HostCell
from pinning_filter.demo import locks

#: The filter of this project, as ``enabled_filters`` names it.
OURS = "PinningFilter"
#: The filter that Nova brings.
STOCK = "NUMATopologyFilter"

#: The compute driver of this project, and the one that Nova brings.
OUR_DRIVER = "pinning.PinningLibvirtDriver"
STOCK_DRIVER = "libvirt.LibvirtDriver"

_ALL_OF_NOVAS = "nova.scheduler.filters.all_filters"
_OUR_CLASS = "pinning_filter.scheduler.filter.PinningFilter"
_API_VERSION = "2.90"
_PATIENCE_SECONDS = 120

#: What the API answers to a request that it refuses.
Refused = client.OpenStackApiException


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server, as Nova keeps it and as libvirt was told."""

    id: str
    name: str
    status: str  #: ``ACTIVE`` or ``ERROR``
    host: str | None  #: the compute it runs on
    fault: str  #: why it is in ``ERROR``; empty otherwise
    instance: objects.Instance | None  #: None where it is in ``ERROR``
    xml: str  #: the domain XML that Nova's driver wrote; empty in ``ERROR``

    @property
    def pinning(self) -> dict[int, int]:
        """vCPU -> pCPU, as Nova keeps it; empty for an unpinned guest."""
        topology = self.instance and self.instance.numa_topology
        if not topology:
            return {}
        return {
            vcpu: pcpu
            for cell in topology.cells
            for vcpu, pcpu in sorted((cell.cpu_pinning or {}).items())
        }


class Cloud:
    """A running Nova. Made by :func:`cloud`."""

    def __init__(self, nova: _Nova) -> None:
        self._nova = nova
        self._names = itertools.count(1)
        self._dedicated: set[int] = set()
        self._shared: set[int] = set()
        for api in (nova.api, nova.admin_api):
            api.microversion = _API_VERSION
        self._api = nova.admin_api

    def add_compute(
        self,
        name: str,
        host: Host,
        *,
        reports_topology: bool = True,
        driver: str | None = None,
    ) -> None:
        """Start a compute whose machine is ``host``.

        Its cores are the cells' ``siblings``, its ``cpu_dedicated_set`` and
        ``cpu_shared_set`` their ``dedicated`` and ``shared``. What is
        ``pinned`` or used in them counts for nothing: boot servers for that.

        :param reports_topology: whether libvirt tells of NUMA cells at all.
        :param driver: its ``compute_driver``, :data:`OUR_DRIVER` or
            :data:`STOCK_DRIVER`; None: ours if the filter is.
        :raises ValueError: if a pCPU is dedicated on one compute and shared
            on another: the process has one nova.conf for all.
        """
        for cell in host.cells:
            self._dedicated |= cell.dedicated
            self._shared |= cell.shared
        if both := self._dedicated & self._shared:
            raise ValueError(f"pCPUs {sorted(both)} are dedicated and shared")
        self._nova.flags(
            group="compute",
            cpu_dedicated_set=cpuset.format(self._dedicated) or None,
            cpu_shared_set=cpuset.format(self._shared) or None,
        )
        self._nova.flags(compute_driver=driver or self._nova.driver)
        self._nova.start_compute(
            name, host_info=_Machine(host, reports_topology)
        )
        if f"Error updating resources for node {name}" in self.log:
            raise RuntimeError(f"{name} did not start:\n{self.log}")

    def restart_compute(self, name: str, driver: str | None = None) -> None:
        """Stop a compute and start it anew; its guests stay.

        :param driver: as for :meth:`add_compute`.
        """
        self._nova.flags(compute_driver=driver or self._nova.driver)
        self._nova.restart_compute_service(name)

    def mirrors(self, name: str) -> bool:
        """Whether guests on a compute see the threads they are pinned to."""
        driver = self._nova.computes[name].driver
        return (
            isinstance(driver, PinningLibvirtDriver)
            and nova.conf.CONF.pinning_filter.guest_cpu_topology == "mirror"
        )

    def server(self, server_id: str) -> Server:
        """A server as it is now."""
        return self._server(self._api.get_server(server_id))

    def audit(self) -> None:
        """Let every compute count its guests anew, as it does by the minute.

        After a move only this frees what a deleted server held.
        """
        self._nova._run_periodics()

    def start_another_scheduler(self) -> None:
        """Start one more nova-scheduler, which takes its share of requests."""
        self._nova.useFixture(
            nova_fixtures.ServiceFixture("scheduler", host="another")
        )

    def configure(self, group: str, **values: Any) -> None:
        """Set options of nova.conf, for computes that start from now on."""
        self._nova.flags(group=group, **values)

    def flavor(
        self, vcpus: int, ram_mib: int = 1024, **extra_specs: str
    ) -> str:
        """Make a flavor.

        In extra specs ``__`` stands for a colon: ``hw__cpu_policy``.
        """
        return self._nova._create_flavor(
            name=f"flavor-{next(self._names)}",
            vcpu=vcpus,
            memory_mb=ram_mib,
            disk=1,
            ephemeral=0,
            extra_spec={
                key.replace("__", ":"): value
                for key, value in extra_specs.items()
            },
        )

    def image(self, **properties: str) -> str:
        """Make an image with these properties."""
        image = {
            "name": f"image-{next(self._names)}",
            "container_format": "raw",
            "disk_format": "raw",
            "min_ram": 0,
            "min_disk": 0,
            "visibility": "public",
            "protected": False,
            "deleted": False,
            "deleted_at": None,
            "tags": [],
            "properties": properties,
        }
        return self._nova.glance.create(None, image)["id"]

    def boot(
        self,
        flavor: str,
        image: str | None = None,
        *,
        host: str | None = None,
        name: str | None = None,
    ) -> Server:
        """Boot one server, and wait for it to be ``ACTIVE`` or ``ERROR``.

        :raises Refused: if the API does not even take the request.
        """
        (server,) = self.boot_many(1, flavor, image, host=host, name=name)
        return server

    def boot_many(
        self,
        count: int,
        flavor: str,
        image: str | None = None,
        *,
        host: str | None = None,
        name: str | None = None,
    ) -> list[Server]:
        """Boot several servers by one request."""
        name = name or f"server-{next(self._names)}"
        body = {
            "name": name,
            "flavorRef": flavor,
            "imageRef": image or self.image(),
            "networks": "none",
            "min_count": count,
            "max_count": count,
        }
        if host:
            body["host"] = host
        self._api.post_server({"server": body})
        self._nova.finish()
        servers = [
            self._server(server)
            for server in self._api.get_servers()
            if server["name"].startswith(name)
        ]
        return sorted(servers, key=lambda server: server.name)

    def delete(self, server: Server) -> None:
        """Delete a server, and wait until it is gone."""
        self._api.delete_server(server.id)
        self._nova.finish()

    def host_topologies(self) -> dict[str, objects.NUMATopology | None]:
        """What each compute reports of its NUMA cells and their use now."""
        nodes = objects.ComputeNodeList.get_all(_admin())
        return {
            node.host: node.numa_topology
            and objects.NUMATopology.obj_from_db_obj(node.numa_topology)
            for node in nodes
        }

    @property
    def log(self) -> str:
        """All that Nova has logged at WARNING and above."""
        return self._nova.stdlog.logger.output

    def _server(self, server: dict[str, Any]) -> Server:
        fields = {
            "id": server["id"],
            "name": server["name"],
            "status": server["status"],
            "host": server["OS-EXT-SRV-ATTR:host"],
        }
        if server["status"] == "ERROR":
            fault = server["fault"]["message"]
            return Server(**fields, fault=fault, instance=None, xml="")
        compute = self._nova.computes[fields["host"]]
        connection = compute.driver._host.get_connection()
        instance = objects.Instance.get_by_uuid(
            _admin(),
            server["id"],
            expected_attrs=["flavor", "numa_topology", "system_metadata"],
        )
        return Server(
            **fields,
            fault="",
            instance=instance,
            xml=connection.written[server["id"]],
        )


@contextlib.contextmanager
def cloud(numa_filter: str = OURS) -> Iterator[Cloud]:
    """Run Nova, with our filter and fit or with its own.

    :param numa_filter: :data:`OURS` or :data:`STOCK`. One process runs one
        Nova at a time.
    """
    root = logging.getLogger()
    level = root.level
    nova = _Nova(numa_filter)
    try:
        nova.setUp()
        root.setLevel(logging.WARNING)
        yield Cloud(nova)
    finally:
        # On the way down the log is no longer kept, but written to stderr.
        logging.disable(logging.WARNING)
        try:
            clean = nova.doCleanups()
        finally:
            logging.disable(logging.NOTSET)
            root.setLevel(level)
            nova_fit.uninstall()
    if clean is False:
        raise RuntimeError("Nova did not stop cleanly")


def _admin() -> nova_context.RequestContext:
    return nova_context.get_admin_context()


class _Machine(fakelibvirt.HostInfo):
    """A machine for Nova's fake libvirt."""

    def __init__(self, host: Host, reports_topology: bool) -> None:
        self.host = host
        self.pcpus = frozenset[int]().union(
            *(core for cell in host.cells for core in cell.siblings)
        )
        self.dedicated = frozenset[int]().union(
            *(cell.dedicated for cell in host.cells)
        )
        self.shared = frozenset[int]().union(
            *(cell.shared for cell in host.cells)
        )
        threads = max(cell.threads for cell in host.cells)
        super().__init__(
            cpu_nodes=len(host.cells),
            cpu_cores=len(self.pcpus) // threads // len(host.cells) or 1,
            cpu_threads=threads,
        )
        # MiB, whatever it is called: as libvirt's getInfo() reports it.
        self.kB_mem = sum(cell.memory_kib for cell in host.cells) >> 10
        self.cpus = len(self.pcpus)
        self.numa_topology = libvirt_config.LibvirtConfigCapsNUMATopology()
        if reports_topology:
            self.numa_topology.cells = [_caps_cell(c) for c in host.cells]


def _caps_cell(cell: HostCell) -> libvirt_config.LibvirtConfigCapsNUMACell:
    """A host cell as ``virsh capabilities`` tells of it."""
    caps = libvirt_config.LibvirtConfigCapsNUMACell()
    caps.id = cell.id
    caps.memory = cell.memory_kib
    caps.mempages = fakelibvirt.create_mempages(
        [(pages.size_kib, pages.total) for pages in cell.pages]
    )
    for core_id, core in enumerate(cell.siblings):
        for pcpu in sorted(core):
            cpu = libvirt_config.LibvirtConfigCapsNUMACPU()
            cpu.id = pcpu
            cpu.socket_id = cell.id if cell.socket is None else cell.socket
            cpu.core_id = core_id
            cpu.siblings = set(core)
            caps.cpus.append(cpu)
    return caps


def _with_layout(capabilities: str, host: Host) -> str:
    """Add last-level caches and NUMA distances to capabilities."""
    root = etree.fromstring(capabilities)
    caches = etree.SubElement(next(root.iterchildren("host")), "cache")
    for cell in host.cells:
        for bank in cell.caches:
            etree.SubElement(
                caches, "bank", level="3", cpus=cpuset.format(bank)
            )
        for element in root.iterfind(f".//cells/cell[@id='{cell.id}']"):
            distances = etree.SubElement(element, "distances")
            for other, value in sorted(cell.distances.items()):
                etree.SubElement(
                    distances, "sibling", id=str(other), value=str(value)
                )
    return etree.tostring(root, encoding="unicode")


class _Connection(fakelibvirt.Connection):
    """A fake libvirt that remembers every document as Nova wrote it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.written: dict[str, str] = {}  #: by the server's id

    def getCapabilities(self) -> str:
        """Nova's, and what Nova itself does not read of them."""
        text = super().getCapabilities()
        return _with_layout(text, self.host_info.host)

    def defineXML(self, xml: str) -> Any:
        domain = super().defineXML(xml)
        self.written[domain.UUIDString()] = xml
        return domain

    def createXML(self, xml: str, flags: Any) -> Any:
        domain = super().createXML(xml, flags)
        self.written[domain.UUIDString()] = xml
        return domain


class _Nova(base.ServersTestBase):
    """Nova's own start and stop, borrowed from its test class.

    Only ``setUp`` and ``doCleanups`` are ever called; nothing is a test.
    """

    def __init__(self, numa_filter: str) -> None:
        super().__init__()
        self._numa_filter = numa_filter
        self._tasks: queue.SimpleQueue[futures.Future[Any]] = (
            queue.SimpleQueue()
        )
        #: What computes run that are not told otherwise.
        self.driver = OUR_DRIVER if numa_filter == OURS else STOCK_DRIVER

    def runTest(self) -> None:
        """Nothing: unittest insists on a method."""

    def setUp(self) -> None:
        locks.readers_first()
        launcher.register()
        super().setUp()
        for target, stub in _STUBS.items():
            patcher = mock.patch(target, stub)
            patcher.start()
            self.addCleanup(patcher.stop)
        for name in ("spawn", "spawn_on"):
            self.useFixture(
                fixtures.MonkeyPatch(
                    f"nova.thread_pool_factory.{name}",
                    self._noting(getattr(thread_pool_factory, name)),
                )
            )

    def _noting(self, spawn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(spawn)
        def spawn_and_note(*args: Any, **kwargs: Any) -> Any:
            task = spawn(*args, **kwargs)
            self._tasks.put(task)
            return task

        return spawn_and_note

    def finish(self) -> None:
        """Wait for whatever Nova does in the background."""
        while not self._tasks.empty():
            self._tasks.get().result(_PATIENCE_SECONDS)

    def _setup_services(self) -> None:
        # Nova looks for it beside its package, where no wheel puts it.
        self.flags(
            group="wsgi",
            api_paste_config=os.path.join(
                sys.prefix, "etc", "nova", "api-paste.ini"
            ),
        )
        self.flags(group="quota", cores=-1, instances=-1, ram=-1)
        super()._setup_services()

    def _setup_scheduler_service(self) -> Any:
        self.flags(
            group="filter_scheduler",
            available_filters=[_ALL_OF_NOVAS, _OUR_CLASS],
            enabled_filters=["ComputeFilter", self._numa_filter],
            # The host with the most memory, so that it is always the same.
            weight_classes=["nova.scheduler.weights.ram.RAMWeigher"],
        )
        return self.start_service("scheduler")

    def _get_connection(
        self, host_info: Any = None, *args: Any, hostname: Any = None, **_: Any
    ) -> _Connection:
        return _Connection(
            "qemu:///system",
            version=fakelibvirt.FAKE_LIBVIRT_VERSION,
            hv_version=fakelibvirt.FAKE_QEMU_VERSION,
            host_info=host_info,
            hostname=hostname or (args[-1] if args else None),
        )


def _machine(host: Any) -> _Machine:
    return host.get_connection().host_info


#: One nova.conf serves all computes, so each answers for itself.
_STUBS: dict[str, Any] = {
    "nova.virt.libvirt.host.Host.get_online_cpus": (
        lambda host: set(_machine(host).pcpus)
    ),
    "nova.virt.libvirt.driver.LibvirtDriver._get_pcpu_available": (
        lambda driver: set(_machine(driver._host).dedicated)
    ),
    "nova.virt.libvirt.driver.LibvirtDriver._get_vcpu_available": (
        lambda driver: set(_machine(driver._host).shared)
    ),
    # Nova runs "uptime", which a machine with little installed has not.
    "nova.virt.libvirt.driver.LibvirtDriver.get_host_uptime": (
        lambda driver: "up 1 day"
    ),
}
