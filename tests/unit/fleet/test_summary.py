"""One sentence out of many refusals."""

import pytest

from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import (
    CpuPolicy,
    GuestCell,
    PageSize,
    Request,
    ThreadPolicy,
)
from pinning_filter.fleet.summary import asked, reasons, sentence


def guest(*sizes, **fields):
    """A guest of a guest cell for each size, all vCPUs dedicated."""
    cells, first = [], 0
    for size in sizes:
        vcpus = frozenset(range(first, first + size))
        cells.append(GuestCell(dedicated=vcpus))
        first += size
    return Request(tuple(cells), **fields)


def pcpus(free, needed=6, cell=0, guest_cell=None):
    return Fact(Code.PCPUS, needed, free, "pCPUs", cell, guest_cell)


def memory(free, needed=4 << 20, cell=0):
    return Fact(Code.MEMORY, needed, free, "KiB", cell)


NO_SMT = Fact(Code.NO_SMT, 2, 1, "threads a core")
NO_TOPOLOGY = Fact(Code.NO_TOPOLOGY)
TOTAL = Fact(Code.PCPUS_TOTAL, 6, 4, "pCPUs", 1)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            [pcpus(2), pcpus(4, cell=1)],
            pcpus(4, cell=1),
            id="the host cell that comes nearest",
        ),
        pytest.param(
            [memory(1 << 20), pcpus(4, cell=1)],
            pcpus(4, cell=1),
            id="by the share that is missing, not by the number",
        ),
        pytest.param(
            [TOTAL, pcpus(0)],
            pcpus(0),
            id="what leaving guests can cure, before what is too small",
        ),
        pytest.param(
            [TOTAL, Fact(Code.SMT, 6, 0, "cores without SMT", 0)],
            Fact(Code.SMT, 6, 0, "cores without SMT", 0),
            id="a host cell that is large enough, before one that is not",
        ),
        pytest.param(
            [pcpus(5), Fact(Code.PHYSNET, 1, 0, "host cells", 1, detail="a")],
            Fact(Code.PHYSNET, 1, 0, "host cells", 1, detail="a"),
            id="a host cell with room, but far from the network",
        ),
        pytest.param(
            [pcpus(5), Fact(Code.TOGETHER, 2, 1, "host cells")],
            Fact(Code.TOGETHER, 2, 1, "host cells"),
            id="a fact about the whole host comes first",
        ),
        pytest.param(
            # Guest cell 0 fits host cell 1, guest cell 1 fits none.
            [
                pcpus(3, 4, cell=0, guest_cell=0),
                pcpus(3, 8, cell=0, guest_cell=1),
                pcpus(5, 8, cell=1, guest_cell=1),
            ],
            pcpus(5, 8, cell=1, guest_cell=1),
            id="a guest cell that fits somewhere is not why",
        ),
        pytest.param(
            [
                pcpus(3, 4, cell=0, guest_cell=0),
                pcpus(1, 8, cell=0, guest_cell=1),
            ],
            pcpus(1, 8, cell=0, guest_cell=1),
            id="of guest cells that fit nowhere, the farthest",
        ),
        pytest.param(
            [], Fact(Code.UNREADABLE), id="no fact at all is not an error"
        ),
    ],
)
def test_headline(facts, expected):
    assert Refusal(tuple(facts)).headline == expected


