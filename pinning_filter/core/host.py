"""The supply: what each NUMA cell of a host has, and what is in use.

First in the flow ``request -> fit -> placement -> domain XML``. Knows
nothing of guests, of Nova or of libvirt. Values only: nothing here changes
after it is made, and the sets handed in are held, not copied, so whoever
made them must leave them alone.

Hosts are named tuples where requests are dataclasses: a scheduler makes two
and more cells for every host of a cloud on every request, and a frozen
dataclass of this many fields takes six times as long to make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from pinning_filter.core.errors import InvalidHost

_NONE: frozenset[int] = frozenset()
_NOWHERE: Mapping[int, int] = {}


class Pages(NamedTuple):
    """The memory pages of one size in one host cell."""

    size_kib: int  #: size of one page, in KiB
    total: int  #: pages of this size
    used: float = 0  #: pages that guests hold (Nova may keep a fraction)
    reserved: int = 0  #: pages kept from guests (``reserved_huge_pages``)

    @property
    def free_kib(self) -> float:
        """Memory in free pages of this size, in KiB; may be negative."""
        return (self.total - self.used - self.reserved) * self.size_kib

    @property
    def total_kib(self) -> int:
        """Memory in all pages of this size, in KiB."""
        return self.total * self.size_kib


class _HostCellFields(NamedTuple):
    id: int  #: the number by which libvirt knows the cell
    dedicated: AbstractSet[int]  #: pCPUs open to pinning (Nova: pcpuset)
    pinned: AbstractSet[int]  #: pCPUs taken by pinned guests
    #: The cores: each the set of its thread siblings, shared ones included.
    siblings: Sequence[AbstractSet[int]]
    shared: AbstractSet[int]  #: pCPUs for floating vCPUs (Nova: cpuset)
    shared_used: int  #: floating vCPUs placed here
    memory_kib: int  #: all memory of the cell
    memory_used_kib: int  #: memory that guests were promised
    pages: Sequence[Pages]  #: by page size; empty: sizes are unknown
    socket: int | None  #: the processor package; None: unknown
    physnets: AbstractSet[str]  #: physical networks with a NIC here
    tunneled: bool  #: whether tunnels end at a NIC here
    #: pCPUs that share a last-level cache, each such set; empty: unknown.
    caches: Sequence[AbstractSet[int]]
    #: Host cell -> how far its memory is, 10 being local; empty: unknown.
    distances: Mapping[int, int]
    free: AbstractSet[int]  #: pCPUs that a guest may be pinned to now
    threads: int  #: threads of the largest core; 1 on a cell without SMT


class HostCell(_HostCellFields):
    """One NUMA cell of a host.

    A cell of two cores with two threads each, one thread in use:

    >>> cell = HostCell(0, dedicated={0, 1, 2, 3}, pinned={1},
    ...                 siblings=[{0, 1}, {2, 3}], memory_kib=4 << 20)
    >>> sorted(cell.free)
    [0, 2, 3]

    :raises InvalidHost: for a negative id or quantity. Whether sets overlap
        that must not is asked by :meth:`Host.check`.
    """

    __slots__ = ()

    def __new__(
        cls,
        id: int,
        dedicated: AbstractSet[int],
        pinned: AbstractSet[int] = _NONE,
        siblings: Sequence[AbstractSet[int]] = (),
        shared: AbstractSet[int] = _NONE,
        shared_used: int = 0,
        memory_kib: int = 0,
        memory_used_kib: int = 0,
        pages: Sequence[Pages] = (),
        socket: int | None = None,
        physnets: AbstractSet[str] = frozenset(),
        tunneled: bool = False,
        caches: Sequence[AbstractSet[int]] = (),
        distances: Mapping[int, int] = _NOWHERE,
    ) -> HostCell:
        problems = [
            f"{name} is {number}, which is below 0"
            for name, number in (
                ("id", id),
                ("shared_used", shared_used),
                ("memory_kib", memory_kib),
                ("memory_used_kib", memory_used_kib),
            )
            if number < 0
        ]
        if problems:
            raise InvalidHost(f"host cell {id}", problems)
        return cls._make(
            (
                id,
                dedicated,
                pinned,
                siblings,
                shared,
                shared_used,
                memory_kib,
                memory_used_kib,
                pages,
                socket,
                physnets,
                tunneled,
                caches,
                distances,
                dedicated - pinned,
                threads_of(siblings),
            )
        )

    def __getnewargs__(self) -> tuple[Any, ...]:
        """For ``copy`` and ``pickle``: the last two are worked out again."""
        return self[:-2]

    @property
    def memory_free_kib(self) -> int:
        """Memory not yet promised, in KiB; negative when overcommitted."""
        return self.memory_kib - self.memory_used_kib


def threads_of(siblings: Sequence[AbstractSet[int]]) -> int:
    """Threads of the largest core, 1 where there is none."""
    return max(map(len, siblings), default=1) or 1


def given_out(
    cell: HostCell, dedicated: AbstractSet[int], shared: AbstractSet[int]
) -> HostCell:
    """The cell as Nova reports it with these pCPUs given out to guests.

    Of cores and caches there is left what is given out: a core of which one
    thread is kept back is a core without SMT. Source: Nova
    (``LibvirtDriver._get_host_numa_topology``).

    >>> cell = HostCell(0, dedicated=set(range(4)), siblings=[{0, 1}, {2, 3}])
    >>> given_out(cell, {0, 2, 3}, set()).siblings
    [{0}, {2, 3}]
    """
    usable = dedicated | shared
    siblings = [
        # What is whole stays the same, and so does the order within it.
        core if core <= usable else core & usable
        for core in cell.siblings
        if core & usable
    ]
    own = frozenset(cell.dedicated).union(*cell.siblings)
    return cell._replace(
        dedicated=own & dedicated,
        shared=own & shared,
        siblings=siblings,
        caches=[bank & usable for bank in cell.caches if bank & usable],
        free=(own & dedicated) - cell.pinned,
        threads=threads_of(siblings),
    )


class Host(NamedTuple):
    """The NUMA cells of a host, and how far shared parts are overcommitted."""

    cells: Sequence[HostCell]  #: each with an id of its own
    cpu_ratio: float | None = None  #: floating vCPUs a shared pCPU; None: any
    ram_ratio: float | None = None  #: promised memory a byte; None: any

    @property
    def has_threads(self) -> bool:
        """Whether any core of the host has more than one thread."""
        return any(
            len(core) > 1 for cell in self.cells for core in cell.siblings
        )

    @property
    def dedicated(self) -> frozenset[int]:
        """Its pCPUs that are open to pinning, of all cells."""
        return frozenset[int]().union(*(cell.dedicated for cell in self.cells))

    @property
    def free_pcpus(self) -> int:
        """How many dedicated pCPUs no guest is pinned to."""
        return sum(len(cell.free) for cell in self.cells)

    def check(self) -> Host:
        """Return the host itself if it can be a machine.

        For hosts that were written or read from a file; those that Nova
        reports are only checked where they are used.

        :raises InvalidHost: with every problem.
        """
        problems: list[str] = []
        ids = [cell.id for cell in self.cells]
        if len(set(ids)) < len(ids):
            problems.append(f"its cell ids repeat: {ids}")
        owner: dict[int, int] = {}
        for cell in self.cells:
            problems += _cell_problems(cell)
            for pcpu in cell.dedicated | cell.shared:
                if owner.setdefault(pcpu, cell.id) != cell.id:
                    problems.append(
                        f"pCPU {pcpu} is in cells {owner[pcpu]} and {cell.id}"
                    )
        for name in ("cpu_ratio", "ram_ratio"):
            ratio = getattr(self, name)
            if ratio is not None and not ratio > 0:
                problems.append(f"{name} is {ratio}, which is not above 0")
        if not self.cells:
            problems.append("it has no NUMA cell")
        if problems:
            raise InvalidHost("host", problems)
        return self


def _cell_problems(cell: HostCell) -> list[str]:
    problems: list[str] = []
    where = f"cell {cell.id}: "
    seen: set[int] = set()
    for core in cell.siblings:
        if seen & core:
            problems.append(
                f"{where}pCPUs {sorted(seen & core)} are in several cores"
            )
        seen |= core
    if missing := cell.dedicated - seen:
        problems.append(f"{where}pCPUs {sorted(missing)} are in no core")
    sizes = [pages.size_kib for pages in cell.pages]
    if len(set(sizes)) < len(sizes):
        problems.append(f"{where}page sizes repeat: {sizes} KiB")
    for pages in cell.pages:
        if pages.size_kib < 1:
            problems.append(f"{where}a page of {pages.size_kib} KiB")
        if min(pages.total, pages.used, pages.reserved) < 0:
            problems.append(
                f"{where}pages of {pages.size_kib} KiB: a count below 0"
            )
    return problems
