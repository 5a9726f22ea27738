"""Guests of several cells, among them those that Nova's own fit gets wrong."""

import pytest
from lxml import etree

from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.synthetic import host


def uneven(*sizes):
    """A host of cells of four cores, of which so many are for guests."""
    return Host(
        tuple(
            HostCell(
                number,
                dedicated=frozenset(range(4 * number, 4 * number + size)),
                siblings=[frozenset({4 * number + i}) for i in range(4)],
                memory_kib=16 << 20,
                pages=[Pages(4, 4 << 20)],
            )
            for number, size in enumerate(sizes)
        )
    )


def boot(cloud, sizes, guest):
    """Boot a guest of cells of so many vCPUs on a host of such cells."""
    specs = {
        "hw__cpu_policy": "dedicated",
        "hw__numa_nodes": str(len(guest)),
    }
    first = 0
    for number, size in enumerate(guest):
        vcpus = range(first, first + size)
        specs[f"hw__numa_cpus.{number}"] = ",".join(map(str, vcpus))
        specs[f"hw__numa_mem.{number}"] = "512"
        first += size
    cloud.add_compute("uneven", uneven(*sizes))
    return cloud.boot(cloud.flavor(first, 512 * len(guest), **specs))


#: Free pCPUs of each host cell, vCPUs of each guest cell, where they go.
FITS = {
    "Nova leaves two vCPUs without a pCPU": (
        (2, 1, 1),
        (1, 1, 2),
        {0: 4, 1: 8, 2: 0, 3: 1},
    ),
    "Nova pins outside the host cell": (
        (0, 2, 1, 1),
        (1, 1, 2),
        {0: 8, 1: 12, 2: 4, 3: 5},
    ),
    "Nova gives one pCPU to two vCPUs": (
        (1, 2, 0, 1),
        (1, 1, 2),
        {0: 0, 1: 12, 2: 4, 3: 5},
    ),
    "Nova refuses": (
        (0, 2, 1),
        (1, 2),
        {0: 8, 1: 4, 2: 5},
    ),
}


@pytest.mark.parametrize("sizes, guest, pinning", FITS.values(), ids=FITS)
def test_unlike_guest_cells_that_fit(cloud, sizes, guest, pinning):
    server = boot(cloud, sizes, guest)
    assert (server.status, server.pinning) == ("ACTIVE", pinning)


def test_unlike_guest_cells_that_nova_would_take_and_cannot_pin(cloud):
    server = boot(cloud, (1, 1, 1, 1), (1, 1, 2))
    assert server.status == "ERROR"


def test_the_day_that_nova_pins_every_vcpu_the_demo_must_change(stock_cloud):
    server = boot(stock_cloud, (2, 1, 1), (1, 1, 2))
    pins = etree.fromstring(server.xml).findall("cputune/vcpupin")
    assert server.status == "ACTIVE"
    assert [pin.get("cpuset") for pin in pins] == ["4", "8", "", ""]


def test_eight_guest_cells_on_eight_host_cells(cloud):
    cloud.add_compute("eight", host("cell:8 core:2 pu:2"))
    server = cloud.boot(
        cloud.flavor(32, hw__cpu_policy="dedicated", hw__numa_nodes="8")
    )
    assert set(server.pinning.values()) == set(range(32))
    assert {vcpu: pcpu // 4 for vcpu, pcpu in server.pinning.items()} == {
        vcpu: vcpu // 4 for vcpu in range(32)
    }