def test_reasons_are_counted_and_the_most_frequent_comes_first():
    refusals = [
        Refusal((pcpus(2),)),
        Refusal((NO_SMT,)),
        Refusal((pcpus(5),)),
        Refusal((NO_SMT,)),
        Refusal((NO_SMT,)),
        Refusal((memory(1 << 20),)),
    ]
    assert [(each.fact, each.hosts) for each in reasons(refusals)] == [
        (NO_SMT, 3),
        (pcpus(5), 2),
        (memory(1 << 20), 1),
    ]


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        pytest.param(
            [pcpus(2), pcpus(4, cell=1)], "in one NUMA cell", id="pCPUs only"
        ),
        pytest.param(
            [TOTAL, pcpus(4)], "in one NUMA cell", id="pCPUs, free or in all"
        ),
        pytest.param(
            [memory(0), pcpus(4, cell=1)],
            "in the same NUMA cell as the rest",
            id="one host cell has the pCPUs and not the memory",
        ),
    ],
)
def test_a_number_is_true_of_the_whole_host(facts, where):
    text = sentence(guest(6), [Refusal(tuple(facts)), Refusal((pcpus(3),))])
    assert text == (
        "No host can take 6 pinned vCPUs in one NUMA cell: 6 free pCPUs are "
        f"needed {where}, the best of 2 hosts has 4."
    )


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        pytest.param(
            guest(1), "1 pinned vCPU in one NUMA cell", id="one vCPU"
        ),
        pytest.param(
            guest(2, 2), "4 pinned vCPUs in 2 NUMA cells", id="alike cells"
        ),
        pytest.param(
            guest(1, 1, 2),
            "4 pinned vCPUs in 3 NUMA cells of 1 + 1 + 2",
            id="unlike cells",
        ),
        pytest.param(
            guest(
                4, thread_policy=ThreadPolicy.ISOLATE, emulator_isolated=True
            ),
            "4 pinned vCPUs in one NUMA cell with thread policy isolate and "
            "isolated emulator threads",
            id="policies",
        ),
        pytest.param(
            Request(
                (GuestCell(frozenset({0}), frozenset({1, 2}), 1, 2048),),
                CpuPolicy.MIXED,
            ),
            "1 pinned vCPU and 2 floating vCPUs in one NUMA cell with memory "
            "pages of 2 MiB",
            id="mixed, with a page size",
        ),
        pytest.param(
            Request(
                (GuestCell(shared=frozenset({0}), page_size=PageSize.LARGE),),
                CpuPolicy.SHARED,
                ThreadPolicy.ISOLATE,
            ),
            "1 floating vCPU in one NUMA cell with large memory pages",
            id="a shared guest has no thread policy",
        ),
        pytest.param(None, "vCPUs with a NUMA topology", id="unknown"),
    ],
)
def test_asked(request_, text):
    assert asked(request_) == text


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        pytest.param(
            [pcpus(4)] * 11 + [pcpus(0)],
            "6 free pCPUs are needed in one NUMA cell, the best of 12 hosts "
            "has 4.",
            id="how near the best came",
        ),
        pytest.param(
            [NO_SMT] * 10 + [pcpus(4)] * 2,
            "10 of 12 hosts have no SMT, which hw:cpu_thread_policy=require "
            "needs; 6 free pCPUs are needed in one NUMA cell, the best of 2 "
            "hosts has 4.",
            id="several reasons",
        ),
        pytest.param(
            [NO_TOPOLOGY] * 3, "3 hosts report no NUMA topology.", id="plural"
        ),
        pytest.param(
            [NO_TOPOLOGY], "1 host reports no NUMA topology.", id="singular"
        ),
        pytest.param(
            [memory((4 << 20) - 1)],
            "4 GiB of free memory is needed in one NUMA cell, 1 host has "
            "4095 MiB.",
            id="memory is rounded down",
        ),
        pytest.param(
            [memory(-5 << 20)],
            "4 GiB of free memory is needed in one NUMA cell, 1 host has "
            "0 KiB.",
            id="an overcommitted host has nothing, and not less",
        ),
        pytest.param(
            [pcpus(0, 1)],
            "1 free pCPU is needed in one NUMA cell, 1 host has 0.",
            id="one pCPU",
        ),
        pytest.param(
            [Fact(Code.DEVICES, 1, 0, "PCI devices")] * 2,
            "1 PCI device is needed near NUMA cells with room for it, the "
            "best of 2 hosts has 0.",
            id="one device",
        ),
    ],
)
def test_sentence(facts, text):
    refusals = [Refusal((fact,)) for fact in facts]
    begin = "No host can take 6 pinned vCPUs in one NUMA cell: "
    assert sentence(guest(6), refusals) == begin + text


def test_a_long_sentence_loses_its_rarest_reasons_first():
    refusals = [
        *[Refusal((NO_SMT,))] * 3,
        *[Refusal((pcpus(4),))] * 2,
        Refusal((NO_TOPOLOGY,)),
    ]
    whole = sentence(guest(6), refusals)
    assert sentence(guest(6), refusals, len(whole)) == whole
    assert sentence(guest(6), refusals, len(whole) - 1) == (
        "No host can take 6 pinned vCPUs in one NUMA cell: 3 of 6 hosts have "
        "no SMT, which hw:cpu_thread_policy=require needs; 6 free pCPUs are "
        "needed in one NUMA cell, the best of 2 hosts has 4; 1 of 6 hosts "
        "for other reasons."
    )
    assert sentence(guest(6), refusals, 40) == (
        "No host of 6 can take the server."
    )


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.value)
def test_no_sentence_shows_a_name(code):
    fact = Fact(code, 2, 1, "pCPUs", detail="secret-name")
    text = sentence(guest(6), [Refusal((fact,))] * 2)
    assert "secret" not in text
    assert "{" not in text
