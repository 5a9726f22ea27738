"""A boot or a move that finds no host: whoever asked is told why.

Nothing else changes beside Nova's own "There are not enough hosts available."
"""

import contextlib
import csv
import functools
import pathlib

import pytest
from nova.tests.functional.api import client

from pinning_filter.core.synthetic import host
from tests.functional.moves import placement_usage, soon

PINNED = {"hw__cpu_policy": "dedicated"}
NOVA_S = "No valid host was found. There are not enough hosts available."


DOC = pathlib.Path(__file__).parents[2] / "doc" / "source"
EVENT, FAULT = "the action's event", "the server's fault"


def documented(operation, where, what="the sentence"):
    """The page that users read says where it is told, and how."""
    with (DOC / "faults.csv").open() as file:
        rows = {row["operation"]: row for row in csv.DictReader(file)}
    row = rows[operation]
    assert (row["read in"], row["what it says"]) == (where, what)


@pytest.fixture(params=[True, False], ids=["told", "as Nova"])
def told(request):
    """Whether ``explain_in_fault`` is on."""
    return request.param


@pytest.fixture
def here(cloud, told):
    """A server of four, and a second compute that has three and three."""
    cloud.add_compute("here", host("cell:2(memory=8GiB) core:4"))
    cloud.add_compute("there", host("cell:2(memory=8GiB) core:3"))
    cloud.configure("pinning_filter", explain_in_fault=told)
    server = cloud.boot(cloud.flavor(4, **PINNED), host="here")
    assert server.status == "ACTIVE"
    return server


def act(cloud, server, action, arguments=None):
    """Ask for a move; casts are calls here, and their errors the API's."""
    with contextlib.suppress(client.OpenStackApiException):
        cloud.services.admin_api.post_server_action(
            server.id, {action: arguments}
        )
    cloud.services.finish()


def shown(cloud, server):
    return cloud.services.admin_api.get_server(server.id)


def details(cloud, server, action):
    """What went wrong in an action, as whoever asked for it is shown."""
    api = cloud.services.admin_api
    (found,) = (
        each
        for each in api.get_instance_actions(server.id)
        if each["action"] == action
    )
    path = f"/servers/{server.id}/os-instance-actions/{found['request_id']}"
    events = api.api_get(path).body["instanceAction"]["events"]
    return [each["details"] for each in events if each["details"]]


def unharmed(cloud, server):
    """The server is where it was, and nothing is held but what it holds."""
    now = cloud.server(server.id)
    assert (now.status, now.host) == ("ACTIVE", "here")
    assert now.pinning == server.pinning
    assert shown(cloud, server)["OS-EXT-STS:task_state"] is None
    for name, pcpus in (("here", 4), ("there", 0)):
        usage = functools.partial(placement_usage, cloud, name)
        soon(cloud, usage, pcpus, False)


def sentence(vcpus, best):
    return (
        f"No valid host was found. No host can take {vcpus} pinned vCPUs in "
        f"one NUMA cell: {vcpus} dedicated pCPUs are needed in one NUMA cell, "
        f"{best} even when empty."
    )


def test_a_boot(cloud, here, told):
    documented("boot, of one server or several", FAULT)
    for number in (1, 2):
        servers = cloud.boot_many(number, cloud.flavor(5, **PINNED))
        assert [server.fault for server in servers] == number * [
            sentence(5, "1 host has 3") if told else NOVA_S
        ]
    unharmed(cloud, here)


def test_a_resize(cloud, here, told):
    documented("resize", EVENT, "No valid host found for resize")
    act(cloud, here, "resize", {"flavorRef": cloud.flavor(5, **PINNED)})
    unharmed(cloud, here)
    # The conductor has its own words; the scheduler's log has ours.
    assert set(details(cloud, here, "resize")) == {
        "No valid host was found. No valid host found for resize"
    }


def test_a_cold_migration(cloud, here, told):
    documented("cold migration", EVENT, "No valid host found for cold migrate")
    act(cloud, here, "migrate")
    unharmed(cloud, here)
    assert set(details(cloud, here, "migrate")) == {
        "No valid host was found. No valid host found for cold migrate"
    }


def test_a_live_migration(cloud, here, told):
    documented("live migration", EVENT)
    act(
        cloud,
        here,
        "os-migrateLive",
        {"host": None, "block_migration": "auto"},
    )
    unharmed(cloud, here)
    assert details(cloud, here, "live-migration") == [
        sentence(4, "1 host has 3") if told else NOVA_S
    ]


def test_an_unshelve(cloud, here, told):
    documented("unshelve", EVENT)
    act(cloud, here, "shelve")
    assert shown(cloud, here)["status"] == "SHELVED_OFFLOADED"
    blocker = cloud.flavor(2, **PINNED, hw__numa_nodes="2")
    assert cloud.boot(blocker, host="here").status == "ACTIVE"
    act(cloud, here, "unshelve")
    now = shown(cloud, here)
    assert (now["status"], now["OS-EXT-STS:task_state"]) == (
        "SHELVED_OFFLOADED",
        None,
    )
    assert placement_usage(cloud, "here") == 2
    (why,) = details(cloud, here, "unshelve")
    assert ("1 of 2 hosts has 3 even when empty" in why) is told
    assert ("not enough hosts" in why) is not told


def test_an_evacuation(cloud, here, told):
    documented("evacuation", FAULT)
    cloud.services.computes["here"].stop()
    api = cloud.services.admin_api
    (service,) = api.get_services(host="here", binary="nova-compute")
    api.put_service(service["id"], {"forced_down": True})
    act(cloud, here, "evacuate", {})
    now = shown(cloud, here)
    assert now["status"] == "ERROR"
    assert now["fault"]["message"] == (
        sentence(4, "1 host has 3") if told else NOVA_S
    )
    assert placement_usage(cloud, "here") == 4
    assert placement_usage(cloud, "there") == 0
