"""Nova's fit, answered by ours: what Nova gets wrong, and the seam itself.

Each reproducer shows our answer and, beside it, that the Nova installed is
still wrong: the day that fails, Nova was mended.

A host is written as the free pCPUs of its cells, two pCPUs to a cell unless
said, numbered on: ``(1, 2)`` is pCPU 0 free and 1 used, 2 and 3 free.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from nova import conf, exception, objects
from nova.pci import stats, whitelist
from nova.virt import hardware

from pinning_filter.nova import fit as nova_fit

objects.register_all()

#: host cell, pinning, pCPUs reserved: one guest cell's place.
Place = tuple[int, dict[int, int], set[int]]

GIB = 1024  #: in MiB
UUID = "00000000-0000-0000-0000-00000000000{}"


@pytest.fixture(autouse=True)
def _nova() -> Iterator[None]:
    nova_fit.uninstall()
    yield
    nova_fit.uninstall()


def host_cell(
    number: int,
    pcpus: Sequence[int],
    used: Sequence[int] = (),
    siblings: Sequence[set[int]] | None = None,
    shared: Sequence[int] = (),
    pages: Sequence[tuple[int, int]] = ((4, 1 << 20),),
    physnet: str | None = None,
) -> objects.NUMACell:
    cell = objects.NUMACell(
        id=number,
        cpuset=set(shared),
        pcpuset=set(pcpus),
        memory=4 * GIB,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=set(used),
        siblings=[{pcpu} for pcpu in pcpus] if siblings is None else siblings,
        mempages=[
            objects.NUMAPagesTopology(size_kb=size, total=total, used=0)
            for size, total in pages
        ],
        socket=0,
    )
    cell.network_metadata = objects.NetworkMetadata(
        physnets={physnet} if physnet else set(), tunneled=False
    )
    return cell


def host(free: Sequence[int], size: int = 2) -> objects.NUMATopology:
    cells = []
    for number, count in enumerate(free):
        pcpus = range(number * size, (number + 1) * size)
        cells.append(host_cell(number, pcpus, used=pcpus[count:]))
    return objects.NUMATopology(cells=cells)


def guest(
    vcpus: Sequence[int],
    threads: str | None = None,
    emulator: str | None = None,
    page_size: int | None = None,
    shared: Sequence[int] = (),
    ids: Sequence[int] | None = None,
) -> objects.InstanceNUMATopology:
    """A guest with so many dedicated (and shared) vCPUs in its cells."""
    cells = []
    first = 0
    for index, count in enumerate(vcpus):
        floating = shared[index] if shared else 0
        last = first + count + floating
        cells.append(
            objects.InstanceNUMACell(
                id=ids[index] if ids else index,
                pcpuset=set(range(first, first + count)),
                cpuset=set(range(first + count, last)),
                memory=GIB if page_size else 256,
                pagesize=page_size,
                cpu_policy="mixed" if shared else "dedicated",
                cpu_thread_policy=threads,
            )
        )
        first = last
    return objects.InstanceNUMATopology(
        cells=cells, emulator_threads_policy=emulator
    )


def places(fitted: objects.InstanceNUMATopology | None) -> list[Place] | None:
    if fitted is None:
        return None
    return [
        (cell.id, cell.cpu_pinning or {}, cell.cpuset_reserved or set())
        for cell in fitted.cells
    ]


def devices(
    topology: objects.NUMATopology, nodes: Sequence[int | None]
) -> stats.PciDeviceStats:
    """One device near each of these host cells, of a product of its own."""
    found = stats.PciDeviceStats(
        topology, dev_filter=whitelist.Whitelist(None)
    )
    found.pools = [
        {
            "vendor_id": "8086",
            "product_id": f"100{index}",
            "numa_node": node,
            "dev_type": "type-PCI",
            "count": 1,
            "rp_uuid": f"provider-{index}",
        }
        for index, node in enumerate(nodes)
    ]
    return found


def device(
    number: int, policy: str, product: str | None = None
) -> objects.InstancePCIRequest:
    spec = {"vendor_id": "8086"}
    if product:
        spec["product_id"] = product
    return objects.InstancePCIRequest(
        request_id=UUID.format(number),
        count=1,
        spec=[spec],
        alias_name="nic",
        numa_policy=policy,
    )


def networks(*physnets: str) -> objects.NUMATopologyLimits:
    return objects.NUMATopologyLimits(
        cpu_allocation_ratio=16.0,
        ram_allocation_ratio=1.5,
        network_metadata=objects.NetworkMetadata(
            physnets=set(physnets), tunneled=False
        ),
    )


def consume(
    topology: objects.NUMATopology, fitted: objects.InstanceNUMATopology
) -> objects.NUMATopology:
    """What the claim on the compute node does with an answer."""
    return hardware.numa_usage_from_instance_numa(topology, fitted)


ours = nova_fit.numa_fit_instance_to_host
stock = nova_fit.stock_fit

THREE_CORES = [{0, 1}, {2, 3}, {4, 5}]


def three_cores() -> objects.NUMATopology:
    """Three cores of two threads, ``vcpu_pin_set``, pCPU 0 in use."""
    cell = host_cell(
        0, range(6), used=[0], siblings=THREE_CORES, shared=range(6)
    )
    return objects.NUMATopology(cells=[cell])


def smt4() -> objects.NUMATopology:
    """Two cores of four threads: four are free of one, two of the other."""
    cell = host_cell(
        0, range(8), used=[6, 7], siblings=[{0, 1, 2, 3}, {4, 5, 6, 7}]
    )
    return objects.NUMATopology(cells=[cell])


def mixed_host(siblings: Sequence[set[int]], used: Sequence[int]) -> Any:
    """Two cells; the second one's cores are as given."""
    return objects.NUMATopology(
        cells=[
            host_cell(
                0, [0, 1, 2, 3], siblings=[{0, 1}, {2, 3}], shared=[8, 9]
            ),
            host_cell(1, [4, 5, 6, 7], used, siblings, shared=[10, 11]),
        ]
    )


