"""What a change of nova-compute's options would do to one host."""

import dataclasses

import pytest

from pinning_filter.audit import what_if
from pinning_filter.audit.what_if import Change, InvalidChange, Resource
from pinning_filter.cloud.snapshot import Node, Provider
from pinning_filter.core import cpuset, synthetic
from pinning_filter.core.host import Pages
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
)
from pinning_filter.fleet.offers import Inventory
from tests.unit.audit.test_books import isolating, packed
from tests.unit.cli import clouds

SMT = "cell:2(memory=16GiB) core:2 pu:2"


def pcpus(text):
    return cpuset.parse(text)


def dedicated(text):
    return Change(dedicated=pcpus(text))


def shared_on(pool, *requests):
    """A host whose pCPUs of ``pool`` are for floating vCPUs."""
    host = what_if.changed(
        synthetic.host(SMT), Change(pcpus("0-7") - pcpus(pool), pcpus(pool))
    )
    return packed(host._replace(cpu_ratio=1.0), *requests)


def mixed(dedicated, shared):
    return Request(
        (
            GuestCell(
                frozenset(range(dedicated)),
                frozenset(range(dedicated, dedicated + shared)),
                1 << 20,
            ),
        ),
        cpu_policy=CpuPolicy.MIXED,
    )


def two():
    """Two guests of two vCPUs, on 0-1 and on 2-3; cell 1 is free."""
    return packed(synthetic.host(SMT), clouds.guest(2), clouds.guest(2))


def said(outcome):
    """Each server that cannot stay: pCPUs outside, and whether it fits."""
    return [
        (each.guest.id, set(each.outside), each.refusal is None)
        for each in outcome.servers
    ]


@pytest.mark.parametrize(
    ("node", "change", "servers"),
    [
        (two(), dedicated("0-3"), []),
        (two(), dedicated("1-7"), [("a-0", {0}, True)]),
        (two(), dedicated("4-5"),
         [("a-0", {0, 1}, True), ("a-1", {2, 3}, False)]),
        (two(), Change(reserved={0: {}, 1: {}}), []),
        (shared_on("6-7", mixed(1, 2)), Change(shared=pcpus("7")),
         [("a-0", set(), False)]),
        (shared_on("6-7", mixed(1, 1), mixed(1, 1)),
         Change(shared=pcpus("7")), [("a-1", set(), False)]),
        (isolating(clouds.guest(1, "isolate")), dedicated("0-7"),
         [("a-0", set(), False)]),
        (packed(synthetic.host(SMT), clouds.guest(2, "require")),
         dedicated("0,2-7"), [("a-0", {1}, True)]),
        (packed(synthetic.host("cell:1 core:8"), clouds.guest(1),
                clouds.guest(3)),
         dedicated("4-6"), [("a-0", {0}, False), ("a-1", {1, 2, 3}, True)]),
    ],
    ids=[
        "nothing that is in use",
        "one pCPU of a guest",
        "room for one of two",
        "no pages reserved that were not",
        "a guest that would float on fewer pCPUs than it has vCPUs",
        "more floating vCPUs than the allocation ratio allows, the last goes",
        "isolate needs vcpu_pin_set where cores have two threads",
        "require finds another core",
        "the largest is placed first",
    ],
)
def test_servers_that_cannot_stay(node, change, servers):
    assert said(what_if.outcome(node, change)) == servers


def test_pages_that_are_reserved_leave_a_server_without_memory():
    host = synthetic.host("cell:1(memory=4GiB) core:2")
    (cell,) = host.cells
    pages = (Pages(4, 1 << 18), Pages(2048, 1024))
    host = host._replace(cells=(cell._replace(pages=pages),))
    asked = Request(
        (GuestCell(frozenset({0}), memory_kib=1 << 20, page_size=2048),)
    )
    node = packed(host, asked)
    enough = Change(reserved={0: {2048: 512}})
    assert said(what_if.outcome(node, enough)) == []
    (server,) = what_if.outcome(
        node, Change(reserved={0: {2048: 513}})
    ).servers
    assert "1048576 KiB in pages of 2048 KiB, of which 1046528 are free" in (
        server.broken[0]
    )
    assert server.refusal is not None


def test_what_was_wrong_before_is_no_effect_of_the_change():
    """A guest outside already, and a pCPU given twice."""
    node = two()
    twice = dataclasses.replace(
        node.guests[1], placement=node.guests[0].placement
    )
    node = dataclasses.replace(node, guests=(node.guests[0], twice))
    assert said(what_if.outcome(node, dedicated("0-6"))) == []
    outside = dataclasses.replace(
        two(), host=what_if.changed(two().host, dedicated("1-7"))
    )
    assert said(what_if.outcome(outside, dedicated("1-6"))) == []


