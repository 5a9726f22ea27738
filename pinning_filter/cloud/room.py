"""How many more of each flavor a compute node takes now.

One rule for ``capacity``, which counts, and ``map``, which shows what is lost.
"""

from __future__ import annotations

from collections.abc import Mapping

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core.request import Request
from pinning_filter.fleet.capacity import Capacity, Room


def room_by_flavor(
    counter: Capacity, node: Node, wanted: Mapping[str, Request]
) -> dict[str, Room]:
    """The room of a compute node for each flavor, by its name.

    One that takes no guests has no room now, only when empty, and loses none;
    one whose NUMA cells are not known has none at all.
    """
    if node.host is None or node.problem:
        return dict.fromkeys(wanted, Room(0, 0, 0))
    found = counter.rooms(node.host, list(wanted.values()))
    if node.closed:
        found = [Room(0, room.empty, 0) for room in found]
    return dict(zip(wanted, found, strict=True))
