"""A host, from a file or a line, with what is configured and used there."""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
from collections.abc import Set as AbstractSet

from pinning_filter import capabilities_xml
from pinning_filter.cli.cloud import dumpfile
from pinning_filter.cli.cloud.snapshot import Snapshot
from pinning_filter.cli.inputs import arguments
from pinning_filter.cli.output import InputError
from pinning_filter.core import cpuset, synthetic
from pinning_filter.core.errors import Invalid
from pinning_filter.core.host import Host, HostCell

#: Larger than any host's description.
_MOST_BYTES = 64 << 20
_LINE = re.compile(r"\s*[a-z][a-z0-9]*:\S")


def add_host_arguments(parser: argparse.ArgumentParser) -> None:
    """``--host`` and what is configured and used there."""
    group = parser.add_argument_group("the host")
    group.add_argument(
        "--host",
        required=True,
        metavar="FILE|LINE",
        help="a file (or - for standard input) with the output of 'virsh "
        "capabilities' or the numa_topology that Nova keeps of a compute "
        "node, in JSON; or a dump of one host; or a line such as 'cell:2 "
        "core:4 pu:2' (NUMA cells, cores a cell, threads a core), if need be "
        "with memory and huge "
        "pages: 'cell:2(memory=64GiB pages=16x1GiB) l3:2 core:8 pu:2'",
    )
    group.add_argument(
        "--dedicated",
        type=arguments.pcpus,
        metavar="PCPUS",
        help="pCPUs for pinned guests, as [compute] cpu_dedicated_set: "
        "'2-15,^8'; default: what a numa_topology says, else all that "
        "--shared does not name",
    )
    group.add_argument(
        "--shared",
        type=arguments.pcpus,
        metavar="PCPUS",
        help="pCPUs for floating vCPUs, as [compute] cpu_shared_set; the "
        "same as --dedicated is the old vcpu_pin_set; default: what a "
        "numa_topology says, else none",
    )
    group.add_argument(
        "--used",
        type=arguments.pcpus,
        default=frozenset(),
        metavar="PCPUS",
        help="pCPUs that guests are pinned to already",
    )


def read_host(args: argparse.Namespace) -> Host:
    """The host that :func:`add_host_arguments` asked for.

    :raises InputError: naming the argument or file, and what is wrong there.
    """
    try:
        host = _read_host(args.host).check()
        return _configured(host, args.dedicated, args.shared, args.used)
    except Invalid as error:
        raise InputError(f"--host {args.host}: {error}") from error


def is_line(source: str) -> bool:
    """Whether this is a host written as a line, and not a file's name."""
    return bool(_LINE.match(source)) and not exists(source)


def exists(source: str) -> bool:
    """Whether there is such a file; what cannot be a name is none."""
    try:
        return pathlib.Path(source).exists()
    except (OSError, ValueError):
        return False


def _read_host(source: str) -> Host:
    if is_line(source):
        return host_of(source, None)
    return host_of(source, read_file(source))


def host_of(source: str, text: bytes | None) -> Host:
    """A host from a file's content, or from a line.

    :param source: the line itself, or the name of the file.
    :param text: the content; None where ``source`` is a line.
    :raises InputError: if it has no form that is known.
    :raises InvalidHost: if no machine can be so.
    """
    if text is None:
        return _dedicated(synthetic.host(source))
    start = text.lstrip()[:1]
    if start == b"<":
        return _dedicated(capabilities_xml.read(text))
    if start == b"{" and (data := _dump(text)) is not None:
        return _only_host(dumpfile.read(data, f"--host {source}"), source)
    if start in (b"{", b"["):
        from pinning_filter.cli.inputs import nova

        return nova.host(text)
    raise InputError(
        f"--host {source}: neither the XML of 'virsh capabilities' nor the "
        "JSON of a numa_topology"
    )


def _dump(text: bytes) -> object:
    """The JSON of a dump; None for what is none."""
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if dumpfile.is_dump(data) else None


def _only_host(snapshot: Snapshot, source: str) -> Host:
    hosts = [node.host for node in snapshot.nodes if node.host is not None]
    if len(hosts) != 1:
        raise InputError(
            f"--host {source}: a dump of {len(hosts)} hosts with NUMA cells; "
            "fit asks one, 'pinning-filter explain' asks all of them"
        )
    return hosts[0]


def read_file(source: str) -> bytes:
    """A file's content; that of standard input for ``-``.

    :raises InputError: naming the file and the cause.
    """
    path = None if source == "-" else pathlib.Path(source)
    name = "standard input" if path is None else str(path)
    try:
        if path is None:
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"--host {name}: {reason}; it is a file, or a line such as "
            "'cell:2 core:4 pu:2'"
        ) from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"--host {name}: more than {_MOST_BYTES} bytes")
    return data


def _configured(
    host: Host,
    dedicated: AbstractSet[int] | None,
    shared: AbstractSet[int] | None,
    used: AbstractSet[int],
) -> Host:
    """The host with its pCPUs given out as the arguments say."""
    pcpus = frozenset[int]().union(
        *(core for cell in host.cells for core in cell.siblings)
    )
    for option, asked in (
        ("--dedicated", dedicated),
        ("--shared", shared),
        ("--used", used),
    ):
        if missing := (asked or frozenset()) - pcpus:
            raise InputError(
                f"{option}: the host has no pCPUs {cpuset.format(missing)}, "
                f"only {cpuset.format(pcpus)}"
            )
    if dedicated is not None and shared is not None and dedicated != shared:
        both = dedicated & shared
        if both:
            raise InputError(
                f"--dedicated and --shared both name {cpuset.format(both)}; "
                "they must be apart, or the same"
            )
    if dedicated is None and shared is not None:
        dedicated = pcpus - shared
    host = host._replace(
        cells=tuple(
            _configured_cell(cell, dedicated, shared, used)
            for cell in host.cells
        )
    )
    for cell in host.cells:
        if stray := cell.pinned - cell.dedicated:
            raise InputError(
                f"--used: pCPUs {cpuset.format(stray)} are not dedicated, so "
                "no guest can be pinned to them"
            )
    return host


def _configured_cell(
    cell: HostCell,
    dedicated: AbstractSet[int] | None,
    shared: AbstractSet[int] | None,
    used: AbstractSet[int],
) -> HostCell:
    own = frozenset[int]().union(*cell.siblings)
    pinned = cell.pinned | (own & used)
    if dedicated is None:
        dedicated, shared = cell.dedicated, cell.shared
    else:
        dedicated, shared = own & dedicated, own & (shared or frozenset())
    return cell._replace(
        dedicated=dedicated,
        shared=shared,
        pinned=pinned,
        free=dedicated - pinned,
    )


def _dedicated(host: Host) -> Host:
    """Of a host that nobody configured all pCPUs are for pinned guests."""
    pcpus = frozenset[int]().union(
        *(core for cell in host.cells for core in cell.siblings)
    )
    return _configured(host, pcpus, None, frozenset())
