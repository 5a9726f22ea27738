"""A host drawn in plain text: its cells, cores and threads, and who is there.

After the answer: for terminals, so that a placement can be checked by eye.
Knows core's values only, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host, HostCell
from pinning_filter.core.placement import CellPlacement, Placement
from pinning_filter.core.request import ThreadPolicy

FREE = "."
TAKEN = "##"
IDLE = "--"
EMULATOR = "em"
SHARED = "~"
CLOSED = "x"

#: In the order of the legend.
_MEANINGS = {
    EMULATOR: "kept for its emulator threads",
    IDLE: "stays idle: its core belongs to the guest",
    TAKEN: "other guests'",
    FREE: "free",
    SHARED: "shared by floating vCPUs",
    CLOSED: "not for guests",
}

_COUNTED = "  Host cells without a part of the guest are counted, not drawn."

_WIDTH = 79
_LABEL = "  pCPU "
#: On hosts with more pCPUs than this, cells without a part of the guest take
#: one line each.
_SMALL = 32


def picture(host: Host, placement: Placement | None = None) -> str:
    """Draw a host, and a guest on it.

    Each core is a pair of brackets with its threads in it.

    >>> from pinning_filter.core import fit, request, synthetic
    >>> host = synthetic.host("cell:1 core:4 pu:2", used={0, 1})
    >>> two = request.GuestCell(dedicated=frozenset({0, 1}))
    >>> print(picture(host, fit.fit(host, request.Request((two,)))))
    host cell 0 <- guest cell 0
      pCPU   0  1   2  3   4  5   6  7
           [## ##][v0 v1][ .  .][ .  .]
    <BLANKLINE>
      v0 v1 ..  the guest's vCPUs
      ##        other guests'
      .         free

    :param placement: the answer of a fit on this host as it is here, that
        is, before the guest is counted on it; None: the host by itself.
    """
    placed = {
        each.host_cell.id: (index, each)
        for index, each in enumerate(placement.cells if placement else ())
    }
    isolated = bool(
        placement and placement.request.thread_policy is ThreadPolicy.ISOLATE
    )
    small = sum(map(len, map(_pcpus, host.cells))) <= _SMALL
    counted = False
    lines: list[str] = []
    seen: set[str] = set()
    for cell in host.cells:
        index, part = placed.get(cell.id, (None, None))
        lines.append(_title(cell, index, part))
        if part or small or not placement:
            marks = _marks(cell, part, isolated)
            seen.update(marks.values())
            lines += _drawn(cell, marks)
        else:
            counted = True
            lines[-1] += (
                f": {len(cell.free)} of {len(cell.dedicated)} pCPUs free"
            )
    more = [_COUNTED] if counted else []
    return "\n".join([*lines, "", *_legend(seen), *more])


def _pcpus(cell: HostCell) -> frozenset[int]:
    return frozenset[int]().union(cell.dedicated, cell.shared, *cell.siblings)


def _title(
    cell: HostCell, index: int | None, part: CellPlacement | None
) -> str:
    if part is None:
        return f"host cell {cell.id}"
    title = f"host cell {cell.id} <- guest cell {index}"
    if floating := part.guest_cell.shared:
        title += f", its vCPUs {cpuset.format(floating)} float over {SHARED}"
    return title


def _marks(
    cell: HostCell, part: CellPlacement | None, isolated: bool
) -> dict[int, str]:
    """What to write for each pCPU; later rules overrule earlier ones."""
    marks = dict.fromkeys(_pcpus(cell), CLOSED)
    marks |= dict.fromkeys(cell.shared, SHARED)
    marks |= dict.fromkeys(cell.dedicated, FREE)
    marks |= dict.fromkeys(cell.pinned, TAKEN)
    if part:
        if isolated:
            for core in cell.siblings:
                if core & part.taken:
                    marks |= dict.fromkeys(core & cell.free, IDLE)
        marks |= {pcpu: f"v{vcpu}" for vcpu, pcpu in part.pinning.items()}
        marks |= dict.fromkeys(part.reserved, EMULATOR)
    return marks


def _drawn(cell: HostCell, marks: dict[int, str]) -> Iterator[str]:
    """Two lines a row: the pCPUs' numbers, and what is on them."""
    known = frozenset[int]().union(*cell.siblings)
    cores = [sorted(core) for core in cell.siblings if core]
    cores += [[pcpu] for pcpu in marks.keys() - known]
    cores.sort()
    slot = max(map(len, [TAKEN, *map(str, marks), *marks.values()]))
    widest = max(map(len, cores), default=1) * (slot + 1) + 1
    per_row = max((_WIDTH - len(_LABEL)) // widest, 1)
    for start in range(0, len(cores), per_row):
        row = cores[start : start + per_row]
        numbers = "".join(
            f" {' '.join(f'{pcpu:>{slot}}' for pcpu in core)} " for core in row
        )
        states = "".join(
            f"[{' '.join(f'{marks[pcpu]:>{slot}}' for pcpu in core)}]"
            for core in row
        )
        yield f"{_LABEL}{numbers}".rstrip()
        yield f"{'':{len(_LABEL)}}{states}"


def _legend(seen: set[str]) -> Iterator[str]:
    if any(mark.startswith("v") for mark in seen):
        yield "  v0 v1 ..  the guest's vCPUs"
    for mark, meaning in _MEANINGS.items():
        if mark in seen:
            yield f"  {mark:<9} {meaning}"
