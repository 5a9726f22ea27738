"""What the filter computes is what the claim keeps and what libvirt holds.

Clouds, guests and deletions are drawn at random, from seeds.
"""

from __future__ import annotations

import random
from unittest import mock

import pytest
from lxml import etree

from pinning_filter.core import cpuset, synthetic
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.scheduler.filter import PinningFilter
from tests.functional import worlds

_SERVERS = 9


@pytest.fixture
def predicted():
    """(server, host) -> the placement that the filter found there."""
    found = {}
    nova_s = PinningFilter._verdict

    def remembering(self, host_state, question):
        answer = nova_s(self, host_state, question)
        # Later Nova looks for alternates, on hosts already counted on.
        found.setdefault((question.instance_uuid, host_state.host), answer)
        return answer

    with mock.patch.object(PinningFilter, "_verdict", remembering):
        yield found


def of_placement(placement):
    """A placement, in plain values: one row for each guest cell."""
    return [
        (
            cell.host_cell.id,
            dict(cell.pinning),
            set(cell.reserved),
            cell.page_size_kib,
        )
        for cell in placement.cells
    ]


def of_claim(topology):
    """The same of what Nova keeps."""
    return [
        (
            cell.id,
            dict(cell.cpu_pinning or {}),
            set(cell.cpuset_reserved or ()),
            cell.pagesize or None,
        )
        for cell in topology.cells
    ]


def of_xml(text):
    """vCPU -> pCPUs and guest cell -> host cell, by libvirt's document."""
    domain = etree.fromstring(text)
    pins = {
        int(pin.get("vcpu")): set(cpuset.parse(pin.get("cpuset")))
        for pin in domain.iterfind("cputune/vcpupin")
    }
    cells = {
        int(node.get("cellid")): int(node.get("nodeset"))
        for node in domain.iterfind("numatune/memnode")
    }
    return pins, cells


def check(cloud, server, predicted):
    placement = predicted[server.id, server.host]
    assert isinstance(placement, Placement)
    rows = of_claim(server.instance.numa_topology)
    assert of_placement(placement) == rows
    pins, cells = of_xml(server.xml)
    assert cells == {i: cell for i, (cell, *_) in enumerate(rows)}
    shared = {
        cell.id: set(cell.cpuset)
        for cell in cloud.host_topologies()[server.host].cells
    }
    for placed, (cell, pinning, *_) in zip(placement.cells, rows, strict=True):
        for vcpu in placed.guest_cell.vcpus:
            pcpu = pinning.get(vcpu)
            assert pins.pop(vcpu) == (
                shared[cell] if pcpu is None else {pcpu}
            )
    assert pins == {}


def walk(cloud, dice, predicted, hosts):
    """Boot servers, delete some; what boots is checked, and counted."""
    for number, host in enumerate(hosts):
        cloud.add_compute(f"host{number}", host)
    booted = []
    count = 0
    for _ in range(_SERVERS):
        server = cloud.boot(cloud.flavor(**worlds.flavor(dice)))
        if server.status == "ACTIVE":
            check(cloud, server, predicted)
            booted.append(server)
            count += 1
        if booted and dice.random() < 0.3:
            cloud.delete(booted.pop(dice.randrange(len(booted))))
    return count


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_prediction_equals_fact(cloud, predicted, seed):
    dice = random.Random(seed)
    hosts = [worlds.host(dice) for _ in range(3)]
    # The seeds are such that many find a place.
    assert walk(cloud, dice, predicted, hosts) > 2


def test_it_does_where_caches_are_aligned(cloud, predicted):
    cloud.configure("pinning_filter", align_last_level_cache=True)
    dice = random.Random(4)
    hosts = [synthetic.host("cell:2 l3:3 core:3 pu:2") for _ in range(2)]
    assert walk(cloud, dice, predicted, hosts) > 2


