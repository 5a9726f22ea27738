"""Services that die or are too many, while servers are being made."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import cloud, process, services
from tests.lab import client, seen
from tests.lab.walks import Walk

pytestmark = pytest.mark.host(threads_per_core=1)

PCPUS = 2
CREATES = 20
#: Seconds that twenty creates may take on a busy machine.
PATIENCE = 300


def one_pcpu() -> str:
    """A flavor of one dedicated vCPU."""
    return client.flavor(1, cpu_policy="dedicated")


def await_task(server: str, task: str) -> str | None:
    """Wait, by the tick, until Nova works at something; the last task."""
    limit = time.monotonic() + client.PATIENCE
    while time.monotonic() < limit:
        rows = seen.nova_rows(
            f"SELECT task_state FROM instances WHERE uuid = '{server}'")
        if rows and rows[0][0] == task:
            break
        time.sleep(0.02)
    return rows[0][0] if rows else None


def test_nova_compute_killed_in_a_build(walk: Walk) -> None:
    server = client.request(one_pcpu())
    walk.check("task when killed", await_task(server, "spawning"), "spawning")
    compute = services.nova_compute()
    compute.kill()
    walk.check("nova-compute", compute.pid(), None)
    services.nova_compute().start()
    walk.check("status after its restart",
               client.settled(server).status, "ERROR")
    client.delete_all()
    walk.check("pCPUs after the delete", seen.host_pinned(), set())
    walk.check("the next create", client.create(one_pcpu()).status, "ACTIVE")


def test_RabbitMQ_restarted_during_creates(walk: Walk) -> None:
    name = one_pcpu()
    for _ in range(PCPUS):
        client.request(name)
    broker = services.rabbitmq()
    broker.stop()
    broker.start()
    walk.check("RabbitMQ runs again", broker.pid() is not None, True)
    # A report that was under way when it stopped is waited for in vain, and
    # after a minute without one the next servers find no host.
    since = seen.reported()
    walk.check("nova-compute reports again", process.wait_for(
        lambda: seen.reported() != since, PATIENCE), True)
    client.delete_all()
    walk.check("domains after the delete", seen.defined(), {})
    walk.check("the next create", client.create(name).status, "ACTIVE")
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(), seen.defined())


def test_two_schedulers_and_twenty_creates(walk: Walk) -> None:
    second = services.second_scheduler()
    second.start()
    try:
        found = create_at_once(one_pcpu(), CREATES)
    finally:
        second.stop()
    states = [server.status for server in found]
    walk.check("ACTIVE", states.count("ACTIVE"), PCPUS)
    walk.check("ERROR", states.count("ERROR"), CREATES - PCPUS)
    pinned = [
        pcpu for pins in seen.defined().values() for pcpu in pins.values()]
    walk.check("pCPUs of the domains", sorted(pinned), [0, 1])
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(), seen.defined())
    walk.check(
        "refusals without a reason",
        sum(not (server.fault or {}).get("message") for server in found
            if server.status == "ERROR"),
        0,
    )


def create_at_once(flavor: str, number: int) -> list:
    """Twenty clients at once: the SDK's threads, not twenty processes."""
    connection = cloud.connect()
    image = connection.image.find_image("blank").id
    flavor_id = connection.compute.find_flavor(flavor).id

    def request(index: int) -> str:
        return connection.compute.create_server(
            name=f"crowd-{index}", image_id=image, flavor_id=flavor_id,
            networks="none",
        ).id

    with ThreadPoolExecutor(number) as pool:
        ids = set(pool.map(request, range(number)))
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        found = [
            server for server in connection.compute.servers(details=True)
            if server.id in ids
        ]
        if all(server.status != "BUILD" for server in found):
            break
        time.sleep(2)
    return [connection.compute.get_server(server.id) for server in found]
