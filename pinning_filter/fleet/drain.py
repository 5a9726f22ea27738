"""Emptying a host: where each of its servers goes, and in which order.

Above :mod:`~pinning_filter.fleet.evacuation`, which finds the way. Plans
only; how a step is carried out is for whoever shows the plan.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet import missing
from pinning_filter.fleet.evacuation import Evacuation, evacuate
from pinning_filter.fleet.exhaustive import Homeless
from pinning_filter.fleet.hosts import Cloud, CloudHost
from pinning_filter.fleet.layout import Allowed, Places, anywhere
from pinning_filter.fleet.servers import GroupPolicy, Server
from pinning_filter.fleet.steps import Step, steps


@dataclasses.dataclass(frozen=True, slots=True)
class Stuck:
    """A server for which there is no way off the host."""

    server: Server
    why: str  #: a sentence
    #: What would help, the nearest first, as sentences.
    helps: tuple[str, ...] = ()
    #: Whether no plan at all can find it a place.
    impossible: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Drain:
    """How far a host can be emptied."""

    host: str  #: its name
    steps: tuple[Step, ...]
    stuck: tuple[Stuck, ...]  #: the largest first
    #: Why not all can have a place, whatever moves; empty: it is not known.
    impossible: str = ""

    @property
    def others(self) -> int:
        """How many servers of other hosts have to move."""
        return sum(step.move.source != self.host for step in self.steps)


def drain(cloud: Cloud, name: str, allowed: Allowed = anywhere) -> Drain:
    """A plan that empties a host.

    Servers that cannot be migrated stay. Of other hosts only those move that
    can be migrated live, and none where there is a direct way.

    :raises KeyError: if there is no such host.
    """
    hosts = {host.name: host for host in cloud.hosts}
    servers = hosts[name].servers
    leaving = [Homeless(each, name) for each in servers if not each.stays]
    places = Places(cloud.hosts)
    found = evacuate(places, leaving, {name}, allowed, making_way=True)
    stuck = [
        *(Stuck(each, f"It cannot be migrated: {each.stays}.", (), True)
          for each in servers if each.stays),
        *_stuck(cloud, name, found),
    ]
    stuck.sort(key=lambda each: (-each.server.pcpus, each.server.id))
    return Drain(
        name,
        steps(found.moves, hosts),
        tuple(stuck),
        _too_few(leaving, places, name),
    )


def _stuck(cloud: Cloud, name: str, found: Evacuation) -> Iterator[Stuck]:
    closed = [
        host for host in cloud.hosts if host.closed and host.name != name
    ]
    for server in found.stuck:
        yield Stuck(
            server,
            missing.sentence(found.layout, server),
            missing.helps(found.layout, server, closed),
            _nowhere(server, found),
        )


def _nowhere(server: Server, found: Evacuation) -> bool:
    """Whether it fits on no host even when all that can leave it have left.

    Or all of a group that stays together are on the host to be emptied.
    """
    layout = found.layout.anew()
    group = server.group
    if group and group.policy is GroupPolicy.AFFINITY:
        homes = layout.places.homes
        known = group.members & homes.keys()
        if {homes[each] for each in known} <= layout.gone:
            return True
    return not any(
        layout.may(server, name) and _fits(_emptied(host), server)
        for name, host in layout.places.hosts.items()
    )


def _emptied(host: CloudHost) -> CloudHost:
    for each in host.servers:
        if not (each.fixed or each.stays):
            host = host.without(each)
    return host


def _fits(host: CloudHost, server: Server) -> bool:
    return not isinstance(host.answer(server), Refusal)


def _too_few(
    leaving: Sequence[Homeless], places: Places, name: str
) -> str:
    """Counted over all hosts, which no move changes."""
    needed = sum(each.server.pcpus for each in leaving)
    free = _free(host for host in places.hosts.values() if host.name != name)
    if needed <= free:
        return ""
    return (
        f"its servers take {needed} pCPUs, and {free} are free on all hosts "
        "that take servers"
    )


def _free(hosts: Iterable[CloudHost]) -> int:
    return sum(host.host.free_pcpus for host in hosts)