def test_what_a_move_holds_counts_too():
    node = two()
    node = dataclasses.replace(
        node, guests=node.guests[:1], held=node.guests[1:]
    )
    found = what_if.outcome(node, dedicated("0-1,4-7"))
    assert said(found) == [("a-1", {2, 3}, True)]
    assert found.host.free_pcpus == 2


@pytest.mark.parametrize(
    ("node", "change", "resources"),
    [
        (two(), dedicated("0-5"), [Resource("PCPU", 8, 6, None, None)]),
        (
            dataclasses.replace(two(), provider=clouds.provider(8, 4)),
            dedicated("0-2"),
            [Resource("PCPU", 8, 3, 4, 3)],
        ),
        (
            dataclasses.replace(
                isolating(clouds.guest(2)),
                provider=Provider(
                    {"VCPU": Inventory(8, ratio=2.0, used=5)}, frozenset()
                ),
            ),
            Change(pcpus("0-3"), pcpus("6-7")),
            [Resource("PCPU", 0, 4, 0, 4), Resource("VCPU", 8, 2, 5, 4)],
        ),
    ],
    ids=[
        "without the Placement API, nothing is known to be allocated",
        "with it",
        "away from vcpu_pin_set",
    ],
)
def test_what_the_placement_api_would_have(node, change, resources):
    assert list(what_if.outcome(node, change).resources) == resources


def test_what_is_allocated_beyond_what_could_be():
    assert Resource("PCPU", 8, 3, 4, 3).missing == 1
    assert Resource("PCPU", 8, 3, 2, 3).missing == 0
    assert Resource("PCPU", 8, 3, None, None).missing == 0


@pytest.mark.parametrize(
    ("host", "change", "sets"),
    [
        (synthetic.host(SMT), dedicated("0-3"), ("0-3", "")),
        (shared_on("6-7").host, dedicated("0-1"), ("0-1", "6-7")),
        (shared_on("6-7").host, Change(shared=pcpus("")), ("0-5", "")),
        (isolating().host, dedicated("0-3"), ("0-3", "")),
        (isolating().host, Change(shared=pcpus("0-3")), ("", "0-3")),
        (synthetic.host(SMT), dedicated(""), ("0-7", "0-7")),
        (synthetic.host(SMT), Change(reserved={}), ("0-7", "")),
        (isolating().host, Change(reserved={}), ("0-7", "0-7")),
    ],
    ids=[
        "dedicated pCPUs, and no others",
        "what is not given stays",
        "an option that is not set",
        "vcpu_pin_set goes: dedicated pCPUs alone",
        "vcpu_pin_set goes: shared ones alone",
        "with neither, all are for both",
        "pages leave the sets alone",
        "pages leave vcpu_pin_set alone",
    ],
)
def test_the_sets_of_a_changed_host(host, change, sets):
    cells = what_if.changed(host, change).cells
    assert sets == tuple(
        cpuset.format(frozenset[int]().union(*kind))
        for kind in (
            [cell.dedicated for cell in cells],
            [cell.shared for cell in cells],
        )
    )


def test_sets_that_overlap_are_refused():
    with pytest.raises(InvalidChange, match="both have pCPU 3"):
        Change(pcpus("0-3"), pcpus("3-5"))
    with pytest.raises(InvalidChange, match="both have pCPUs 6-7"):
        what_if.outcome(shared_on("6-7"), dedicated("0-7"))


def test_a_pcpu_that_the_record_does_not_have():
    found = what_if.outcome(two(), dedicated("0-9"))
    assert found.unknown == {8, 9}
    assert found.resources[0].after == 8


@pytest.mark.parametrize(
    ("node", "change", "why"),
    [
        (dataclasses.replace(isolating(), others=1), dedicated("0-7"),
         ("servers without dedicated vCPUs need a cpu_shared_set",)),
        (shared_on("6-7", mixed(1, 1)), Change(shared=pcpus("")),
         ("servers of policy mixed need a cpu_shared_set",)),
        (shared_on("6-7", clouds.guest(1)), dedicated(""),
         ("servers with dedicated vCPUs need a cpu_dedicated_set",)),
        (dataclasses.replace(isolating(), others=1),
         Change(pcpus("0-3"), pcpus("4-7")), ()),
    ],
    ids=["floating", "mixed", "dedicated", "both sets"],
)
def test_why_nova_compute_would_not_start(node, change, why):
    assert what_if.outcome(node, change).stops == why


def test_an_empty_host_loses_only_its_inventory():
    node = Node("a", synthetic.host(SMT))
    found = what_if.outcome(node, dedicated("0-1"))
    assert (found.servers, found.host.free_pcpus) == ((), 2)
