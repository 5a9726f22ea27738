"""What running guests hold that Nova does not know."""

import types

import pytest
from nova import objects
from nova.compute import claims as nova_claims
from nova.compute import resource_tracker

from pinning_filter.compute import orphans
from pinning_filter.core import synthetic
from pinning_filter.core.host import Host
from tests.property import twins

KNOWN, OTHER, BY_HAND = (f"{n}1111111-2222-4333-8444-5555" for n in "abc")


def domain(*pins, emulator=None):
    """What libvirt says of a guest with a vCPU on each of these."""
    tune = "".join(
        f"<vcpupin vcpu='{number}' cpuset='{pcpus}'/>"
        for number, pcpus in enumerate(pins)
    )
    if emulator:
        tune += f"<emulatorpin cpuset='{emulator}'/>"
    return (
        f"<domain type='kvm'><name>x</name><vcpu>{len(pins)}</vcpu>"
        f"<cputune>{tune}</cputune></domain>"
    )


class Libvirt:
    """Nova's view of libvirt: guests by UUID, and how often XML was read."""

    def __init__(self, **guests):
        self.guests = guests
        self.read = []

    def list_guests(self, only_running):
        assert only_running
        if self.guests is None:
            raise OSError("libvirtd is away")
        return [self._guest(uuid) for uuid in self.guests]

    def _guest(self, uuid):
        def xml():
            self.read.append(uuid)
            text = self.guests[uuid]
            if text is None:
                raise LookupError("the domain is gone")
            return text

        return types.SimpleNamespace(uuid=uuid, get_xml_desc=xml)


def topology(line="cell:2 core:2", shared=frozenset()):
    host = synthetic.host(line)
    cells = [
        cell._replace(dedicated=cell.dedicated - shared,
                      shared=cell.dedicated & shared)
        for cell in host.cells
    ]
    return twins.topology(Host(tuple(cells)))


def held(libvirt, known=(), **options):
    guests = orphans.Orphans(libvirt).running(set(known))
    return orphans.pcpus_of(guests, topology(**options))


@pytest.mark.parametrize(
    ("guests", "options", "expected"),
    [
        ({OTHER: domain("0", "3")}, {}, {OTHER: {0, 3}}),
        ({OTHER: domain("0"), BY_HAND: domain("1")}, {},
         {OTHER: {0}, BY_HAND: {1}}),
        ({OTHER: domain("1", emulator="0-1")}, {}, {OTHER: {0, 1}}),
        ({OTHER: domain("0-3", "0-3")}, {}, {}),
        ({OTHER: domain("3"), }, {"shared": frozenset({3})}, {}),
        ({OTHER: domain("9")}, {}, {}),
        ({OTHER: domain()}, {}, {}),
        ({OTHER: None, BY_HAND: domain("1")}, {}, {BY_HAND: {1}}),
        ({OTHER: "<domain", BY_HAND: domain("1")}, {}, {BY_HAND: {1}}),
    ],
    ids=[
        "pinned, on two host cells",
        "two of them",
        "emulator threads on a pCPU of their own",
        "one that floats",
        "one on the pCPU for floating vCPUs",
        "pinned to a pCPU that is for no guests",
        "without vCPUs",
        "one that has just ended",
        "one whose XML is none",
    ],
)
def test_what_is_held(guests, options, expected):
    assert held(Libvirt(**guests), **options) == expected


def test_nothing_is_read_of_a_guest_that_is_known():
    libvirt = Libvirt(**{KNOWN: domain("0"), OTHER: domain("1")})
    found = held(libvirt, known=[KNOWN])
    assert (found, libvirt.read) == ({OTHER: {1}}, [OTHER])


def test_who_comes_and_who_goes_is_told_once(caplog):
    caplog.set_level("INFO", "pinning_filter")
    found = orphans.Orphans(Libvirt())
    for now in ({}, {OTHER: {0, 1}}, {OTHER: {0, 1}}, {}, {}):
        found.tell(now)
    said = [(each.levelname, each.getMessage()) for each in caplog.records]
    assert said == [
        ("WARNING", f"pCPUs 0-1: not free, since guest {OTHER} runs there, "
         "which Nova does not know"),
        ("INFO", f"pCPUs 0-1: no longer held by guest {OTHER}, which is "
         "gone, or which Nova knows"),
    ]


