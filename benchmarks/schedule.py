"""What does a request cost with PinningFilter and PinningWeigher?

Nova's own ``SchedulerManager.select_destinations``, from a SQLite database
with a thousand compute nodes, with no NUMA filter at all, with Nova's, and
with ours; and, on the same hosts, the weigher beside the filter. The Placement
API is a stub that offers every host.

    python benchmarks/schedule.py
    python benchmarks/schedule.py --hosts 200 --rounds 5 --json
"""

from __future__ import annotations

import argparse
import gc
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from cases import HOST, Guest, Shape, host_states, request_spec, topology
from filter import prepare
from nova import conf, context, objects, rpc
from nova.db import migration
from nova.db.api import api as api_database
from nova.db.main import api as main_database
from nova.scheduler import manager
from nova.scheduler.weights import WeighedHost
from oslo_utils import timeutils, uuidutils

from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher

CONF = conf.CONF
#: At most so many times what a request costs without any NUMA filter.
BAR = 1.10
FILTER = "pinning_filter.scheduler.filter.PinningFilter"
WEIGHER = "pinning_filter.scheduler.weigher.PinningWeigher"


class Placement:
    """Offers each host once, and lets everything be claimed."""

    def __init__(self, uuids: Sequence[str], vcpus: int) -> None:
        self._uuids, self._vcpus = uuids, vcpus

    def get_allocation_candidates(
        self, context: Any, resources: Any
    ) -> tuple[list[Any], dict[str, Any], str]:
        amounts = {"PCPU": self._vcpus, "MEMORY_MB": 1024}
        requests = [
            {
                "allocations": {uuid: {"resources": amounts}},
                "mappings": {"": [uuid]},
            }
            for uuid in self._uuids
        ]
        summaries = {
            uuid: {"resources": {}, "traits": []} for uuid in self._uuids
        }
        return requests, summaries, "1.36"

    def claim_resources(self, *args: Any, **kwargs: Any) -> bool:
        return True


def make_cloud(directory: pathlib.Path, shape: Shape, hosts: int) -> list[str]:
    """The databases, with hosts of which each is used to its own degree."""
    cell = f"sqlite:///{directory}/cell.db"
    file = directory / "nova.conf"
    file.write_text(
        "[DEFAULT]\ntransport_url = fake://\n"
        f"service_down_time = {1 << 30}\n"
        f"[api_database]\nconnection = sqlite:///{directory}/api.db\n"
        f"[database]\nconnection = {cell}\n"
    )
    CONF([], project="nova", default_config_files=[str(file)])
    api_database.configure(CONF)
    main_database.configure(CONF)
    rpc.init(CONF)
    for database in ("api", "main"):
        migration.db_sync(database=database)
    admin = context.get_admin_context()
    objects.CellMapping(
        admin,
        uuid=uuidutils.generate_uuid(),
        name="cell",
        transport_url="fake://",
        database_connection=cell,
    ).create()
    context.set_target_cell(
        admin, objects.CellMappingList.get_all(admin).objects[0]
    )
    rng = random.Random(1)
    return [
        _compute_node(admin, shape, number, rng) for number in range(hosts)
    ]


def use(host: objects.NUMATopology, rng: random.Random) -> None:
    """Pin guests to some of the cores, at random, and give them memory."""
    for cell in host.cells:
        for core in cell.siblings:
            taken = rng.choice((0, 0, 1, 2))
            cell.pinned_cpus = cell.pinned_cpus | set(sorted(core)[:taken])
        cell.memory_usage = 4096 * len(cell.pinned_cpus)
        cell.mempages[0].used = cell.memory_usage * 256


