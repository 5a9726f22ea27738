"""The hosts of a cloud as they are after some moves, and what fits there.

Beneath every plan: the same engine, asked with those before counted. What is
known of a server beside the engine, its server group and the hosts that it
may go to, is asked here, too. Does not know what a plan is for.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.fleet.hosts import CloudHost
from pinning_filter.fleet.servers import Group, GroupPolicy, Server

#: Names of the hosts that a server may go to; None: any that is open.
Allowed = Callable[[Server], AbstractSet[str] | None]

#: The filters of Nova's that server groups are for.
GROUP_FILTERS = {
    GroupPolicy.AFFINITY: "ServerGroupAffinityFilter",
    GroupPolicy.ANTI_AFFINITY: "ServerGroupAntiAffinityFilter",
}


def anywhere(server: Server) -> None:
    """Every open host will do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """A server goes from one host to another."""

    server: Server
    source: str  #: name of the host that it leaves
    target: str  #: name of the host that it goes to
    #: Where it will sit there; None: nowhere in particular.
    placement: Placement | None


class Place(NamedTuple):
    """Where a server fits; the lowest is the tightest."""

    free: int  #: pCPUs of the host before, or MiB for a floating server
    name: str  #: of the host
    placement: Placement | None

    @property
    def key(self) -> tuple[int, str]:
        """Sorts places."""
        return self.free, self.name


def place(host: CloudHost, server: Server) -> Place | None:
    """Where a server would sit on a host, groups aside; None: it cannot."""
    answer = host.answer(server)
    if isinstance(answer, Refusal):
        return None
    free = host.host.free_pcpus
    if server.topology is None and host.inventories:
        memory = host.inventories.get("MEMORY_MB")
        free = memory.free if memory else 0
    return Place(free, host.name, answer)


class Places:
    """The open hosts of a cloud, and what fits on each as it is now.

    What is found out of a host that does not change is kept: a cloud has few
    flavors, and to ask what happens if any one host fails is to ask the same
    of all others again and again.
    """

    def __init__(self, hosts: Iterable[CloudHost]) -> None:
        known = tuple(hosts)
        self.hosts = {host.name: host for host in known if not host.closed}
        #: Of servers in groups, the names of their hosts.
        self.homes = _homes(known)
        #: By kind, a server of it and its places.
        self._kept: dict[object, tuple[Server, tuple[Place, ...]]] = {}

    def of(self, server: Server) -> tuple[Place, ...]:
        """Where a server fits now, the fullest host first.

        Ties: the host's name. Groups, and whether it may, are not asked.
        """
        if server.kind not in self._kept:
            found = (place(host, server) for host in self.hosts.values())
            self._kept[server.kind] = server, _sorted(found)
        return self._kept[server.kind][1]

    def after(
        self, changed: Mapping[str, CloudHost], gone: AbstractSet[str]
    ) -> Places:
        """The same when some hosts have changed, and others are gone."""
        left = Places(())
        left.hosts = {
            name: host
            for name, host in {**self.hosts, **changed}.items()
            if name not in gone
        }
        left.homes = self.homes | _homes(changed.values())
        for kind, (server, found) in self._kept.items():
            again = (
                place(host, server)
                for name, host in changed.items()
                if name not in gone
            )
            same = (
                each
                for each in found
                if each.name not in changed and each.name not in gone
            )
            left._kept[kind] = server, _sorted(itertools.chain(again, same))
        return left


