"""Hosts written as a line of text: ``cell:2 core:4 pu:2``.

Before the flow: for tests, examples and the command line, where no machine
is at hand. The form is that of hwloc's synthetic topologies. Knows how to
write a host, and not which of its pCPUs anybody configured for what.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable

from pinning_filter.core import cpuset
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.host import Host, HostCell, Pages

_EXAMPLE = "cell:2(memory=16GiB pages=4x1GiB) l3:2 core:4 pu:2"
#: The levels from the outside in, and whether each may be left out.
_LEVELS = {"cell": False, "l3": True, "core": False, "pu": True}
_ITEM = re.compile(
    r"(?P<level>[^\s:()]+):(?P<count>[0-9]{1,9})(?:\((?P<options>[^()]*)\))?"
)
_PAGES = re.compile(r"(?P<count>[0-9]{1,12})x(?P<size>.*)")
_SIZE = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>[KMGT])iB")
_UNITS_KIB = {"K": 1, "M": 1 << 10, "G": 1 << 20, "T": 1 << 30}
_SMALL_KIB = 4  #: the page size of what no option says
_MEMORY_KIB = 1 << 30  #: 1 TiB a host cell, so that only pCPUs can be short


@dataclasses.dataclass(frozen=True, slots=True)
class _Shape:
    """A line that was read: all host cells are alike."""

    cells: int = 0
    l3s: int | None = None  #: last-level caches of a host cell; None: unknown
    cores: int = 0  #: cores of a last-level cache, or of a host cell
    threads: int = 1  #: threads of a core
    memory_kib: int = _MEMORY_KIB
    pages: tuple[Pages, ...] = ()  #: but those of 4 KiB


def host(text: str, used: Iterable[int] = ()) -> Host:
    """Make the host that a line describes.

    Levels from the outside in, each with how many there are in the one
    around it: ``cell`` (NUMA cells), ``l3`` (last-level caches; left out:
    unknown), ``core``, ``pu`` (threads; left out: 1). pCPUs are numbered in
    order, the threads of a core side by side. ``cell`` takes options:
    ``memory``, 1 TiB if not given, and ``pages``, the huge pages among it;
    the rest is pages of 4 KiB. Each host cell is a socket of its own. All
    pCPUs are dedicated.

    >>> [sorted(core) for core in host("cell:1 core:2 pu:2").cells[0].siblings]
    [[0, 1], [2, 3]]
    >>> host("cell:2(memory=16GiB pages=4x1GiB,512x2MiB) core:4"
    ...      ).cells[1].pages[1]
    Pages(size_kib=1048576, total=4, used=0, reserved=0)

    :param used: pCPUs that guests are pinned to.
    :raises InvalidHost: naming every part that makes no sense, and what is
        allowed.
    """
    problems: list[str] = []
    shape = _read(text, problems)
    if not problems:
        problems += _impossible(shape)
    if problems:
        raise InvalidHost(
            f"host {text!r}", [*problems, f"an example: {_EXAMPLE}"]
        )
    taken = frozenset(used)
    return Host(
        tuple(_cell(shape, number, taken) for number in range(shape.cells))
    )


def _cell(shape: _Shape, number: int, used: frozenset[int]) -> HostCell:
    size = (shape.l3s or 1) * shape.cores * shape.threads
    first = number * size
    dedicated = frozenset(range(first, first + size))
    huge_kib = sum(pages.total_kib for pages in shape.pages)
    small = Pages(_SMALL_KIB, (shape.memory_kib - huge_kib) // _SMALL_KIB)
    return HostCell(
        number,
        dedicated=dedicated,
        pinned=dedicated & used,
        siblings=_groups(first, size, shape.threads),
        memory_kib=shape.memory_kib,
        pages=(small, *shape.pages),
        socket=number,
        caches=_groups(first, size, size // shape.l3s) if shape.l3s else (),
    )


def _groups(first: int, size: int, of: int) -> list[frozenset[int]]:
    """``size`` ids from ``first`` on, in groups of ``of``."""
    return [
        frozenset(range(start, start + of))
        for start in range(first, first + size, of)
    ]


def _read(text: str, problems: list[str]) -> _Shape:
    """Read the levels; what is wrong is added to ``problems``."""
    order = list(_LEVELS)
    found: dict[str, int] = {}
    shape = _Shape()
    unclear: set[str] = set()
    for item in _items(text):
        match = _ITEM.fullmatch(item)
        if not match:
            problems.append(f"{item!r} is not a level and a number")
            unclear.add(item.partition(":")[0])
        elif match["level"] not in order:
            problems.append(
                f"there is no level {match['level']!r}, only "
                + ", ".join(order)
            )
        elif match["level"] in found:
            problems.append(f"level {match['level']} is there twice")
        else:
            found[match["level"]] = int(match["count"])
            if match["options"] is not None:
                shape = _with_options(shape, match, problems)
    if list(found) != sorted(found, key=order.index):
        problems.append("levels go from the outside in: " + ", ".join(order))
    for level, optional in _LEVELS.items():
        if found.get(level, optional) < 1 and level not in unclear:
            problems.append(f"there is no {level}: at least 1 is needed")
    return dataclasses.replace(
        shape,
        cells=found.get("cell", 0),
        l3s=found.get("l3"),
        cores=found.get("core", 0),
        threads=found.get("pu", 1),
    )


def _items(text: str) -> list[str]:
    """Split at blanks, but for those within parentheses."""
    return re.findall(r"[^\s(]+(?:\([^)]*\)?)?|\S+", text)


def _with_options(
    shape: _Shape, item: re.Match[str], problems: list[str]
) -> _Shape:
    if item["level"] != "cell":
        problems.append(f"{item[0]!r}: only the level cell has options")
        return shape
    for option in item["options"].split():
        name, _, value = option.partition("=")
        if name == "memory":
            shape = dataclasses.replace(
                shape, memory_kib=_size_kib(value, problems)
            )
        elif name == "pages":
            shape = dataclasses.replace(shape, pages=_pages(value, problems))
        else:
            problems.append(
                f"cell has no option {name!r}, only memory=16GiB and "
                "pages=4x1GiB,512x2MiB"
            )
    return shape


def _pages(text: str, problems: list[str]) -> tuple[Pages, ...]:
    pages = []
    for part in text.split(","):
        match = _PAGES.fullmatch(part)
        if match:
            size = _size_kib(match["size"], problems)
            pages.append(Pages(size, int(match["count"])))
        else:
            problems.append(
                f"{part!r} is not a number of pages of a size, as 4x1GiB is"
            )
    return tuple(pages)


def _size_kib(text: str, problems: list[str]) -> int:
    match = _SIZE.fullmatch(text)
    if not match:
        problems.append(f"{text!r} is not a size such as 512MiB or 16GiB")
        return _MEMORY_KIB
    return int(match["number"]) * _UNITS_KIB[match["unit"]]


def _impossible(shape: _Shape) -> list[str]:
    """What cannot be, although every part was understood."""
    problems = []
    pcpus = math.prod(
        (shape.cells, shape.l3s or 1, shape.cores, shape.threads)
    )
    if pcpus > cpuset.LARGEST_ID + 1:
        problems.append(
            f"it has {pcpus} pCPUs, at most {cpuset.LARGEST_ID + 1} can be"
        )
    sizes = [pages.size_kib for pages in shape.pages]
    if len(set(sizes)) < len(sizes):
        problems.append("a page size is there twice")
    if any(size <= _SMALL_KIB for size in sizes):
        problems.append(f"huge pages are larger than {_SMALL_KIB} KiB")
    if sum(pages.total_kib for pages in shape.pages) > shape.memory_kib:
        problems.append("the pages are more than the memory of the cell")
    return problems
