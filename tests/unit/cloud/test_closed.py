"""Why compute nodes take no guests."""

import pytest

from pinning_filter.cloud import anonymous, closed
from pinning_filter.cloud.closed import Kind
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import synthetic

HOST = synthetic.host("cell:1 core:1")


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        pytest.param(Node("a", HOST), None, id="it takes guests"),
        pytest.param(Node("a", None), Kind.NO_TOPOLOGY, id="no topology"),
        pytest.param(
            Node("a", None, problem="bad", closed="the compute service is"),
            Kind.UNREADABLE,
            id="a topology that makes no sense, whatever its service is",
        ),
        *(
            pytest.param(
                Node("a", HOST, closed=closed.clause(kind, " and more")),
                kind,
                id=f"the clause of {kind.value}",
            )
            for kind in (Kind.CELL_DISABLED, Kind.NO_SERVICE, Kind.DISABLED,
                         Kind.FORCED_DOWN, Kind.DOWN)
        ),
        pytest.param(
            Node("a", HOST, closed="of another release"), Kind.OTHER,
            id="a clause that is not known",
        ),
    ],
)
def test_kind(node, kind):
    assert closed.kind(node) is kind


def test_a_dump_without_names_does_not_tell():
    node = Node("a", HOST, closed=closed.clause(Kind.DOWN))
    found = anonymous.anonymous(Snapshot((node,)))
    assert closed.kind(found.nodes[0]) is Kind.OTHER
