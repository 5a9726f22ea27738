"""Nova is asked about devices, and seldom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from nova import objects
from nova.pci import stats, whitelist

from pinning_filter.core.fit import fit
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host
from pinning_filter.nova import pci as nova_pci

objects.register_all()

UUID = "00000000-0000-0000-0000-00000000000{}"


def pool(node: int | None, index: int, product: str = "1") -> dict[str, Any]:
    return {
        "vendor_id": "8086",
        "product_id": product,
        "numa_node": node,
        "dev_type": "type-PCI",
        "count": 1,
        "rp_uuid": f"provider-{index}",
    }


def devices(
    nodes: Sequence[int | None],
    policies: Sequence[str],
    mapping: dict[str, list[str]] | None = None,
) -> nova_pci.NovaDevices:
    plain = stats.PciDeviceStats(
        objects.NUMATopology(cells=[]), dev_filter=whitelist.Whitelist(None)
    )
    plain.pools = [pool(node, index) for index, node in enumerate(nodes)]
    requests = [
        objects.InstancePCIRequest(
            request_id=UUID.format(number),
            count=1,
            spec=[{"vendor_id": "8086"}],
            alias_name="nic",
            numa_policy=policy,
        )
        for number, policy in enumerate(policies)
    ]
    return nova_pci.NovaDevices(plain, requests, mapping or {})


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets longer with each question to Nova."""
    asked: list[int] = []
    supports = nova_pci.LightStats.support_requests

    def counting(self: Any, *arguments: Any) -> bool:
        asked.append(1)
        return bool(supports(self, *arguments))

    monkeypatch.setattr(nova_pci.LightStats, "support_requests", counting)
    return asked


@pytest.mark.parametrize(
    ("nodes", "policies", "host_cells"),
    [
        pytest.param(
            [15], ["required"], [0, 1, 2, 3, 4, 5, 6, 15], id="one, far back"
        ),
        pytest.param(
            list(range(8, 16)),
            ["required"] * 8,
            list(range(8, 16)),
            id="one near each of the last cells",
        ),
        pytest.param([15, 14], ["required"] * 3, None, id="two of three"),
        pytest.param(
            list(range(7)),
            ["required"] * 8,
            None,
            id="seven of eight",
        ),
        pytest.param(
            [99] * 4, ["legacy", "socket"], None, id="near no cell at all"
        ),
        pytest.param(
            [99] * 4, ["preferred"] * 4, list(range(8)), id="only preferred"
        ),
        pytest.param(
            [None, 3],
            ["legacy", "required"],
            [0, 1, 2, 3, 4, 5, 6, 7],
            id="one that may be anywhere",
        ),
    ],
)
def test_sixteen_host_cells_cost_a_few_questions(
    nodes: list[int | None],
    policies: list[str],
    host_cells: list[int] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = devices(nodes, policies)
    asked = counted(monkeypatch)
    request = Request(tuple(GuestCell(frozenset({cell})) for cell in range(8)))
    answer = fit(host("cell:16 core:2"), request, asking)
    chosen = (
        sorted(cell.host_cell.id for cell in answer.cells) if answer else None
    )
    assert chosen == host_cells
    assert len(asked) <= 4


@pytest.mark.parametrize("policy", ["required", "legacy", "preferred"])
@pytest.mark.parametrize("named", range(6))
def test_fewer_pools_change_no_answer(policy: str, named: int) -> None:
    nodes = [0, 0, 1, 1, None, 99]
    mapping = {f"{UUID.format(0)}-0": [f"provider-{named}"]}
    asking = devices(nodes, [policy], mapping)
    plain = nova_pci.LightStats(
        None, [pool(node, index) for index, node in enumerate(nodes)]
    )
    for cells in ([0], [1], [2], [0, 1], [1, 2]):
        nova_says = plain.support_requests(
            [
                objects.InstancePCIRequest(
                    request_id=UUID.format(0),
                    count=1,
                    spec=[{"vendor_id": "8086"}],
                    alias_name="nic",
                    numa_policy=policy,
                )
            ],
            mapping,
            [objects.InstanceNUMACell(id=cell) for cell in cells],
        )
        assert asking.attempts[0](cells) is nova_says
    assert [asking.free(cell) for cell in (0, 1, 2)] == [2, 2, 0]


@pytest.mark.parametrize(
    ("host_cells", "expected"), [([0], False), ([1], False), ([0, 1], True)]
)
def test_of_two_devices_named_none_is_left_out(
    host_cells: list[int], expected: bool
) -> None:
    plain = nova_pci.LightStats(None, [pool(0, 0), pool(1, 1)])
    plain.pools[1]["count"] = 2
    request = objects.InstancePCIRequest(
        request_id=UUID.format(0),
        count=2,
        spec=[{"vendor_id": "8086"}],
        alias_name="nic",
        numa_policy="required",
    )
    mapping = {f"{UUID.format(0)}-{n}": [f"provider-{n}"] for n in (0, 1)}
    asking = nova_pci.NovaDevices(plain, [request], mapping)
    assert asking.attempts[0](host_cells) is expected


def served(*policies: str | None) -> list[list[int]]:
    """The orders in which requests of these policies may be served."""
    requests = [
        objects.InstancePCIRequest(
            request_id=UUID.format(number), numa_policy=policy
        )
        for number, policy in enumerate(policies)
    ]
    return [
        [requests.index(each) for each in order]
        for order in nova_pci.orders(requests)
    ]


def test_after_the_order_given_the_strictest_is_first_and_ties_stay() -> None:
    policies = ["preferred", None, "socket", "legacy", "required"]
    assert served(*policies) == [[0, 1, 2, 3, 4], [4, 2, 1, 3, 0]]


def test_of_few_requests_every_order_is_tried_once() -> None:
    assert served("required") == [[0]]
    assert served("preferred", "required") == [[0, 1], [1, 0]]
    assert sorted(served("required", "required", "required")) == [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ]


def test_one_for_any_device_leaves_the_only_one_of_a_kind() -> None:
    plain = nova_pci.LightStats(None, [pool(0, 0, "2"), pool(0, 1, "1")])
    requests = [
        objects.InstancePCIRequest(
            request_id=UUID.format(number),
            count=1,
            spec=[spec],
            numa_policy="required",
        )
        for number, spec in enumerate(
            [{"vendor_id": "8086"}, {"product_id": "2"}]
        )
    ]
    asking = nova_pci.NovaDevices(plain, requests, {})
    assert [accepts([0]) for accepts in asking.attempts] == [False, True]
