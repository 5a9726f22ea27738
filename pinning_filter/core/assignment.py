"""Guest cells onto host cells: which way round, all at once.

Knows only positions: guest cell ``i``, host cell ``j``, who fits where, and
what the chosen host cells must have between them. What makes one guest cell
fit one host cell is not its business.

Trying permutations costs factorially. Where nothing joins the host cells this
is the matching of a bipartite graph, which takes polynomial time
(:func:`_matched`).

Where networks or devices join them, whether guest cells ``i, i+1, ...`` can
still be placed depends only on *which* host cells are taken, not on who took
them, and a set of host cells is a number of as many bits. So a *family* of
sets is kept as one big integer, in which bit ``s`` says whether the set ``s``
belongs to it: of 16 host cells there are 65,536 sets, 8 KiB, and adding a host
cell to every set of a family is one shift. That has a limit,
:data:`MOST_CELLS`, beyond which nothing is answered (:class:`TooManyCells`).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import NamedTuple

#: Above this many *different* host cells the families would grow past
#: 128 KiB each.
MOST_CELLS = 20


class TooManyCells(Exception):
    """There are more different host cells than families are made of.

    :ivar cells: how many there are; :data:`MOST_CELLS` is the most.
    """

    def __init__(self, cells: int) -> None:
        super().__init__(f"{cells} different host cells")
        self.cells = cells


class Cover(NamedTuple):
    """The chosen host cells must reach ``needed`` between them.

    >>> # A physical network with NICs on the host cells 1 and 3:
    >>> Cover(1, ((0b1010, 1),)).met(0b0011)
    True
    """

    needed: int
    #: (host cells as a set of bits, weight): the weight counts once, if any
    #: of these host cells is chosen. No host cell at all: it always counts.
    supplies: tuple[tuple[int, int], ...]

    def reached(self, chosen: int) -> int:
        """What the chosen host cells, a set of bits, reach."""
        return sum(
            weight
            for cells, weight in self.supplies
            if not cells or cells & chosen
        )

    def met(self, chosen: int) -> bool:
        """Whether the chosen host cells, a set of bits, suffice."""
        return self.reached(chosen) >= self.needed


def assign(
    fits: Sequence[int],
    host_cells: int,
    covers: Sequence[Cover] = (),
    accepts: Callable[[tuple[int, ...]], bool] | None = None,
    asks: int = 32,
    matters: int = -1,
    within: int = -1,
) -> tuple[int, ...] | None:
    """The first way, in order of host cells, to give each guest cell its own.

    "First" compares guest cell 0's host cell, then guest cell 1's, and so on,
    each by position: the permutation that Nova would come to first.

    >>> assign([0b01, 0b11], 2)
    (0, 1)
    >>> assign([0b01, 0b01], 2) is None
    True

    :param fits: for each guest cell the host cells that can take it, as bits.
    :param host_cells: how many host cells there are.
    :param covers: what the chosen host cells must have between them.
    :param accepts: the last word on a set of host cells, for what covers
        cannot say; asked at most ``asks`` times, with the positions.
    :param matters: the host cells, as bits, that make a difference to
        ``accepts``: sets that differ in others only have the same answer.
    :param within: the family of sets that may be taken; -1: of all. Only
        where there are no more host cells than :data:`MOST_CELLS`.
    :returns: a host cell for each guest cell, or None.
    :raises TooManyCells: where covers or ``accepts`` join more different host
        cells than can be looked at.
    """
    if _reach(fits) < len(fits):
        return None
    if not (covers or accepts) and within == -1:
        return _matched(fits)
    if len(fits) == _reach(fits) and within == -1:
        return _all_taken(fits, covers, accepts)
    kept = _kept(fits, host_cells, covers)
    if len(kept) > MOST_CELLS:
        raise TooManyCells(len(kept))
    fits = [_pack(mask, kept) for mask in fits]
    covers = [
        Cover(needed, tuple((_pack(m, kept), w) for m, w in supplies if
                            not m or _pack(m, kept)))
        for needed, supplies in covers
    ]
    last = _meeting(len(kept), covers) & within
    for _ in range(asks):
        chosen = _first(fits, len(kept), last)
        if chosen is None:
            return None
        positions = tuple(kept[index] for index in chosen)
        if accepts is None or accepts(positions):
            return positions
        last &= ~_alike(chosen, len(kept), _pack(matters, kept))
    return None


class Choices:
    """All sets of host cells that the guest cells can be given.

    >>> choices = Choices([0b011, 0b110], 3)
    >>> choices.some(0b101), choices.some(0b111)
    (True, False)
    """

    def __init__(
        self,
        fits: Sequence[int],
        host_cells: int,
        covers: Sequence[Cover] = (),
    ) -> None:
        """As for :func:`assign`, save that no host cell is left out."""
        self._having = having = _having(host_cells)
        family = 1
        for mask in fits:
            taking = 0
            for cell in _bits(mask):
                taking |= (family & ~having[cell]) << (1 << cell)
            family = taking
        self._family = family and family & _meeting(host_cells, covers)

    def some(self, wanted: int) -> bool:
        """Whether any of the sets has all of the wanted host cells, bits."""
        family = self._family
        for cell in _bits(wanted):
            family &= self._having[cell]
        return family != 0


def _matched(fits: Sequence[int]) -> tuple[int, ...] | None:
    """The first way to give each guest cell a host cell of its own.

    1. Any way: one guest cell after the other, moving those before along.
    2. For each guest cell in turn, the first host cell that it can have while
       those after it still find theirs; then it keeps it.
    """
    owner: dict[int, int] = {}
    for guest in range(len(fits)):
        if not _augment(fits, guest, owner, {guest}):
            return None
    fixed: set[int] = set()
    chosen: list[int] = []
    for guest, mask in enumerate(fits):
        fixed.add(guest)
        for cell in _bits(mask):
            holder = owner.get(cell)
            if holder == guest:
                break
            if holder in fixed:
                continue
            trial = {c: g for c, g in owner.items() if g != guest}
            trial[cell] = guest
            # A guest cell that has its host cell for good does not move.
            if holder is None or _augment(fits, holder, trial, set(fixed)):
                owner = trial
                break
        chosen.append(cell)
    return tuple(chosen)


def _all_taken(
    fits: Sequence[int],
    covers: Sequence[Cover],
    accepts: Callable[[tuple[int, ...]], bool] | None,
) -> tuple[int, ...] | None:
    """The first way where every host cell that fits at all is taken."""
    everything = functools.reduce(operator.or_, fits, 0)
    if not all(cover.met(everything) for cover in covers):
        return None
    chosen = _matched(fits)
    if chosen is None or (accepts and not accepts(chosen)):
        return None
    return chosen


def _alike(chosen: Sequence[int], cells: int, matters: int) -> int:
    """The family of sets that have the chosen cells of those that matter."""
    having = _having(cells)
    family = (1 << (1 << cells)) - 1
    for cell in _bits(matters):
        family &= having[cell] if cell in chosen else ~having[cell]
    return family


def _first(
    fits: Sequence[int], cells: int, last: int
) -> tuple[int, ...] | None:
    """Back from the families that may be reached to the first way there."""
    having = _having(cells)
    # open_[i]: the sets that may be taken before guest cell i is placed.
    open_ = [last]
    for mask in reversed(fits):
        family = 0
        for cell in _bits(mask):
            family |= (open_[-1] & having[cell]) >> (1 << cell)
        open_.append(family)
    open_.reverse()
    if not open_[0] & 1:
        return None
    taken = 0
    chosen: list[int] = []
    for mask, family in zip(fits, open_[1:], strict=True):
        cell = next(
            cell
            for cell in _bits(mask & ~taken)
            if family >> (taken | 1 << cell) & 1
        )
        taken |= 1 << cell
        chosen.append(cell)
    return tuple(chosen)


def _meeting(cells: int, covers: Sequence[Cover]) -> int:
    """The family of all sets of host cells that meet every cover."""
    every = (1 << (1 << cells)) - 1
    having = _having(cells)
    meeting = every
    for needed, supplies in covers:
        # levels[n]: the family of sets that reach n so far; n stops at needed.
        levels = {0: meeting}
        for mask, weight in supplies:
            touching = 0 if mask else every
            for cell in _bits(mask):
                touching |= having[cell]
            grown: dict[int, int] = {}
            for level, family in levels.items():
                up = min(needed, level + weight)
                grown[up] = grown.get(up, 0) | family & touching
                grown[level] = grown.get(level, 0) | family & ~touching
            levels = {level: f for level, f in grown.items() if f}
        meeting = levels.get(needed, 0) if needed > 0 else meeting
    return meeting


@functools.cache
def _having(cells: int) -> tuple[int, ...]:
    """For each host cell: the family of all sets that have it."""
    every = (1 << (1 << cells)) - 1
    return tuple(
        # Blocks of 2**cell sets without it and as many with it, in turn.
        every // ((1 << (1 << cell)) + 1) << (1 << cell)
        for cell in range(cells)
    )


def shortage(fits: Sequence[int]) -> tuple[int, int] | None:
    """Guest cells that have too few host cells between them, if any.

    >>> shortage([0b01, 0b01, 0b10])
    (2, 1)

    :returns: how many guest cells, and how many host cells can take any of
        them (Hall's condition); None where all can be placed.
    """
    if len(set(fits)) == 1:
        reach = _reach(fits)
        return (len(fits), reach) if reach < len(fits) else None
    owner: dict[int, int] = {}
    for guest in range(len(fits)):
        guests = {guest}
        if not _augment(fits, guest, owner, guests):
            return len(guests), _reach([fits[each] for each in guests])
    return None


def _reach(fits: Sequence[int]) -> int:
    """How many host cells can take any of the guest cells."""
    return functools.reduce(operator.or_, fits, 0).bit_count()


def _augment(
    fits: Sequence[int], guest: int, owner: dict[int, int], seen: set[int]
) -> bool:
    """Give a guest cell a host cell, moving others along if need be."""
    for cell in _bits(fits[guest]):
        holder = owner.get(cell)
        if holder in seen:
            continue
        if holder is not None:
            seen.add(holder)
        if holder is None or _augment(fits, holder, owner, seen):
            owner[cell] = guest
            return True
    return False


def _kept(
    fits: Sequence[int], host_cells: int, covers: Sequence[Cover]
) -> list[int]:
    """The host cells worth a look.

    Of host cells that fit the same guest cells and serve the same covers, a
    guest of n cells never needs more than the first n.
    """
    if host_cells <= MOST_CELLS:
        return list(range(host_cells))
    kept: list[int] = []
    seen: dict[object, int] = {}
    for cell in range(host_cells):
        bit = 1 << cell
        takes = tuple(mask & bit != 0 for mask in fits)
        serves = tuple(
            # Alone in a supply, only the weight tells it from another.
            (index, weight if mask == bit else -mask, weight)
            for index, cover in enumerate(covers)
            for mask, weight in cover.supplies
            if mask & bit
        )
        alike = seen[takes, serves] = seen.get((takes, serves), 0) + 1
        if any(takes) and alike <= len(fits):
            kept.append(cell)
    return kept


def _bits(mask: int) -> list[int]:
    return [bit for bit in range(mask.bit_length()) if mask >> bit & 1]


def _pack(mask: int, kept: Sequence[int]) -> int:
    return sum((mask >> cell & 1) << index for index, cell in enumerate(kept))
