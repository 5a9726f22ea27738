"""Looking at a compute node, and the file that is made of it."""

import copy
import json

import pytest

from pinning_filter.audit import node, observed_file
from pinning_filter.audit.observation import Observer
from pinning_filter.core.errors import InputError
from pinning_filter.kernel.guests import Memory
from tests.unit.audit.observed import bound, domain, running, seen, settings
from tests.unit.cli import clouds
from tests.unit.kernel import trees

UUID = "11111111-2222-4333-8444-555555555555"
XML = (
    "<domain type='kvm'><name>instance-00000001</name>"
    f"<uuid>{UUID}</uuid><memory>524288</memory><vcpu>2</vcpu>"
    "<cputune><vcpupin vcpu='0' cpuset='1'/><vcpupin vcpu='1' cpuset='2'/>"
    "<emulatorpin cpuset='1-2'/></cputune><metadata><nova:instance "
    "xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"
    "</domain>"
)


class FakeDomain:
    """As libvirt-python's, of one running domain."""

    def __init__(self, live=XML, defined=XML, active=True, state=(1, 1)):
        self._xml = {0: live, 2: defined}
        self._active = active
        self._state = state

    def name(self):
        return "instance-00000001"

    def isPersistent(self):
        return self._xml[2] is not None

    def isActive(self):
        return self._active

    def state(self):
        return list(self._state)

    def XMLDesc(self, flags):
        if isinstance(self._xml[flags], Exception):
            raise self._xml[flags]
        return self._xml[flags]


class FakeConnection:
    """As libvirt-python's, to a libvirt with these domains running."""

    def __init__(self, *domains):
        self._domains = domains

    def listAllDomains(self, flags):
        assert flags == 1  # running ones only
        return list(self._domains)


def process(tmp_path, **pins):
    threads = {"qemu": "1-2", "CPU 0/KVM": "1", "CPU 1/KVM": "2"} | pins
    trees.process(tmp_path, 40, UUID, list(threads.items()),
                  [trees.BOUND.format(cell=0, n=256)])


def look(tmp_path, *domains, **options):
    roots = trees.machine(tmp_path)
    observer = Observer(lambda: FakeConnection(*domains), roots)
    return observer.look("a", settings(), **options)


def test_what_is_there_to_see(tmp_path):
    process(tmp_path)
    found = look(tmp_path, FakeDomain(), memory=True)
    (only,) = found.domains
    assert only.live.pinning == {0: 1, 1: 2}
    assert only.defined == only.live
    assert only.threads.vcpus == {0: {1}, 1: {2}}
    assert only.memory == Memory(True, {0: 1024}, {4: 1024})
    assert (found.host, found.unread, found.unseen) == ("a", {}, 0)
    assert list(node.findings(found)) == []


def test_memory_is_looked_at_only_if_asked_for(tmp_path):
    process(tmp_path)
    (only,) = look(tmp_path, FakeDomain()).domains
    assert only.threads is not None and only.memory is None


def test_a_process_that_is_not_seen(tmp_path):
    found = look(tmp_path, FakeDomain())
    assert found.domains[0].threads is None and found.unseen == 1


def test_a_domain_that_is_not_kept(tmp_path):
    (only,) = look(tmp_path, FakeDomain(defined=None)).domains
    assert only.defined is None


def test_a_definition_that_cannot_be_read(tmp_path):
    (only,) = look(tmp_path, FakeDomain(defined="<no")).domains
    assert only.defined is None


def test_xml_that_cannot_be_read_costs_no_other(tmp_path):
    found = look(tmp_path, FakeDomain(live="<vm/>"), FakeDomain())
    assert len(found.domains) == 1
    assert "it is a <vm> document" in found.unread["instance-00000001"]


def test_a_domain_that_ended_meanwhile_is_nothing(tmp_path):
    gone = FakeDomain(live=RuntimeError("no such domain"), active=False)
    found = look(tmp_path, gone)
    assert (found.domains, found.unread) == ((), {})


@pytest.mark.parametrize(
    "then",
    [{"active": False}, {"state": (3, 11)}],
    ids=["it ended", "it is being started"],
)
def test_a_domain_that_has_no_process_just_now_is_nothing(tmp_path, then):
    assert look(tmp_path, FakeDomain(**then), memory=True).domains == ()


FULL = seen(
    domain(bound("x", "1", "2"), {"vcpus": {0: frozenset({1})}},
           memory=Memory(True, {0: 9}, {4: 9})),
    domain(running(clouds.HOSTILE, None, None)),
    unread={"y": "why"},
)


def test_a_file_holds_all_that_was_seen():
    text = json.dumps(observed_file.write(FULL))
    assert observed_file.read(text, "f") == FULL


def changed(path, value):
    """The file, with something else at a path in it."""
    data = copy.deepcopy(observed_file.write(FULL))
    *folders, last = path
    at = data
    for each in folders:
        at = at[each]
    at[last] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not what 'pinning-filter audit --observe' writes"),
        (changed(["format"], "pinning-filter dump"), "data.format"),
        (changed(["version"], 2), "data.version"),
        (changed(["more"], 1), "must not contain {'more'}"),
        (changed(["domains", 0, "live", "vcpus"], {"x": "1"}), "vcpus"),
        (changed(["settings", "dedicated"], "all"), "dedicated"),
        (changed(["settings", "dedicated"], "3-1"), "runs backwards"),
        (changed(["taken"], "yesterday"), "isoformat"),
        (changed(["taken"], "2026-11-28T00:00:00"), "no time zone"),
        (changed(["kernel", "cells", "0", "total_kib"], -1), "total_kib"),
    ],
)
def test_files_that_make_no_sense(text, problem):
    with pytest.raises(InputError) as raised:
        observed_file.read(text, "--observed f")
    assert str(raised.value).startswith("--observed f: ")
    assert problem in str(raised.value)
