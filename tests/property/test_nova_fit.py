"""Our fit in Nova's clothes, against the oracle and against Nova's own."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from nova import conf, exception, objects
from nova.virt import hardware

from pinning_filter.core.host import Host
from pinning_filter.core.request import Request
from pinning_filter.nova import fit as nova_fit
from tests.property import oracle, twins, worlds

Question = tuple[Host, Request, twins.Devices]

CONF = conf.CONF


@pytest.fixture(scope="module", autouse=True)
def _nova() -> Iterator[None]:
    yield
    CONF.clear_override(_PACK, "compute")
    nova_fit.uninstall()


_PACK = "packing_host_numa_cells_allocation_strategy"


class Asked:
    """One question, in fresh objects for whoever answers it."""

    def __init__(self, question: Question) -> None:
        self.host, self.request, self.devices = question
        self.topology = twins.topology(self.host)
        self.instance = twins.instance(self.request)
        self.limits = twins.limits(self.host, self.request)
        self.stats = twins.pci_stats(self.topology, self.devices)

    def arguments(self) -> dict[str, Any]:
        return {
            "host_topology": self.topology,
            "instance_topology": self.instance,
            "provider_mapping": self.devices.mapping,
            "limits": self.limits,
            "pci_requests": list(self.devices.requests),
            "pci_stats": self.stats,
        }

    def near(self, host_cells: AbstractSet[int]) -> bool:
        """Whether Nova can hand out the devices, all of those named.

        In any order of the requests.
        """
        orders = itertools.permutations(self.devices.requests)
        cells = [objects.InstanceNUMACell(id=cell) for cell in host_cells]
        return any(self._hands_out(order, cells) for order in orders)

    def _hands_out(self, order: Any, cells: Any) -> bool:
        left = copy.deepcopy(self.stats)
        before = sum(pool["count"] for pool in left.pools)
        try:
            left.apply_requests(order, self.devices.mapping, cells)
        except exception.PciDeviceRequestFailed:
            return False
        after = sum(pool["count"] for pool in left.pools)
        return before - after == sum(each.count for each in order)


def described(fitted: objects.InstanceNUMATopology | None) -> Any:
    """What must be the same in two answers."""
    if fitted is None:
        return None
    return fitted.emulator_threads_policy, [
        (
            cell.id,
            cell.cpuset,
            cell.pcpuset,
            cell.cpuset_reserved or None,
            cell.memory,
            cell.pagesize,
            cell.cpu_pinning or None,
            cell.cpu_policy,
            cell.cpu_thread_policy,
        )
        for cell in fitted.cells
    ]


def stock_answer(
    asked: Asked,
) -> tuple[bool, objects.InstanceNUMATopology | None]:
    """Whether Nova has an answer, and which."""
    try:
        return True, nova_fit.stock_fit(**asked.arguments())
    except ValueError:
        # It takes the largest of no cores.
        assert any(not cell.siblings for cell in asked.topology.cells)
        return False, None


def by_accident(request: Request) -> bool:
    """Whether Nova, by its own rules, cannot have meant to say yes.

    It takes a guest cell without vCPUs for "does not fit" where vCPUs are to
    be pinned. Where it accepts one, its cache mixed two guest cells up, and
    which host cells it then gives is chance.
    """
    return request.pinned and not all(cell.vcpus for cell in request.cells)


@given(worlds.nova_questions(), st.booleans())
def test_ours_keeps_every_rule_and_is_the_same_as_nova_s_where_that_does(
    question: Question, pack: bool
) -> None:
    CONF.set_override(_PACK, pack, "compute")
    asked = Asked(question)
    host, request, _ = question
    ours = nova_fit.numa_fit_instance_to_host(**asked.arguments())
    if ours is None:
        event("refused")
        assert not oracle.possible(host, request, asked.near)
    else:
        event("placed")
        claims = twins.claims(ours)
        assert oracle.objections(host, request, claims, asked.near) == []
    answered, stock = stock_answer(Asked(question))
    if not answered or stock is None:
        return
    claims = twins.claims(stock)
    if oracle.objections(host, request, claims, asked.near):
        event("Nova breaks a rule")
    elif by_accident(request):
        event("Nova accepts by accident")
    else:
        assert described(ours) == described(stock)


@given(worlds.nova_questions())
def test_what_is_handed_in_stays_as_it_was(question: Question) -> None:
    asked, before = Asked(question), Asked(question)
    nova_fit.numa_fit_instance_to_host(**asked.arguments())
    for name in ("topology", "instance", "limits"):
        old, new = getattr(before, name), getattr(asked, name)
        assert plain(old) == plain(new)
    assert before.stats.pools == asked.stats.pools


def plain(value: Any) -> Any:
    """A Nova object as a value in which the order of sets says nothing."""
    if hasattr(value, "obj_to_primitive"):
        return plain(value.obj_to_primitive())
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return sorted((plain(each) for each in value), key=repr)
    return value


@given(worlds.nova_questions())
def test_nova_can_consume_and_give_back_what_we_chose(
    question: Question,
) -> None:
    asked = Asked(question)
    if not all(cell.pages for cell in asked.host.cells):
        return  # Nova's accounting cannot do without.
    ours = nova_fit.numa_fit_instance_to_host(**asked.arguments())
    if ours is None:
        return
    event("consumed")
    used = hardware.numa_usage_from_instance_numa(asked.topology, ours)
    taken = set().union(
        *(claim.pinning.values() for claim in twins.claims(ours)),
        *(claim.reserved for claim in twins.claims(ours)),
    )
    for before, after in zip(asked.topology.cells, used.cells, strict=True):
        assert after.pinned_cpus >= before.pinned_cpus | (
            taken & before.pcpuset
        )
    freed = hardware.numa_usage_from_instance_numa(used, ours, free=True)
    assert [cell.pinned_cpus for cell in freed.cells] == [
        cell.pinned_cpus for cell in asked.topology.cells
    ]
    nova_fit.install()
    asked.stats.apply_requests(
        list(asked.devices.requests), asked.devices.mapping, ours.cells
    )
    nova_fit.uninstall()
