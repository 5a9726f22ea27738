"""Where the guests of hosts that fail, or are to be emptied, can go.

Beside the rule for one host: the same engine, asked for many guests in turn,
each with those before it counted. A plan that is found holds by construction;
that none is found means that none was found by the orders tried here.
Knows nothing of server groups, zones and the like: whoever reads the cloud
says which hosts a guest may go to.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.fleet.hosts import CloudHost, Guest
from pinning_filter.fleet.moves import Move

#: In how many ways others are asked to make way for one guest.
_TRIES = 256

#: Names of the hosts that a guest may go to; None: any that is open.
Allowed = Callable[[Guest], AbstractSet[str] | None]


def anywhere(guest: Guest) -> None:
    """Every open host will do."""


class Homeless(NamedTuple):
    """A guest that has to leave its host."""

    guest: Guest
    source: str  #: name of the host that it leaves


@dataclasses.dataclass(frozen=True, slots=True)
class Evacuation:
    """Moves, in an order in which each fits when it comes."""

    moves: tuple[Move, ...]
    stuck: tuple[Guest, ...]  #: those for whom no place was found
    #: The hosts that change, as they are afterwards, by name.
    hosts: Mapping[str, CloudHost]

    @property
    def complete(self) -> bool:
        """Whether every guest has a place."""
        return not self.stuck


class _Place(NamedTuple):
    """Where a guest fits; the lowest is the tightest."""

    free: int  #: pCPUs of the host before
    name: str  #: of the host
    placement: Placement


class Places:
    """The open hosts of a cloud, and what fits on each as it is now.

    What is found out of a host that does not change is kept: a cloud has few
    flavors, and to ask what happens if any one host fails is to ask the same
    of all others again and again.
    """

    def __init__(self, hosts: Iterable[CloudHost]) -> None:
        self.hosts = {host.name: host for host in hosts if not host.closed}
        self._kept: dict[Request, tuple[_Place, ...]] = {}

    def of(self, request: Request) -> tuple[_Place, ...]:
        """Where a guest fits now, the host with the fewest free pCPUs first.

        Ties: the host's name.
        """
        if request not in self._kept:
            found = (_place(host, request) for host in self.hosts.values())
            self._kept[request] = tuple(sorted(filter(None, found), key=_key))
        return self._kept[request]

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
        for request, found in self._kept.items():
            again = (
                _place(host, request)
                for name, host in changed.items()
                if name not in gone
            )
            same = (
                place
                for place in found
                if place.name not in changed and place.name not in gone
            )
            places = filter(None, itertools.chain(again, same))
            left._kept[request] = tuple(sorted(places, key=_key))
        return left


def evacuate(
    places: Places,
    leaving: Sequence[Homeless],
    gone: AbstractSet[str],
    allowed: Allowed = anywhere,
    *,
    making_way: bool = False,
) -> Evacuation:
    """Find every guest a place on hosts that stay.

    Guests go one after the other, each to the host with the fewest free
    pCPUs that takes it; where none does, a guest placed before goes
    elsewhere. It is tried with the largest guests first, with those first
    that have the fewest hosts to go to, and with the roomiest host first; the
    first way that places all is the answer, else the one that leaves the
    fewest pCPUs without a place. Ties: the guest's id, the host's name.

    :param gone: names of the hosts that are lost, or emptied.
    :param making_way: whether guests of other hosts may move, too, where
        nothing else helps; then the way with the fewest moves is taken.
    """
    best: Evacuation | None = None
    for makes_way in (False, True)[: 1 + making_way]:
        for order, tightest in _ways(places, leaving):
            attempt = _Attempt(places, gone, allowed, tightest, makes_way)
            found = attempt.run(order)
            if best is None or _rank(found) < _rank(best):
                best = found
            if best.complete and not makes_way:
                return best
    assert best is not None
    return best


def _ways(
    places: Places, leaving: Sequence[Homeless]
) -> Iterator[tuple[list[Homeless], bool]]:
    """Orders of guests, each with whether the tightest host is taken."""

    def size(each: Homeless) -> tuple[int, int, str]:
        request = each.guest.request
        return -each.guest.pcpus, -len(request.cells), each.guest.id

    def chances(each: Homeless) -> tuple[int, tuple[int, int, str]]:
        return len(places.of(each.guest.request)), size(each)

    largest = sorted(leaving, key=size)
    yield largest, True
    yield sorted(leaving, key=chances), True
    yield largest, False


@dataclasses.dataclass(frozen=True, slots=True)
class _Step:
    """A move as it is planned, before it is known where the guest sits."""

    guest: Guest
    source: str
    target: str


class _Attempt:
    """One way to place guests in turn."""

    def __init__(
        self,
        places: Places,
        gone: AbstractSet[str],
        allowed: Allowed,
        tightest: bool,
        makes_way: bool,
    ) -> None:
        self._places, self._gone, self._allowed = places, gone, allowed
        self._tightest, self._makes_way = tightest, makes_way
        self._changed: dict[str, CloudHost] = {}
        self._steps: list[_Step] = []
        self._stuck: list[Guest] = []

    def run(self, order: Iterable[Homeless]) -> Evacuation:
        """Place the guests in this order."""
        for guest, source in order:
            target = self._settle(guest) or self._swap(guest)
            if target:
                self._steps.append(_Step(guest, source, target))
            else:
                self._stuck.append(guest)
        return self._carried_out()

    def _carried_out(self) -> Evacuation:
        """Where each guest sits when it comes: what the engine says then."""
        self._changed = {}
        moves = []
        stuck = list(self._stuck)
        for step in self._steps:
            host = self._host(step.target)
            place = _place(host, step.guest.request)
            if place is None:
                stuck.append(step.guest)
                continue
            if step.source not in self._gone:
                left = self._host(step.source).without(step.guest)
                self._changed[step.source] = left
            self._changed[step.target] = host.adding(
                step.guest, place.placement
            )
            moves.append(
                Move(step.guest, step.source, step.target, place.placement)
            )
        return Evacuation(tuple(moves), tuple(stuck), self._changed)

    def _settle(self, guest: Guest, not_on: str = "") -> str:
        """Put the guest on the best host; its name, empty if there is none."""
        place = self._best(guest, not_on)
        if place is None:
            return ""
        host = self._host(place.name)
        self._changed[place.name] = host.adding(guest, place.placement)
        return place.name

    def _swap(self, guest: Guest, not_on: str = "", depth: int = 2) -> str:
        """Put the guest where others go away; as :meth:`_settle`.

        :param depth: how many guests in a row may each make way for the one
            before.
        """
        for name, others in self._others(guest, not_on):
            before, steps = dict(self._changed), list(self._steps)
            left = self._host(name)
            for other in others:
                left = left.without(other)
            place = _place(left, guest.request)
            if place is None:
                continue
            self._changed[name] = left.adding(guest, place.placement)
            if all(self._rehome(other, name, depth) for other in others):
                return name
            self._changed, self._steps = before, steps
        return ""

    def _rehome(self, other: Guest, source: str, depth: int) -> bool:
        """Another home for a guest that makes way; whether there is one."""
        target = self._settle(other, not_on=source)
        if not target and self._makes_way and depth > 1:
            target = self._swap(other, source, depth - 1)
        if target:
            self._move(other, source, target)
        return bool(target)

    def _others(
        self, guest: Guest, not_on: str
    ) -> Iterator[tuple[str, Sequence[Guest]]]:
        """Guests of a host that may make way together, fewest pCPUs first.

        One that is on its way already; and where guests of other hosts may
        move, too, one or two of any.
        """
        moving = {step.guest.id for step in self._steps}
        names = self._places.hosts if self._makes_way else self._changed
        for number in (1, 2)[: 1 + self._makes_way]:
            found = [
                (
                    sum(each.id not in moving for each in others),
                    sum(each.pcpus for each in others),
                    name,
                    others,
                )
                for name in names
                if name != not_on and self._may(guest, name)
                for others in itertools.combinations(
                    self._movable(name, moving), number
                )
            ]
            found.sort(key=lambda each: each[:3])
            for _, _, name, others in found[:_TRIES]:
                yield name, others

    def _movable(
        self, name: str, moving: AbstractSet[str]
    ) -> Iterator[Guest]:
        for each in self._host(name).guests:
            if each.id in moving or (self._makes_way and not each.fixed):
                yield each

    def _move(self, other: Guest, source: str, target: str) -> None:
        """The guest goes there now, and not where it was to go before."""
        for step in self._steps:
            if step.guest.id == other.id:
                other, source = step.guest, step.source
                self._steps.remove(step)
                break
        self._steps.append(_Step(other, source, target))

    def _best(self, guest: Guest, not_on: str) -> _Place | None:
        unchanged = (
            place
            for place in self._in_order(guest.request)
            if place.name not in self._changed
            and place.name != not_on
            and self._may(guest, place.name)
        )
        changed = [
            place
            for name, host in self._changed.items()
            if name != not_on
            and self._may(guest, name)
            and (place := _place(host, guest.request))
        ]
        choices = [*changed, *itertools.islice(unchanged, 1)]
        if self._tightest:
            return min(choices, key=_key, default=None)
        return max(choices, key=_key, default=None)

    def _in_order(self, request: Request) -> Iterable[_Place]:
        found = self._places.of(request)
        return found if self._tightest else reversed(found)

    def _may(self, guest: Guest, name: str) -> bool:
        if name in self._gone:
            return False
        allowed = self._allowed(guest)
        return allowed is None or name in allowed

    def _host(self, name: str) -> CloudHost:
        return self._changed.get(name) or self._places.hosts[name]


def _place(host: CloudHost, request: Request) -> _Place | None:
    found = host.fit(request)
    if not isinstance(found, Placement):
        return None
    return _Place(host.host.free_pcpus, host.name, found)


def _key(place: _Place) -> tuple[int, str]:
    return place.free, place.name


def _rank(found: Evacuation) -> tuple[int, int, int]:
    """The lowest is the best."""
    left = sum(guest.pcpus for guest in found.stuck)
    return left, len(found.stuck), len(found.moves)
