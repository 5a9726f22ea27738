"""``pinning-filter survive``: which hosts may fail, and which may not."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pinning_filter.cli import progress
from pinning_filter.cli.columns import Clauses
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.output import Lister, Status
from pinning_filter.cloud import planning
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.fleet.survival import Loss, Survival

_FOR_PEOPLE = ("hosts", "servers", "pcpus", "survives", "stuck", "missing")


class Survive(Lister):
    """If a host fails, do all its servers find a place elsewhere?

    Of every host that has some, as if all were evacuated at once: each server
    goes where it fits, and where its server group, its availability zone, its
    aggregates and its traits allow, as with 'drain'. A "no" means that no way
    was found. Exit status: 0 any host may fail, 3 some may not, 2 bad usage
    or input, 4 a cell did not answer.
    """

    #: Stable. A row is a host that fails, or several at once.
    all_columns = (
        "hosts",
        "servers",
        "pcpus",
        "survives",
        "stuck",
        "stuck_pcpus",
        "missing",
    )

    examples = """\
examples:

  Each host by itself, those that may not fail:

    pinning-filter survive

  Each host together with the fullest other one, and all hosts of a rack:

    pinning-filter survive --count 2 --all
    pinning-filter survive --aggregate rack-7

  How many hosts can be lost one after the other, for metrics:

    pinning-filter survive --number
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which hosts fail, and which cloud."""
        parser.add_argument(
            "--count",
            type=arguments.whole(),
            default=1,
            metavar="N",
            help="so many hosts fail at once: each host in turn, together "
            "with those of the others whose servers take the most pCPUs "
            "(default: %(default)s)",
        )
        parser.add_argument(
            "--aggregate",
            type=arguments.given,
            metavar="NAME",
            help="all hosts of this aggregate fail at once",
        )
        parser.add_argument(
            "--all",
            action="store_true",
            help="also the hosts that may fail; for programs they are always "
            "there",
        )
        parser.add_argument(
            "--number",
            action="store_true",
            help="only how many hosts can fail one after the other, the "
            "fullest first, as a number",
        )
        cloud_inputs.add_cloud_arguments(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Let hosts fail, and a row for each loss."""
        if parsed_args.aggregate and parsed_args.count > 1:
            raise InputError("give either --aggregate or --count")
        if parsed_args.number and parsed_args.aggregate:
            raise InputError("give either --aggregate or --number")
        snapshot = cloud_inputs.read(
            parsed_args, placement=True, allocations=True, requests=True
        )
        from pinning_filter.cli.inputs import question as question_inputs
        from pinning_filter.explain import eligible

        cloud = planning.cloud(snapshot, question_inputs.strategy())
        survival = Survival(cloud, eligible.by_flavor_and_zone(snapshot))
        if parsed_args.number:
            self.before = str(survival.in_turn())
            if cloud_inputs.report_incomplete(snapshot):
                self.status = Status.INCOMPLETE
            return [], []
        losses = list(_losses(parsed_args, snapshot, survival))
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        elif not all(loss.survived for loss in losses):
            self.status = Status.NO
        in_turn = None if parsed_args.aggregate else survival.in_turn()
        self.before = _heading(losses, in_turn)
        rows = _rows(losses, parsed_args)
        return self.answer(parsed_args, _FOR_PEOPLE, list(rows))


def _losses(
    args: argparse.Namespace, snapshot: Snapshot, survival: Survival
) -> Iterable[Loss]:
    if args.aggregate:
        yield survival.loss(_members(args.aggregate, snapshot))
        return
    yield from progress.bar(
        survival.losses(args.count),
        "Letting hosts fail",
        total=sum(
            bool(node.guests or node.floating) for node in snapshot.nodes
        ),
    )


def _members(name: str, snapshot: Snapshot) -> list[str]:
    members = [
        node.name
        for node in snapshot.nodes
        if any(each.name == name for each in node.aggregates)
    ]
    if not members:
        known = sorted(
            {each.name for node in snapshot.nodes for each in node.aggregates}
        )
        raise InputError(
            f"--aggregate: no host is in an aggregate {name}; "
            f"aggregates: {', '.join(known) or 'none'}"
        )
    return members


def _rows(
    losses: Sequence[Loss], args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    everything = args.all or args.aggregate or args.formatter != "table"
    for loss in losses:
        if everything or not loss.survived:
            yield {
                "hosts": Clauses(loss.hosts),
                "servers": loss.servers,
                "pcpus": loss.pcpus,
                "survives": loss.survived,
                "stuck": Clauses(
                    [guest.name or guest.id for guest in loss.stuck]
                ),
                "stuck_pcpus": loss.stuck_pcpus,
                "missing": loss.missing,
            }


def _heading(losses: Sequence[Loss], in_turn: int | None) -> str:
    if not losses:
        return "No host has servers."
    number = len(losses)
    fatal = sum(not loss.survived for loss in losses)
    if in_turn is None:
        verdict = "would not all find" if fatal else "would all find"
        return f"The servers of these hosts {verdict} a place elsewhere."
    hosts = "1 host" if number == 1 else f"{number} hosts"
    text = f"{fatal} of {hosts} with servers may not fail."
    if in_turn == 1:
        return f"{text} The fullest host can fail, and none after it."
    if in_turn:
        return f"{text} {in_turn} can fail one after the other, fullest first."
    return text
