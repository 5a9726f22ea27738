"""The answer "yes": where each part of the guest sits.

Made by ``fit``, read by everything after it: the scheduler's log, the claim
on the compute node, the domain XML, the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.host import HostCell
from pinning_filter.core.request import GuestCell, Request


class CellPlacement(NamedTuple):
    """One guest cell on one host cell."""

    guest_cell: GuestCell
    host_cell: HostCell
    pinning: Mapping[int, int]  #: dedicated vCPU -> pCPU of the host cell
    #: The page size chosen, in KiB; None where the guest asked for none.
    page_size_kib: int | None = None
    #: pCPUs of the host cell kept for the guest's emulator threads.
    reserved: AbstractSet[int] = frozenset()

    @property
    def taken(self) -> frozenset[int]:
        """The pCPUs that guest vCPUs and emulator threads run on.

        With ``isolate``, the idle siblings are not among them.
        """
        return frozenset(self.pinning.values()) | self.reserved


class Placement(NamedTuple):
    """Every guest cell on a host cell of its own.

    Invariants: ``cells[i]`` places ``request.cells[i]``; no host cell and
    no pCPU appears twice; every dedicated vCPU has a pCPU, free before, of
    the host cell that its guest cell sits on.
    """

    request: Request
    cells: tuple[CellPlacement, ...]

    @property
    def pinning(self) -> dict[int, int]:
        """vCPU -> pCPU over all cells, in order of vCPUs."""
        return dict(
            sorted(
                pair for cell in self.cells for pair in cell.pinning.items()
            )
        )

    @property
    def taken(self) -> frozenset[int]:
        """The pCPUs of all cells, as :attr:`CellPlacement.taken` has them."""
        return frozenset[int]().union(*(cell.taken for cell in self.cells))

    @property
    def reserved(self) -> frozenset[int]:
        """pCPUs kept for emulator threads."""
        return frozenset().union(*(cell.reserved for cell in self.cells))
