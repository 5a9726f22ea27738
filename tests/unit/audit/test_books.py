"""What the books' disagreements are called, and that agreement is silent."""

import dataclasses
import inspect
import re

import pytest

from pinning_filter.audit import books, findings
from pinning_filter.audit.findings import Code
from pinning_filter.cloud.snapshot import (
    Flavor,
    Node,
    Provider,
    Snapshot,
)
from pinning_filter.core import synthetic, usage
from pinning_filter.core.fit import fit
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet.hosts import Guest, Unplaced
from pinning_filter.fleet.offers import Inventory
from tests.unit.cli import clouds

SMT = "cell:2(memory=16GiB) core:2 pu:2"


def audited(node, moving=(), flavors=()):
    """Findings, each as code, server, expected and seen."""
    snapshot = Snapshot((node,), tuple(flavors), moving=frozenset(moving))
    return [
        (each.code.value, each.server, each.expected, each.seen)
        for each in books.findings(snapshot)
    ]


def codes_of(*modules):
    """The codes that modules find."""
    return {
        Code[name].value
        for module in modules
        for name in re.findall(r"\bCode\.([A-Z_]+)", inspect.getsource(module))
    }


def codes(node, moving=()):
    return [code for code, *_ in audited(node, moving)]


def booked(node, **allocations):
    """The node with what the Placement API should have of it, or else."""
    held = {
        guest.id: {
            "PCPU": len(guest.request.cells[0].dedicated),
            "MEMORY_MB": guest.request.cells[0].memory_kib >> 10,
        }
        for guest in node.guests
    }
    held |= {name.replace("_", "-"): each for name, each in
             allocations.items()}
    total = sum(len(cell.dedicated) for cell in node.host.cells)
    return dataclasses.replace(
        node,
        provider=Provider(
            {"PCPU": Inventory(total, most=total)},
            frozenset(),
            {name: each for name, each in held.items() if each is not None},
            "provider-1",
        ),
    )


def repinned(node, number, pinning, host_cell=None):
    """The node with a guest's row edited; its record stays as it is."""
    guest = node.guests[number]
    (placed,) = guest.placement.cells
    placed = placed._replace(pinning=pinning)
    if host_cell is not None:
        placed = placed._replace(host_cell=node.host.cells[host_cell])
    guests = list(node.guests)
    guests[number] = dataclasses.replace(
        guest, placement=guest.placement._replace(cells=(placed,))
    )
    return dataclasses.replace(node, guests=tuple(guests))


def packed(host, *requests):
    """A node with these guests, on the fullest host cells first."""
    guests = []
    for number, request in enumerate(requests):
        placed = fit(host, request, strategy=Strategy(pack=True))
        host = usage.add(host, placed)
        guests.append(
            Guest(f"a-{number}", request, placed, name=f"server {number} of a")
        )
    return Node("a", host, tuple(guests))


def two():
    """Two guests, on 0-1 and on 2-3 of cell 0."""
    return packed(synthetic.host(SMT), clouds.guest(2), clouds.guest(2))


def recorded(node, cell, **fields):
    """The node, whose record says something else of a cell."""
    cells = list(node.host.cells)
    changed = cells[cell]._replace(**fields)
    cells[cell] = changed._replace(free=changed.dedicated - changed.pinned)
    return dataclasses.replace(node, host=node.host._replace(cells=cells))


def isolating(*requests):
    """A host as ``vcpu_pin_set`` makes it, which keeps siblings idle."""
    host = synthetic.host(SMT)
    cells = [cell._replace(shared=cell.dedicated) for cell in host.cells]
    return packed(host._replace(cells=cells), *requests)


@pytest.mark.parametrize(
    "node",
    [
        two(),
        booked(two()),
        isolating(clouds.guest(2, "isolate"), clouds.guest(3)),
    ],
    ids=[
        "without the Placement API",
        "with it",
        "isolate, whose siblings the record counts as taken",
    ],
)
def test_books_that_agree(node):
    assert audited(node) == []


