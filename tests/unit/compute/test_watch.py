"""A compute node that looks at itself: what it says, and what it survives."""

import types

import pytest
from nova.compute import resource_tracker

from pinning_filter import opts
from pinning_filter.compute import watch as watch_module
from pinning_filter.nova import stats as nova_stats
from tests.unit.audit.test_observation import (
    UUID,
    XML,
    FakeConnection,
    FakeDomain,
    process,
)
from tests.unit.kernel import trees

CHANGED = XML.replace("vcpu='1' cpuset='2'", "vcpu='1' cpuset='1'")
PIN_AND_TWICE = nova_stats.Findings(
    2, {"pin-changed": {1}, "pcpu-run-twice": {1}}
)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """One guest of Nova's on pCPUs 1 and 2, on a machine of eight."""
    conf = watch_module.CONF
    opts.register(conf)
    conf.set_override("cpu_dedicated_set", "1-3,5-7", "compute")
    conf.set_override("cpu_shared_set", "0,4", "compute")
    roots = trees.machine(tmp_path)
    process(tmp_path)
    made = types.SimpleNamespace(
        domains=[FakeDomain()], roots=roots, error=None, pins=tmp_path
    )

    def connect():
        if made.error:
            raise made.error
        return FakeConnection(*made.domains)

    made.watch = watch_module.Watch(connect, roots)
    made.watch.known = {UUID}
    yield made
    conf.clear_override("cpu_dedicated_set", "compute")
    conf.clear_override("cpu_shared_set", "compute")


def changed(world):
    """The pin of a vCPU is changed live, and the thread follows."""
    world.domains = [FakeDomain(live=CHANGED)]
    process(world.pins, **{"CPU 1/KVM": "1"})


def look(world):
    return nova_stats.read_findings(world.watch.look("a"))


def levels(caplog):
    return [each.levelname for each in caplog.records
            if each.name == watch_module.__name__]


def test_nothing_is_found_where_all_is_well(world, caplog):
    assert look(world) == look(world) == nova_stats.Findings(0, {})
    assert levels(caplog) == []


def test_it_counts_at_the_second_look_and_is_told_once(world, caplog):
    caplog.set_level("INFO")
    changed(world)
    assert look(world) == nova_stats.Findings(0, {})
    assert look(world) == look(world) == PIN_AND_TWICE
    assert levels(caplog) == ["WARNING"] * 2
    world.domains = [FakeDomain()]
    process(world.pins)
    assert look(world) == nova_stats.Findings(0, {})
    assert look(world) == nova_stats.Findings(0, {})
    assert levels(caplog) == ["WARNING"] * 2 + ["INFO"] * 2
    assert "pin-changed, server " + UUID in caplog.text
    assert "To mend it: virsh vcpupin instance-00000001 1 2" in caplog.text


def test_what_is_seen_once_is_nothing(world):
    changed(world)
    look(world)
    world.domains = []
    assert look(world) == look(world) == nova_stats.Findings(0, {})


def test_a_guest_that_nova_does_not_know(world, caplog):
    world.watch.known = set()
    look(world)
    assert look(world) == nova_stats.Findings(1, {"domain-unknown": {1, 2}})
    # That the pCPUs are kept from others is what the log says of it.
    assert levels(caplog) == []
    watch_module.CONF.set_override(
        "hold_orphaned_pcpus", False, "pinning_filter"
    )


def test_what_fails_is_told_once_and_costs_no_report(world, caplog):
    world.error = OSError("libvirtd is away")
    assert world.watch.look("a") == world.watch.look("a") == {}
    assert levels(caplog) == ["WARNING"]
    world.error = None
    assert look(world) == nova_stats.Findings(0, {})
    world.error = OSError("libvirtd is away again")
    assert world.watch.look("a") == {}
    assert levels(caplog) == ["WARNING"] * 2


def test_a_set_that_makes_no_sense_costs_no_report(world):
    watch_module.CONF.set_override("cpu_dedicated_set", "^1", "compute")
    assert world.watch.look("a") == {}


class Tracker(resource_tracker.ResourceTracker):
    """Nova's, that only writes."""

    def __init__(self, driver):
        self.driver = driver
        self.tracked_instances = {"a", "b"}
        self.tracked_migrations = {"c": object()}


def test_whom_nova_knows_is_known_when_it_has_counted_all(
    world, monkeypatch
):
    monkeypatch.setattr(resource_tracker.ResourceTracker, "_update",
                        lambda *args, **kwargs: "written")
    watch_module.install()
    driver = types.SimpleNamespace(watch=world.watch)
    assert Tracker(driver)._update(None, None) == "written"
    assert world.watch.known == {"a", "b", "c"}
    other = types.SimpleNamespace()
    assert Tracker(other)._update(None, None, startup=True) == "written"


@pytest.mark.parametrize(
    "found",
    [nova_stats.Findings(0, {}), PIN_AND_TWICE,
     nova_stats.Findings(1, {"domain-unreadable": set()})],
)
def test_stats_hold_what_was_found(found):
    assert nova_stats.read_findings(nova_stats.write_findings(found)) == found


@pytest.mark.parametrize(
    "stats",
    [None, {}, {"pinning_filter_findings": None},
     {"pinning_filter_findings": "many"},
     {"pinning_filter_findings": "1 a=x"}],
)
def test_stats_that_say_nothing(stats):
    assert nova_stats.read_findings(stats) is None
