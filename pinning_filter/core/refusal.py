"""The answer "no": what was missing, as facts.

A :class:`Fact` holds numbers; every sentence about it, wherever it is read,
is made from these numbers here.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Literal, NamedTuple


class Code(str, enum.Enum):
    """What can be missing. The values are stable: output formats show them."""

    HOST_CELLS = "host_cells"  #: the host has fewer cells than the guest
    PCPUS = "pcpus"  #: too few free pCPUs in the host cell
    PCPUS_TOTAL = "pcpus_total"  #: too few pCPUs there, even were all free
    NO_SMT = "no_smt"  #: ``require`` where no core has two threads
    SMT = "smt"  #: ``isolate`` where cores have two threads and more
    SIBLINGS = "siblings"  #: ``require``: too few threads beside each other
    SIBLINGS_TOTAL = "siblings_total"  #: too few there, even were all free
    WHOLE_CORES = "whole_cores"  #: ``isolate``: too few wholly free cores
    WHOLE_CORES_TOTAL = "whole_cores_total"  #: too few, even were all free
    SHARED_CPUS = "shared_cpus"  #: too few pCPUs for floating vCPUs
    SHARED_RATIO = "shared_ratio"  #: ``cpu_allocation_ratio`` is used up
    MEMORY = "memory"  #: too little free memory in the host cell
    MEMORY_TOTAL = "memory_total"  #: too little there, even were all free
    MEMORY_RATIO = "memory_ratio"  #: ``ram_allocation_ratio`` is used up
    PAGE_SIZE = "page_size"  #: the host cell has no pages of that size
    PAGE_MULTIPLE = "page_multiple"  #: memory is not a number of whole pages
    PAGES = "pages"  #: too little memory in free pages of that size
    PAGES_TOTAL = "pages_total"  #: too little in them, even were all free
    TOGETHER = "together"  #: guest cells fit one by one, not all at once
    TOGETHER_TOTAL = "together_total"  #: not at once, even were all free
    #: More than can be looked at, joined by networks or devices.
    TOO_MANY_CELLS = "too_many_cells"
    PHYSNET = "physnet"  #: no fitting host cell is near the network's NIC
    TUNNEL = "tunnel"  #: no fitting host cell is near the tunnels' NIC
    DEVICES = "devices"  #: no fitting host cell is near enough PCI devices
    CANDIDATES = "candidates"  #: no allocation candidate is left
    STOCK_CLAIM = "stock_claim"  #: plain Nova's claim there would be wrong
    RESOURCE = "resource"  #: too little of it is free, in Placement's books
    RESOURCE_TOTAL = "resource_total"  #: too little of it, even were all free
    TRAIT_MISSING = "trait_missing"  #: the host lacks a trait
    TRAIT_FORBIDDEN = "trait_forbidden"  #: the host has a trait ruled out
    AGGREGATE = "aggregate"  #: the host is in no aggregate or zone asked for
    OTHER_FILTER = "other_filter"  #: a filter of Nova's refuses the host
    NO_TOPOLOGY = "no_topology"  #: the host reports no NUMA topology
    UNREADABLE = "unreadable"  #: what the host reports makes no sense


class Fact(NamedTuple):
    """One thing that was missing, in one host cell or in the host."""

    code: Code
    #: How much was asked for, in ``unit``; None: it is nothing to count.
    needed: float | None = None
    free: float | None = None  #: how much of it there is, in ``unit``
    unit: str = ""  #: what is counted: "pCPUs", "KiB", "host cells" ...
    host_cell: int | None = None  #: id of the host cell; None: the host
    guest_cell: int | None = None  #: index of the guest cell; None: all
    detail: str = ""  #: the one name that a number cannot carry

    @property
    def missing(self) -> float:
        """How much is needed beyond what there is, in ``unit``."""
        return (self.needed or 0) - (self.free or 0)

    @property
    def text(self) -> str:
        """The fact as a clause, without the name of the host.

        >>> Fact(Code.PCPUS, 6, 4, "pCPUs", host_cell=1).text
        'host cell 1: needs 6 free pCPUs, has 4'
        """
        if self.host_cell is None:
            return self.clause
        where = f"host cell {self.host_cell}"
        if self.guest_cell is not None:
            where += f", guest cell {self.guest_cell}"
        return f"{where}: {self.clause}"

    @property
    def clause(self) -> str:
        """The same without the cells.

        >>> Fact(Code.PCPUS, 6, 4, "pCPUs", host_cell=1).clause
        'needs 6 free pCPUs, has 4'
        """
        form = _CLAUSES[self.code]
        if self.needed is None:
            form = _UNCOUNTED.get(self.code, form)
        elif self.host_cell is not None:
            form = _OF_A_CELL.get(self.code, form)
        return form.format(
            needed=amount(self.needed or 0, self.unit),
            free=amount(self.free or 0, self.unit),
            s="" if self.needed == 1 else "s",
            free_s="" if self.free == 1 else "s",
            detail=self.detail,
            unit=self.unit,
        )


def amount(number: float, unit: str) -> str:
    """A number as people read it; memory in the largest even unit."""
    if unit == "KiB":
        for step, name in ((1 << 20, "GiB"), (1 << 10, "MiB")):
            if abs(number) >= step and number % step == 0:
                return f"{number / step:.15g} {name}"
        return f"{number:.15g} KiB"
    return f"{number:.15g}"


_CLAUSES = {
    Code.HOST_CELLS: "needs {needed} NUMA cell{s}, the host has {free}",
    Code.PCPUS: "needs {needed} free pCPU{s}{detail}, has {free}",
    Code.PCPUS_TOTAL: "needs {needed} dedicated pCPU{s}{detail}, has {free} "
    "in all",
    Code.NO_SMT: "thread policy require needs SMT, there is none",
    Code.SMT: "thread policy isolate needs cores without SMT, these have "
    "{detail} threads each",
    Code.SIBLINGS: "thread policy require needs {needed} free pCPU{s} beside "
    "a free sibling, can use {free}",
    Code.SIBLINGS_TOTAL: "thread policy require needs {needed} pCPU{s} "
    "beside a sibling, could use {free} in all",
    Code.WHOLE_CORES: "thread policy isolate needs {needed} wholly free "
    "core{s}{detail}, has {free}",
    Code.WHOLE_CORES_TOTAL: "thread policy isolate needs {needed} whole "
    "core{s}{detail}, has {free} in all",
    Code.SHARED_CPUS: "needs {needed} shared pCPU{s}, has {free} in all",
    Code.SHARED_RATIO: "needs room for {needed} shared vCPU{s}, the CPU "
    "allocation ratio leaves {free}",
    Code.MEMORY: "needs {needed} of free memory{detail}, has {free}",
    Code.MEMORY_TOTAL: "needs {needed} of memory{detail}, has {free} in all",
    Code.MEMORY_RATIO: "needs {needed} of memory, the RAM allocation ratio "
    "leaves {free}",
    Code.PAGE_SIZE: "needs {needed} in memory pages of {detail}",
    Code.PAGE_MULTIPLE: "{needed} of memory is not a multiple of the page "
    "size {detail}",
    Code.PAGES: "needs {needed} in free pages of {detail}, has {free}",
    Code.PAGES_TOTAL: "needs {needed} in pages of {detail}, has {free} in "
    "all",
    Code.TOGETHER: "{needed} guest cells need a host cell each, only {free} "
    "host cell{free_s} can take one of them",
    Code.TOGETHER_TOTAL: "{needed} guest cells need a host cell each, only "
    "{free} host cell{free_s} could ever take one of them",
    Code.TOO_MANY_CELLS: "networks or PCI devices join {needed} unlike host "
    "cells, this works out {free} at the most",
    Code.PHYSNET: "no host cell near the physical network {detail} has room "
    "for the guest",
    Code.TUNNEL: "no host cell near the tunnel endpoint has room for the "
    "guest",
    Code.DEVICES: "needs {needed} PCI device{s} near the guest's NUMA cells, "
    "has {free}",
    Code.CANDIDATES: "no allocation candidate of the Placement API is left",
    Code.STOCK_CLAIM: "the host runs plain Nova, whose own claim for several "
    "guest cells {detail}; nova-compute-pinning would place it",
    Code.RESOURCE: "needs {needed} free {unit}, has {free}",
    Code.RESOURCE_TOTAL: "needs {needed} {unit}, has {free} in all",
    Code.TRAIT_MISSING: "has no trait {detail}",
    Code.TRAIT_FORBIDDEN: "has the trait {detail}",
    Code.AGGREGATE: "is in no aggregate or availability zone asked for",
    Code.OTHER_FILTER: "{detail} refuses the host",
    Code.NO_TOPOLOGY: "the host reports no NUMA topology",
    Code.UNREADABLE: "the host reports something unreadable: {detail}",
}
#: Where the fact is about one host cell that would do but for that.
_OF_A_CELL = {
    Code.PHYSNET: "is not near the physical network {detail}",
    Code.TUNNEL: "is not near the tunnel endpoint",
    Code.DEVICES: "needs {needed} PCI device{s} nearby, has {free}",
}
#: Where there is no number that says it.
_UNCOUNTED = {
    Code.DEVICES: "no choice of free PCI devices meets all their NUMA "
    "policies",
}


#: Guests that leave, or are moved, can cure these.
FOR_NOW = frozenset({
    Code.PCPUS,
    Code.SIBLINGS,
    Code.WHOLE_CORES,
    Code.SHARED_RATIO,
    Code.MEMORY,
    Code.MEMORY_RATIO,
    Code.PAGES,
    Code.TOGETHER,
    Code.PHYSNET,
    Code.TUNNEL,
    Code.DEVICES,
    Code.RESOURCE,
})
#: Another thread policy or page size would cure these, or another host.
_ANOTHER_KIND = {
    Code.NO_SMT,
    Code.SMT,
    Code.PAGE_SIZE,
    Code.PAGE_MULTIPLE,
    Code.TRAIT_MISSING,
    Code.TRAIT_FORBIDDEN,
    Code.AGGREGATE,
}
#: Only a larger host would cure these; what is left nothing that is asked.
_TOO_SMALL = {
    Code.HOST_CELLS,
    Code.PCPUS_TOTAL,
    Code.SIBLINGS_TOTAL,
    Code.WHOLE_CORES_TOTAL,
    Code.SHARED_CPUS,
    Code.MEMORY_TOTAL,
    Code.PAGES_TOTAL,
    Code.TOGETHER_TOTAL,
    Code.RESOURCE_TOTAL,
}
#: Of a host cell that has room: only what is beside it is missing.
_NEARLY = {Code.PHYSNET, Code.TUNNEL, Code.DEVICES}


def distance(fact: Fact) -> tuple[int, float]:
    """How far from fitting a fact is, the least first.

    1. A host cell that only lacks a network or devices.
    2. What guests that leave can cure.
    3. A host cell that is large enough, but of another kind.
    4. One that is too small.

    Among these, the smaller share of what was asked for that is missing.
    """
    missing = fact.missing / fact.needed if fact.needed else 1.0
    if fact.code in _NEARLY and fact.host_cell is not None:
        return -1, missing
    if fact.code in FOR_NOW:
        return 0, missing
    if fact.code in _ANOTHER_KIND:
        return 1, 1.0
    return (2, missing) if fact.code in _TOO_SMALL else (3, 1.0)


def _place(fact: Fact) -> tuple[int, int]:
    guest_cell, host_cell = fact.guest_cell, fact.host_cell
    return (
        -1 if guest_cell is None else guest_cell,
        -1 if host_cell is None else host_cell,
    )


class Gist(NamedTuple):
    """The gist of a refusal; the nearest to fitting sorts first."""

    distance: tuple[int, float]  #: of the headline
    headline: Fact
    #: Whether host cells lack different things: the one that the headline is
    #: about may have less of it than another, which lacks something else.
    differs: bool
    #: What of the host makes no sense, in one line; empty: nothing.
    unreadable: str


@dataclasses.dataclass(frozen=True)
class Refusal:
    """Why a request does not fit a host.

    Falsy, so that ``if fit(host, request)`` reads well.
    """

    facts: tuple[Fact, ...]

    def __bool__(self) -> Literal[False]:
        return False

    @property
    def text(self) -> str:
        """All facts in one line."""
        return "; ".join(fact.text for fact in self.in_order)

    @property
    def in_order(self) -> list[Fact]:
        """The facts as people look for them.

        What is about the whole host, then by guest cell, then by host cell;
        ``facts`` has them in the order in which host cells were tried.
        """
        return sorted(self.facts, key=_place)

    @property
    def headline(self) -> Fact:
        """The one fact that says best why a host was refused.

        1. A fact about the whole host, if there is one.
        2. Else, of the guest cells that fit no host cell, the one that is
           farthest from fitting (:func:`distance`), and of its facts the
           nearest to fitting. Ties: the order of the facts.

        >>> Refusal((Fact(Code.PCPUS, 6, 2, "pCPUs", 0),
        ...          Fact(Code.PCPUS, 6, 4, "pCPUs", 1))).headline.free
        4
        """
        return self.gist.headline

    @functools.cached_property
    def gist(self) -> Gist:
        """What is told of a host among many, worked out once."""
        fact = self._headline()
        codes = {
            each.code.value.removesuffix("_total")
            for each in self.facts
            if each.host_cell is not None
            and each.guest_cell == fact.guest_cell
        }
        unreadable = "; ".join([
            each.text for each in self.facts if each.code is Code.UNREADABLE
        ])
        return Gist(distance(fact), fact, len(codes) > 1, unreadable)

    def _headline(self) -> Fact:
        by_guest_cell: dict[int | None, list[Fact]] = {}
        for fact in self.facts:
            if fact.host_cell is None:
                return fact
            by_guest_cell.setdefault(fact.guest_cell, []).append(fact)
        if not by_guest_cell:
            return Fact(Code.UNREADABLE)
        # One that fits somewhere has a fact for fewer host cells than the
        # rest.
        most = max(map(len, by_guest_cell.values()))
        return max(
            (
                min(facts, key=distance)
                for facts in by_guest_cell.values()
                if len(facts) == most
            ),
            key=distance,
        )
