"""``--what-if OPTION=VALUE``: options of nova-compute as they would be."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Mapping, Sequence

from pinning_filter.audit.what_if import Change
from pinning_filter.cli.inputs import arguments
from pinning_filter.cloud.snapshot import Node
from pinning_filter.core import cpuset
from pinning_filter.core.errors import InputError, Invalid
from pinning_filter.core.text import shown

_DEDICATED = "cpu_dedicated_set"
_SHARED = "cpu_shared_set"
_PAGES = "reserved_huge_pages"
_OPTIONS = (_DEDICATED, _SHARED, _PAGES)
_UNITS = {"KB": 1, "MB": 1 << 10, "GB": 1 << 20}
_PAGES_FORM = (
    "node:CELL,size:KIB,count:PAGES, such as node:0,size:2048,count:64"
)


def option(text: str) -> tuple[str, str]:
    """One of the options, and its value; the value may be empty."""
    name, value = arguments.pair(text)
    if name not in _OPTIONS:
        raise argparse.ArgumentTypeError(
            f"{shown(name)} is none of {', '.join(_OPTIONS)}"
            + (
                "; vcpu_pin_set is taken to be removed where a set is given"
                if name == "vcpu_pin_set"
                else ""
            )
        )
    return name, value.strip()


def change(given: Sequence[tuple[str, str]]) -> Change:
    """What the arguments ask for.

    :raises InputError: naming the option that makes no sense.
    """
    values = collections.defaultdict(list)
    for name, value in given:
        values[name].append(value)
    for name in (_DEDICATED, _SHARED):
        if len(values[name]) > 1:
            raise InputError(f"--what-if: {name} is given twice")
    try:
        return Change(
            _set(_DEDICATED, values[_DEDICATED]),
            _set(_SHARED, values[_SHARED]),
            _reserved(values[_PAGES]) if _PAGES in values else None,
        )
    except Invalid as error:
        raise InputError(f"--what-if: {error}") from error


def check(change: Change, nodes: Sequence[Node]) -> None:
    """Refuse what no host has.

    :raises InputError: naming what hosts do have.
    """
    cells = [cell for node in nodes if node.host for cell in node.host.cells]
    if not cells:
        raise InputError("--what-if: no host with NUMA cells is known")
    known = frozenset[int]().union(
        *(core for cell in cells for core in cell.siblings)
    )
    if change.pcpus and not change.pcpus & known:
        raise InputError(
            f"--what-if: no host has {cpuset.named(change.pcpus)} in its "
            f"record, which has {cpuset.format(known)}"
        )
    sizes = {
        (cell.id, pages.size_kib) for cell in cells for pages in cell.pages
    }
    for number, reserved in (change.reserved or {}).items():
        for size in reserved:
            if (number, size) not in sizes:
                there = ", ".join(
                    f"{cell}: {each}" for cell, each in sorted(sizes)[:10]
                )
                raise InputError(
                    f"--what-if: {_PAGES}: no host has pages of {size} KiB "
                    f"in a NUMA cell {number}; those that are known, as "
                    f"CELL: KIB: {there or 'none'}"
                )


def _set(name: str, values: Sequence[str]) -> frozenset[int] | None:
    if not values:
        return None
    try:
        found = cpuset.parse(values[0])
    except ValueError as error:
        raise InputError(f"--what-if: {name}: {error}") from error
    if values[0] and not found:
        raise InputError(
            f"--what-if: {name}: {shown(values[0])} leaves no pCPU; an empty "
            "value is for an option that is not set"
        )
    return found


def _reserved(values: Sequence[str]) -> Mapping[int, Mapping[int, int]]:
    """As Nova reads them (``numa_get_reserved_huge_pages``)."""
    found: dict[int, dict[int, int]] = collections.defaultdict(dict)
    for value in filter(None, values):
        parts = [part.partition(":") for part in value.split(",")]
        pages = {name.strip(): text.strip() for name, _, text in parts}
        try:
            if pages.keys() != {"node", "size", "count"}:
                raise ValueError(value)
            cell, size, count = (
                arguments.LARGEST + 1 if len(text) > 12 else read(text)
                for read, text in (
                    (_number, pages["node"]),
                    (_kib, pages["size"]),
                    (_number, pages["count"]),
                )
            )
            if max(cell, size, count) > arguments.LARGEST:
                raise ValueError(value)
        except ValueError:
            raise InputError(
                f"--what-if: {_PAGES}: {shown(value)} is not {_PAGES_FORM}"
            ) from None
        found[cell][size] = count
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _kib(text: str) -> int:
    """A page size: KiB, or with a unit of Nova's, such as ``1GB``."""
    if text.isascii() and text.isdigit():
        return int(text)
    return _number(text[:-2]) * _UNITS.get(text[-2:], 0)
