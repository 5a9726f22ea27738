"""``pinning-filter survive``, on clouds from files."""

import json

import pytest

from pinning_filter.cloud.snapshot import (
    Aggregate,
    Flavor,
    Provider,
    Snapshot,
)
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, GroupPolicy, Server
from tests.unit.cli import clouds

FOUR = "cell:1(memory=16GiB) core:4"
FAST = {"aggregate_instance_extra_specs:disk": "fast", **clouds.DEDICATED}


def cloud(*sizes, **fields):
    """A host for each list of guests, named a, b, c ..."""
    return Snapshot(
        tuple(
            clouds.node(name, FOUR, *map(clouds.guest, guests), **fields)
            for name, guests in zip("abcdef", sizes, strict=False)
        ),
        (Flavor("pinned.2", 2, 1024, 1, clouds.DEDICATED),),
    )


@pytest.fixture
def ask(pinning_filter, tmp_path):
    def ask(snapshot, *args):
        path = clouds.write(snapshot, tmp_path / "cloud.json")
        return pinning_filter("survive", "--host", path, *args)

    return ask


def test_all_hosts_may_fail(ask):
    answer = ask(cloud([3, 1], [2], []))
    assert (answer.status, answer.err) == (0, "")
    assert answer.out == (
        "0 of 2 hosts with servers may not fail. The fullest host can "
        "fail, and none after it.\n"
    )


def test_hosts_that_may_not_fail_are_told_and_no_others(ask):
    answer = ask(cloud([3, 1], [2], [2]))
    assert answer.status == 3
    first, _, _, _, *rows = answer.out.splitlines()
    assert first == "1 of 3 hosts with servers may not fail."
    assert [row[:59] for row in rows[:-1]] == [
        "| a     |       2 |     4 | False    | server 0 of a | No h"
    ]
    rows = ask(cloud([3, 1], [2], [2]), "--all").out.splitlines()[4:-1]
    assert len(rows) == 3


def test_programs_read_every_host(ask):
    answer = ask(cloud([3, 1], [2], [2]), "-f", "json")
    rows = json.loads(answer.out)
    assert [row["hosts"] for row in rows] == [["a"], ["b"], ["c"]]
    assert rows[0] == {
        "hosts": ["a"],
        "servers": 2,
        "pcpus": 4,
        "survives": False,
        "stuck": ["server 0 of a"],
        "stuck_pcpus": 3,
        "missing": (
            "No host can take 3 pinned vCPUs in one NUMA cell: 3 free pCPUs "
            "are needed in one NUMA cell, the best of 2 hosts has 2."
        ),
    }


def test_several_at_once(ask):
    answer = ask(cloud([2], [1], [1], []), "--count", "2", "-f", "json")
    assert [row["hosts"] for row in json.loads(answer.out)] == [
        ["a", "b"], ["b", "a"], ["c", "a"],
    ]


def test_all_hosts_of_an_aggregate(ask):
    rack = (Aggregate("rack", {}),)
    snapshot = Snapshot(
        (
            clouds.node("a", FOUR, clouds.guest(2), aggregates=rack),
            clouds.node("b", FOUR, clouds.guest(2), aggregates=rack),
            clouds.node("c", FOUR),
        )
    )
    answer = ask(snapshot, "--aggregate", "rack")
    assert answer.status == 0
    assert answer.out.startswith(
        "The servers of these hosts would all find a place elsewhere.\n"
    )
    answer = ask(snapshot, "--aggregate", "wrack")
    assert (answer.status, answer.err) == (
        2,
        "pinning-filter: --aggregate: no host is in an aggregate wrack; "
        "aggregates: rack\n",
    )
    assert ask(snapshot, "--aggregate", "rack", "--count", 2).status == 2


@pytest.mark.parametrize(
    ("there", "status"),
    [
        pytest.param({"zone": "east"}, 3, id="another zone"),
        pytest.param({"zone": "west"}, 3, id="no aggregate that it wants"),
        pytest.param(
            {
                "zone": "west",
                "aggregates": (Aggregate("x", {"disk": "fast"}),),
            },
            0,
            id="where it may go",
        ),
    ],
)
def test_a_server_stays_where_it_may_be(ask, there, status):
    snapshot = Snapshot(
        (
            clouds.node("a", FOUR, clouds.guest(2), zone="west"),
            clouds.node("b", FOUR, **there),
        ),
        (Flavor("pinned.2", 2, 1024, 1, FAST),),
    )
    assert ask(snapshot).status == status


def test_nobody_is_there(ask):
    answer = ask(cloud([], []))
    assert answer.out == "No host has servers.\n"


@pytest.mark.parametrize(
    ("sizes", "number"),
    [
        pytest.param(([2], [2], [2], [2]), "2", id="two of four half full"),
        pytest.param(([3], [3], [3]), "0", id="none"),
    ],
)
def test_how_many_hosts_can_be_lost_is_a_number_for_metrics(
    ask, sizes, number
):
    answer = ask(cloud(*sizes), "--number")
    assert (answer.status, answer.out) == (0, f"{number}\n")


def test_the_number_is_not_of_an_aggregate(ask):
    assert ask(cloud([1]), "--number", "--aggregate", "rack").status == 2


@pytest.mark.parametrize(
    ("vcpus", "group", "status"),
    [
        pytest.param(2, False, 0, id="there is room for it"),
        pytest.param(1, False, 3, id="the Placement API has too little"),
        pytest.param(2, True, 3, id="another of its group is there"),
    ],
)
def test_servers_that_float_have_to_find_a_place_too(
    ask, vcpus, group, status
):
    names = frozenset({"x", "y"})
    apart = (Group("g", GroupPolicy.ANTI_AFFINITY, names),)

    def node(name, *servers, used=0):
        inventories = {
            "VCPU": Inventory(vcpus, used=used),
            "MEMORY_MB": Inventory(16384),
        }
        return clouds.node(
            name,
            FOUR,
            floating=tuple(Server(each, flavor="plain") for each in servers),
            provider=Provider(inventories, frozenset()),
        )

    snapshot = Snapshot(
        (node("a", "x", used=1), node("b", "y", used=1)),
        (Flavor("plain", 1, 1024),),
        groups=apart if group else (),
    )
    assert ask(snapshot).status == status
