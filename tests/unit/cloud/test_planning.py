"""A snapshot as a cloud that moves are planned in, through a dump."""

import json

import pytest

from pinning_filter.cloud import anonymous, dumpfile, planning
from pinning_filter.cloud.snapshot import Flavor, Provider, Snapshot
from pinning_filter.core.errors import InputError
from pinning_filter.core.strategy import SPREAD
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, GroupPolicy, Server
from tests.unit.cli import clouds

FLAVORS = (
    Flavor("pinned.2", 2, 2048, 10, clouds.DEDICATED),
    Flavor("floats", 3, 512, 10),
)
DEVICE = json.dumps(
    {"count": 1, "spec": [{"vendor_id": "1"}], "alias_name": "nic",
     "numa_policy": None},
    sort_keys=True,
)


def snapshot(allocations=None):
    floating = (
        Server("f", name="web", flavor="floats", zone="", paused=True),
        Server("u", flavor="gone", stays="it is resized", devices=(DEVICE,)),
    )
    provider = Provider({"VCPU": Inventory(8)}, frozenset(), allocations)
    return Snapshot(
        (
            clouds.node(
                "a",
                "cell:1(memory=16GiB) core:4",
                clouds.guest(2),
                floating=floating,
                provider=provider,
            ),
        ),
        FLAVORS,
        groups=(
            Group("g", GroupPolicy.ANTI_AFFINITY, frozenset({"a-0", "f"}), 2),
        ),
    )


def planned(found):
    (host,) = planning.cloud(found, SPREAD).hosts
    return {each.id: each for each in host.servers}


def test_what_a_server_holds_is_what_the_placement_api_says():
    held = {"VCPU": 2, "MEMORY_MB": 512, "DISK_GB": 1}
    assert planned(snapshot({"f": held}))["f"].amounts == held


def test_or_what_its_flavor_asks_for_without_its_disk():
    servers = planned(snapshot())
    assert servers["f"].amounts == {"VCPU": 3, "MEMORY_MB": 512}
    assert servers["a-0"].amounts == {"PCPU": 2, "MEMORY_MB": 2048}
    assert servers["u"].amounts == {}


def test_members_know_their_group():
    servers = planned(snapshot())
    assert servers["f"].group == servers["a-0"].group
    assert servers["f"].group.most == 2
    assert servers["u"].group is None


def test_a_dump_keeps_what_planning_takes():
    before = snapshot()
    after = dumpfile.read(json.loads(json.dumps(dumpfile.write(before))))
    assert after.groups == before.groups
    for was, now in zip(
        planned(before).values(), planned(after).values(), strict=True
    ):
        for field in ("stays", "paused", "zone", "devices", "amounts"):
            assert getattr(now, field) == getattr(was, field)
        assert now.group == was.group


def test_a_dump_without_names_is_planned_with_alike():
    after = anonymous.anonymous(snapshot())
    (group,) = after.groups
    servers = planned(after)
    members = [each.id for each in servers.values() if each.group == group]
    assert len(members) == 2
    text = json.dumps(dumpfile.write(after))
    for name in ("web", "nic", "floats"):
        assert name not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [("count", 0), ("numa_policy", "near"), ("spec", "8086"), ("rp", "x")],
)
def test_a_device_that_cannot_be_is_told(key, value):
    data = json.loads(json.dumps(dumpfile.write(snapshot())))
    (_, server) = data["hosts"][0]["floating"]
    server["devices"][0][key] = value
    with pytest.raises(InputError, match=r"hosts\[0\].floating\[1\].devices"):
        dumpfile.read(data)
