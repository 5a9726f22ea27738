"""Small clouds for tests of the commands, and files of them."""

import json

from pinning_filter.cloud import dumpfile
from pinning_filter.cloud.snapshot import (
    Aggregate,
    Flavor,
    Node,
    Provider,
    Snapshot,
)
from pinning_filter.core import synthetic, usage
from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request, ThreadPolicy
from pinning_filter.core.strategy import Strategy
from pinning_filter.fleet.hosts import Guest
from pinning_filter.fleet.offers import Inventory

DEDICATED = {"hw:cpu_policy": "dedicated"}
#: A name that would be markup, a script, or a terminal's command.
HOSTILE = "</script><script>alert(1)</script>\x1b[31m<img src=x>\u202egnp"


def guest(vcpus, policy="prefer", memory_gib=1):
    """A pinned guest of one cell."""
    cell = GuestCell(frozenset(range(vcpus)), memory_kib=memory_gib << 20)
    return Request((cell,), thread_policy=ThreadPolicy(policy))


def node(name, line, *requests, **fields):
    """A compute node with these guests, placed one after the other."""
    host, guests = synthetic.host(line), []
    for number, request in enumerate(requests):
        placed = fit(host, request)
        assert isinstance(placed, Placement), placed.text
        host = usage.add(host, placed)
        vcpus = len(request.cells[0].dedicated)
        guests.append(
            Guest(
                f"{name}-{number}", request, placed,
                name=f"server {number} of {name}", flavor=f"pinned.{vcpus}",
            )
        )
    fields = {"cell": "cell1", "strategy": Strategy(), **fields}
    return Node(name, host, tuple(guests), **fields)


def provider(pcpus, used=0, traits=("HW_CPU_HYPERTHREADING",)):
    """What the Placement API says of a node."""
    return Provider(
        {
            "PCPU": Inventory(pcpus, used=used, most=pcpus),
            "MEMORY_MB": Inventory(65536, 512, 1.0, 0),
        },
        frozenset(traits),
    )


def several():
    """A cloud with one host for each way to refuse."""
    return Snapshot(
        (
            node("empty", "cell:2(memory=16GiB) core:4 pu:2"),
            node("full", "cell:1 core:2 pu:2", guest(4),
                 provider=provider(4, 4)),
            node("no-smt", "cell:1 core:4", guest(1),
                 provider=provider(4, 1, ())),
            Node("no-topology", None, cell="cell1"),
            Node("odd", None, problem="its pcpuset is missing"),
            node("off", "cell:1 core:4", zone="b",
                 closed="the compute service is disabled",
                 aggregates=(Aggregate("fast", {"cpu": "slow"}),)),
        ),
        (
            Flavor("pinned.2", 2, 1024, 1, DEDICATED),
            Flavor("pinned.4", 4, 1024, 1, DEDICATED),
            Flavor("plain", 2, 1024),
        ),
        taken="2026-11-20T12:00:00+00:00",
    )


def write(snapshot, path):
    """A snapshot as a file for ``--host``."""
    path.write_text(json.dumps(dumpfile.write(snapshot)))
    return path
