"""Which hosts a server may go to, whether or not it fits there.

Before the engine: availability zones, aggregates that want certain extra
specs, and traits, as ``findings`` has them of a server that is to be placed.
For whoever plans with servers that run already, of whose requests only the
flavor is known, and the zone, if it is. Imported only when needed: Nova takes
seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from pinning_filter.cloud.snapshot import Flavor, Node, Snapshot
from pinning_filter.explain import findings, request_spec
from pinning_filter.explain.findings import Stage
from pinning_filter.explain.question import Question
from pinning_filter.fleet.offers import Resources
from pinning_filter.fleet.servers import Server
from pinning_filter.nova import guest as nova_guest
from pinning_filter.nova import placement_request

#: What a server's flavor and its zone decide.
_STAGES = (Stage.ZONE, Stage.AGGREGATE, Stage.PLACEMENT)

#: Which devices there are is asked elsewhere.
_ALIAS = "pci_passthrough:alias"


def by_flavor_and_zone(
    snapshot: Snapshot,
) -> Callable[[Server], AbstractSet[str]]:
    """For each server of a snapshot, the names of the hosts it may go to.

    Where it is not known which zone was asked for, a server stays in the one
    that it is in. One of a flavor that is gone is bound by its zone alone. No
    server leaves its cell (v2): Nova migrates and evacuates within one.
    Services, thread policies and room are not looked at here.
    """
    flavors = {each.name: each for each in snapshot.flavors}
    bounds = {
        each.id: (node.zone if each.zone is None else each.zone, node.cell)
        for node in snapshot.nodes
        for each in (*node.guests, *node.floating)
    }

    @functools.cache
    def hosts(flavor: str, zone: str, cell: str) -> frozenset[str]:
        asked = _asked(flavors.get(flavor), zone)
        return frozenset(
            node.name
            for node in snapshot.nodes
            if node.cell == cell
            and not _against(node, asked, snapshot.filters)
        )

    return lambda server: hosts(server.flavor, *bounds[server.id])


def _asked(flavor: Flavor | None, zone: str) -> Question:
    if flavor is None:
        return Question(None, zone=zone)
    traits: tuple[Resources, ...] = ()
    # A flavor that Nova no longer takes is bound by no trait.
    with contextlib.suppress(Exception):
        traits = (_traits(flavor),)
    return Question(None, traits, flavor.extra_specs, zone)


def _traits(flavor: Flavor) -> Resources:
    """What Nova asks the Placement API for, without amounts."""
    specs = {
        key: value
        for key, value in flavor.extra_specs.items()
        if key != _ALIAS
    }
    guest = nova_guest.read(
        nova_guest.flavor(
            flavor.name, flavor.vcpus, flavor.ram_mib, specs
        ),
        nova_guest.image({}),
    )
    asked, *_ = placement_request.alternatives(request_spec.spec(guest))
    return dataclasses.replace(
        asked,
        amounts={},
        forbidden=asked.forbidden - {placement_request.DISABLED},
    )


def _against(
    node: Node, asked: Question, filters: tuple[str, ...] | None
) -> bool:
    found = findings.beside(node, asked, filters)
    return any(each.stage in _STAGES for each in found)
