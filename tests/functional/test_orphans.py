"""Guests that run and that Nova does not know keep their pCPUs."""

from unittest import mock

import pytest
from nova import context
from nova.tests.functional.api import client

from pinning_filter.compute import orphans
from pinning_filter.core import synthetic
from pinning_filter.demo.services import OUR_DRIVER
from tests.functional import moves

PINNED = {"hw__cpu_policy": "dedicated"}


def machine():
    return synthetic.host("cell:2(memory=8GiB) core:2")


@pytest.fixture
def one(cloud):
    """One compute of four pCPUs, and a server of two."""
    cloud.add_compute("here", machine())
    return cloud, cloud.boot(cloud.flavor(2, **PINNED))


def delete_locally(cloud, server):
    """As nova-api does while it thinks that the compute node is down."""
    api = cloud.services.admin_api
    (service,) = api.api_get(
        f"/os-services?binary=nova-compute&host={server.host}"
    ).body["services"]
    where = f"/os-services/{service['id']}"
    api.api_put(where, {"forced_down": True})
    api.delete_server(server.id)
    cloud.services.finish()
    api.api_put(where, {"forced_down": False})
    with pytest.raises(client.OpenStackApiNotFoundException):
        api.get_server(server.id)


def domains(cloud, name):
    """The UUIDs of guests that run on a compute."""
    connection = cloud.services.computes[name].driver._host.get_connection()
    return {each.UUIDString() for each in connection.listAllDomains(1)}


def clean_up(cloud, name):
    """What nova-compute does every half an hour."""
    cloud.services.flags(running_deleted_instance_action="reap")
    cloud.services.computes[name].manager._cleanup_running_deleted_instances(
        context.get_admin_context()
    )


def pcpus(server):
    return set(server.pinning.values())


def check_held_until_it_is_gone(cloud, server, name):
    """After a local delete, in the record and for a new server."""
    orphaned = pcpus(server)
    delete_locally(cloud, server)
    cloud.audit()
    assert domains(cloud, name) == {server.id}
    assert moves.held(cloud, name) == orphaned
    assert moves.placement_usage(cloud, name) == 0
    beside = cloud.boot(cloud.flavor(2, **PINNED))
    assert (beside.status, pcpus(beside) & orphaned) == ("ACTIVE", set())
    refused = cloud.boot(cloud.flavor(1, **PINNED))
    assert refused.status == "ERROR"
    cloud.restart_compute(name, OUR_DRIVER)
    assert moves.held(cloud, name) == orphaned | pcpus(beside)
    clean_up(cloud, name)
    assert domains(cloud, name) == {beside.id}
    cloud.audit()
    assert moves.held(cloud, name) == pcpus(beside)
    again = cloud.boot(cloud.flavor(2, **PINNED))
    assert pcpus(again) == orphaned
    cloud.delete(again)
    cloud.delete(beside)
    moves.agrees(cloud, [])


def test_a_server_that_was_deleted_from_the_database(one):
    cloud, server = one
    check_held_until_it_is_gone(cloud, server, "here")
    assert f"guest {server.id} runs there, which Nova does not know" in (
        cloud.log
    )


def test_nova_s_own_filter_sees_it_too(stock_cloud):
    stock_cloud.add_compute("here", machine(), driver=OUR_DRIVER)
    server = stock_cloud.boot(stock_cloud.flavor(2, **PINNED))
    check_held_until_it_is_gone(stock_cloud, server, "here")


def test_without_the_option_its_pcpus_are_given_to_the_next(cloud):
    """Which is what the option is there for."""
    cloud.configure("pinning_filter", hold_orphaned_pcpus=False)
    cloud.add_compute("here", machine())
    server = cloud.boot(cloud.flavor(2, **PINNED))
    delete_locally(cloud, server)
    cloud.audit()
    assert moves.held(cloud, "here") == set()
    assert pcpus(cloud.boot(cloud.flavor(2, **PINNED))) == pcpus(server)


def start_by_hand(cloud, server, name):
    """A copy of a server's guest, of which Nova knows nothing there."""
    connection = cloud.services.computes[name].driver._host.get_connection()
    return connection.createXML(server.xml, 0)


def test_a_claim_looks_for_itself(cloud):
    """What was started since the last report is in no record yet."""
    for name in ("here", "there"):
        cloud.add_compute(name, machine())
    flavor = cloud.flavor(2, **PINNED)
    server = cloud.boot(flavor, host="here")
    domain = start_by_hand(cloud, server, "there")
    assert moves.held(cloud, "there") == set()
    beside = cloud.boot(flavor, host="there")
    assert pcpus(beside) == {0, 1, 2, 3} - pcpus(server)
    # The claim's own report has told the schedulers.
    assert moves.held(cloud, "there") == {0, 1, 2, 3}
    assert cloud.boot(flavor, host="there").status == "ERROR"
    domain.destroy()
    cloud.audit()
    assert moves.held(cloud, "there") == pcpus(beside)


def test_a_move_s_own_left_over_is_in_nobody_s_way(cloud):
    """A guest that a failed live migration left at its destination."""
    for name in ("here", "there"):
        cloud.add_compute(name, synthetic.host("cell:1(memory=8GiB) core:2"))
    server = cloud.boot(cloud.flavor(2, **PINNED), host="here")
    left = start_by_hand(cloud, server, "there")
    moved = moves.cold_migrate(cloud, server, "there")
    assert (moved.status, moved.host) == ("ACTIVE", "there")
    left.destroy()
    moves.agrees(cloud, [cloud.server(moved.id)], audited=True)


def test_the_xml_of_guests_that_nova_knows_is_not_read(one):
    """Their pCPUs are Nova's own account, whatever libvirt says of them."""
    cloud, server = one
    with mock.patch.object(
        orphans.running, "read", side_effect=AssertionError
    ):
        cloud.audit()
        beside = cloud.boot(cloud.flavor(1, **PINNED))
    moves.agrees(cloud, [server, beside])
    assert "cannot be counted" not in cloud.log
