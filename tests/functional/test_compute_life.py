"""A server's life on our compute nodes, on Nova's, and between them."""

import threading
import types
from unittest import mock

import pytest
from lxml import etree
from nova.compute import claims
from nova.scheduler import host_manager
from nova.scheduler.filters import numa_topology_filter
from nova.virt import hardware

from pinning_filter.compute.driver import PinningLibvirtDriver
from pinning_filter.core import synthetic
from pinning_filter.demo.services import OUR_DRIVER, STOCK_DRIVER
from pinning_filter.nova import fit as nova_fit
from tests.functional import moves

TWO_CELLS = {
    "hw__cpu_policy": "dedicated",
    "hw__numa_nodes": "2",
}
ONE_CELL = {"hw__cpu_policy": "dedicated"}
OTHER = {OUR_DRIVER: STOCK_DRIVER, STOCK_DRIVER: OUR_DRIVER}
BOTH = pytest.mark.parametrize(
    "driver", [OUR_DRIVER, STOCK_DRIVER], ids=["from ours", "from Nova"]
)


def machine():
    return synthetic.host("cell:2(memory=16GiB) core:4 pu:2")


def cpu_topology(xml):
    found = etree.fromstring(xml).find("cpu/topology")
    return tuple(int(found.get(n)) for n in ("sockets", "cores", "threads"))


def test_a_server_is_pinned_as_claimed_through_its_life(cloud):
    for name in ("here", "there"):
        cloud.add_compute(name, machine())
    # Something in the way, so that pCPUs differ on the two hosts.
    blocker = cloud.boot(cloud.flavor(4, **ONE_CELL), host="there")
    server = cloud.boot(cloud.flavor(4, **TWO_CELLS), host="here")
    moves.agrees(cloud, [blocker, server])
    before = server.pinning

    server = moves.hard_reboot(cloud, server)
    assert server.pinning == before
    moves.agrees(cloud, [blocker, server])

    server, xml = moves.live_migrate(cloud, server, "there")
    assert server.host == "there"
    assert server.pinning != before
    assert moves.of_xml(xml)[0] == {
        vcpu: {pcpu} for vcpu, pcpu in server.pinning.items()
    }
    moves.agrees(cloud, [blocker, server])

    server = moves.cold_migrate(cloud, server, "here")
    assert server.host == "here"
    moves.agrees(cloud, [blocker, server])

    server = moves.resize(cloud, server, cloud.flavor(6, **TWO_CELLS))
    assert len(server.pinning) == 6
    moves.agrees(cloud, [blocker, server])
    cloud.delete(server)
    moves.agrees(cloud, [blocker], audited=True)


@BOTH
def test_a_server_outlives_its_driver(cloud, driver):
    """Booted by one driver, kept by the other: both ways."""
    for name in ("here", "there"):
        cloud.add_compute(name, machine(), driver=driver)
    server = cloud.boot(cloud.flavor(4, **TWO_CELLS), host="here")
    before = server.pinning
    for name in ("here", "there"):
        cloud.restart_compute(name, OTHER[driver])
    shown = cloud.server(server.id)
    assert (shown.status, shown.pinning) == ("ACTIVE", before)
    moves.agrees(cloud, [shown])

    server = moves.hard_reboot(cloud, server)
    assert server.pinning == before
    ours = OTHER[driver] == OUR_DRIVER
    # 2 cores with 2 threads, one in each cell; or every vCPU a socket.
    assert cpu_topology(server.xml) == ((2, 1, 2) if ours else (4, 1, 1))
    moves.agrees(cloud, [server])

    server = moves.cold_migrate(cloud, server, "there")
    moves.agrees(cloud, [server])
    server, _ = moves.live_migrate(cloud, server, "here")
    moves.agrees(cloud, [server])
    cloud.delete(server)
    moves.agrees(cloud, [], audited=True)


@BOTH
def test_servers_move_between_both_kinds_of_host(cloud, driver):
    """An upgrade half done: one host with our driver, one without."""
    cloud.add_compute("here", machine(), driver=driver)
    cloud.add_compute("there", machine(), driver=OTHER[driver])
    server = cloud.boot(cloud.flavor(4, **TWO_CELLS), host="here")
    server, xml = moves.live_migrate(cloud, server, "there")
    assert server.host == "there"
    assert moves.of_xml(xml)[0] == {
        vcpu: {pcpu} for vcpu, pcpu in server.pinning.items()
    }
    moves.agrees(cloud, [server])
    server = moves.cold_migrate(cloud, server, "here")
    moves.agrees(cloud, [server])


