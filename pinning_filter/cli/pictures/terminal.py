"""A compute node drawn on a terminal, each pCPU marked by its guest.

Legible without colour and in plain ASCII: colours only repeat what the
letters say.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator

from rich.text import Text

from pinning_filter.cloud.occupancy import (
    PcpuState,
    PcpuUse,
    cores_of,
    in_order,
    pcpu_uses,
)
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import cpuset
from pinning_filter.core.host import HostCell
from pinning_filter.core.text import one_line

#: Readable on light and on dark terminals.
_COLOURS = ("green", "yellow", "blue", "magenta", "cyan", "red")
_MARKS = {
    PcpuState.FREE: ".",
    PcpuState.ORPHAN: "@",
    PcpuState.TAKEN: "#",
    PcpuState.SHARED: "~",
    PcpuState.CLOSED: "x",
}
_MEANINGS = {
    PcpuState.EMULATOR: ("*", "after a letter: that guest's emulator threads"),
    PcpuState.IDLE: ("-", "after a letter: idle, its core is that guest's"),
    PcpuState.TWICE: ("!", "after a letter: another guest is there, too"),
    PcpuState.OUTSIDE: ("?", "after a letter: it is not dedicated"),
    PcpuState.FREE: (".", "free"),
    PcpuState.ORPHAN: ("@", "a guest runs there that Nova does not know"),
    PcpuState.TAKEN: ("#", "taken by a guest that is not known here"),
    PcpuState.SHARED: ("~", "for floating vCPUs"),
    PcpuState.CLOSED: ("x", "not for guests"),
}
_LABEL = 10
_LONGEST_NAME = 40
_DOTS = "..."


def draw(node: Node, width: int = 79) -> Iterator[Text]:
    """The lines of a node's picture."""
    node = in_order(node)
    yield _title(node)
    if node.host is None:
        yield Text("  reports no NUMA topology")
        return
    uses = pcpu_uses(node)
    letters = list(itertools.islice(_letters(), len(node.guests)))
    signs = any(
        use.guest is not None and use.state is not PcpuState.VCPU
        for use in uses.values()
    )
    slot = max(map(len, letters), default=1) + signs + 1
    numbers = len(str(max(uses, default=0)))
    for cell in node.host.cells:
        yield from _cell(cell, uses, letters, slot, numbers, width)
    for index, line in enumerate(_guests(node)):
        letter = letters[index]
        yield Text.assemble(
            "  ", (f"{letter:>{slot}}", _style(index)), f"  {line}"
        )
    for each in node.unplaced:
        name = _short(each.name or each.id)
        yield Text(f"  {'?':>{slot}}  {name}: not placed, {each.why}")
    states = {use.state for use in uses.values()}
    for state, (mark, meaning) in _MEANINGS.items():
        if state in states:
            yield Text(f"  {mark:>{slot}}  {meaning}")


def _title(node: Node) -> Text:
    title = Text(one_line(node.name), style="bold")
    details = []
    if node.host is not None:
        free = node.host.free_pcpus
        total = sum(len(cell.dedicated) for cell in node.host.cells)
        details.append(f"{free} of {total} pCPUs free")
    details += [one_line(each) for each in (node.closed, node.problem) if each]
    return title.append(": " + ", ".join(details) if details else "")


def _cell(
    cell: HostCell,
    uses: dict[int, PcpuUse],
    letters: list[str],
    slot: int,
    numbers: int,
    width: int,
) -> Iterator[Text]:
    """As many cores a line as there is room for."""
    cores = cores_of(cell)
    widest = max(map(len, cores), default=1) * slot + 2
    per_line = max((width - _LABEL - numbers) // widest, 1)
    for start in range(0, len(cores), per_line):
        row = cores[start : start + per_line]
        label = f"cell {cell.id}" if start == 0 else ""
        line = Text(f"  {label:<{_LABEL - 2}}{row[0][0]:>{numbers}} ")
        for core in row:
            line.append("[")
            for number, pcpu in enumerate(core):
                line.append(" " if number else "")
                mark, style = _mark(uses[pcpu], letters)
                line.append(f"{mark:>{slot - 1}}", style=style)
            line.append("]")
        yield line


def _mark(use: PcpuUse, letters: list[str]) -> tuple[str, str]:
    if use.guest is None:
        return _MARKS[use.state], "dim" if use.state != PcpuState.FREE else ""
    sign = "" if use.state is PcpuState.VCPU else _MEANINGS[use.state][0]
    return letters[use.guest] + sign, _style(use.guest)


def _letters() -> Iterator[str]:
    """A, B, ... z, then AA, AB, ..."""
    for length in itertools.count(1):
        for chosen in itertools.product(string.ascii_letters, repeat=length):
            yield "".join(chosen).swapcase()


def _style(index: int) -> str:
    return f"bold {_COLOURS[index % len(_COLOURS)]}"


def _guests(node: Node) -> Iterator[str]:
    """For each guest a line that says who it is and where."""
    for guest in node.guests:
        request = guest.request
        pcpus = cpuset.format(guest.placement.pinning.values())
        name = _short(guest.name or guest.id)
        policy = request.thread_policy.value if request.pinned else "shared"
        flavor = _short(guest.flavor)
        reserved = guest.placement.reserved
        yield (
            f"{name}: {flavor + ', ' if flavor else ''}{policy}"
            + (f", pCPUs {pcpus}" if pcpus else "")
            + (f", emulator {cpuset.format(reserved)}" if reserved else "")
        )


def _short(name: str) -> str:
    """A name on one line, and where it is cut there are dots."""
    name = one_line(name)
    if len(name) <= _LONGEST_NAME:
        return name
    return name[: _LONGEST_NAME - len(_DOTS)] + _DOTS
