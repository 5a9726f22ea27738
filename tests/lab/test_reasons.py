"""What a tenant reads where no host is left, word for word.

``pinning-filter explain`` says the same sentence of the same server.
"""

import pytest

from lab import layout
from tests.lab import client, commands
from tests.lab.walks import Walk

NO_SMT = {"threads_per_core": 1}
SMT = {"threads_per_core": 2}


def pinned(vcpus: int, ram_mib: int = 64, **specs: str) -> str:
    """A flavor of dedicated vCPUs."""
    return client.flavor(vcpus, ram_mib, cpu_policy="dedicated", **specs)


def check_reason(walk: Walk, flavor: str, reason: str) -> None:
    """A server of the flavor fails, for this reason."""
    server = client.create(flavor)
    walk.check("status", server.status, "ERROR")
    fault = f"No valid host was found. {reason}"
    walk.check("fault", server.fault, fault)
    said = commands.run(
        "explain", *commands.LIVE, server.id, "--host", layout.HOST)
    walk.check("exit status of explain", said.code, 3)
    lines = said.text.splitlines()
    walk.check("what explain says that Nova says",
               lines[0], f"Nova says: {fault}")
    walk.check("what explain says itself", reason in lines, True)


@pytest.mark.host(**NO_SMT)
def test_a_full_host(walk: Walk) -> None:
    pair = pinned(2)
    walk.check("status of the first", client.create(pair).status, "ACTIVE")
    check_reason(
        walk, pair,
        "No host can take 2 pinned vCPUs in one NUMA cell: 2 PCPU are needed "
        "on one host, 1 host has 0 free.")


@pytest.mark.host(**NO_SMT)
def test_require_without_SMT(walk: Walk) -> None:
    check_reason(
        walk, pinned(2, cpu_thread_policy="require"),
        "No host can take 2 pinned vCPUs in one NUMA cell with thread policy "
        "require: 1 host has no SMT, which hw:cpu_thread_policy=require "
        "needs.")


@pytest.mark.host(**SMT)
def test_isolate_with_SMT(walk: Walk) -> None:
    check_reason(
        walk, pinned(1, cpu_thread_policy="isolate"),
        "No host can take 1 pinned vCPU in one NUMA cell with thread policy "
        "isolate: 1 host has SMT, which hw:cpu_thread_policy=isolate rules "
        "out there.")


@pytest.mark.host(**NO_SMT)
def test_several_guest_cells_on_a_host_of_one(walk: Walk) -> None:
    check_reason(
        walk, pinned(2, numa_nodes="2"),
        "No host can take 2 pinned vCPUs in 2 NUMA cells: 2 NUMA cells are "
        "needed, 1 host has 1.")


@pytest.mark.host(**NO_SMT)
def test_more_vCPUs_than_the_host_has(walk: Walk) -> None:
    check_reason(
        walk, pinned(3),
        "No host can take 3 pinned vCPUs in one NUMA cell: 3 PCPU are needed "
        "on one host, 1 host has 2 even when empty.")
