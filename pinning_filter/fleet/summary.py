"""One sentence out of many refusals.

After the answer: ``fit`` says of each host why not; this says it of all of
them at once, to whoever asked for the server. Tenants read the sentence, so
it is made of numbers alone: no name of a host, a network or a device.
"""

from __future__ import annotations

import collections
import operator
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pinning_filter.core.refusal import Code, Fact, Gist, Refusal
from pinning_filter.core.request import (
    CpuPolicy,
    PageSize,
    Request,
    ThreadPolicy,
)


class Reason(NamedTuple):
    """Why some of the hosts were refused: the same reason for each."""

    fact: Fact  #: of the host that came nearest
    hosts: int  #: how many hosts were refused for it
    #: Whether some of them have more of it, where they lack something else.
    apart: bool = False


def reasons(refusals: Iterable[Refusal]) -> list[Reason]:
    """The reasons, the most frequent first; ties: the nearest, the first."""
    found: dict[tuple[Code, str, str], list[Gist]]
    found = collections.defaultdict(list)
    for refusal in refusals:
        fact = refusal.gist.headline
        name = fact.detail if fact.code in _NAMED else ""
        found[fact.code, fact.unit, name].append(refusal.gist)
    nearest = operator.attrgetter("distance")
    ranked = [(min(alike, key=nearest), alike) for alike in found.values()]
    ranked.sort(key=lambda each: (-len(each[1]), each[0].distance))
    return [
        Reason(
            gist.headline, len(alike), any(each.differs for each in alike)
        )
        for gist, alike in ranked
    ]


def sentence(
    request: Request | None,
    refusals: Sequence[Refusal],
    longest: int | None = None,
    what: str = "",
) -> str:
    """Why a request fits none of the hosts, for whoever asked.

    >>> from pinning_filter.core.request import GuestCell
    >>> asked = Request((GuestCell(dedicated=frozenset(range(6))),))
    >>> short = Fact(Code.PCPUS, 6, 4, "pCPUs", host_cell=0)
    >>> sentence(asked, [Refusal((short,))] * 12)
    ... # doctest: +NORMALIZE_WHITESPACE
    'No host can take 6 pinned vCPUs in one NUMA cell: 6 free pCPUs are needed
     in one NUMA cell, the best of 12 hosts has 4.'

    :param request: what was asked for; None: it is not known.
    :param longest: how many characters it may have; reasons that are one too
        many are counted only. None: as many as it takes.
    :param what: what cannot be taken; empty: :func:`asked` says it.
    """
    total = len(refusals)
    begin = f"No host can take {what or asked(request)}: "
    ranked = reasons(refusals)
    clauses = [_clause(reason, total) for reason in ranked]
    for shown in range(len(clauses), 0, -1):
        rest = sum(reason.hosts for reason in ranked[shown:])
        tail = f"; {_hosts(rest, total)} for other reasons" if rest else ""
        text = f"{begin}{'; '.join(clauses[:shown])}{tail}."
        if longest is None or len(text) <= longest:
            return text
    return f"No host of {total} can take the server."


def asked(request: Request | None) -> str:
    """What a request asks for, as the object of a sentence.

    >>> asked(None)
    'vCPUs with a NUMA topology'
    """
    if request is None:
        return "vCPUs with a NUMA topology"
    dedicated = [len(cell.dedicated) for cell in request.cells]
    shared = sum(len(cell.shared) for cell in request.cells)
    parts = []
    if request.pinned:
        parts.append(_count(sum(dedicated), "pinned vCPU"))
    if shared:
        parts.append(_count(shared, "floating vCPU"))
    text = " and ".join(parts)
    if len(request.cells) == 1:
        text += " in one NUMA cell"
    else:
        sizes = [len(cell.vcpus) for cell in request.cells]
        text += f" in {len(sizes)} NUMA cells"
        if len(set(sizes)) > 1 and len(sizes) <= _MOST_SIZES:
            text += f" of {' + '.join(map(str, sizes))}"
    if wishes := _wishes(request):
        text += f" with {' and '.join(wishes)}"
    return text


