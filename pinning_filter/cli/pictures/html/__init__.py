"""The map as one page for a browser, which asks nothing of any server.

The page holds the cloud as JSON; its script draws from that, and puts every
name there as text, never as markup. Characters that show nothing but change
how others look, such as a right-to-left override, are spelt out. The page's
Content-Security-Policy forbids any request, and any script or style but the
two that are in it, by their hashes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

from pinning_filter.cloud.occupancy import cores_of, in_order, pcpu_uses
from pinning_filter.cloud.room import room_by_flavor
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import cpuset
from pinning_filter.core.host import HostCell
from pinning_filter.core.request import Request
from pinning_filter.core.strategy import SPREAD, Strategy
from pinning_filter.core.text import one_line
from pinning_filter.fleet.capacity import Capacity, Room


def page(
    snapshot: Snapshot,
    wanted: Mapping[str, Request],
    strategy: Strategy = SPREAD,
) -> str:
    """The whole page.

    :param wanted: the flavors, by name, for which it says what is lost.
    :param strategy: of a node whose own is not known.
    """
    counter = functools.cache(Capacity)
    script, style = _part("page.js"), _part("page.css")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    return environment.from_string(_part("page.html.j2")).render(
        taken=snapshot.taken,
        unreachable={
            one_line(name): one_line(reason)
            for name, reason in snapshot.unreachable.items()
        },
        script=script,
        style=style,
        script_hash=_hash(script),
        style_hash=_hash(style),
        data=_embedded(
            {
                "hosts": [
                    _host(node, counter(node.strategy or strategy), wanted)
                    for node in snapshot.nodes
                ],
                "taken": snapshot.taken,
                "flavors": [one_line(name) for name in wanted],
            }
        ),
    )


def _part(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


def _hash(text: str) -> str:
    """As a Content-Security-Policy names a script or a style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _embedded(value: Any) -> str:
    """JSON that no name in it can end or turn into markup."""
    text = json.dumps(value, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _host(
    node: Node, counter: Capacity, wanted: Mapping[str, Request]
) -> dict[str, Any]:
    node = in_order(node)
    host = node.host
    cells = host.cells if host else ()
    uses = pcpu_uses(node)
    return {
        "name": one_line(node.name),
        "cell": one_line(node.cell),
        "zone": one_line(node.zone),
        "closed": one_line(node.closed or node.problem),
        "known": host is not None,
        "free": host.free_pcpus if host else 0,
        "total": sum(len(cell.dedicated) for cell in cells),
        "lost": _lost(room_by_flavor(counter, node, wanted), wanted),
        "others": node.others,
        "unplaced": [
            f"{one_line(each.name or each.id)} ({one_line(each.why)})"
            for each in node.unplaced
        ],
        "cells": [_cell(cell) for cell in cells],
        "pcpus": [
            [pcpu, use.state.value, use.guest, use.vcpu]
            for pcpu, use in uses.items()
        ],
        "guests": [
            {
                "id": one_line(guest.id),
                "name": one_line(guest.name),
                "flavor": one_line(guest.flavor),
                "cpu": guest.request.cpu_policy.value,
                "threads": guest.request.thread_policy.value,
                "vcpus": sum(len(c.vcpus) for c in guest.request.cells),
                "memory": sum(c.memory_kib for c in guest.request.cells),
                "pcpus": cpuset.format(guest.placement.pinning.values()),
                "fixed": one_line(guest.fixed),
            }
            for guest in node.guests
        ],
    }


def _cell(cell: HostCell) -> dict[str, Any]:
    return {
        "id": cell.id,
        "socket": cell.socket,
        "cores": cores_of(cell),
        "caches": [sorted(cache) for cache in cell.caches],
        "memory": cell.memory_kib,
        "pages": [
            [pages.size_kib, pages.total, pages.used, pages.reserved]
            for pages in cell.pages
        ],
    }


def _lost(
    room: Mapping[str, Room], wanted: Mapping[str, Request]
) -> list[tuple[str, int, int]]:
    """Flavor, servers lost, and their pCPUs: most pCPUs first."""
    lost = [
        (one_line(name), each.lost, each.lost * wanted[name].pcpus)
        for name, each in room.items()
        if each.lost
    ]
    return sorted(lost, key=lambda each: -each[2])
