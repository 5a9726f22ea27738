"""Whether the others have room for the guests of a host that fails.

Beside :mod:`~pinning_filter.fleet.score`, for whoever chooses between hosts
many times a second: an estimate from counts of pCPUs. How large the guests of
a host are is not known here; :mod:`~pinning_filter.fleet.survival` knows, and
tries to place each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement


class Need(NamedTuple):
    """A host that a guest may come to, in pCPUs."""

    free: int  #: before
    lost: int  #: those of its guests, if it failed with this one on it


def need(host: Host, placement: Placement) -> Need:
    """What a host has free, and what its failure would cost after a placement.

    >>> from pinning_filter.core import fit, request, synthetic
    >>> host = synthetic.host("cell:2 core:4", {4, 5})
    >>> one = request.Request((request.GuestCell(frozenset({0})),))
    >>> need(host, fit.fit(host, one))
    Need(free=6, lost=3)
    """
    policy = placement.request.thread_policy
    taken = sum(
        len(usage.occupied(placed.host_cell, placed, policy))
        for placed in placement.cells
    )
    in_use = sum(len(cell.dedicated - cell.free) for cell in host.cells)
    return Need(host.free_pcpus, in_use + taken)


def put_last(needs: Sequence[Need], numbers: Sequence[float]) -> list[float]:
    """The numbers, lower where no room would be left for a failure.

    Where the guests of a host would take more pCPUs than all the other hosts
    have free, its number is lowered below those of the hosts where they would
    not, and more the more pCPUs are missing.

    >>> put_last([Need(8, 8), Need(8, 9)], [-0.5, -0.5])
    [-0.5, -2.5]

    :param numbers: one for each choice, the highest is the best.
    """
    total = sum([each.free for each in needs])
    missing = [max(0, lost - (total - free)) for free, lost in needs]
    most = max(missing, default=0)
    # Far enough to be last and no farther, since weights are made of these.
    apart = max(numbers, default=0) - min(numbers, default=0) or 1.0
    return [
        number - apart * (1 + short / most) if short else number
        for number, short in zip(numbers, missing, strict=True)
    ]
