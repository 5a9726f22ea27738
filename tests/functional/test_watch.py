"""Computes look at themselves, and everybody sees what they found."""

import pytest
from nova import context, objects

from pinning_filter.core import synthetic
from pinning_filter.nova import stats as nova_stats

PINNED = {"hw__cpu_policy": "dedicated"}


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
    driver = cloud.services.computes[server.host].driver
    connection = driver._host.get_connection()
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
    xml = server.xml
    copy = xml.replace(server.id, "11111111-2222-4333-8444-555555555555")
    copy = copy.replace("<name>", "<name>by-hand-", 1)
    for number, pcpu in enumerate(sorted(server.pinning.values())):
        copy = copy.replace(f'cpuset="{pcpu}"', f'cpuset="{5 + number}"')
    connection = cloud.services.computes["here"].driver._host.get_connection()
    orphan = connection.createXML(copy, 0)
    cloud.audit()
    cloud.audit()
    codes = found(cloud).codes
    assert set(codes) == {"domain-unknown"}
    drawn = [row["pcpu"] for row in rows("map")[1] if row["state"] == "orphan"]
    assert drawn == sorted(codes["domain-unknown"]) and len(drawn) > 0
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
