"""What would turn a refusal into a placement."""

import dataclasses

import pytest

from pinning_filter.core import cpuset, synthetic
from pinning_filter.core.fit import fit
from pinning_filter.core.remedy import remedies
from pinning_filter.core.request import (
    GuestCell,
    PageSize,
    Request,
    ThreadPolicy,
)


def asked(vcpus, policy="prefer", memory_gib=0, **fields):
    cell = GuestCell(
        dedicated=frozenset(range(vcpus)), memory_kib=memory_gib << 20
    )
    return Request((cell,), thread_policy=ThreadPolicy(policy), **fields)


@pytest.mark.parametrize(
    ("host", "used", "request_", "expected"),
    [
        pytest.param(
            "cell:2 core:2 pu:2",
            "0-1,4-6",
            asked(4),
            ["fits when 2 more pCPUs are free in host cell 0, such as 0-1"],
            id="the host cell that lacks the least",
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            "3",
            asked(4),
            ["fits when 1 more pCPU is free in host cell 0, such as 3"],
            id="one",
        ),
        pytest.param(
            "cell:1 core:4",
            "",
            asked(2, "require"),
            ["fits with thread policy prefer"],
            id="require where there is no SMT",
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            "",
            asked(2, "isolate"),
            ["fits with thread policy prefer"],
            id="isolate on a host with SMT",
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            "0-3",
            asked(2, "isolate"),
            [
                "fits with thread policy prefer when 2 more pCPUs are free in "
                "host cell 0, such as 0-1"
            ],
            id="isolate on a full host with SMT: freeing alone is no help",
        ),
        pytest.param(
            "cell:1 core:1 pu:2",
            "",
            asked(2, "isolate", emulator_isolated=True),
            [
                "fits with thread policy prefer and without isolated emulator "
                "threads"
            ],
            id="two wishes too many",
        ),
        pytest.param(
            "cell:1 core:2",
            "1",
            asked(2, "isolate"),
            ["fits when 1 more pCPU is free in host cell 0, such as 1"],
            id="isolate on a full host without SMT",
        ),
        pytest.param(
            "cell:1 core:4 pu:2",
            "0,2,4,6",
            asked(4, "require"),
            [
                "fits with thread policy prefer",
                "fits when 2 more pCPUs are free in host cell 0, such as 0,2",
            ],
            id="require among half-used cores",
        ),
        pytest.param(
            "cell:1 core:2 pu:2",
            "",
            asked(4, emulator_isolated=True),
            ["fits without isolated emulator threads"],
            id="emulator threads are one too many",
        ),
        pytest.param(
            "cell:1 core:2 pu:2", "", asked(5), [], id="never: too few pCPUs"
        ),
        pytest.param(
            "cell:1(memory=1GiB) core:2",
            "",
            asked(1, memory_gib=2),
            [],
            id="never: too little memory",
        ),
    ],
)
def test_remedies(host, used, request_, expected):
    found = remedies(synthetic.host(host, cpuset.parse(used)), request_)
    assert [each.text for each in found] == expected
    for each in found:
        assert fit(each.host, each.request)


def test_memory_and_pcpus_together():
    host = synthetic.host("cell:1(memory=4GiB) core:4", {0, 1})
    (cell,) = host.cells
    (pages,) = cell.pages
    cell = cell._replace(pages=[pages._replace(used=pages.total // 2)])
    (found,) = remedies(host._replace(cells=[cell]), asked(3, memory_gib=3))
    assert found.text == (
        "fits when 1 more pCPU and 1 GiB more memory are free in host cell "
        "0, such as 0"
    )


def with_pages(memory_gib, asked_for, **used):
    """2 GiB of each of three sizes, and a guest that asks for pages."""
    host = synthetic.host("cell:1(memory=6GiB pages=1024x2MiB,2x1GiB) core:2")
    (cell,) = host.cells
    pages = [
        each._replace(used=used.get(f"of_{each.size_kib}", 0))
        for each in cell.pages
    ]
    guest = GuestCell(frozenset({0}), frozenset(), memory_gib << 20, asked_for)
    return host._replace(cells=[cell._replace(pages=pages)]), Request((guest,))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        pytest.param(
            with_pages(2, 1 << 20, of_1048576=1),
            [
                "fits with memory pages of any size",
                "fits when 1 GiB more memory in pages of 1 GiB is free in "
                "host cell 0",
            ],
            id="pages of one size are used up",
        ),
        pytest.param(
            with_pages(2, PageSize.LARGE, of_1048576=2, of_2048=512),
            [
                "fits with memory pages of any size",
                "fits when 1 GiB more memory in pages of 2 MiB is free in "
                "host cell 0",
            ],
            id="large: those that lack the least",
        ),
        pytest.param(
            with_pages(1, 16 << 10),
            ["fits with memory pages of any size"],
            id="a size that the host does not have",
        ),
        pytest.param(with_pages(3, PageSize.ANY), [], id="never: any size"),
        pytest.param(
            with_pages(1, None, of_4=10**30),
            [],
            id="a count of which nothing can be taken away",
        ),
    ],
)
def test_memory_pages(question, expected):
    found = remedies(*question)
    assert [each.text for each in found] == expected
    for each in found:
        assert fit(each.host, each.request)


def test_guests_of_several_cells_are_only_told_to_ask_for_less():
    half = GuestCell(dedicated=frozenset({0, 1}))
    other = GuestCell(dedicated=frozenset({2, 3}))
    request = Request((half, other), thread_policy=ThreadPolicy.REQUIRE)
    host = synthetic.host("cell:2 core:2")
    assert [each.text for each in remedies(host, request)] == [
        "fits with thread policy prefer"
    ]
    milder = dataclasses.replace(request, thread_policy=ThreadPolicy.PREFER)
    full = synthetic.host("cell:2 core:2", {0})
    assert remedies(full, milder) == []