def test_caches_are_aligned_and_the_scheduler_knows(cloud, predicted):
    cloud.configure("pinning_filter", align_last_level_cache=True)
    cloud.add_compute("one", synthetic.host("cell:1 l3:2 core:4 pu:2"))
    flavor = cloud.flavor(2, hw__cpu_policy="dedicated")
    first, second = cloud.boot(flavor), cloud.boot(flavor)
    check(cloud, second, predicted)
    assert set(first.pinning.values()) < set(range(8))
    assert set(second.pinning.values()) < set(range(8, 16))


def _four_sockets_in_pairs():
    """Of eight cells, of which those of a pair are near each other."""
    made = synthetic.host("cell:8 core:2 pu:2")
    return Host(
        [
            cell._replace(
                socket=cell.id // 2,
                distances={
                    other.id: 10
                    if other is cell
                    else 11 + 10 * (cell.id // 2 != other.id // 2)
                    for other in made.cells
                },
            )
            for cell in made.cells
        ]
    )


def test_it_does_where_near_cells_are_preferred(cloud, predicted):
    cloud.configure("pinning_filter", nearest_numa_cells=True)
    dice = random.Random(6)
    hosts = [_four_sockets_in_pairs() for _ in range(2)]
    assert walk(cloud, dice, predicted, hosts) > 2


def test_near_cells_are_preferred_and_the_scheduler_knows(cloud, predicted):
    cloud.configure("pinning_filter", nearest_numa_cells=True)
    cloud.add_compute("one", _four_sockets_in_pairs())
    one = cloud.flavor(1, hw__cpu_policy="dedicated")
    two = cloud.flavor(2, hw__cpu_policy="dedicated", hw__numa_nodes="2")
    first, second = cloud.boot(one), cloud.boot(two)
    check(cloud, second, predicted)
    # Nova would take the cells 1 and 2, the emptiest.
    assert first.pinning == {0: 0}
    assert {pcpu // 4 for pcpu in second.pinning.values()} == {1, 0}


@pytest.mark.parametrize("near", [False, True], ids=["plain", "near"])
def test_it_does_where_vcpus_are_spread(cloud, predicted, near):
    cloud.configure(
        "pinning_filter", core_choice="spread", nearest_numa_cells=near
    )
    dice = random.Random(7)
    hosts = [worlds.host(dice) for _ in range(2)]
    assert walk(cloud, dice, predicted, hosts) > 2


def test_vcpus_are_spread_over_cores(cloud, predicted):
    cloud.configure("pinning_filter", core_choice="spread")
    cloud.add_compute("one", synthetic.host("cell:1 core:4 pu:2"))
    flavor = cloud.flavor(2, hw__cpu_policy="dedicated")
    servers = [cloud.boot(flavor) for _ in range(3)]
    for server in servers:
        check(cloud, server, predicted)
    cores = [
        {pcpu // 2 for pcpu in server.pinning.values()} for server in servers
    ]
    assert [len(each) for each in cores] == [2, 2, 2]
    assert cores[0].isdisjoint(cores[1])


@pytest.mark.parametrize("align", [False, True], ids=["plain", "aligned"])
def test_servers_of_one_request(cloud, predicted, align):
    """They race to the host, so which gets which place is open."""
    cloud.configure("pinning_filter", align_last_level_cache=align)
    cloud.add_compute("one", synthetic.host("cell:4 l3:2 core:2"))
    flavor = cloud.flavor(
        3,
        hw__cpu_policy="dedicated",
        hw__numa_nodes="2",
        **{"hw__numa_cpus.0": "0", "hw__numa_cpus.1": "1-2"},
        **{"hw__numa_mem.0": "512", "hw__numa_mem.1": "512"},
    )
    servers = cloud.boot_many(3, flavor)
    claims = [of_claim(server.instance.numa_topology) for server in servers]
    foreseen = [of_placement(predicted[each.id, "one"]) for each in servers]
    assert sorted(claims, key=str) == sorted(foreseen, key=str)
    pcpus = [pcpu for each in servers for pcpu in each.pinning.values()]
    assert len(set(pcpus)) == 9
