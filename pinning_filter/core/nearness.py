"""Host cells that are near one another, for a guest of several cells.

After ``assignment`` has found host cells for all guest cells: of all sets of
host cells that will do as well, one whose cells are nearer. Only ever puts one
choice in the place of another, so whether a guest fits is not its business.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

from pinning_filter.core.assignment import MOST_CELLS
from pinning_filter.core.host import HostCell

#: More sets of host cells than this are not compared: of a host of 16 cells
#: those for a guest of up to 4.
MOST_SETS = 2000
#: Where libvirt does not say how far two cells are: as if they were out of
#: reach, in the numbers of ACPI's SLIT.
_UNKNOWN = 255
#: Two cells on different sockets are farther than any on one.
_OTHER_SOCKET = 1 << 20

#: For each host cell, how far each of them is, to it and back.
_Matrix = tuple[tuple[int, ...], ...]


def nearer(
    cells: Sequence[HostCell],
    prices: Sequence[int],
    chosen: tuple[int, ...],
    find: Callable[[int], tuple[int, ...] | None],
) -> tuple[int, ...]:
    """A choice of host cells that are nearer to each other, if there is one.

    All *preferences*, the first that tells two sets of as many host cells
    apart decides:

    1. None that costs more than the one chosen (see ``prices``).
    2. Fewer pairs of cells on different sockets.
    3. The lower sum of the distances from each cell to each other.
    4. The choice that is found first, as without this.

    >>> cells = [
    ...     HostCell(0, {0}, distances={0: 10, 1: 21, 2: 12}),
    ...     HostCell(1, {1}, distances={0: 21, 1: 10, 2: 21}),
    ...     HostCell(2, {2}, distances={0: 12, 1: 21, 2: 10}),
    ... ]
    >>> nearer(cells, (0, 0, 0), (0, 1), lambda family: (0, 2))
    (0, 2)

    :param cells: the host cells in the order in which they are tried.
    :param prices: what each host cell costs in devices that are near it, and
        are not to be wasted or are not to be missed.
    :param chosen: positions of host cells, one for each guest cell.
    :param find: the first choice whose host cells are one of a family of sets
        (:mod:`~pinning_filter.core.assignment`), or None.
    """
    count, taken = len(cells), len(chosen)
    if count > MOST_CELLS or math.comb(count, taken) > MOST_SETS:
        return chosen
    families = _nearer_families(_matrix(cells), tuple(prices), chosen)
    found = filter(None, map(find, families))
    return next(found, chosen)


def total(cells: Sequence[HostCell], chosen: Sequence[int]) -> int:
    """The sum of the distances between the chosen host cells, both ways.

    Two cells on different sockets count a million more.
    """
    return _total(_matrix(cells), chosen)


def _total(matrix: _Matrix, chosen: Sequence[int]) -> int:
    return sum(
        matrix[one][other] for one, other in itertools.combinations(chosen, 2)
    )


def _matrix(cells: Sequence[HostCell]) -> _Matrix:
    return tuple(
        tuple(
            one.distances.get(other.id, _UNKNOWN)
            + other.distances.get(one.id, _UNKNOWN)
            + (one.socket != other.socket) * _OTHER_SOCKET
            for other in cells
        )
        for one in cells
    )


@functools.lru_cache(maxsize=128)
def _nearer_families(
    matrix: _Matrix, prices: tuple[int, ...], chosen: tuple[int, ...]
) -> tuple[int, ...]:
    """The sets nearer than the one chosen, by how near they are.

    Each family is of sets that are equally near, the nearest first. Hosts of
    one model have the same, so few are ever worked out.
    """
    far = _total(matrix, chosen)
    price = sum(prices[position] for position in chosen)
    families: dict[int, int] = {}
    for cells in itertools.combinations(range(len(matrix)), len(chosen)):
        near = _total(matrix, cells)
        if near < far and sum(prices[cell] for cell in cells) <= price:
            taken = sum(1 << cell for cell in cells)
            families[near] = families.get(near, 0) | 1 << taken
    return tuple(families[near] for near in sorted(families))
