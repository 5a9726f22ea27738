"""Servers on a host of two cells with SMT: the second compute node.

Host cell 0 has the cores 0-1 and 2-3, host cell 1 the cores 4-5 and 6-7; the
pCPUs 4-5 are shared, all others dedicated.
"""

from pathlib import Path

import pytest

from lab import node_layout
from tests.lab import client, seen
from tests.lab.audits import audit
from tests.lab.predictions import predict
from tests.lab.walks import Walk

pytestmark = pytest.mark.node

NODE = node_layout.NAME
PAGE_KIB = 2048
ALL_PAGES = {0: node_layout.HUGE_PAGES, 1: node_layout.HUGE_PAGES}


def boot(
    walk: Walk, folder: Path, vcpus: int, ram_mib: int = 64, **specs: str
) -> tuple[client.Server, str]:
    """Predict, create, compare; the server and its XML."""
    predicted = predict(folder, vcpus, specs, where=NODE, ram_mib=ram_mib)
    walk.since_now()
    server = client.create(client.flavor(vcpus, ram_mib, **specs))
    walk.check("status", server.status, "ACTIVE")
    walk.check("host", server.host, NODE)
    xml = seen.domain_xml(server.domain, NODE)
    walk.keep(xml)
    predicted.check(walk, xml)
    return server, xml


def check_pins(
    walk: Walk, server: client.Server, xml: str, pins: dict[str, str]
) -> None:
    """Libvirt, the kernel and Nova agree on who sits where."""
    pins = {**pins, "iothread 1": pins["emulator"]}
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("Cpus_allowed_list", seen.affinities(server.domain, NODE), pins)
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(NODE), seen.defined(NODE))


def check_memory(
    walk: Walk, server: client.Server, xml: str, *host_cells: str
) -> None:
    """The memory of each guest cell is bound to its host cell."""
    nodes = {f"guest cell {number}": ("strict", cell)
             for number, cell in enumerate(host_cells)}
    every = ",".join(sorted(set(host_cells)))
    every = "0-1" if every == "0,1" else every
    walk.check("numatune", seen.memory_binding(xml),
               {"memory": ("strict", every), **nodes})
    walk.check("numa_maps", seen.memory_policies(server.domain, NODE),
               sorted(f"bind:{cell}" for cell in set(host_cells)))


def refused(walk: Walk, vcpus: int, ram_mib: int, **specs: str) -> None:
    """No host takes such a server, and its user reads why."""
    server = client.create(client.flavor(vcpus, ram_mib, **specs))
    walk.check("status", server.status, "ERROR")
    walk.check_says("what its user sees", server.fault,
                    "No valid host was found. No host can take")


def test_two_guest_cells(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 2,
                       cpu_policy="dedicated", numa_nodes="2")
    check_pins(walk, server, xml,
               {"vcpu 0": "0", "vcpu 1": "6", "emulator": "0,6"})
    check_memory(walk, server, xml, "0", "1")
    walk.check("guest cells", seen.guest_cells(xml),
               [("0", "32768"), ("1", "32768")])


