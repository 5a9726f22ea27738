"""Hosts with guests on them, for tests of whole clouds."""

from __future__ import annotations

import itertools
import random

from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Refusal
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.synthetic import host
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest
from pinning_filter.fleet.offers import Inventory
from pinning_filter.fleet.servers import Group, GroupPolicy, Server


def asks(*sizes: int, threads: str = "prefer") -> Request:
    """Guest cells of so many dedicated vCPUs each."""
    ids = itertools.count()
    return Request(
        tuple(
            GuestCell(frozenset(itertools.islice(ids, size))) for size in sizes
        ),
        thread_policy=ThreadPolicy(threads),
    )


def running(
    name: str,
    line: str,
    *sizes: int | tuple[int, ...],
    fixed: str = "",
    closed: str = "",
) -> CloudHost:
    """A host with guests on it, in the order of their coming."""
    made = CloudHost(name, host(line), closed=closed)
    for number, size in enumerate(sizes):
        request = asks(*([size] if isinstance(size, int) else size))
        placement = fit(made.host, request)
        assert isinstance(placement, Placement)
        guest = Guest(f"{name}{number}", request, placement, fixed=fixed)
        made = made.adding(guest, placement)
    return made


def random_cloud(
    rng: random.Random, names: str, line: str, sizes: tuple[int, ...]
) -> Cloud:
    """Hosts with two or three guests where they happened to be put."""
    hosts = []
    for name in names:
        made = CloudHost(name, host(line))
        for number in range(rng.randint(2, 3)):
            request = asks(rng.choice(sizes))
            placement = fit(made.host, request)
            if isinstance(placement, Placement):
                guest = Guest(f"{name}{number}", request, placement)
                made = made.adding(guest, placement)
        hosts.append(made)
    return Cloud(tuple(hosts))


#: A floating server of these clouds takes one or two of these.
FLOATING = {"VCPU": 1, "MEMORY_MB": 1024}
_POLICIES = tuple(GroupPolicy)


def mixed_cloud(rng: random.Random, names: str) -> Cloud:
    """Hosts with pinned and floating servers, some of them in groups.

    Of every kind that decides on where a server may go; nearly full, and so
    small that all plans can be tried.
    """
    line = rng.choice(("cell:1 core:5", "cell:2 core:3", "cell:1 core:3 pu:2"))
    grouped = [
        f"{name}{number}"
        for name in names
        for number in range(4)
        if rng.random() < 0.35
    ]
    group = Group(
        "group", rng.choice(_POLICIES), frozenset(grouped), rng.randint(1, 2)
    )
    hosts = []
    for name in names:
        made = CloudHost(
            name,
            host(line),
            inventories={
                "VCPU": Inventory(rng.randint(2, 3)),
                "PCPU": Inventory(6),
                "MEMORY_MB": Inventory(rng.choice((5, 6, 7)) << 10),
            },
        )
        for number in range(rng.randint(2, 4)):
            made = _one_more(rng, made, f"{name}{number}", group)
        hosts.append(made)
    return Cloud(tuple(hosts))


def _one_more(
    rng: random.Random, made: CloudHost, name: str, group: Group
) -> CloudHost:
    """The host with another server, if it has room for it."""
    more = {
        "group": group if name in group.members else None,
        "fixed": "it is stopped" if rng.random() < 0.1 else "",
    }
    server: Server = Server(name, amounts=FLOATING, **more)  # type: ignore[arg-type]
    if rng.random() < 0.7:
        request = asks(rng.choice((1, 1, 2, 2, 3)))
        placement = fit(made.host, request)
        if not isinstance(placement, Placement):
            return made
        amounts = {"PCPU": request.pcpus, "MEMORY_MB": 1024}
        server = Guest(name, request, placement, amounts=amounts, **more)  # type: ignore[arg-type]
    answer = made.answer(server)
    if isinstance(answer, Refusal):
        return made
    return made.adding(server, answer)
