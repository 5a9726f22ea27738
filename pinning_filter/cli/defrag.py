"""``pinning-filter defrag``: which guests to move so that more fit."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from typing import Any

from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.output import Lister, Status
from pinning_filter.core.errors import InputError
from pinning_filter.core.request import Request
from pinning_filter.core.text import one_line
from pinning_filter.explain import caveats
from pinning_filter.fleet import defrag
from pinning_filter.fleet.hosts import Cloud

_FOR_PEOPLE = ("step", "server", "name", "flavor", "source", "target")
_UNKNOWN = (
    "Which NUMA cells and cores its hosts prefer is not in the file: it is "
    "taken from nova.conf here, the same for all."
)
#: The first microversion in which --host is asked of the scheduler, too.
_MICROVERSION = "2.30"


class Defrag(Lister):
    """Which few live migrations make room for more guests of a flavor?

    Plans only: it prints the commands and never runs them. Every step is
    what the engine answers for the cloud as it is after the steps before it.
    Guests that cannot be migrated live, such as those with PCI devices, stay.
    Not looked at: disks, server groups, aggregates, and what the Placement
    API counts; Nova refuses a migration for which these are wrong. Exit
    status: 0 there is room, or will be after the moves; 3 no moves were found
    that make enough room; 2 bad usage or input; 4 a cell did not answer.
    """

    #: Stable. A row is a migration; they are in the order to be done in.
    all_columns = (
        "step",
        "server",
        "name",
        "flavor",
        "source",
        "target",
        "command",
    )

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
        parser.add_argument(
            "--plan",
            action="store_true",
            required=True,
            help="print the plan; there is nothing else that this command "
            "does, and nothing is ever moved by it",
        )
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
        snapshot = cloud_inputs.read(parsed_args)
        from pinning_filter.cli.inputs import question as question_inputs

        request = _request(parsed_args, snapshot)
        cloud = snapshot.cloud(question_inputs.strategy())
        plan = defrag.plan(cloud, request, parsed_args.count)
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        elif not plan.enough:
            self.status = Status.NO
        rows = list(_rows(plan))
        notes = [caveats.caveat(snapshot, request)]
        if any(node.host and not node.strategy for node in snapshot.nodes):
            notes.append(_UNKNOWN)
        self.before = "\n".join(filter(None, [*notes, _heading(plan, cloud)]))
        if rows:
            self.after = "\n".join(one_line(row["command"]) for row in rows)
        return self.answer(parsed_args, _FOR_PEOPLE, rows)


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


def _rows(plan: defrag.Plan) -> Iterator[dict[str, Any]]:
    for step, move in enumerate(plan.moves, start=1):
        yield {
            "step": step,
            "server": move.guest.id,
            "name": one_line(move.guest.name),
            "flavor": one_line(move.guest.flavor),
            "source": move.source,
            "target": move.target,
            "command": command(move),
        }


def command(move: defrag.Move) -> str:
    """What carries a move out, and waits for its end, for a shell."""
    return shlex.join(
        [
            "openstack",
            "--os-compute-api-version",
            _MICROVERSION,
            "server",
            "migrate",
            "--live-migration",
            "--host",
            move.target,
            "--wait",
            move.guest.id,
        ]
    )


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
