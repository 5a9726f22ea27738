"""A server, as whoever plans a move sees it.

What it holds of a host beside NUMA cells, how it can be moved, and with whom
it may share a host. Does not know where it sits: that is
:class:`~pinning_filter.fleet.hosts.Guest`'s, if it sits anywhere in
particular.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from pinning_filter.core.request import Request


class GroupPolicy(str, enum.Enum):
    """A server group's policy; the values are Nova's."""

    #: *Hard*: only where one of the group is already.
    AFFINITY = "affinity"
    #: *Hard*: so many of the group a host, and no more.
    ANTI_AFFINITY = "anti-affinity"
    SOFT_AFFINITY = "soft-affinity"  #: *preference*
    SOFT_ANTI_AFFINITY = "soft-anti-affinity"  #: *preference*


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """A server group."""

    id: str  #: its UUID
    policy: GroupPolicy
    members: AbstractSet[str]  #: the servers' UUIDs
    #: ``max_server_per_host``, for :attr:`GroupPolicy.ANTI_AFFINITY`.
    most: int = 1

    def others(
        self, server: str, homes: Mapping[str, str]
    ) -> Mapping[str, int]:
        """How many others of the group each host has.

        :param homes: server -> host, of all members that have one.
        """
        return collections.Counter(
            homes[each]
            for each in self.members
            if each != server and each in homes
        )

    def allows(self, host: str, home: str, others: Mapping[str, int]) -> bool:
        """Whether Nova's filters let a member go to a host.

        As ``ServerGroupAffinityFilter`` and its opposite: the host that the
        member leaves counts among those of its group.

        :param home: the host that the member is on.
        :param others: what :meth:`others` says of the member.
        """
        if self.policy is GroupPolicy.AFFINITY:
            return host == home or others.get(host, 0) > 0
        if self.policy is GroupPolicy.ANTI_AFFINITY:
            return others.get(host, 0) < self.most
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class Server:
    """A server that may have to move.

    Texts are those of tenants: hostile until escaped by whoever shows them.
    """

    id: str  #: its UUID
    name: str = dataclasses.field(default="", kw_only=True)
    flavor: str = dataclasses.field(default="", kw_only=True)  #: its name
    #: Why it cannot be migrated live, as a clause; empty: it can.
    fixed: str = dataclasses.field(default="", kw_only=True)
    #: Why it cannot be migrated at all, as a clause; empty: it can.
    stays: str = dataclasses.field(default="", kw_only=True)
    #: What it holds of a host in the Placement API's books, by class.
    amounts: Mapping[str, int] = dataclasses.field(
        default_factory=dict, kw_only=True
    )
    group: Group | None = dataclasses.field(default=None, kw_only=True)
    #: Its PCI requests, each as the JSON of one of Nova's.
    devices: tuple[str, ...] = dataclasses.field(default=(), kw_only=True)
    paused: bool = dataclasses.field(default=False, kw_only=True)
    #: The availability zone asked for; empty: any; None: not known.
    zone: str | None = dataclasses.field(default=None, kw_only=True)

    @property
    def topology(self) -> Request | None:
        """What it asks of NUMA cells; None: nothing, it floats."""
        return None

    @property
    def pcpus(self) -> int:
        """The pCPUs that it takes for itself, emulator threads included."""
        return 0

    @property
    def kind(self) -> object:
        """Equal for servers that fit the same hosts, groups aside."""
        return self.topology, frozenset(self.amounts.items()), self.devices
