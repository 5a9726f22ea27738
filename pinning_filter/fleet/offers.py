"""What the Placement API offers of a host, against what a server asks of it.

Beside the rule for one host: most requests that fail never reach it, since
the Placement API, which counts whole hosts, has no allocation candidate.
This says why, from what it knows of a host. Does not know how it is asked.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from pinning_filter.core.refusal import Code, Fact, Refusal

#: Resource classes that every compute node has, if it takes such guests at
#: all; disks and devices may be those of other providers.
ALWAYS_THERE = ("PCPU", "VCPU", "MEMORY_MB")
#: The trait of hosts with SMT, which Nova derives from the thread policy.
SMT = "HW_CPU_HYPERTHREADING"


@dataclasses.dataclass(frozen=True, slots=True)
class Inventory:
    """What a resource provider has of one resource class."""

    total: int
    reserved: int = 0  #: kept from guests
    ratio: float = 1.0  #: allocation ratio
    used: int = 0  #: allocated
    step: int = 1  #: allocations are multiples of it
    most: int = 2147483647  #: one allocation is at most so much

    @property
    def room(self) -> int:
        """What can be allocated while nothing is."""
        return int((self.total - self.reserved) * self.ratio)

    @property
    def free(self) -> int:
        """What can be allocated yet; below 0 where too much is."""
        return self.room - self.used


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """What the Placement API is asked for."""

    amounts: Mapping[str, int]  #: by resource class
    required: AbstractSet[str] = frozenset()  #: traits
    forbidden: AbstractSet[str] = frozenset()  #: traits


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """A host as the Placement API knows it."""

    inventories: Mapping[str, Inventory]  #: by resource class
    traits: AbstractSet[str]
    #: Whether it is among the aggregates and zones that are asked for.
    member: bool = True


class Kind(enum.Enum):
    """How an inventory falls short."""

    NONE = enum.auto()  #: there is no inventory
    TOTAL = enum.auto()  #: too little, even were nothing allocated
    MOST = enum.auto()  #: more than one guest may have
    STEP = enum.auto()  #: not a multiple of the step
    FREE = enum.auto()  #: too little is free


class Shortage(NamedTuple):
    """A resource class of which a host has too little."""

    kind: Kind
    name: str  #: of the resource class
    needed: int
    inventory: Inventory


def shortages(
    inventories: Mapping[str, Inventory], asked: Resources
) -> Iterator[Shortage]:
    """What a host has too little of, by the name of the resource class."""
    for name, amount in sorted(asked.amounts.items()):
        there = inventories.get(name)
        if there is None:
            if name in ALWAYS_THERE:
                yield Shortage(Kind.NONE, name, amount, Inventory(0))
        elif amount > there.room:
            yield Shortage(Kind.TOTAL, name, amount, there)
        elif amount > there.most:
            yield Shortage(Kind.MOST, name, amount, there)
        elif amount % there.step:
            yield Shortage(Kind.STEP, name, amount, there)
        elif amount > there.free:
            yield Shortage(Kind.FREE, name, amount, there)


def refusal(offer: Offer, alternatives: Sequence[Resources]) -> Refusal | None:
    """Why a host is not offered; None: it is.

    1. Aggregates and zones, which a host is in or not.
    2. Traits, then what is too small, then what is in use, of the first
       alternative; any one alternative that is met is enough.

    >>> two = Resources({"PCPU": 2})
    >>> full = Offer({"PCPU": Inventory(4, used=4)}, frozenset())
    >>> refusal(full, [two]).text
    'needs 2 free PCPU, has 0'
    """
    if not offer.member:
        return Refusal((Fact(Code.AGGREGATE),))
    found = [tuple(_facts(offer, asked)) for asked in alternatives]
    if not all(found) or not found:
        return None
    return Refusal(found[0])


def _facts(offer: Offer, asked: Resources) -> Iterator[Fact]:
    """The most lasting reason first, since a refusal is told by its first."""
    for trait in sorted(asked.required - offer.traits):
        if trait == SMT:
            yield Fact(Code.NO_SMT, 2, 1, "threads a core")
        else:
            yield Fact(Code.TRAIT_MISSING, detail=trait)
    for trait in sorted(asked.forbidden & offer.traits):
        if trait == SMT:
            yield Fact(Code.SMT, detail="2 and more")
        else:
            yield Fact(Code.TRAIT_FORBIDDEN, detail=trait)
    short = list(shortages(offer.inventories, asked))
    for each in sorted(short, key=lambda each: each.kind is Kind.FREE):
        there = each.inventory
        if each.kind is Kind.FREE:
            code, free = Code.RESOURCE, there.free
        else:
            code, free = Code.RESOURCE_TOTAL, min(there.room, there.most)
        yield Fact(code, each.needed, max(0, free), each.name)
