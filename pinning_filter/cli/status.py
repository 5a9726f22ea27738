"""``pinning-filter status``: is the cloud set up as pinning needs it?"""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pinning_filter.cli import progress
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.output import Lister, Status
from pinning_filter.core.text import one_line
from pinning_filter.status.findings import Finding, Level, Result, worst

if TYPE_CHECKING:
    from pinning_filter.status.facts import Facts

_FOR_PEOPLE = ("check", "result")
_WIDTH = 79
_EXIT = {Level.FAILURE: Status.NO, Level.WARNING: Status.NO,
         Level.UNKNOWN: Status.INCOMPLETE}


class CloudStatus(Lister):
    """Is the cloud set up as CPU pinning needs it, and what is to be done?

    Checks nova.conf as nova-scheduler reads it, the versions of services, what
    compute nodes report, flavors, images, and the books. May be run before
    PinningFilter is enabled. Of a dump, what a dump knows is checked. Exit
    status: 0 nothing is to be done, 2 bad usage or input, 3 there are
    warnings or failures, 4 there are none, but something could not be asked.
    """

    #: Stable. A row is something that a check found; one that found nothing
    #: has a row, too.
    all_columns = ("check", "result", "text", "remedy")

    examples = """\
examples:

  As nova-scheduler is set up here:

    pinning-filter status

  With the files that it is started with:

    pinning-filter status --config-file /etc/nova/nova.conf

  What is to be done, for a program:

    pinning-filter status -f json
"""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Which cloud."""
        cloud_inputs.add_cloud_arguments(parser)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[list[str], list[list[Any]]]:
        """Ask every check, and a row for each thing that it found."""
        facts = _facts(parsed_args)
        from pinning_filter.status import checks

        with progress.spinner("Checking"):
            results = list(checks.run(facts))
        self.status = _EXIT.get(
            worst(result.level for result in results), Status.YES
        )
        self.before = _heading(results)
        self.after = "\n".join(_paragraphs(results))
        rows = list(_rows(results))
        if parsed_args.formatter == "table" and not parsed_args.columns:
            rows = [
                {"check": each.check, "result": each.level.value}
                for each in results
            ]
        return self.answer(parsed_args, _FOR_PEOPLE, rows)


def _facts(args: argparse.Namespace) -> Facts:
    # Nova takes a second.
    from pinning_filter.status import gather

    if not cloud_inputs.is_live(args):
        return gather.of_dump(cloud_inputs.read(args))
    with progress.spinner("Reading the cloud"):
        facts = gather.of_cloud(
            args.config_file, args.config_dir, args.timeout
        )
    if facts.snapshot is None:
        return facts
    snapshot = cloud_inputs.only(facts.snapshot, args.host)
    return dataclasses.replace(facts, snapshot=snapshot)


def _rows(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    for result in results:
        if not result.findings:
            yield {"check": result.check, "result": Level.OK.value,
                   "text": "", "remedy": ""}
        for each in result.findings:
            yield {
                "check": result.check,
                "result": each.level.value,
                "text": each.text,
                "remedy": each.remedy,
            }


def _heading(results: Sequence[Result]) -> str:
    levels = [result.level for result in results]
    parts = [
        f"{number} {what}"
        for level, what in (
            (Level.FAILURE, "failed"),
            (Level.WARNING, "with warnings"),
            (Level.UNKNOWN, "that could not be made"),
        )
        if (number := levels.count(level))
    ]
    made = f"{len(results)} checks"
    return f"{made}, {', '.join(parts)}." if parts else f"{made}, all is well."


def _paragraphs(results: Sequence[Result]) -> Iterator[str]:
    """Each finding once, and under it what to do."""
    found: dict[Finding, list[str]] = {}
    for result in results:
        for each in result.findings:
            found.setdefault(each, []).append(result.check)
    for each, names in found.items():
        yield ""
        yield from _lines(f"{', '.join(names)}: {each.level.value}", "", "")
        yield from _lines(each.text, "  ", "  ")
        if each.remedy:
            yield from _lines(each.remedy, "  -> ", "     ")


def _lines(text: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        one_line(text), _WIDTH, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )
