"""``pinning-filter audit`` on a running Nova: healthy, and broken by hand."""

import datetime
import json
import time
from unittest import mock

import pytest
from nova import context, objects
from nova.db.main import api as db

from pinning_filter.cloud.live import cloud as live_cloud
from pinning_filter.cloud.live import settling
from pinning_filter.cloud.live.session import Session
from pinning_filter.core import cpuset, synthetic
from tests.functional import moves

PINNED = {"hw__cpu_policy": "dedicated"}


@pytest.fixture
def busy(cloud):
    """Two hosts, a pinned server on each and one without NUMA topology."""
    for name in ("here", "there"):
        cloud.add_compute(
            name, synthetic.host("cell:2(memory=8GiB) core:2 pu:2")
        )
    flavor = cloud.flavor(2, **PINNED)
    servers = [cloud.boot(flavor, host=name) for name in ("here", "there")]
    assert {server.status for server in servers} == {"ACTIVE"}
    return cloud, servers


@pytest.fixture
def audit(rows):
    """Exit status, and code, host and server of each finding."""

    def audit():
        status, found = rows("audit", "--wait", "1")
        return status, [
            (row["code"], row["host"], row["server"]) for row in found
        ]

    return audit


def allocate(cloud, consumer, host, resources):
    """Put an allocation there by hand."""
    uuid = cloud.services._get_provider_uuid_by_host(host)
    answer = cloud.services.placement.put(
        f"/allocations/{consumer}",
        {
            "allocations": {uuid: {"resources": resources}},
            "consumer_generation": None,
            "project_id": "p",
            "user_id": "u",
        },
        version="1.28",
    )
    assert answer.status == 204, answer.body


def test_a_healthy_cloud_before_in_and_after_a_resize(busy, audit):
    cloud, (server, _) = busy
    assert audit() == (0, [])
    services, moved = cloud.services, {"id": server.id}
    with mock.patch(moves._RESIZE, return_value="{}"):
        services._resize_server(moved, cloud.flavor(3, **PINNED))
        # It waits to be confirmed, and holds pCPUs on both ends.
        assert audit() == (0, [])
        services._confirm_resize(moved)
    assert audit() == (0, [])


def test_a_row_s_topology_edited(busy, audit):
    cloud, (server, _) = busy
    other = cloud.boot(cloud.flavor(2, **PINNED), host="here")
    pcpus = sorted(server.pinning.values())
    (cell,) = other.instance.numa_topology.cells
    cell.cpu_pinning = dict(zip(cell.cpu_pinning, pcpus, strict=True))
    edited = json.dumps(other.instance.numa_topology.obj_to_primitive())
    db.instance_extra_update_by_uuid(
        context.get_admin_context(), other.id, {"numa_topology": edited}
    )
    status, found = audit()
    assert status == 3
    assert ("pcpu-held-twice", "here") in [each[:2] for each in found]


def test_a_record_is_compared_once_its_servers_have_settled(
    busy, audit, monkeypatch
):
    """After a move Nova counts some of them anew with the next report."""
    node = objects.ComputeNode.get_first_node_by_host_for_old_compat(
        context.get_admin_context(), "here"
    )
    topology = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
    for cell in topology.cells:
        cell.pinned_cpus = set()
    node.numa_topology = topology._to_json()
    node.save()
    assert audit() == (0, [])
    monkeypatch.setattr(settling, "SECONDS", 0)
    status, found = audit()
    assert status == 3
    assert ("pcpu-counted-free", "here", "") in found


def test_an_allocation_removed_and_one_added(busy, audit):
    cloud, (server, other) = busy
    answer = cloud.services.placement.delete(f"/allocations/{server.id}")
    assert answer.status == 204
    nobody = "11111111-2222-4333-8444-555555555555"
    allocate(cloud, nobody, other.host, {"PCPU": 1, "MEMORY_MB": 64})
    assert audit() == (
        3,
        [
            ("allocation-missing", server.host, server.id),
            ("allocation-of-nobody", other.host, nobody),
        ],
    )


def test_before_a_change(busy, rows):
    """What ``--what-if`` foresees on a running Nova, from its own books."""
    _, (server, _) = busy
    taken = set(server.pinning.values())
    kept = cpuset.format(set(range(8)) - taken)
    status, found = rows(
        "audit", "--host", "here", "--what-if", f"cpu_dedicated_set={kept}"
    )
    by_kind = {row["kind"]: row for row in found}
    assert (status, by_kind.keys()) == (3, {"server", "resource", "flavor"})
    moved, pcpu = by_kind["server"], by_kind["resource"]
    assert (moved["subject"], set(moved["outside"]), moved["fits"]) == (
        server.id, taken, True,
    )
    assert (pcpu["subject"], pcpu["before"], pcpu["after"], pcpu["used"]) == (
        "PCPU", 8, 6, 2,
    )
    assert (by_kind["flavor"]["before"], by_kind["flavor"]["after"]) == (3, 2)


def test_servers_that_changed_since_a_moment_are_not_compared(busy):
    """What was seen on a compute node then says nothing of them now."""
    cloud, (server, other) = busy
    later = cloud.boot(cloud.flavor(1, **PINNED), host="there")
    soon = datetime.timedelta(seconds=2)
    long_ago = datetime.datetime.now(datetime.timezone.utc) - 99 * soon

    def changed(since):
        return live_cloud.snapshot(
            Session(), since=since.isoformat(timespec="seconds")
        ).moving

    everybody = {server.id, other.id, later.id}
    assert changed(long_ago) == everybody
    time.sleep(soon.seconds)
    now = datetime.datetime.now(datetime.timezone.utc)
    assert changed(now) == set()
    cloud.delete(later)
    assert changed(now) == {later.id}
