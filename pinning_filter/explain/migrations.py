"""Do Nova's own filters let the moves of a plan pass?

Above whoever plans, with what a snapshot says; here the filters themselves
are asked, of a running cloud. Where one refuses, the planner is told so and
plans anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeVar

from pinning_filter.cloud.live.session import Session
from pinning_filter.core.errors import InputError
from pinning_filter.explain import findings, other_filters
from pinning_filter.fleet.layout import GROUP_FILTERS, Allowed, Move
from pinning_filter.fleet.servers import Server

_Plan = TypeVar("_Plan")

#: How often a plan is made anew.
_ROUNDS = 5
#: The filters whose answer changes with the moves before: the planner's own.
_PLANNED = (*GROUP_FILTERS.values(), findings.DEVICES_FILTER)


def checked(
    session: Session,
    names: Collection[str],
    allowed: Allowed,
    plan: Callable[[Allowed], _Plan],
    moves: Callable[[_Plan], Iterable[Move]],
) -> tuple[_Plan, tuple[str, ...]]:
    """A plan whose moves the filters let pass, and what is wrong with it.

    :param names: all hosts that there are.
    :param plan: makes a plan, by which hosts a server may go to.
    :param moves: the moves of a plan.
    :returns: the last plan; and a sentence for each move of it that a filter
        refuses still, or for the filters that could not be asked.
    """
    barred: dict[str, AbstractSet[str]] = {}

    def may(server: Server) -> AbstractSet[str] | None:
        hosts = allowed(server)
        if server.id not in barred:
            return hosts
        return frozenset(names if hosts is None else hosts) - (
            barred[server.id]
        )

    problems: tuple[str, ...] = ()
    for _ in range(_ROUNDS):
        found = plan(may)
        targets = {each.server.id: {each.target} for each in moves(found)}
        try:
            refused = _refused(session, targets)
            if not refused:
                return found, ()
            # Of who is refused once all hosts are asked, not one by one.
            barred |= _refused(session, dict.fromkeys(refused, names))
        except InputError as error:
            return found, (f"Nova's other filters are not asked: {error}.",)
        problems = tuple(
            f"Nova's filters refuse server {uuid} on {', '.join(hosts)}."
            for uuid, hosts in sorted(refused.items())
        )
    return found, problems


def _refused(
    session: Session, wanted: Mapping[str, Collection[str]]
) -> dict[str, AbstractSet[str]]:
    """By a server's UUID, the hosts that a filter refuses, if any."""
    if not wanted:
        return {}
    found = other_filters.ask_each(session, wanted, _PLANNED)
    return {
        uuid: hosts
        for uuid, others in found.items()
        if (
            hosts := frozenset(
                name for name, filters in others.refused.items() if filters
            )
        )
    }
