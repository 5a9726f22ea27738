"""Hosts with guests on them, for tests of whole clouds."""

from __future__ import annotations

import itertools
import random

from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.synthetic import host
from pinning_filter.fleet.hosts import Cloud, CloudHost, Guest


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
