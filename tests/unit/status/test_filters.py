"""The scheduler's list of filters, right and wrong."""

import pytest

from pinning_filter.scheduler import filter as scheduler_filter
from pinning_filter.status import filters
from tests.unit.status.said import said

ALL = "nova.scheduler.filters.all_filters"
OURS = "pinning_filter.scheduler.filter.PinningFilter"
RESTART = "and restart nova-scheduler."


def test_the_class_is_where_it_is_told_to_be():
    found = scheduler_filter.PinningFilter
    assert f"{found.__module__}.{found.__name__}" == filters.CLASS


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["ComputeFilter", "PinningFilter"], [],
                     id="ours is the last"),
        pytest.param(
            ["ComputeFilter", "NUMATopologyFilter"],
            [("warning",
              "PinningFilter is not enabled; NUMATopologyFilter of Nova's is.",
              "In [filter_scheduler] enabled_filters put PinningFilter in the "
              f"place of NUMATopologyFilter, add 'available_filters = {OURS}',"
              f" {RESTART}")],
            id="Nova's instead",
        ),
        pytest.param(
            ["ComputeFilter"],
            [("warning",
              "Neither PinningFilter nor NUMATopologyFilter is enabled: "
              "servers are sent to hosts that have no room for their NUMA "
              "cells.",
              "Put PinningFilter at the end of [filter_scheduler] "
              f"enabled_filters, add 'available_filters = {OURS}', "
              f"{RESTART}")],
            id="neither",
        ),
        pytest.param(
            ["NUMATopologyFilter", "PinningFilter"],
            [("warning",
              "Both NUMATopologyFilter and PinningFilter are enabled: the "
              "same question is asked twice, and servers that "
              "NUMATopologyFilter refuses first are not told why.",
              "Remove NUMATopologyFilter from [filter_scheduler] "
              f"enabled_filters, {RESTART}")],
            id="both",
        ),
        pytest.param(
            ["PinningFilter", "ComputeFilter", "ImagePropertiesFilter"],
            [("warning",
              "PinningFilter is not the last filter: it is asked of hosts "
              "that ComputeFilter, ImagePropertiesFilter would refuse, and "
              "the reason that a server is given may count them.",
              "Put PinningFilter at the end of [filter_scheduler] "
              "enabled_filters.")],
            id="ours is the first",
        ),
        pytest.param(
            ["ComputeFilter", OURS],
            [("failure",
              "[filter_scheduler] enabled_filters takes names of classes, "
              f"not {OURS}: nova-scheduler does not start.",
              "Write PinningFilter there; the module's name belongs into "
              "available_filters.")],
            id="with its module",
        ),
    ],
)
def test_the_list(names, expected):
    assert said(filters.enabled(names)) == expected


@pytest.mark.parametrize(
    ("names", "classes", "expected"),
    [
        pytest.param(["ComputeFilter", "PinningFilter"], [ALL, OURS], [],
                     id="both are there"),
        pytest.param(["ComputeFilter"], [ALL], [], id="before installing"),
        pytest.param(
            ["PinningFilter"], [ALL],
            [("failure",
              "PinningFilter is enabled and not among available_filters: "
              "nova-scheduler does not start ('Scheduler Host Filter "
              "PinningFilter could not be found').",
              f"Add 'available_filters = {OURS}' to [filter_scheduler].")],
            id="ours cannot be found",
        ),
        pytest.param(
            ["ComputeFilter", "Own", "PinningFilter"], ["site.Own", OURS],
            [("failure",
              "ComputeFilter: enabled and not among available_filters, since "
              "that option was set without Nova's own: nova-scheduler does "
              "not start.",
              f"Add 'available_filters = {ALL}' to [filter_scheduler]; the "
              "option may be given several times.")],
            id="Nova's own cannot be found",
        ),
    ],
)
def test_what_nova_scheduler_finds(names, classes, expected):
    assert said(filters.available(names, classes)) == expected
