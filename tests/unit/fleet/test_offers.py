"""Why the Placement API does not offer a host."""

from __future__ import annotations

import pytest

from pinning_filter.core.refusal import Code, Fact
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.fleet import summary
from pinning_filter.fleet.offers import Inventory, Offer, Resources, refusal

SMT = frozenset({"HW_CPU_HYPERTHREADING"})
NONE: frozenset[str] = frozenset()
TWO = Resources({"PCPU": 2, "MEMORY_MB": 512})


def offer(
    pcpus: Inventory | None = None,
    memory: Inventory | None = None,
    traits: frozenset[str] = NONE,
    member: bool = True,
) -> Offer:
    found = {"MEMORY_MB": memory or Inventory(4096)}
    if pcpus:
        found["PCPU"] = pcpus
    return Offer(found, traits, member)


FOUR = Inventory(4)


@pytest.mark.parametrize(
    ("host", "asked", "fact"),
    [
        pytest.param(
            offer(Inventory(4, used=3)),
            TWO,
            Fact(Code.RESOURCE, 2, 1, "PCPU"),
            id="too few are free",
        ),
        pytest.param(
            offer(Inventory(4, used=5)),
            TWO,
            Fact(Code.RESOURCE, 2, 0, "PCPU"),
            id="more are used than there are",
        ),
        pytest.param(
            offer(Inventory(1)),
            TWO,
            Fact(Code.RESOURCE_TOTAL, 2, 1, "PCPU"),
            id="too few in all",
        ),
        pytest.param(
            offer(),
            TWO,
            Fact(Code.RESOURCE_TOTAL, 2, 0, "PCPU"),
            id="none at all",
        ),
        pytest.param(
            offer(Inventory(4, used=4), Inventory(256)),
            TWO,
            Fact(Code.RESOURCE_TOTAL, 512, 256, "MEMORY_MB"),
            id="what is too small before what is in use",
        ),
        pytest.param(
            offer(Inventory(4, most=1)),
            TWO,
            Fact(Code.RESOURCE_TOTAL, 2, 1, "PCPU"),
            id="more than one guest may have",
        ),
        pytest.param(
            offer(Inventory(4, used=4)),
            Resources({"PCPU": 2}, SMT),
            Fact(Code.NO_SMT, 2, 1, "threads a core"),
            id="require, and no SMT",
        ),
        pytest.param(
            offer(FOUR, traits=SMT),
            Resources({"PCPU": 2}, NONE, SMT),
            Fact(Code.SMT, detail="2 and more"),
            id="isolate, and SMT",
        ),
        pytest.param(
            offer(FOUR),
            Resources({"PCPU": 2}, frozenset({"CUSTOM_FAST"})),
            Fact(Code.TRAIT_MISSING, detail="CUSTOM_FAST"),
            id="a trait is required",
        ),
        pytest.param(
            offer(FOUR, traits=frozenset({"CUSTOM_SLOW"})),
            Resources({"PCPU": 2}, NONE, frozenset({"CUSTOM_SLOW"})),
            Fact(Code.TRAIT_FORBIDDEN, detail="CUSTOM_SLOW"),
            id="a trait is ruled out",
        ),
        pytest.param(
            offer(member=False),
            TWO,
            Fact(Code.AGGREGATE),
            id="elsewhere, whatever it lacks",
        ),
    ],
)
def test_the_first_reason(host: Offer, asked: Resources, fact: Fact) -> None:
    found = refusal(host, [asked])
    assert found is not None
    assert found.headline == fact


def test_it_is_offered() -> None:
    assert refusal(offer(FOUR), [TWO]) is None
    assert refusal(offer(), [TWO, Resources({"MEMORY_MB": 512})]) is None
    disks = Resources({"PCPU": 2, "DISK_GB": 5})
    assert refusal(offer(FOUR), [disks]) is None, "of another provider"


@pytest.mark.parametrize(
    ("hosts", "asked", "clause"),
    [
        pytest.param(
            [offer(Inventory(4, used=4))] * 11 + [offer(Inventory(4, used=3))],
            TWO,
            "2 PCPU are needed on one host, the best of 12 hosts has 1 free",
            id="full hosts",
        ),
        pytest.param(
            [offer()] * 3,
            TWO,
            "3 hosts have no dedicated CPUs",
            id="no host has any",
        ),
        pytest.param(
            [offer(Inventory(1))],
            TWO,
            "2 PCPU are needed on one host, 1 host has 1 even when empty",
            id="hosts that are too small",
        ),
        pytest.param(
            [offer(FOUR, Inventory(512, used=500))] * 2,
            TWO,
            "512 MiB of memory are needed on one host, the best of 2 hosts "
            "has 12 free",
            id="memory",
        ),
        pytest.param(
            [offer(FOUR)] * 10 + [offer(Inventory(4, used=4), traits=SMT)] * 2,
            Resources({"PCPU": 2}, SMT),
            "10 of 12 hosts have no SMT, which hw:cpu_thread_policy=require "
            "needs; 2 PCPU are needed on one host, the best of 2 hosts has 0 "
            "free",
            id="two reasons",
        ),
        pytest.param(
            [offer(FOUR)],
            Resources({"PCPU": 2}, frozenset({"HW_CPU_X86_VMX"})),
            "1 host lacks the trait HW_CPU_X86_VMX",
            id="a trait that everybody knows",
        ),
        pytest.param(
            [offer(FOUR)],
            Resources({"PCPU": 2}, frozenset({"CUSTOM_CUSTOMER_7"})),
            "1 host lacks a trait that is required",
            id="a trait that somebody made up is not told",
        ),
        pytest.param(
            [offer(FOUR, member=False)] * 2,
            TWO,
            "2 hosts are in no aggregate or availability zone asked for",
            id="elsewhere",
        ),
    ],
)
def test_the_sentence(
    hosts: list[Offer], asked: Resources, clause: str
) -> None:
    request = Request((GuestCell(dedicated=frozenset({0, 1})),))
    found = [refusal(each, [asked]) for each in hosts]
    told = [each for each in found if each is not None]
    assert summary.sentence(request, told) == (
        f"No host can take 2 pinned vCPUs in one NUMA cell: {clause}."
    )