def unequal(cloud):
    """One vCPU on the first guest cell, two on the second."""
    return cloud.flavor(
        3,
        **TWO_CELLS,
        **{"hw__numa_cpus.0": "0", "hw__numa_cpus.1": "1-2"},
        **{"hw__numa_mem.0": "512", "hw__numa_mem.1": "512"},
    )


def test_no_bad_placement_in_a_mixed_cloud(cloud):
    """Nova refuses what fits; so only the host of ours takes it."""
    shape = "cell:3(memory=16GiB) core:2"
    full = cloud.flavor(2, **ONE_CELL)
    half = cloud.flavor(1, **ONE_CELL)
    cloud.add_compute("stock", synthetic.host(shape), driver=STOCK_DRIVER)
    blockers = [cloud.boot(flavor) for flavor in (full, half)]
    refused = cloud.boot(unequal(cloud))
    assert refused.status == "ERROR"
    assert "plain Nova" in refused.fault
    moves.agrees(cloud, blockers)
    cloud.add_compute("ours", synthetic.host(shape))
    blockers += [cloud.boot(f, host="ours") for f in (full, half)]
    server = cloud.boot(unequal(cloud))
    assert (server.status, server.host) == ("ACTIVE", "ours")
    moves.agrees(cloud, [*blockers, server])


@pytest.fixture
def nova_s_scheduler():
    """Nova's filter and fit in the scheduler, whatever the computes run.

    They share this process, and with it the fit that our driver installs.
    """
    stock = types.SimpleNamespace(**vars(hardware))
    stock.numa_fit_instance_to_host = nova_fit.stock_fit
    with (
        mock.patch.object(numa_topology_filter, "hardware", stock),
        mock.patch.object(host_manager, "hardware", stock),
    ):
        yield


def test_our_claims_hold_after_the_scheduler_is_nova_s(
    stock_cloud, nova_s_scheduler
):
    """Leaving half done: what Nova's filter passes wrongly goes elsewhere."""
    cloud = stock_cloud
    guest = cloud.flavor(
        4,
        hw__cpu_policy="dedicated",
        hw__numa_nodes="3",
        **{"hw__numa_cpus.0": "0", "hw__numa_cpus.1": "1"},
        **{"hw__numa_cpus.2": "2-3", "hw__numa_mem.2": "512"},
        **{"hw__numa_mem.0": "256", "hw__numa_mem.1": "256"},
    )
    four = synthetic.host("cell:4(memory=64GiB) core:1")
    cloud.add_compute("four", four, driver=OUR_DRIVER)
    refused = cloud.boot(guest)
    assert refused.status == "ERROR"
    assert "Exhausted all hosts available for retrying" in refused.fault
    assert moves.held(cloud, "four") == set()
    six = synthetic.host("cell:3(memory=16GiB) core:2")
    cloud.add_compute("six", six, driver=OUR_DRIVER)
    server = cloud.boot(guest)
    assert (server.status, server.host) == ("ACTIVE", "six")
    moves.agrees(cloud, [server])


def test_stats_tell_which_hosts_are_ours(cloud):
    cloud.add_compute("ours", machine())
    cloud.add_compute("stock", machine(), driver=STOCK_DRIVER)
    stats = {
        name: compute.manager.rt.compute_nodes[name].stats
        for name, compute in cloud.services.computes.items()
    }
    assert "pinning_filter" in stats["ours"]
    assert "pinning_filter" not in stats["stock"]
    cloud.restart_compute("ours", STOCK_DRIVER)
    again = cloud.services.computes["ours"].manager.rt.compute_nodes["ours"]
    assert "pinning_filter" not in again.stats


@pytest.fixture
def killed():
    """Whoever builds a server goes no further, and tidies nothing up."""
    reached = threading.Event()

    def spawn(*args, **kwargs):
        reached.set()
        raise SystemExit

    with (
        mock.patch.object(PinningLibvirtDriver, "spawn", spawn),
        mock.patch.object(claims.Claim, "abort", lambda self: None),
    ):
        yield reached


def test_a_restart_in_the_middle_of_a_build_leaks_nothing(cloud, killed):
    cloud.add_compute("one", machine())
    posted = cloud.services._create_server(
        flavor_id=cloud.flavor(4, **TWO_CELLS),
        image_uuid=cloud.image(),
        networks="none",
        expected_state="BUILD",
    )
    assert killed.wait(60)
    assert len(moves.held(cloud, "one")) == 4
    cloud.restart_compute("one")
    lost = cloud.services._wait_for_server_parameter(
        posted, {"OS-EXT-STS:vm_state": "error"}
    )
    assert len(moves.held(cloud, "one")) == 4
    cloud.services._delete_server(lost)
    moves.agrees(cloud, [], audited=True)
