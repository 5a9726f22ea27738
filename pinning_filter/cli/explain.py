"""``pinning-filter explain``: why no valid host, or which?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pinning_filter.cli.columns import Clauses, Pinning
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.output import Lister, Status, for_people
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.text import one_line
from pinning_filter.explain.findings import Finding

if TYPE_CHECKING:
    from pinning_filter.explain.verdicts import Verdict

_FOR_PEOPLE = (
    "host",
    "verdict",
    "host_cell",
    "guest_cell",
    "text",
    "remedies",
)


class Explain(Lister):
    """Why does a server find no valid host, or which hosts fit it?

    Asks of every compute node what the scheduler would, from the service and
    the Placement API to PinningFilter and the other filters, and says all
    that speaks against it. Reads nova.conf and Nova's databases, as
    nova-manage does, or a dump, and changes nothing. Exit status: 0 some
    host fits, 3 none does, 2 bad usage or input, 4 a cell did not answer.
    """

    takes = "[SERVER]"
    #: Stable. A row is a reason against a host, or a guest cell's place.
    all_columns = (
        "host",
        "cell",
        "fits",
        "verdict",
        "code",
        "needed",
        "free",
        "unit",
        "host_cell",
        "guest_cell",
        "text",
        "pinning",
        "remedies",
    )

    examples = """\
examples:

  On a controller: a server in ERROR, by its UUID or name:

    pinning-filter explain 6a1b1fd7-9d0b-4ab4-a1f6-9d3c0c3d0c0e

  A flavor and an image, on one compute node only:

    pinning-filter explain --flavor pinned.8 --image debian-13 --host cmp7

  A flavor that there is not yet, on a cloud that was dumped:

    pinning-filter explain --host cloud.json --vcpus 6 --ram 8192 \\
        --property hw:cpu_policy=dedicated
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which server, and which cloud."""
        parser.add_argument(
            "server",
            type=arguments.given,
            nargs="?",
            metavar="SERVER",
            help="UUID or name of a server, in ERROR or not",
        )
        cloud_inputs.add_cloud_arguments(parser)
        guest_inputs.add_guest_arguments(parser, required=False)
        parser.add_argument(
            "--flavor",
            type=arguments.given,
            metavar="NAME",
            help="a flavor of the cloud, in place of --vcpus and --ram; "
            "--property adds to its extra specs",
        )
        parser.add_argument(
            "--image",
            type=arguments.given,
            metavar="ID|NAME",
            help="an image of the cloud, asked from Glance; "
            "--image-property adds to its properties",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Judge every compute node; the verdicts as rows."""
        _check(parsed_args)
        snapshot = cloud_inputs.read(
            parsed_args, guests=False, placement=True
        )
        from pinning_filter.cli.inputs import question as question_inputs
        from pinning_filter.explain import report, verdicts

        question = question_inputs.question(parsed_args, snapshot)
        others = question_inputs.others(parsed_args, snapshot, question)
        strategy = question_inputs.strategy()
        judged = [
            verdicts.judge(node, question, strategy, snapshot.filters, others)
            for node in snapshot.nodes
        ]
        fitting = sum(verdict.fits for verdict in judged)
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        elif not fitting:
            self.status = Status.NO
        self.before = "\n".join(
            report.sentences(snapshot, question, judged, others)
        )
        if cloud_inputs.is_live(parsed_args) and not for_people(parsed_args):
            for line in report.not_asked(others):
                self.app.stderr.write(f"{self.app.NAME}: {line}\n")
        rows = [row for verdict in judged for row in _rows(verdict)]
        shown = list(_FOR_PEOPLE)
        if question.request is None or len(question.request.cells) == 1:
            shown.remove("guest_cell")
        return self.answer(parsed_args, shown, rows)


def _check(args: argparse.Namespace) -> None:
    """Exactly one way to say what is asked."""
    by_size = args.vcpus is not None or args.ram is not None
    ways = [
        name
        for name, used in (
            ("SERVER", args.server),
            ("--flavor", args.flavor),
            ("--vcpus and --ram", by_size),
        )
        if used
    ]
    if len(ways) != 1:
        raise InputError(
            "give one of SERVER, --flavor, or --vcpus and --ram"
            + (f", not {' and '.join(ways)}" if ways else "")
        )
    if by_size and (args.vcpus is None or args.ram is None):
        raise InputError("--vcpus and --ram go together")
    if args.server:
        for option in ("image", "property", "image_property"):
            if getattr(args, option):
                raise InputError(
                    f"--{option.replace('_', '-')}: SERVER has its own "
                    "flavor and image"
                )


def _rows(verdict: Verdict) -> Iterator[dict[str, Any]]:
    common = {
        "host": verdict.node.name,
        "cell": verdict.node.cell,
        "fits": verdict.fits,
    }
    for number, finding in enumerate(verdict.findings):
        row = {**common, **_finding(finding)}
        # Once for each host.
        row["remedies"] = Clauses(() if number else verdict.remedies)
        yield row
    if verdict.fits and isinstance(verdict.answer, Placement):
        for index, cell in enumerate(verdict.answer.cells):
            yield {
                **common,
                "verdict": "fits",
                "host_cell": cell.host_cell.id,
                "guest_cell": index,
                "text": _taking(cell),
                "pinning": Pinning(cell.pinning),
                "remedies": Clauses(()),
            }
    elif verdict.fits:
        yield {**common, "verdict": "fits", "remedies": Clauses(())}


def _taking(cell: CellPlacement) -> str:
    """What a guest cell would take of its host cell, as a clause."""
    parts = []
    if cell.pinning:
        parts.append(f"takes {cpuset.named(cell.pinning.values())}")
    if cell.reserved:
        parts.append(f"emulator threads on {cpuset.named(cell.reserved)}")
    if number := len(cell.guest_cell.shared):
        floating = "1 vCPU floats" if number == 1 else f"{number} vCPUs float"
        parts.append(f"{floating} over {cpuset.named(cell.host_cell.shared)}")
    return ", ".join(parts)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.stage.value,
        "code": finding.code,
        "needed": finding.needed,
        "free": finding.free,
        "unit": finding.unit,
        "host_cell": finding.host_cell,
        "guest_cell": finding.guest_cell,
        "text": one_line(finding.text),
    }
