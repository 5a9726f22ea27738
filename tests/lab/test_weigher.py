"""``PinningWeigher`` chooses between two hosts that a guest fits."""

import ast

import pytest

from lab import layout, node_layout
from tests.lab import client
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
def test_a_small_host_is_taken_before_a_large_cell(walk: Walk) -> None:
    since = LOG.stat().st_size
    pair = client.create(client.flavor(2, cpu_policy="dedicated"))
    walk.check("status", pair.status, "ACTIVE")
    pcpus = weights("CPUWeigher", since)
    walk.check("what Nova's CPUWeigher prefers",
               max(pcpus, key=pcpus.__getitem__), node_layout.NAME)
    ours = weights("PinningWeigher", since)
    walk.check("what PinningWeigher prefers",
               max(ours, key=ours.__getitem__), layout.HOST)
    walk.check("host of a guest of two vCPUs", pair.host, layout.HOST)
    four = client.create(client.flavor(4, cpu_policy="dedicated"))
    walk.check("host of a guest of four, which needs the large cell",
               (four.status, four.host), ("ACTIVE", node_layout.NAME))
