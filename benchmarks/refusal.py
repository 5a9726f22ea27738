"""What does it cost to say why the Placement API has no candidate?

Placement's own code on SQLite, in this process, with a thousand compute nodes
that are full. Seconds by the clock, in turns, of what Nova itself asks before
it gives up (allocation candidates with PCPU, then with VCPU), and of the
questions that are asked after that. A request that succeeds asks none.

    python benchmarks/refusal.py
    python benchmarks/refusal.py --hosts 200 --rounds 3
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import uuid
import warnings
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")

# First of all: it chooses between threads and eventlet.
from pinning_filter.demo import cloud  # noqa: E402

# isort: split
from nova import context  # noqa: E402
from nova.scheduler import utils  # noqa: E402
from nova.scheduler.client import report  # noqa: E402

from pinning_filter.explain import request_spec  # noqa: E402
from pinning_filter.fleet import offers, summary  # noqa: E402
from pinning_filter.nova import guest as nova_guest  # noqa: E402
from pinning_filter.nova import placement_request  # noqa: E402
from pinning_filter.scheduler import no_valid_host, placement_offers  # noqa: E402

#: pCPUs of each host, all but one of them in use.
PCPUS = 32
TRAITS = ("HW_CPU_HYPERTHREADING", "COMPUTE_NODE", "OWNER_NOVA")


def fill(client: Any, hosts: int) -> None:
    """So many compute nodes, as resource providers."""
    admin = context.get_admin_context()
    for number in range(hosts):
        provider = str(uuid.uuid4())
        client._ensure_resource_provider(admin, provider, f"host{number}")
        client.set_inventory_for_provider(
            admin,
            provider,
            {
                "PCPU": _inventory(PCPUS, reserved=PCPUS - 1),
                "MEMORY_MB": _inventory(1 << 18),
                "DISK_GB": _inventory(1000),
            },
        )
        client.set_traits_for_provider(admin, provider, TRAITS)


def _inventory(total: int, reserved: int = 0) -> dict[str, Any]:
    return {
        "total": total,
        "reserved": reserved,
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def timed(ask: Callable[[], Any]) -> float:
    """Seconds by the clock."""
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with cloud.cloud():
        client = report.SchedulerReportClient()
        fill(client, options.hosts)
        spec = request_spec.spec(
            nova_guest.guest(2, 1024, {"hw:cpu_policy": "dedicated"}, {})
        )
        spec.project_id, spec.user_id = "project", "user"
        admin = context.get_admin_context()

        def nova_s() -> None:
            for pinned in (True, False):
                resources = utils.resources_from_request_spec(
                    admin, spec, None, enable_pinning_translate=pinned
                )
                found = client.get_allocation_candidates(admin, resources)
                assert not found[0]

        def ours() -> str:
            found = list(placement_offers.of(client, spec))
            assert len(found) == options.hosts
            asked = placement_request.alternatives(spec)[:1]
            told = [offers.refusal(each, asked) for each in found]
            request = nova_guest.read(spec.flavor, spec.image).request
            return summary.sentence(
                request,
                [each for each in told if each is not None],
                no_valid_host.LONGEST,
            )

        sys.stdout.write(f"{ours()}\n\n")
        pairs = [(timed(nova_s), timed(ours)) for _ in range(options.rounds)]
    for name, times in zip(
        ("Nova's two questions", "ours after them"),
        zip(*pairs, strict=True),
        strict=True,
    ):
        sys.stdout.write(f"{name:22} {statistics.median(times):6.3f} s\n")
    sys.stdout.write(
        f"\nof {options.hosts} hosts; time allowed: "
        f"{no_valid_host.TIMEOUT} s\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
