"""``pinning-filter map``: who sits where, on a terminal or in a browser."""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from rich.console import Console

from pinning_filter.cli.inputs import arguments, flavors
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.output import (
    Lister,
    Status,
    for_people,
    to_stdout,
    written,
)
from pinning_filter.cli.pictures import html, terminal
from pinning_filter.cloud.occupancy import cores_of, pcpu_uses
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.errors import InputError

#: Some environments say that a terminal has no columns at all.
_NARROWEST = 20


class Map(Lister):
    """Who sits where: hosts as cells, cores and threads with their guests.

    Drawn on the terminal, or with --html as one page for a browser, which
    asks nothing of any server. With -f json and the like, a row for each
    pCPU. Exit status: 0 done, 2 bad usage or input, 4 a cell did not answer.
    """

    #: Stable. A row is a pCPU.
    all_columns = (
        "host",
        "cell",
        "host_cell",
        "core",
        "pcpu",
        "state",
        "guest",
        "name",
        "flavor",
        "vcpu",
        "cpu_policy",
        "thread_policy",
    )

    examples = """\
examples:

    pinning-filter map --host cmp1
    pinning-filter map --html map.html
    pinning-filter map --html map.html --flavor pinned.8
    pinning-filter map --host cloud.json -f csv | grep ,free,
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which cloud, and in what form."""
        cloud_inputs.add_cloud_arguments(parser)
        parser.add_argument(
            "--html",
            type=arguments.given,
            metavar="FILE",
            help="write a page for a browser there (- for standard output)",
        )
        parser.add_argument(
            "--flavor",
            action="append",
            type=arguments.given,
            default=[],
            metavar="NAME",
            help="with --html: a pinned flavor for which the page says how "
            "many servers a host has lost to fragmentation; may be repeated; "
            "default: as for capacity",
        )

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Draw, or give the rows."""
        snapshot = cloud_inputs.read(parsed_args)
        if cloud_inputs.report_incomplete(snapshot):
            self.status = Status.INCOMPLETE
        if parsed_args.html:
            self._save(parsed_args.html, _page(parsed_args, snapshot))
            return [], []
        if parsed_args.flavor:
            raise InputError("--flavor goes with --html")
        if for_people(parsed_args):
            with to_stdout(self.app) as stdout:
                _draw(snapshot, stdout)
            return [], []
        rows = [row for node in snapshot.nodes for row in _rows(node)]
        return self.answer(parsed_args, self.all_columns, rows)

    def _save(self, path: str, text: str) -> None:
        if path == "-":
            with to_stdout(self.app) as stdout:
                stdout.write(text)
        else:
            with written(f"--html {path}"):
                pathlib.Path(path).write_text(text, "utf-8")

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """The rows, if they are what was asked for."""
        if column_names:
            return super().produce_output(parsed_args, column_names, data)
        return 0


def _page(parsed_args: argparse.Namespace, snapshot: Snapshot) -> str:
    wanted = flavors.of_interest(parsed_args, snapshot)
    from pinning_filter.cli.inputs import question as question_inputs

    return html.page(snapshot, wanted, question_inputs.strategy())


def _draw(snapshot: Snapshot, stdout: TextIO) -> None:
    console = _Console(file=stdout, highlight=False, emoji=False)
    width = max(console.width, _NARROWEST) if console.is_terminal else 79
    console.width = width
    for number, node in enumerate(snapshot.nodes):
        if number:
            console.print()
        for line in terminal.draw(node, width):
            console.print(line, soft_wrap=True)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """As with any other output; rich itself would leave the program."""
        raise BrokenPipeError


def _rows(node: Node) -> Iterator[dict[str, Any]]:
    uses = pcpu_uses(node)
    for cell in node.host.cells if node.host else ():
        for number, core in enumerate(cores_of(cell)):
            for pcpu in core:
                use = uses[pcpu]
                row: dict[str, Any] = {
                    "host": node.name,
                    "cell": node.cell,
                    "host_cell": cell.id,
                    "core": number,
                    "pcpu": pcpu,
                    "state": use.state.value,
                    "vcpu": use.vcpu,
                }
                if use.guest is not None:
                    guest = node.guests[use.guest]
                    row |= {
                        "guest": guest.id,
                        "name": guest.name,
                        "flavor": guest.flavor,
                        "cpu_policy": guest.request.cpu_policy.value,
                        "thread_policy": guest.request.thread_policy.value,
                    }
                yield row
