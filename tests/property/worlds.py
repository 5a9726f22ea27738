"""Small hosts and requests for the property tests.

Sizes are drawn so that about as many requests fit as do not: capacities and
demands are small numbers from the same range.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st
from nova import objects

from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    Request,
    ThreadPolicy,
)
from tests.property.twins import Devices

MIB = 1024
SIZES_KIB = (4, 2 * MIB, 1024 * MIB)
NETWORKS = ("blue", "red")


def _subset(draw: Any, items: list[int], often: int = 3) -> set[int]:
    """Each item by itself; ``often - 1`` of ``often`` times none."""
    if not items or draw(st.integers(1, often)) > 1:
        return set()
    mask = draw(st.integers(0, (1 << len(items)) - 1))
    return {item for at, item in enumerate(items) if mask >> at & 1}


@st.composite
def hosts(draw: Any, most_cells: int = 4, most_cores: int = 3) -> Host:
    """Hosts as Nova reports them: whole, but with every oddity it allows."""
    count = min(most_cells, draw(st.sampled_from((4, 3, 2, 1))))
    threads = draw(st.sampled_from((1, 2, 2, 4)))
    cores = min(most_cores, draw(st.sampled_from((3, 3, 2, 1))))
    # Either 0,1 2,3 or, as most machines number them, 0,4 1,5.
    split = draw(st.booleans())
    # Whether pinning and floating use the same pCPUs: ``vcpu_pin_set``.
    legacy = draw(st.booleans())
    with_pages = draw(st.booleans())
    stride = draw(st.sampled_from((count * cores, 8)))
    stride = max(stride, count * cores)
    cells = []
    for index in range(count):
        siblings = []
        for core in range(index * cores, (index + 1) * cores):
            if split:
                numbers = [core + stride * t for t in range(threads)]
            else:
                numbers = [core * threads + t for t in range(threads)]
            siblings.append(set(numbers))
        every = sorted(set().union(*siblings))
        missing = _subset(draw, every, often=6)
        siblings = [core - missing for core in siblings if core - missing]
        every = [pcpu for pcpu in every if pcpu not in missing]
        if legacy:
            dedicated = shared = set(every)
        else:
            shared = _subset(draw, every)
            if draw(st.booleans()):
                # Pinning and floating on different cells' worth of threads.
                shared = set(every[: len(every) // 2])
            dedicated = set(every) - shared
        memory = draw(st.sampled_from((4, 4, 4, 4, 2, 1, 0))) * 1024 * MIB
        cells.append(
            HostCell(
                id=index,
                dedicated=dedicated,
                pinned=_subset(draw, sorted(dedicated), often=3),
                siblings=siblings,
                shared=shared,
                shared_used=draw(st.sampled_from((0, 0, 1, 2, 4))),
                memory_kib=memory,
                memory_used_kib=memory
                * draw(st.sampled_from((0, 0, 0, 0, 1, 2, 4)))
                // 4,
                pages=_pages(draw) if with_pages else (),
                socket=draw(st.sampled_from((0, 0, 1))),
                physnets=frozenset(
                    name for name in NETWORKS if draw(st.integers(0, 3)) == 0
                ),
                tunneled=draw(st.integers(0, 3)) == 0,
            )
        )
    cpu_ratio = draw(st.sampled_from((None, 16.0, 1.5, 1.0, 0.5)))
    ram_ratio = draw(st.sampled_from((1.0, 1.5, 0.5)))
    if cpu_ratio is None:
        ram_ratio = None
    return Host(tuple(cells), cpu_ratio, ram_ratio)


def _pages(draw: Any) -> tuple[Pages, ...]:
    kept = draw(st.sampled_from(((0, 1), (0, 1, 2), (0,), (2, 0), (1,))))
    pages = []
    for which in kept:
        size = SIZES_KIB[which]
        unit = 1024 * MIB // size
        total = draw(st.sampled_from((4, 4, 4, 4, 2, 1, 0))) * unit
        used = total * draw(st.sampled_from((0, 0, 0, 0, 1, 2, 4))) // 4
        reserved = draw(st.sampled_from((0, 0, 0, unit)))
        pages.append(Pages(size, total, used, min(reserved, total)))
    return tuple(pages)


@st.composite
def requests(draw: Any, most_cells: int = 4) -> Request:
    """Guests of every policy."""
    count = min(most_cells, draw(st.sampled_from((1, 2, 2, 3, 4))))
    policy = draw(
        st.sampled_from(
            (CpuPolicy.DEDICATED,) * 3 + (CpuPolicy.MIXED, CpuPolicy.SHARED)
        )
    )
    page_size = None
    if draw(st.integers(0, 4)) == 4:
        page_size = draw(st.sampled_from((-3, -1, -2, 2 * MIB, 1024 * MIB)))
    cells = []
    next_vcpu = 0
    # Small memory for most, so that CPUs decide.
    unit = draw(st.sampled_from((1024, 1024, 512, 1023))) * MIB
    for _ in range(count):
        size = draw(st.sampled_from((1, 2, 3, 4)))
        if count > 1 and draw(st.integers(0, 7)) == 0:
            size = 0
        vcpus = list(range(next_vcpu, next_vcpu + size))
        next_vcpu += size
        dedicated = set(vcpus)
        if policy is CpuPolicy.SHARED:
            dedicated = set()
        elif policy is CpuPolicy.MIXED:
            dedicated = _subset(draw, vcpus, often=1)
        cells.append(
            GuestCell(
                dedicated=frozenset(dedicated),
                shared=frozenset(vcpus) - dedicated,
                memory_kib=draw(st.sampled_from((0, 0, 1, 1, 2))) * unit,
                page_size=page_size,
            )
        )
    threads = draw(st.sampled_from((*ThreadPolicy, ThreadPolicy.PREFER)))
    if policy is CpuPolicy.SHARED:
        threads = ThreadPolicy.PREFER
    return Request(
        tuple(cells),
        policy,
        threads,
        policy is not CpuPolicy.SHARED and draw(st.integers(0, 2)) == 0,
        frozenset(n for n in NETWORKS if draw(st.integers(0, 3)) == 0),
        draw(st.integers(0, 3)) == 0,
    )


@st.composite
def questions(
    draw: Any, most_cells: int = 4, most_cores: int = 3
) -> tuple[Host, Request]:
    """A host and a request that it has cells enough for, mostly."""
    host = draw(hosts(most_cells, most_cores))
    more = 1 if draw(st.integers(0, 20)) == 20 else 0
    return host, draw(requests(min(most_cells, len(host.cells) + more)))


#: Near which cell a device is: one of the host's, or one of these.
_PLACES = (None, None, 99)
_PRODUCTS = ("1111", "2222")
_DEVICE_POLICIES = ("required", "socket", "legacy", "preferred", None)


@st.composite
def devices(draw: Any, host: Host, named: bool = False) -> Devices:
    """Pools of PCI devices, and requests for some of them.

    :param named: whether there are requests, which name their providers.
    """
    places = [cell.id for cell in host.cells] * 2 + list(_PLACES)
    with_providers = named or draw(st.integers(0, 3)) == 0
    pools = []
    for index in range(draw(st.sampled_from((2, 3, 4, 0)[:4 - named]))):
        pool = {
            "vendor_id": "8086",
            "product_id": draw(st.sampled_from(_PRODUCTS)),
            "numa_node": draw(st.sampled_from(places)),
            "dev_type": draw(
                st.sampled_from(("type-PCI", "type-VF", "type-PF"))
            ),
            "count": draw(st.integers(1, 2)),
        }
        if with_providers:
            pool["rp_uuid"] = f"provider-{index}"
        pools.append(pool)
    mapping: dict[str, list[str]] = {}
    asked = []
    most = draw(st.sampled_from((1, 1, 2, 3, 0)[:5 - named])) if pools else 0
    for index in range(most):
        model = draw(st.sampled_from(pools))
        spec = {"vendor_id": "8086"}
        for key in ("product_id", "dev_type"):
            if draw(st.booleans()):
                spec[key] = model[key]
        asked.append(
            objects.InstancePCIRequest(
                request_id=f"{index:08}-0000-0000-0000-000000000000",
                count=draw(st.sampled_from((1, 1, 1, 2))),
                spec=[spec],
                alias_name="nic",
                numa_policy=draw(st.sampled_from(_DEVICE_POLICIES)),
            )
        )
        if with_providers:
            for device in range(asked[-1].count):
                chosen = draw(st.sampled_from((model, *pools)))
                mapping[f"{asked[-1].request_id}-{device}"] = [
                    chosen["rp_uuid"]
                ]
    return Devices(pools, asked, mapping if with_providers else {})


@st.composite
def nova_questions(
    draw: Any, most_cells: int = 4
) -> tuple[Host, Request, Devices]:
    """A host, a request and devices, as far as Nova can ask for them."""
    host, request = draw(questions(most_cells))
    if host.cpu_ratio is None:
        request = dataclasses.replace(
            request, physnets=frozenset(), tunneled=False
        )
    if draw(st.booleans()):
        return host, request, draw(devices(host))
    return host, request, Devices()
