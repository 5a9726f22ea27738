"""``pinning-filter capacity``: how much more fits, and what is wasted."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pinning_filter.cli import progress
from pinning_filter.cli.columns import ByCell, MemoryByCell
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import flavors
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.output import Lister, Status, for_people
from pinning_filter.cloud.room import room_by_flavor
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core.request import Request
from pinning_filter.fleet.capacity import Capacity as Counter
from pinning_filter.fleet.capacity import Room

_FOR_PEOPLE = (
    "host",
    "flavor",
    "fits_now",
    "fits_empty",
    "lost",
    "free_pcpus",
    "pcpus",
    "stranded_pcpus",
    "stranded_memory_kib",
    "closed",
)
#: The name that people see for the row of all hosts.
_ALL = "(all)"


class Capacity(Lister):
    """How many more of each flavor fit, on each host and in all?

    Also how many fit an empty host, how many more would fit now if what is
    free on each host were in one piece (lost to fragmentation), and for each
    host cell the pCPUs and the memory that no guest of these flavors can use
    (stranded). Exit status: 0 done, 2 bad usage or input, 4 a cell did not
    answer.
    """

    #: Stable. A row is a flavor on a host, or with no host on all of them.
    all_columns = (
        "host",
        "cell",
        "flavor",
        "fits_now",
        "fits_empty",
        "lost",
        "free_pcpus",
        "pcpus",
        "stranded_pcpus",
        "stranded_memory_kib",
        "closed",
    )

    examples = """\
examples:

  Every pinned flavor that a guest of the cloud has:

    pinning-filter capacity

  Two of them, on two hosts:

    pinning-filter capacity --flavor pinned.4 --flavor pinned.16 \\
        --host cmp1 --host cmp2

  A flavor that there is not yet, on a cloud that was dumped:

    pinning-filter capacity --host cloud.json --vcpus 6 --ram 8192 \\
        --property hw:cpu_policy=dedicated -f json
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which flavors, and which cloud."""
        flavors.add_flavor_argument(parser)
        parser.add_argument(
            "--total",
            action="store_true",
            help="only all hosts together, without each by itself",
        )
        cloud_inputs.add_cloud_arguments(parser)
        guest_inputs.add_guest_arguments(parser, required=False)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Count on every host; a row for each flavor there."""
        snapshot = cloud_inputs.read(parsed_args, guests=False)
        wanted = flavors.wanted(parsed_args, snapshot)
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        from pinning_filter.cli.inputs import question as question_inputs

        strategy = question_inputs.strategy()
        counter = functools.cache(Counter)
        counted = [
            _counted(counter(node.strategy or strategy), node, wanted)
            for node in progress.bar(snapshot.nodes, "Counting")
        ]
        rows = [] if parsed_args.total else list(_rows(counted))
        rows += _totals(counted, wanted)
        self.before = _heading(counted)
        if for_people(parsed_args):
            rows = [{**row, "host": row["host"] or _ALL} for row in rows]
        return self.answer(parsed_args, _FOR_PEOPLE, rows)


@dataclasses.dataclass(frozen=True, slots=True)
class _Counted:
    """What was found out about one compute node."""

    node: Node
    rooms: Mapping[str, Room]  #: by flavor
    stranded: Mapping[int, tuple[int, float]]  #: by host cell
    free: int  #: pCPUs
    total: int  #: pCPUs


def _counted(
    counter: Counter, node: Node, wanted: Mapping[str, Request]
) -> _Counted:
    host = node.host
    found = room_by_flavor(counter, node, wanted)
    if host is None or node.problem:
        return _Counted(node, found, {}, 0, 0)
    return _Counted(
        node,
        found,
        counter.stranded(host, list(wanted.values())),
        host.free_pcpus,
        sum(len(cell.dedicated) for cell in host.cells),
    )


def _rows(counted: Iterable[_Counted]) -> Iterator[dict[str, Any]]:
    for each in counted:
        for name, room in each.rooms.items():
            yield {
                "host": each.node.name,
                "cell": each.node.cell,
                "flavor": name,
                "fits_now": room.now,
                "fits_empty": room.empty,
                "lost": room.lost,
                "free_pcpus": each.free,
                "pcpus": each.total,
                "stranded_pcpus": ByCell(
                    {cell: left for cell, (left, _) in each.stranded.items()}
                ),
                "stranded_memory_kib": MemoryByCell(
                    {
                        cell: int(left)
                        for cell, (_, left) in each.stranded.items()
                    }
                ),
                "closed": _why_closed(each.node),
            }


def _why_closed(node: Node) -> str:
    if node.host is None and not node.problem:
        return "reports no NUMA topology"
    return node.problem or node.closed


def _totals(
    counted: list[_Counted], wanted: Mapping[str, Request]
) -> Iterator[dict[str, Any]]:
    for name in wanted:
        rooms = [each.rooms[name] for each in counted]
        yield {
            "host": None,
            "flavor": name,
            "fits_now": sum(room.now for room in rooms),
            "fits_empty": sum(room.empty for room in rooms),
            "lost": sum(room.lost for room in rooms),
            "free_pcpus": sum(each.free for each in counted),
            "pcpus": sum(each.total for each in counted),
        }


def _heading(counted: list[_Counted]) -> str:
    free = sum(each.free for each in counted)
    total = sum(each.total for each in counted)
    stranded = sum(
        left for each in counted for left, _ in each.stranded.values()
    )
    hosts = "1 host" if len(counted) == 1 else f"{len(counted)} hosts"
    return (
        f"{hosts}, {free} of {total} pCPUs free, {stranded} of them "
        "stranded: of no use to these flavors."
    )
