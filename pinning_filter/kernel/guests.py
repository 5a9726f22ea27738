"""QEMU's processes -> where their threads may run, and their memory is.

A process is known by the UUID on its command line, its threads by the names
that QEMU gives them: ``CPU 3/KVM`` (or ``/TCG``), ``IO iothread1``.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import re
from collections.abc import Collection, Mapping

from pinning_filter.kernel.files import HERE, Roots, pcpus, text, whole

_VCPU = re.compile(r"CPU (\d{1,5})/(?:KVM|TCG)")
_IOTHREAD = re.compile(r"IO iothread(\d{1,5})")
_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*(.*)$", re.M)
_ON_CELL = re.compile(r" N(\d{1,4})=(\d+)")
_PAGE = re.compile(r" kernelpagesize_kB=(\d+)")
#: How numa_maps says that memory comes from certain cells and no others.
_BOUND = re.compile(r"^\S+ bind\S*:")


@dataclasses.dataclass(frozen=True, slots=True)
class Threads:
    """Where a guest's threads may run (``Cpus_allowed_list``)."""

    vcpus: Mapping[int, frozenset[int]]  #: by number of the vCPU
    emulator: frozenset[int]  #: the main thread
    iothreads: Mapping[int, frozenset[int]]  #: by number, from 1


@dataclasses.dataclass(frozen=True, slots=True)
class Memory:
    """Where a guest's memory is that it has touched.

    That which is bound to host cells, if any is; else all of it.
    """

    bound: bool  #: whether it is bound
    cells_kib: Mapping[int, int]  #: by host cell
    pages_kib: Mapping[int, int]  #: by size of the pages, in KiB


def processes(
    uuids: Collection[str],
    roots: Roots = HERE,
    before: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """UUID -> process, of those that can be seen.

    :param before: what was found earlier, which is looked at first.
    """
    wanted = set(uuids)
    found = {}
    for uuid, pid in (before or {}).items():
        if uuid in wanted and _uuid(pid, roots) == uuid:
            found[uuid] = pid
    if len(found) < len(wanted):
        with contextlib.suppress(OSError):
            for name in os.listdir(roots.proc):
                if name.isdigit():
                    uuid = _uuid(int(name), roots)
                    if uuid in wanted:
                        found.setdefault(uuid, int(name))
    return found


def _uuid(pid: int, roots: Roots) -> str:
    """What follows ``-uuid`` on a command line; empty: nothing does."""
    try:
        with open(f"{roots.proc}/{pid}/cmdline", "rb") as file:
            _, _, after = file.read().partition(b"\0-uuid\0")
    except OSError:
        return ""
    return after.partition(b"\0")[0].decode("ascii", "replace")


def threads(pid: int, roots: Roots = HERE) -> Threads | None:
    """A process's threads; None: it has ended, or may not be looked at."""
    folder = f"{roots.proc}/{pid}/task"
    vcpus: dict[int, frozenset[int]] = {}
    iothreads: dict[int, frozenset[int]] = {}
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    emulator = _allowed(f"{folder}/{pid}")
    if emulator is None:
        return None
    for name in names:
        comm = text(f"{folder}/{name}/comm") or ""
        for pattern, into in ((_VCPU, vcpus), (_IOTHREAD, iothreads)):
            if found := pattern.fullmatch(comm):
                allowed = _allowed(f"{folder}/{name}")
                if allowed is not None:
                    into[int(found[1])] = allowed
    return Threads(
        dict(sorted(vcpus.items())), emulator, dict(sorted(iothreads.items()))
    )


def _allowed(folder: str) -> frozenset[int] | None:
    found = _ALLOWED.search(text(f"{folder}/status") or "")
    return pcpus(found[1].strip()) if found else None


def memory(pid: int, roots: Roots = HERE) -> Memory | None:
    """A process's memory; None: it may not be looked at, which is root's.

    The kernel counts every page for this: a second for hundreds of GiB in
    small pages.
    """
    said = text(roots.proc / str(pid) / "numa_maps")
    if not said:
        return None
    lines = said.splitlines()
    bound = [line for line in lines if _BOUND.match(line)]
    cells: dict[int, int] = collections.Counter()
    pages: dict[int, int] = collections.Counter()
    for line in bound or lines:
        size = _PAGE.search(line)
        if size is None:
            continue
        for cell, count in _ON_CELL.findall(line):
            cells[int(cell)] += whole(count) * int(size[1])
            pages[int(size[1])] += whole(count) * int(size[1])
    return Memory(
        bool(bound), dict(sorted(cells.items())), dict(sorted(pages.items()))
    )
