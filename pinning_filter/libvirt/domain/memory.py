"""Where a guest's memory comes from."""

from __future__ import annotations

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.libvirt.domain.settings import (
    DEFAULT,
    InvalidSettings,
    Settings,
)

#: What a host cell's smallest page is taken for where it reports no pages.
_USUAL_PAGE_KIB = 4


def numatune(placement: Placement) -> etree._Element:
    """``<numatune>``: each guest cell's memory from its host cell alone."""
    element = etree.Element("numatune")
    hosts = [cell.host_cell.id for cell in placement.cells]
    etree.SubElement(
        element, "memory", mode="strict", nodeset=cpuset.format(hosts)
    )
    for index, host in enumerate(hosts):
        etree.SubElement(
            element,
            "memnode",
            cellid=str(index),
            mode="strict",
            nodeset=str(host),
        )
    return element


def memory_backing(
    placement: Placement, settings: Settings = DEFAULT
) -> etree._Element | None:
    """``<memoryBacking>``: large pages, locked, from files; None for plain.

    The smallest pages of a host are never named: libvirt takes them anyway.
    Source: ``LibvirtDriver._get_guest_memory_backing_config``.

    :raises InvalidSettings: for memory both from files and of a page size.
    """
    element = etree.Element("memoryBacking")
    if settings.file_backed and any(
        cell.page_size_kib for cell in placement.cells
    ):
        raise InvalidSettings(
            "guest settings",
            ["memory backed by files has no page size, and the guest asks "
             "for one"],
        )
    if any(large(cell) for cell in placement.cells):
        hugepages = etree.SubElement(element, "hugepages")
        for index, cell in enumerate(placement.cells):
            if large(cell):
                etree.SubElement(
                    hugepages,
                    "page",
                    size=str(cell.page_size_kib),
                    unit="KiB",
                    nodeset=str(index),
                )
    if settings.realtime:
        etree.SubElement(element, "nosharepages")
    if settings.realtime or settings.locked:
        etree.SubElement(element, "locked")
    if settings.file_backed:
        etree.SubElement(element, "source", type="file")
        etree.SubElement(element, "access", mode="shared")
        etree.SubElement(element, "allocation", mode="immediate")
        etree.SubElement(element, "discard")
    return element if len(element) else None


def large(cell: CellPlacement) -> bool:
    """Whether the guest cell's pages are not its host's smallest."""
    smallest = min(
        (pages.size_kib for pages in cell.host_cell.pages),
        default=_USUAL_PAGE_KIB,
    )
    return cell.page_size_kib is not None and cell.page_size_kib > smallest
