"""Where the servers of hosts that fail, or are to be emptied, can go.

Above :mod:`~pinning_filter.fleet.layout`, in which servers are placed in
turn. A plan that is found holds by construction; that none is found means
that none was found by the ways tried here. Whoever reads the cloud says which
hosts a server may go to.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from pinning_filter.fleet import exhaustive
from pinning_filter.fleet.exhaustive import Homeless, Step
from pinning_filter.fleet.hosts import CloudHost
from pinning_filter.fleet.layout import (
    Allowed,
    Layout,
    Move,
    Places,
    anywhere,
)
from pinning_filter.fleet.servers import Server

#: In how many ways others are asked to make way for one server.
_TRIES = 256


@dataclasses.dataclass(frozen=True, slots=True)
class Evacuation:
    """Moves, in an order in which each fits when it comes."""

    moves: tuple[Move, ...]
    stuck: tuple[Server, ...]  #: those for whom no place was found
    layout: Layout  #: the hosts afterwards

    @property
    def hosts(self) -> Mapping[str, CloudHost]:
        """The hosts that change, as they are afterwards, by name."""
        return self.layout.changed

    @property
    def complete(self) -> bool:
        """Whether every server has a place."""
        return not self.stuck


def evacuate(
    places: Places,
    leaving: Sequence[Homeless],
    gone: AbstractSet[str],
    allowed: Allowed = anywhere,
    *,
    making_way: bool = False,
) -> Evacuation:
    """Find every server a place on hosts that stay.

    Servers go one after the other, each to the fullest host that takes it;
    where none does, one placed before goes elsewhere. It is tried with the
    largest servers first, with those first that have the fewest hosts to go
    to, and with the emptiest host first; the first way that places all is the
    answer, else the one that leaves the fewest pCPUs without a place. Ties:
    the server's id, the host's name.

    :param gone: names of the hosts that are lost, or emptied.
    :param making_way: whether servers of other hosts may move, too, where
        nothing else helps; then the way with the fewest moves is taken.
    """
    best: Evacuation | None = None
    for makes_way in (False, True)[: 1 + making_way]:
        for order, tightest in _ways(places, leaving):
            layout = Layout(places, gone, allowed)
            found = _Attempt(layout, tightest, makes_way).run(order)
            if best is None or _rank(found) < _rank(best):
                best = found
            if best.complete and not makes_way:
                return best
    assert best is not None
    return _better(best, leaving) if making_way else best


def _better(found: Evacuation, leaving: Sequence[Homeless]) -> Evacuation:
    """A way with fewer moves, or that places all, if one is soon found."""
    others = len(found.moves) - len(leaving)
    steps = exhaustive.search(
        found.layout, leaving, others if found.complete else None
    )
    if steps is None:
        return found
    return min(found, carried_out(found.layout, steps), key=_rank)


def _ways(
    places: Places, leaving: Sequence[Homeless]
) -> Iterator[tuple[list[Homeless], bool]]:
    """Orders of servers, each with whether the tightest host is taken."""

    def chances(each: Homeless) -> tuple[int, tuple[int, int, int, str]]:
        return len(places.of(each.server)), _size(each)

    largest = sorted(leaving, key=_size)
    yield largest, True
    yield sorted(leaving, key=chances), True
    yield largest, False


def _size(each: Homeless) -> tuple[int, int, int, str]:
    """The lowest is the largest."""
    server = each.server
    cells = len(server.topology.cells) if server.topology else 0
    memory = server.amounts.get("MEMORY_MB", 0)
    return -server.pcpus, -cells, -memory, server.id


class _Attempt:
    """One way to place servers in turn."""

    def __init__(
        self, layout: Layout, tightest: bool, makes_way: bool
    ) -> None:
        self._layout = layout
        self._tightest, self._makes_way = tightest, makes_way
        self._steps: list[Step] = []
        self._stuck: list[Server] = []

    def run(self, order: Iterable[Homeless]) -> Evacuation:
        """Place the servers in this order."""
        for server, source in order:
            target = self._settle(server) or self._swap(server)
            if target:
                self._steps.append(Step(server, source, target))
            else:
                self._stuck.append(server)
        return carried_out(self._layout, self._steps, self._stuck)

    def _settle(self, server: Server, not_on: str = "") -> str:
        """Put the server on the best host; its name, empty: there is none."""
        best = next(
            self._layout.choices(server, not_on, self._tightest), None
        )
        if best is None:
            return ""
        self._layout.put(server, best)
        return best.name

    def _swap(self, server: Server, not_on: str = "", depth: int = 2) -> str:
        """Put the server where others go away; as :meth:`_settle`.

        :param depth: how many servers in a row may each make way for the one
            before.
        """
        layout = self._layout
        for name, others in self._others(server, not_on):
            before, steps = layout.saved(), list(self._steps)
            for other in others:
                layout.take(other, name)
            there = layout.place(server, name)
            if there is not None:
                layout.put(server, there)
                if all(self._rehome(each, name, depth) for each in others):
                    return name
            layout.restore(before)
            self._steps = steps
        return ""

    def _rehome(self, other: Server, source: str, depth: int) -> bool:
        """Another home for one that makes way; whether there is one."""
        target = self._settle(other, not_on=source)
        if not target and self._makes_way and depth > 1:
            target = self._swap(other, source, depth - 1)
        if target:
            self._move(other, source, target)
        return bool(target)

    def _others(
        self, server: Server, not_on: str
    ) -> Iterator[tuple[str, Sequence[Server]]]:
        """Servers of a host that may make way together, fewest pCPUs first.

        One that is on its way already; and where servers of other hosts may
        move, too, one or two of any.
        """
        layout = self._layout
        moving = {step.server.id for step in self._steps}
        names = layout.places.hosts if self._makes_way else layout.changed
        for number in (1, 2)[: 1 + self._makes_way]:
            found = [
                (
                    sum(each.id not in moving for each in others),
                    sum(each.pcpus for each in others),
                    name,
                    others,
                )
                for name in names
                if name != not_on and layout.may(server, name)
                for others in itertools.combinations(
                    self._movable(name, moving), number
                )
            ]
            found.sort(key=lambda each: each[:3])
            for _, _, name, others in found[:_TRIES]:
                yield name, others

    def _movable(
        self, name: str, moving: AbstractSet[str]
    ) -> Iterator[Server]:
        for each in self._layout.host(name).servers:
            if each.id in moving or (
                self._makes_way and not (each.fixed or each.stays)
            ):
                yield each

    def _move(self, other: Server, source: str, target: str) -> None:
        """The server goes there now, and not where it was to go before."""
        for step in self._steps:
            if step.server.id == other.id:
                other, source = step.server, step.source
                self._steps.remove(step)
                break
        if target != source:  # else it stays where it is, after all
            self._steps.append(Step(other, source, target))


def carried_out(
    layout: Layout, steps: Iterable[Step], stuck: Iterable[Server] = ()
) -> Evacuation:
    """Where each server sits when it comes: what the engine says then.

    The first step that fits goes next, and what never does stays.
    """
    layout = layout.anew()
    waiting = list(steps)
    moves = []
    while step := _next(layout, waiting):
        there = layout.place(step.server, step.target)
        assert there is not None
        waiting.remove(step)
        layout.take(step.server, step.source)
        layout.put(step.server, there)
        moves.append(
            Move(step.server, step.source, step.target, there.placement)
        )
    left = [step.server for step in waiting if step.source in layout.gone]
    return Evacuation(tuple(moves), (*stuck, *left), layout)


def _next(layout: Layout, waiting: Iterable[Step]) -> Step | None:
    for step in waiting:
        if layout.place(step.server, step.target):
            return step
    return None


def _rank(found: Evacuation) -> tuple[int, int, int]:
    """The lowest is the best."""
    left = sum(server.pcpus for server in found.stuck)
    return left, len(found.stuck), len(found.moves)