@pytest.fixture
def nova(monkeypatch):
    """A tracker and a claim of Nova's that only note what they see."""

    def test_numa_topology(self, compute_node, limit):
        self.seen = pinned(compute_node)
        return limit

    def update(self, context, compute_node, startup=False):
        self.written.append((pinned(compute_node), startup))

    monkeypatch.setattr(
        nova_claims.Claim, "_test_numa_topology", test_numa_topology
    )
    monkeypatch.setattr(resource_tracker.ResourceTracker, "_update", update)
    orphans.install()


def pinned(node):
    found = objects.NUMATopology.obj_from_db_obj(node.numa_topology)
    return set().union(*(cell.pinned_cpus for cell in found.cells))


class Tracker(resource_tracker.ResourceTracker):
    """Of one compute node, with this libvirt."""

    def __init__(self, libvirt, known=(), off=False):
        self.driver = types.SimpleNamespace(
            orphans=None if off else orphans.Orphans(libvirt)
        )
        self.tracked_instances = set(known)
        self.tracked_migrations = {}
        self.written = []


def claim(tracker, node, server=KNOWN):
    made = types.SimpleNamespace(
        tracker=tracker, instance=types.SimpleNamespace(uuid=server)
    )
    answer = nova_claims.Claim._test_numa_topology(made, node, "limit")
    assert answer == "limit"
    return made.seen


def compute_node():
    return objects.ComputeNode(numa_topology=topology()._to_json())


def test_claims_and_the_record_see_them_and_nova_s_account_does_not(nova):
    libvirt = Libvirt(**{OTHER: domain("0", "2")})
    tracker, node = Tracker(libvirt), compute_node()
    before = node.numa_topology
    assert claim(tracker, node) == {0, 2}
    tracker._update(None, node, startup=True)
    assert tracker.written == [({0, 2}, True)]
    assert node.numa_topology == before
    libvirt.guests.clear()
    assert claim(tracker, node) == set()


@pytest.mark.parametrize("where", ["tracked_instances", "tracked_migrations"])
def test_who_is_known_is_nova_s_to_count(nova, where):
    tracker, node = Tracker(Libvirt(**{OTHER: domain("0")})), compute_node()
    known = getattr(tracker, where)
    setattr(tracker, where, {OTHER: None} if known == {} else {OTHER})
    tracker._update(None, node)
    assert tracker.written == [(set(), False)]


def test_a_claim_of_the_very_server_is_not_in_its_own_way(nova):
    tracker = Tracker(Libvirt(**{OTHER: domain("0"), BY_HAND: domain("1")}))
    assert claim(tracker, compute_node(), OTHER) == {1}


def test_what_fails_costs_no_claim(nova, caplog):
    libvirt = Libvirt()
    libvirt.guests = None
    tracker, node = Tracker(libvirt), compute_node()
    assert claim(tracker, node) == set()
    tracker._update(None, node)
    assert tracker.written == [(set(), False)]
    assert "libvirtd is away" in caplog.text
    assert "no longer held" not in caplog.text


@pytest.mark.parametrize(
    ("off", "text"), [(True, None), (False, "")], ids=["option", "topology"]
)
def test_nobody_is_looked_for_without(nova, off, text):
    libvirt = Libvirt(**{OTHER: domain("0")})
    tracker, node = Tracker(libvirt, off=off), compute_node()
    if text is None:
        assert claim(tracker, node) == set()
    else:
        node.numa_topology = None
        with orphans.counted(tracker, node, set()) as (found, _):
            assert found is None
    assert libvirt.read == []


def test_a_claim_that_raises_leaves_nova_s_account_as_it_was(nova):
    node = compute_node()
    before = node.numa_topology
    tracker = Tracker(Libvirt(**{OTHER: domain("0")}))
    with (
        pytest.raises(ZeroDivisionError),
        orphans.counted(tracker, node, set()),
    ):
        assert pinned(node) == {0}
        raise ZeroDivisionError
    assert node.numa_topology == before
