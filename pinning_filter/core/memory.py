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
        return Fact(code, memory, free, "KiB", cell.id)
    return None


def _asked(cell: HostCell, memory: int, asked: int) -> int | Fact:
    """The largest page size of those asked for that has room."""
    pages = sorted(cell.pages, reverse=True)
    if asked == PageSize.SMALL:
        pages = pages[-1:]
    elif asked == PageSize.LARGE:
        pages = pages[:-1]
    elif asked != PageSize.ANY:
        pages = [each for each in pages if each.size_kib == asked]
    if not pages:
        return Fact(
            Code.PAGE_SIZE, host_cell=cell.id, detail=_page_name(asked)
        )
    for each in pages:
        if memory <= each.free_kib and memory % each.size_kib == 0:
            return each.size_kib
    if any(memory % each.size_kib == 0 for each in pages):
        return _page_fact(Code.PAGES, cell, memory, pages)
    return _page_fact(Code.PAGE_MULTIPLE, cell, memory, pages)


def _page_fact(
    code: Code, cell: HostCell, memory: int, pages: Sequence[Pages]
) -> Fact:
    return Fact(
        code,
        memory,
        max(0, *(each.free_kib for each in pages), 0),
        "KiB",
        cell.id,
        detail=" or ".join(_page_name(each.size_kib) for each in pages),
    )


_PAGE_NAMES = {
    PageSize.SMALL: "the smallest size",
    PageSize.LARGE: "a large size",
    PageSize.ANY: "any size",
}


def _page_name(size: int) -> str:
    if size < 0:
        return _PAGE_NAMES[PageSize(size)]
    for step, name in ((1 << 20, "GiB"), (1 << 10, "MiB")):
        if size % step == 0:
            return f"{size // step} {name}"
    return f"{size} KiB"
