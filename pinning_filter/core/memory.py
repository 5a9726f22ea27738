"""A guest cell's memory in a host cell: enough of it, in pages of what size?

Whatever knows memory pages is here; pCPUs and other cells are not.
"""

from __future__ import annotations

from collections.abc import Sequence

from pinning_filter.core.host import HostCell, Pages
from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import GuestCell, PageSize


def page_size(
    cell: HostCell, guest_cell: GuestCell, pinned: bool
) -> int | Fact | None:
    """The page size that the guest cell gets: None where it asked for none.

    Where it asked for none, its memory must fit the smallest pages: the free
    ones for a pinned guest, all of them for one that may be overcommitted.
    """
    asked = guest_cell.page_size
    if asked is not None:
        return _asked(cell, guest_cell.memory_kib, asked)
    memory = guest_cell.memory_kib
    if cell.pages:
        smallest = min(cell.pages)
        free: float = smallest.free_kib if pinned else smallest.total_kib
        if memory % smallest.size_kib:
            return _page_fact(Code.PAGE_MULTIPLE, cell, memory, [smallest])
    else:
        free = cell.memory_free_kib if pinned else cell.memory_kib
    if memory > free:
        code = Code.MEMORY if pinned else Code.MEMORY_TOTAL
        free, where = max(0, free), _smallest(cell)
        return Fact(code, memory, free, "KiB", cell.id, detail=where)
    return None


def lasting(
    cell: HostCell, guest_cell: GuestCell, pinned: bool
) -> Fact | None:
    """What :func:`page_size` would lack even if no guest had any memory.

    >>> cell = HostCell(0, {0}, memory_kib=1 << 20, memory_used_kib=1 << 20)
    >>> lasting(cell, GuestCell(frozenset({0}), memory_kib=1 << 20), True)
    >>> more = GuestCell(frozenset({0}), memory_kib=2 << 20)
    >>> lasting(cell, more, True).text
    'host cell 0: needs 2 GiB of memory, has 1 GiB in all'
    """
    if not isinstance(page_size(cell, guest_cell, pinned), Fact):
        return None
    pages = [each._replace(used=0) for each in cell.pages]
    emptied = cell._replace(memory_used_kib=0, pages=pages)
    found = page_size(emptied, guest_cell, pinned)
    if isinstance(found, Fact):
        return found._replace(code=_FOR_GOOD.get(found.code, found.code))
    return None


_FOR_GOOD = {Code.MEMORY: Code.MEMORY_TOTAL, Code.PAGES: Code.PAGES_TOTAL}


def _asked(cell: HostCell, memory: int, asked: int) -> int | Fact:
    """The largest page size of those asked for that has room."""
    pages = of_size(cell, asked)
    if not pages:
        has = [page_name(each.size_kib) for each in sorted(cell.pages)]
        only = f"only pages of {', '.join(has)}" if has else "none"
        detail = f"{page_name(asked)}, has {only}"
        return Fact(Code.PAGE_SIZE, memory, 0, "KiB", cell.id, detail=detail)
    for each in pages:
        if memory <= each.free_kib and memory % each.size_kib == 0:
            return each.size_kib
    if any(memory % each.size_kib == 0 for each in pages):
        return _page_fact(Code.PAGES, cell, memory, pages)
    return _page_fact(Code.PAGE_MULTIPLE, cell, memory, pages)


def of_size(cell: HostCell, asked: int) -> list[Pages]:
    """The pages of the host cell that will do, the largest first.

    :param asked: a size in KiB or a :class:`PageSize`.
    """
    pages = sorted(cell.pages, reverse=True)
    if asked == PageSize.SMALL:
        return pages[-1:]
    if asked == PageSize.LARGE:
        return pages[:-1]
    if asked == PageSize.ANY:
        return pages
    return [each for each in pages if each.size_kib == asked]


def _smallest(cell: HostCell) -> str:
    """Which memory is meant, where the host cell has huge pages too."""
    if len(cell.pages) < 2:
        return ""
    return f" in pages of {page_name(min(cell.pages).size_kib)}"


def _page_fact(
    code: Code, cell: HostCell, memory: int, pages: Sequence[Pages]
) -> Fact:
    return Fact(
        code,
        memory,
        max(0, *(each.free_kib for each in pages), 0),
        "KiB",
        cell.id,
        detail=" or ".join(page_name(each.size_kib) for each in pages),
    )


_PAGE_NAMES = {
    PageSize.SMALL: "the smallest size",
    PageSize.LARGE: "a large size",
    PageSize.ANY: "any size",
}


def page_name(size: int) -> str:
    """A page size as people read it, in KiB or a :class:`PageSize`.

    >>> page_name(2048), page_name(PageSize.LARGE)
    ('2 MiB', 'a large size')
    """
    if size < 0:
        return _PAGE_NAMES[PageSize(size)]
    for step, name in ((1 << 20, "GiB"), (1 << 10, "MiB")):
        if size % step == 0:
            return f"{size // step} {name}"
    return f"{size} KiB"
