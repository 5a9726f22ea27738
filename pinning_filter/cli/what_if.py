"""``pinning-filter audit --what-if``: before an option is changed."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pinning_filter.audit import what_if
from pinning_filter.audit.what_if import Outcome, Server
from pinning_filter.cli import progress
from pinning_filter.cli.columns import Cpus
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import flavors as flavor_inputs
from pinning_filter.cli.inputs import what_if as inputs
from pinning_filter.cli.output import Status, warn
from pinning_filter.cloud.room import room_by_flavor
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError
from pinning_filter.core.request import Request
from pinning_filter.fleet.capacity import Capacity

#: Stable. A row is a server, a resource class or a flavor on a host, or a
#: host; without a host it is a sum of all.
COLUMNS = (
    "host",
    "kind",
    "subject",
    "name",
    "outside",
    "fits",
    "before",
    "after",
    "used",
    "why",
)
FOR_PEOPLE = COLUMNS
#: The name that people see for the rows of all hosts.
_ALL = "(all)"


class Answer(NamedTuple):
    """What a command has to show."""

    rows: list[dict[str, Any]]
    heading: str
    status: Status


class _Looked(NamedTuple):
    """A compute node, what would become of it, and its room by flavor."""

    node: Node
    outcome: Outcome
    before: Mapping[str, int]
    after: Mapping[str, int]


def answer(args: argparse.Namespace, people: bool) -> Answer:
    """What ``--what-if`` asks; for people the sums stand for every host's.

    :raises InputError: for a change that makes no sense.
    """
    change = inputs.change(args.what_if)
    snapshot = cloud_inputs.read(args, placement=True)
    inputs.check(change, snapshot.nodes)
    wanted = flavor_inputs.of_interest(args, snapshot)
    from pinning_filter.cli.inputs import question as question_inputs

    strategy = question_inputs.strategy()
    counter = functools.cache(Capacity)
    left_out = cloud_inputs.report_incomplete(snapshot)
    looked = []
    for node in progress.bar(snapshot.nodes, "Changing"):
        if node.host is None or node.problem:
            why = node.problem or "it reports no NUMA topology"
            warn(f"host {node.name} is left out: {why}")
            left_out = True
            continue
        preferred = node.strategy or strategy
        try:
            found = what_if.outcome(node, change, preferred)
        except what_if.InvalidChange as error:
            raise InputError(
                f"--what-if: host {node.name}: {error}; what is not given "
                "stays as it is"
            ) from error
        looked.append(_look(counter(preferred), node, found, wanted))
    return Answer(
        list(_rows(looked, wanted, people)),
        _heading(looked),
        _status(looked, left_out),
    )


def _look(
    counter: Capacity,
    node: Node,
    found: Outcome,
    wanted: Mapping[str, Request],
) -> _Looked:
    then = dataclasses.replace(node, host=found.host)
    before, after = (
        {
            name: room.now
            for name, room in room_by_flavor(counter, each, wanted).items()
        }
        for each in (node, then)
    )
    return _Looked(node, found, before, after)


def _rows(
    looked: Sequence[_Looked], wanted: Mapping[str, Request], people: bool
) -> Iterator[dict[str, Any]]:
    sums = len(looked) > 1
    for each in looked:
        for why in _of_host(each.outcome):
            yield {"host": each.node.name, "kind": "host", "why": why}
        for server in each.outcome.servers:
            yield _server(each.node.name, server)
        if not (sums and people):
            yield from _numbers(each.node.name, [each], wanted)
    if sums:
        yield from _numbers(_ALL if people else None, looked, wanted)


def _of_host(outcome: Outcome) -> Iterator[str]:
    for why in outcome.stops:
        yield f"nova-compute would not start: {why}"
    if outcome.unknown:
        yield (
            f"{cpuset.named(outcome.unknown)}: for no guests today, so not in "
            "the host's record, and not counted"
        )


def _server(host: str, server: Server) -> dict[str, Any]:
    why = "; ".join(server.broken)
    if server.refusal is not None:
        why += f"; no other place there: {server.refusal.text}"
    return {
        "host": host,
        "kind": "server",
        "subject": server.guest.id,
        "name": server.guest.name,
        "outside": Cpus(server.outside),
        "fits": server.refusal is None,
        "why": why,
    }


def _numbers(
    host: str | None,
    looked: Sequence[_Looked],
    wanted: Mapping[str, Request],
) -> Iterator[dict[str, Any]]:
    """Resource classes and flavors, added up."""
    for name in ("PCPU", "VCPU"):
        found = [
            resource
            for each in looked
            for resource in each.outcome.resources
            if resource.name == name
        ]
        if found:
            missing = sum(each.missing for each in found)
            used = [each.used for each in found if each.used is not None]
            yield {
                "host": host,
                "kind": "resource",
                "subject": name,
                "before": sum(each.before for each in found),
                "after": sum(each.after for each in found),
                "used": sum(used) if used else None,
                "why": f"{missing} more are allocated than could be"
                if missing
                else "",
            }
    for name in wanted:
        yield {
            "host": host,
            "kind": "flavor",
            "subject": name,
            "before": sum(each.before[name] for each in looked),
            "after": sum(each.after[name] for each in looked),
        }


def _heading(looked: Sequence[_Looked]) -> str:
    servers = [each for one in looked for each in one.outcome.servers]
    total = sum(
        len(one.node.guests) + len(one.node.held) for one in looked
    )
    outside = sum(bool(each.outside) for each in servers)
    homeless = sum(each.refusal is not None for each in servers)
    hosts = "1 host" if len(looked) == 1 else f"{len(looked)} hosts"
    of = "1 server" if total == 1 else f"{total} servers"
    return (
        f"Of {of} with a NUMA topology on {hosts}, {outside} would "
        f"be outside, and {homeless} would find no place on their host."
    )


def _status(looked: Sequence[_Looked], left_out: bool) -> Status:
    for _, outcome, *_ in looked:
        if (
            outcome.servers
            or outcome.stops
            or any(each.missing for each in outcome.resources)
        ):
            return Status.NO
    if left_out or any(each.outcome.unknown for each in looked):
        return Status.INCOMPLETE
    return Status.YES
