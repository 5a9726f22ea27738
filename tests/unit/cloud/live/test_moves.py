"""On which end a move holds pCPUs beside the server's own."""

import pytest
from nova import objects

from pinning_filter.cloud.live import moves, rows

objects.register_all()

A, B = ("a", "node-a"), ("b", "node-b")


@pytest.mark.parametrize(
    ("here", "source", "target", "status", "expected"),
    [
        (A, A, B, "migrating", (B, True)),
        (B, A, B, "finished", (A, False)),
        (B, A, B, "reverting", (A, False)),
        (A, A, A, "migrating", (A, True)),
        (A, A, A, "finished", (A, False)),
    ],
    ids=[
        "on its way: what it will have there",
        "arrived, and not confirmed: what it had here",
        "being reverted: what it goes back to",
        "a resize on one host, on its way",
        "a resize on one host, arrived",
    ],
)
def test_the_other_end(here, source, target, status, expected):
    kept = rows.Kept("a-server", host=here[0], node=here[1])
    migration = objects.Migration(
        source_compute=source[0],
        source_node=source[1],
        dest_compute=target[0],
        dest_node=target[1],
        status=status,
    )
    assert moves._other_end(rows.Row(None, kept), migration) == expected
