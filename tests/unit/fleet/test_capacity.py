"""How many more guests fit, and what is of no use to any."""

import random

import pytest

from pinning_filter.core import cpuset, synthetic, usage
from pinning_filter.core.fit import fit
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from pinning_filter.fleet.capacity import Capacity, Room, emptied

GIB = 1 << 20


def guest(*sizes, policy="prefer", memory_gib=0, **fields):
    ids = iter(range(sum(sizes)))
    cells = tuple(
        GuestCell(
            dedicated=frozenset(next(ids) for _ in range(size)),
            memory_kib=memory_gib * GIB,
        )
        for size in sizes
    )
    return Request(cells, thread_policy=ThreadPolicy(policy), **fields)


@pytest.mark.parametrize(
    ("host", "used", "request_", "expected"),
    [
        pytest.param(
            "cell:2 core:4", "", guest(2), Room(4, 4, 0), id="an empty host"
        ),
        pytest.param(
            "cell:2 core:4",
            "0,4",
            guest(2),
            Room(2, 4, 1),
            id="three free pCPUs in each cell: one guest is lost",
        ),
        pytest.param(
            "cell:1 core:4 pu:2",
            "0,2,4,6",
            guest(2, policy="require"),
            Room(0, 4, 2),
            id="half-used cores are of no use to require",
        ),
        pytest.param(
            "cell:2(memory=4GiB) core:4",
            "",
            guest(1, memory_gib=3),
            Room(2, 2, 0),
            id="memory runs out first",
        ),
        pytest.param(
            "cell:2 core:4",
            "0-2",
            guest(2, 2),
            Room(0, 2, 1),
            id="guests of two cells need both",
        ),
        pytest.param(
            "cell:1 core:4",
            "",
            guest(1, emulator_isolated=True),
            Room(2, 2, 0),
            id="emulator threads take a pCPU each",
        ),
        pytest.param(
            "cell:1 core:4", "", guest(5), Room(0, 0, 0), id="never"
        ),
    ],
)
def test_room(host, used, request_, expected):
    made = synthetic.host(host, cpuset.parse(used))
    assert Capacity().room(made, request_) == expected


@pytest.mark.parametrize(
    ("host", "used", "requests", "pcpus"),
    [
        pytest.param(
            "cell:2 core:4",
            "0",
            [guest(2)],
            {0: 1, 1: 0},
            id="an odd one is left",
        ),
        pytest.param(
            "cell:2 core:4",
            "0",
            [guest(2), guest(1)],
            {0: 0, 1: 0},
            id="a small guest uses it",
        ),
        pytest.param(
            "cell:1 core:4",
            "",
            [guest(1), guest(3)],
            {0: 0},
            id="the largest first, in whatever order they are given",
        ),
        pytest.param(
            "cell:2 core:4",
            "0-3",
            [guest(2, 2)],
            {0: 0, 1: 4},
            id="a free cell beside a full one",
        ),
        pytest.param(
            "cell:1(memory=2GiB) core:4",
            "",
            [guest(1, memory_gib=1)],
            {0: 2},
            id="no memory is left beside them",
        ),
    ],
)
def test_stranded_pcpus(host, used, requests, pcpus):
    made = synthetic.host(host, cpuset.parse(used))
    found = Capacity().stranded(made, requests)
    assert {cell: left for cell, (left, _) in found.items()} == pcpus


def test_stranded_memory():
    host = synthetic.host("cell:1(memory=16GiB) core:2")
    asked = [guest(1, memory_gib=3)]
    assert Capacity().stranded(host, asked) == {0: (0, 10 * GIB)}


def test_hosts_that_differ_in_ids_alone_are_one_question():
    capacity = Capacity()
    for used in ({0}, {2}, {5}):
        host = synthetic.host("cell:1 core:4 pu:2", used)
        assert capacity.room(host, guest(3)) == Room(2, 2, 0)
    # One state of the cell as it is, one of it when empty.
    assert len(capacity._known) == 2


def test_what_is_remembered_is_what_would_be_counted_anew():
    rnd = random.Random(1)
    remembering = Capacity()
    guests = [
        guest(1), guest(3), guest(2, policy="require"), guest(2, 1),
        guest(2, memory_gib=3), guest(1, emulator_isolated=True),
    ]
    for _ in range(60):
        line = rnd.choice(["cell:2(memory=8GiB) core:3 pu:2", "cell:3 core:4"])
        used = {pcpu for pcpu in range(12) if rnd.random() < 0.5}
        host = synthetic.host(line, used)
        asked = rnd.choice(guests)
        number, filled = 0, host
        while placed := fit(filled, asked):
            filled, number = usage.add(filled, placed), number + 1
        assert remembering.room(host, asked).now == number, (line, used, asked)


def test_an_emptied_host_is_as_it_was_made():
    host = synthetic.host("cell:2(memory=8GiB) core:4 pu:2", {0, 1, 9})
    assert emptied(host) == synthetic.host("cell:2(memory=8GiB) core:4 pu:2")


def test_a_guest_that_pins_nothing_is_refused():
    cell = GuestCell(shared=frozenset({0}))
    floating = Request((cell,), CpuPolicy.SHARED)
    with pytest.raises(ValueError, match="pins no vCPU"):
        Capacity().room(synthetic.host("cell:1 core:4"), floating)
