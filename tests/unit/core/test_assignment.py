"""Guest cells onto host cells, by position alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import pytest

from pinning_filter.core.assignment import (
    Choices,
    Cover,
    TooManyCells,
    assign,
    shortage,
)


@pytest.mark.parametrize(
    ("fits", "count", "chosen"),
    [
        pytest.param([0b1], 1, (0,), id="one and one"),
        pytest.param([0b11, 0b11], 2, (0, 1), id="the first way of two"),
        pytest.param([0b11, 0b01], 2, (1, 0), id="the only way of two"),
        pytest.param([0b01, 0b01], 2, None, id="two want the same"),
        pytest.param([0b00, 0b11], 2, None, id="one fits nowhere"),
        pytest.param(
            [0b111, 0b011, 0b001], 3, (2, 1, 0), id="each pushes the other"
        ),
        pytest.param([0b1000, 0b1110], 4, (3, 1), id="later cells are free"),
        pytest.param([], 3, (), id="no guest cell"),
    ],
)
def test_the_first_permutation(
    fits: list[int], count: int, chosen: tuple[int, ...] | None
) -> None:
    assert assign(fits, count) == chosen


def test_the_first_way_beside_trying_all() -> None:
    rng = random.Random(8)
    found = 0
    for _ in range(300):
        count = rng.randint(2, 5)
        fits = [
            rng.getrandbits(count) for _ in range(rng.randint(1, count))
        ]
        ways = (
            way
            for way in itertools.permutations(range(count), len(fits))
            if all(mask >> cell & 1 for mask, cell in zip(fits, way,
                                                          strict=True))
        )
        first = next(ways, None)
        found += first is not None
        assert assign(fits, count) == first
    assert 50 < found < 250


def test_as_many_guest_cells_as_there_are_host_cells() -> None:
    everything = (1 << 64) - 1
    assert assign([everything] * 64, 64) == tuple(range(64))
    # Guest cell i fits host cells 63-i and above: only one way round.
    fits = [everything >> (63 - i) << (63 - i) for i in range(64)]
    assert assign(fits, 64) == tuple(range(63, -1, -1))
    assert assign([everything] * 63 + [0], 64) is None
    near = [Cover(1, ((1 << 40, 1),))]
    assert assign([everything] * 64, 64, near) == tuple(range(64))
    assert assign([everything] * 64, 64, [Cover(2, near[0].supplies)]) is None


def test_few_guest_cells_on_many_unlike_host_cells() -> None:
    last_two = [1 << 62 | 1 << 63, 1 << 63]
    assert assign(last_two, 64) == (62, 63)


def test_too_many_unlike_host_cells_are_not_cut_off() -> None:
    """Of those that are near no network two will do."""
    everything = (1 << 30) - 1
    covers = [Cover(1, ((1 << cell, 1),)) for cell in range(25)]
    with pytest.raises(TooManyCells, match="27 different host cells"):
        assign([everything] * 2, 30, covers)


@pytest.mark.parametrize(
    ("covers", "chosen"),
    [
        pytest.param([Cover(1, ((0b0001, 1),))], (0, 1), id="met anyway"),
        pytest.param([Cover(1, ((0b1000, 1),))], (0, 3), id="one elsewhere"),
        pytest.param(
            [Cover(1, ((0b1000, 1),)), Cover(1, ((0b0100, 1),))],
            (2, 3),
            id="both elsewhere",
        ),
        pytest.param(
            [Cover(1, ((0b1100, 1),)), Cover(1, ((0b0110, 1),))],
            (0, 2),
            id="one for both",
        ),
        pytest.param(
            [Cover(3, ((0b0001, 1), (0b0100, 2)))], (0, 2), id="by weight"
        ),
        pytest.param([Cover(1, ((0, 1),))], (0, 1), id="near everything"),
        pytest.param([Cover(2, ((0, 1), (0b10, 1)))], (0, 1), id="in part"),
        pytest.param([Cover(9, ((0b1111, 1),))], None, id="never enough"),
        pytest.param([Cover(1, ())], None, id="nothing supplies it"),
        pytest.param([Cover(0, ())], (0, 1), id="nothing needed"),
        pytest.param(
            [Cover(1, ((1 << cell, 1),)) for cell in (1, 2, 3)],
            None,
            id="three places for two",
        ),
    ],
)
def test_what_the_chosen_must_have_between_them(
    covers: list[Cover], chosen: tuple[int, ...] | None
) -> None:
    assert assign([0b1111, 0b1111], 4, covers) == chosen


def test_the_last_word_is_asked_of_each_set_once_and_in_order() -> None:
    asked: list[tuple[int, ...]] = []

    def accepts(chosen: tuple[int, ...]) -> bool:
        asked.append(chosen)
        return 3 in chosen

    assert assign([0b1111, 0b1111], 4, (), accepts) == (0, 3)
    assert asked == [(0, 1), (0, 2), (0, 3)]


def test_the_last_word_is_asked_only_so_often() -> None:
    asked: list[Sequence[int]] = []

    def refuse(chosen: tuple[int, ...]) -> bool:
        asked.append(chosen)
        return False

    assert assign([(1 << 16) - 1] * 8, 16, (), refuse) is None
    assert len(asked) == 32
    assert len(set(map(frozenset, asked))) == 32


def test_sets_that_differ_in_what_does_not_matter_are_asked_once() -> None:
    asked: list[tuple[int, ...]] = []

    def accepts(chosen: tuple[int, ...]) -> bool:
        asked.append(chosen)
        return 15 in chosen and 14 not in chosen

    # Only the last two make a difference: three questions settle it.
    chosen = assign([(1 << 16) - 1] * 8, 16, (), accepts, matters=0b11 << 14)
    assert chosen == (0, 1, 2, 3, 4, 5, 6, 15)
    assert len(asked) <= 3


@pytest.mark.parametrize("cells", [16, 24, 64])
def test_many_host_cells_are_no_more_work_than_a_few(cells: int) -> None:
    """Permutations of 16 by 8 are half a thousand million."""
    every = (1 << cells) - 1
    last = 1 << (cells - 1)
    assert assign([every] * 8, cells) == (0, 1, 2, 3, 4, 5, 6, 7)
    assert assign([every] * 7 + [last], cells) == (
        *range(7),
        cells - 1,
    )
    assert assign([every] * 6 + [last, last], cells) is None
    assert assign([every] * 8, cells, [Cover(1, ((last, 1),))]) == (
        *range(7),
        cells - 1,
    )


@pytest.mark.parametrize("guests", [1, 2, 3])
def test_the_same_as_by_permutations(guests: int) -> None:
    """Every way in which so many guest cells can fit three host cells."""
    cover = Cover(2, ((0b001, 1), (0b110, 1), (0b100, 1)))
    for fits in itertools.product(range(8), repeat=guests):
        for covers in ([], [cover]):
            first = next(
                (
                    chosen
                    for chosen in itertools.permutations(range(3), guests)
                    if all(
                        mask >> cell & 1
                        for mask, cell in zip(fits, chosen, strict=True)
                    )
                    and all(
                        each.met(sum(1 << cell for cell in chosen))
                        for each in covers
                    )
                ),
                None,
            )
            assert assign(fits, 3, covers) == first


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(0b0000, True, id="none wanted"),
        pytest.param(0b0101, True, id="one for each"),
        pytest.param(0b0011, False, id="two that only one can take"),
        pytest.param(0b1000, False, id="one that nobody can take"),
        pytest.param(0b0111, False, id="more than there are guest cells"),
    ],
)
def test_some_choice_has_what_is_wanted(wanted: int, expected: bool) -> None:
    assert Choices([0b0011, 0b0100], 4).some(wanted) is expected


@pytest.mark.parametrize("guests", [1, 2, 3])
def test_choices_are_what_assign_would_find(guests: int) -> None:
    cover = Cover(2, ((0b001, 1), (0b110, 1), (0b100, 1)))
    for fits in itertools.product(range(8), repeat=guests):
        for covers in ([], [cover]):
            choices = Choices(fits, 3, covers)
            for wanted in range(8):
                near = [
                    Cover(1, ((1 << cell, 1),))
                    for cell in range(3)
                    if wanted >> cell & 1
                ]
                found = assign(fits, 3, [*covers, *near])
                assert choices.some(wanted) is (found is not None)


@pytest.mark.parametrize(
    ("fits", "short"),
    [
        pytest.param([0b01, 0b10], None, id="all have one"),
        pytest.param([0b01, 0b01, 0b10], (2, 1), id="two for one"),
        pytest.param([0b00, 0b11], (1, 0), id="one for none"),
        pytest.param([0b011, 0b011, 0b011, 0b111], (3, 2), id="three for two"),
        pytest.param([0b11, 0b01], None, id="one moves along"),
    ],
)
def test_shortage(fits: list[int], short: tuple[int, int] | None) -> None:
    assert shortage(fits) == short