def _compute_node(
    admin: Any, shape: Shape, number: int, rng: random.Random
) -> str:
    name = f"host{number}"
    used = topology(shape)
    use(used, rng)
    service = objects.Service(
        admin,
        host=name,
        binary="nova-compute",
        topic="compute",
        report_count=1,
        last_seen_up=timeutils.utcnow(),
    )
    service.create()
    node = objects.ComputeNode(
        admin,
        uuid=uuidutils.generate_uuid(),
        host=name,
        hypervisor_hostname=name,
        hypervisor_type="QEMU",
        hypervisor_version=10000000,
        vcpus=sum(len(cell.pcpuset) for cell in used.cells),
        vcpus_used=sum(len(cell.pinned_cpus) for cell in used.cells),
        memory_mb=sum(cell.memory for cell in used.cells),
        memory_mb_used=sum(cell.memory_usage for cell in used.cells),
        free_ram_mb=sum(cell.avail_memory for cell in used.cells),
        local_gb=1000,
        local_gb_used=0,
        free_disk_gb=1000,
        disk_available_least=1000,
        cpu_info="{}",
        cpu_allocation_ratio=4.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        numa_topology=used._to_json(),
        running_vms=0,
        current_workload=0,
        host_ip="192.0.2.1",
        supported_hv_specs=[],
        metrics="[]",
        pci_device_pools=objects.PciDevicePoolList(objects=[]),
        stats={"pinning_filter": "1.0"},
        mapped=1,
    )
    node.create()
    return node.uuid


class Scheduler:
    """One scheduler, with its own filters and weighers."""

    def __init__(self, uuids: Sequence[str], guest: Guest, how: str) -> None:
        section = CONF.filter_scheduler
        base = [
            name
            for name in section.enabled_filters
            if name not in ("NUMATopologyFilter", "PinningFilter")
        ]
        extra = {"none": [], "stock": ["NUMATopologyFilter"]}
        names = [*base, *extra.get(how, ["PinningFilter"])]
        weighers = ["nova.scheduler.weights.all_weighers"]
        if how == "ours":
            weighers.append(WEIGHER)
        overrides = {
            "available_filters": [
                "nova.scheduler.filters.all_filters",
                FILTER,
            ],
            "enabled_filters": names,
            "weight_classes": weighers,
            "track_instance_changes": False,
        }
        for name, value in overrides.items():
            CONF.set_override(name, value, "filter_scheduler")
        self._ours = how.startswith("ours")
        self._guest = guest
        stub = Placement(uuids, sum(guest.vcpus))
        kind = type(
            "Manager",
            (manager.SchedulerManager,),
            {"placement_client": stub},
        )
        self._manager = kind()

    def run(self) -> float:
        """CPU seconds for one request."""
        (nova_fit.install if self._ours else nova_fit.uninstall)()
        admin = context.get_admin_context()
        spec = _whole_spec(admin, self._guest)
        gc.collect()
        start = time.process_time()
        found = self._manager.select_destinations(
            admin,
            spec_obj=spec,
            instance_uuids=[HOST],
            return_objects=True,
            return_alternates=True,
        )
        seconds = time.process_time() - start
        assert found[0][0].service_host
        return seconds


def _whole_spec(admin: Any, guest: Guest) -> objects.RequestSpec:
    """A request as the conductor makes it."""
    asked = request_spec(guest)
    flavor = objects.Flavor(
        id=1,
        flavorid="1",
        name="pinned",
        vcpus=sum(guest.vcpus),
        memory_mb=1024,
        root_gb=1,
        ephemeral_gb=0,
        swap=0,
        extra_specs=asked.flavor.extra_specs,
    )
    spec = objects.RequestSpec.from_components(
        admin,
        HOST,
        asked.image,
        flavor,
        asked.numa_topology,
        asked.pci_requests,
        {},
        None,
        None,
        project_id="project",
        user_id="user",
    )
    spec.requested_resources = []
    return spec


