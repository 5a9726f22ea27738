from typing import Any

import pytest

from pinning_filter.core.errors import InvalidRequest
from pinning_filter.core.request import CpuPolicy, GuestCell, PageSize, Request

ONE = GuestCell(dedicated=frozenset({0}))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param({"cells": ()}, "it has no guest cell", id="no cell"),
        pytest.param(
            {"cells": (ONE, ONE)},
            "guest cell 1: vCPUs [0] appear twice",
            id="a vCPU in two cells",
        ),
        pytest.param(
            {
                "cells": (GuestCell(frozenset({0}), frozenset({0, 1})),),
                "cpu_policy": CpuPolicy.MIXED,
            },
            "guest cell 0: vCPUs [0] appear twice",
            id="a vCPU that is dedicated and shared",
        ),
        pytest.param(
            {"cells": (GuestCell(memory_kib=-1),)},
            "guest cell 0: memory is -1 KiB",
            id="memory below zero",
        ),
        pytest.param(
            {"cells": (GuestCell(page_size=0),)},
            "guest cell 0: page size 0",
            id="pages of nothing",
        ),
        pytest.param(
            {"cells": (GuestCell(page_size=-4),)},
            "guest cell 0: page size -4",
            id="a page size that is none of Nova's words",
        ),
        pytest.param(
            {"cells": (ONE,), "cpu_policy": CpuPolicy.SHARED},
            "guest cell 0: dedicated vCPUs in a shared guest",
            id="a dedicated vCPU in a shared guest",
        ),
        pytest.param(
            {"cells": (GuestCell(shared=frozenset({0})),)},
            "guest cell 0: shared vCPUs in a dedicated guest",
            id="a shared vCPU in a dedicated guest",
        ),
    ],
)
def test_nonsense_is_named(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Request(**fields)
    assert caught.value.problems == (problem,)


def test_every_problem_is_named() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Request((ONE, GuestCell(memory_kib=-1, page_size=0)), CpuPolicy.SHARED)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("size", [*PageSize, 4, 1 << 20])
def test_page_sizes(size: int) -> None:
    assert Request((GuestCell(page_size=size),)).cells[0].page_size == size


@pytest.mark.parametrize(
    ("policy", "isolated", "reserved"),
    [
        pytest.param(CpuPolicy.DEDICATED, True, [1, 0], id="dedicated"),
        pytest.param(CpuPolicy.MIXED, True, [1, 0], id="mixed"),
        pytest.param(CpuPolicy.SHARED, True, [0, 0], id="shared: nothing"),
        pytest.param(CpuPolicy.DEDICATED, False, [0, 0], id="not isolated"),
    ],
)
def test_emulator_threads_take_a_pcpu_beside_guest_cell_0(
    policy: CpuPolicy, isolated: bool, reserved: list[int]
) -> None:
    request = Request(
        (GuestCell(), GuestCell()), policy, emulator_isolated=isolated
    )
    assert [request.reserve(0), request.reserve(1)] == reserved


def test_vcpus_are_all_of_a_cell() -> None:
    cell = GuestCell(frozenset({0, 2}), frozenset({1}))
    assert cell.vcpus == {0, 1, 2}
