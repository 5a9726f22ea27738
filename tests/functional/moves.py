"""What operators and tenants do with servers, and what must hold after."""

from __future__ import annotations

import functools
import time
from unittest import mock

from nova.tests.fixtures import libvirt as fakelibvirt

from tests.functional.test_compute_prediction import of_claim, of_xml

_PATIENCE_SECONDS = 20

_RESIZE = (
    "nova.virt.libvirt.driver.LibvirtDriver.migrate_disk_and_power_off"
)


def hard_reboot(cloud, server):
    cloud.services._reboot_server({"id": server.id}, hard=True)
    return cloud.server(server.id)


def resize(cloud, server, flavor):
    with mock.patch(_RESIZE, return_value="{}"):
        cloud.services._resize_server({"id": server.id}, flavor)
        cloud.services._confirm_resize({"id": server.id})
    return cloud.server(server.id)


def cold_migrate(cloud, server, host):
    services, moved = cloud.services, {"id": server.id}
    with mock.patch(_RESIZE, return_value="{}"):
        services.admin_api.post_server_action(
            server.id, {"migrate": {"host": host}}
        )
        services._wait_for_state_change(moved, "VERIFY_RESIZE")
        services._confirm_resize(moved)
    return cloud.server(server.id)


def live_migrate(cloud, server, host):
    """Returns the server, and the XML with which it arrived."""
    sent = []

    def stub(self, destination, params, flags):
        sent.append(params["destination_xml"])
        there = cloud.services.computes[host].driver._host.get_connection()
        there.createXML(sent[0], "whatever")
        self.complete_job()

    with mock.patch.object(fakelibvirt.Domain, "migrateToURI3", stub):
        cloud.services.admin_api.post_server_action(
            server.id,
            {"os-migrateLive": {"host": host, "block_migration": "auto"}},
        )
        moved = {"id": server.id}
        cloud.services._wait_for_migration_status(moved, ["completed"])
        cloud.services._wait_for_state_change(moved, "ACTIVE")
    (xml,) = sent
    return cloud.server(server.id), xml


def held(cloud, name):
    """The pCPUs that Nova counts as pinned on a compute."""
    cells = cloud.host_topologies()[name].cells
    return set().union(*(cell.pinned_cpus for cell in cells))


def placement_usage(cloud, name):
    """The PCPUs that the Placement API has allocated on a compute."""
    nova = cloud.services
    provider = nova.compute_rp_uuids[name]
    return nova._get_provider_usages(provider).get("PCPU", 0)


def told(server):
    """What libvirt was told of a server: vCPU -> pCPU."""
    pins, _ = of_xml(server.xml)
    return {vcpu: pcpu for vcpu, (pcpu,) in pins.items()}


def agrees(cloud, servers, *, audited=False):
    """Tables, documents and the Placement API say the same; none is twice.

    For servers all of whose vCPUs are dedicated, and nothing else on the
    hosts.

    :param audited: only once the computes have counted their guests anew:
        after a move Nova frees what a deleted server held no sooner.
    """
    by_host = {name: [] for name in cloud.host_topologies()}
    for server in servers:
        assert told(server) == server.pinning
        rows = of_claim(server.instance.numa_topology)
        by_host[server.host] += [
            pcpu
            for _, pinning, reserved, _ in rows
            for pcpu in (*pinning.values(), *reserved)
        ]
    for name, pcpus in by_host.items():
        assert len(pcpus) == len(set(pcpus)), f"a pCPU of {name} is held twice"
        # A compute counts again a moment after a server is gone.
        soon(cloud, functools.partial(held, cloud, name), set(pcpus), audited)
        assert placement_usage(cloud, name) == len(pcpus)


def soon(cloud, ask, expected, audited):
    """What is asked is, before long, as expected."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while ask() != expected and time.monotonic() < deadline:
        time.sleep(0.1)
        if audited:
            cloud.audit()
    assert ask() == expected
