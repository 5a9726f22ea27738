"""Compute nodes of a running cloud, and those that make no sense."""

import json

import pytest
from nova import objects

from pinning_filter.cloud.live import nodes
from pinning_filter.core import synthetic
from pinning_filter.nova import stats as nova_stats
from tests.property import twins


def read(change):
    """What is read of a compute node whose topology was changed."""
    host = synthetic.host("cell:2 core:2 pu:2")
    topology = json.loads(twins.topology(host)._to_json())
    cells = topology["nova_object.data"]["cells"]
    change(cells[0]["nova_object.data"])
    node = objects.ComputeNode(
        numa_topology=json.dumps(topology),
        cpu_allocation_ratio=16.0,
        ram_allocation_ratio=1.5,
    )
    return nodes._host(node, nova_stats.NO_STATS)


def test_a_host_is_read_with_its_ratios():
    host, problem, _ = read(lambda cell: None)
    assert problem == ""
    assert (host.cpu_ratio, host.ram_ratio) == (16.0, 1.5)
    assert [sorted(cell.free) for cell in host.cells] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            lambda cell: cell.update(siblings=[[0, 1], [1, 2, 3]]),
            "pCPUs [1] are in several cores",
            id="cores that overlap",
        ),
        pytest.param(
            lambda cell: cell.update(siblings=[[]]),
            "pCPUs [0, 1, 2, 3] are in no core",
            id="no siblings told",
        ),
        pytest.param(
            lambda cell: cell.pop("pinned_cpus"),
            "its pinned_cpus is missing",
            id="a field that is not there",
        ),
        pytest.param(
            lambda cell: cell.update(memory="much"), "much", id="no number"
        ),
    ],
)
def test_a_host_that_makes_no_sense_has_a_problem(change, text):
    host, problem, _ = read(change)
    assert host is None
    assert problem.startswith("its NUMA topology cannot be read: ")
    assert text in problem
