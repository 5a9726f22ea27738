"""Which guests to move so that more of one kind fit.

Beside the rule for one host: asks the same engine about many. Plans only;
who carries a plan out, and how, is not known here. PCI devices are not: a
guest that has any must be marked as fixed by whoever reads the cloud.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

from pinning_filter.core import usage
from pinning_filter.core.cloud import Cloud, CloudHost, Guest
from pinning_filter.core.fit import SPREAD, Strategy, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request

#: How many guests are taken off a host together in every possible way; more
#: only by taking off all and putting back what need not go.
_TOGETHER = 2


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """A guest goes from one host to another."""

    guest: Guest
    source: str  #: name of the host that it leaves
    target: str  #: name of the host that it goes to
    placement: Placement  #: where it will sit there


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Moves, one after the other, and what they are good for."""

    moves: tuple[Move, ...]
    wanted: int  #: how many more guests there was to be room for
    before: int  #: for how many there is room now, ``wanted`` at most
    after: int  #: for how many when all moves are done, ``wanted`` at most
    #: Free pCPUs in all hosts that take guests, and how many are needed;
    #: with fewer than that no moves can help.
    free: int
    needed: int

    @property
    def enough(self) -> bool:
        """Whether there will be room for all that was wanted."""
        return self.after >= self.wanted


def plan(
    cloud: Cloud, request: Request, count: int, strategy: Strategy = SPREAD
) -> Plan:
    """Few moves that make room for ``count`` more guests of one kind.

    Until there is room: of all hosts, take that where the fewest guests have
    to go for one more to fit, each to a host that has room for it now, and
    that loses no room for the guests wanted. Ties: more room gained, fewer
    vCPUs moved, the host's name. Greedy: a plan may have more moves than
    needed, and none may be found where guests would have to change places;
    ``tests/unit/core/test_defrag.py`` measures both against trying them all.

    Every placement is the engine's answer for the cloud as it is after the
    moves before. If there is not enough room in the end the plan is as far
    as it got, and :attr:`Plan.enough` says so.
    """
    work = _Work(cloud, request, count, strategy)
    before = work.room
    moves: list[Move] = []
    while work.room < count and (step := work.best_step()):
        moves += step.moves
        work.take(step)
    pcpus = count * _size(request)
    free = sum(
        len(cell.free)
        for host in cloud.hosts
        if not host.closed
        for cell in host.host.cells
    )
    room = min(work.room, count)
    if room <= before:
        moves = []
    return Plan(tuple(moves), count, min(before, count), room, free, pcpus)


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """Guests that leave one host, and where they go."""

    moves: tuple[Move, ...]
    gained: int
    hosts: dict[str, CloudHost]  #: those that change, as they are afterwards

    @property
    def rank(self) -> tuple[float, int, int]:
        """The lowest is the best."""
        vcpus = sum(_size(move.guest.request) for move in self.moves)
        return len(self.moves) / self.gained, -self.gained, vcpus


class _Work:
    """The cloud as it is after the moves planned so far."""

    def __init__(
        self, cloud: Cloud, request: Request, count: int, strategy: Strategy
    ) -> None:
        self._request, self._count = request, count
        self._strategy = strategy
        self._hosts = {host.name: host for host in cloud.hosts}
        self._rooms = {host.name: self._room_on(host) for host in cloud.hosts}

    @property
    def room(self) -> int:
        return sum(self._rooms.values())

    def take(self, step: _Step) -> None:
        for name, host in step.hosts.items():
            self._hosts[name] = host
            self._rooms[name] = self._room_on(host)

    def _room_on(self, host: CloudHost) -> int:
        """How many of the guests wanted fit, ``count`` at most."""
        if host.closed:
            return 0
        left: Host = host.host
        for number in range(self._count):
            placement = fit(left, self._request, None, self._strategy)
            if not isinstance(placement, Placement):
                return number
            left = usage.add(left, placement)
        return self._count

    def best_step(self) -> _Step | None:
        """With the fewest guests that go together, then the best rank."""
        for together in range(1, _TOGETHER + 2):
            steps = [
                step
                for name, host in self._hosts.items()
                if not host.closed and self._rooms[name] < self._count
                for going in self._sets(host, together)
                if (step := self._step(host, going))
            ]
            if steps:
                return min(steps, key=lambda step: step.rank)
        return None

    def _sets(
        self, host: CloudHost, together: int
    ) -> Iterator[tuple[Guest, ...]]:
        """Which guests could go from a host, so that it has more room."""
        movable = [guest for guest in host.guests if not guest.fixed]
        wanted = self._rooms[host.name] + 1
        if not self._has_room(host, movable, wanted):
            return
        if together <= _TOGETHER:
            for going in itertools.combinations(movable, together):
                if self._has_room(host, going, wanted):
                    yield going
            return
        for largest_first in (False, True):
            must_go = list(movable)
            for guest in sorted(movable, key=_vcpus, reverse=largest_first):
                others = [each for each in must_go if each is not guest]
                if self._has_room(host, others, wanted):
                    must_go = others
            yield tuple(must_go)

    def _has_room(
        self, host: CloudHost, going: Iterable[Guest], wanted: int
    ) -> bool:
        left = host.host
        for guest in going:
            left = usage.remove(left, guest.placement)
        for _ in range(wanted):
            placement = fit(left, self._request, None, self._strategy)
            if not isinstance(placement, Placement):
                return False
            left = usage.add(left, placement)
        return True

    def _step(self, source: CloudHost, going: Sequence[Guest]) -> _Step | None:
        """The guests go, each to where it takes the least; None: one cannot.

        The largest first. Of the hosts that lose the least room for the
        guests wanted, the one with the fewest free pCPUs. Ties: the name.
        """
        changed = {source.name: source}
        moves = []
        for guest in sorted(going, key=_vcpus, reverse=True):
            found = []
            for name, known in self._hosts.items():
                host = changed.get(name, known)
                if name == source.name or host.closed:
                    continue
                placement = fit(host.host, guest.request, None, self._strategy)
                if isinstance(placement, Placement):
                    then = host.adding(guest, placement)
                    lost = self._room_on(host) - self._room_on(then)
                    free = sum(len(cell.free) for cell in host.host.cells)
                    found.append((lost, free, name, then, placement))
            if not found:
                return None
            _, _, name, then, placement = min(found, key=lambda each: each[:3])
            moves.append(Move(guest, source.name, name, placement))
            changed[name] = then
            changed[source.name] = changed[source.name].without(guest)
        gained = sum(
            self._room_on(host) - self._rooms[name]
            for name, host in changed.items()
        )
        if gained < 1:
            return None
        return _Step(tuple(moves), gained, changed)


def _vcpus(guest: Guest) -> int:
    return _size(guest.request)


def _size(request: Request) -> int:
    """pCPUs that a guest takes."""
    return sum(
        len(cell.dedicated) + request.reserve(index)
        for index, cell in enumerate(request.cells)
    )