def test_unequal_guest_cells(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(
        walk, tmp_path, 4, 96, cpu_policy="dedicated", **{
            "numa_nodes": "2", "numa_cpus.0": "0-2", "numa_mem.0": "64",
            "numa_cpus.1": "3", "numa_mem.1": "32"})
    check_pins(walk, server, xml, {
        "vcpu 0": "0", "vcpu 1": "1", "vcpu 2": "2", "vcpu 3": "6",
        "emulator": "0-2,6"})
    check_memory(walk, server, xml, "0", "1")


def test_a_larger_guest_cell_after_a_smaller(
    walk: Walk, tmp_path: Path
) -> None:
    server, xml = boot(
        walk, tmp_path, 4, 96, cpu_policy="dedicated", **{
            "numa_nodes": "2", "numa_cpus.0": "0", "numa_mem.0": "32",
            "numa_cpus.1": "1-3", "numa_mem.1": "64"})
    check_pins(walk, server, xml, {
        "vcpu 0": "6", "vcpu 1": "0", "vcpu 2": "1", "vcpu 3": "2",
        "emulator": "0-2,6"})
    check_memory(walk, server, xml, "1", "0")


def test_require_takes_true_siblings(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 4, cpu_policy="dedicated",
                       cpu_thread_policy="require")
    check_pins(walk, server, xml, {
        "vcpu 0": "0", "vcpu 1": "1", "vcpu 2": "2", "vcpu 3": "3",
        "emulator": "0-3"})
    walk.check("guest topology", seen.topology(xml), (1, 2, 2))
    check_memory(walk, server, xml, "0")


def test_require_in_two_guest_cells(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 4, cpu_policy="dedicated",
                       cpu_thread_policy="require", numa_nodes="2")
    check_pins(walk, server, xml, {
        "vcpu 0": "0", "vcpu 1": "1", "vcpu 2": "6", "vcpu 3": "7",
        "emulator": "0-1,6-7"})
    walk.check("guest topology", seen.topology(xml)[2], 2)
    check_memory(walk, server, xml, "0", "1")


def test_huge_pages_of_two_cells(walk: Walk, tmp_path: Path) -> None:
    walk.check("pages of 2 MiB that the kernel granted",
               seen.free_pages(NODE), ALL_PAGES)
    server, xml = boot(walk, tmp_path, 2, 192, cpu_policy="dedicated",
                       numa_nodes="2", mem_page_size="large")
    walk.check("page size in the XML", seen.page_size_kib(xml), PAGE_KIB)
    walk.check("pages of the process",
               seen.huge_memory(server.domain, NODE), True)
    walk.check("pages left", seen.free_pages(NODE), {0: 16, 1: 16})
    check_memory(walk, server, xml, "0", "1")
    client.delete_all()
    walk.check("pages after the delete", seen.free_pages(NODE), ALL_PAGES)
    # As much, in one guest cell: each host cell has 64 pages of the 96.
    refused(walk, 2, 192, cpu_policy="dedicated", mem_page_size="large")


def test_mixed_with_a_mask(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 4, cpu_policy="mixed",
                       cpu_dedicated_mask="1-2")
    check_pins(walk, server, xml, {
        "vcpu 0": "4-5", "vcpu 1": "6", "vcpu 2": "7", "vcpu 3": "4-5",
        "emulator": "4-7"})
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(NODE), {6, 7})
    check_memory(walk, server, xml, "1")


def test_isolated_emulator_threads(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 2, cpu_policy="dedicated",
                       emulator_threads_policy="isolate")
    check_pins(walk, server, xml,
               {"vcpu 0": "0", "vcpu 1": "1", "emulator": "2"})
    walk.check("pCPUs that Nova holds pinned",
               seen.host_pinned(NODE), {0, 1, 2})
    walk.check("PCPU in Placement",
               client.usage(seen.node_uuid(NODE))["PCPU"], 3)


def test_shared_emulator_threads(walk: Walk, tmp_path: Path) -> None:
    server, xml = boot(walk, tmp_path, 2, cpu_policy="dedicated",
                       emulator_threads_policy="share")
    check_pins(walk, server, xml,
               {"vcpu 0": "0", "vcpu 1": "1", "emulator": "4-5"})


def test_resize_to_two_guest_cells_and_back(
    walk: Walk, tmp_path: Path
) -> None:
    small = client.flavor(2, cpu_policy="dedicated")
    server = client.create(small)
    walk.check("status", server.status, "ACTIVE")
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(NODE), {0, 1})
    large = client.flavor(4, cpu_policy="dedicated", numa_nodes="2")
    for flavor, pins, both in (
        (large, {"vcpu 0": "2", "vcpu 1": "3", "vcpu 2": "6", "vcpu 3": "7",
                 "emulator": "2-3,6-7"}, {0, 1, 2, 3, 6, 7}),
        (small, {"vcpu 0": "0", "vcpu 1": "1", "emulator": "0-1"},
         {0, 1, 2, 3, 6, 7}),
    ):
        resized = server.act("resize", "--flavor", flavor,
                             until="VERIFY_RESIZE")
        walk.check("status", resized.status, "VERIFY_RESIZE")
        walk.check("both places are held", seen.host_pinned(NODE), both)
        client.openstack("server", "resize", "confirm", server.id,
                         as_json=False)
        server = client.wait(server.id, "ACTIVE")
        walk.check("status", server.status, "ACTIVE")
        check_pins(walk, server, seen.domain_xml(server.domain, NODE), pins)
    client.delete_all()
    audit(NODE)


def test_the_host_is_filled_and_emptied(walk: Walk) -> None:
    pair = client.flavor(2, cpu_policy="dedicated")
    for number in range(3):
        walk.check(f"server {number}", client.create(pair).status, "ACTIVE")
    walk.check("pCPUs that Nova holds pinned",
               seen.host_pinned(NODE), {0, 1, 2, 3, 6, 7})
    walk.check("one more", client.create(pair).status, "ERROR")
    client.delete_all()
    walk.check("pCPUs after the delete", seen.host_pinned(NODE), set())
