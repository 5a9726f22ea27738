"""How commands answer: exit statuses, errors, rows for people and programs."""

from __future__ import annotations

import argparse
import contextlib
import enum
import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from cliff import columns, command, lister
from cliff.formatters import value

from pinning_filter.cli.columns import size
from pinning_filter.core.errors import InputError, Invalid
from pinning_filter.core.text import one_line


class Status(enum.IntEnum):
    """Exit statuses; 1 is left to defects of ours."""

    YES = 0  #: it fits; or simply: done
    #: Wrong use, input that makes no sense, or an output that takes nothing.
    BAD_INPUT = 2
    NO = 3  #: it does not fit
    INCOMPLETE = 4  #: a part of the cloud did not answer
    GONE = 141  #: whoever read the answer; as of any program in a pipe


#: The formats that have a place for lists and mappings.
_NESTED = ("json", "yaml")


@contextlib.contextmanager
def written(where: str) -> Iterator[None]:
    """Around whatever writes an answer.

    :param where: the option or the file that it goes to.
    :raises InputError: if it cannot be written there. Not where the reader
        has gone (:class:`BrokenPipeError`): nobody is there to be told.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(f"{where}: {error.strerror}") from error


def save(path: str, text: str, option: str) -> None:
    """Write a file that its owner only may read.

    :param option: that named it, for the complaint.
    :raises InputError: if it cannot be written.
    """
    with written(f"{option} {path}"):
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)


@contextlib.contextmanager
def to_stdout(app: Any) -> Iterator[TextIO]:
    """Standard output, and all of it has arrived in the end.

    :raises InputError: if it has not.
    """
    with written("standard output"):
        if app.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        try:
            yield app.stdout
            app.stdout.flush()
        except OSError:
            _drop(app.stdout)
            raise


def _drop(stdout: TextIO) -> None:
    """What did not arrive: Python would try again when it ends, and say so."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())


class _Value(value.ValueFormatter):
    """cliff's, with nothing where there is nothing, as its CSV."""

    def emit_list(
        self,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
        stdout: TextIO,
        parsed_args: argparse.Namespace,
    ) -> None:
        """A line for each row."""
        blank = ([_shown("", each) for each in row] for row in data)
        super().emit_list(column_names, blank, stdout, parsed_args)


def refuse(app: Any, error: Exception) -> Status:
    """Say in one line what is wrong with the input."""
    app.stderr.write(f"{app.NAME}: {one_line(str(error))}\n")
    return Status.BAD_INPUT


def warn(text: str) -> None:
    """Say in a line on standard error what the answer does not."""
    sys.stderr.write(f"pinning-filter: {one_line(text)}\n")


class _Command(command.Command):
    """What lies under cliff's own kinds of commands: help worth reading."""

    #: What the command takes besides options, for its usage.
    takes = ""
    #: What its help ends with.
    examples = ""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """The command's own arguments; in its help they come first."""

    def get_epilog(self) -> str:
        """The examples; cliff's own looks through all that is installed."""
        return self.examples

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """cliff's parser, with our arguments, and lines as they are."""
        parser = super().get_parser(prog_name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.usage = f"{prog_name} [OPTIONS] {self.takes}".rstrip()
        self.add_arguments(parser)
        return parser


class Command(_Command):
    """A command that answers otherwise than with rows."""

    def act(self, parsed_args: argparse.Namespace) -> int:
        """Do it, and return the exit status."""
        raise NotImplementedError

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        """Act, or refuse the input in one line."""
        try:
            return self.act(parsed_args)
        except (InputError, Invalid) as error:
            return refuse(self.app, error)


class Lister(lister.Lister, _Command):
    """A command that answers with rows, and says "no" by its exit status.

    Programs get every column, people those that tell them something.
    """

    #: What the process exits with; an action that finds "no" sets it.
    status = Status.YES
    #: Every column that there may be, in order.
    all_columns: tuple[str, ...] = ()
    #: What people read before and after the table, and no program does.
    before = ""
    after = ""

    def answer(
        self,
        parsed_args: argparse.Namespace,
        shown: Iterable[str],
        rows: Sequence[Mapping[str, Any]],
    ) -> tuple[list[str], list[list[Any]]]:
        """What an action returns.

        :param shown: the columns of :attr:`all_columns` that a table
            shows, if any row has something there.
        :param rows: by column; what is not there is empty.
        :raises InputError: for a ``--column`` that there is not.
        """
        unknown = {name.lower() for name in parsed_args.columns}.difference(
            self.all_columns
        )
        if unknown:
            raise InputError(
                f"--column: there is no column {', '.join(sorted(unknown))}, "
                f"only {', '.join(self.all_columns)}"
            )
        if parsed_args.formatter in _NESTED:
            names = list(self.all_columns)
            return names, [[row.get(name) for name in names] for row in rows]
        people = for_people(parsed_args)
        flat = [
            {name: _flat(value, people) for name, value in row.items()}
            for row in rows
        ]
        if not people:
            names = list(self.all_columns)
            return names, [[row.get(name) for name in names] for row in flat]
        names = [
            name
            for name in shown
            if any(row.get(name) not in (None, "") for row in flat)
        ]
        return [_title(name) for name in names], [
            [_shown(name, row.get(name)) for name in names] for row in flat
        ]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Answer, with :attr:`status`, or refuse the input in one line."""
        try:
            super().run(parsed_args)
        except (InputError, Invalid) as error:
            return refuse(self.app, error)
        return self.status

    def produce_output(
        self,
        parsed_args: argparse.Namespace,
        column_names: Sequence[str],
        data: Iterable[Sequence[Any]],
    ) -> int:
        """The rows, for people between :attr:`before` and :attr:`after`."""
        people = for_people(parsed_args)
        if parsed_args.formatter == "value":
            self.formatter = _Value()
        with to_stdout(self.app) as stdout:
            if people and self.before:
                stdout.write(f"{self.before}\n")
            if column_names:
                super().produce_output(parsed_args, column_names, data)
            if people and self.after:
                stdout.write(f"{self.after}\n")
        return 0


def for_people(parsed_args: argparse.Namespace) -> bool:
    """Whether a human reads the answer: who picks columns is a program."""
    return parsed_args.formatter == "table" and not parsed_args.columns


def _flat(value: Any, people: bool) -> Any:
    """As text where a format has no place for lists and mappings.

    Where people are given less than there is, programs get :meth:`exact`.
    """
    if isinstance(value, columns.FormattableColumn):
        exact = None if people else getattr(value, "exact", None)
        return exact() if exact else value.human_readable()
    # Names are whatever tenants made them.
    return one_line(value) if isinstance(value, str) else value


def _title(column: str) -> str:
    return column.removesuffix("_kib").replace("_", " ")


def _shown(column: str, value: Any) -> Any:
    if value is None:
        return ""
    if column.endswith("_kib") and isinstance(value, int):
        return size(value)
    return value
