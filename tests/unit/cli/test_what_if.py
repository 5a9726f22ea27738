"""``pinning-filter audit --what-if``, on clouds from files."""

import dataclasses
import json

import pytest

from pinning_filter.cloud.snapshot import Flavor, Node, Snapshot
from tests.unit.audit.test_books import booked, isolating, two
from tests.unit.cli import clouds

#: Guests on 0-1 and 2-3 of eight pCPUs, and a guest on one of two.
LARGE = clouds.node("a", "cell:1 core:4 pu:2", clouds.guest(2),
                    clouds.guest(2))
SMALL = clouds.node("b", "cell:1 core:2", clouds.guest(1))


@pytest.fixture
def ask(pinning_filter, tmp_path):
    def ask(nodes, *changes, more=(), **fields):
        snapshot = Snapshot(
            nodes, (Flavor("plain", 1, 64),), **fields
        )
        path = clouds.write(snapshot, tmp_path / "cloud.json")
        words = [word for each in changes for word in ("--what-if", each)]
        return pinning_filter("audit", "--host", path, *words, *more)

    return ask


@pytest.fixture
def rows(ask):
    def rows(*args, **fields):
        return json.loads(ask(*args, more=("-f", "json"), **fields).out)

    return rows


@pytest.mark.parametrize(
    ("nodes", "changes", "status"),
    [
        ((two(),), ["cpu_dedicated_set=0-6"], 0),
        ((two(),), ["cpu_dedicated_set=1-7"], 3),
        ((booked(two()),), ["cpu_dedicated_set=0-3"], 0),
        ((two(),), ["cpu_dedicated_set=0-8"], 4),
        ((two(), Node("c", None)), ["cpu_dedicated_set=0-6"], 4),
        ((SMALL,), ["cpu_shared_set=1", "cpu_dedicated_set="], 3),
    ],
    ids=[
        "nothing is harmed",
        "a server is outside",
        "with allocations that still fit",
        "a pCPU of which nothing is known",
        "a host of which nothing is known",
        "nova-compute would not start",
    ],
)
def test_exit_status(ask, nodes, changes, status):
    assert ask(nodes, *changes).status == status


def test_people_read_the_sums_of_several_hosts(ask):
    answer = ask((LARGE, SMALL), "cpu_dedicated_set=0,2-7")
    assert answer.out.splitlines()[0] == (
        "Of 3 servers with a NUMA topology on 2 hosts, 1 would be outside, "
        "and 0 would find no place on their host."
    )
    table = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in answer.out.splitlines()
        if line.startswith("|")
    ]
    shown = [
        [row[0], row[1], row[2], row[4], row[6], row[7]] for row in table[1:]
    ]
    assert shown == [
        ["a", "server", "a-0", "1", "", ""],
        ["b", "host", "", "", "", ""],
        ["(all)", "resource", "PCPU", "", "10", "8"],
        ["(all)", "flavor", "pinned.1", "", "5", "3"],
        ["(all)", "flavor", "pinned.2", "", "2", "1"],
    ]


def test_programs_read_every_host_and_the_sums(rows):
    found = rows((LARGE, SMALL), "cpu_dedicated_set=0,2-7")
    assert [
        (row["host"], row["kind"], row["subject"], row["before"],
         row["after"])
        for row in found
        if row["kind"] != "host"
    ] == [
        ("a", "server", "a-0", None, None),
        ("a", "resource", "PCPU", 8, 7),
        ("a", "flavor", "pinned.1", 4, 3),
        ("a", "flavor", "pinned.2", 2, 1),
        ("b", "resource", "PCPU", 2, 1),
        ("b", "flavor", "pinned.1", 1, 0),
        ("b", "flavor", "pinned.2", 0, 0),
        (None, "resource", "PCPU", 10, 8),
        (None, "flavor", "pinned.1", 5, 3),
        (None, "flavor", "pinned.2", 2, 1),
    ]
    assert found[0] | {"why": ""} == {
        "host": "a",
        "kind": "server",
        "subject": "a-0",
        "name": "server 0 of a",
        "outside": [1],
        "fits": True,
        "before": None,
        "after": None,
        "used": None,
        "why": "",
    }


