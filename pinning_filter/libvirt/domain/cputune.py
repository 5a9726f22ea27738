"""How many threads a guest has, and where they may run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.libvirt.domain.settings import (
    DEFAULT,
    InvalidSettings,
    Settings,
)


def vcpu(placement: Placement) -> etree._Element:
    """``<vcpu>``: how many there are."""
    element = etree.Element("vcpu", placement="static")
    element.text = str(len(dict(_pcpus(placement.cells))))
    return element


def iothreads(settings: Settings = DEFAULT) -> etree._Element | None:
    """``<iothreads>``: how many there are; None for none."""
    if not settings.iothreads:
        return None
    element = etree.Element("iothreads")
    element.text = str(settings.iothreads)
    return element


def cputune(
    placement: Placement, settings: Settings = DEFAULT
) -> etree._Element:
    """``<cputune>``: where vCPUs, emulator and I/O threads may run.

    A dedicated vCPU runs on its pCPU, a floating one on the shared pCPUs of
    its host cell. Source: ``LibvirtDriver._get_guest_numa_config``.

    :raises InvalidSettings: if a vCPU in real time is not the guest's.
    """
    element = etree.Element("cputune")
    for name in ("shares", "period", "quota"):
        value = getattr(settings, f"cpu_{name}")
        if value is not None:
            etree.SubElement(element, name).text = str(value)
    pcpus = dict(_pcpus(placement.cells))
    for number in sorted(pcpus):
        etree.SubElement(
            element,
            "vcpupin",
            vcpu=str(number),
            cpuset=cpuset.format(pcpus[number]),
        )
    if emulator := cpuset.format(emulator_pcpus(placement, settings)):
        etree.SubElement(element, "emulatorpin", cpuset=emulator)
        for number in range(1, settings.iothreads + 1):
            etree.SubElement(
                element, "iothreadpin", iothread=str(number), cpuset=emulator
            )
    if settings.realtime:
        if unknown := settings.realtime - pcpus.keys():
            raise InvalidSettings(
                "guest settings",
                [
                    f"vCPUs {cpuset.format(unknown)} are to run in real "
                    "time, and the guest does not have them"
                ],
            )
        etree.SubElement(
            element,
            "vcpusched",
            vcpus=cpuset.format(settings.realtime),
            scheduler="fifo",
            priority=str(settings.realtime_priority),
        )
    return element


def emulator_pcpus(
    placement: Placement, settings: Settings = DEFAULT
) -> frozenset[int]:
    """The pCPUs of emulator and I/O threads.

    1. The pCPUs reserved for them, if the guest asks for isolated ones.
    2. The pool, if it asks to share that and there is one.
    3. Those of all its vCPUs that do not run in real time.

    Source: ``LibvirtDriver._get_emulatorpin_cpuset``.
    """
    if placement.request.emulator_isolated:
        return placement.reserved
    if settings.emulator_pool:
        return frozenset(settings.emulator_pool)
    found: frozenset[int] = frozenset()
    for cell in placement.cells:
        found = found.union(
            *(
                pcpus
                for number, pcpus in _pcpus([cell])
                if number not in settings.realtime
            )
        )
        if found and settings.emulator_near_first_cell:
            break
    return found


def _pcpus(
    cells: Iterable[CellPlacement],
) -> Iterator[tuple[int, AbstractSet[int]]]:
    """Each vCPU with the pCPUs that it may run on."""
    for cell in cells:
        for number in cell.guest_cell.vcpus:
            pcpu = cell.pinning.get(number)
            yield (
                number,
                cell.host_cell.shared if pcpu is None else frozenset({pcpu}),
            )
