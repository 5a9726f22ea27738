"""How long does an audit of a large cloud take?

Makes a dump of a cloud in which guests were pinned one after the other, with
allocations in the Placement API, and runs ``pinning-filter audit`` on it in a
process of its own: with books that agree, with every hundredth host broken,
joined with what was observed on each compute node, a file for each, and with a
smaller ``cpu_dedicated_set``. Reading databases is not in the figures.

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

from pinning_filter.audit import observed_file
from pinning_filter.audit.observation import Domain, Observation, Settings
from pinning_filter.cloud import dumpfile
from pinning_filter.cloud.snapshot import Node, Provider, Snapshot
from pinning_filter.core import usage
from pinning_filter.core.fit import fit
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.synthetic import host as synthetic_host
from pinning_filter.fleet.hosts import Guest
from pinning_filter.fleet.offers import Inventory
from pinning_filter.kernel.guests import Memory, Threads
from pinning_filter.kernel.host import Cell, Kernel
from pinning_filter.libvirt.running import Running

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


def observed(node: Node) -> Observation:
    """What is seen there: a guest that runs as its server is pinned."""
    assert node.host is not None
    pcpus = frozenset(range(PCPUS))
    cells = {
        cell.id: Cell(cell.dedicated, cell.memory_kib, cell.memory_kib, {})
        for cell in node.host.cells
    }
    return Observation(
        node.name,
        "2026-11-01T00:00:00+00:00",
        Settings(pcpus, frozenset()),
        Kernel(pcpus, pcpus, None, None, None, None, cells),
        tuple(map(_domain, node.guests)),
    )


def _domain(guest: Guest) -> Domain:
    pinning = guest.placement.pinning
    (cell,) = guest.placement.cells
    vcpus = {vcpu: frozenset({pcpu}) for vcpu, pcpu in pinning.items()}
    every, where = frozenset(pinning.values()), frozenset({cell.host_cell.id})
    kib = cell.guest_cell.memory_kib
    live = Running(
        uuid=guest.id,
        name=f"instance-{guest.id}",
        by_nova=True,
        server=guest.id,
        vcpus=vcpus,
        emulator=every,
        iothreads={1: every},
        memory_kib=kib,
        nodes=where,
        cell_nodes={0: where},
        cell_memory_kib={0: kib},
        page_sizes_kib=frozenset(),
    )
    threads = Threads(vcpus, every, {1: every})
    memory = Memory(True, {cell.host_cell.id: kib}, {4: kib})
    return Domain(live, live, threads, memory)


def timed(what: str, status: int, *args: str) -> None:
    """Run the audit and say what it took."""
    before = os.times()
    done = subprocess.run(
        [PROGRAM, "audit", *args, "-f", "json"], capture_output=True, text=True
    )
    after = os.times()
    if done.returncode != status:
        raise SystemExit(done.stderr)
    found = len(json.loads(done.stdout))
    clock = after.elapsed - before.elapsed
    used = (
        after.children_user + after.children_system
        - before.children_user - before.children_system
    )
    mark = "!" if clock > BAR_SECONDS else " "
    print(
        f"{mark} {what:26} {clock:6.1f} s by the clock, {used:6.1f} s of CPU, "
        f"{found} rows",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=10000)
    hosts = parser.parse_args().hosts
    print(f"{hosts} hosts of {PCPUS} pCPUs, {hosts * GUESTS} guests")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        dump = folder / "cloud.json"

        def write(made: Snapshot) -> None:
            dump.write_text(json.dumps(dumpfile.write(made)))

        write(cloud(hosts, broken=True))
        timed("every 100th host broken", 3, "--host", str(dump))
        sound = cloud(hosts, broken=False)
        write(sound)
        timed("all agree", 0, "--host", str(dump))
        timed("--what-if", 3, "--host", str(dump),
              "--what-if", "cpu_dedicated_set=2-63")
        files = []
        for node in sound.nodes:
            file = folder / f"{node.name}.json"
            file.write_text(json.dumps(observed_file.write(observed(node))))
            files.append(str(file))
        timed("--observed, a file a host", 0, "--host", str(dump),
              "--observed", *files)


if __name__ == "__main__":
    main()
