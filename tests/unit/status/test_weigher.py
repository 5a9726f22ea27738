"""PinningWeigher, on, off and upside down."""

import pytest

from pinning_filter import opts
from pinning_filter.scheduler import weigher as scheduler_weigher
from pinning_filter.status import weigher
from tests.unit.status.said import said

ALL = "nova.scheduler.weights.all_weighers"
OURS = "pinning_filter.scheduler.weigher.PinningWeigher"
ON = [ALL, OURS]


def test_names_are_those_that_there_are():
    found = scheduler_weigher.PinningWeigher
    assert f"{found.__module__}.{found.__name__}" == weigher.CLASS
    assert opts.PINNING_WEIGHT_MULTIPLIER.name == weigher.OPTION


@pytest.mark.parametrize(
    ("classes", "multiplier", "aggregates", "expected"),
    [
        pytest.param(ON, 10000.0, {}, [], id="on"),
        pytest.param(ON, None, {}, [], id="told as a value that is none"),
        pytest.param(
            [ALL], 10000.0, {},
            [("note",
              "PinningWeigher is not enabled: pinned servers are spread as "
              "Nova's own weighers have it.",
              "If later servers are to find room, add 'weight_classes = "
              f"{OURS}' to [filter_scheduler], beside what is there.")],
            id="off",
        ),
        pytest.param(
            ON, 0.0, {},
            [("warning",
              "PinningWeigher is enabled and [pinning_filter] "
              "pinning_weight_multiplier is 0: it weighs nothing.",
              "Remove the line to have the default, or "
              f"{OURS} from weight_classes.")],
            id="on, and counts nothing",
        ),
        pytest.param(ON, 0.0, {"fast": "5"}, [],
                     id="counts in an aggregate alone"),
        pytest.param(
            ON, -1.0, {},
            [("warning",
              "[pinning_filter] pinning_weight_multiplier is -1: servers go "
              "where they do most harm to later ones.",
              "Make it a positive number.")],
            id="upside down",
        ),
        pytest.param(
            ON, 1.0, {"fast": "5", "slow": "much"},
            [("warning",
              "pinning_weight_multiplier is not a number in the metadata of "
              "aggregates slow: Nova passes over it.",
              "openstack aggregate set --property "
              "pinning_weight_multiplier=NUMBER AGGREGATE")],
            id="no number in an aggregate",
        ),
    ],
)
def test_whether_it_weighs(classes, multiplier, aggregates, expected):
    assert said(weigher.enabled(classes, multiplier, aggregates)) == expected
