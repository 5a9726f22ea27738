"""Which caches a guest's cores share. One core each line of the tables."""

import pytest

from pinning_filter.core import cpuset
from pinning_filter.core.fit import Strategy, fit
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy

ALIGNED = Strategy(align_caches=True)


def epyc(used="", legacy=False):
    """One host cell of 16 cores with two threads, 8 cores an L3.

    Core n has the threads n and n + 16.
    """
    pcpus = frozenset(range(32))
    first = cpuset.parse("0-7,16-23")
    cell = HostCell(
        0,
        dedicated=pcpus,
        shared=pcpus if legacy else frozenset(),
        pinned=cpuset.parse(used),
        siblings=[{core, core + 16} for core in range(16)],
        caches=[first, pcpus - first],
        memory_kib=1 << 20,
    )
    return Host((cell,))


def single(used="", sizes=(4, 4, 4)):
    """One host cell without SMT, its caches of so many cores."""
    caches, start = [], 0
    for size in sizes:
        caches.append(set(range(start, start + size)))
        start += size
    cell = HostCell(
        0,
        dedicated=set(range(start)),
        pinned=cpuset.parse(used),
        siblings=[{pcpu} for pcpu in range(start)],
        caches=caches,
        memory_kib=1 << 20,
    )
    return Host((cell,))


def guest(vcpus, policy="prefer", **fields):
    return Request(
        (GuestCell(dedicated=frozenset(range(vcpus))),),
        thread_policy=ThreadPolicy(policy),
        **fields,
    )


def pcpus(host, request, strategy=ALIGNED):
    placement = fit(host, request, None, strategy)
    return cpuset.format(placement.pinning.values())


@pytest.mark.parametrize(
    ("host", "request_", "expected"),
    [
        pytest.param(
            epyc(), guest(4), "0-1,16-17", id="all is free: the first cache"
        ),
        pytest.param(
            epyc(used="0,16"),
            guest(4),
            "8-9,24-25",
            id="one core is used: the emptier cache",
        ),
        pytest.param(
            epyc(used="0-1,16-17"),
            guest(16),
            "8-15,24-31",
            id="a guest of 8 cores gets the one cache that has them",
        ),
        pytest.param(
            epyc(used="0-7"),
            guest(4, "require"),
            "8-9,24-25",
            id="require: half-used cores are no room",
        ),
        pytest.param(
            epyc(used="8", legacy=True),
            guest(2, "isolate"),
            "0-1",
            id="isolate: wholly free cores are counted",
        ),
        pytest.param(
            epyc(used="0-1", legacy=True),
            guest(8, "isolate"),
            "8-15",
            id="isolate: eight whole cores of one cache",
        ),
        pytest.param(
            single(used="0"), guest(4), "4-7", id="no SMT: the one that fits"
        ),
        pytest.param(
            single(sizes=(4, 8, 4)),
            guest(6),
            "4-9",
            id="no SMT: the largest cache, not two small ones",
        ),
        pytest.param(
            single(used="0-1,4"),
            guest(5),
            "5,8-11",
            id="two are needed: the emptiest whole, the rest of the next",
        ),
        pytest.param(
            single(used="0-2,4-6,8-10"),
            guest(3),
            "3,7,11",
            id="one core is left in each: all three",
        ),
    ],
)
def test_cores_of_as_few_caches_as_possible(host, request_, expected):
    assert pcpus(host, request_) == expected


def test_without_alignment_the_choice_is_nova_s():
    host = epyc(used="0,16")
    assert pcpus(host, guest(4), Strategy()) == "1-2,17-18"


def test_the_emulator_s_pcpu_is_beside_the_guest():
    host = single(used="0")
    placement = fit(host, guest(3, emulator_isolated=True), None, ALIGNED)
    assert set(placement.pinning.values()) == {4, 5, 6}
    assert placement.reserved == {7}


def test_cores_of_no_known_cache_come_last():
    host = single(sizes=(2, 2, 2))
    (cell,) = host.cells
    host = Host((cell._replace(caches=cell.caches[1:]),))
    assert pcpus(host, guest(5)) == "0,2-5"


def test_a_host_of_unknown_caches_is_as_without_alignment():
    (cell,) = epyc(used="3").cells
    host = Host((cell._replace(caches=()),))
    assert pcpus(host, guest(6)) == pcpus(host, guest(6), Strategy())


def test_the_placement_holds_the_host_cell_as_it_was():
    host = epyc(used="0,16")
    placement = fit(host, guest(4), None, ALIGNED)
    assert placement.cells[0].host_cell is host.cells[0]
