"""The PCI devices of a host that is planned with."""

import json

import pytest

from pinning_filter.core import synthetic
from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet.hosts import CloudHost, Guest
from pinning_filter.nova.pools import Pools
from tests.unit.fleet.clouds import asks, running

LINE = "cell:2 core:4"


def pool(numa_node, count):
    return {
        "vendor_id": "8086",
        "product_id": "1",
        "numa_node": numa_node,
        "count": count,
    }


def wants(policy, count=1):
    spec = [{"vendor_id": "8086", "product_id": "1"}]
    return (
        json.dumps(
            {
                "count": count,
                "spec": spec,
                "alias_name": "nic",
                "numa_policy": policy,
            }
        ),
    )


def host(*pools):
    numa = synthetic.host(LINE)
    return CloudHost("a", numa, devices=Pools(numa, pools))


def guest(policy, size=2):
    (made,) = running("b", LINE, size).guests
    return Guest("g", asks(size), made.placement, devices=wants(policy))


@pytest.mark.parametrize(
    ("pools", "policy", "cells"),
    [
        pytest.param([pool(1, 1)], "required", [1], id="near its device"),
        pytest.param([pool(0, 1)], "required", [0], id="near the other"),
        pytest.param([], "required", None, id="there is none"),
        pytest.param([pool(1, 0)], "preferred", None, id="none is free"),
    ],
)
def test_a_guest_is_placed_near_its_devices(pools, policy, cells):
    answer = host(*pools).answer(guest(policy))
    if cells is None:
        assert isinstance(answer, Refusal)
    else:
        assert [cell.host_cell.id for cell in answer.cells] == cells


def test_devices_are_taken_by_those_who_come():
    made, asked = host(pool(0, 1), pool(1, 1)), guest("required", 1)
    seen = []
    for _ in range(2):
        answer = made.answer(asked)
        seen.append(answer.cells[0].host_cell.id)
        made = made.adding(asked, answer)
    assert sorted(seen) == [0, 1]
    assert isinstance(made.answer(asked), Refusal)