def test_a_record_is_not_compared_while_servers_settle():
    node = recorded(two(), 0, pinned=frozenset())
    assert audited(node)
    assert audited(dataclasses.replace(node, unsettled=True)) == []


SHARED = two()
ISOLATED = isolating(clouds.guest(1, "isolate"), clouds.guest(1))


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (
            repinned(SHARED, 1, {0: 1, 1: 2}),
            [
                ("pcpu-held-twice", "a-1", "one holder of pCPUs 1",
                 "held by a-0, a-1"),
                ("pcpu-counted-taken", "", "pCPUs 3 are free",
                 "the compute node's record has them taken"),
            ],
        ),
        (
            repinned(SHARED, 1, {0: 2, 1: 2}),
            [
                ("pcpu-held-twice", "a-1", "one holder of pCPUs 2",
                 "held by a-1 twice"),
                ("pcpu-counted-taken", "", "pCPUs 3 are free",
                 "the compute node's record has them taken"),
            ],
        ),
        (
            repinned(SHARED, 1, {0: 2, 1: 4}),
            [
                ("pcpu-of-other-cell", "a-1", "pCPUs of its own host cells",
                 "pinned to 4"),
                ("pcpu-counted-taken", "", "pCPUs 3 are free",
                 "the compute node's record has them taken"),
                ("pcpu-counted-free", "", "pCPUs 4 are taken",
                 "the compute node's record has them free"),
            ],
        ),
        (
            repinned(SHARED, 1, {1: 3}),
            [
                ("vcpu-unpinned", "a-1",
                 "a pCPU for each of the dedicated vCPUs 0",
                 "pinned to none"),
                ("pcpu-counted-taken", "", "pCPUs 2 are free",
                 "the compute node's record has them taken"),
            ],
        ),
        (
            recorded(SHARED, 0, dedicated=frozenset({1, 2, 3}),
                     pinned=frozenset({1, 2, 3})),
            [("pcpu-not-dedicated", "a-0", "pCPUs of 1-7", "pinned to 0")],
        ),
        (
            repinned(ISOLATED, 1, {0: 1}),
            [
                ("sibling-in-use", "a-1", "idle siblings for a-0 (isolate)",
                 "pCPUs 1 are held by a-1"),
                ("pcpu-counted-taken", "", "pCPUs 2 are free",
                 "the compute node's record has them taken"),
            ],
        ),
        (
            recorded(SHARED, 0, pinned=frozenset({0, 1, 2})),
            [("pcpu-counted-free", "", "pCPUs 3 are taken",
              "the compute node's record has them free")],
        ),
        (
            recorded(SHARED, 1, shared_used=3, memory_used_kib=1024),
            [
                ("usage-miscounted", "",
                 "memory_kib of host cell 1 in use: 0", "1024"),
                ("usage-miscounted", "",
                 "shared_vcpus of host cell 1 in use: 0", "3"),
            ],
        ),
        (
            dataclasses.replace(
                SHARED, unplaced=(Unplaced("m", "web", "", "it is nowhere"),)
            ),
            [("placement-unreadable", "m", "a placement on this host",
              "it is nowhere")],
        ),
        (
            dataclasses.replace(SHARED, host=None, problem="junk"),
            [("host-unreadable", "", "a NUMA topology", "junk")],
        ),
        (
            booked(SHARED, a_1=None),
            [("allocation-missing", "a-1",
              "an allocation in the Placement API", "none")],
        ),
        (
            booked(SHARED, nobody={"PCPU": 2, "MEMORY_MB": 64}),
            [("allocation-of-nobody", "nobody",
              "a server or a migration on this host",
              "holds MEMORY_MB: 64, PCPU: 2")],
        ),
        (
            booked(SHARED, a_0={"PCPU": 4, "MEMORY_MB": 1024}),
            [("allocation-differs", "a-0", "MEMORY_MB: 1024, PCPU: 2",
              "MEMORY_MB: 1024, PCPU: 4")],
        ),
        (
            booked(recorded(SHARED, 1, dedicated=frozenset({4, 5, 6}))),
            [],
        ),
        (
            dataclasses.replace(
                booked(SHARED),
                host=recorded(
                    SHARED, 1, dedicated=frozenset({4, 5, 6})
                ).host,
            ),
            [("inventory-differs", "", "PCPU: 7", "PCPU: 8")],
        ),
    ],
    ids=[
        "two servers on a pCPU",
        "two vCPUs of a server on a pCPU",
        "a pCPU of another host cell",
        "a vCPU without a pCPU",
        "cpu_dedicated_set shrunk under a guest",
        "a guest on a sibling that is to be idle",
        "the record has a pCPU free that is not",
        "the record counts what nobody has",
        "a placement that makes no sense",
        "a record that makes no sense",
        "an allocation is removed",
        "an allocation is added",
        "an allocation is changed",
        "a smaller host, and the inventory with it",
        "a smaller host, and the inventory as before",
    ],
)
def test_a_disagreement_is_named(node, expected):
    assert audited(node) == expected


