"""What is counted, and how much it is."""

import dataclasses

import pytest

from pinning_filter.cloud import closed
from pinning_filter.cloud.snapshot import Node, Provider
from pinning_filter.core import synthetic, usage
from pinning_filter.core.fit import fit
from pinning_filter.core.host import Pages
from pinning_filter.fleet.capacity import Room
from pinning_filter.fleet.hosts import Guest
from pinning_filter.metrics.figures import Losses
from tests.unit.cli.clouds import guest, node
from tests.unit.metrics.clouds import counted, host

GIB = 1 << 30


def pcpus(found, cell=0):
    """State -> pCPUs, those that there are."""
    return {
        state: number
        for (each, state), number in found.pcpus.items()
        if each == cell and number
    }


SMT = "cell:1 core:4 pu:2"


def isolating():
    """A guest that isolates, on a host with SMT that vcpu_pin_set allows."""
    plain = synthetic.host(SMT)
    cell = plain.cells[0]
    old = plain._replace(cells=(cell._replace(shared=cell.dedicated),))
    asked = guest(2, "isolate")
    placed = fit(old, asked)
    return Node("a", usage.add(old, placed), (Guest("1", asked, placed),))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(node("a", SMT), {"free": 8}, id="an empty host"),
        pytest.param(
            node("a", SMT, guest(3)), {"pinned": 3, "free": 5},
            id="a pinned guest",
        ),
        pytest.param(
            isolating(),
            {"pinned": 2, "idle": 2, "free": 4},
            id="siblings of a guest that isolates are idle",
        ),
        pytest.param(
            dataclasses.replace(node("a", SMT, guest(3)), guests=()),
            {"unaccounted": 3, "free": 5},
            id="pinned, by the record, and no guest is known",
        ),
        pytest.param(
            Node("a", synthetic.host(SMT, used={0, 1})),
            {"unaccounted": 2, "free": 6},
            id="a host whose guests are not known",
        ),
    ],
)
def test_states_of_pcpus(made, expected):
    assert pcpus(host(made)) == expected


def test_what_a_move_holds_is_accounted_for():
    moving = node("a", SMT, guest(3))
    held = dataclasses.replace(moving, guests=(), held=moving.guests)
    assert pcpus(host(held)) == {"pinned": 3, "free": 5}


def test_pcpus_that_are_shared_and_pcpus_that_are_for_nobody():
    plain = synthetic.host(SMT)
    cell = plain.cells[0]._replace(
        dedicated=frozenset({0, 1}), free=frozenset({0, 1}),
        shared=frozenset({2, 3, 4}),
    )
    found = host(Node("a", plain._replace(cells=(cell,))))
    assert pcpus(found) == {"free": 2, "shared": 3, "offline": 3}


def test_every_cell_has_every_state():
    found = host(node("a", "cell:2 core:2", guest(2)))
    assert len(found.pcpus) == 12
    assert [pcpus(found, cell) for cell in (0, 1)] == [
        {"pinned": 2}, {"free": 2},
    ]


def test_memory_in_bytes():
    found = host(node("a", "cell:2(memory=4GiB) core:2", guest(2)))
    assert found.memory == {
        (0, "used"): GIB, (0, "free"): 3 * GIB,
        (1, "used"): 0, (1, "free"): 4 * GIB,
    }


def test_memory_that_is_overcommitted_is_not_less_than_none():
    plain = synthetic.host("cell:1(memory=4GiB) core:2")
    cell = plain.cells[0]._replace(memory_used_kib=6 << 20)
    found = host(Node("a", plain._replace(cells=(cell,))))
    assert found.memory == {(0, "used"): 6 * GIB, (0, "free"): 0}


def test_pages_in_bytes():
    plain = synthetic.host("cell:1(memory=4GiB) core:2")
    pages = (Pages(2048, 512, used=128, reserved=64),)
    cell = plain.cells[0]._replace(pages=pages)
    found = host(Node("a", plain._replace(cells=(cell,))))
    assert found.pages == {
        (0, 2048, "used"): 256 << 20,
        (0, 2048, "reserved"): 128 << 20,
        (0, 2048, "free"): 640 << 20,
    }


def test_room_and_what_is_stranded():
    found = host(node("a", "cell:2(memory=4GiB) core:3", guest(2)))
    assert found.rooms == {
        "pinned.2": Room(1, 2, 1), "pinned.4": Room(0, 0, 0),
    }
    assert {cell: pcpus for cell, (pcpus, _) in found.stranded.items()} == {
        0: 1, 1: 1,
    }


def test_stranded_is_what_flavors_in_use_cannot_have():
    made = node("a", "cell:1 core:3")
    found = host(made, used={"pinned.4": guest(4)})
    assert found.stranded[0][0] == 3
    assert found.rooms["pinned.2"].now == 1


@pytest.mark.parametrize(
    "made",
    [Node("a", None), Node("a", None, problem="bad")],
    ids=["no topology", "an unreadable one"],
)
def test_a_host_that_cannot_be_counted_has_no_room(made):
    found = host(made)
    assert found.closed in (closed.Kind.NO_TOPOLOGY, closed.Kind.UNREADABLE)
    assert not (found.pcpus or found.memory or found.pages or found.stranded)
    assert set(found.rooms.values()) == {Room(0, 0, 0)}


def test_losses():
    found = counted(
        node("a", "cell:1 core:4", guest(4)),
        node("b", "cell:1 core:4", guest(2)),
        node("c", "cell:1 core:2"),
    )
    assert found.losses == Losses(survived=1, not_survived=1, in_turn=0)


def test_losses_are_not_counted_for_ever():
    hosts = [node(f"h{n:02}", "cell:1 core:2") for n in range(30)]
    hosts[0] = node("h00", "cell:1 core:2", guest(1))
    assert counted(*hosts).losses.in_turn == 10


def test_cells_that_answered_and_those_that_did_not():
    found = counted(
        node("a", "cell:1 core:1"), unreachable={"cell2": "gone"}
    )
    assert found.cells == {"cell1": True, "cell2": False}


def test_whether_allocations_were_compared():
    asked = Provider({}, frozenset(), {})
    assert not counted(node("a", "cell:1 core:1")).allocations
    assert counted(node("a", "cell:1 core:1", provider=asked)).allocations