class Layout:
    """A plan in the making: the hosts after the moves so far.

    :param gone: names of hosts that take nobody, lost or to be emptied.
    """

    def __init__(
        self, places: Places, gone: AbstractSet[str], allowed: Allowed
    ) -> None:
        self.places, self.gone, self._allowed = places, gone, allowed
        self.changed: dict[str, CloudHost] = {}
        self._moved: dict[str, str] = {}

    def anew(self) -> Layout:
        """Before any move."""
        return Layout(self.places, self.gone, self._allowed)

    def saved(self) -> tuple[dict[str, CloudHost], dict[str, str]]:
        """For :meth:`restore`."""
        return dict(self.changed), dict(self._moved)

    def restore(
        self, saved: tuple[dict[str, CloudHost], dict[str, str]]
    ) -> None:
        """Forget the moves since then."""
        self.changed, self._moved = dict(saved[0]), dict(saved[1])

    def host(self, name: str) -> CloudHost:
        """The host as it is then."""
        return self.changed.get(name) or self.places.hosts[name]

    def put(self, server: Server, place: Place) -> None:
        """The server arrives."""
        host = self.host(place.name)
        self.changed[place.name] = host.adding(server, place.placement)
        self._moved[server.id] = place.name

    def take(self, server: Server, name: str) -> None:
        """The server leaves, and is nowhere until it is put somewhere."""
        if name not in self.gone:
            self.changed[name] = self.host(name).without(server)
        self._moved[server.id] = ""

    def has_moved(self, server: Server) -> bool:
        """Whether the server is not where it was before the plan."""
        return server.id in self._moved

    def may(self, server: Server, name: str) -> bool:
        """Whether the host is one of those that a server may ever go to."""
        if name in self.gone:
            return False
        allowed = self._allowed(server)
        return allowed is None or name in allowed

    def against(self, server: Server, name: str) -> Refusal | None:
        """What beside room keeps a server from a host; None: nothing."""
        if not self.may(server, name):
            return Refusal((Fact(Code.AGGREGATE),))
        group = server.group
        if group and not group.allows(name, *self._neighbours(server, group)):
            detail = GROUP_FILTERS[group.policy]
            return Refusal((Fact(Code.OTHER_FILTER, detail=detail),))
        return None

    def _neighbours(
        self, server: Server, group: Group
    ) -> tuple[str, Mapping[str, int]]:
        """Where a server is, and how many others of its group hosts have."""
        homes = self._homes
        return homes.get(server.id, ""), group.others(server.id, homes)

    def place(self, server: Server, name: str) -> Place | None:
        """Where a server would sit on a host then; None: it cannot go."""
        if self.against(server, name) is not None:
            return None
        return place(self.host(name), server)

    def choices(
        self, server: Server, not_on: str = "", tightest: bool = True
    ) -> Iterator[Place]:
        """Where a server can go then: the fullest host, or the emptiest.

        Of a soft server group, the best for the group first. Ties: the name.
        """
        group = server.group
        if group is None:
            return self._choices(server, not_on, tightest)
        home, others = self._neighbours(server, group)
        found = (
            each
            for each in self._choices(server, not_on, tightest)
            if group.allows(each.name, home, others)
        )
        if group.policy is GroupPolicy.SOFT_AFFINITY:
            return _first(found, others)
        if group.policy is GroupPolicy.SOFT_ANTI_AFFINITY:
            return _last(found, others)
        return found

    def _choices(
        self, server: Server, not_on: str, tightest: bool
    ) -> Iterator[Place]:
        """Whatever its server group says."""
        known = self.places.of(server)
        allowed = self._allowed(server)
        barred = {not_on, *self.gone}

        def may(name: str) -> bool:
            return name not in barred and (allowed is None or name in allowed)

        unchanged = (
            each
            for each in (known if tightest else reversed(known))
            if each.name not in self.changed and may(each.name)
        )
        some = _sorted(
            place(host, server)
            for name, host in self.changed.items()
            if may(name)
        )
        return heapq.merge(
            some if tightest else some[::-1],
            unchanged,
            key=lambda each: each.key,
            reverse=not tightest,
        )

    @property
    def _homes(self) -> Mapping[str, str]:
        if not self._moved:
            return self.places.homes
        return collections.ChainMap(self._moved, self.places.homes)


def _first(
    found: Iterable[Place], others: Mapping[str, int]
) -> Iterator[Place]:
    """Those with most others of the group first."""
    if not others:
        return iter(found)
    return iter(sorted(found, key=lambda each: -others.get(each.name, 0)))


def _last(
    found: Iterable[Place], others: Mapping[str, int]
) -> Iterator[Place]:
    """Those with most others of the group last."""
    later = []
    for each in found:
        if each.name in others:
            later.append(each)
        else:
            yield each
    yield from sorted(later, key=lambda each: others[each.name])


def _homes(hosts: Iterable[CloudHost]) -> dict[str, str]:
    return {
        server.id: host.name
        for host in hosts
        for server in host.servers
        if server.group
    }


def _sorted(found: Iterable[Place | None]) -> tuple[Place, ...]:
    return tuple(sorted(filter(None, found), key=lambda each: each.key))
