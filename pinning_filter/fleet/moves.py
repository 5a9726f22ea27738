"""One step towards room for a guest: who leaves a host, and where to.

Beside :mod:`pinning_filter.fleet.defrag`, which takes step after step. Asks
the engine about many hosts; knows no more of them than it does.
"""

from __future__ import annotations

import dataclasses
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from pinning_filter.core import usage
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest
from pinning_filter.fleet.layout import (
    Allowed,
    Layout,
    Move,
    Place,
    Places,
    place,
)

#: How many guests are taken off a host together in every possible way; more
#: only by taking off all and putting back what need not go.
_TOGETHER = 2
#: How many guests are tried, the smallest first, that could make way for one.
_WAYS = 32
#: Sorts guests by the pCPUs that they take.
_SIZE = operator.attrgetter("pcpus")


@dataclasses.dataclass(frozen=True, slots=True)
class Gain:
    """Guests that leave one host, and where they go."""

    moves: tuple[Move, ...]
    gained: int
    hosts: dict[str, CloudHost]  #: those that change, as they are afterwards

    @property
    def rank(self) -> tuple[float, int, int]:
        """The lowest is the best."""
        vcpus = sum(move.server.pcpus for move in self.moves)
        return len(self.moves) / self.gained, -self.gained, vcpus


class _Target(NamedTuple):
    """Where a guest could go. The lowest is the best."""

    lost: int  #: of the room for the guests wanted
    place: Place


