"""``pinning-filter drain`` on a running Nova, and its plan carried out."""

import uuid

import pytest
from nova import context, objects

from pinning_filter.core import synthetic
from pinning_filter.core.host import Host
from tests.functional import moves

PINNED = {"hw__cpu_policy": "dedicated"}
LINE = "cell:1(memory=8GiB) core:4"


@pytest.fixture
def three(cloud):
    for name in "abc":
        cloud.add_compute(name, synthetic.host(LINE))
    return cloud


def stop(cloud, server):
    cloud.services.admin_api.post_server_action(server.id, {"os-stop": None})
    cloud.services._wait_for_state_change({"id": server.id}, "SHUTOFF")


def cold_migrate_stopped(cloud, server, host):
    api, moved = cloud.services.admin_api, {"id": server.id}
    with moves.mock.patch(moves._RESIZE, return_value="{}"):
        api.post_server_action(server.id, {"migrate": {"host": host}})
        cloud.services._wait_for_state_change(moved, "VERIFY_RESIZE")
        api.post_server_action(server.id, {"confirmResize": None})
        cloud.services._wait_for_state_change(moved, "SHUTOFF")


def group(policy, *servers):
    objects.InstanceGroup(
        context.get_admin_context(),
        uuid=str(uuid.uuid4()),
        name="group",
        user_id="me",
        project_id="mine",
        policy=policy,
        members=[each.id for each in servers],
    ).create()


def short(answer):
    return [
        (row["server"], row["target"], row["how"], row["waits_for"])
        for row in answer
    ]


def test_the_plan_is_what_then_happens(three, rows, run, tmp_path):
    cloud = three
    big = cloud.boot(cloud.flavor(3, **PINNED), host="a")
    off = cloud.boot(cloud.flavor(1, **PINNED), host="a")
    two = cloud.flavor(2, **PINNED)
    there = cloud.boot(two, host="b")
    cloud.boot(two, host="c")
    stop(cloud, off)

    status, answer = rows("drain", "a", "--plan")
    assert status == 0
    assert short(answer) == [
        (there.id, "c", "live", []),
        (big.id, "b", "live", [1]),
        (off.id, "b", "cold", [1]),
    ]
    assert answer[2]["why"] == "it is stopped"
    file = tmp_path / "cloud.json"
    assert run("dump", "--file", file)[0] == 0
    assert rows("drain", "a", "--plan", "--host", file) == (0, answer)

    moves.live_migrate(cloud, there, "c")
    moves.live_migrate(cloud, big, "b")
    cold_migrate_stopped(cloud, off, "b")
    assert [cloud.server(each.id).host for each in (there, big, off)] == [
        "c", "b", "b",
    ]
    status, answer = rows("drain", "a", "--plan")
    assert (status, answer) == (0, [])


def test_server_groups_and_nova_s_own_filters_decide(three, rows, run):
    cloud = three
    one = cloud.flavor(1, **PINNED)
    first = cloud.boot(one, host="a")
    beside = cloud.boot(one, host="b")
    # The fullest host is taken, unless another of the group is there.
    assert short(rows("drain", "a", "--plan")[1])[0][1] == "b"
    group("anti-affinity", first, beside)
    assert short(rows("drain", "a", "--plan")[1])[0][1] == "c"

    filters = ["ComputeFilter", "IsolatedHostsFilter", "PinningFilter"]
    cloud.configure(
        "filter_scheduler", isolated_hosts=["c"], enabled_filters=filters
    )
    status, (row,) = rows("drain", "a", "--plan")
    assert status == 3
    assert (row["how"], row["server"]) == ("stuck", first.id)
    status, out, _ = run("drain", "a", "--plan")
    assert "were it not for its server group of policy anti-affinity" in out


def half_shared():
    """pCPUs 0-1 for floating servers, 2-3 for pinned ones."""
    (cell,) = synthetic.host(LINE).cells
    shared, dedicated = frozenset({0, 1}), frozenset({2, 3})
    cell = cell._replace(shared=shared, dedicated=dedicated, free=dedicated)
    return Host((cell,))


def test_a_floating_server_goes_where_the_placement_api_has_room(cloud, rows):
    for name in "abc":
        cloud.add_compute(name, half_shared())
    # 2 pCPUs, 4 times overcommitted by default, are full with four of 2.
    two = cloud.flavor(2)
    server = cloud.boot(two, host="a")
    for _ in range(4):
        cloud.boot(two, host="b")
    assert short(rows("drain", "a", "--plan")[1]) == [
        (server.id, "c", "live", []),
    ]
    for _ in range(4):
        cloud.boot(two, host="c")
    status, (row,) = rows("drain", "a", "--plan")
    assert status == 3
    assert row["why"] == (
        "No host can take a server without a NUMA topology: 2 VCPU are needed "
        "on one host, the best of 2 hosts has 0 free."
    )
