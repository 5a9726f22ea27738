"""Which hosts may fail: whether their servers would all find a place.

After :mod:`~pinning_filter.fleet.evacuation`, which is asked once for each
host. Says nothing of how a server is evacuated, nor in what order Nova would
do it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterator, Sequence

from pinning_filter.fleet import missing
from pinning_filter.fleet.evacuation import Evacuation, evacuate
from pinning_filter.fleet.exhaustive import Homeless
from pinning_filter.fleet.hosts import Cloud, CloudHost
from pinning_filter.fleet.layout import Allowed, Places, anywhere
from pinning_filter.fleet.servers import Server


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Hosts that fail at once, and what becomes of their servers."""

    hosts: tuple[str, ...]  #: names, the one that was asked about first
    servers: int  #: that lose their host
    pcpus: int  #: that these servers take
    #: Those for whom no place was found, the largest first.
    stuck: tuple[Server, ...] = ()
    #: Why the first of these fits on no host that is left; empty: all fit,
    #: or it was not asked.
    missing: str = ""

    @property
    def survived(self) -> bool:
        """Whether every server finds a place."""
        return not self.stuck

    @property
    def stuck_pcpus(self) -> int:
        """The pCPUs that those without a place take."""
        return sum(server.pcpus for server in self.stuck)


class Survival:
    """What a cloud survives.

    :param allowed: which hosts a server may go to.
    """

    def __init__(self, cloud: Cloud, allowed: Allowed = anywhere) -> None:
        self._hosts = {host.name: host for host in cloud.hosts}
        self._places = Places(cloud.hosts)
        self._allowed = allowed

    def losses(self, count: int = 1, *, why: bool = True) -> Iterator[Loss]:
        """For each host that has servers: it fails.

        :param count: how many hosts fail at once: the host, and with it
            those of the others whose servers take the most pCPUs.
        :param why: whether to find out what is missing, which asks every
            host that is left.
        """
        by_pcpus = self._fullest()
        for name, host in self._hosts.items():
            if host.servers:
                others = (each for each in by_pcpus if each != name)
                names = [name, *itertools.islice(others, count - 1)]
                yield self._loss(self._places, self._hosts, names, why)[0]

    def loss(self, names: Sequence[str]) -> Loss:
        """These hosts fail at once."""
        return self._loss(self._places, self._hosts, names, True)[0]

    def in_turn(self, most: int | None = None) -> int:
        """How many hosts can fail one after the other, the fullest first.

        Each time the host fails whose servers take the most pCPUs, those that
        it has taken in included; the count ends with the first whose servers
        do not all find a place. Closed hosts fail like others, and take
        nobody in.

        :param most: where counting ends; None: with the last host.
        """
        hosts, places = dict(self._hosts), self._places
        failed = 0
        while any(host.servers for host in hosts.values()):
            if failed == most:
                return failed
            fullest = max(hosts.values(), key=_taken).name
            loss, found = self._loss(places, hosts, [fullest], False)
            if not loss.survived:
                return failed
            hosts |= found.hosts
            del hosts[fullest]
            places = places.after(found.hosts, {fullest})
            failed += 1
        return len(self._hosts) if most is None else most

    def _loss(
        self,
        places: Places,
        hosts: dict[str, CloudHost],
        names: Collection[str],
        why: bool,
    ) -> tuple[Loss, Evacuation]:
        gone = set(names)
        leaving = [
            Homeless(server, name)
            for name in names
            for server in hosts[name].servers
        ]
        found = evacuate(places, leaving, gone, self._allowed)
        stuck = sorted(found.stuck, key=lambda each: (-each.pcpus, each.id))
        loss = Loss(
            tuple(names),
            len(leaving),
            sum(each.server.pcpus for each in leaving),
            tuple(stuck),
            missing.sentence(found.layout, stuck[0]) if stuck and why else "",
        )
        return loss, found

    def _fullest(self) -> list[str]:
        return [
            host.name
            for host in sorted(
                self._hosts.values(),
                key=lambda host: (-_taken(host)[0], host.name),
            )
        ]


def _taken(host: CloudHost) -> tuple[int, str]:
    """Sorts hosts by the pCPUs that their servers take; ties: the name."""
    return sum(guest.pcpus for guest in host.guests), host.name