#: Guest cells of different sizes are listed up to this many.
_MOST_SIZES = 8


def _wishes(request: Request) -> list[str]:
    wishes = []
    if (
        request.cpu_policy is not CpuPolicy.SHARED
        and request.thread_policy is not ThreadPolicy.PREFER
    ):
        wishes.append(f"thread policy {request.thread_policy.value}")
    if request.pinned and request.emulator_isolated:
        wishes.append("isolated emulator threads")
    size = request.cells[0].page_size
    if size is not None:
        wishes.append(
            f"{PageSize(size).name.lower()} memory pages"
            if size < 0
            else f"memory pages of {_memory(size)}"
        )
    return wishes


def _clause(reason: Reason, total: int) -> str:
    """One reason as a clause about the hosts that were refused for it."""
    fact = reason.fact
    amount = _memory if fact.unit == "KiB" else "{:.15g}".format
    one = reason.hosts == 1
    hosts = _hosts(reason.hosts, total)
    name = _name(fact.detail)
    clauses = _UNCOUNTED if fact.needed is None else _CLAUSES
    clause = clauses.get(fact.code, _CLAUSES[fact.code])
    if fact.code in _OF_PLACEMENT:
        kind = fact.unit if fact.free else f"no {fact.unit}"
        known = _OF_PLACEMENT[fact.code]
        clause = known.get(kind) or known.get(fact.unit) or clause
    if reason.apart:
        clause = clause.replace(_IN_ONE, "in the same NUMA cell as the rest")
    return clause.format(
        hosts=hosts,
        best=hosts if one else f"the best of {reason.hosts} hosts",
        have="has" if one else "have",
        report="reports" if one else "report",
        needed=amount(fact.needed or 0),
        s="" if fact.needed == 1 else "s",
        need="is" if fact.needed == 1 else "are",
        unit=fact.unit,
        trait=f"the trait {name}" if name else "a trait that is required",
        ruled_out=f"the trait {name}" if name else "a trait",
        filter=name or "another filter",
        is_="is" if one else "are",
        lack="lacks" if one else "lack",
        free=amount(max(0, fact.free or 0)),
    )


def _hosts(number: int, total: int) -> str:
    if number < total:
        return f"{number} of {total} hosts"
    return _count(number, "host")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _memory(kib: float) -> str:
    """Rounded down to whole MiB, so that too little never looks enough."""
    if kib < 1 << 10:
        return f"{kib:.15g} KiB"
    mib = int(kib) >> 10
    return f"{mib >> 10} GiB" if mib % (1 << 10) == 0 else f"{mib} MiB"


#: Names that everybody's Nova has: traits of os-traits, filters.
_PUBLIC = re.compile(
    r"(COMPUTE|HW|MISC|OWNER|STORAGE)_[A-Z0-9_]+|[A-Za-z]+Filter"
)


def _name(detail: str) -> str:
    """A name that tenants may read; what an operator made up is not told."""
    return detail if _PUBLIC.fullmatch(detail) else ""


