"""Why a compute node takes no pinned guests: a clause and its kind.

Beside the snapshot, whose nodes have the clause: people read it, and dumps
keep it. Whoever counts nodes asks for the kind.
"""

from __future__ import annotations

import enum

from pinning_filter.cloud.snapshot import Node


class Kind(str, enum.Enum):
    """Kinds of reasons. The values are stable."""

    NO_TOPOLOGY = "no_topology"  #: it reports no NUMA topology
    UNREADABLE = "unreadable"  #: what it reports cannot be read
    CELL_DISABLED = "cell_disabled"  #: its cell (v2) is disabled
    NO_SERVICE = "no_service"  #: it has no compute service
    DISABLED = "disabled"  #: its compute service is disabled
    FORCED_DOWN = "forced_down"  #: its compute service was forced down
    DOWN = "down"  #: its compute service does not report
    OTHER = "other"  #: not told, as in a dump without names


#: What a clause begins with; none begins with another.
_BEGINS = {
    Kind.CELL_DISABLED: "its cell ",
    Kind.NO_SERVICE: "it has no compute service",
    Kind.DISABLED: "the compute service is disabled",
    Kind.FORCED_DOWN: "the compute service is forced down",
    Kind.DOWN: "the compute service is down",
}


def clause(kind: Kind, more: str = "") -> str:
    """Why a compute node is closed, for ``Node.closed``.

    >>> clause(Kind.DISABLED, ": new disks")
    'the compute service is disabled: new disks'
    """
    return _BEGINS[kind] + more


def is_down(node: Node) -> bool:
    """Whether its compute service cannot be asked to migrate a server.

    >>> is_down(Node("a", None, closed=clause(Kind.DOWN)))
    True
    """
    begins = (_BEGINS[Kind.DOWN], _BEGINS[Kind.FORCED_DOWN])
    return node.closed.startswith(begins)


def kind(node: Node) -> Kind | None:
    """Why a node takes no guests; None: it does. What is graver is told.

    >>> kind(Node("a", None, closed=clause(Kind.DOWN)))
    <Kind.NO_TOPOLOGY: 'no_topology'>
    """
    if node.problem:
        return Kind.UNREADABLE
    if node.host is None:
        return Kind.NO_TOPOLOGY
    if not node.closed:
        return None
    for each, begin in _BEGINS.items():
        if node.closed.startswith(begin):
            return each
    return Kind.OTHER
