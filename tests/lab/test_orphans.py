"""A server that is deleted while its compute node is thought to be down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import layout, process
from tests.lab import audits, client, commands, seen
from tests.lab.walks import Walk

pytestmark = pytest.mark.host(threads_per_core=1)

PATIENCE = 90
#: Seconds after which a node's record is compared again.
SETTLED = 130


@pytest.fixture
def reporting(walk: Walk, tmp_path: Path) -> Iterator[None]:
    """nova-compute, which counts its guests every few seconds."""
    with audits.often(tmp_path):
        yield


def pinned_in_the_end(expected: set[int]) -> set[int]:
    """The pCPUs of the record, as soon as they are these."""
    process.wait_for(lambda: seen.host_pinned() == expected, PATIENCE)
    return seen.host_pinned()


def test_a_local_delete(walk: Walk, reporting: None) -> None:
    flavor = client.flavor(1, cpu_policy="dedicated")
    server = client.create(flavor)
    runs_on = seen.defined()
    mine = set(runs_on[server.id].values())
    client.force_down(layout.HOST, True)
    client.delete_all()
    client.force_down(layout.HOST, False)
    walk.check("Nova's claims", seen.claimed(), {})
    walk.check("allocated PCPU",
               client.usage(seen.node_uuid()).get("PCPU", 0), 0)
    # Nova counts it no more, and the audit takes that for no move any more.
    process.wait_for(lambda: False, SETTLED)
    walk.check("the guest runs on", seen.defined(), runs_on)
    walk.check("pCPUs of the record", seen.host_pinned(), mine)
    found = commands.live("audit", "--wait", "1").said("code")
    walk.check("the audit tells of it", ("pcpu-counted-taken",) in found, True)
    beside = client.create(flavor)
    walk.check("the next server runs beside it",
               set(seen.defined()[beside.id].values()), {0, 1} - mine)
    walk.check("a third one", client.create(flavor).status, "ERROR")
    seen.virsh("destroy", server.domain)
    seen.virsh("undefine", server.domain)
    walk.check("pCPUs of the record when the guest is gone",
               pinned_in_the_end({0, 1} - mine), {0, 1} - mine)
    again = client.create(flavor)
    walk.check("the next server", set(seen.defined()[again.id].values()), mine)