def test_what_is_allocated_beyond_what_could_be_is_told(rows):
    found = rows((booked(two()),), "cpu_dedicated_set=0-3")
    assert found[-1]["why"] in ("", None)
    over = clouds.node(
        "a", "cell:1 core:4", clouds.guest(4), provider=clouds.provider(4, 4)
    )
    resource = next(
        row for row in rows((over,), "cpu_dedicated_set=0-2")
        if row["kind"] == "resource"
    )
    assert (resource["used"], resource["why"]) == (
        4, "1 more are allocated than could be",
    )


def test_a_dump_of_a_host_with_vcpu_pin_set(rows):
    """The servers stay; what floats needs a set of its own."""
    node = dataclasses.replace(isolating(clouds.guest(2)), others=1)
    (first, *_) = rows((node,), "cpu_dedicated_set=0-7")
    assert first["why"] == (
        "nova-compute would not start: servers without dedicated vCPUs need "
        "a cpu_shared_set"
    )
    both = rows((node,), "cpu_dedicated_set=0-5", "cpu_shared_set=6-7")
    assert {row["kind"] for row in both} == {"resource", "flavor"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (["cpu_dedicated_set"], "'cpu_dedicated_set' is not KEY=VALUE"),
        (["ram=3"], "'ram' is none of cpu_dedicated_set, cpu_shared_set, "
         "reserved_huge_pages"),
        (["vcpu_pin_set=3"], "vcpu_pin_set is taken to be removed"),
        (["cpu_dedicated_set=5-1"], "cpu_dedicated_set: the range '5-1'"),
        (["cpu_dedicated_set=1", "cpu_dedicated_set=2"],
         "cpu_dedicated_set is given twice"),
        (["cpu_dedicated_set=1,^1"], "'1,^1' leaves no pCPU"),
        (["cpu_dedicated_set=0-3", "cpu_shared_set=3"], "both have pCPU 3"),
        (["cpu_dedicated_set=64"],
         "no host has pCPU 64 in its record, which has 0-7"),
        (["reserved_huge_pages=node:0"], "'node:0' is not node:CELL,"),
        (["reserved_huge_pages=node:0,size:x,count:1"], "is not node:CELL,"),
        (["reserved_huge_pages=node:0,size:4,count:-1"], "is not node:CELL,"),
        (["reserved_huge_pages=node:0,size:4,count:9999999999"],
         "is not node:CELL,"),
        (["reserved_huge_pages=node:0,size:2MB,count:1"],
         "no host has pages of 2048 KiB in a NUMA cell 0"),
    ],
)
def test_nonsense(ask, changes, complaint):
    answer = ask((two(),), *changes)
    assert answer.status == 2
    assert complaint in answer.err
    assert answer.out == ""


def test_sets_that_overlap_on_one_host_name_it(ask):
    shared = clouds.node("c", "cell:1 core:2")
    (cell,) = shared.host.cells
    host = shared.host._replace(
        cells=(cell._replace(dedicated=frozenset({0}), shared=frozenset({1}),
                             free=frozenset({0})),)
    )
    answer = ask((two(), dataclasses.replace(shared, host=host)),
                 "cpu_dedicated_set=0-1")
    assert answer.status == 2
    assert "host c: cpu_dedicated_set and cpu_shared_set: both have" in (
        answer.err
    )


def test_a_flavor_to_count(ask):
    answer = ask((two(),), more=("--flavor", "plain"))
    assert (answer.status, answer.err) == (
        2, "pinning-filter: --flavor goes with --what-if\n",
    )
    answer = ask((two(),), "cpu_dedicated_set=0-6",
                 more=("--flavor", "plain"))
    assert "--flavor: 'plain' pins no vCPUs" in answer.err


@pytest.mark.parametrize("more", [["--observe"], ["--observed", "x.json"]])
def test_what_it_does_not_go_with(ask, more):
    answer = ask((two(),), "cpu_dedicated_set=0-6", more=more)
    assert (answer.status, answer.err) == (
        2,
        "pinning-filter: --what-if goes with neither --observe nor "
        "--observed\n",
    )


def test_names_of_tenants_cannot_write_on_the_terminal(ask):
    node = two()
    guests = [
        dataclasses.replace(guest, name=clouds.HOSTILE)
        for guest in node.guests
    ]
    node = dataclasses.replace(node, guests=tuple(guests))
    assert "\x1b" not in ask((node,), "cpu_dedicated_set=4-7").out
