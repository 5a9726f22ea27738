"""Reading the cloud that a command is asked about.

From Nova's databases, where they can be reached, or from a file. Commands
never see the difference.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pinning_filter.cli import progress
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.output import warn
from pinning_filter.cloud import source
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.fleet import conflicts

if TYPE_CHECKING:
    from pinning_filter.cloud.live.session import Session

#: Seconds that a cell may take to answer.
_PATIENCE = 60


def add_cloud_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cloud, and which of its hosts."""
    group = parser.add_argument_group("the cloud")
    group.add_argument(
        "--host",
        type=arguments.given,
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
        type=arguments.given,
        action="append",
        default=[],
        metavar="FILE",
        help="nova.conf, with the databases' addresses; may be repeated; "
        "default: what OS_NOVA_CONFIG_DIR and OS_NOVA_CONFIG_FILES name, as "
        "for Nova's API; else where Nova looks for it",
    )
    group.add_argument(
        "--config-dir",
        type=arguments.given,
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
    args: argparse.Namespace,
    *,
    guests: bool = True,
    placement: bool = False,
    allocations: bool = False,
    since: str = "",
    requests: bool = False,
    besides: Sequence[str] = (),
) -> Snapshot:
    """The snapshot that :func:`add_cloud_arguments` asked for.

    :param guests: whether to read those of a running cloud; a file's are
        there in any case.
    :param placement: whether to ask the Placement API too.
    :param allocations: whether to ask it who holds what.
    :param since: servers that changed since this moment, in UTC, count as
        moving; empty: only those that do now.
    :param requests: whether to read what planning moves takes.
    :param besides: names of hosts that are wanted with those of ``--host``.
    :raises InputError: naming the file, option or name that is wrong.
    """
    names = [name for name in args.host if not source.is_file(name)]
    files = [name for name in args.host if source.is_file(name)]
    if len(files) > 1:
        raise InputError(f"--host: one file at a time, not {', '.join(files)}")
    if files:
        snapshot = _of_file(files[0])
    else:
        mine = session(args)
        from pinning_filter.cloud.live import cloud

        with progress.spinner("Reading the cloud"):
            snapshot = cloud.snapshot(
                mine,
                guests=guests,
                with_placement=placement,
                allocations=allocations,
                since=since,
                requests=requests,
            )
    if not snapshot.nodes:
        warn("there are no compute nodes")
    return only(snapshot, [*names, *besides] if names else [])


def only(snapshot: Snapshot, names: Sequence[str]) -> Snapshot:
    """The compute nodes that ``--host`` names; no names: all of them.

    :raises InputError: naming those that there are not.
    """
    try:
        return snapshot.only(names)
    except KeyError as error:
        some = ", ".join(node.name for node in snapshot.nodes[:5])
        more = ", ..." if len(snapshot.nodes) > 5 else ""
        raise InputError(
            f"--host: no compute node and no file has the name "
            f"{error.args[0]}; compute nodes: {some or 'none'}{more}"
        ) from error


def is_live(args: argparse.Namespace) -> bool:
    """Whether a running cloud is asked, and not a file."""
    return not any(map(source.is_file, args.host))


def session(args: argparse.Namespace) -> Session:
    """Nova's databases, for who needs more of them than a snapshot.

    :raises InputError: if nova.conf has no database.
    """
    from pinning_filter.cloud.live.session import Session

    return Session(args.config_file, args.config_dir, args.timeout)


def _of_file(name: str) -> Snapshot:
    found = source.read(name, report=warn)
    if isinstance(found, Snapshot):
        return found
    return Snapshot((Node(source.node_name(name), found),))


def report_unreachable(snapshot: Snapshot) -> None:
    """Say on standard error which cells are not in the answer."""
    for name, reason in snapshot.unreachable.items():
        warn(
            f"cell {name} does not answer, and its hosts are left out: "
            f"{reason}"
        )


def report_incomplete(snapshot: Snapshot) -> bool:
    """Say on standard error what the answer lacks, and what contradicts.

    :returns: whether anything is not in the answer.
    """
    report_unreachable(snapshot)
    for node in snapshot.nodes:
        for each in node.unplaced:
            name = each.name or each.id
            warn(
                f"host {node.name}, server {name}: {each.why}; where it sits "
                "is not known"
            )
        if node.found and node.found.number:
            warn(
                f"host {node.name}: nova-compute there {node.found.clause}; "
                "pinning-filter audit tells more"
            )
        if node.host is not None:
            names = {each.id: each.name or each.id for each in node.guests}
            for conflict in conflicts.of(node.host, node.guests):
                who = ", ".join(names[each] for each in conflict.guests)
                warn(f"host {node.name}: {conflict.clause}: {who}")
    return bool(snapshot.unreachable) or any(
        node.unplaced for node in snapshot.nodes
    )
