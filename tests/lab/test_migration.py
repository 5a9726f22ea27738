"""Live migrations between the two emulated compute nodes.

What libvirt gets on the destination is predicted before, beside a server that
already is there: so no server keeps the pCPUs that it had.
"""

from pathlib import Path

import pytest

from lab import node_layout, process
from tests.lab import client, commands, seen
from tests.lab.audits import audit
from tests.lab.predictions import predict
from tests.lab.walks import Walk

pytestmark = pytest.mark.node(pair=True)

SOURCE, DESTINATION = (node.name for node in node_layout.NODES)
#: On the destination, the first two pCPUs are taken, with 64 MiB of cell 0.
TAKEN = {"used": "0-1", "used_memory": {0: 64}}


def boot_on(walk: Walk, host: str, flavor: str) -> client.Server:
    """A server on one of the nodes."""
    for name in (SOURCE, DESTINATION):
        client.enable(name, name == host)
    server = client.create(flavor)
    for name in (SOURCE, DESTINATION):
        client.enable(name, True)
    walk.check("status", server.status, "ACTIVE")
    walk.check("host", server.host, host)
    return server


def foretold(walk: Walk, flavor: str) -> dict[int, int]:
    """vCPU -> pCPU on the destination, as ``explain`` says of the cloud."""
    answer = commands.live(
        "explain", "--flavor", flavor, "--image", "blank",
        "--host", DESTINATION)
    walk.check("exit status of explain", answer.code, 0)
    return {int(vcpu): pcpu for row in answer.rows
            for vcpu, pcpu in row["pinning"].items()}


def move(walk: Walk, server: client.Server) -> client.Server:
    """Migrate it to the destination while it runs."""
    walk.since_now()
    client.openstack(
        "server", "migrate", "--live-migration", "--host", DESTINATION,
        "--block-migration", server.id, as_json=False)
    walk.check("migration", seen.ended_migration(server.id), "completed")
    moved = client.wait(server.id, "ACTIVE")
    walk.check("host", (moved.status, moved.host), ("ACTIVE", DESTINATION))
    return moved


def check_move(
    walk: Walk, folder: Path, vcpus: int, before: dict[str, str],
    after: dict[str, str], **specs: str,
) -> None:
    """Predict, migrate, compare.

    :param before: where each vCPU and the emulator's threads are at first
    :param after: and where on the destination
    """
    neighbour = boot_on(
        walk, DESTINATION, client.flavor(2, cpu_policy="dedicated"))
    flavor = client.flavor(vcpus, cpu_policy="dedicated", **specs)
    server = boot_on(walk, SOURCE, flavor)
    walk.check("cputune at the source",
               seen.pins(seen.domain_xml(server.domain, SOURCE)),
               {**before, "iothread 1": before["emulator"]})
    predicted = predict(
        folder, vcpus, {"cpu_policy": "dedicated", **specs},
        where=DESTINATION, **TAKEN)
    pinning = foretold(walk, flavor)
    moved = move(walk, server)
    xml = seen.domain_xml(moved.domain, DESTINATION)
    walk.keep(xml)
    predicted.check(walk, xml)
    pins = {**after, "iothread 1": after["emulator"]}
    walk.check("cputune", seen.pins(xml), pins)
    walk.check("pinning as explain foretold",
               seen.defined(DESTINATION)[server.id], pinning)
    walk.check("Cpus_allowed_list",
               seen.affinities(moved.domain, DESTINATION), pins)
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(DESTINATION), seen.defined(DESTINATION))
    walk.check("who is on the destination",
               set(seen.defined(DESTINATION)), {neighbour.id, server.id})
    walk.check("the source's pCPUs are free", process.wait_for(
        lambda: not seen.host_pinned(SOURCE), client.PATIENCE), True)
    walk.check("domains at the source", seen.defined(SOURCE), {})
    client.delete_all()
    audit(DESTINATION)


def test_a_pinned_server(walk: Walk, tmp_path: Path) -> None:
    check_move(
        walk, tmp_path, 2,
        {"vcpu 0": "0", "vcpu 1": "1", "emulator": "0-1"},
        {"vcpu 0": "2", "vcpu 1": "3", "emulator": "2-3"},
        cpu_thread_policy="require")


def test_a_server_of_two_cells(walk: Walk, tmp_path: Path) -> None:
    check_move(
        walk, tmp_path, 4,
        {"vcpu 0": "0", "vcpu 1": "1", "vcpu 2": "6", "vcpu 3": "7",
         "emulator": "0-1,6-7"},
        {"vcpu 0": "2", "vcpu 1": "3", "vcpu 2": "6", "vcpu 3": "7",
         "emulator": "2-3,6-7"},
        numa_nodes="2")
