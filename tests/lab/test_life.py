"""A pinned server's life after its create."""

import pytest

from tests.lab import client, seen
from tests.lab.audits import audit
from tests.lab.walks import Walk

pytestmark = pytest.mark.host(threads_per_core=1)

ON_PCPU_0 = {"vcpu 0": "0", "emulator": "0", "iothread 1": "0"}
ON_PCPU_1 = {"vcpu 0": "1", "emulator": "1", "iothread 1": "1"}


def check_runs_on(
    walk: Walk, server: client.Server, pins: dict[str, str]
) -> None:
    """The server runs where it should, and Nova's tables agree."""
    walk.check("status", server.status, "ACTIVE")
    walk.check("Cpus_allowed_list", seen.affinities(server.domain), pins)
    walk.check("Nova's claims are libvirt's pins",
               seen.claimed(), seen.defined())
    walk.check("pCPUs that Nova holds pinned",
               seen.host_pinned(), {int(pins["vcpu 0"])})


def small() -> str:
    """A flavor of one dedicated vCPU."""
    return client.flavor(1, cpu_policy="dedicated")


def test_hard_reboot(walk: Walk) -> None:
    server = client.create(small())
    check_runs_on(walk, server, ON_PCPU_0)
    before = seen.qemu_pid(server.domain)
    client.openstack("server", "reboot", "--hard", "--wait", server.id,
                     as_json=False)
    check_runs_on(walk, server.again(), ON_PCPU_0)
    walk.check("another process",
               seen.qemu_pid(server.domain) != before, True)


def test_resize_up_then_back(walk: Walk) -> None:
    server = client.create(small())
    check_runs_on(walk, server, ON_PCPU_0)
    larger = client.flavor(1, 128, cpu_policy="dedicated")
    resized = server.act("resize", "--flavor", larger, until="VERIFY_RESIZE")
    walk.check("status", resized.status, "VERIFY_RESIZE")
    walk.check("both places are held", seen.host_pinned(), {0, 1})
    client.openstack("server", "resize", "confirm", server.id, as_json=False)
    check_runs_on(walk, client.wait(server.id, "ACTIVE"), ON_PCPU_1)
    resized = server.act("resize", "--flavor", small(), until="VERIFY_RESIZE")
    walk.check("status", resized.status, "VERIFY_RESIZE")
    client.openstack("server", "resize", "revert", server.id, as_json=False)
    check_runs_on(walk, client.wait(server.id, "ACTIVE"), ON_PCPU_1)
    client.delete_all()
    audit()


def test_resize_to_more_vCPUs_than_are_free(walk: Walk) -> None:
    server = client.create(small())
    larger = client.flavor(2, cpu_policy="dedicated")
    client.openstack("server", "resize", "--flavor", larger, server.id,
                     as_json=False)
    walk.check("migration", seen.ended_migration(server.id), "error")
    check_runs_on(walk, server.again(), ON_PCPU_0)


def test_shelve_and_unshelve(walk: Walk) -> None:
    server = client.create(small())
    check_runs_on(walk, server, ON_PCPU_0)
    shelved = server.act("shelve", until="SHELVED_OFFLOADED")
    walk.check("status", shelved.status, "SHELVED_OFFLOADED")
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(), set())
    walk.check("domains", seen.defined(), {})
    check_runs_on(walk, server.act("unshelve", until="ACTIVE"), ON_PCPU_0)


def test_stop_and_start(walk: Walk) -> None:
    server = client.create(small())
    stopped = server.act("stop", until="SHUTOFF")
    walk.check("status", stopped.status, "SHUTOFF")
    walk.check("pCPUs that Nova holds pinned", seen.host_pinned(), {0})
    check_runs_on(walk, server.act("start", until="ACTIVE"), ON_PCPU_0)


def test_rebuild(walk: Walk) -> None:
    server = client.create(small())
    client.openstack("server", "rebuild", "--wait", "--image", "blank",
                     server.id, as_json=False)
    check_runs_on(walk, server.again(), ON_PCPU_0)