@pytest.mark.parametrize(
    ("topology", "request_", "right"),
    [
        pytest.param(
            host((1, 1, 1)),
            guest((1, 1, 2)),
            None,
            id="a guest that does not fit is not accepted without pinning",
        ),
        pytest.param(
            host((0, 1, 1, 1)),
            guest((1, 1, 2)),
            None,
            id="no vCPU is pinned outside its host cell",
        ),
        pytest.param(
            host((1, 2, 0, 1)),
            guest((1, 1, 2)),
            [(0, {0: 0}, set()), (3, {1: 6}, set()), (1, {2: 2, 3: 3}, set())],
            id="no pCPU is given to two vCPUs",
        ),
        pytest.param(
            host((0, 1, 1, 1)),
            guest((1, 1, 2), "isolate"),
            None,
            id="isolate does not hide pins outside the host cell",
        ),
        pytest.param(
            three_cores(),
            guest((1,), "isolate", "isolate"),
            [(0, {0: 2}, {4})],
            id="isolated emulator threads do not share a used core",
        ),
        pytest.param(
            host((0, 2, 1)),
            guest((1, 2)),
            [(2, {0: 4}, set()), (1, {1: 2, 2: 3}, set())],
            id="the only way round is found",
        ),
        pytest.param(
            smt4(),
            guest((6,), "require"),
            [(0, {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 5}, set())],
            id="require takes siblings from cores that are not alike",
        ),
        pytest.param(
            mixed_host([{4, 5}, {6, 7}], used=[4, 6]),
            guest((2, 0), "require", shared=(0, 2)),
            [(0, {0: 0, 1: 1}, set()), (1, {}, set())],
            id="require asks nothing of a guest cell of shared vCPUs",
        ),
        pytest.param(
            objects.NUMATopology(
                cells=[
                    host_cell(0, [0, 1], shared=[8, 9]),
                    host_cell(1, [2, 3], shared=[10, 11]),
                ]
            ),
            guest((2, 0), "isolate", shared=(0, 2)),
            [(0, {0: 0, 1: 1}, set()), (1, {}, set())],
            id="isolate asks nothing of a guest cell of shared vCPUs",
        ),
        pytest.param(
            host((1, 1)),
            guest((1, 2), ids=(-1, -1)),
            None,
            id="ids that an aborted claim left behind do not matter",
        ),
    ],
)
def test_right_where_nova_is_wrong(
    topology: objects.NUMATopology,
    request_: objects.InstanceNUMATopology,
    right: list[Place] | None,
) -> None:
    assert places(ours(topology, request_, {})) == right
    assert places(stock(topology, copy.deepcopy(request_), {})) != right


