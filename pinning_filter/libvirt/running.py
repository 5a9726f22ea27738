"""``virsh dumpxml`` of a running domain -> what it pins, and to what.

The way back of ``domain/``: what libvirt says that it runs. Whether Nova
knows of it, and what the kernel does with it, is not known here.

Names in it are whatever tenants made them, and hostile until escaped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from lxml import etree

from pinning_filter.core import cpuset
from pinning_filter.core.errors import Invalid
from pinning_filter.core.text import shown
from pinning_filter.libvirt import parsing

_WHAT = "domain"
#: The namespace that Nova writes its metadata in, since Juno.
_NOVA = "http://openstack.org/xmlns/libvirt/nova/1."
_KIB = {"KiB": 1, "MiB": 1 << 10, "GiB": 1 << 20, "TiB": 1 << 30}
#: No domain has so many vCPUs; a number beyond is no number of vCPUs.
_MOST_VCPUS = 65535


class InvalidDomain(Invalid):
    """A text that no libvirt says of a domain."""


@dataclasses.dataclass(frozen=True, slots=True)
class Running:
    """A running domain, as its own XML describes it."""

    uuid: str  #: with Nova the server's UUID
    name: str  #: libvirt's, such as ``instance-00000001``
    #: Whether Nova wrote its metadata, which says nothing of whether Nova
    #: still knows it.
    by_nova: bool
    server: str  #: the server's name in that metadata; empty: none
    #: vCPU -> the pCPUs that it may run on; None: any.
    vcpus: Mapping[int, frozenset[int] | None]
    #: The same of emulator threads.
    emulator: frozenset[int] | None
    #: The same of each I/O thread.
    iothreads: Mapping[int, frozenset[int] | None]
    memory_kib: int
    #: Host cells that its memory has to come from; None: any.
    nodes: frozenset[int] | None
    #: Guest cell -> the host cells that its memory has to come from.
    cell_nodes: Mapping[int, frozenset[int]]
    cell_memory_kib: Mapping[int, int]  #: by guest cell
    #: Size of the large pages that its memory has to be of, each in KiB;
    #: empty: any.
    page_sizes_kib: frozenset[int]

    @property
    def pinning(self) -> dict[int, int]:
        """vCPU -> its pCPU, of every vCPU that has just one."""
        return {
            number: next(iter(pcpus))
            for number, pcpus in self.vcpus.items()
            if pcpus is not None and len(pcpus) == 1
        }

    def held(self, dedicated: AbstractSet[int]) -> frozenset[int]:
        """Those of the pCPUs that it has for itself.

        The pCPUs of vCPUs that have just one, and if it has such vCPUs those
        of its emulator and I/O threads: Nova gives these the pCPUs of the
        vCPUs, or dedicated ones of their own (``isolate``), or ones that are
        not dedicated (``share``).

        :param dedicated: pCPUs open to pinning, ``[compute]
            cpu_dedicated_set``.
        """
        own = frozenset(self.pinning.values())
        if not own & dedicated:
            return frozenset()
        others = (self.emulator, *self.iothreads.values())
        return own.union(
            *(pcpus for pcpus in others if pcpus is not None)
        ).intersection(dedicated)


def read(text: str | bytes) -> Running:
    """Read what ``virsh dumpxml`` prints of a running domain.

    :raises InvalidDomain: for anything else, with every problem.
    """
    root = parsing.root(text, "domain", InvalidDomain, _WHAT, "virsh dumpxml")
    return _Reader(root).running()


class _Reader:
    """Reads the elements of one document and remembers what is wrong."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        self._problems: list[str] = []

    def running(self) -> Running:
        """The domain, if there are no problems.

        :raises InvalidDomain: with every problem.
        """
        # Without a pin of its own, a thread has the one of all vCPUs.
        usual = self._cpus(self._root.find("./vcpu"))
        emulator = self._cpus(self._root.find("./cputune/emulatorpin"))
        found = Running(
            uuid=self._text("./uuid"),
            name=self._text("./name"),
            by_nova=self._nova() is not None,
            server=self._server(),
            vcpus=self._threads("./vcpu", "vcpupin", "vcpu", 0, usual),
            emulator=usual if emulator is None else emulator,
            iothreads=self._threads(
                "./iothreads", "iothreadpin", "iothread", 1, usual
            ),
            memory_kib=self._kib(self._root.find("./memory")),
            nodes=self._cpus(self._root.find("./numatune/memory"), "nodeset"),
            cell_nodes={
                self._number(each.get("cellid")): nodes
                for each in self._root.iterfind("./numatune/memnode")
                if (nodes := self._cpus(each, "nodeset")) is not None
            },
            cell_memory_kib={
                self._number(each.get("id")): self._kib(
                    each, each.get("memory")
                )
                for each in self._root.iterfind("./cpu/numa/cell")
            },
            page_sizes_kib=frozenset(
                self._kib(each, each.get("size"))
                for each in self._root.iterfind(
                    "./memoryBacking/hugepages/page"
                )
            ),
        )
        if self._problems:
            raise InvalidDomain(_WHAT, self._problems)
        return found

    def _threads(
        self,
        count_at: str,
        pin: str,
        number: str,
        first: int,
        usual: frozenset[int] | None,
    ) -> dict[int, frozenset[int] | None]:
        """Each thread of a kind, with the pCPUs that it may run on."""
        element = self._root.find(count_at)
        count = 0 if element is None else self._number(element.text)
        found: dict[int, frozenset[int] | None] = {}
        found |= dict.fromkeys(range(first, first + count), usual)
        for each in self._root.iterfind(f"./cputune/{pin}"):
            found[self._number(each.get(number))] = self._cpus(each)
        return found

    def _cpus(
        self, element: etree._Element | None, attribute: str = "cpuset"
    ) -> frozenset[int] | None:
        text = None if element is None else element.get(attribute)
        if text is None:
            return None
        try:
            return cpuset.parsed(text)
        except ValueError as error:
            self._problems.append(str(error))
            return None

    def _number(self, text: str | None) -> int:
        number = (text or "").strip()
        if not (number.isascii() and number.isdigit()) or (
            len(number) > len(str(_MOST_VCPUS)) or int(number) > _MOST_VCPUS
        ):
            self._problems.append(f"{shown(number)} is not a number here")
            return 0
        return int(number)

    def _kib(
        self, element: etree._Element | None, text: str | None = None
    ) -> int:
        """An amount of memory; libvirt writes it in KiB."""
        if element is None:
            return 0
        number = (element.text if text is None else text) or ""
        unit = _KIB.get(element.get("unit", "KiB"))
        number = number.strip()
        if unit is None or not (
            number.isascii() and number.isdigit() and len(number) < 19
        ):
            self._problems.append(f"{shown(number)} is no amount of memory")
            return 0
        return int(number) * unit

    def _text(self, path: str) -> str:
        return (self._root.findtext(path) or "").strip()

    def _nova(self) -> etree._Element | None:
        for each in self._root.iterfind("./metadata/*"):
            name = etree.QName(each)
            if (name.namespace or "").startswith(_NOVA) and (
                name.localname == "instance"
            ):
                return each
        return None

    def _server(self) -> str:
        instance = self._nova()
        if instance is None:
            return ""
        return (instance.findtext("{*}name") or "").strip()
