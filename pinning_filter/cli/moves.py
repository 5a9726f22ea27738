"""How a plan of moves is shown: the same for every command that has one.

As a table with commands for people, as rows for programs
(``moves.schema.json`` beside this file says what is in them), and as a script
for a shell. Plans come from ``fleet``; what they are good for is told by the
commands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pinning_filter.cli import migrations
from pinning_filter.cli.columns import Clauses, Steps
from pinning_filter.cli.output import Lister, for_people, to_stdout
from pinning_filter.core.text import one_line
from pinning_filter.fleet.servers import Server
from pinning_filter.fleet.steps import Step

_FOR_PEOPLE = (
    "step", "stage", "waits_for", "server", "name", "flavor", "source",
    "target", "how", "why",
)


class Planner(Lister):
    """A command whose answer is a plan of moves. It never carries it out."""

    #: Stable. A row is a migration, in the order to be done in; or a server
    #: that finds no place, which has no step.
    all_columns = (
        "step",
        "stage",
        "waits_for",
        "server",
        "name",
        "flavor",
        "source",
        "target",
        "how",
        "why",
        "helps",
        "command",
    )
    #: The plan for a shell, in place of rows; None: rows.
    _script: str | None = None

    def add_plan_arguments(self, parser: argparse.ArgumentParser) -> None:
        """That it is a plan, and in which form."""
        parser.add_argument(
            "--plan",
            action="store_true",
            required=True,
            help="print the plan; there is nothing else that this command "
            "does, and nothing is ever moved by it",
        )
        parser.add_argument(
            "--script",
            action="store_true",
            help="print it as a script for a shell, which waits between steps "
            "where it must; all else goes to standard error",
        )

    def answer_plan(
        self,
        parsed_args: argparse.Namespace,
        steps: Sequence[Step],
        others: Iterable[dict[str, Any]] = (),
    ) -> tuple[list[str], list[list[Any]]]:
        """What an action returns.

        :param others: further rows, of which people are told otherwise.
        """
        if parsed_args.script:
            self._script = migrations.script(steps)
            return [], []
        rows = list(_rows(steps))
        if rows:
            self.after = "\n".join(one_line(row["command"]) for row in rows)
        if not for_people(parsed_args):
            rows += others
        elif all(step.stage == 1 for step in steps):
            rows = [{**row, "stage": None} for row in rows]
        return self.answer(parsed_args, _FOR_PEOPLE, rows)

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """The rows, or the script."""
        if self._script is None:
            return super().produce_output(parsed_args, column_names, data)
        if self.before:
            sys.stderr.write(f"{self.before}\n")
        with to_stdout(self.app) as stdout:
            stdout.write(self._script)
        return 0


def stuck_row(
    server: Server, source: str, why: str, helps: Sequence[str]
) -> dict[str, Any]:
    """The row of a server that finds no place."""
    return {
        "step": None,
        "stage": None,
        "waits_for": Steps(()),
        "server": server.id,
        "name": one_line(server.name),
        "flavor": one_line(server.flavor),
        "source": source,
        "target": None,
        "how": "stuck",
        "why": why,
        "helps": Clauses(helps),
        "command": None,
    }


def _rows(steps: Iterable[Step]) -> Iterator[dict[str, Any]]:
    for step in steps:
        move = step.move
        yield {
            "step": step.number,
            "stage": step.stage,
            "waits_for": Steps(step.waits_for),
            "server": move.server.id,
            "name": one_line(move.server.name),
            "flavor": one_line(move.server.flavor),
            "source": move.source,
            "target": move.target,
            "how": "live" if step.live else "cold",
            "why": step.why_cold or None,
            "helps": Clauses(()),
            "command": migrations.command(step),
        }
