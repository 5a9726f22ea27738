"""Which hosts a guest may go to, whether or not it fits there.

Before the engine: availability zones, and aggregates that want certain extra
specs, as ``findings`` has them of a server that is to be placed. For whoever
plans with guests that run already, of whose requests only the flavor is
known: a guest is kept within the zone that it is in.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.explain import findings
from pinning_filter.explain.findings import Stage
from pinning_filter.explain.question import Question
from pinning_filter.fleet.hosts import Guest

#: What a guest's flavor and its zone decide.
_STAGES = (Stage.ZONE, Stage.AGGREGATE)


def by_flavor_and_zone(
    snapshot: Snapshot,
) -> Callable[[Guest], AbstractSet[str]]:
    """For each guest of a snapshot, the names of the hosts it may go to.

    A guest of a flavor that is gone is bound by its zone alone. Services,
    thread policies and room are not looked at here.
    """
    specs = {each.name: each.extra_specs for each in snapshot.flavors}
    zones = {
        guest.id: node.zone for node in snapshot.nodes for guest in node.guests
    }

    @functools.cache
    def hosts(flavor: str, zone: str) -> frozenset[str]:
        asked = Question(None, extra_specs=specs.get(flavor, {}), zone=zone)
        return frozenset(
            node.name
            for node in snapshot.nodes
            if not _against(node, asked, snapshot.filters)
        )

    return lambda guest: hosts(guest.flavor, zones.get(guest.id, ""))


def _against(
    node: Node, asked: Question, filters: tuple[str, ...] | None
) -> bool:
    found = findings.beside(node, asked, filters)
    return any(each.stage in _STAGES for each in found)
