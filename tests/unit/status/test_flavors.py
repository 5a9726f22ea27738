"""Flavors and images that Nova refuses, or no host ever takes."""

import pytest

from pinning_filter.cloud.snapshot import Aggregate, Flavor
from pinning_filter.status import flavors
from tests.unit.cli import clouds
from tests.unit.status.said import said

DEDICATED = clouds.DEDICATED
#: Full: what is asked of it is what it has without guests.
FULL = clouds.node("full", "cell:2(memory=8GiB) core:2 pu:2",
                   clouds.guest(4), clouds.guest(4))
FILTERS = ("AggregateInstanceExtraSpecsFilter",)


def flavor(name="f", vcpus=2, ram_mib=1024, **specs):
    return Flavor(name, vcpus, ram_mib, 1, specs)


def asked(*given):
    return [flavors.asked(each) for each in given]


def unset(kind, name):
    return (
        f"Correct the {kind}, such as by: openstack {kind} unset --property "
        f"KEY {name}"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(flavor(**DEDICATED), [], id="Nova takes it"),
        pytest.param(
            flavor("b; reboot", **{"hw:numa_node": "2"}),
            [("warning",
              "Flavor 'b; reboot': hw:numa_node=2: Validation failed; extra "
              "spec 'hw:numa_node' does not appear to be a valid extra spec.",
              unset("flavor", "'b; reboot'"))],
            id="a key that there is not",
        ),
        pytest.param(
            flavor("huge", 2, **{"hw:numa_nodes": "3"}),
            [("warning",
              "Flavor 'huge' cannot be booted: Instance CPUs and/or memory "
              "cannot be evenly distributed across instance NUMA nodes. "
              "Explicit assignment of CPUs and memory to nodes is required",
              unset("flavor", "huge"))],
            id="more NUMA cells than vCPUs",
        ),
    ],
)
def test_what_nova_refuses(given, expected):
    assert said(flavors.refused(asked(given))) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(flavor(vcpus=4, **DEDICATED), [],
                     id="it fits where there are no guests"),
        pytest.param(flavor(vcpus=400), [], id="no NUMA cells are asked for"),
        pytest.param(
            flavor("wide", 5, **DEDICATED),
            [("warning",
              "Flavor 'wide' fits no host, even without guests. No host can "
              "take 5 pinned vCPUs in one NUMA cell: 5 dedicated pCPUs are "
              "needed in one NUMA cell, 1 host has 4 even when empty.",
              "Add such a host or correct the flavor, or delete it.")],
            id="more vCPUs than a host cell has",
        ),
        pytest.param(
            flavor("gpu", **DEDICATED,
                   **{"aggregate_instance_extra_specs:gpu": "yes"}),
            [("warning",
              "Flavor 'gpu' fits no host, even without guests. No aggregate "
              "with compute nodes has what it asks for.",
              "Add such a host or correct the flavor, or delete it.")],
            id="an aggregate that there is not",
        ),
    ],
)
def test_what_fits_no_host(given, expected):
    fleet = flavors.Fleet([FULL], FILTERS)
    assert said(flavors.never(asked(given), fleet)) == expected


def test_the_aggregate_that_there_is():
    fast = clouds.node("fast", "cell:1 core:4",
                       aggregates=(Aggregate("f", {"cpu": "fast"}),))
    fleet = flavors.Fleet([FULL, fast], FILTERS)
    asks = {"aggregate_instance_extra_specs:cpu": "fast"}
    (found,) = asked(flavor(vcpus=4, **DEDICATED, **asks))
    assert fleet.against(found) == ""


PINNED, SHARED = flavor("pinned", **DEDICATED), flavor("shared")
FLOATING = flavor("floating", **{"hw:cpu_policy": "shared"})
OVERRIDES = (
    "Image property 'hw_cpu_policy' is not permitted to override CPU pinning "
    "policy set against the flavor"
)
NONE_GOES = "No flavor goes with it: correct the image or a flavor."


@pytest.mark.parametrize(
    ("given", "properties", "expected"),
    [
        pytest.param([PINNED, SHARED], {"hw_cpu_policy": "dedicated"}, [],
                     id="it goes with all"),
        pytest.param(
            [PINNED, FLOATING], {"hw_cpu_policy": "dedicated"},
            [("note",
              "Image 'i': Nova refuses it with 1 flavor (floating): Flavor "
              f"'floating' cannot be booted: {OVERRIDES}.",
              "")],
            id="it contradicts one of them",
        ),
        pytest.param(
            [FLOATING], {"hw_cpu_policy": "dedicated"},
            [("warning",
              "Image 'i': Nova refuses it with 1 flavor (floating): Flavor "
              f"'floating' cannot be booted: {OVERRIDES}.",
              NONE_GOES)],
            id="it contradicts all",
        ),
        pytest.param(
            [PINNED], {"hw_numa_node": "2"},
            [("warning",
              "Image 'i': hw_numa_node: Nova knows no such property; do you "
              "mean hw_numa_nodes?",
              unset("image", "i"))],
            id="a property that there is not",
        ),
        pytest.param(
            [flavor("four", 4, **DEDICATED)], {"hw_numa_nodes": "4"},
            [("warning",
              "Image 'i': No host, even without guests, takes it with 1 "
              "flavor (four): No host can take 4 pinned vCPUs in 4 NUMA "
              "cells: 4 NUMA cells are needed, 1 host has 2.",
              NONE_GOES)],
            id="no host takes it",
        ),
    ],
)
def test_images(given, properties, expected):
    fleet = flavors.Fleet([FULL], FILTERS)
    found = flavors.images(asked(*given), {"i": properties}, fleet)
    assert said(found) == expected
