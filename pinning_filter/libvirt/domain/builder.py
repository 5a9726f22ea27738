"""Elements together: all of them, in a domain, as text."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator

from lxml import etree

from pinning_filter.core.placement import Placement
from pinning_filter.libvirt.domain.cpu import cpu
from pinning_filter.libvirt.domain.cputune import cputune, iothreads, vcpu
from pinning_filter.libvirt.domain.memory import memory_backing, numatune
from pinning_filter.libvirt.domain.settings import DEFAULT, Settings

_TAG = re.compile(r"<[^<>]*>")
_ATTRIBUTE = re.compile(r'="([^"]*)"')


def elements(
    placement: Placement, settings: Settings = DEFAULT
) -> list[etree._Element]:
    """Every element of a placed guest, in the order libvirt prints them.

    :raises InvalidSettings: if the settings are not for this guest.
    """
    found = [
        memory_backing(placement, settings),
        vcpu(placement),
        iothreads(settings),
        cputune(placement, settings),
        numatune(placement),
        cpu(placement, settings),
    ]
    return [element for element in found if element is not None]


def domain(
    placement: Placement,
    settings: Settings,
    name: str,
    kind: str = "kvm",
) -> etree._Element:
    """A whole ``<domain>``, bare of devices, that libvirt can define.

    :param kind: libvirt's name of the hypervisor: ``kvm``, ``qemu``.
    """
    element = etree.Element("domain", type=kind)
    etree.SubElement(element, "name").text = name
    memory = etree.SubElement(element, "memory", unit="KiB")
    memory.text = str(
        sum(cell.guest_cell.memory_kib for cell in placement.cells)
    )
    *tuning, processor = elements(placement, settings)
    element.extend(tuning)
    system = etree.SubElement(element, "os")
    etree.SubElement(system, "type").text = "hvm"
    element.append(processor)
    return element


def dumps(*elements: etree._Element) -> str:
    """Text, spaced and quoted as libvirt does it; every line ends in one.

    All escaping is lxml's: what is changed afterwards is the quotes around
    attributes, which within tags stand nowhere else.

    >>> print(dumps(etree.Element("vcpupin", vcpu="0", cpuset="2")), end="")
    <vcpupin vcpu='0' cpuset='2'/>
    """
    return "".join(_lines(elements))


def _lines(elements: Iterable[etree._Element]) -> Iterator[str]:
    for element in elements:
        element = copy.deepcopy(element)
        etree.indent(element, "  ")
        text = etree.tostring(element, encoding="unicode", with_tail=False)
        yield _TAG.sub(_single_quoted, text) + "\n"


def _single_quoted(tag: re.Match[str]) -> str:
    return _ATTRIBUTE.sub(
        lambda value: "='" + value[1].replace("'", "&apos;") + "'", tag[0]
    )
