"""``pinning-filter defrag``: which guests to move so that more fit."""

from __future__ import annotations

import argparse
from typing import Any

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.moves import Planner
from pinning_filter.cli.output import Status
from pinning_filter.cloud import planning
from pinning_filter.core.errors import InputError
from pinning_filter.core.request import Request
from pinning_filter.explain import caveats
from pinning_filter.fleet import defrag
from pinning_filter.fleet.hosts import Cloud

_UNKNOWN = (
    "Which NUMA cells and cores its hosts prefer is not in the file: it is "
    "taken from nova.conf here, the same for all."
)


class Defrag(Planner):
    """Which few live migrations make room for more guests of a flavor?

    Plans only: it prints the commands and never runs them. Every step is
    what the engine answers for the cloud as it is after the steps before it.
    Guests that cannot be migrated live stay, and so do floating ones. Where a
    guest may go is decided as 'drain' does. Exit status: 0 there is room, or
    will be after the moves; 3 no moves were found that make enough room; 2 bad
    usage or input; 4 a cell did not answer.
    """

    examples = """\
examples:

  Room for two more guests of a flavor:

    pinning-filter defrag --plan --flavor pinned.16 --count 2

  The commands alone, to be read before they are run:

    pinning-filter defrag --plan --flavor pinned.16 -f value -c command

  Room on four hosts by moves between them, in a cloud that was dumped:

    pinning-filter defrag --plan --host cloud.json --host cmp1 --host cmp2 \\
        --host cmp3 --host cmp4 --vcpus 16 --ram 16384 \\
        --property hw:cpu_policy=dedicated
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Room for what, and in which cloud."""
        self.add_plan_arguments(parser)
        parser.add_argument(
            "--flavor",
            type=arguments.given,
            metavar="NAME",
            help="the flavor of the guests that there is to be room for",
        )
        parser.add_argument(
            "--count",
            type=arguments.whole(),
            default=1,
            metavar="N",
            help="how many of them (default: %(default)s)",
        )
        cloud_inputs.add_cloud_arguments(parser)
        guest_inputs.add_guest_arguments(parser, required=False)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Plan, and a row for each migration."""
        snapshot = cloud_inputs.read(
            parsed_args, placement=True, allocations=True, requests=True
        )
        from pinning_filter.cli.inputs import question as question_inputs
        from pinning_filter.explain import eligible

        request = _request(parsed_args, snapshot)
        cloud = planning.cloud(snapshot, question_inputs.strategy())
        plan, problems = question_inputs.passing(
            parsed_args,
            snapshot,
            eligible.by_flavor_and_zone(snapshot),
            lambda allowed: defrag.plan(
                cloud, request, parsed_args.count, allowed
            ),
            lambda plan: plan.moves,
        )
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        elif not plan.enough:
            self.status = Status.NO
        notes = [*problems, caveats.caveat(snapshot, request)]
        if any(node.host and not node.strategy for node in snapshot.nodes):
            notes.append(_UNKNOWN)
        self.before = "\n".join(filter(None, [*notes, _heading(plan, cloud)]))
        return self.answer_plan(parsed_args, plan.steps)


def _request(args: argparse.Namespace, snapshot: Any) -> Request:
    from pinning_filter.cli.inputs import question as question_inputs

    if (args.vcpus is None) != (args.ram is None):
        raise InputError("--vcpus and --ram go together")
    if (args.flavor is None) == (args.vcpus is None):
        raise InputError("give either --flavor, or --vcpus and --ram")
    args.server = args.image = None
    question = question_inputs.question(args, snapshot)
    request = question.request
    if request is None or not any(cell.dedicated for cell in request.cells):
        raise InputError("such a guest pins no vCPUs, so no moves help it")
    if question.pci_requests:
        raise InputError(
            "such a guest asks for PCI devices, for which this cannot plan"
        )
    return request


def _heading(plan: defrag.Plan, cloud: Cloud) -> str:
    """What there is room for, and what the moves do about it."""
    if plan.before >= plan.wanted:
        return f"There is room for {plan.wanted} already: nothing to move."
    now = f"There is room for {plan.before} of {plan.wanted} now"
    if plan.moves:
        moves = len(plan.moves)
        what = "1 migration" if moves == 1 else f"{moves} migrations in turn"
        more = "" if plan.enough else ", and no moves were found for more"
        return f"{now}, for {plan.after} after {what}{more}:"
    if plan.free < plan.needed:
        return (
            f"{now}, and no moves can help: {plan.needed} pCPUs are needed, "
            f"{plan.free} are free in all."
        )
    fixed = sum(
        bool(guest.fixed)
        for host in cloud.hosts
        if not host.closed
        for guest in host.guests
    )
    stay = f" Servers that cannot be migrated live: {fixed}." if fixed else ""
    return (
        f"{now}, and no moves were found that help, though {plan.free} pCPUs "
        f"are free in all and {plan.needed} needed.{stay}"
    )