def requests(
    uuids: Sequence[str], guest: Guest, rounds: int
) -> dict[str, Any]:
    """The three in turns; medians, and the median of the ratios of turns."""
    names = ("none", "stock", "ours")
    schedulers = {name: Scheduler(uuids, guest, name) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names[:: 1 if number % 2 else -1]:
            seconds = schedulers[name].run()
            if number:  # the first turn is for warming up
                times[name].append(seconds)
    return {
        "ms": {
            name: statistics.median(each) * 1e3 for name, each in times.items()
        },
        "ratio": {
            name: statistics.median(
                one / bare
                for one, bare in zip(times[name], times["none"], strict=True)
            )
            for name in names
        },
    }


def weighing(shape: Shape, count: int, rounds: int) -> dict[str, Any]:
    """Filter and weigher, CPU milliseconds each, by whether it is news.

    A guest that was asked about before, while its hosts were the same, is
    answered from memory by both.
    """
    nova_fit.install()
    rng = random.Random(1)
    states = host_states(shape, count)
    for state in states:
        use(state.numa_topology, rng)
    parts = PinningFilter(), PinningWeigher()
    known = [_weighing(states, Guest((4,)), *parts) for _ in range(rounds + 1)]
    news = [
        _weighing(states, Guest((2 + number,)), *parts)
        for number in range(rounds)
        if number != 2  # known by now
    ]
    return {
        name: {
            part: statistics.median(each) * 1e3
            for part, each in zip(
                ("filter", "weigher"), zip(*times, strict=True), strict=True
            )
        }
        for name, times in (("known", known[1:]), ("news", news))
    }


def _weighing(
    states: Sequence[Any],
    guest: Guest,
    the_filter: PinningFilter,
    the_weigher: PinningWeigher,
) -> tuple[float, float]:
    """CPU seconds of each for one request."""
    for state in states:
        state.limits = {}
        state.aggregates = []
        state.allocation_candidates = [{"mappings": {}}]
    spec = request_spec(guest)
    gc.collect()
    start = time.process_time()
    passed = list(the_filter.filter_all(states, spec))
    middle = time.process_time()
    the_weigher.weigh_objects([WeighedHost(s, 0.0) for s in passed], spec)
    return middle - start, time.process_time() - middle


def show(results: dict[str, Any], write: Callable[[str], Any]) -> None:
    write(
        f"CPU milliseconds for one request over {results['hosts']} hosts "
        "of 2 x 16 x 2 pCPUs:\n\n"
    )
    row = "{:<26} {:>9} {:>7} {:>6}\n"
    write(row.format("select_destinations with", "ms", "ratio", "bar"))
    for name, text in (
        ("none", "no NUMA filter"),
        ("stock", "NUMATopologyFilter"),
        ("ours", "PinningFilter and -Weigher"),
    ):
        ratio = results["requests"]["ratio"][name]
        bar = f"{BAR:.2f}" + (" !" if ratio > BAR else "")
        write(
            row.format(
                text,
                f"{results['requests']['ms'][name]:.0f}",
                f"{ratio:.2f}",
                bar if name == "ours" else "",
            )
        )
    write("\nThe filter and the weigher by themselves, ms:\n\n")
    row = "{:<12} {:<18} {:>9} {:>9}\n"
    write(row.format("hosts", "guest", "filter", "weigher"))
    for shape, kinds in results["weighing"].items():
        for kind, times in kinds.items():
            bar = " !" if times["weigher"] > times["filter"] else ""
            write(
                row.format(
                    shape,
                    {"known": "asked before", "news": "never asked"}[kind],
                    f"{times['filter']:.1f}",
                    f"{times['weigher']:.1f}{bar}",
                )
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Time whole requests with and without our filter."
    )
    parser.add_argument("--hosts", type=int, default=1000, help="default 1000")
    parser.add_argument("--rounds", type=int, default=7, help="default 7")
    parser.add_argument(
        "--json", action="store_true", help="figures for a program"
    )
    options = parser.parse_args(arguments)
    if options.hosts < 2 or options.rounds < 1:
        parser.error("--hosts is 2 or more, --rounds 1 or more")
    prepare()
    guest = Guest((4,), "prefer")
    with tempfile.TemporaryDirectory() as directory:
        uuids = make_cloud(pathlib.Path(directory), Shape(), options.hosts)
        results = {
            "hosts": options.hosts,
            "requests": requests(uuids, guest, options.rounds),
            "weighing": {
                shape.text: weighing(shape, options.hosts, options.rounds)
                for shape in (Shape(), Shape(cores=64))
            },
        }
    if options.json:
        json.dump(results, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        show(results, sys.stdout.write)
    return 0


if __name__ == "__main__":
    sys.exit(main())
