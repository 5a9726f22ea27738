"""Where the books of a host and its guests contradict each other.

One record that makes no sense must not cost the cloud: it is named, and
nothing is counted on what it holds. Values only; for the pictures, for plans
and for whoever warns.
"""

from __future__ import annotations

import collections
import enum
from collections.abc import Sequence
from typing import NamedTuple

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.fleet.hosts import Guest


class Kind(str, enum.Enum):
    """What contradicts what. The values are stable."""

    HELD_TWICE = "held_twice"  #: pCPUs that several guests are pinned to
    OUTSIDE = "outside"  #: pCPUs of a guest that are not for pinning


class Conflict(NamedTuple):
    """pCPUs of a host about which its guests' records cannot be right."""

    kind: Kind
    pcpus: frozenset[int]
    guests: tuple[str, ...]  #: ids, in the order of the host's guests

    @property
    def clause(self) -> str:
        """What is wrong, without the names of host and guests.

        >>> Conflict(Kind.HELD_TWICE, frozenset({0, 1}), ("a", "b")).clause
        'pCPUs 0-1 are held by 2 servers'
        """
        pcpus = cpuset.named(self.pcpus)
        verb = "is" if len(self.pcpus) == 1 else "are"
        if self.kind is Kind.HELD_TWICE:
            return f"{pcpus} {verb} held by {len(self.guests)} servers"
        return f"{pcpus} {verb} not dedicated, and a server is pinned there"


def of(host: Host, guests: Sequence[Guest]) -> list[Conflict]:
    """Every conflict, by pCPU: those held by the same guests together."""
    dedicated = frozenset[int]().union(*(c.dedicated for c in host.cells))
    holders: dict[int, list[str]] = collections.defaultdict(list)
    for guest in guests:
        for cell in guest.placement.cells:
            for pcpu in cell.taken:
                holders[pcpu].append(guest.id)
    found: dict[tuple[Kind, tuple[str, ...]], set[int]]
    found = collections.defaultdict(set)
    for pcpu, ids in sorted(holders.items()):
        if len(ids) > 1:
            found[Kind.HELD_TWICE, tuple(ids)].add(pcpu)
        if pcpu not in dedicated:
            found[Kind.OUTSIDE, tuple(ids)].add(pcpu)
    return [
        Conflict(kind, frozenset(pcpus), ids)
        for (kind, ids), pcpus in found.items()
    ]
