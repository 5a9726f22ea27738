"""``virsh capabilities`` -> the host that core knows.

First in the flow ``request -> fit -> placement -> domain XML`` where no Nova
reports the host. Knows libvirt's XML and core's values; what is in use on the
host is not in that XML, and not known here.

The rules are those of Nova's libvirt driver (``_get_host_numa_topology``), so
that a host read here is the host which its nova-compute reports.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.errors import (
    InvalidHost,
    NoTopology,
    UncountableHost,
)
from pinning_filter.core.host import Host, HostCell, Pages, given_out
from pinning_filter.core.text import shown
from pinning_filter.libvirt import parsing

#: Host cell -> page size in KiB -> pages kept from guests.
ReservedPages = Mapping[int, Mapping[int, int]]

_WHAT = "capabilities"
#: No host has so much of anything.
_MOST = 1 << 60
_LAST_LEVEL = "3"
#: Where Nova's libvirt driver knows NUMA cells (``_has_numa_support``).
_WITH_NUMA = ("i686", "x86_64", "aarch64", "ppc64", "ppc64le")
#: A pCPU that is offline is said to be in this core: the kernel tells nothing
#: of it.
_NO_CORE = ("0", "0", "0", "0")


def read(
    text: str | bytes,
    *,
    dedicated: AbstractSet[int] | None = None,
    shared: AbstractSet[int] | None = None,
    reserved_pages: ReservedPages | None = None,
    online: AbstractSet[int] | None = None,
    report: Callable[[str], None] | None = None,
) -> Host:
    """Read what ``virsh capabilities`` prints.

    pCPUs are given out as by ``[compute] cpu_dedicated_set`` and
    ``cpu_shared_set``: with neither, every pCPU is open to pinned and to
    floating vCPUs; with one of them, there is nothing for the others; the
    same set as both is the old ``vcpu_pin_set``.

    :param dedicated: pCPUs open to pinning.
    :param shared: pCPUs for floating vCPUs.
    :param reserved_pages: Nova's ``reserved_huge_pages``.
    :param online: pCPUs that are online, as ``virsh nodecpumap`` says; None:
        all but those of which the XML gives away that they are not.
    :param report: gets a sentence about what is left out.
    :raises InvalidHost: for anything but the capabilities of a host with NUMA
        cells, and for pCPUs or pages that it does not have; with every
        problem.
    :raises UncountableHost: for a host that does not say what Nova counts by.
    :raises NoTopology: for a machine on which Nova knows no NUMA cells.
    """
    root = parsing.root(
        text, _WHAT, InvalidHost, _WHAT, "virsh capabilities"
    )
    arch = (root.findtext("./host/cpu/arch") or "").strip()
    if arch and arch not in _WITH_NUMA:
        problem = f"Nova reports no NUMA topology on {shown(arch)}"
        raise NoTopology(_WHAT, [problem])
    reader = _Reader(root, online)
    if reader.offline and report:
        report(
            f"{cpuset.named(reader.offline)} "
            f"{'is' if len(reader.offline) == 1 else 'are'} offline, as the "
            "capabilities show, and not used (--online LIST says which are "
            "online)"
        )
    if dedicated is None and shared is None:
        dedicated = shared = reader.online
    host = reader.host(
        dedicated or frozenset(), shared or frozenset(), reserved_pages or {}
    )
    if reader.problems:
        raise InvalidHost(_WHAT, reader.problems)
    if reader.uncountable:
        raise UncountableHost(_WHAT, reader.uncountable)
    return host.check()


class _Cpu(NamedTuple):
    id: int
    socket: str | None
    siblings: frozenset[int]
    #: Ids of its socket, die, cluster and core; None: they are not told.
    core: tuple[str, ...] | None

    @property
    def alone(self) -> bool:
        """Whether it names no sibling but itself."""
        return self.siblings == {self.id}


class _Reader:
    """Reads the elements of one document and remembers what is wrong."""

    def __init__(
        self, root: etree._Element, online: AbstractSet[int] | None
    ) -> None:
        self.problems: list[str] = []
        #: What is missing although nothing is wrong.
        self.uncountable: list[str] = []
        self._caches = [
            self._cpu_list(bank, "cpus")
            for bank in root.iterfind("./host/cache/bank")
            if bank.get("level") == _LAST_LEVEL
        ]
        self._cells = [
            (self._number(cell, "id"), cell, self._cpus(cell))
            for cell in root.iterfind("./host/topology/cells/cell")
        ]
        listed = [cpus for _, _, cpus in self._cells]
        every = frozenset(cpu.id for cpus in listed for cpu in cpus)
        if online is not None and (unknown := online - every):
            self.problems.append(
                f"the online pCPUs {cpuset.format(unknown)} are not listed, "
                f"those that are: {cpuset.format(every)}"
            )
        #: pCPUs that are listed, and switched off nevertheless.
        self.offline = (
            _offline(listed) if online is None else every - online
        )
        #: Every pCPU that is not switched off.
        self.online = every - self.offline
        if not every and root.find("./host/topology/cells/cell/cpus/cpu"
                                   ) is not None:
            self.uncountable.append(
                "its CPUs are listed without their siblings, by a libvirt "
                "that is too old for Nova"
            )

    def host(
        self,
        dedicated: AbstractSet[int],
        shared: AbstractSet[int],
        reserved: ReservedPages,
    ) -> Host:
        """The host, which is only right while there are no problems."""
        if not self._cells:
            self.problems.append(
                "there is no NUMA cell (host/topology/cells/cell)"
            )
        ids = [number for number, _, _ in self._cells]
        if len(set(ids)) < len(ids):
            self.problems.append(f"the ids of its NUMA cells repeat: {ids}")
        self._check_sets(dedicated, shared)
        self._known("cells", reserved, ids)
        cells = {
            number: self._cell(
                number, cell, cpus, dedicated, shared, reserved.get(number, {})
            )
            for number, cell, cpus in self._cells
        }
        return Host(tuple(cells.values()))

    def _check_sets(
        self, dedicated: AbstractSet[int], shared: AbstractSet[int]
    ) -> None:
        for name, pcpus in (("dedicated", dedicated), ("shared", shared)):
            if unknown := pcpus - self.online:
                self.problems.append(
                    f"the {name} pCPUs {cpuset.format(unknown)} are not "
                    f"online, those that are: {cpuset.format(self.online)}"
                )
        if dedicated & shared and dedicated != shared:
            self.problems.append(
                f"the pCPUs {cpuset.format(dedicated & shared)} are both "
                "dedicated and shared; that may be all of them, or none"
            )

    def _cell(
        self,
        number: int,
        element: etree._Element,
        cpus: Collection[_Cpu],
        dedicated: AbstractSet[int],
        shared: AbstractSet[int],
        reserved: Mapping[int, int],
    ) -> HostCell:
        cpus = [cpu for cpu in cpus if cpu.id in self.online]
        own = frozenset(cpu.id for cpu in cpus)
        sockets = {cpu.socket for cpu in cpus}
        memory = element.find("memory")
        pages = [self._pages(each, reserved) for each in
                 element.iterfind("pages")]
        self._known(
            f"pages of cell {number}", reserved, [p.size_kib for p in pages]
        )
        missing = {"memory is": memory is None, "memory pages are": not pages}
        self.uncountable += [
            f"NUMA cell {number}: its {what} not stated"
            for what, lacking in missing.items()
            if lacking
        ]
        whole = HostCell(
            number,
            dedicated=own,
            # As Nova does, which decides on the order within a core.
            siblings=[core & own for core in _cores(cpus)],
            # Nova counts in whole MiB.
            memory_kib=0 if memory is None else self._kib(memory) >> 10 << 10,
            pages=pages,
            # A cell of several sockets has none, as in Nova.
            socket=self._socket(sockets),
            caches=[bank & own for bank in self._caches],
            distances={
                self._number(each, "id"): self._number(each, "value")
                for each in element.iterfind("./distances/sibling")
            },
        )
        return given_out(whole, own & dedicated, own & shared)

    def _cpus(self, cell: etree._Element) -> list[_Cpu]:
        """The pCPUs of a cell; those that are off are listed bare."""
        return [
            _Cpu(
                self._number(cpu, "id"),
                cpu.get("socket_id"),
                self._cpu_list(cpu, "siblings"),
                _core_ids(cpu),
            )
            for cpu in cell.iterfind("./cpus/cpu")
            if cpu.get("siblings") is not None
        ]

    def _pages(
        self, element: etree._Element, reserved: Mapping[int, int]
    ) -> Pages:
        size = self._number(element, "size")
        return Pages(
            size,
            self._kib(element),
            reserved=reserved.get(size, 0),
        )

    def _socket(self, found: Collection[str | None]) -> int | None:
        if len(found) != 1 or None in found:
            return None
        return self._int(next(iter(found)), "socket_id of a cpu")

    def _kib(self, element: etree._Element) -> int:
        if element.get("unit", "KiB") != "KiB":
            self.problems.append(
                f"the unit of <{element.tag}> is {element.get('unit')!r}, "
                "libvirt's is KiB"
            )
        return self._int(element.text, f"<{element.tag}>")

    def _number(self, element: etree._Element, name: str) -> int:
        return self._int(element.get(name), f"{name} of <{element.tag}>")

    def _int(self, text: str | None, where: str) -> int:
        """A number of digits alone; 0 and a problem for anything else."""
        digits = (text or "").strip()
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            number = int(digits)
            if number < _MOST:
                return number
        self.problems.append(
            f"the {where} is {text!r:.40}, wanted is a whole number"
        )
        return 0

    def _cpu_list(self, element: etree._Element, name: str) -> frozenset[int]:
        try:
            return cpuset.parse(element.get(name, ""))
        except ValueError as error:
            self.problems.append(f"{name} of <{element.tag}>: {error}")
            return frozenset()

    def _known(
        self, what: str, asked: Iterable[int], known: Collection[int]
    ) -> None:
        if unknown := sorted(set(asked) - set(known)):
            self.problems.append(
                f"reserved {what}: {unknown} are not among {sorted(known)}"
            )


def _core_ids(cpu: etree._Element) -> tuple[str, ...] | None:
    core = cpu.get("core_id")
    if core is None:
        return None
    # Older libvirts know neither dies nor clusters.
    names = ("socket_id", "die_id", "cluster_id")
    return (*(cpu.get(name, "0") for name in names), core)


def _offline(cells: Sequence[Sequence[_Cpu]]) -> frozenset[int]:
    """The pCPUs that cannot be online, by what is said of their cores.

    libvirt lists a pCPU that is offline as its own only sibling, with 0 for
    the ids of its socket and its core. A core is one thread, or names all of
    its threads as siblings; so, of the pCPUs of one core that name only
    themselves,

    1. none is online where others of that core name siblings;
    2. else the first is: its siblings were put offline.

    The core of zeros is one for all NUMA cells, unless other cores, too, are
    in several NUMA cells.
    """
    by_core: dict[tuple[object, ...], list[_Cpu]] = {}
    homes: dict[tuple[str, ...], set[int]] = {}
    for number, cpus in enumerate(cells):
        for cpu in cpus:
            if cpu.core is not None:
                homes.setdefault(cpu.core, set()).add(number)
    unique = all(
        len(numbers) == 1 for core, numbers in homes.items()
        if core != _NO_CORE
    )
    for number, cpus in enumerate(cells):
        for cpu in cpus:
            if cpu.core is not None:
                one = unique and cpu.core == _NO_CORE
                key = (None if one else number, cpu.core)
                by_core.setdefault(key, []).append(cpu)
    found: set[int] = set()
    for cpus in by_core.values():
        alone = [cpu.id for cpu in cpus if cpu.alone]
        found.update(alone if len(alone) < len(cpus) else alone[1:])
    return frozenset(found)


def _cores(cpus: Iterable[_Cpu]) -> list[frozenset[int]]:
    """Each core once, in the order in which Nova reports them.

    That is the order of a set of tuples, each in the order of a set filled
    from below: odd, but the same on every machine. (Nova sorts them, but sets
    compare as subsets, which leaves the order alone.) It decides which of
    several free cores a guest gets.
    """
    return [frozenset(core) for core in {_held(cpu.siblings) for cpu in cpus}]


def _held(siblings: frozenset[int]) -> tuple[int, ...]:
    held: set[int] = set()
    held.update(sorted(siblings))
    return tuple(held)
