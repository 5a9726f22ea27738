"""Reading the cloud that a command is asked about.

From Nova's databases, where they can be reached, or from a file. Commands
never see the difference.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import TYPE_CHECKING

from pinning_filter.cli import patience
from pinning_filter.cli.cloud import dumpfile
from pinning_filter.cli.cloud.snapshot import Node, Snapshot
from pinning_filter.cli.columns import one_line
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.inputs import host as host_inputs
from pinning_filter.cli.output import InputError
from pinning_filter.core.errors import Invalid

if TYPE_CHECKING:
    from pinning_filter.cli.cloud.live.session import Session

#: Seconds that a cell may take to answer.
_PATIENCE = 60


def add_cloud_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cloud, and which of its hosts."""
    group = parser.add_argument_group("the cloud")
    group.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME|FILE",
        help="only this compute node; may be repeated. Or a file (- for "
        "standard input): then nothing is asked of any service, and the file "
        "is what 'pinning-filter dump' wrote, or one host in any form that "
        "'pinning-filter fit --host' takes",
    )
    group.add_argument(
        "--config-file",
        action="append",
        default=[],
        metavar="FILE",
        help="nova.conf, with the databases' addresses; may be repeated; "
        "default: where Nova looks for it",
    )
    group.add_argument(
        "--config-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="a directory of configuration files; may be repeated",
    )
    group.add_argument(
        "--timeout",
        type=arguments.whole(),
        default=_PATIENCE,
        metavar="SECONDS",
        help="how long a cell's database may be silent; cells that are "
        "silent longer are reported and left out (default: %(default)s)",
    )


def read(
    args: argparse.Namespace, *, guests: bool = True, placement: bool = False
) -> Snapshot:
    """The snapshot that :func:`add_cloud_arguments` asked for.

    :param guests: whether to read those of a running cloud; a file's are
        there in any case.
    :param placement: whether to ask the Placement API too.
    :raises InputError: naming the file, option or name that is wrong.
    """
    names = [name for name in args.host if not _is_file(name)]
    files = [name for name in args.host if _is_file(name)]
    if len(files) > 1:
        raise InputError(f"--host: several files: {', '.join(files)}")
    if files:
        snapshot = _of_file(files[0])
    else:
        mine = session(args)
        from pinning_filter.cli.cloud.live import cloud

        with patience.waiting("Reading the cloud"):
            snapshot = cloud.snapshot(
                mine, guests=guests, with_placement=placement
            )
    try:
        return snapshot.only(names)
    except KeyError as error:
        some = ", ".join(node.name for node in snapshot.nodes[:5])
        raise InputError(
            f"--host: there is no compute node {error.args[0]}, and no such "
            f"file; there are {some or 'none'}"
            + (", ..." if len(snapshot.nodes) > 5 else "")
        ) from error


def is_live(args: argparse.Namespace) -> bool:
    """Whether a running cloud is asked, and not a file."""
    return not any(map(_is_file, args.host))


def session(args: argparse.Namespace) -> Session:
    """Nova's databases, for who needs more of them than a snapshot.

    :raises InputError: if nova.conf has no database.
    """
    from pinning_filter.cli.cloud.live.session import Session

    return Session(args.config_file, args.config_dir, args.timeout)


def _is_file(text: str) -> bool:
    return text == "-" or host_inputs.is_line(text) or host_inputs.exists(text)


def _of_file(source: str) -> Snapshot:
    if not host_inputs.is_line(source):
        text = host_inputs.read_file(source)
        if text.lstrip()[:1] == b"{":
            try:
                data = json.loads(text)
            except ValueError as error:
                raise InputError(f"--host {source}: {error}") from error
            if dumpfile.is_dump(data):
                return dumpfile.read(data, f"--host {source}")
    else:
        text = None
    try:
        host = host_inputs.host_of(source, text).check()
    except Invalid as error:
        raise InputError(f"--host {source}: {error}") from error
    name = "host" if text is None or source == "-" else source
    return Snapshot((Node(pathlib.Path(name).name, host),))


def report_unreachable(snapshot: Snapshot) -> None:
    """Say on standard error which cells are not in the answer."""
    for name, reason in snapshot.unreachable.items():
        sys.stderr.write(
            f"pinning-filter: cell {one_line(name)} does not answer, and "
            f"its hosts are left out: {one_line(reason)}\n"
        )
