"""``pinning-filter audit``: do the books agree, with each other and the world?

On a controller books are read, and what compute nodes were seen to do; on a
compute node, where there is no database, the node is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pinning_filter.audit import books, joined
from pinning_filter.audit.findings import Finding, Severity
from pinning_filter.audit.observation import Observation
from pinning_filter.cli import node_audit, progress, what_if
from pinning_filter.cli.inputs import arguments, flavors
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import node as node_inputs
from pinning_filter.cli.inputs import what_if as what_if_inputs
from pinning_filter.cli.output import (
    Lister,
    Status,
    for_people,
    warn,
)
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
    one finds it too. On a compute node, where nova.conf names no database, it
    compares the domains that run there with what libvirt was told of them,
    with what the kernel does, and with nova.conf. --observe writes down what
    there is to see of a compute node, and --observed takes such files to
    compare them with Nova's tables. Exit status: 0 all agree, 2 bad usage or
    input, 3 there are findings, 4 there are none, but a part of the cloud
    could not be asked.

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

  A compute node, by itself and with Nova's tables:

    cmp1 # pinning-filter audit
    cmp1 # pinning-filter audit --observe -o cmp1.json
    controller # pinning-filter audit --host cmp1 --observed cmp1.json
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
        flavors.add_flavor_argument(
            parser, "with --what-if: a pinned flavor to count"
        )
        parser.add_argument(
            "--observe",
            action="store_true",
            help="on a compute node: write what is seen there, in JSON, and "
            "compare nothing",
        )
        parser.add_argument(
            "-o",
            "--output",
            type=arguments.given,
            metavar="FILE",
            help="with --observe: write there (readable by its owner only), "
            "instead of to standard output (-)",
        )
        parser.add_argument(
            "--observed",
            type=arguments.given,
            nargs="+",
            action="extend",
            default=[],
            metavar="FILE",
            help="what --observe wrote on compute nodes, to be compared with "
            "Nova's tables",
        )
        cloud_inputs.add_cloud_arguments(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Look, look again, and a row for each finding of both."""
        if parsed_args.what_if:
            if parsed_args.observe or parsed_args.observed:
                raise InputError(
                    "--what-if goes with neither --observe nor --observed"
                )
            return self._what_if(parsed_args)
        if parsed_args.flavor:
            raise InputError("--flavor goes with --what-if")
        if parsed_args.output and not parsed_args.observe:
            raise InputError("--output goes with --observe")
        if parsed_args.observe:
            if node_audit.observe(parsed_args, self.app):
                self.status = Status.INCOMPLETE
            return [], []
        observed = node_inputs.read(parsed_args.observed)
        if not observed and node_audit.is_here(parsed_args):
            found = self._here(parsed_args)
        else:
            found = self._cloud(parsed_args, observed)
        if found:
            self.status = Status.NO
        return self.answer(parsed_args, _FOR_PEOPLE, list(map(_row, found)))

    def _here(self, args: argparse.Namespace) -> list[Finding]:
        """What is found on this compute node."""
        found = node_audit.here(args)
        self.before = _heading(found.findings, found.where)
        if found.unseen:
            self.status = Status.INCOMPLETE
        return found.findings

    def _cloud(
        self, args: argparse.Namespace, observed: Mapping[str, Observation]
    ) -> list[Finding]:
        """What is found in a cloud, or a dump of one."""
        since = min((seen.taken for seen in observed.values()), default="")

        def look() -> tuple[Snapshot, list[Finding]]:
            snapshot = cloud_inputs.read(
                args, placement=True, allocations=True, since=since
            )
            return snapshot, _compare(snapshot, observed)

        live = cloud_inputs.is_live(args)
        snapshot, found = node_audit.twice(look, args.wait if live else None)
        cloud_inputs.report_unreachable(snapshot)
        names = {node.name for node in snapshot.nodes}
        if strange := observed.keys() - names:
            raise InputError(
                "--observed: there is no compute node "
                + ", ".join(sorted(strange))
            )
        unasked = _without_allocations(snapshot)
        if unasked:
            warn(
                f"allocations of {unasked} of {len(snapshot.nodes)} hosts are "
                "not known, and not compared"
            )
        unobserved = len(names - observed.keys()) if observed else 0
        if unobserved:
            warn(f"{unobserved} of {len(names)} hosts were not observed")
        if (
            node_audit.report_unseen(observed.values())
            or unasked or unobserved or snapshot.unreachable
        ):
            self.status = Status.INCOMPLETE
        hosts = len(snapshot.nodes)
        self.before = _heading(
            found, "1 host" if hosts == 1 else f"{hosts} hosts"
        )
        return found

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """The rows, unless an observation was written."""
        if parsed_args.observe:
            return 0
        return super().produce_output(parsed_args, column_names, data)

    def _what_if(
        self, args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Look ahead, and a row for each thing that would change."""
        found = what_if.answer(args, for_people(args))
        self.all_columns = what_if.COLUMNS
        self.status, self.before = found.status, found.heading
        return self.answer(args, what_if.FOR_PEOPLE, found.rows)


def _compare(
    snapshot: Snapshot, observed: Mapping[str, Observation]
) -> list[Finding]:
    nodes = progress.bar(snapshot.nodes, "Comparing")
    found = [*books.findings(snapshot, nodes, observed)]
    for node in snapshot.nodes:
        if seen := observed.get(node.name):
            found += joined.findings(node, seen, snapshot.moving)
    return found


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


def _heading(found: Sequence[Finding], where: str) -> str:
    if not found:
        return f"No findings on {where}."
    critical = sum(each.code.severity is Severity.CRITICAL for each in found)
    what = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    return f"{what} on {where}, {critical} of them critical."