class PlannedCloud:
    """The cloud as it is after the moves planned so far.

    What is found out of a host holds until it changes, and is kept: the same
    few flavors are asked for over and over.
    """

    def __init__(
        self, cloud: Cloud, request: Request, count: int, allowed: Allowed
    ) -> None:
        self._request, self._count = request, count
        self._allowed = allowed
        self._places = Places(cloud.hosts)
        self._hosts = self._places.hosts
        self._rooms = {
            name: self._room_on(host) for name, host in self._hosts.items()
        }
        self._sets: dict[tuple[str, int], list[tuple[Guest, ...]]] = {}
        self._targets: dict[object, list[_Target]] = {}
        self._ways: dict[object, list[tuple[int, str, Guest]]] = {}

    @property
    def room(self) -> int:
        return sum(self._rooms.values())

    def take(self, step: Gain) -> None:
        self._places = self._places.after(step.hosts, frozenset())
        self._hosts = self._places.hosts
        for name, host in step.hosts.items():
            self._rooms[name] = self._room_on(host)
            for together in range(1, _TOGETHER + 2):
                self._sets.pop((name, together), None)
        self._targets.clear()
        self._ways.clear()

    def best_step(self) -> Gain | None:
        """With the fewest guests that go together, then the best rank."""
        for together in range(1, _TOGETHER + 2):
            steps = [
                step
                for host in list(self._hosts.values())
                for step in self._steps(host, together)
            ]
            if steps:
                return min(steps, key=lambda step: step.rank)
        return None

    def _steps(self, host: CloudHost, together: int) -> Iterator[Gain]:
        """What so many moves, or all that are needed, do for one host."""
        if self._rooms[host.name] >= self._count:
            return
        for going in self._going(host, together):
            if step := self._step(host, going):
                yield step
        if together == 2:
            for going in self._going(host, 1):
                if step := self._making_way(host, going[0]):
                    yield step

    def _going(
        self, host: CloudHost, together: int
    ) -> list[tuple[Guest, ...]]:
        """Which guests could go from a host, so that it has more room."""
        key = host.name, together
        if key not in self._sets:
            self._sets[key] = list(self._found_going(host, together))
        return self._sets[key]

    def _found_going(
        self, host: CloudHost, together: int
    ) -> Iterator[tuple[Guest, ...]]:
        movable = [guest for guest in host.guests if not guest.fixed]
        if not self._frees(host, movable):
            return
        if together <= _TOGETHER:
            for going in itertools.combinations(movable, together):
                if self._frees(host, going):
                    yield going
            return
        for largest_first in (False, True):
            must_go = list(movable)
            for guest in sorted(movable, key=_SIZE, reverse=largest_first):
                others = [each for each in must_go if each is not guest]
                if self._frees(host, others):
                    must_go = others
            yield tuple(must_go)

    def _frees(self, host: CloudHost, going: Iterable[Guest]) -> bool:
        """Whether a host has more room when these guests have gone."""
        left = host
        for guest in going:
            left = left.without(guest)
        return self._room_on(left) > self._rooms[host.name]

    def _room_on(self, host: CloudHost) -> int:
        """How many of the guests wanted fit, ``count`` at most."""
        for number in range(self._count):
            placement = _fit(host, self._request)
            if placement is None:
                return number
            host = _more(host, placement)
        return self._count

    def _step(self, source: CloudHost, going: Sequence[Guest]) -> Gain | None:
        """The guests go, each to where it takes the least; None: one cannot.

        The largest first. Of the hosts that lose the least room for the
        guests wanted, the one with the fewest free pCPUs. Ties: the name.
        """
        layout = self._layout()
        moves = []
        for guest in sorted(going, key=_SIZE, reverse=True):
            target = self._best_target(guest, layout, source.name)
            if target is None:
                return None
            moves.append(_moved(guest, source.name, target.place, layout))
        return self._gaining(moves, layout.changed)

    def _making_way(self, source: CloudHost, guest: Guest) -> Gain | None:
        """The guest goes where another has made way, the smallest that does.

        None: it can go without, or nowhere at all.
        """
        layout = self._layout()
        if self._best_target(guest, layout, source.name):
            return None
        for _, name, other in self._making(guest)[:_WAYS]:
            layout = self._layout()
            target = name != source.name and self._best_target(
                other, layout, name
            )
            if not target:
                continue
            moves = [_moved(other, name, target.place, layout)]
            there = layout.place(guest, name)
            if there is None:
                continue
            moves.append(_moved(guest, source.name, there, layout))
            if step := self._gaining(moves, layout.changed):
                return step
        return None

    def _layout(self) -> Layout:
        return Layout(self._places, frozenset(), self._allowed)

    def _making(self, guest: Guest) -> list[tuple[int, str, Guest]]:
        """Guests but for whom one would fit: vCPUs, host, guest."""
        if guest.kind not in self._ways:
            found = [
                (other.pcpus, name, other)
                for name, host in self._hosts.items()
                for other in host.guests
                if not other.fixed and place(host.without(other), guest)
            ]
            self._ways[guest.kind] = sorted(found, key=lambda each: each[:2])
        return self._ways[guest.kind]

    def _best_target(
        self, guest: Guest, layout: Layout, source: str
    ) -> _Target | None:
        if guest.kind not in self._targets:
            each = [
                self._target(place(host, guest))
                for host in self._hosts.values()
            ]
            self._targets[guest.kind] = sorted(filter(None, each), key=_rank)
        unchanged = (
            target
            for target in self._targets[guest.kind]
            if target.place.name not in {source, *layout.changed}
            and layout.against(guest, target.place.name) is None
        )
        seats = [
            self._target(layout.place(guest, name), layout)
            for name in layout.changed
            if name != source
        ]
        found = filter(None, [next(unchanged, None), *seats])
        return min(found, key=_rank, default=None)

    def _target(
        self, found: Place | None, layout: Layout | None = None
    ) -> _Target | None:
        """What a place costs; None: there is none."""
        if found is None or found.placement is None:
            return None
        host = (layout.host if layout else self._hosts.__getitem__)(found.name)
        more = _more(host, found.placement)
        return _Target(self._room_on(host) - self._room_on(more), found)

    def _gaining(
        self, moves: Sequence[Move], changed: dict[str, CloudHost]
    ) -> Gain | None:
        gained = sum(
            self._room_on(host) - self._rooms[name]
            for name, host in changed.items()
        )
        return Gain(tuple(moves), gained, changed) if gained > 0 else None


def _rank(target: _Target) -> tuple[int, tuple[int, str]]:
    return target.lost, target.place.key


def _moved(guest: Guest, source: str, there: Place, layout: Layout) -> Move:
    """The move, also made in the layout."""
    layout.take(guest, source)
    layout.put(guest, there)
    return Move(guest, source, there.name, there.placement)


def _fit(host: CloudHost, request: Request) -> Placement | None:
    found = host.fit(request)
    return found if isinstance(found, Placement) else None


def _more(host: CloudHost, placement: Placement) -> CloudHost:
    """The host with one more of the guests wanted, who have no names."""
    used = usage.add(host.host, placement)
    return dataclasses.replace(host, host=used)
