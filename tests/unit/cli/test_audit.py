"""``pinning-filter audit``, on clouds from files."""

import dataclasses
import json
import pathlib
import re
import sys
import types
from importlib import machinery

import pytest
from nova import conf

from pinning_filter.audit import observed_file
from pinning_filter.audit.findings import Code
from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.fleet.hosts import Unplaced
from pinning_filter.kernel.guests import Memory
from tests.unit.audit.observed import bound, domain, seen, settings
from tests.unit.audit.test_books import booked, repinned, two
from tests.unit.audit.test_observation import XML, FakeConnection, FakeDomain
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
    assert (answer.status, answer.out) == (4, "No findings on 1 host.\n")
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


@pytest.fixture
def observed(tmp_path):
    """Write what was seen of host a, where these domains run."""

    def observed(*domains, **fields):
        path = tmp_path / "a.json"
        made = seen(*domains, settings=settings("0-7", ""), **fields)
        path.write_text(json.dumps(observed_file.write(made)))
        return path

    return observed


def placed(node):
    """Each guest's domain, pinned as its row says."""
    return [
        domain(
            bound(
                guest.id,
                *map(str, guest.placement.pinning.values()),
                uuid=guest.id,
            ),
            memory=Memory(True, {0: 9}, {4: 9}),
        )
        for guest in node.guests
    ]


def test_all_is_as_it_was_observed(ask, observed):
    node = booked(two())
    answer = ask(node, "--observed", observed(*placed(node)))
    assert (answer.status, answer.err) == (0, "")


def test_what_was_observed_is_compared_with_the_books(ask, observed):
    node = booked(two())
    first, second = placed(node)
    moved = dataclasses.replace(
        second, live=dataclasses.replace(
            second.live, vcpus={0: frozenset({2}), 1: frozenset({6})})
    )
    path = observed(first, moved)
    answer = ask(node, "--observed", path, "-f", "json")
    assert answer.status == 3
    assert [
        (row["code"], row["server"], row["expected"], row["seen"])
        for row in json.loads(answer.out)
    ] == [
        ("thread-elsewhere", "a-1", "vCPU 1 on pCPU 6", "vCPU 1 on pCPU 3"),
        ("domain-differs", "a-1", "vCPU 1 on pCPU 3", "vCPU 1 on pCPU 6"),
    ]


def test_a_part_that_was_not_seen(ask, observed):
    node = booked(two())
    unseen = [dataclasses.replace(each, threads=None)
              for each in placed(node)]
    answer = ask(node, "--observed", observed(*unseen))
    assert answer.status == 4
    assert "the threads of 2 of 2 domains cannot be seen" in answer.err


def test_a_host_that_was_not_observed(ask, observed, tmp_path):
    path = observed()
    other = dataclasses.replace(booked(two()), name="b")
    answer = ask(other, "--observed", path)
    assert answer.status == 2
    assert "there is no compute node a" in answer.err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--observed", "gone"], "--observed gone: No such file"),
        (["--output", "x"], "--output goes with --observe"),
    ],
)
def test_wrong_use(pinning_filter, arguments, problem):
    answer = pinning_filter("audit", *arguments)
    assert answer.status == 2
    assert problem in answer.err


def test_two_files_of_a_host(pinning_filter, observed):
    path = observed()
    answer = pinning_filter("audit", "--observed", path, path)
    assert answer.status == 2
    assert "host a is there twice" in answer.err


@pytest.fixture
def on_a_node(pinning_filter, monkeypatch, tmp_path):
    """Run it where nova.conf has no database, and these domains run."""
    nova_conf = tmp_path / "nova.conf"
    nova_conf.write_text(
        "[DEFAULT]\nhost = cmp1\n[compute]\ncpu_dedicated_set = 1-3\n"
        "cpu_shared_set = 0\n[libvirt]\nconnection_uri = test:///x\n"
    )

    def on_a_node(*domains, arguments=()):
        libvirt = types.ModuleType("libvirt")
        libvirt.__spec__ = machinery.ModuleSpec("libvirt", None)
        libvirt.libvirtError = RuntimeError
        libvirt.registerErrorHandler = lambda handler, context: None
        libvirt.openReadOnly = {"test:///x": FakeConnection(*domains)}.get
        monkeypatch.setitem(sys.modules, "libvirt", libvirt)
        return pinning_filter("audit", "--config-file", nova_conf, "--wait",
                              "1", *arguments)

    yield on_a_node
    conf.CONF.reset()


def test_a_compute_node_looks_at_itself(on_a_node):
    answer = on_a_node(arguments=["-f", "json"])
    codes = {row["code"] for row in json.loads(answer.out)}
    # What this machine's pCPUs are is not the test's to say.
    assert codes <= {"pcpu-offline", "cpuset-too-narrow"}
    by_hand = XML.replace("openstack.org", "example.org")
    answer = on_a_node(FakeDomain(by_hand, by_hand), arguments=["-f", "json"])
    assert answer.status == 3
    found = {row["code"]: row for row in json.loads(answer.out)}
    assert found["domain-unknown"]["host"] == "cmp1"
    assert "the threads of 1 of 1 domains cannot be seen" in answer.err


def test_what_is_observed_is_read_again(on_a_node, tmp_path):
    path = tmp_path / "cmp1.json"
    answer = on_a_node(FakeDomain(), arguments=["--observe", "-o", path])
    assert (answer.status, answer.out) == (4, "")
    assert path.stat().st_mode & 0o777 == 0o600
    written = observed_file.read(path.read_text(), "f")
    assert written.host == "cmp1"
    assert written.settings == settings("1-3", "0")
    assert [each.live.name for each in written.domains] == [
        "instance-00000001"
    ]
    assert json.loads(on_a_node(arguments=["--observe"]).out)["domains"] == []


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
