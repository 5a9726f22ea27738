"""Does a request fit a host, and where exactly?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from pinning_filter.core import cpuset
from pinning_filter.core.assignment import Cover
from pinning_filter.core.fit import Strategy, fit, in_order
from pinning_filter.core.host import Host, HostCell, Pages
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    PageSize,
    Request,
    ThreadPolicy,
)
from pinning_filter.core.synthetic import host as synthetic

MIB = 1 << 10
GIB = 1 << 20


def host(text: str, used: str = "") -> Host:
    return synthetic(text, cpuset.parse(used))


def each(machine: Host, **fields: Sequence[Any]) -> Host:
    """A host whose cells differ in these fields."""
    cells = [
        cell._replace(**{name: values[at] for name, values in fields.items()})
        for at, cell in enumerate(machine.cells)
    ]
    return machine._replace(cells=tuple(cells))


def guest(*vcpus: int, memory_kib: int = 0, **fields: Any) -> Request:
    """A guest with so many dedicated vCPUs in its cells."""
    cells = []
    first = 0
    for count in vcpus:
        dedicated = frozenset(range(first, first + count))
        cells.append(GuestCell(dedicated, memory_kib=memory_kib))
        first += count
    return Request(tuple(cells), **fields)


def floating(vcpus: int, memory_kib: int = 0) -> Request:
    cell = GuestCell(shared=frozenset(range(vcpus)), memory_kib=memory_kib)
    return Request((cell,), CpuPolicy.SHARED)


def places(answer: Placement | Refusal) -> list[tuple[int, dict[int, int]]]:
    assert isinstance(answer, Placement), answer.text
    return [(cell.host_cell.id, dict(cell.pinning)) for cell in answer.cells]


def facts(answer: Placement | Refusal) -> list[Fact]:
    assert isinstance(answer, Refusal), answer
    return list(answer.facts)


@pytest.mark.parametrize(
    ("machine", "request_", "expected"),
    [
        pytest.param(
            host("cell:1 core:4"), guest(2), [(0, {0: 0, 1: 1})], id="one cell"
        ),
        pytest.param(
            host("cell:2 core:4", "0"),
            guest(2),
            [(1, {0: 4, 1: 5})],
            id="the emptier host cell",
        ),
        pytest.param(
            host("cell:2 core:4", "0-2"),
            guest(2, 1),
            [(1, {0: 4, 1: 5}), (0, {2: 3})],
            id="the larger guest cell where it fits",
        ),
        pytest.param(
            host("cell:2 core:4 pu:2", "0-7"),
            guest(3),
            [(1, {0: 8, 1: 9, 2: 10})],
            id="siblings together",
        ),
        pytest.param(
            host("cell:3 core:2", "0-1,5"),
            guest(1, 2),
            [(2, {0: 4}), (1, {1: 2, 2: 3})],
            id="the only way round",
        ),
        pytest.param(
            host("cell:4 core:4"),
            guest(2, 2),
            [(0, {0: 0, 1: 1}), (1, {2: 4, 3: 5})],
            id="equal host cells in the host's order",
        ),
        pytest.param(
            host("cell:2 core:2"),
            guest(2, 0),
            [(0, {0: 0, 1: 1}), (1, {})],
            id="a guest cell without vCPUs takes a host cell",
        ),
        pytest.param(
            host("cell:2 core:2", "0-1"),
            guest(0, 1),
            [(0, {}), (1, {0: 2})],
            id="a host cell without free pCPUs takes it",
        ),
    ],
)
def test_host_cells_and_pcpus(
    machine: Host, request_: Request, expected: list[Any]
) -> None:
    assert places(fit(machine, request_)) == expected


@pytest.mark.parametrize(
    ("machine", "request_", "expected"),
    [
        pytest.param(
            host("cell:1 core:4"),
            guest(1, 1),
            [Fact(Code.HOST_CELLS, 2, 1, "NUMA cells")],
            id="more guest cells than host cells",
        ),
        pytest.param(
            host("cell:2 core:2", "0,2"),
            guest(2),
            [
                Fact(Code.PCPUS, 2, 1, "pCPUs", 0),
                Fact(Code.PCPUS, 2, 1, "pCPUs", 1),
            ],
            id="too few free pCPUs in each cell",
        ),
        pytest.param(
            host("cell:2 core:2"),
            guest(3),
            [
                Fact(Code.PCPUS_TOTAL, 3, 2, "pCPUs", 0),
                Fact(Code.PCPUS_TOTAL, 3, 2, "pCPUs", 1),
            ],
            id="too few pCPUs, were they free or not",
        ),
        pytest.param(
            host("cell:1 core:2"),
            guest(2, emulator_isolated=True),
            [
                Fact(
                    Code.PCPUS_TOTAL,
                    3,
                    2,
                    "pCPUs",
                    0,
                    detail=" (one for emulator threads)",
                )
            ],
            id="emulator threads count",
        ),
        pytest.param(
            host("cell:1 core:2"),
            guest(2, thread_policy=ThreadPolicy.REQUIRE),
            [Fact(Code.NO_SMT, 2, 1, "threads a core", 0)],
            id="the thread policy's fact",
        ),
        pytest.param(
            host("cell:2 core:2 pu:2", "0-3,4-6"),
            guest(2, thread_policy=ThreadPolicy.ISOLATE),
            [
                Fact(Code.SMT, 2, 0, "cores without SMT", 1, detail="2"),
                Fact(Code.SMT, 2, 0, "cores without SMT", 0, detail="2"),
            ],
            id="isolate on a full host with SMT: what freeing cannot cure",
        ),
        pytest.param(
            host("cell:1 core:2", "0-1"),
            guest(2, thread_policy=ThreadPolicy.REQUIRE),
            [Fact(Code.NO_SMT, 2, 1, "threads a core", 0)],
            id="require on a full host without SMT: the same",
        ),
        pytest.param(
            host("cell:1(memory=1GiB) core:2", "0-1"),
            Request((GuestCell(frozenset({0}), memory_kib=2 * GIB),)),
            [Fact(Code.MEMORY_TOTAL, 2 * GIB, GIB, "KiB", 0)],
            id="a full host that is too small, too: the same",
        ),
        pytest.param(
            host("cell:1(memory=1GiB) core:2", "0-1"),
            Request(
                (GuestCell(frozenset({0}), memory_kib=GIB, page_size=2048),)
            ),
            [
                Fact(
                    Code.PAGE_SIZE,
                    GIB,
                    0,
                    "KiB",
                    0,
                    detail="2 MiB, has only pages of 4 KiB",
                )
            ],
            id="a full host without such pages: the same",
        ),
        pytest.param(
            host("cell:2 core:2", "0"),
            guest(2, 2),
            [
                Fact(Code.TOGETHER, 2, 1, "host cells"),
                Fact(Code.PCPUS, 2, 1, "pCPUs", 0, 0),
            ],
            id="each guest cell fits somewhere, both do not",
        ),
        pytest.param(
            each(
                host("cell:2 core:2", "0"),
                dedicated=[{0, 1}, {2}],
                free=[{1}, {2}],
            ),
            guest(2, 2),
            [
                Fact(Code.TOGETHER_TOTAL, 2, 1, "host cells"),
                Fact(Code.PCPUS, 2, 1, "pCPUs", 0, 0),
                Fact(Code.PCPUS_TOTAL, 2, 1, "pCPUs", 1, 0),
            ],
            id="both would not fit if other guests left, either",
        ),
    ],
)
def test_why_not(
    machine: Host, request_: Request, expected: list[Fact]
) -> None:
    assert facts(fit(machine, request_)) == expected


MEMORY = host("cell:1(memory=4GiB pages=512x2MiB,1x1GiB) core:2")
#: 2 GiB in pages of 4 KiB, 1 GiB of 2 MiB, 1 GiB of 1 GiB.


def with_used(machine: Host, **used: int) -> Host:
    pages = [
        page._replace(used=used.get(f"of_{page.size_kib}", 0))
        for page in machine.cells[0].pages
    ]
    return each(machine, pages=[pages])


@pytest.mark.parametrize(
    ("machine", "memory_kib", "asked", "chosen"),
    [
        pytest.param(MEMORY, GIB, None, None, id="nothing asked"),
        pytest.param(MEMORY, GIB, PageSize.SMALL, 4, id="the smallest"),
        pytest.param(MEMORY, GIB, PageSize.LARGE, GIB, id="the largest"),
        pytest.param(
            with_used(MEMORY, of_1048576=1),
            GIB,
            PageSize.LARGE,
            2048,
            id="the next where the largest are used",
        ),
        pytest.param(
            MEMORY, 512 * MIB, PageSize.LARGE, 2048, id="only whole pages"
        ),
        pytest.param(
            MEMORY, 2 * GIB, PageSize.ANY, 4, id="any: the largest with room"
        ),
        pytest.param(MEMORY, GIB, 2048, 2048, id="a size by number"),
    ],
)
def test_page_sizes(
    machine: Host, memory_kib: int, asked: int | None, chosen: int | None
) -> None:
    cell = GuestCell(frozenset({0}), memory_kib=memory_kib, page_size=asked)
    answer = fit(machine, Request((cell,)))
    assert isinstance(answer, Placement)
    assert answer.cells[0].page_size_kib == chosen


@pytest.mark.parametrize(
    ("machine", "memory_kib", "asked", "fact"),
    [
        pytest.param(
            MEMORY,
            3 * GIB,
            None,
            Fact(
                Code.MEMORY_TOTAL,
                3 * GIB,
                2 * GIB,
                "KiB",
                0,
                detail=" in pages of 4 KiB",
            ),
            id="nothing asked: the smallest pages have to hold it",
        ),
        pytest.param(
            with_used(MEMORY, of_4=MIB // 4),
            2 * GIB,
            None,
            Fact(
                Code.MEMORY,
                2 * GIB,
                2 * GIB - MIB,
                "KiB",
                0,
                detail=" in pages of 4 KiB",
            ),
            id="nothing asked: some of it is in use",
        ),
        pytest.param(
            MEMORY,
            2 * GIB + 1,
            None,
            Fact(
                Code.PAGE_MULTIPLE,
                2 * GIB + 1,
                2 * GIB,
                "KiB",
                0,
                detail="4 KiB",
            ),
            id="nothing asked: whole pages even so",
        ),
        pytest.param(
            with_used(MEMORY, of_4=1),
            2 * GIB,
            PageSize.SMALL,
            Fact(Code.PAGES, 2 * GIB, 2 * GIB - 4, "KiB", 0, detail="4 KiB"),
            id="a page short",
        ),
        pytest.param(
            MEMORY,
            2 * GIB,
            PageSize.LARGE,
            Fact(
                Code.PAGES_TOTAL,
                2 * GIB,
                GIB,
                "KiB",
                0,
                detail="1 GiB or 2 MiB",
            ),
            id="sizes are not mixed",
        ),
        pytest.param(
            MEMORY,
            GIB,
            16 * MIB,
            Fact(
                Code.PAGE_SIZE,
                GIB,
                0,
                "KiB",
                0,
                detail="16 MiB, has only pages of 4 KiB, 2 MiB, 1 GiB",
            ),
            id="a size that the host does not have",
        ),
        pytest.param(
            MEMORY,
            1536 * MIB,
            GIB,
            Fact(
                Code.PAGE_MULTIPLE, 1536 * MIB, GIB, "KiB", 0, detail="1 GiB"
            ),
            id="no whole pages",
        ),
        pytest.param(
            host("cell:1(memory=4GiB) core:2"),
            GIB,
            PageSize.LARGE,
            Fact(
                Code.PAGE_SIZE,
                GIB,
                0,
                "KiB",
                0,
                detail="a large size, has only pages of 4 KiB",
            ),
            id="the only size is the smallest",
        ),
        pytest.param(
            each(MEMORY, pages=[[Pages(2048, 512, 0, reserved=1)]]),
            GIB,
            2048,
            Fact(Code.PAGES_TOTAL, GIB, GIB - 2048, "KiB", 0, detail="2 MiB"),
            id="reserved pages are never free",
        ),
    ],
)
def test_memory_that_is_missing(
    machine: Host, memory_kib: int, asked: int | None, fact: Fact
) -> None:
    cell = GuestCell(frozenset({0}), memory_kib=memory_kib, page_size=asked)
    assert facts(fit(machine, Request((cell,)))) == [fact]


def shared_host(
    cpus: int = 2,
    used: int = 0,
    memory_used_kib: int = 0,
    cpu_ratio: float | None = None,
    ram_ratio: float | None = None,
) -> Host:
    cell = HostCell(
        0,
        dedicated=set(),
        shared=set(range(cpus)),
        shared_used=used,
        memory_kib=4 * GIB,
        memory_used_kib=memory_used_kib,
    )
    return Host((cell,), cpu_ratio, ram_ratio)


@pytest.mark.parametrize(
    ("machine", "request_", "fact"),
    [
        pytest.param(shared_host(), floating(2), None, id="as many as pCPUs"),
        pytest.param(
            shared_host(),
            floating(3),
            Fact(Code.SHARED_CPUS, 3, 2, "pCPUs", 0),
            id="a guest does not overcommit itself",
        ),
        pytest.param(
            shared_host(used=99), floating(2), None, id="no ratio, no limit"
        ),
        pytest.param(
            shared_host(used=2, cpu_ratio=2.0),
            floating(2),
            None,
            id="up to the CPU ratio",
        ),
        pytest.param(
            shared_host(used=3, cpu_ratio=2.0),
            floating(2),
            Fact(Code.SHARED_RATIO, 2, 1, "vCPUs", 0),
            id="over the CPU ratio",
        ),
        pytest.param(
            shared_host(used=9, cpu_ratio=2.0),
            floating(2),
            Fact(Code.SHARED_RATIO, 2, 0, "vCPUs", 0),
            id="nothing is left, not less than nothing",
        ),
        pytest.param(
            shared_host(memory_used_kib=4 * GIB),
            floating(1, 4 * GIB),
            None,
            id="memory may be promised twice",
        ),
        pytest.param(
            shared_host(),
            floating(1, 5 * GIB),
            Fact(Code.MEMORY_TOTAL, 5 * GIB, 4 * GIB, "KiB", 0),
            id="but not to one guest",
        ),
        pytest.param(
            shared_host(memory_used_kib=4 * GIB, ram_ratio=1.5),
            floating(1, 2 * GIB),
            None,
            id="up to the RAM ratio",
        ),
        pytest.param(
            shared_host(memory_used_kib=5 * GIB, ram_ratio=1.5),
            floating(1, 2 * GIB),
            Fact(Code.MEMORY_RATIO, 2 * GIB, GIB, "KiB", 0),
            id="over the RAM ratio",
        ),
    ],
)
def test_shared_guests(
    machine: Host, request_: Request, fact: Fact | None
) -> None:
    answer = fit(machine, request_)
    assert (facts(answer) == [fact]) if fact else bool(answer)


def test_ratios_say_nothing_about_dedicated_guests() -> None:
    full = each(host("cell:1 core:2"), shared_used=[99])._replace(
        cpu_ratio=1.0, ram_ratio=1.0
    )
    assert places(fit(full, guest(2))) == [(0, {0: 0, 1: 1})]


def test_ratios_hold_for_the_shared_part_of_a_mixed_guest() -> None:
    cell = GuestCell(frozenset({0}), frozenset({1}))
    mixed = Request((cell,), CpuPolicy.MIXED)
    machine = HostCell(
        0, {0, 1}, shared={2}, shared_used=1, siblings=[{0}, {1}, {2}]
    )
    assert places(fit(Host((machine,), 2.0), mixed)) == [(0, {0: 0})]
    assert facts(fit(Host((machine,), 1.0), mixed)) == [
        Fact(Code.SHARED_RATIO, 1, 0, "vCPUs", 0)
    ]


def test_a_guest_cell_of_shared_vcpus_is_free_of_the_thread_policy() -> None:
    cells = (
        GuestCell(frozenset({0, 1})),
        GuestCell(shared=frozenset({2})),
    )
    machine = each(
        host("cell:2 core:2 pu:2", "4,6"), shared=[{8, 9}, {10, 11}]
    )
    for policy in (ThreadPolicy.REQUIRE, ThreadPolicy.PREFER):
        mixed = Request(cells, CpuPolicy.MIXED, policy)
        assert places(fit(machine, mixed)) == [(0, {0: 0, 1: 1}), (1, {})]


def test_require_wants_two_free_threads_even_for_a_single_vcpu() -> None:
    lone = host("cell:2 core:4 pu:2", "0,2,4,6,8-13")
    alone = guest(1, thread_policy=ThreadPolicy.REQUIRE)
    assert places(fit(lone, alone)) == [(1, {0: 14})]
    only = fit(host("cell:1 core:4 pu:2", "0,2,4,6"), alone)
    assert only.facts == (Fact(Code.SIBLINGS, 1, 0, "pCPUs", 0),)


def test_where_nova_s_own_rule_finds_a_host_cell_it_is_that_one() -> None:
    """Nova takes as many threads of every core that it uses."""
    six = guest(6, thread_policy=ThreadPolicy.REQUIRE)
    both = host("cell:2 core:2 pu:4", "6-7,11,15")
    threes = dict(enumerate((8, 9, 10, 12, 13, 14)))
    assert places(fit(both, six)) == [(1, threes)]
    only = host("cell:1 core:2 pu:4", "6-7")
    assert places(fit(only, six)) == [(0, dict(enumerate(range(6))))]


def test_nova_s_own_rule_comes_first_for_every_guest_cell() -> None:
    lone = host("cell:3 core:4 pu:2", "0,2,4,6,8-13,16-21")
    alone = guest(1, 1, thread_policy=ThreadPolicy.REQUIRE)
    assert places(fit(lone, alone)) == [(1, {0: 14}), (2, {1: 22})]


NETWORKED = each(
    host("cell:4 core:4"),
    physnets=[frozenset(), frozenset("a"), frozenset("b"), frozenset("ab")],
    tunneled=[False, False, True, False],
)


@pytest.mark.parametrize(
    ("request_", "host_cells"),
    [
        pytest.param(guest(1), [0], id="nothing asked"),
        pytest.param(
            guest(1, physnets={"a"}), [1], id="the first near the network"
        ),
        pytest.param(
            guest(1, physnets={"a", "b"}), [3], id="near both networks"
        ),
        pytest.param(
            guest(1, 1, physnets={"a", "b"}), [0, 3], id="one for both"
        ),
        pytest.param(guest(1, tunneled=True), [2], id="near the tunnels"),
        pytest.param(
            guest(1, 1, physnets={"a"}, tunneled=True),
            [1, 2],
            id="a network and tunnels",
        ),
        pytest.param(
            guest(1, physnets={"elsewhere"}),
            [0],
            id="a network that is near no cell asks nothing",
        ),
    ],
)
def test_networks(request_: Request, host_cells: list[int]) -> None:
    assert [cell for cell, _ in places(fit(NETWORKED, request_))] == host_cells


@pytest.mark.parametrize(
    ("machine", "request_", "expected"),
    [
        pytest.param(
            each(
                host("cell:4 core:4", "4-7,12-15"),
                physnets=[cell.physnets for cell in NETWORKED.cells],
            ),
            guest(1, physnets={"a"}),
            [
                Fact(Code.PHYSNET, 1, 0, "host cells", 0, detail="a"),
                Fact(Code.PHYSNET, 1, 0, "host cells", 2, detail="a"),
                Fact(Code.PCPUS, 1, 0, "pCPUs", 1),
                Fact(Code.PCPUS, 1, 0, "pCPUs", 3),
            ],
            id="the cells near the network are full",
        ),
        pytest.param(
            NETWORKED,
            guest(1, physnets={"a"}, tunneled=True),
            [
                Fact(Code.PHYSNET, 1, 0, "host cells", 0, detail="a"),
                Fact(Code.TUNNEL, 1, 0, "host cells", 1),
                Fact(Code.PHYSNET, 1, 0, "host cells", 2, detail="a"),
                Fact(Code.TUNNEL, 1, 0, "host cells", 3),
            ],
            id="no cell is near both",
        ),
    ],
)
def test_networks_that_are_too_far(
    machine: Host, request_: Request, expected: list[Fact]
) -> None:
    assert facts(fit(machine, request_)) == expected


@dataclasses.dataclass
class Near:
    """One free device near each of some cells, and how often it was asked."""

    cells: Sequence[int]
    needed: int = 1
    requested: bool = True
    asked: int = 0

    @property
    def attempts(self) -> list[Callable[[Sequence[int]], bool]]:
        return [self._accepts]

    def _accepts(self, chosen: Sequence[int]) -> bool:
        self.asked += 1
        return len(set(chosen) & set(self.cells)) >= self.needed

    def free(self, host_cell: int) -> int:
        return list(self.cells).count(host_cell)

    def covers(self, cells: Sequence[HostCell]) -> list[Cover]:
        supplies = [
            (1 << position, 1)
            for position, cell in enumerate(cells)
            if cell.id in self.cells
        ]
        return [Cover(self.needed, tuple(supplies))]

    def matters(self, cells: Sequence[HostCell]) -> int:
        return sum(
            1 << position
            for position, cell in enumerate(cells)
            if cell.id in self.cells
        )


@pytest.mark.parametrize(
    ("devices", "request_", "host_cells"),
    [
        pytest.param(Near([2]), guest(1), [2], id="near the device"),
        pytest.param(
            Near([0, 1], requested=False),
            guest(1),
            [2],
            id="away from devices that nobody asked for",
        ),
        pytest.param(
            Near([3, 3, 1]), guest(1), [3], id="where most devices are"
        ),
        pytest.param(Near([1, 3], 2), guest(1, 1), [1, 3], id="near both"),
    ],
)
def test_devices(
    devices: Near, request_: Request, host_cells: list[int]
) -> None:
    answer = fit(host("cell:4 core:4"), request_, devices)
    assert [cell for cell, _ in places(answer)] == host_cells


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(
            guest(1),
            [
                Fact(Code.DEVICES, 1, 0, "PCI devices", 0),
                Fact(Code.DEVICES, 1, 0, "PCI devices", 1),
            ],
            id="of one guest cell",
        ),
        pytest.param(
            guest(1, 1),
            [Fact(Code.DEVICES, 1, 0, "PCI devices")],
            id="of two",
        ),
    ],
)
def test_devices_that_are_too_few(
    request_: Request, expected: list[Fact]
) -> None:
    answer = fit(host("cell:2 core:2"), request_, Near([]))
    assert facts(answer) == expected


@pytest.mark.parametrize(
    ("strategy", "request_", "order"),
    [
        pytest.param(Strategy(), guest(1), [2, 1, 0], id="emptiest first"),
        pytest.param(
            Strategy(pack=True), guest(1), [0, 1, 2], id="pack: fullest first"
        ),
        pytest.param(
            Strategy(), floating(1), [1, 0, 2], id="fewest floating vCPUs"
        ),
        pytest.param(
            Strategy(pack=True),
            floating(1),
            [2, 0, 1],
            id="pack: most floating vCPUs",
        ),
        pytest.param(
            Strategy(),
            guest(1, 1, 1),
            [0, 1, 2],
            id="the host's own where every cell is needed",
        ),
    ],
)
def test_the_order_of_host_cells(
    strategy: Strategy, request_: Request, order: list[int]
) -> None:
    machine = each(host("cell:3 core:3", "0-1,3"), shared_used=[1, 0, 2])
    ordered = in_order(machine, request_, None, strategy)
    assert [cell.id for cell in ordered] == order


@pytest.mark.parametrize(
    ("pack", "order"),
    [
        pytest.param(False, [1, 0, 2], id="most free memory first"),
        pytest.param(True, [2, 0, 1], id="pack: least free memory first"),
    ],
)
def test_memory_decides_between_cells_of_equal_pcpus(
    pack: bool, order: list[int]
) -> None:
    machine = each(host("cell:3 core:1"), memory_used_kib=[2, 1, 3])
    ordered = in_order(machine, guest(1), None, Strategy(pack=pack))
    assert [cell.id for cell in ordered] == order


@pytest.mark.parametrize(
    "devices",
    [[], [15], list(range(16)), list(range(7))],
    ids=["none", "one", "all", "seven"],
)
@pytest.mark.parametrize(
    "policy",
    [ThreadPolicy.PREFER, ThreadPolicy.REQUIRE],
    ids=["prefer", "require"],
)
@pytest.mark.parametrize(
    "vcpus",
    [(2,) * 8, (1, 2, 3, 4, 5, 6, 7, 8), (8,) * 8, (2,) * 7 + (9,)],
    ids=["alike", "unlike", "full", "impossible"],
)
@pytest.mark.parametrize(
    "physnets",
    [set(), {"n15"}, {"n1", "n9", "n14"}],
    ids=["no", "one", "three"],
)
def test_sixteen_host_cells_and_eight_guest_cells_ask_little(
    devices: list[int],
    policy: ThreadPolicy,
    vcpus: tuple[int, ...],
    physnets: set[str],
) -> None:
    """There are 518,918,400 permutations; devices are asked a few times."""
    machine = each(
        host("cell:16 core:4 pu:2"),
        physnets=[frozenset({f"n{number}"}) for number in range(16)],
    )
    near = Near(devices, needed=8)
    request_ = guest(*vcpus, thread_policy=policy, physnets=physnets)
    answer = fit(machine, request_, near)
    assert bool(answer) is (len(devices) == 16 and vcpus[-1] != 9)
    assert near.asked <= 2


# A host cell that makes no sense


def half_broken(used: str = "") -> Host:
    """The sibling sets of host cell 0 share pCPUs; host cell 1 is well."""
    two = host("cell:2 core:2 pu:2", used)
    return each(two, siblings=[[{0, 1}, {1, 2}, {1, 3}], [{4, 5}, {6, 7}]])


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(guest(4), [1], id="one cell"),
        pytest.param(guest(2, 4), [0, 1], id="all that is needed is well"),
    ],
)
def test_a_broken_host_cell_does_no_harm_where_it_is_not_needed(
    request_: Request, expected: list[int], tight: bool
) -> None:
    answer = fit(half_broken(), request_, None, Strategy(tight=tight))
    assert [cell for cell, _ in places(answer)] == expected


@pytest.mark.parametrize("tight", [False, True])
@pytest.mark.parametrize(
    ("used", "request_"),
    [
        pytest.param("4-7", guest(4), id="one cell"),
        pytest.param("", guest(4, 4), id="several cells"),
    ],
)
def test_a_broken_host_cell_that_is_needed_is_named(
    used: str, request_: Request, tight: bool
) -> None:
    answer = fit(half_broken(used), request_, None, Strategy(tight=tight))
    assert isinstance(answer, Refusal)
    assert (
        "the host reports something unreadable: its sibling sets share pCPUs"
    ) in answer.gist.unreadable
