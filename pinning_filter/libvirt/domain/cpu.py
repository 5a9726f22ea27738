"""The processor and the NUMA cells that a guest sees."""

from __future__ import annotations

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.placement import Placement
from pinning_filter.libvirt.domain.memory import large
from pinning_filter.libvirt.domain.settings import DEFAULT, Settings
from pinning_filter.libvirt.domain.topology import topology

#: The distances that ACPI and libvirt know: to itself, to another cell.
_LOCAL = 10
_REMOTE = range(11, 256)


def cpu(placement: Placement, settings: Settings = DEFAULT) -> etree._Element:
    """``<cpu>`` with ``<topology>`` and ``<numa>``, and no model.

    With large pages in any guest cell all of them are shared with other
    processes, as vhost-user needs.

    A guest cell without vCPUs has no ``cpus``: Nova writes an empty one, on
    which libvirt fails.

    :raises InvalidSettings: if the topology asked for is not one of as many
        vCPUs.
    """
    element = etree.Element("cpu")
    shape = topology(placement, settings)
    etree.SubElement(
        element,
        "topology",
        sockets=str(shape.sockets),
        cores=str(shape.cores),
        threads=str(shape.threads),
    )
    numa = etree.SubElement(element, "numa")
    shared = any(large(cell) for cell in placement.cells)
    distances = _distances(placement) if settings.distances else []
    for index, cell in enumerate(placement.cells):
        each = etree.SubElement(numa, "cell", id=str(index))
        if vcpus := cpuset.format(cell.guest_cell.vcpus):
            each.set("cpus", vcpus)
        each.set("memory", str(cell.guest_cell.memory_kib))
        each.set("unit", "KiB")
        if shared:
            each.set("memAccess", "shared")
        if distances:
            far = etree.SubElement(each, "distances")
            for other, value in enumerate(distances[index]):
                etree.SubElement(
                    far, "sibling", id=str(other), value=str(value)
                )
    return element


def _distances(placement: Placement) -> list[list[int]]:
    """Distance of each guest cell to each, if there are several.

    Empty if any is unknown, or not one that libvirt takes: 10 to itself,
    more to any other.
    """
    hosts = [cell.host_cell for cell in placement.cells]
    known = [
        [one.distances.get(other.id, 0) for other in hosts] for one in hosts
    ]
    usable = len(hosts) > 1 and all(
        value == _LOCAL if one == other else value in _REMOTE
        for one, row in enumerate(known)
        for other, value in enumerate(row)
    )
    return known if usable else []
