"""What ``--host`` names, if it is no compute node: a file, or a line.

The one place where these are read and told apart, and where what is wrong
with them gets the name of the file.
"""

from __future__ import annotations

import codecs
import json
import pathlib
import re
import sys
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Any

from pinning_filter.cloud import dumpfile
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import synthetic
from pinning_filter.core.errors import (
    InputError,
    Invalid,
    NoTopology,
    UncountableHost,
)
from pinning_filter.core.host import Host, HostCell
from pinning_filter.libvirt import capabilities

#: Larger than a dump of 50,000 hosts: 5 KB each, and twice that with devices
#: and what the Placement API says.
_MOST_BYTES = 512 << 20
_LINE = re.compile(r"\s*[a-z][a-z0-9]*:\S")
#: How a numa_topology is told from other JSON.
_KIND, _TOPOLOGY = "nova_object.name", "NUMATopology"
_FORMS = (
    "the XML of 'virsh capabilities', the JSON of 'pinning-filter dump', the "
    "JSON of a numa_topology that Nova keeps"
)


def is_line(source: str) -> bool:
    """Whether this is a host written as a line, and not a file's name."""
    return bool(_LINE.match(source)) and not exists(source)


def exists(source: str) -> bool:
    """Whether there is such a file; what cannot be a name is none."""
    try:
        return pathlib.Path(source).exists()
    except (OSError, ValueError):
        return False


def is_file(source: str) -> bool:
    """Whether this is for :func:`read`, and not a compute node's name.

    What no compute node is named was meant to be a file, there or not.
    """
    path_like = "/" in source or source.endswith((".json", ".xml"))
    return source == "-" or path_like or is_line(source) or exists(source)


def read(
    source: str,
    *,
    online: AbstractSet[int] | None = None,
    report: Callable[[str], None] | None = None,
) -> Host | Snapshot:
    """A cloud from a dump, or one host from anything else.

    A host that no scheduler could count with, or of which Nova reports no
    NUMA cells, is a cloud of that one host, which says so.

    :param source: a line, the name of a file, or ``-`` for standard input.
    :param online: the pCPUs of capabilities that are online, if it is known.
    :param report: gets a sentence about what is left out.
    :raises InputError: naming the source, and what is wrong there.
    """
    line = is_line(source)
    try:
        if line:
            return synthetic.host(source).check()
        found = _parse(_content(source), online, report)
        return found.check() if isinstance(found, Host) else found
    except NoTopology as error:
        if report:
            report("; ".join(error.problems))
        return Snapshot((Node(node_name(source), None),))
    except UncountableHost as error:
        problem = "; ".join(error.problems)
        return Snapshot((Node(node_name(source), None, problem=problem),))
    except (InputError, Invalid) as error:
        # Which of our own values it is that complains tells nobody anything.
        problems = getattr(error, "problems", (str(error),))
        where = repr(source) if line else source
        raise InputError(f"--host {where}: {'; '.join(problems)}") from error


def node_name(source: str) -> str:
    """What to call a host that has no name of its own."""
    plain = source == "-" or is_line(source)
    return "host" if plain else pathlib.Path(source).name


def _content(source: str) -> bytes:
    try:
        if source != "-":
            with pathlib.Path(source).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        elif sys.stdin is None:
            raise InputError("standard input is closed")
        else:
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{reason}; --host takes a file, or a line such as "
            "'cell:2 core:4 pu:2'"
        ) from error
    if len(data) > _MOST_BYTES:
        raise InputError(f"larger than {_MOST_BYTES >> 20} MiB")
    return data


def _parse(
    text: bytes,
    online: AbstractSet[int] | None,
    report: Callable[[str], None] | None,
) -> Host | Snapshot:
    """By its first character; whatever follows must be of that kind."""
    text = text.removeprefix(codecs.BOM_UTF8).strip()
    if not text:
        raise InputError(f"it is empty; wanted is one of: {_FORMS}")
    if text.startswith(b"<"):
        return _dedicated(
            capabilities.read(text, online=online, report=report)
        )
    data = _json(text) if text[:1] in (b"{", b"[") else None
    if dumpfile.is_dump(data):
        return dumpfile.read(data)
    if isinstance(data, dict) and data.get(_KIND) == _TOPOLOGY:
        from pinning_filter.nova.host import host_from_json

        return host_from_json(text)
    raise InputError(f"it is none of: {_FORMS}")


def _json(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise InputError("its JSON is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise InputError(f"it is not UTF-8: {error.reason}") from error
    except ValueError as error:
        raise InputError(
            f"it is not JSON, or not the whole of it: {error}"
        ) from error


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _dedicated(host: Host) -> Host:
    """Of a host that nobody configured all pCPUs are for pinned guests."""

    def cell(each: HostCell) -> HostCell:
        own = frozenset[int]().union(*each.siblings)
        return each._replace(dedicated=own, shared=frozenset(), free=own)

    return host._replace(cells=tuple(map(cell, host.cells)))
