"""Moves as steps: which wait for which, and how each is carried out.

After a plan, whose moves are in an order in which each fits when it comes.
Most need not come in just that order: what is told here is what must. How a
step is written as a command is not known.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet.hosts import CloudHost
from pinning_filter.fleet.layout import Move
from pinning_filter.fleet.servers import GroupPolicy, Server

#: So many servers come to one host at once, at most: every order is tried.
_AT_ONCE = 5
#: A move with its number in the plan.
_Numbered = tuple[int, Move]
#: Up to so many ways a host may be after several orders.
_MOST_WAYS = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A move, and what must be done before it."""

    number: int  #: from 1, in the order of the plan
    move: Move
    #: Steps that must have ended before, by number; those that these wait
    #: for are not repeated.
    waits_for: tuple[int, ...]
    #: From 1: steps of one stage may run at once, after all stages before.
    stage: int

    @property
    def live(self) -> bool:
        """Whether the server runs on meanwhile."""
        return not self.move.server.fixed

    @property
    def why_cold(self) -> str:
        """Why it cannot, as a clause; empty: it can."""
        return self.move.server.fixed


def steps(
    moves: Sequence[Move], hosts: Mapping[str, CloudHost]
) -> tuple[Step, ...]:
    """What of the plan's order matters.

    1. Who goes to a host waits for all that leave it before, in the plan.
    2. Several may come to a host at once where they all fit in every order;
       else each waits for those that come before it, in the plan.
    3. Nobody leaves a host that somebody went to before, in the plan, until
       that has ended.

    Where a server sits on a host to which several come at once depends on
    who is first; that each finds a place does not.

    :param hosts: those that moves go to, as they are before, by name.
    """
    waits: dict[int, set[int]] = {}
    for name, touching in _by_host(moves).items():
        for number, others in _waits(name, touching, hosts).items():
            waits.setdefault(number, set()).update(others)
    found: list[Step] = []
    for number, move in enumerate(moves, 1):
        before = sorted(waits.get(number, ()))
        stage = 1 + max((found[each - 1].stage for each in before), default=0)
        found.append(Step(number, move, _direct(before, found), stage))
    return tuple(found)


def _direct(before: Sequence[int], found: Sequence[Step]) -> tuple[int, ...]:
    """Without those that others of them wait for."""
    covered: set[int] = set()
    waiting = list(before)
    while waiting:
        more = found[waiting.pop() - 1].waits_for
        covered.update(more)
        waiting += more
    return tuple(each for each in before if each not in covered)


def _by_host(moves: Sequence[Move]) -> dict[str, list[_Numbered]]:
    """The moves to each host, and from it, with their numbers."""
    found: dict[str, list[_Numbered]] = {}
    for number, move in enumerate(moves, 1):
        found.setdefault(move.target, []).append((number, move))
        found.setdefault(move.source, []).append((number, move))
    return found


def _waits(
    name: str,
    touching: Iterable[_Numbered],
    hosts: Mapping[str, CloudHost],
) -> dict[int, set[int]]:
    """Of the moves that touch a host: which wait for which others."""
    waits: dict[int, set[int]] = {}
    done: set[int] = set()
    host = hosts.get(name)
    groups = [
        (coming, list(group))
        for coming, group in itertools.groupby(
            touching, lambda each: each[1].target == name
        )
    ]
    for index, (coming, some) in enumerate(groups):
        # What leaves later, and who comes then, is planned for one order.
        last = index == len(groups) - 1
        batches: Sequence[Sequence[_Numbered]]
        if not coming:
            batches = [some]
        elif last and host is not None:
            batches = _batches(host, some)
        else:
            batches = [[each] for each in some]
        for batch in batches:
            waits |= {number: set(done) for number, _ in batch}
            done.update(number for number, _ in batch)
        for _, move in some:
            if host is not None:
                host = (
                    host.adding(move.server, move.placement)
                    if coming
                    else host.without(move.server)
                )
    return waits


def _batches(
    host: CloudHost, coming: Sequence[_Numbered]
) -> list[Sequence[_Numbered]]:
    """Moves to a host, cut into parts that may come in any order.

    One by one where the parts after would depend on the order.
    """
    found: list[Sequence[_Numbered]] = []
    ways = [host]
    left = coming
    while left:
        for size in range(min(_AT_ONCE, len(left)), 0, -1):
            servers = [move.server for _, move in left[:size]]
            if after := _in_any_order(ways, servers):
                break
        else:
            return [[each] for each in coming]
        ways = after
        found.append(left[:size])
        left = left[size:]
    return found


def _in_any_order(
    ways: Iterable[CloudHost], servers: Sequence[Server]
) -> list[CloudHost]:
    """How the host may be when all have come; empty: one may not fit."""
    if len(servers) > 1 and _particular(servers):
        return []
    everybody = frozenset(range(len(servers)))
    states = {frozenset[int](): list(ways)}
    for size in range(len(servers)):
        for there in itertools.combinations(everybody, size):
            for index in everybody.difference(there):
                more = states.setdefault(frozenset({*there, index}), [])
                for host in states[frozenset(there)]:
                    answer = host.answer(servers[index])
                    if isinstance(answer, Refusal):
                        return []
                    _add(more, host.adding(servers[index], answer))
                if len(more) > _MOST_WAYS:
                    return []
    return states[everybody]


def _particular(servers: Sequence[Server]) -> bool:
    """Whether more than room decides in which order they may come.

    Devices that one takes; a server group that two are of, or that lets its
    members only go where another is.
    """
    groups = [each.group for each in servers if each.group]
    return (
        any(each.devices for each in servers)
        or len({each.id for each in groups}) < len(groups)
        or any(each.policy is GroupPolicy.AFFINITY for each in groups)
    )


def _add(hosts: list[CloudHost], host: CloudHost) -> None:
    """Unless one has the same left."""
    if not any(_same(each, host) for each in hosts):
        hosts.append(host)


def _same(one: CloudHost, other: CloudHost) -> bool:
    return all(
        mine.pinned == its.pinned
        and mine.shared_used == its.shared_used
        and mine.memory_used_kib == its.memory_used_kib
        and mine.pages == its.pages
        for mine, its in zip(one.host.cells, other.host.cells, strict=True)
    )
