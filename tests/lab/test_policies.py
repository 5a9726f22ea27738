"""Mixed policy, emulator threads and huge pages."""

import pytest

from tests.lab import client, seen
from tests.lab.walks import Walk

APART = {"threads_per_core": 1, "dedicated": "0", "shared": "1"}
PAGES = 64
PAGE_KIB = 2048


@pytest.mark.host(**APART)
def test_mixed_with_a_mask(walk: Walk) -> None:
    server = client.create(client.flavor(
        2, cpu_policy="mixed", cpu_dedicated_mask="1"))
    walk.check("status", server.status, "ACTIVE")
    xml = seen.domain_xml(server.domain)
    walk.keep(xml)
    pins = {"vcpu 0": "1", "vcpu 1": "0",
            "emulator": "0-1", "iothread 1": "0-1"}
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("Cpus_allowed_list", seen.affinities(server.domain), pins)
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(), {0})


@pytest.mark.host(**APART)
def test_shared_emulator_threads(walk: Walk) -> None:
    server = client.create(client.flavor(
        1, cpu_policy="dedicated", emulator_threads_policy="share"))
    walk.check("status", server.status, "ACTIVE")
    xml = seen.domain_xml(server.domain)
    walk.keep(xml)
    pins = {"vcpu 0": "0", "emulator": "1", "iothread 1": "1"}
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("Cpus_allowed_list", seen.affinities(server.domain), pins)


@pytest.mark.host(threads_per_core=1, huge_pages=PAGES)
def test_isolated_emulator_threads(walk: Walk) -> None:
    server = client.create(client.flavor(
        1, cpu_policy="dedicated", emulator_threads_policy="isolate"))
    walk.check("status", server.status, "ACTIVE")
    xml = seen.domain_xml(server.domain)
    walk.keep(xml)
    pins = {"vcpu 0": "0", "emulator": "1", "iothread 1": "1"}
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("Cpus_allowed_list", seen.affinities(server.domain), pins)
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(), {0, 1})
    walk.check("PCPU in Placement",
               client.usage(seen.node_uuid())["PCPU"], 2)


@pytest.mark.host(threads_per_core=1, huge_pages=PAGES)
def test_huge_pages(walk: Walk) -> None:
    granted = seen.host_pages(PAGE_KIB)
    walk.check("pages of 2 MiB that the kernel granted", granted >= 32, True)
    server = client.create(client.flavor(
        1, cpu_policy="dedicated", mem_page_size="large"))
    walk.check("status", server.status, "ACTIVE")
    xml = seen.domain_xml(server.domain)
    walk.keep(xml)
    walk.check("page size in the XML", seen.page_size_kib(xml), PAGE_KIB)
    walk.check("pages of the process", seen.huge_memory(server.domain), True)
    walk.check("numa_maps", seen.memory_policies(server.domain), ["bind:0"])


@pytest.mark.host(threads_per_core=1, huge_pages=PAGES)
def test_more_huge_pages_than_there_are(walk: Walk) -> None:
    server = client.create(client.flavor(
        1, ram_mib=512, cpu_policy="dedicated", mem_page_size="large"))
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "No valid host was found.")
