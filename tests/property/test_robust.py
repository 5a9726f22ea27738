"""Whatever a compute node reports, the scheduler gets its answer."""

from __future__ import annotations

import json
import math
from typing import Any

import hypothesis.strategies as st
from hypothesis import assume, event, given
from nova import objects
from nova.scheduler import weights
from nova.virt import hardware

from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher
from tests.unit.scheduler.test_filter import (
    HostState,
    cell_of,
    dedicated,
    spec,
)

objects.register_all()

NETWORKS = {"physnets": {"data"}, "tunneled": True}
#: What may stand anywhere in the JSON that Nova keeps of a host.
VALUES = [
    *(None, True, -1, 0, 1, 2.5, 10**30),
    *("", "x", "0-3", [], {}, [None], ["a"], [1, 1], [99]),
    *([[]], [[0, 1], [1, 2]], {"a": 1}),
]
MISSING = object()


def _text() -> str:
    host = HostState()
    cell_of(host).network_metadata = objects.NetworkMetadata(**NETWORKS)
    return str(host.numa_topology._to_json())


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value in JSON."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(data, dict):
        pairs = list(data.items())
    elif isinstance(data, list):
        pairs = list(enumerate(data))
    found = [(*place, key) for key, _ in pairs]
    for key, value in pairs:
        found += _places(value, (*place, key))
    return found


TEXT = _text()
PLACES = _places(json.loads(TEXT))


def _spoilt(changes: list[tuple[tuple[Any, ...], Any]]) -> str:
    data = json.loads(TEXT)
    for place, value in changes:
        inner = data
        try:
            for key in place[:-1]:
                inner = inner[key]
            if value is MISSING:
                del inner[place[-1]]
            else:
                inner[place[-1]] = value
        except (LookupError, TypeError):
            pass  # an earlier change took it away
    return json.dumps(data)


REQUESTS = [
    (dedicated(2), {}),
    (dedicated(2, 2), {}),
    (dedicated(2), {"network_metadata": objects.NetworkMetadata(**NETWORKS)}),
    (dedicated(2, policy="isolate"), {}),
    (dedicated(2, policy="require"), {}),
]


@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(PLACES), st.sampled_from([MISSING, *VALUES])
        ),
        min_size=1,
        max_size=2,
    ),
    asked=st.sampled_from(REQUESTS),
    stats=st.sampled_from([{}, {"pinning_filter": "1.0"}]),
)
def test_a_host_is_judged_weighed_and_counted_or_refused(
    changes: Any, asked: Any, stats: dict[str, str]
) -> None:
    host = HostState()
    try:
        host.numa_topology = objects.NUMATopology.obj_from_db_obj(
            _spoilt(changes)
        )
    except Exception:
        assume(False)  # Nova itself takes such a host for gone
    host.stats, host.aggregates = stats, []
    request, fields = asked
    spec_obj = spec(request, **fields)
    try:
        passed = list(PinningFilter().filter_all([host], spec_obj))
        (weight,) = PinningWeigher().weigh_objects(
            [weights.WeighedHost(host, 0.0)], spec_obj
        )
        assert math.isfinite(weight)
        event("passed" if passed else "refused")
        if passed:
            _count(host, spec_obj)
    finally:
        nova_fit.uninstall()


def _count(host: Any, spec_obj: objects.RequestSpec) -> None:
    """As Nova does with a host that was chosen."""
    with nova_stats.fitting_to(host.stats):
        fitted = nova_fit.numa_fit_instance_to_host(
            host.numa_topology,
            spec_obj.numa_topology,
            {},
            limits=host.limits["numa_topology"],
        )
    assert fitted is not None
    hardware.numa_usage_from_instance_numa(host.numa_topology, fitted)
