"""``pinning-filter explain``: why no valid host, or which?"""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pinning_filter.cli.cloud.snapshot import Snapshot
from pinning_filter.cli.columns import Clauses, Pinning, one_line
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import guest as guest_inputs
from pinning_filter.cli.judging import plain
from pinning_filter.cli.judging.findings import Finding, Stage
from pinning_filter.cli.judging.question import Question
from pinning_filter.cli.output import InputError, Lister, Status, for_people
from pinning_filter.core import cpuset, summary
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.refusal import Refusal

if TYPE_CHECKING:
    from pinning_filter.cli.judging.verdicts import Others, Verdict

_FOR_PEOPLE = (
    "host",
    "verdict",
    "host_cell",
    "guest_cell",
    "text",
    "remedies",
)


#: Who turns hosts away, as a sentence names it.
_STAGES = {
    Stage.SERVICE: "the state of the service",
    Stage.ZONE: "the availability zone",
    Stage.AGGREGATE: "AggregateInstanceExtraSpecsFilter",
    Stage.PLACEMENT: "the Placement API",
    Stage.DEVICES: "PciPassthroughFilter",
}


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
        from pinning_filter.cli.judging import asking, verdicts

        question = asking.question(parsed_args, snapshot)
        others = asking.others(parsed_args, snapshot, question)
        strategy = asking.strategy()
        judged = [
            verdicts.judge(node, question, strategy, snapshot.filters, others)
            for node in snapshot.nodes
        ]
        fitting = sum(verdict.fits for verdict in judged)
        if snapshot.unreachable:
            self.status = Status.INCOMPLETE
        elif not fitting:
            self.status = Status.NO
        cloud_inputs.report_unreachable(snapshot)
        self.before = "\n".join(
            _heading(snapshot, question, judged, others)
        )
        if cloud_inputs.is_live(parsed_args) and not for_people(parsed_args):
            for line in _not_asked(others):
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


def _heading(
    snapshot: Snapshot,
    question: Question,
    judged: list[Verdict],
    others: Others,
) -> Iterator[str]:
    """What was asked, and the answer in a sentence or two."""
    if question.fault:
        yield f"Nova says: {one_line(question.fault)}"
    if snapshot.taken:
        yield f"The cloud is that of {one_line(snapshot.taken)}."
    if question.request is None:
        yield (
            "The server asks for no NUMA topology: PinningFilter passes every "
            "host, and only what is beside it can refuse."
        )
    fitting = sum(verdict.fits for verdict in judged)
    if fitting:
        what = "the server"
        if question.request is not None:
            what = summary.asked(question.request)
        yield f"{fitting} of {_hosts(len(judged))} can take {what}."
    elif question.request is not None:
        refusals = [
            verdict.answer
            for verdict in judged
            if isinstance(verdict.answer, Refusal)
        ]
        if refusals:
            yield summary.sentence(question.request, refusals)
        if len(refusals) < len(judged):
            passed = _hosts(len(judged) - len(refusals))
            yield f"PinningFilter alone would pass {passed}."
    yield from _turned_away(judged)
    yield from _beside(snapshot, question, others)


def _turned_away(judged: list[Verdict]) -> Iterator[str]:
    """Who beside PinningFilter refuses how many hosts."""
    who = collections.Counter(
        finding.code
        if finding.stage is Stage.OTHER_FILTER
        else _STAGES[finding.stage]
        for verdict in judged
        if (finding := verdict.turned_away)
    )
    if who:
        counted = ", ".join(
            f"{_hosts(number)} by {name}" for name, number in who.most_common()
        )
        yield f"Turned away elsewhere: {counted}."


def _beside(
    snapshot: Snapshot, question: Question, others: Others
) -> Iterator[str]:
    """What the answer leaves out, and where it is not Nova's."""
    if question.forced:
        yield (
            f"The server was forced to {one_line(', '.join(question.forced))}"
            ": Nova asks no filter then. All hosts are judged here."
        )
    if snapshot.filters is not None and "PinningFilter" not in (
        snapshot.filters
    ):
        yield (
            "nova.conf does not enable PinningFilter here: what it would say "
            "is told."
        )
    if text := plain.caveat(snapshot, question.request):
        yield text
    yield from _not_asked(others)


def _not_asked(others: Others) -> Iterator[str]:
    """The filters that were not asked, those of one reason together."""
    names = collections.defaultdict(list)
    for name, why in others.not_asked.items():
        names[one_line(why)].append(one_line(name))
    for why, together in names.items():
        yield f"Not asked: {', '.join(together)} ({why})."


def _hosts(number: int) -> str:
    return "1 host" if number == 1 else f"{number} hosts"


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
