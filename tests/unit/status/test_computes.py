"""Compute nodes that are set up so that servers are refused, or misplaced."""

import pytest

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import synthetic
from pinning_filter.status import computes
from tests.unit.status.said import said

HOST = synthetic.host("cell:2 core:2 pu:2")


def node(name, **cells):
    """A compute node, whose every cell has some fields otherwise."""
    changed = tuple(each._replace(**cells) for each in HOST.cells)
    return Node(name, HOST._replace(cells=changed))


def legacy(name):
    """One with vcpu_pin_set, or with nothing at all."""
    cells = tuple(each._replace(shared=each.dedicated) for each in HOST.cells)
    return Node(name, HOST._replace(cells=cells))


GOOD = node("good")
SHARED = node("shared", dedicated=frozenset(), free=frozenset(),
              shared=frozenset({0}))
DUMB = Node("dumb", None)
NUMA_REMEDY = (
    "Nova reports it where libvirt runs QEMU or KVM on x86, ARM or PowerPC; "
    "see [libvirt] virt_type there, and that 'virsh capabilities' has "
    "<topology>. For other hosts this is as it should be."
)
SETS_REMEDY = (
    "Set [compute] cpu_dedicated_set and cpu_shared_set there, and remove "
    "vcpu_pin_set; pinned servers that run there need their pCPUs in the "
    "first."
)
MIXED = (
    "1 compute node (old) of 2 use the same pCPUs for pinned and for floating "
    "vCPUs: there is the old vcpu_pin_set, or neither [compute] "
    "cpu_dedicated_set nor cpu_shared_set."
)


@pytest.mark.parametrize(
    ("nodes", "wanted", "expected"),
    [
        pytest.param([GOOD], ["big"], [], id="reported"),
        pytest.param([GOOD, DUMB], [], [], id="not asked for"),
        pytest.param([Node("odd", None, problem="junk")], ["big"], [],
                     id="unreadable, which the audit tells"),
        pytest.param(
            [GOOD, DUMB], ["big"],
            [("warning",
              "1 compute node (dumb) of 2 report no NUMA topology: servers of "
              "flavors with NUMA cells (big) cannot go there.",
              NUMA_REMEDY)],
            id="a host without",
        ),
        pytest.param(
            [DUMB], ["big"],
            [("failure",
              "1 compute node (dumb) of 1 report no NUMA topology: servers of "
              "flavors with NUMA cells (big) cannot go there.",
              NUMA_REMEDY)],
            id="all hosts without",
        ),
    ],
)
def test_topology(nodes, wanted, expected):
    assert said(computes.topology(nodes, wanted)) == expected


@pytest.mark.parametrize(
    ("nodes", "pinned", "asks_vcpu", "expected"),
    [
        pytest.param([GOOD, SHARED], ["p"], True, [],
                     id="some hosts for pinned vCPUs, some for floating"),
        pytest.param([SHARED], [], True, [], id="nobody asks for pinned"),
        pytest.param(
            [GOOD, legacy("old")], [], True,
            [("warning", MIXED, SETS_REMEDY)],
            id="vcpu_pin_set, and nobody asks for pinned",
        ),
        pytest.param(
            [GOOD, legacy("old")], ["p"], True,
            [("warning",
              f"{MIXED} Pinned servers go there as VCPU, which the Placement "
              "API counts together with floating ones.",
              SETS_REMEDY)],
            id="vcpu_pin_set",
        ),
        pytest.param(
            [GOOD, legacy("old")], ["p"], False,
            [("failure",
              f"{MIXED} With [workarounds] disable_fallback_pcpu_query no "
              "pinned server goes there.",
              SETS_REMEDY)],
            id="vcpu_pin_set, and PCPU alone is asked for",
        ),
        pytest.param(
            [SHARED, DUMB], ["p"], True,
            [("failure",
              "No compute node has pCPUs for pinned vCPUs, and flavors ask "
              "for them (p).",
              "Set [compute] cpu_dedicated_set on compute nodes, and restart "
              "nova-compute.")],
            id="no dedicated pCPUs anywhere",
        ),
    ],
)
def test_cpu_sets(nodes, pinned, asks_vcpu, expected):
    assert said(computes.cpu_sets(nodes, pinned, asks_vcpu)) == expected


PLAIN = Node("plain", HOST, plain_nova=True)
OURS = Node("ours", HOST, driver="1.0", prefers="nova")


@pytest.mark.parametrize(
    ("nodes", "several", "expected"),
    [
        pytest.param([OURS], ["two-cells"], [], id="with the driver"),
        pytest.param([PLAIN], [], [], id="no flavor of several cells"),
        pytest.param([GOOD], ["two-cells"], [], id="not known"),
        pytest.param(
            [PLAIN, OURS], ["two-cells"],
            [("warning",
              "1 compute node (plain) of 2 run without the driver of "
              "pinning_filter, and flavors have several guest cells "
              "(two-cells). There Nova's own claim decides, which is wrong "
              "for some of them; PinningFilter passes such a host only where "
              "it is right.",
              "Start nova-compute-pinning there, with compute_driver = "
              "pinning.PinningLibvirtDriver.")],
            id="without the driver",
        ),
    ],
)
def test_driver(nodes, several, expected):
    assert said(computes.driver(nodes, several)) == expected


ALIKE = (
    "Set [compute] packing_host_numa_cells_allocation_strategy and "
    "[pinning_filter] core_choice alike on all of them, and restart the "
    "services."
)
CLAIM = (
    "A claim may take other pCPUs than the scheduler counted, and the next "
    "server of a request fail there."
)


@pytest.mark.parametrize(
    ("nodes", "scheduler", "expected"),
    [
        pytest.param([OURS], "nova", [], id="alike"),
        pytest.param([OURS], None, [], id="of a dump"),
        pytest.param([PLAIN], "nova", [], id="plain Nova's default"),
        pytest.param([PLAIN], "tight", [],
                     id="tight, which plain Nova never is"),
        pytest.param(
            [OURS, Node("other", HOST, prefers="spread")], "nova",
            [("warning",
              "Compute nodes and schedulers do not prefer the same NUMA "
              "cells and cores: nova on ours; spread on other; nova on this "
              f"scheduler. {CLAIM}",
              ALIKE)],
            id="two computes differ",
        ),
        pytest.param(
            [OURS, Node("other", HOST, prefers="spread")], None,
            [("warning",
              "Compute nodes and schedulers do not prefer the same NUMA "
              f"cells and cores: nova on ours; spread on other. {CLAIM}",
              ALIKE)],
            id="two computes of a dump differ",
        ),
        pytest.param(
            [OURS], "tight",
            [("warning",
              "Compute nodes and schedulers do not prefer the same NUMA "
              "cells and cores: nova on ours; tight on this scheduler. "
              f"{CLAIM}",
              ALIKE)],
            id="the scheduler differs",
        ),
        pytest.param(
            [PLAIN], "nova, packing",
            [("note",
              "Whether 1 compute node (plain) without the driver of "
              "pinning_filter have [compute] "
              "packing_host_numa_cells_allocation_strategy, as this scheduler "
              "has, cannot be known here: plain Nova does not report it.",
              "Compare nova.conf of those hosts.")],
            id="plain Nova does not say",
        ),
    ],
)
def test_preferences(nodes, scheduler, expected):
    assert said(computes.preferences(nodes, scheduler)) == expected
