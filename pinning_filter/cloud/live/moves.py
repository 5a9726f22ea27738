"""Moves of one cell (v2) that have not ended, and what they hold.

A resize, a migration or an evacuation holds pCPUs on the end where its
server is not, too, as Nova's resource tracker counts them. Runs within a
context that points at the cell's database.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nova import context, objects

from pinning_filter.cloud.live import rows

#: As migrations are called that Nova's resource tracker counts.
_IN_PROGRESS = (
    "queued",
    "accepted",
    "preparing",
    "pre-migrating",
    "migrating",
    "running",
    "post-migrating",
    "finished",  # waits to be confirmed
    "confirming",
    "reverting",
)
#: An evacuation whose old host has not come back to clean up. It holds no
#: pCPUs, but its allocations.
_EVACUATED = "done"
#: The server is on the new flavor then, also where both ends are one host.
_ARRIVED = ("finished", "confirming", "reverting")
#: Host and node -> servers, with the topology that they hold there
#: (Nova's ``InstanceNUMATopology``, named only once it has made it).
Held = Mapping[tuple[str, str], Sequence[tuple[rows.Row, Any]]]


@dataclasses.dataclass(frozen=True, slots=True)
class Moves:
    """The moves that have not ended."""

    held: Held
    ids: frozenset[str]  #: UUIDs of the migrations and of their servers


def read(cell_context: context.RequestContext) -> Moves:
    """All moves of the cell."""
    found = objects.MigrationList.get_by_filters(
        cell_context, {"status": [*_IN_PROGRESS, _EVACUATED]}
    )
    moves = {each.instance_uuid: each for each in found}
    ids = moves.keys() | {each.uuid for each in found}
    held = collections.defaultdict(list)
    for server in rows.of(cell_context, moves):
        migration = moves[server.uuid]
        if migration.status == _EVACUATED:
            continue
        where, new = _other_end(server, migration)
        # One bad row must not cost the others, whatever is wrong with it.
        with contextlib.suppress(Exception):
            moved = server.migration_context
            topology = moved and (
                moved.new_numa_topology if new else moved.old_numa_topology
            )
            if topology:
                held[where].append((server, topology))
    return Moves(held, frozenset(ids))


def _other_end(
    server: rows.Row, migration: objects.Migration
) -> tuple[tuple[str, str], bool]:
    """Where the server is not, and whether it holds what it moves to."""
    source = (migration.source_compute, migration.source_node)
    target = (migration.dest_compute, migration.dest_node)
    here = (server.host, server.node)
    if source == target:
        return source, migration.status not in _ARRIVED
    return (target, True) if here == source else (source, False)
