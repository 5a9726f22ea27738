"""A flavor with ``hw:cpu_policy=dedicated`` and each thread policy."""

import pytest

from tests.lab import client, seen
from tests.lab.walks import Walk

SMT = {"threads_per_core": 2}
NO_SMT = {"threads_per_core": 1}

#: Two vCPUs over the two pCPUs of the host.
BOTH_PCPUS = {
    "vcpu 0": "0", "vcpu 1": "1", "emulator": "0-1", "iothread 1": "0-1"}
ON_HOST_CELL_0 = {
    "memory": ("strict", "0"), "guest cell 0": ("strict", "0")}


def check_pinned(
    walk: Walk, server: client.Server, pins: dict[str, str]
) -> str:
    """Everything that makes a server pinned; its XML."""
    walk.check("status", server.status, "ACTIVE")
    xml = seen.domain_xml(server.domain)
    walk.keep(xml)
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("Cpus_allowed_list", seen.affinities(server.domain), pins)
    walk.check("numatune", seen.memory_binding(xml), ON_HOST_CELL_0)
    walk.check("numa_maps", seen.memory_policies(server.domain), ["bind:0"])
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(), seen.defined())
    return xml


@pytest.mark.host(**SMT)
def test_require_on_a_host_with_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="dedicated", cpu_thread_policy="require"))
    xml = check_pinned(walk, server, BOTH_PCPUS)
    walk.check("guest topology", seen.topology(xml), (1, 1, 2))


@pytest.mark.host(**SMT)
def test_prefer_on_a_host_with_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="dedicated", cpu_thread_policy="prefer"))
    xml = check_pinned(walk, server, BOTH_PCPUS)
    walk.check("guest topology", seen.topology(xml), (1, 1, 2))


@pytest.mark.host(**SMT)
def test_isolate_on_a_host_with_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        1, cpu_policy="dedicated", cpu_thread_policy="isolate"))
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "No valid host was found.")


@pytest.mark.host(**NO_SMT)
def test_require_on_a_host_without_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="dedicated", cpu_thread_policy="require"))
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "No valid host was found.")


@pytest.mark.host(**NO_SMT)
def test_prefer_on_a_host_without_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="dedicated", cpu_thread_policy="prefer"))
    xml = check_pinned(walk, server, BOTH_PCPUS)
    walk.check("guest topology", seen.topology(xml), (1, 2, 1))


@pytest.mark.host(**NO_SMT)
def test_isolate_on_a_host_without_SMT(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="dedicated", cpu_thread_policy="isolate"))
    xml = check_pinned(walk, server, BOTH_PCPUS)
    walk.check("guest topology", seen.topology(xml), (1, 2, 1))


@pytest.mark.host(**NO_SMT)
def test_more_vCPUs_than_pCPUs_are_free(walk: Walk) -> None:
    server = client.create(client.flavor(3, cpu_policy="dedicated"))
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "No valid host was found.")