@pytest.mark.parametrize(
    ("limits", "requests", "nodes"),
    [
        pytest.param(networks("a", "b"), [], [], id="physical networks"),
        pytest.param(
            None,
            [device(0, "required", "1001"), device(1, "required", "1003")],
            [0, 1, 2, 3],
            id="devices",
        ),
    ],
)
def test_a_second_look_follows_networks_and_devices(
    limits: Any, requests: Any, nodes: list[int]
) -> None:
    """Two guest cells that are alike, and something near cells 1 and 3."""
    near = {1: "a", 3: "b"}
    topology = objects.NUMATopology(
        cells=[
            host_cell(
                number,
                range(number * 4, number * 4 + 4),
                physnet=near.get(number),
            )
            for number in range(4)
        ]
    )
    pools = devices(topology, nodes)
    arguments = (topology, guest((2, 2)), {}, limits, requests, pools)
    fitted = ours(*arguments)
    assert places(fitted) == [
        (1, {0: 4, 1: 5}, set()),
        (3, {2: 12, 3: 13}, set()),
    ]
    used = consume(topology, fitted)
    assert [cell.pinned_cpus for cell in used.cells] == [
        set(),
        {4, 5},
        set(),
        {12, 13},
    ]
    wrong = stock(*copy.deepcopy(arguments))
    with pytest.raises(exception.CPUPinningUnknown):
        consume(topology, wrong)


def large_pages() -> objects.NUMATopology:
    pages = [(4, 1 << 18), (2048, 1024), (1 << 20, 1)]
    return objects.NUMATopology(cells=[host_cell(0, range(4), pages=pages)])


def test_a_second_server_gets_the_page_size_that_was_asked_for() -> None:
    """The scheduler fits the next server from what the first was given."""
    topology = large_pages()
    first = ours(topology, guest((1,), page_size=-2), {})
    assert first.cells[0].pagesize == 1 << 20
    second = ours(consume(topology, first), first, {})
    assert second.cells[0].pagesize == 2048

    wrong = stock(topology, guest((1,), page_size=-2), {})
    assert stock(consume(topology, wrong), wrong, {}) is None


def test_the_strictest_request_gets_the_only_near_device() -> None:
    topology = host((2, 0))
    pools = devices(topology, [0, 1])
    for pool in pools.pools:
        del pool["rp_uuid"]
    requests = [device(0, "preferred"), device(1, "required")]
    fitted = ours(topology, guest((2,)), {}, None, requests, pools)
    assert places(fitted) == [(0, {0: 0, 1: 1}, set())]
    assert stock(topology, guest((2,)), {}, None, requests, pools) is None

    # And Nova, following, hands the devices out in that order.
    with pytest.raises(exception.PciDeviceRequestFailed):
        copy.deepcopy(pools).apply_requests(requests, {}, fitted.cells)
    nova_fit.install()
    pools.apply_requests(requests, {}, fitted.cells)
    assert pools.pools == []


def test_later_candidates_are_asked_the_same_question() -> None:
    topology = host((2, 1))
    pools = devices(topology, [0, 0])
    requests = [device(0, "required")]
    candidates = [
        {f"{UUID.format(0)}-0": [f"provider-{index}"]} for index in (0, 1)
    ]
    request_ = guest((1, 2))
    right = [(1, {0: 2}, set()), (0, {1: 0, 2: 1}, set())]
    for mapping in candidates:
        assert (
            places(ours(topology, request_, mapping, None, requests, pools))
            == right
        )
    verdicts = [
        bool(stock(topology, request_, mapping, None, requests, pools))
        for mapping in candidates
    ]
    assert verdicts == [True, False]


def test_the_request_is_never_changed() -> None:
    request_ = guest((1, 2), "require", "isolate", page_size=-2)
    before = request_.obj_to_primitive()
    topology = objects.NUMATopology(
        cells=[
            host_cell(
                number,
                range(number * 4, number * 4 + 4),
                siblings=[
                    {number * 4, number * 4 + 1},
                    {number * 4 + 2, number * 4 + 3},
                ],
                pages=[(4, 1 << 18), (1 << 20, 1)],
            )
            for number in range(2)
        ]
    )
    fitted = ours(topology, request_, {})
    assert places(fitted) == [
        (0, {0: 0}, {1}),
        (1, {1: 4, 2: 5}, set()),
    ]
    assert request_.obj_to_primitive() == before


