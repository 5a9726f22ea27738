"""How long does an audit of a large cloud take?

Makes a dump of a cloud in which guests were pinned one after the other, with
allocations in the Placement API, and runs ``pinning-filter audit`` on it in a
process of its own: once with books that agree, once with every hundredth host
broken. Reading databases is not in the figure.

    python benchmarks/audit.py
    python benchmarks/audit.py --hosts 1000
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from pinning_filter.cloud import dumpfile
from pinning_filter.cloud.snapshot import Node, Provider, Snapshot
from pinning_filter.core import usage
from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host as synthetic_host
from pinning_filter.fleet.hosts import Guest
from pinning_filter.fleet.offers import Inventory

PROGRAM = pathlib.Path(sys.executable).with_name("pinning-filter")
SHAPE = "cell:2(memory=256GiB) core:16 pu:2"
PCPUS, GUESTS, VCPUS = 64, 20, 3
BAR_SECONDS = 60


def node() -> Node:
    """A host full of guests, whose ids do not yet tell where they are."""
    host, guests = synthetic_host(SHAPE), []
    cell = GuestCell(frozenset(range(VCPUS)), memory_kib=4 << 20)
    request = Request((cell,))
    for number in range(GUESTS):
        placed = fit(host, request)
        assert isinstance(placed, Placement)
        host = usage.add(host, placed)
        guests.append(Guest(str(number), request, placed))
    return Node("", host, tuple(guests))


def cloud(hosts: int, broken: bool) -> Snapshot:
    """Hosts with guests; broken: two guests change places by half."""
    first = node()
    nodes = []
    for number in range(hosts):
        guests = [
            dataclasses.replace(guest, id=f"{number}-{guest.id}")
            for guest in first.guests
        ]
        held = {
            guest.id: {"PCPU": VCPUS, "MEMORY_MB": 4096} for guest in guests
        }
        if broken and number % 100 == 0:
            guests[1] = dataclasses.replace(
                guests[1], placement=guests[0].placement
            )
        provider = Provider(
            {"PCPU": Inventory(PCPUS, most=PCPUS)}, frozenset(), held
        )
        name = f"host{number:05}"
        nodes.append(
            dataclasses.replace(
                first, name=name, guests=tuple(guests), provider=provider
            )
        )
    return Snapshot(tuple(nodes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=10000)
    hosts = parser.parse_args().hosts
    print(f"{hosts} hosts of {PCPUS} pCPUs, {hosts * GUESTS} guests")
    with tempfile.TemporaryDirectory() as name:
        dump = pathlib.Path(name, "cloud.json")
        for broken in (False, True):
            data = dumpfile.write(cloud(hosts, broken))
            dump.write_text(json.dumps(data))
            before = os.times()
            done = subprocess.run(
                [PROGRAM, "audit", "--host", dump, "-f", "json"],
                capture_output=True,
                text=True,
            )
            after = os.times()
            if done.returncode != (3 if broken else 0):
                raise SystemExit(done.stderr)
            found = len(json.loads(done.stdout))
            clock = after.elapsed - before.elapsed
            used = (
                after.children_user + after.children_system
                - before.children_user - before.children_system
            )
            mark = "!" if clock > BAR_SECONDS else " "
            print(
                f"{mark} {clock:6.1f} s by the clock, {used:6.1f} s of CPU, "
                f"{found} findings"
            )


if __name__ == "__main__":
    main()
