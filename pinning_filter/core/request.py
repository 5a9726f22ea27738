"""The demand: what a flavor and an image ask of a host.

Extra specs and image properties are parsed elsewhere (by Nova itself); what
arrives here is their meaning. Knows nothing of any host.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Set as AbstractSet

from pinning_filter.core import cpuset
from pinning_filter.core.errors import InvalidRequest

#: A guest of more has vCPUs for which no machine has pCPUs. Nova takes long
#: to read it, and longer the larger it is.
MOST_VCPUS = cpuset.LARGEST_ID + 1


class CpuPolicy(str, enum.Enum):
    """``hw:cpu_policy``: where vCPUs may run."""

    SHARED = "shared"  #: float over the shared pCPUs of their host cell
    DEDICATED = "dedicated"  #: each alone on a pCPU of its own
    MIXED = "mixed"  #: some dedicated, the rest shared


class ThreadPolicy(str, enum.Enum):
    """``hw:cpu_thread_policy``: how dedicated vCPUs treat SMT siblings.

    Rules for one guest cell; a guest cell without dedicated vCPUs is free of
    them.
    """

    #: *Preference*: siblings together, emptier cores first.
    PREFER = "prefer"
    #: *Hard*: every vCPU on a wholly free core, whose other threads stay idle.
    ISOLATE = "isolate"
    #: *Hard*: every core that is used had two free threads at least, and
    #: every vCPU shares its core with another vCPU of the guest cell, save at
    #: most one.
    REQUIRE = "require"


class PageSize(enum.IntEnum):
    """``hw:mem_page_size`` where it is not a size; Nova's own numbers."""

    SMALL = -1  #: the smallest size that the host cell has
    LARGE = -2  #: any but the smallest, the largest that fits
    ANY = -3  #: the largest that fits


@dataclasses.dataclass(frozen=True, slots=True)
class GuestCell:
    """One NUMA cell of a guest.

    >>> GuestCell(dedicated=frozenset({0, 1}), memory_kib=1 << 20)
    ... # doctest: +ELLIPSIS
    GuestCell(dedicated=frozenset({0, 1}), ...)
    """

    dedicated: AbstractSet[int] = frozenset()  #: vCPUs to pin (Nova: pcpuset)
    shared: AbstractSet[int] = frozenset()  #: floating vCPUs (Nova: cpuset)
    memory_kib: int = 0  #: the cell's share of the guest's memory
    #: Page size in KiB, a :class:`PageSize`, or None where nothing is asked.
    page_size: int | None = None

    @property
    def vcpus(self) -> AbstractSet[int]:
        """All vCPUs of the cell."""
        return self.dedicated | self.shared


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """All that a guest asks of the NUMA cells of one host.

    :raises InvalidRequest: with every problem: no cell, a vCPU in two
        places, vCPUs that the policy has no room for, a page size that is
        neither a size nor a :class:`PageSize`, negative memory.
    """

    cells: tuple[GuestCell, ...]  #: in the guest's own order
    cpu_policy: CpuPolicy = CpuPolicy.DEDICATED
    thread_policy: ThreadPolicy = ThreadPolicy.PREFER
    #: ``hw:emulator_threads_policy=isolate``: *hard*, one more pCPU on the
    #: host cell of guest cell 0.
    emulator_isolated: bool = False
    #: *Hard*: where host cells have a NIC on one of these networks, one of
    #: them must be among the chosen.
    physnets: AbstractSet[str] = frozenset()
    tunneled: bool = False  #: *Hard*: the same for the end of tunnels
    #: Whether any vCPU may need a pCPU of its own.
    pinned: bool = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pinned = self.cpu_policy is not CpuPolicy.SHARED
        object.__setattr__(self, "pinned", pinned)
        problems = list(self._problems())
        if problems:
            raise InvalidRequest("request", problems)

    def _problems(self) -> list[str]:
        problems = [] if self.cells else ["it has no guest cell"]
        seen: set[int] = set()
        for index, cell in enumerate(self.cells):
            where = f"guest cell {index}: "
            twice = (cell.dedicated & cell.shared) | (seen & cell.vcpus)
            seen |= cell.vcpus
            if twice:
                problems.append(f"{where}vCPUs {sorted(twice)} appear twice")
            if cell.memory_kib < 0:
                problems.append(f"{where}memory is {cell.memory_kib} KiB")
            if cell.page_size is not None and (
                cell.page_size == 0 or cell.page_size < min(PageSize)
            ):
                problems.append(f"{where}page size {cell.page_size}")
            if cell.dedicated and self.cpu_policy == CpuPolicy.SHARED:
                problems.append(f"{where}dedicated vCPUs in a shared guest")
            if cell.shared and self.cpu_policy == CpuPolicy.DEDICATED:
                problems.append(f"{where}shared vCPUs in a dedicated guest")
        return problems

    @property
    def networks(self) -> bool:
        """Whether a host cell near some network may have to be chosen."""
        return self.tunneled or bool(self.physnets)

    def reserve(self, index: int) -> int:
        """pCPUs that guest cell ``index`` takes for emulator threads.

        None for a shared guest, as in Nova: there is nothing to be kept
        apart from.
        """
        return int(self.emulator_isolated and index == 0 and self.pinned)

    @property
    def pcpus(self) -> int:
        """The fewest pCPUs that a guest takes, emulator threads included."""
        return sum(
            len(cell.dedicated) + self.reserve(index)
            for index, cell in enumerate(self.cells)
        )
