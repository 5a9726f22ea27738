"""``pinning-filter``: the application around the commands."""

from __future__ import annotations

import argparse
import gc
import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from cliff import app, commandmanager

from pinning_filter.cli.output import Status, refuse, to_stdout
from pinning_filter.core.errors import InputError
from pinning_filter.nova import loading

_DESCRIPTION = """\
CPU pinning for OpenStack Nova: what fits where, and why not.

For example, would a pinned server of 4 vCPUs fit this machine, and how?

  virsh capabilities > host.xml
  pinning-filter fit --host host.xml --vcpus 4 --ram 2048 \\
      --property hw:cpu_policy=dedicated
"""


class _Commands(commandmanager.CommandManager):
    """cliff's, which would load every command to run one of them."""

    def load_commands(self, namespace: str) -> None:
        """Note the commands; each is loaded when it is asked for."""
        self.group_list.append(namespace)
        for each in metadata.entry_points(group=namespace):
            self.commands[each.name] = each


class PinningFilterApp(app.App):
    """Everything that is common to the commands."""

    NAME = "pinning-filter"
    #: Warnings only: libraries are talkative.
    DEFAULT_VERBOSE_LEVEL = 0
    CONSOLE_MESSAGE_FORMAT = f"{NAME}: %(message)s"

    def __init__(self) -> None:
        super().__init__(
            description=_DESCRIPTION,
            version=metadata.version("pinning-filter"),
            command_manager=_Commands("pinning_filter.cli"),
            deferred_help=True,
        )

    def build_option_parser(
        self,
        description: str | None,
        version: str | None,
        argparse_kwargs: dict[str, Any] | None = None,
    ) -> argparse.ArgumentParser:
        """cliff's, with help that keeps its lines."""
        own = {
            "prog": self.NAME,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        return super().build_option_parser(
            description, version, {**own, **(argparse_kwargs or {})}
        )

    def configure_logging(self) -> None:
        """cliff's; where it cannot write is wrong usage."""
        # oslo.versionedobjects logs what it raises; once will do.
        logging.getLogger("object").setLevel(logging.CRITICAL)
        try:
            super().configure_logging()
        except OSError as error:
            self.parser.error(
                f"argument --log-file: {self.options.log_file}: "
                f"{error.strerror}"
            )

    def run_subcommand(self, argv: list[str]) -> int:
        """cliff's; what is no command is an error like any other."""
        asked = argv[1:] if argv[0] == "help" else argv
        if asked and not (argv[0] == "help" and asked[0].startswith("-")):
            try:
                self.command_manager.find_command(asked)
            except ValueError:
                known = sorted(name for name, _ in self.command_manager)
                return refuse(
                    self,
                    InputError(
                        f"there is no command {asked[0]!r}; there are "
                        + ", ".join(known)
                    ),
                )
        return super().run_subcommand(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status is returned.

    0 for "yes" or "done", 3 for "no", 2 for a wrong use or input, 1 for a
    defect of ours.
    """
    if sys.stderr is None:  # closed: there is no place to complain
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names have letters that the terminal's encoding may not have.
        sys.stdout.reconfigure(errors="backslashreplace")
    loading.without_services()
    # A command does not live long, and loading Nova makes no garbage.
    gc.set_threshold(50_000, 20, 20)
    # Of a library that Nova's libraries load, and of use to nobody here.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    arguments = list(sys.argv[1:] if argv is None else argv)
    program = PinningFilterApp()
    try:
        # cliff would open a shell of its own; nobody expects one.
        status = program.run(arguments or ["--help"])
    except SystemExit as leaving:  # argparse, after help or an error
        status = int(leaving.code or 0)
    return _arrived(program, status)


def _arrived(program: PinningFilterApp, status: int) -> int:
    """The exit status, once all of the answer is where it is to go."""
    if program.stdout is None or program.stdout.closed:
        return status
    try:
        with to_stdout(program):
            return status
    except BrokenPipeError:
        return Status.GONE
    except InputError as error:
        return refuse(program, error)


if __name__ == "__main__":
    sys.exit(main())
