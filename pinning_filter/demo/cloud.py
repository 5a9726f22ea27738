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
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.tests import fixtures as nova_fixtures
from nova.tests.functional.api import client

from pinning_filter.compute.driver import PinningLibvirtDriver
from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.demo.machine import Machine
from pinning_filter.demo.services import OURS, Services
from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import no_valid_host, topology_cache

_API_VERSION = "2.90"

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

    def __init__(self, services: Services) -> None:
        #: For what a cloud does not offer itself.
        self.services = services
        self._names = itertools.count(1)
        self._dedicated: set[int] = set()
        self._shared: set[int] = set()
        for api in (services.api, services.admin_api):
            api.microversion = _API_VERSION
        self._api = services.admin_api

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
        self.services.flags(
            group="compute",
            cpu_dedicated_set=cpuset.format(self._dedicated) or None,
            cpu_shared_set=cpuset.format(self._shared) or None,
        )
        self.services.flags(compute_driver=driver or self.services.driver)
        self.services.start_compute(
            name, host_info=Machine(host, reports_topology)
        )
        if f"Error updating resources for node {name}" in self.log:
            raise RuntimeError(f"{name} did not start:\n{self.log}")

    def restart_compute(self, name: str, driver: str | None = None) -> None:
        """Stop a compute and start it anew; its guests stay.

        :param driver: as for :meth:`add_compute`.
        """
        self.services.flags(compute_driver=driver or self.services.driver)
        self.services.restart_compute_service(name)

    def mirrors(self, name: str) -> bool:
        """Whether guests on a compute see the threads they are pinned to."""
        driver = self.services.computes[name].driver
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
        self.services._run_periodics()

    def start_another_scheduler(self) -> None:
        """Start one more nova-scheduler, which takes its share of requests."""
        self.services.useFixture(
            nova_fixtures.ServiceFixture("scheduler", host="another")
        )

    def configure(self, group: str, **values: Any) -> None:
        """Set options of nova.conf, for computes that start from now on."""
        self.services.flags(group=group, **values)

    def flavor(
        self, vcpus: int, ram_mib: int = 1024, **extra_specs: str
    ) -> str:
        """Make a flavor.

        In extra specs ``__`` stands for a colon: ``hw__cpu_policy``.
        """
        return self.services._create_flavor(
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
        return self.services.glance.create(None, image)["id"]

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
        self.services.finish()
        servers = [
            self.server(server["id"])
            for server in self._api.get_servers()
            if server["name"].startswith(name)
        ]
        return sorted(servers, key=lambda server: server.name)

    def delete(self, server: Server) -> None:
        """Delete a server, and wait until it is gone."""
        self._api.delete_server(server.id)
        self.services.finish()

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
        return self.services.stdlog.logger.output

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
        compute = self.services.computes[fields["host"]]
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
    services = Services(numa_filter)
    try:
        services.setUp()
        root.setLevel(logging.WARNING)
        yield Cloud(services)
    finally:
        # On the way down the log is no longer kept, but written to stderr.
        logging.disable(logging.WARNING)
        try:
            clean = services.doCleanups()
        finally:
            logging.disable(logging.NOTSET)
            root.setLevel(level)
            nova_fit.uninstall()
            topology_cache.uninstall()
            no_valid_host.uninstall()
    if clean is False:
        raise RuntimeError("Nova did not stop cleanly")


def _admin() -> nova_context.RequestContext:
    return nova_context.get_admin_context()
