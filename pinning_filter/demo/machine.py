"""Machines for Nova's fake libvirt, of whatever NUMA shape is asked for.

Below :mod:`~pinning_filter.demo.services`: a host of ``core`` becomes the
capabilities that libvirt would report of it. Knows nothing of running Nova.
"""

from __future__ import annotations

from typing import Any

from lxml import etree
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.virt.libvirt import config as libvirt_config

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host, HostCell


class Machine(fakelibvirt.HostInfo):
    """A machine for Nova's fake libvirt."""

    def __init__(self, host: Host, reports_topology: bool) -> None:
        self.host = host
        self.pcpus = frozenset[int]().union(
            *(core for cell in host.cells for core in cell.siblings)
        )
        self.dedicated = host.dedicated
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


class Connection(fakelibvirt.Connection):
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


def machine_of(host: Any) -> Machine:
    """The machine behind a libvirt host of Nova's driver."""
    return host.get_connection().host_info
