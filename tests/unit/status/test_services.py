"""Versions that run, and what did not answer."""

import pytest

from pinning_filter.cloud.snapshot import Node, Provider, Service, Snapshot
from pinning_filter.status import services
from pinning_filter.status.facts import Installed
from tests.unit.status.said import said

HERE = Installed("34.0.0", 74, "1.0", {66: "Caracal", 74: "Hibiscus"})
KNOWN = Provider({}, frozenset())


def compute(host, version=74):
    return Service("nova-compute", host, version)


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        pytest.param(Snapshot((Node("a", None, provider=KNOWN),)), [],
                     id="all answer"),
        pytest.param(
            Snapshot((Node("a", None, provider=KNOWN),),
                     unreachable={"far": "no answer within 60 s"}),
            [("unknown",
              "Cell far does not answer, and its hosts are in no other check: "
              "no answer within 60 s",
              "Look at its database and at 'nova-manage cell_v2 list_cells', "
              "or give it longer with --timeout.")],
            id="a cell is silent",
        ),
        pytest.param(
            Snapshot(()),
            [("note",
              "There are no compute nodes yet, and nothing is checked of "
              "them.",
              "Start nova-compute somewhere; then 'nova-manage cell_v2 "
              "discover_hosts'.")],
            id="a cloud without hosts",
        ),
        pytest.param(
            Snapshot((Node("a", None),)),
            [("unknown",
              "Nothing is known of the Placement API: what it holds is not "
              "compared.",
              "Look at [placement] in nova.conf, where the cloud is read.")],
            id="no Placement API",
        ),
    ],
)
def test_who_answered(snapshot, expected):
    assert said(services.reached(snapshot)) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param([], [], id="no services"),
        pytest.param([compute("a"), compute("b")], [], id="all alike"),
        pytest.param(
            [compute("a"), compute("b", 66), compute("c", 70),
             Service("nova-scheduler", "d", 74)],
            [("warning",
              "nova-compute runs in 3 versions: version 66 (Caracal) on b; "
              "version 70 on c; version 74 (Hibiscus) on a.",
              "Finish the upgrade, and delete the services of hosts that are "
              "gone ('openstack compute service delete').")],
            id="in the middle of an upgrade",
        ),
        pytest.param(
            [compute("a", 66)],
            [("note",
              "The newest service reports version 66 (Caracal), the Nova "
              "34.0.0 that is installed here is version 74 (Hibiscus): what "
              "is read from the databases may be less than there is.",
              "Run this in the environment of nova-scheduler, or install with "
              "the constraints of its release.")],
            id="another Nova here",
        ),
    ],
)
def test_versions_of_nova(found, expected):
    assert said(services.versions(found, HERE)) == expected


@pytest.mark.parametrize(
    ("drivers", "expected"),
    [
        pytest.param(["", ""], [], id="none"),
        pytest.param(["1.0", "1.0", ""], [], id="one version, as here"),
        pytest.param(
            ["1.1"],
            [("note",
              "The driver of pinning_filter on the compute nodes is 1.1, what "
              "is installed here is 1.0.",
              "Where schedulers run, install the version of the compute "
              "nodes.")],
            id="another version here",
        ),
        pytest.param(
            ["1.0", "1.1", "1.1"],
            [("warning",
              "The driver of pinning_filter runs in 2 versions: 1.0 on host0; "
              "1.1 on host1, host2.",
              "Install the same version on all compute nodes, and restart "
              "nova-compute-pinning there.")],
            id="two versions",
        ),
    ],
)
def test_versions_of_the_driver(drivers, expected):
    nodes = [
        Node(f"host{number}", None, driver=driver)
        for number, driver in enumerate(drivers)
    ]
    assert said(services.drivers(nodes, HERE)) == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(Node("a", None), [], id="of today"),
        pytest.param(
            Node("a", None, old_record=True),
            [("warning",
              "The NUMA topology of 1 compute node (a) was written by an "
              "older Nova, in a form of that time.",
              "Start today's nova-compute there, which writes it anew within "
              "a minute, or delete the service of a host that is gone.")],
            id="a compute node's",
        ),
        pytest.param(
            Node("a", None, old_servers=("s1", "s2")),
            [("warning",
              "The NUMA topology of 2 servers (s1, s2) was written by a Nova "
              "older than 22 (Victoria).",
              "Nova brings each up to date when it next reads it: 'openstack "
              "server show' of each, on a Nova that still can, before the "
              "next upgrade.")],
            id="servers'",
        ),
    ],
)
def test_records_of_old(node, expected):
    assert said(services.records([node])) == expected