def test_every_code_has_a_case_above():
    (cases,) = (
        mark.args[1]
        for mark in test_a_disagreement_is_named.pytestmark
        if mark.name == "parametrize"
    )
    tried = {code for _, expected in cases for code, *_ in expected}
    assert tried == codes_of(books)


@pytest.mark.parametrize(
    ("node", "moving"),
    [
        (booked(two(), a_1=None), {"a-1"}),
        (booked(two(), migration={"PCPU": 2}), {"migration"}),
        (booked(two(), a_0={"PCPU": 4}), {"a-0"}),
        (booked(two(), a_0={"VCPU": 2, "MEMORY_MB": 1024}), {}),
    ],
    ids=[
        "a server whose allocation is on the other end of a move",
        "a migration holds the end that its server left",
        "a server that is being resized",
        "a server that the fallback of [workarounds] gave VCPU",
    ],
)
def test_what_moves_is_no_finding(node, moving):
    assert audited(node, moving) == []


def test_a_flavor_that_says_what_it_asks_the_placement_api_for():
    node = booked(two(), a_0={"PCPU": 2, "MEMORY_MB": 1})
    guests = tuple(
        dataclasses.replace(guest, flavor="odd") for guest in node.guests
    )
    node = dataclasses.replace(node, guests=guests)
    plain = Flavor("odd", 2, 1024)
    asking = Flavor("odd", 2, 1024, 0, {"resources:MEMORY_MB": "1"})
    assert audited(node, flavors=[asking]) == []
    assert [code for code, *_ in audited(node, flavors=[plain])] == [
        "allocation-differs"
    ]


def test_what_a_move_holds_is_taken():
    node = two()
    leaving = dataclasses.replace(node, guests=node.guests[:1],
                                  held=node.guests[1:])
    assert audited(leaving) == []
    assert "pcpu-counted-taken" in codes(
        dataclasses.replace(leaving, held=())
    )


def test_what_one_pass_found_and_the_other_did_not_is_no_finding():
    first = list(books.findings(Snapshot((repinned(two(), 1, {0: 1}),))))
    second = list(books.findings(Snapshot((repinned(two(), 1, {0: 0}),))))
    assert [each.code for each in findings.confirmed(first, first)] == [
        each.code for each in first
    ]
    assert Code.PCPU_HELD_TWICE in {each.code for each in first}
    assert Code.PCPU_HELD_TWICE not in {
        each.code for each in findings.confirmed(first, second)
    }


@pytest.mark.parametrize("hostile", ["a; reboot", "$(reboot)", "a\nreboot"])
def test_a_remedy_is_one_command_whatever_a_dump_calls_a_server(hostile):
    node = dataclasses.replace(
        two(), unplaced=(Unplaced(hostile, hostile, "", "it is nowhere"),)
    )
    (found,) = books.findings(Snapshot((node,)))
    assert found.remedy == f"openstack server migrate --wait '{hostile}'"
