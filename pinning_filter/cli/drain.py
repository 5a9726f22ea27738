"""``pinning-filter drain``: where the servers of a host could go."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.moves import Planner, stuck_row
from pinning_filter.cli.output import Status
from pinning_filter.cloud import closed, planning
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.text import one_line
from pinning_filter.explain import caveats
from pinning_filter.fleet import drain as planner


class Drain(Planner):
    """How can a host be emptied, and in which order?

    Plans only: it prints the commands and never runs them. Each server goes
    where it fits when it comes: the engine for NUMA cells, memory, pages and
    PCI devices, the Placement API's books for the rest, Nova's rules for
    server groups, zones, aggregates and traits. Live where Nova can, else
    cold. Servers of other hosts move only where there is no direct way, and
    only live. Exit status: 0 the host can be emptied; 3 no way was found for
    some of its servers; 2 bad usage or input; 4 a cell did not answer, or
    where a server sits is not known.
    """

    takes = "HOST --plan"

    examples = """\
examples:

  Where everything on cmp1 would go:

    pinning-filter drain cmp1 --plan

  The same as a script, to be read before it is run:

    pinning-filter drain cmp1 --plan --script > drain-cmp1.sh

  In a cloud that was dumped, onto two hosts only:

    pinning-filter drain cmp1 --plan --host cloud.json --host cmp7 --host cmp8
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which host, and in which cloud."""
        parser.add_argument(
            "drained",
            type=arguments.given,
            metavar="HOST",
            help="the compute node to be emptied; --host says where to read "
            "the cloud, and which other hosts may be used",
        )
        self.add_plan_arguments(parser)
        cloud_inputs.add_cloud_arguments(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Plan, and a row for each migration."""
        name = parsed_args.drained
        snapshot = cloud_inputs.read(
            parsed_args,
            placement=True,
            allocations=True,
            requests=True,
            besides=[name],
        )
        node = _node(name, snapshot)
        plan, problems = _plan(name, snapshot, parsed_args)
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        elif plan.stuck:
            self.status = Status.NO
        lines = [
            *_notes(node, snapshot),
            *problems,
            _heading(plan, node),
            *_stuck(plan),
        ]
        self.before = "\n".join(map(one_line, lines))
        return self.answer_plan(
            parsed_args,
            plan.steps,
            [
                stuck_row(each.server, name, each.why, each.helps)
                for each in plan.stuck
            ],
        )


def _node(name: str, snapshot: Snapshot) -> Node:
    node = next((n for n in snapshot.nodes if n.name == name), None)
    if node is None:
        some = ", ".join(each.name for each in snapshot.nodes[:5])
        raise InputError(
            f"HOST: there is no compute node {name}; compute nodes: "
            f"{some or 'none'}{', ...' if len(snapshot.nodes) > 5 else ''}"
        )
    if closed.is_down(node):
        raise InputError(
            f"HOST: {name}: {node.closed}; servers of such a host cannot be "
            "migrated, only evacuated: see 'pinning-filter survive'"
        )
    return node


def _plan(
    name: str, snapshot: Snapshot, args: argparse.Namespace
) -> tuple[planner.Drain, tuple[str, ...]]:
    """The plan, and what of it a running Nova would refuse."""
    from pinning_filter.cli.inputs import question as question_inputs
    from pinning_filter.explain import eligible

    cloud = planning.cloud(snapshot, question_inputs.strategy())
    return question_inputs.passing(
        args,
        snapshot,
        eligible.by_flavor_and_zone(snapshot),
        lambda allowed: planner.drain(cloud, name, allowed),
        lambda plan: [step.move for step in plan.steps],
    )


def _notes(node: Node, snapshot: Snapshot) -> Iterator[str]:
    """What the plan does not know."""
    requests = [
        each.request for each in node.guests if len(each.request.cells) > 1
    ]
    if requests and (note := caveats.caveat(snapshot, requests[0])):
        yield note
    if any(each.host and each.provider is None for each in snapshot.nodes):
        yield (
            "What the Placement API counts is not known of every host, and is "
            "not looked at there."
        )
    if node.unplaced:
        number = _servers(len(node.unplaced))
        yield f"Not in the plan: {number} whose record makes no sense."
    if (unnamed := node.others - len(node.floating)) > 0:
        yield (
            f"Not in the plan: {_servers(unnamed)} without a NUMA topology, "
            "which the file does not name."
        )
    if not node.closed:
        yield (
            f"{node.name} still takes servers: disable its compute service "
            "before the first step."
        )


def _heading(plan: planner.Drain, node: Node) -> str:
    total = len(node.guests) + len(node.floating)
    if not total:
        more = node.unplaced or node.others
        nothing = "has nothing that can be planned for" if more else "is empty"
        return f"{plan.host} {nothing}: nothing to move."
    if plan.stuck:
        stuck = len(plan.stuck)
        found = "finds" if stuck == 1 else "find"
        sure = plan.impossible or all(each.impossible for each in plan.stuck)
        what = "cannot be emptied" if sure else "cannot be emptied so far"
        text = f"{plan.host} {what}: {stuck} of {_servers(total)} {found} "
        text += "no place."
        if plan.impossible:
            text += f" No moves can help: {plan.impossible}."
        return text
    moves = len(plan.steps)
    stages = max(step.stage for step in plan.steps)
    text = f"{plan.host} can be emptied by {_migrations(moves)}"
    if stages > 1:
        text += f" in {stages} stages"
    if plan.others:
        text += f"; {_servers(plan.others)} of other hosts must move, too"
    return f"{text}."


def _servers(number: int) -> str:
    return "1 server" if number == 1 else f"{number} servers"


def _migrations(number: int) -> str:
    return "1 migration" if number == 1 else f"{number} migrations"


def _stuck(plan: planner.Drain) -> Iterator[str]:
    for each in plan.stuck:
        server = each.server
        who = f"{server.name} ({server.id})" if server.name else server.id
        how = "impossible" if each.impossible else "no way was found"
        yield " ".join([f"{who}: {how}:", each.why, *each.helps])
