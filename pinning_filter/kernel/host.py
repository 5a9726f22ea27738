"""The kernel's files -> pCPUs and memory of this machine."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pinning_filter.kernel.files import HERE, Roots, mask, pcpus, text, whole

#: Where systemd and libvirt without it put guests, by cgroups v2 and v1.
_CPUSETS = (
    "machine.slice/cpuset.cpus.effective",
    "machine/cpuset.cpus.effective",
    "cpuset/machine.slice/cpuset.effective_cpus",
    "cpuset/machine/cpuset.effective_cpus",
)
_NODE = re.compile(r"node(\d+)")
_LARGE = re.compile(r"hugepages-(\d+)kB")
_MEMINFO = re.compile(r"^Node\s+\d+\s+([\w()]+):\s+(\d+)", re.M)
#: Of a cell's memory, what the kernel gives away when it is asked for more.
_AVAILABLE = ("MemFree", "Active(file)", "Inactive(file)", "SReclaimable")


class LargePages(NamedTuple):
    """Large pages of one size on a host cell."""

    total: int
    free: int


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """A host cell."""

    pcpus: frozenset[int]  #: those online
    total_kib: int
    #: Free, or given away when it is asked for; not that in large pages.
    available_kib: int
    large: Mapping[int, LargePages]  #: by size in KiB


@dataclasses.dataclass(frozen=True, slots=True)
class Kernel:
    """This machine as its kernel runs it; None: it does not say."""

    online: frozenset[int] | None  #: pCPUs that are switched on
    present: frozenset[int] | None  #: pCPUs that there are
    #: pCPUs that the scheduler leaves alone (``isolcpus``, or a partition).
    isolated: frozenset[int] | None
    nohz_full: frozenset[int] | None  #: pCPUs without a timer tick
    #: pCPUs that get interrupts unless a device says otherwise.
    irqs: frozenset[int] | None
    guests: frozenset[int] | None  #: pCPUs that the guests' cgroup may use
    cells: Mapping[int, Cell]

    @property
    def offline(self) -> frozenset[int]:
        """pCPUs that are switched off."""
        return (self.present or frozenset()) - (
            self.online or self.present or frozenset()
        )


def read(roots: Roots = HERE) -> Kernel:
    """Read this machine; never raises for what is not there."""
    cpus = roots.sys / "devices/system/cpu"
    nodes = _numbered(roots.sys / "devices/system/node", _NODE)
    return Kernel(
        online=pcpus(text(cpus / "online")),
        present=pcpus(text(cpus / "present")),
        isolated=pcpus(text(cpus / "isolated")),
        nohz_full=pcpus(text(cpus / "nohz_full")),
        irqs=mask(text(roots.proc / "irq/default_smp_affinity")),
        guests=_guests(roots.cgroup),
        cells={number: _cell(folder) for number, folder in sorted(nodes)},
    )


def _guests(cgroup: pathlib.Path) -> frozenset[int] | None:
    for name in _CPUSETS:
        if found := pcpus(text(cgroup / name)):
            return found
    return None


def _numbered(
    folder: pathlib.Path, name: re.Pattern[str]
) -> Iterator[tuple[int, pathlib.Path]]:
    """The folders of such a name in a folder, by the number in it."""
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    for each in inside:
        if found := name.fullmatch(each.name):
            yield int(found[1]), each


def _cell(folder: pathlib.Path) -> Cell:
    said = dict(_MEMINFO.findall(text(folder / "meminfo") or ""))
    large = {
        size: LargePages(
            whole(text(pages / "nr_hugepages")),
            whole(text(pages / "free_hugepages")),
        )
        for size, pages in _numbered(folder / "hugepages", _LARGE)
    }
    return Cell(
        pcpus=pcpus(text(folder / "cpulist")) or frozenset(),
        total_kib=whole(said.get("MemTotal")),
        available_kib=sum(whole(said.get(name)) for name in _AVAILABLE),
        large=dict(sorted(large.items())),
    )
