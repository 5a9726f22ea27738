"""What does it cost to look for running guests that Nova does not know?

Each claim and each report of a compute node with the driver does it
(``pinning_filter.compute.orphans.counted``). Guests as ``benchmarks/watch.py``
has them, XML of 8 KB each; the compute node's record is of 2 x 64 x 2 pCPUs.
Nova's resource tracker and its view of libvirt are stood in for, so libvirtd's
own work and the transport are not in it. Timed where Nova knows all guests,
which is the rule, and where it knows none. CPU time, medians.

    python benchmarks/orphans.py
    python benchmarks/orphans.py --guests 120 --json
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import sys
import time
import types
import uuid
from collections.abc import Sequence
from typing import Any

from watch import domain_xml

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from nova import objects

from pinning_filter.compute import orphans
from pinning_filter.core import synthetic
from tests.property import twins

#: Milliseconds of CPU time that a look may take.
BAR = 50.0
HOST = "cell:2 core:64 pu:2"
VCPUS = 4


def guests(count: int) -> dict[str, str]:
    """UUID -> XML, each guest's pCPUs its own."""
    found = {}
    for index in range(count):
        number = str(uuid.UUID(int=index + 1))
        xml = domain_xml(number, VCPUS, "@")
        for pcpu in range(index * VCPUS, (index + 1) * VCPUS):
            xml = xml.replace("'@'", f"'{pcpu}'", 1)
        own = f"'{index * VCPUS}-{(index + 1) * VCPUS - 1}'"
        found[number] = xml.replace("'@'", own)
    return found


def tracker(running: dict[str, str]) -> Any:
    """Nova's resource tracker, beside the guests that libvirt runs."""
    listed = [
        types.SimpleNamespace(uuid=number, get_xml_desc=lambda xml=xml: xml)
        for number, xml in running.items()
    ]
    libvirt: Any = types.SimpleNamespace(
        list_guests=lambda only_running: listed
    )
    return types.SimpleNamespace(
        driver=types.SimpleNamespace(orphans=orphans.Orphans(libvirt)),
        tracked_instances=set(running),
        tracked_migrations={},
    )


def measure(count: int, rounds: int) -> dict[str, float]:
    """Milliseconds of CPU time of a look, by how many guests are known."""
    running = guests(count)
    nova_s = tracker(running)
    topology = twins.topology(synthetic.host(HOST))
    node = objects.ComputeNode(numa_topology=topology._to_json())
    found = {}
    for name, known in (("all known", set(running)), ("none known", set())):
        nova_s.tracked_instances = known
        turns = []
        for _ in range(rounds):
            start = time.process_time()
            with orphans.counted(nova_s, node) as (_, held):
                turns.append((time.process_time() - start) * 1e3)
            pcpus = sum(map(len, held.values()))
            if pcpus != (count - len(known)) * VCPUS:
                raise SystemExit(f"{name}: {pcpus} pCPUs were found")
        found[name] = statistics.median(turns)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--guests", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = measure(options.guests, options.rounds)
    if options.json:
        print(json.dumps({"guests": options.guests, "ms": found}, indent=2))
    else:
        for name, taken in found.items():
            print(
                f"{options.guests} guests, {name}: {taken:.2f} ms of CPU time,"
                f" bar {BAR:.0f} ms{', missed' if taken > BAR else ''}"
            )
    return int(max(found.values()) > BAR)


if __name__ == "__main__":
    sys.exit(main())
