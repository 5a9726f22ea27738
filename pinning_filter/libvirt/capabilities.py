"""``virsh capabilities`` -> the host that core knows.

First in the flow ``request -> fit -> placement -> domain XML`` where no Nova
reports the host. Knows libvirt's XML and core's values; what is in use on the
host is not in that XML, and not known here.

The rules are those of Nova's libvirt driver (``_get_host_numa_topology``), so
that a host read here is the host which its nova-compute reports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell, Pages

#: Host cell -> page size in KiB -> pages kept from guests.
ReservedPages = Mapping[int, Mapping[int, int]]

_WHAT = "capabilities"
#: No host has so much of anything.
_MOST = 1 << 60
_LAST_LEVEL = "3"


def read(
    text: str | bytes,
    *,
    dedicated: AbstractSet[int] | None = None,
    shared: AbstractSet[int] | None = None,
    reserved_pages: ReservedPages | None = None,
) -> Host:
    """Read what ``virsh capabilities`` prints.

    pCPUs are given out as by ``[compute] cpu_dedicated_set`` and
    ``cpu_shared_set``: with neither, every pCPU is open to pinned and to
    floating vCPUs; with one of them, there is nothing for the others; the
    same set as both is the old ``vcpu_pin_set``.

    :param dedicated: pCPUs open to pinning.
    :param shared: pCPUs for floating vCPUs.
    :param reserved_pages: Nova's ``reserved_huge_pages``.
    :raises InvalidHost: for anything but the capabilities of a host with NUMA
        cells, and for pCPUs or pages that it does not have; with every
        problem.
    """
    reader = _Reader(_parse(text))
    if dedicated is None and shared is None:
        dedicated = shared = reader.online
    host = reader.host(
        dedicated or frozenset(), shared or frozenset(), reserved_pages or {}
    )
    if reader.problems:
        raise InvalidHost(_WHAT, reader.problems)
    return host.check()


def _parse(text: str | bytes) -> etree._Element:
    """Parse without entities, files or network: the text may be anybody's."""
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    data = text.encode() if isinstance(text, str) else text
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidHost(_WHAT, [f"it is not XML: {error.msg}"]) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise InvalidHost(_WHAT, ["it has a DOCTYPE, libvirt writes none"])
    if root.tag != "capabilities":
        raise InvalidHost(
            _WHAT,
            [
                f"it is a <{root.tag!s:.40}> document, wanted is "
                "<capabilities> as virsh capabilities prints it"
            ],
        )
    return root


class _Cpu(NamedTuple):
    id: int
    socket: str | None
    siblings: frozenset[int]


class _Reader:
    """Reads the elements of one document and remembers what is wrong."""

    def __init__(self, root: etree._Element) -> None:
        self.problems: list[str] = []
        self._caches = [
            self._cpu_list(bank, "cpus")
            for bank in root.iterfind("./host/cache/bank")
            if bank.get("level") == _LAST_LEVEL
        ]
        self._cells = [
            (self._number(cell, "id"), cell, self._cpus(cell))
            for cell in root.iterfind("./host/topology/cells/cell")
        ]
        #: Every pCPU that is not switched off.
        self.online = frozenset(
            cpu.id for _, _, cpus in self._cells for cpu in cpus
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
        own = frozenset(cpu.id for cpu in cpus)
        usable = own & (dedicated | shared)
        sockets = {cpu.socket for cpu in cpus}
        memory = element.find("memory")
        pages = [self._pages(each, reserved) for each in
                 element.iterfind("pages")]
        self._known(
            f"pages of cell {number}", reserved, [p.size_kib for p in pages]
        )
        return HostCell(
            number,
            dedicated=own & dedicated,
            shared=own & shared,
            siblings=[
                core & usable for core in _cores(cpus) if core & usable
            ],
            # Nova counts in whole MiB.
            memory_kib=0 if memory is None else self._kib(memory) >> 10 << 10,
            pages=pages,
            # A cell of several sockets has none, as in Nova.
            socket=self._socket(sockets),
            caches=[bank & usable for bank in self._caches if bank & usable],
            distances={
                self._number(each, "id"): self._number(each, "value")
                for each in element.iterfind("./distances/sibling")
            },
        )

    def _cpus(self, cell: etree._Element) -> list[_Cpu]:
        """The pCPUs of a cell; those that are off are listed bare."""
        return [
            _Cpu(
                self._number(cpu, "id"),
                cpu.get("socket_id"),
                self._cpu_list(cpu, "siblings"),
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
