"""Where the books of a host and its guests contradict each other.

One record that makes no sense must not cost the cloud: it is named, and
nothing is counted on what it holds. Values only; for the pictures, for plans,
for audits and for whoever warns.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.fleet.hosts import Guest


class Kind(str, enum.Enum):
    """What contradicts what. The values are stable."""

    HELD_TWICE = "held_twice"  #: pCPUs that several vCPUs are pinned to
    OUTSIDE = "outside"  #: pCPUs of a guest that are not for pinning
    ELSEWHERE = "elsewhere"  #: pCPUs of another host cell than the guest's
    UNPINNED = "unpinned"  #: dedicated vCPUs that have no pCPU


class Conflict(NamedTuple):
    """CPUs of a host about which its guests' records cannot be right."""

    kind: Kind
    cpus: frozenset[int]  #: pCPUs; of an unpinned guest its vCPUs
    guests: tuple[str, ...]  #: ids, in the order of the host's guests

    @property
    def clause(self) -> str:
        """What is wrong, without the names of host and guests.

        >>> Conflict(Kind.HELD_TWICE, frozenset({0, 1}), ("a", "b")).clause
        'pCPUs 0-1 are held by 2 servers'
        """
        one = len(self.cpus) == 1
        verb = "is" if one else "are"
        if self.kind is Kind.UNPINNED:
            vcpus = f"vCPU{'' if one else 's'} {cpuset.format(self.cpus)}"
            return f"dedicated {vcpus} of a server {verb} pinned to no pCPU"
        pcpus = f"{cpuset.named(self.cpus)} {verb}"
        if self.kind is Kind.OUTSIDE:
            return f"{pcpus} not dedicated, and a server is pinned there"
        if self.kind is Kind.ELSEWHERE:
            return f"{pcpus} of another NUMA cell than the server's"
        if len(self.guests) == 1:
            return f"{pcpus} held twice by a server"
        return f"{pcpus} held by {len(self.guests)} servers"


def of(host: Host, guests: Sequence[Guest]) -> list[Conflict]:
    """Every conflict, by CPU: those of the same guests together."""
    dedicated = host.dedicated
    holders: dict[int, list[str]] = collections.defaultdict(list)
    for guest in guests:
        for placed in guest.placement.cells:
            for pcpu in (*placed.pinning.values(), *placed.reserved):
                holders[pcpu].append(guest.id)
    found: dict[tuple[Kind, tuple[str, ...]], set[int]]
    found = collections.defaultdict(set)
    for pcpu, ids in sorted(holders.items()):
        who = tuple(dict.fromkeys(ids))
        if len(ids) > 1:
            found[Kind.HELD_TWICE, who].add(pcpu)
        if pcpu not in dedicated:
            found[Kind.OUTSIDE, who].add(pcpu)
    conflicts = [
        Conflict(kind, frozenset(pcpus), ids)
        for (kind, ids), pcpus in found.items()
    ]
    for guest in guests:
        conflicts += _of_itself(host, guest, dedicated)
    return conflicts


def _of_itself(
    host: Host, guest: Guest, dedicated: frozenset[int]
) -> Iterator[Conflict]:
    """What is wrong with a placement whoever else is there."""
    ours = {cell.id: cell.dedicated for cell in host.cells}
    elsewhere: set[int] = set()
    unpinned: set[int] = set()
    for placed in guest.placement.cells:
        there = ours.get(placed.host_cell.id, frozenset())
        elsewhere |= placed.taken - there
        unpinned |= placed.guest_cell.dedicated - placed.pinning.keys()
    if elsewhere & dedicated:
        yield Conflict(
            Kind.ELSEWHERE, frozenset(elsewhere & dedicated), (guest.id,)
        )
    if unpinned:
        yield Conflict(Kind.UNPINNED, frozenset(unpinned), (guest.id,))