def test_the_answer_travels_as_nova_sends_it() -> None:
    fitted = ours(host((2, 2)), guest((2, 1), emulator="isolate"), {})
    assert fitted is None  # Three pCPUs are not in one cell.
    fitted = ours(host((2, 2)), guest((1, 2), emulator="isolate"), {})
    again = objects.InstanceNUMATopology.obj_from_primitive(
        fitted.obj_to_primitive()
    )
    assert places(again) == [
        (0, {0: 0}, {1}),
        (1, {1: 2, 2: 3}, set()),
    ]
    assert again.emulator_threads_policy == "isolate"


def test_what_was_claimed_can_be_given_back() -> None:
    topology = host((2, 1))
    fitted = ours(topology, guest((1, 1), emulator="isolate"), {})
    used = consume(topology, fitted)
    assert [cell.pinned_cpus for cell in used.cells] == [{0, 1}, {2, 3}]
    freed = hardware.numa_usage_from_instance_numa(used, fitted, free=True)
    assert [cell.pinned_cpus for cell in freed.cells] == [set(), {3}]


@pytest.mark.parametrize(
    ("topology", "request_"),
    [
        pytest.param(None, guest((1,)), id="no host topology"),
        pytest.param(host((1,)), None, id="no guest topology"),
        pytest.param(host((2,)), guest((1, 1)), id="too few host cells"),
        pytest.param(
            objects.NUMATopology(cells=[objects.NUMACell(id=0)]),
            guest((1,)),
            id="a host cell without fields",
        ),
        pytest.param(
            objects.NUMATopology(
                cells=[host_cell(0, [0, 1]), host_cell(0, [2, 3])]
            ),
            guest((1,)),
            id="two host cells of one id",
        ),
        pytest.param(
            objects.NUMATopology(cells=[host_cell(0, [0, 1], siblings=[])]),
            guest((1,)),
            id="a host cell without cores",
        ),
    ],
)
def test_what_cannot_be_placed_or_read_is_refused(
    topology: Any, request_: Any
) -> None:
    assert ours(topology, request_, {}) is None


def test_a_guest_cell_without_vcpus_gets_its_memory() -> None:
    fitted = ours(host((1, 1)), guest((0, 1)), {})
    assert places(fitted) == [(0, {}, set()), (1, {0: 2}, set())]


def test_a_shared_guest_floats_where_the_ratio_leaves_room() -> None:
    topology = objects.NUMATopology(
        cells=[
            host_cell(0, [0, 1], shared=[4, 5]),
            host_cell(1, [2, 3], shared=[6, 7]),
        ]
    )
    topology.cells[0].cpu_usage = 2
    topology.cells[1].cpu_usage = 3
    request_ = guest((0,), shared=(2,))
    request_.cells[0].cpu_policy = "shared"
    limits = networks()
    limits.cpu_allocation_ratio = 2.0
    assert places(ours(topology, request_, {}, limits)) == [(0, {}, set())]
    limits.cpu_allocation_ratio = 1.5
    assert ours(topology, request_, {}, limits) is None


def test_packing_prefers_the_fullest_host_cell() -> None:
    option = "packing_host_numa_cells_allocation_strategy"
    assert places(ours(host((1, 2)), guest((1,)), {})) == [(1, {0: 2}, set())]
    conf.CONF.set_override(option, True, "compute")
    try:
        packed = ours(host((1, 2)), guest((1,)), {})
    finally:
        conf.CONF.clear_override(option, "compute")
    assert places(packed) == [(0, {0: 0}, set())]


def test_install_swaps_and_uninstall_puts_back() -> None:
    methods = ("apply_requests", "consume_requests")
    before = [getattr(stats.PciDeviceStats, name) for name in methods]
    nova_fit.install()
    nova_fit.install()
    assert hardware.numa_fit_instance_to_host is ours
    inside = [getattr(stats.PciDeviceStats, name) for name in methods]
    assert all(a is not b for a, b in zip(before, inside, strict=True))
    nova_fit.uninstall()
    assert hardware.numa_fit_instance_to_host is stock
    after = [getattr(stats.PciDeviceStats, name) for name in methods]
    assert after == before
    nova_fit.uninstall()
    assert hardware.numa_fit_instance_to_host is stock
