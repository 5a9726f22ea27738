"""Which allocation candidates of a host ask for the same."""

import types

import pytest
from nova import objects

from pinning_filter.scheduler import candidates
from tests.unit.scheduler.test_filter import pool

objects.register_all()

ONE = "5f0e9c51-6c1b-4f0a-8d3b-0f4a2f6f8f10"
TWO = "8c1d8e2b-7f3a-4046-9046-5c1d8e2b7f3a"

POOLS = [
    pool(0, "left"),
    pool(0, "left too"),
    pool(0, "left of two", count=2),
    pool(1, "right"),
    pool(0, "odd"),
    pool(0, "odd", count=2),
]


def asks(*mappings):
    """What each candidate asks of a host with the pools above."""
    requests = [
        objects.InstancePCIRequest(
            request_id=each, count=1, alias_name="nic"
        )
        for each in (ONE, TWO)
    ]
    stats = types.SimpleNamespace(pools=POOLS)
    providers = candidates.Providers(stats, requests)
    return [
        providers.asks({name: [uuid] for name, uuid in mapping.items()})
        for mapping in mappings
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            {f"{ONE}-0": "left"}, {f"{ONE}-0": "left too"}, id="alike devices"
        ),
        pytest.param(
            {"": "root", f"{ONE}-0": "left"},
            {f"{ONE}-1": "left", "": "root"},
            id="groups of other names",
        ),
        pytest.param(
            {f"{ONE}-0": "left", f"{TWO}-0": "right"},
            {f"{TWO}-0": "right", f"{ONE}-0": "left too"},
            id="groups in another order",
        ),
        pytest.param(
            {f"{ONE}-0": "nowhere"}, {f"{ONE}-0": "gone"}, id="unknown devices"
        ),
    ],
)
def test_candidates_that_get_one_answer(one, other):
    first, second = asks(one, other)
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            {f"{ONE}-0": "left"}, {f"{ONE}-0": "right"}, id="another host cell"
        ),
        pytest.param(
            {f"{ONE}-0": "left"}, {f"{TWO}-0": "left"}, id="another request"
        ),
        pytest.param(
            {f"{ONE}-0": "left"},
            {f"{ONE}-0": "left of two"},
            id="more of them there",
        ),
        pytest.param(
            {f"{ONE}-0": "left of two"},
            {f"{ONE}-0": "odd"},
            id="several pools",
        ),
        pytest.param(
            {f"{ONE}-0": "left"},
            {f"{ONE}-0": "left", f"{TWO}-0": "left"},
            id="a device more",
        ),
        pytest.param(
            {f"{ONE}-0": "left of two", f"{TWO}-0": "left of two"},
            {f"{ONE}-0": "left of two", f"{TWO}-0": "left"},
            id="twice the same provider",
        ),
        pytest.param({"": "root"}, {f"{ONE}-0": "nowhere"}, id="no device"),
    ],
)
def test_candidates_that_may_get_different_answers(one, other):
    first, second = asks(one, other)
    assert first != second
