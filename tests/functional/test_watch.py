"""Computes look at themselves, and everybody sees what they found."""

import re

import pytest
from nova import context, exception, objects
from nova.virt.libvirt import driver

from pinning_filter.core import synthetic
from pinning_filter.nova import stats as nova_stats

PINNED = {"hw__cpu_policy": "dedicated"}
NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def two(cloud):
    """A compute of eight pCPUs, two pinned servers and one that floats."""
    host = synthetic.host("cell:2(memory=8GiB) core:2 pu:2")
    first, second = host.cells
    shared = frozenset({max(second.dedicated)})
    second = second._replace(
        dedicated=second.dedicated - shared, shared=shared, free=frozenset()
    )
    cloud.add_compute("here", host._replace(cells=(first, second)))
    flavor = cloud.flavor(2, **PINNED)
    return cloud, [cloud.boot(flavor), cloud.boot(flavor),
                   cloud.boot(cloud.flavor(1))]


def domain(cloud, server):
    compute = cloud.services.computes[server.host].driver
    connection = compute._host.get_connection()
    return connection.lookupByUUIDString(server.id)


def found(cloud):
    """What the compute's record says that it found."""
    (node,) = objects.ComputeNodeList.get_all(context.get_admin_context())
    return nova_stats.read_findings(node.stats)


def pin(cloud, server, vcpu, pcpu):
    """As ``virsh vcpupin --live``."""
    domain(cloud, server)._def["cpu_pins"][str(vcpu)] = str(pcpu)


def test_a_healthy_compute_finds_nothing(two, rows):
    cloud, _ = two
    cloud.audit()
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(0, {})
    assert rows("audit", "--wait", "1") == (0, [])
    assert "To mend it" not in cloud.log


def test_a_pin_changed_live_is_seen_by_everybody(two, rows, run):
    cloud, (server, other, _) = two
    taken = sorted(other.pinning.values())[0]
    vcpu, before = sorted(server.pinning.items())[-1]
    pin(cloud, server, vcpu, taken)
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(0, {})
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(
        1, {"pcpu-run-twice": {taken}}
    )
    assert cloud.log.count("pcpu-run-twice, server") == 1
    status, findings = rows("audit", "--wait", "1")
    assert status == 3
    assert [(row["code"], row["host"], row["seen"]) for row in findings] == [
        ("pcpu-run-twice", "here", f"found on pCPU {taken}")
    ]
    said = "host here: nova-compute there found 1 disagreement of its own"
    for command in (["map"], ["capacity"], ["explain", server.id]):
        _, _, err = run(*command)
        assert said in err, command
    _, pcpus = rows("map")
    states = {row["pcpu"]: row["state"] for row in pcpus}
    assert [each for each in states if states[each] == "twice"] == [taken]
    pin(cloud, server, vcpu, before)
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(0, {})


def test_a_guest_that_nova_does_not_know_is_drawn(two, rows):
    cloud, (server, *_) = two
    copy = server.xml.replace(server.id, NOBODY)
    copy = copy.replace("<name>", "<name>by-hand-", 1)
    for what, pcpus in (("vcpu=.0.", "2"), ("vcpu=.1.", "3"),
                        ("emulatorpin", "2-3"), ("iothreadpin.*", "2-3")):
        copy = re.sub(f'({what} cpuset=)"[^"]*"', rf'\1"{pcpus}"', copy)
    connection = cloud.services.computes["here"].driver._host.get_connection()
    orphan = connection.createXML(copy, 0)
    cloud.audit()
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(1, {"domain-unknown": {2, 3}})
    drawn = [row["pcpu"] for row in rows("map")[1] if row["state"] == "orphan"]
    assert drawn == [2, 3]
    orphan.destroy()
    cloud.audit()
    assert found(cloud) == nova_stats.Findings(0, {})


@pytest.mark.parametrize("where", ["observe", "_tell"])
def test_a_look_that_fails_costs_no_report(two, monkeypatch, where):
    cloud, _ = two
    watch = cloud.services.computes["here"].driver.watch

    def fail(*_, **__):
        raise OSError("libvirtd is away")

    monkeypatch.setattr(watch, where, fail)
    cloud.audit()
    assert found(cloud) is None
    assert "Error updating resources" not in cloud.log
    assert cloud.log.count("cannot look at itself") == 1
    assert cloud.boot(cloud.flavor(1, **PINNED)).status == "ACTIVE"


def test_what_nova_cannot_report_is_in_the_log(two, monkeypatch):
    """A pCPU that is offline, say, costs Nova the whole report."""
    cloud, (server, other, _) = two
    vcpu, _ = sorted(server.pinning.items())[-1]
    pin(cloud, server, vcpu, sorted(other.pinning.values())[0])

    def fail(driver):
        raise exception.Invalid("not available")

    monkeypatch.setattr(
        driver.LibvirtDriver, "_get_pcpu_available", fail
    )
    cloud.audit()
    cloud.audit()
    assert "Error updating resources for node here" in cloud.log
    assert cloud.log.count("pcpu-run-twice, server") == 1
