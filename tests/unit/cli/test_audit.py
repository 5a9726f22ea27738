"""``pinning-filter audit``, on clouds from files."""

import dataclasses
import json
import pathlib
import re

import pytest

from pinning_filter.audit.findings import Code
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.fleet.hosts import Unplaced
from tests.unit.audit.test_books import booked, repinned, two
from tests.unit.cli import clouds

PAGE = pathlib.Path(__file__).parents[3] / "doc" / "source" / "audit.rst"
BROKEN = booked(repinned(two(), 1, {0: 1, 1: 3}))


@pytest.fixture
def ask(pinning_filter, tmp_path):
    def ask(node, *args, **fields):
        snapshot = Snapshot((node,), **fields)
        path = clouds.write(snapshot, tmp_path / "cloud.json")
        return pinning_filter("audit", "--host", path, *args)

    return ask


@pytest.mark.parametrize(
    ("node", "status"),
    [
        (booked(two()), 0),
        (BROKEN, 3),
        (two(), 4),
        (dataclasses.replace(BROKEN, provider=None), 3),
    ],
    ids=[
        "all agree",
        "findings",
        "no allocations to compare",
        "findings, and no allocations to compare",
    ],
)
def test_exit_status(ask, node, status):
    assert ask(node).status == status


def test_a_cell_that_does_not_answer(ask):
    answer = ask(booked(two()), unreachable={"b": "gone"})
    assert (answer.status, answer.out) == (4, "The books of 1 host agree.\n")
    assert "cell b does not answer" in answer.err


def test_people_read_how_many_there_are_and_the_worst_first(ask):
    answer = ask(BROKEN)
    assert answer.out.startswith("2 findings on 1 host, 1 of them critical.\n")
    rows = [line for line in answer.out.splitlines() if " | a " in line]
    assert [row.split()[1:4:2] for row in rows] == [
        ["critical", "pcpu-held-twice"],
        ["warning", "pcpu-counted-taken"],
    ]


def test_programs_read_every_column(ask):
    rows = json.loads(ask(BROKEN, "-f", "json").out)
    assert rows[0] == {
        "severity": "critical",
        "code": "pcpu-held-twice",
        "host": "a",
        "server": "a-1",
        "name": "server 1 of a",
        "expected": "one holder of pCPUs 1",
        "seen": "held by a-0, a-1",
        "remedy": "openstack server migrate --wait a-1",
    }


def test_names_of_tenants_cannot_write_on_the_terminal(ask):
    node = dataclasses.replace(
        booked(two(), x={"PCPU": 1}),
        unplaced=(Unplaced("x", clouds.HOSTILE, "", clouds.HOSTILE),),
    )
    assert "\x1b" not in ask(node).out


def test_a_dump_keeps_what_an_audit_needs(ask, pinning_filter, tmp_path):
    node = dataclasses.replace(
        booked(two(), m={"PCPU": 2}, other={"VCPU": 1}),
        others=1,
        others_ids=("other",),
    )
    leaving = dataclasses.replace(
        node, guests=node.guests[:1], held=node.guests[1:],
        provider=dataclasses.replace(
            node.provider,
            allocations={
                key: value
                for key, value in node.provider.allocations.items()
                if key != "a-1"
            },
        ),
    )
    assert ask(leaving, moving=frozenset({"m", "a-1"})).status == 0
    # And without names the same consumers are the same numbers.
    path = tmp_path / "cloud.json"
    anonymous = pinning_filter("dump", "--anonymous", "--host", path).out
    assert "a-0" not in anonymous
    path.write_text(anonymous)
    assert pinning_filter("audit", "--host", path).status == 0


def test_the_page_has_every_code_with_its_severity():
    told = re.findall(
        r"^``([a-z-]+)`` \((critical|warning)\)$",
        PAGE.read_text(),
        re.MULTILINE,
    )
    assert dict(told) == {
        code.value: code.severity.value for code in Code
    }
    assert len(told) == len(Code)
