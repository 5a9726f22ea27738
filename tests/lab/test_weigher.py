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
def test_the_half_used_core_is_taken_first(walk: Walk) -> None:
    first = client.create(client.flavor(
        1, cpu_policy="dedicated", cpu_thread_policy="require"))
    walk.check("host of the first, which needs SMT",
               first.host, node_layout.NAME)
    since = LOG.stat().st_size
    second = client.create(client.flavor(1, cpu_policy="dedicated"))
    memory = weights("RAMWeigher", since)
    walk.check("what Nova would choose, by free memory",
               max(memory, key=memory.__getitem__), layout.HOST)
    ours = weights("PinningWeigher", since)
    walk.check("what PinningWeigher prefers",
               max(ours, key=ours.__getitem__), node_layout.NAME)
    walk.check("host of the second", second.host, node_layout.NAME)
    walk.check("pCPUs, one core",
               seen.host_pinned(node_layout.NAME), {0, 1})