#: Of these facts, other names are other reasons.
_NAMED = {Code.TRAIT_MISSING, Code.TRAIT_FORBIDDEN, Code.OTHER_FILTER}
_IN_ONE = "in one NUMA cell"
_CLAUSES = {
    Code.HOST_CELLS: "{needed} NUMA cell{s} {need} needed, {best} has {free}",
    Code.PCPUS: "{needed} free pCPU{s} {need} needed in one NUMA cell, "
    "{best} has {free}",
    Code.PCPUS_TOTAL: "{needed} dedicated pCPU{s} {need} needed in one NUMA "
    "cell, {best} has {free} even when empty",
    Code.NO_SMT: "{hosts} {have} no SMT, which "
    "hw:cpu_thread_policy=require needs",
    Code.SMT: "{hosts} {have} SMT, which hw:cpu_thread_policy=isolate rules "
    "out there",
    Code.SIBLINGS: "hw:cpu_thread_policy=require needs {needed} free pCPU{s} "
    "beside a free sibling in one NUMA cell, {best} has {free}",
    Code.SIBLINGS_TOTAL: "hw:cpu_thread_policy=require needs {needed} "
    "pCPU{s} beside a sibling in one NUMA cell, {best} has {free} even when "
    "empty",
    Code.WHOLE_CORES: "hw:cpu_thread_policy=isolate needs {needed} wholly "
    "free core{s} in one NUMA cell, {best} has {free}",
    Code.WHOLE_CORES_TOTAL: "hw:cpu_thread_policy=isolate needs {needed} "
    "whole core{s} in one NUMA cell, {best} has {free} even when empty",
    Code.SHARED_CPUS: "{needed} shared pCPU{s} {need} needed in one NUMA "
    "cell, {best} has {free} even when empty",
    Code.SHARED_RATIO: "room for {needed} floating vCPU{s} is needed in one "
    "NUMA cell, {best} has it for {free}",
    Code.MEMORY: "{needed} of free memory is needed in one NUMA cell, "
    "{best} has {free}",
    Code.MEMORY_TOTAL: "{needed} of memory is needed in one NUMA cell, "
    "{best} has {free} even when empty",
    Code.MEMORY_RATIO: "{needed} of memory is needed in one NUMA cell, "
    "{best} may give {free}",
    Code.PAGE_SIZE: "{hosts} {have} no memory pages of the size asked for",
    Code.PAGE_MULTIPLE: "{needed} of memory is not a multiple of the page "
    "size on {hosts}",
    Code.PAGES: "{needed} in free memory pages of the size asked for is "
    "needed in one NUMA cell, {best} has {free}",
    Code.PAGES_TOTAL: "{needed} in memory pages of the size asked for is "
    "needed in one NUMA cell, {best} has {free} even when empty",
    Code.TOGETHER: "{needed} NUMA cells must fit at the same time, "
    "{best} can take {free}",
    Code.TOGETHER_TOTAL: "{needed} NUMA cells must fit at the same time, "
    "{best} can take {free} even when empty",
    Code.TOO_MANY_CELLS: "{hosts} {have} too many NUMA cells for a server of "
    "several with networks or PCI devices",
    Code.PHYSNET: "on {hosts} no NUMA cell near the network has room for it",
    Code.TUNNEL: "on {hosts} no NUMA cell near the network has room for it",
    Code.DEVICES: "{needed} PCI device{s} {need} needed near NUMA cells "
    "with room for it, {best} has {free}",
    Code.CANDIDATES: "{hosts} {have} no allocation candidate left",
    Code.STOCK_CLAIM: "on {hosts} plain Nova would refuse it or place it "
    "wrongly",
    Code.RESOURCE: "{needed} {unit} {need} needed on one host, {best} has "
    "{free} free",
    Code.RESOURCE_TOTAL: "{needed} {unit} {need} needed on one host, {best} "
    "has {free} even when empty",
    Code.TRAIT_MISSING: "{hosts} {lack} {trait}",
    Code.TRAIT_FORBIDDEN: "{hosts} {have} {ruled_out} that is ruled out",
    Code.AGGREGATE: "{hosts} {is_} in no aggregate or availability zone "
    "asked for",
    Code.OTHER_FILTER: "{filter} refuses {hosts}",
    Code.NO_TOPOLOGY: "{hosts} {report} no NUMA topology",
    Code.UNREADABLE: "{hosts} cannot be read",
}
#: Where there is no number that says it.
_UNCOUNTED = {
    Code.DEVICES: "on {hosts} no free PCI devices meet all their NUMA "
    "policies",
}
#: Resource classes in words.
_OF_PLACEMENT = {
    Code.RESOURCE: {
        "MEMORY_MB": "{needed} MiB of memory are needed on one host, {best} "
        "has {free} free",
        "DISK_GB": "{needed} GiB of disk are needed on one host, {best} has "
        "{free} free",
    },
    Code.RESOURCE_TOTAL: {
        "no PCPU": "{hosts} {have} no dedicated CPUs",
        "MEMORY_MB": "{needed} MiB of memory are needed on one host, {best} "
        "has {free} even when empty",
        "DISK_GB": "{needed} GiB of disk are needed on one host, {best} has "
        "{free} even when empty",
    },
}
