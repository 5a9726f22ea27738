"""``pinning-filter audit``: do the books agree?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from pinning_filter.audit import books
from pinning_filter.audit.findings import Finding, Severity
from pinning_filter.cli import progress, what_if
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import what_if as what_if_inputs
from pinning_filter.cli.output import Lister, Status, for_people, warn
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.errors import InputError

_FOR_PEOPLE = ("severity", "code", "host", "server", "expected", "seen",
               "remedy")
#: Seconds between the two passes: longer than a claim takes.
_WAIT = 30


class Audit(Lister):
    """Do Nova's tables and the Placement API agree about pinned servers?

    Compares where servers are pinned with each other, with what the compute
    node reports, and with the allocations in the Placement API. Every
    disagreement is named with the command that would mend it, which is never
    run. On a running cloud, what a first look finds counts only if a second
    one finds it too. Exit status: 0 all agree, 2 bad usage or input, 3 there
    are findings, 4 there are none, but a part of the cloud could not be
    asked.

    With --what-if it looks ahead instead: which servers an option of
    nova-compute, changed so, would leave outside or without a place on their
    host, what the Placement API would lose, and how many of each flavor
    would fit then. Exit status 3: the change would do harm.
    """

    #: Stable. A row is a finding; with ``--what-if`` there are others.
    all_columns: tuple[str, ...] = (
        "severity",
        "code",
        "host",
        "server",
        "name",
        "expected",
        "seen",
        "remedy",
    )

    examples = """\
examples:

  The whole cloud, or a host:

    pinning-filter audit
    pinning-filter audit --host cmp1

  A cloud that was dumped, for a program:

    pinning-filter audit --host cloud.json -f json

  Before two pCPUs of each socket are taken from guests:

    pinning-filter audit --what-if cpu_dedicated_set=2-15,18-31 --host cmp1
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which cloud, and how long to wait for the second look."""
        parser.add_argument(
            "--wait",
            type=arguments.whole(),
            default=_WAIT,
            metavar="SECONDS",
            help="between the first look and the second, which is only taken "
            "if the first finds something (default: %(default)s)",
        )
        parser.add_argument(
            "--what-if",
            type=what_if_inputs.option,
            action="append",
            default=[],
            metavar="OPTION=VALUE",
            help="cpu_dedicated_set, cpu_shared_set or reserved_huge_pages, "
            "as it would be in nova.conf; may be repeated; what is not given "
            "stays as it is, and vcpu_pin_set is taken to go where a set is "
            "given",
        )
        parser.add_argument(
            "--flavor",
            type=arguments.given,
            action="append",
            default=[],
            metavar="NAME",
            help="with --what-if: a pinned flavor to count; may be repeated; "
            "default: those that guests have, or all of them if none has any",
        )
        cloud_inputs.add_cloud_arguments(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Look, look again, and a row for each finding of both."""
        if parsed_args.what_if:
            return self._what_if(parsed_args)
        if parsed_args.flavor:
            raise InputError("--flavor goes with --what-if")
        snapshot = _read(parsed_args)
        found = _look(snapshot)
        if found and cloud_inputs.is_live(parsed_args):
            with progress.spinner("Waiting for the second look"):
                time.sleep(parsed_args.wait)
            snapshot = _read(parsed_args)
            found = books.confirmed(found, _look(snapshot))
        cloud_inputs.report_unreachable(snapshot)
        unasked = _without_allocations(snapshot)
        if unasked:
            warn(
                f"allocations of {unasked} of {len(snapshot.nodes)} hosts are "
                "not known, and not compared"
            )
        if found:
            self.status = Status.NO
        elif snapshot.unreachable or unasked:
            self.status = Status.INCOMPLETE
        self.before = _heading(found, len(snapshot.nodes))
        return self.answer(parsed_args, _FOR_PEOPLE, list(map(_row, found)))

    def _what_if(
        self, args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Look ahead, and a row for each thing that would change."""
        found = what_if.answer(args, for_people(args))
        self.all_columns = what_if.COLUMNS
        self.status, self.before = found.status, found.heading
        return self.answer(args, what_if.FOR_PEOPLE, found.rows)


def _read(args: argparse.Namespace) -> Snapshot:
    return cloud_inputs.read(args, placement=True, allocations=True)


def _look(snapshot: Snapshot) -> list[Finding]:
    nodes = progress.bar(snapshot.nodes, "Comparing")
    found = list(books.findings(snapshot, nodes))
    # A stable sort: within a severity they stay in the order of hosts.
    return sorted(
        found, key=lambda each: each.code.severity is not Severity.CRITICAL
    )


def _without_allocations(snapshot: Snapshot) -> int:
    return sum(
        node.provider is None or node.provider.allocations is None
        for node in snapshot.nodes
    )


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.code.severity.value,
        "code": finding.code.value,
        "host": finding.host,
        "server": finding.server,
        "name": finding.name,
        "expected": finding.expected,
        "seen": finding.seen,
        "remedy": finding.remedy,
    }


def _heading(found: Sequence[Finding], hosts: int) -> str:
    where = "1 host" if hosts == 1 else f"{hosts} hosts"
    if not found:
        return f"The books of {where} agree."
    critical = sum(each.code.severity is Severity.CRITICAL for each in found)
    what = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    return f"{what} on {where}, {critical} of them critical."
