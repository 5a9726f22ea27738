"""Which guests to move so that more of one kind fit.

Beside the rule for one host: asks the same engine about many. Plans only;
who carries a plan out, and how, is not known here. Only guests that can be
migrated live are moved.
"""

from __future__ import annotations

import dataclasses

from pinning_filter.core.request import Request
from pinning_filter.fleet.hosts import Cloud
from pinning_filter.fleet.layout import Allowed, Move, anywhere
from pinning_filter.fleet.moves import PlannedCloud
from pinning_filter.fleet.steps import Step, steps

__all__ = ["Move", "Plan", "plan"]


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Moves, one after the other, and what they are good for."""

    moves: tuple[Move, ...]
    steps: tuple[Step, ...]  #: the moves, and what each has to wait for
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
    cloud: Cloud, request: Request, count: int, allowed: Allowed = anywhere
) -> Plan:
    """Few moves that make room for ``count`` more guests of one kind.

    Until there is room: of all hosts, take that where the fewest guests have
    to move for one more to fit, each to a host that has room for it then, and
    that loses no room for the guests wanted. Ties: more room gained, fewer
    pCPUs moved, the host's name. Greedy: a plan may have more moves than
    needed, and none may be found where several guests would have to make way;
    ``tests/unit/fleet/test_defrag.py`` measures both against trying them all.

    Every placement is the engine's answer, by the host's own strategy, for
    the cloud as it is after the moves before. If there is not enough room in
    the end the plan is as far as it got, and :attr:`Plan.enough` says so.

    :param allowed: which hosts a guest may go to.
    """
    work = PlannedCloud(cloud, request, count, allowed)
    before = work.room
    moves: list[Move] = []
    while work.room < count and (step := work.best_step()):
        moves += step.moves
        work.take(step)
    free = sum(
        host.host.free_pcpus for host in cloud.hosts if not host.closed
    )
    return Plan(
        tuple(moves),
        steps(moves, {host.name: host for host in cloud.hosts}),
        count,
        min(before, count),
        min(work.room, count),
        free,
        count * request.pcpus,
    )
