"""What is timed: hosts and guests, as Nova's own objects.

Knows nothing of the filters, nor of the clock.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from nova import objects
from nova.pci import stats, whitelist
from nova.scheduler import host_manager

#: What the project promises: at least so many times as fast as stock.
USUAL, REQUIRE, SHORT = 40.0, 25.0, 1000.0
#: ... at most so many ms for the hardest question, so much for candidates.
HARDEST_MS, CANDIDATES = 50.0, 10.0

GIB = 1024  #: in MiB
HOST = "6a1b1fd7-9d0b-4ab4-a1f6-9d3c0c3d0c0e"


@dataclasses.dataclass(frozen=True)
class Shape:
    """The hosts of one case: all alike."""

    cells: int = 2
    cores: int = 16  #: of one host cell
    threads: int = 2
    used: str = "empty"  #: "empty", "half" (every other core), "last" (cell)
    legacy: bool = False  #: ``vcpu_pin_set``: shared and dedicated the same
    devices: Sequence[int] = ()  #: host cells with a PCI device each
    providers: int = 0  #: devices that the Placement API tells apart

    @property
    def text(self) -> str:
        return f"{self.cells} x {self.cores} x {self.threads}"


@dataclasses.dataclass(frozen=True)
class Guest:
    """What one case asks for."""

    vcpus: Sequence[int]  #: dedicated vCPUs of each guest cell
    threads: str | None = None
    emulator: str | None = None
    devices: int = 0  #: PCI devices, one in a request
    device_policy: str = "required"
    physnets: Sequence[str] = ()
    page_size: int | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    shape: Shape
    guest: Guest
    fits: bool
    bar: float = USUAL


def topology(shape: Shape) -> objects.NUMATopology:
    """pCPUs as most machines number them: siblings are c and c + N."""
    cores = shape.cells * shape.cores
    cells = []
    for number in range(shape.cells):
        siblings = [
            {core + cores * thread for thread in range(shape.threads)}
            for core in range(number * shape.cores, (number + 1) * shape.cores)
        ]
        every = set().union(*siblings)
        pinned: set[int] = set()
        if shape.used == "half":
            pinned = set().union(*siblings[::2])
        elif shape.used == "last" and number == shape.cells - 1:
            pinned = set(every)
        cells.append(
            objects.NUMACell(
                id=number,
                cpuset=set(every) if shape.legacy else set(),
                pcpuset=every,
                memory=256 * GIB,
                cpu_usage=0,
                memory_usage=0,
                pinned_cpus=pinned,
                siblings=siblings,
                mempages=[
                    _pages(4, 256 * GIB * 256),
                    _pages(2048, 0),
                    _pages(1048576, 0),
                ],
                network_metadata=objects.NetworkMetadata(
                    physnets={f"net{number}"}, tunneled=False
                ),
                socket=number,
            )
        )
    return objects.NUMATopology(cells=cells)


def _pages(size_kib: int, total: int) -> objects.NUMAPagesTopology:
    return objects.NUMAPagesTopology(
        size_kb=size_kib, total=total, used=0, reserved=0
    )


def host_states(shape: Shape, count: int) -> list[host_manager.HostState]:
    states = []
    for index in range(count):
        state = host_manager.HostState(f"host{index}", f"host{index}", HOST)
        state.numa_topology = topology(shape)
        state.cpu_allocation_ratio = 4.0
        state.ram_allocation_ratio = 1.0
        state.pci_stats = stats.PciDeviceStats(
            state.numa_topology, dev_filter=whitelist.Whitelist(None)
        )
        state.pci_stats.pools = [_pool(cell) for cell in shape.devices] + [
            _pool(number % shape.cells, f"provider-{number}")
            for number in range(shape.providers)
        ]
        states.append(state)
    return states


def _pool(cell: int, provider: str | None = None) -> dict[str, Any]:
    pool: dict[str, Any] = {
        "vendor_id": "8086",
        "product_id": "1572",
        "numa_node": cell,
        "dev_type": "type-PCI",
        "count": 1,
    }
    if provider:
        pool["rp_uuid"] = provider
    return pool


def request_spec(guest: Guest) -> objects.RequestSpec:
    cells = []
    first = 0
    for index, count in enumerate(guest.vcpus):
        cells.append(
            objects.InstanceNUMACell(
                id=index,
                cpuset=set(),
                pcpuset=set(range(first, first + count)),
                memory=GIB,
                pagesize=guest.page_size,
                cpu_policy="dedicated",
                cpu_thread_policy=guest.threads,
            )
        )
        first += count
    extra_specs = {"hw:cpu_policy": "dedicated"}
    if guest.threads:
        extra_specs["hw:cpu_thread_policy"] = guest.threads
    spec = objects.RequestSpec(
        instance_uuid=HOST,
        project_id="project",
        num_instances=2,  # no host for one of one is an exception
        flavor=objects.Flavor(
            vcpus=first, memory_mb=GIB * len(cells), extra_specs=extra_specs
        ),
        image=objects.ImageMeta(properties=objects.ImageMetaProps()),
        numa_topology=objects.InstanceNUMATopology(
            cells=cells, emulator_threads_policy=guest.emulator
        ),
        pci_requests=objects.InstancePCIRequests(
            requests=[
                objects.InstancePCIRequest(
                    request_id=f"00000000-0000-0000-0000-{number:012}",
                    count=1,
                    spec=[{"vendor_id": "8086", "product_id": "1572"}],
                    alias_name="nic",
                    numa_policy=guest.device_policy,
                )
                for number in range(guest.devices)
            ]
        ),
        scheduler_hints={},
    )
    if guest.physnets:
        spec.network_metadata = objects.NetworkMetadata(
            physnets=set(guest.physnets), tunneled=False
        )
    return spec


def usual_cases() -> Iterator[Case]:
    """Everyday hosts and guests, with each thread policy."""
    for cores in (16, 64):
        for used in ("empty", "half"):
            for policy, legacy in (
                (None, False),
                ("prefer", False),
                ("require", False),
                ("isolate", True),
            ):
                shape = Shape(cores=cores, used=used, legacy=legacy)
                bar = REQUIRE if policy == "require" else USUAL
                for vcpus in ((4,), (4, 4)):
                    name = f"{used}, {policy or 'no policy'}"
                    name += ", 2 guest cells" if len(vcpus) > 1 else ""
                    guest = Guest(vcpus, policy)
                    yield Case(name, shape, guest, True, bar)
                yield Case(
                    f"{used}, {policy or 'no policy'}, refused",
                    shape,
                    Guest(
                        (cores * 2 - 1 if used == "half" else cores * 2 + 1,)
                        if policy != "isolate"
                        else (cores + 1,),
                        policy,
                    ),
                    False,
                    bar,
                )


def short_cases() -> Iterator[Case]:
    """Eight host cells, of which seven can take one of eight guest cells."""
    shape = Shape(cells=8, cores=4, used="last")
    yield Case("one cell short", shape, Guest((4,) * 8), False, SHORT)


def hardest_cases() -> Iterator[tuple[str, Shape, Guest]]:
    """16 host cells, 8 guest cells: what stock needs hours for."""
    full = tuple(range(16))
    one = (0,)
    alike, unlike = (4,) * 8, (1, 2, 3, 4, 5, 6, 7, 8)
    for policy, legacy in (
        ("prefer", False),
        ("require", False),
        ("isolate", True),
    ):
        shape = Shape(cells=16, cores=8, used="half", legacy=legacy)
        for name, vcpus in (("alike", alike), ("unlike", unlike)):
            if policy == "isolate":
                vcpus = tuple(min(count, 4) for count in vcpus)
            guest = Guest(vcpus, policy)
            yield f"{policy}, guest cells {name}", shape, guest
            too_much = dataclasses.replace(guest, vcpus=(*vcpus[:7], 9))
            yield f"{policy}, {name}, impossible", shape, too_much
            for nets in (2, 6):
                yield (
                    f"{policy}, {name}, {nets} networks",
                    shape,
                    dataclasses.replace(
                        guest,
                        physnets=tuple(f"net{15 - n}" for n in range(nets)),
                    ),
                )
            for devices, where, kind in (
                (1, full, "a device each"),
                (4, full, "4 devices"),
                (8, full, "8 devices"),
                (2, one, "1 device of 2"),
                (8, tuple(range(7)), "7 devices of 8"),
                (1, (), "no device"),
            ):
                for asked in ("required", "legacy", "socket", "preferred"):
                    yield (
                        f"{policy}, {name}, {kind}, {asked}",
                        dataclasses.replace(shape, devices=where),
                        dataclasses.replace(
                            guest, devices=devices, device_policy=asked
                        ),
                    )
