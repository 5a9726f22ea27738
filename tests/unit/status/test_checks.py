"""All checks together: what is asked of which facts, and what of none."""

import dataclasses
import pathlib

import pytest

from pinning_filter.cloud.snapshot import Provider, Snapshot
from pinning_filter.status import checks
from pinning_filter.status.facts import Configuration, Facts, Installed
from tests.unit.cli import clouds

HERE = Installed("34.0.0", 74, "1.0")
GOOD = Configuration(
    ("nova.scheduler.filters.all_filters",
     "pinning_filter.scheduler.filter.PinningFilter"),
    ("ComputeFilter", "PinningFilter"),
    ("nova.scheduler.weights.all_weighers",
     "pinning_filter.scheduler.weigher.PinningWeigher"),
    10000.0,
    "nova",
)
CLOUD = Snapshot(
    (clouds.node("a", "cell:2 core:4 pu:2", clouds.guest(2),
                 provider=Provider({}, frozenset())),),
    filters=("ComputeFilter", "PinningFilter"),
)
NAMES = [check.name for check in checks.CHECKS]
WHOLE = Facts(HERE, GOOD, CLOUD, services=(), images={})


def run(facts):
    return {
        result.check: (
            result.level.value, [each.text for each in result.findings]
        )
        for result in checks.run(facts)
    }


def test_a_good_cloud_has_nothing_to_say():
    assert run(WHOLE) == dict.fromkeys(NAMES, ("ok", []))


def test_of_a_dump_what_a_dump_knows():
    """There is no nova.conf, no services, no images."""
    found = run(Facts(HERE, snapshot=CLOUD))
    assert NAMES[-5:] == [
        "preferences", "flavors", "images", "records", "audit"
    ]
    left_out = {"weigher", "options", "services", "images"}
    assert found == dict.fromkeys(
        [name for name in NAMES if name not in left_out], ("ok", [])
    )


def test_the_list_of_filters_is_that_of_the_dump():
    filters = ("PinningFilter", "ComputeFilter")
    facts = Facts(HERE, snapshot=dataclasses.replace(CLOUD, filters=filters))
    assert run(facts)["filters"][0] == "warning"


def test_without_a_database_nova_conf_is_checked_and_the_rest_has_a_reason():
    missing = dict.fromkeys(("snapshot", "services", "images"), "it is gone")
    found = run(Facts(HERE, GOOD, missing=missing))
    of_conf = {"filters", "weigher", "options"}
    assert found["databases"] == ("unknown", ["Not checked: it is gone"])
    assert found == {
        "databases": found["databases"],
        **dict.fromkeys(of_conf, ("ok", [])),
        **dict.fromkeys(
            set(NAMES) - of_conf - {"databases"},
            ("unknown", ["Not checked, for the reason that databases has."]),
        ),
    }


def test_another_reason_is_told():
    facts = dataclasses.replace(
        WHOLE, images=None, missing={"images": "Glance cannot be asked"}
    )
    assert run(facts)["images"] == (
        "unknown", ["Not checked: Glance cannot be asked"]
    )


def test_an_image_is_not_blamed_for_a_flavor_that_fits_nowhere():
    wide = clouds.Flavor("wide", 9, 1024, 1, clouds.DEDICATED)
    cloud = dataclasses.replace(CLOUD, flavors=(wide,))
    facts = dataclasses.replace(
        WHOLE, snapshot=cloud, images={"i": {"hw_cpu_policy": "dedicated"}}
    )
    found = run(facts)
    assert (found["flavors"][0], found["images"]) == ("warning", ("ok", []))


def test_the_multiplier_of_an_aggregate_is_read():
    metadata = {"pinning_weight_multiplier": "much"}
    (node,) = CLOUD.nodes
    odd = dataclasses.replace(
        node, aggregates=(clouds.Aggregate("odd", metadata),)
    )
    cloud = dataclasses.replace(CLOUD, nodes=(odd,))
    facts = dataclasses.replace(WHOLE, snapshot=cloud)
    assert run(facts)["weigher"][0] == "warning"


@pytest.mark.parametrize("name", NAMES)
def test_a_check_is_told_in_the_documentation(name):
    source = pathlib.Path(__file__).parents[3] / "doc" / "source"
    assert f"``{name}``" in (source / "status.rst").read_text()
