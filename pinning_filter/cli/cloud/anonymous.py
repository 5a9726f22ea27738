"""A snapshot without names, for a bug report."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

from pinning_filter.cli.cloud.snapshot import Aggregate, Snapshot


def anonymous(snapshot: Snapshot) -> Snapshot:
    """The same cloud with every name replaced by a number."""
    guests = itertools.count(1)
    cells = _numbered("cell")
    zones = _numbered("zone")
    aggregates = _numbered("aggregate")
    flavors = _numbered("flavor")
    nodes = tuple(
        dataclasses.replace(
            node,
            name=f"host-{number:05}",
            cell=cells(node.cell),
            zone=zones(node.zone),
            closed="closed" if node.closed else "",
            problem="unreadable" if node.problem else "",
            aggregates=tuple(
                Aggregate(aggregates(each.name), {})
                for each in node.aggregates
            ),
            guests=tuple(
                dataclasses.replace(
                    guest,
                    id=f"guest-{next(guests)}",
                    name="",
                    flavor=flavors(guest.flavor),
                )
                for guest in node.guests
            ),
        )
        for number, node in enumerate(snapshot.nodes, 1)
    )
    return dataclasses.replace(
        snapshot,
        nodes=nodes,
        flavors=tuple(
            dataclasses.replace(flavor, name=flavors(flavor.name))
            for flavor in snapshot.flavors
        ),
        unreachable={
            cells(name): "unreachable" for name in snapshot.unreachable
        },
    )


def _numbered(what: str) -> Callable[[str], str]:
    """Names to numbers, the same name to the same number."""
    numbers: dict[str, str] = {}

    def name(text: str) -> str:
        if not text:
            return ""
        return numbers.setdefault(text, f"{what}-{len(numbers) + 1}")

    return name
