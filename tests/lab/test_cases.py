"""The cases of doc/source/explain.rst, on two compute hosts.

Their dumps, kept below ``lab/run/dumps``, are the documentation's examples.
"""

import pytest

from lab import layout, node_layout
from tests.lab import client, commands
from tests.lab.walks import Walk

pytestmark = pytest.mark.node(beside=True)

HOST, NODE = layout.HOST, node_layout.NAME


def pinned(vcpus: int, **specs: str) -> str:
    """A flavor with a name that can be read in the documentation."""
    name = ".".join([f"pinned.{vcpus}", *specs.values()])
    keys = {f"cpu_{key}": value for key, value in specs.items()}
    return client.flavor(vcpus, name=name, cpu_policy="dedicated", **keys)


def fill(walk: Walk, *flavors: str) -> None:
    """Servers on the second compute node, one of each flavor."""
    client.enable(HOST, False)
    for number, flavor in enumerate(flavors, 1):
        server = client.create(flavor, name=f"database-{number}")
        walk.check(f"database-{number}", server.status, "ACTIVE")
    client.enable(HOST, True)


def explained(walk: Walk, case: str, *question: str) -> commands.Answer:
    """The answer of the cloud, and of its dump, which must be the same."""
    answer = commands.live("explain", *question)
    walk.check("exit status", answer.code, 3)
    kept = commands.dump(case)
    walk.check("the same of a dump",
               commands.of_dump(kept, "explain", *question).rows, answer.rows)
    return answer


@pytest.mark.host(threads_per_core=1)
def test_no_SMT(walk: Walk) -> None:
    fill(walk, pinned(4), pinned(2))
    wanted = pinned(2, thread_policy="require")
    walk.check("status", client.create(wanted).status, "ERROR")
    answer = explained(walk, "no-smt", "--flavor", wanted)
    walk.check("who refuses", answer.said("host", "verdict", "host_cell"), [
        (HOST, "placement", None), (HOST, "filter", None),
        # Its shared pCPUs are VCPU, for which Nova asks in place of PCPU.
        (NODE, "filter", 0), (NODE, "filter", 1)])
    walk.check("what would help on the host without SMT",
               answer.rows[0]["remedies"],
               ["fits with thread policy prefer"])


@pytest.mark.host(threads_per_core=1)
def test_fragmentation(walk: Walk) -> None:
    small, large = pinned(2), pinned(4)
    fill(walk, small)
    server = client.create(large)
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "4 free pCPUs are needed in one NUMA cell")
    answer = explained(walk, "fragmentation", "--flavor", large)
    refusals = [row for row in answer.rows if row["host"] == NODE]
    walk.check("free in each cell of the node",
               sorted((row["host_cell"], row["free"]) for row in refusals),
               [(0, 2), (1, 2)])
    room = commands.live("capacity", "--flavor", small, "--flavor", large)
    walk.check("room", room.said("host", "flavor", "fits_now", "lost"), [
        (HOST, small, 1, 0), (HOST, large, 0, 0), (NODE, small, 2, 0),
        (NODE, large, 0, 1), (None, small, 3, 0), (None, large, 0, 1)])


@pytest.mark.host(virt_type="lxc")
def test_no_NUMA_topology(walk: Walk) -> None:
    wanted = pinned(2)
    fill(walk, pinned(4), wanted)
    server = client.create(wanted)
    walk.check("status", server.status, "ERROR")
    answer = explained(walk, "no-topology", "--flavor", wanted)
    walk.check("the host without a topology", [
        row["text"] for row in answer.rows if row["host"] == HOST
    ], ["the host reports no NUMA topology"])
