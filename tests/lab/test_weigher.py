"""``PinningWeigher`` chooses between two hosts that a guest fits."""

import ast

import pytest

from lab import layout, node_layout
from tests.lab import client, seen
from tests.lab.walks import Walk

LOG = layout.LOGS / "nova-scheduler.log"


def weights(weigher: str, since: int) -> dict[str, float]:
    """Host -> its weight, by nova-scheduler's log from a place on."""
    with LOG.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    mark = f"{weigher}: normalized weights "
    said = [line.partition(mark)[2] for line in lines if mark in line]
    told = ast.literal_eval(said[-1].rpartition("}")[0] + "}")
    return {host: weight for (host, _), weight in told.items()}


@pytest.mark.node(beside=True)
@pytest.mark.host(threads_per_core=1)
def test_a_lone_pCPU_is_taken_before_a_pair(walk: Walk) -> None:
    # Of host cell 0 the pCPU 3 is left, of host cell 1 none.
    most = client.create(client.flavor(5, cpu_policy="dedicated", **{
        "numa_nodes": "2", "numa_cpus.0": "0-2", "numa_mem.0": "32",
        "numa_cpus.1": "3-4", "numa_mem.1": "32"}))
    walk.check("host of a guest of two cells", most.host, node_layout.NAME)
    walk.check("its pCPUs", seen.host_pinned(node_layout.NAME),
               {0, 1, 2, 6, 7})
    since = LOG.stat().st_size
    single = client.create(client.flavor(1, cpu_policy="dedicated"))
    memory = weights("RAMWeigher", since)
    walk.check("what Nova would choose, by free memory",
               max(memory, key=memory.__getitem__), layout.HOST)
    ours = weights("PinningWeigher", since)
    walk.check("what PinningWeigher prefers",
               max(ours, key=ours.__getitem__), node_layout.NAME)
    walk.check("host of a guest of one vCPU", single.host, node_layout.NAME)
    walk.check("its pCPU", seen.defined(node_layout.NAME)[single.id], {0: 3})
