"""What compute nodes report, and how they are set up."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterator, Sequence

from pinning_filter.cloud.snapshot import Node
from pinning_filter.core.host import Host
from pinning_filter.status.findings import Finding, Level, count, names

_SETS = "[compute] cpu_dedicated_set"


def topology(
    nodes: Sequence[Node], wanted: Collection[str]
) -> Iterator[Finding]:
    """Whether hosts report the NUMA cells that flavors ask for.

    :param wanted: flavors that ask for NUMA cells.
    """
    without = [node.name for node in nodes
               if node.host is None and not node.problem]
    if without and wanted:
        yield Finding(
            Level.FAILURE if len(without) == len(nodes) else Level.WARNING,
            f"{count(without, 'compute node')} of {len(nodes)} report no NUMA "
            "topology: servers of flavors with NUMA cells "
            f"({names(wanted)}) cannot go there.",
            "Nova reports it where libvirt runs QEMU or KVM on x86, ARM or "
            "PowerPC; see [libvirt] virt_type there, and that 'virsh "
            "capabilities' has <topology>. For other hosts this is as it "
            "should be.",
        )


def cpu_sets(
    nodes: Sequence[Node], pinned: Collection[str], asks_vcpu_instead: bool
) -> Iterator[Finding]:
    """Whether hosts set pCPUs aside for pinned vCPUs.

    :param pinned: flavors with dedicated vCPUs.
    :param asks_vcpu_instead: whether the scheduler asks for VCPU where no
        host has the PCPU.
    """
    known = [(node.name, node.host) for node in nodes if node.host is not None]
    mixed = [name for name, host in known if _mixes(host)]
    if mixed:
        refused = pinned and not asks_vcpu_instead
        yield Finding(
            Level.FAILURE if refused else Level.WARNING,
            f"{count(mixed, 'compute node')} of {len(nodes)} use the same "
            "pCPUs for pinned and for floating vCPUs: there is the old "
            f"vcpu_pin_set, or neither {_SETS} nor cpu_shared_set."
            + (
                " With [workarounds] disable_fallback_pcpu_query no pinned "
                "server goes there."
                if refused
                else " Pinned servers go there as VCPU, which the Placement "
                "API counts together with floating ones."
                if pinned
                else ""
            ),
            f"Set {_SETS} and cpu_shared_set there, and remove vcpu_pin_set; "
            "pinned servers that run there need their pCPUs in the first.",
        )
    if pinned and known and not any(_dedicated(host) for _, host in known):
        yield Finding(
            Level.FAILURE,
            f"No compute node has pCPUs for pinned vCPUs, and flavors ask for "
            f"them ({names(pinned)}).",
            f"Set {_SETS} on compute nodes, and restart nova-compute.",
        )


def _dedicated(host: Host) -> bool:
    return any(cell.dedicated for cell in host.cells)


def _mixes(host: Host) -> bool:
    return _dedicated(host) and all(
        cell.dedicated == cell.shared for cell in host.cells
    )


def driver(
    nodes: Sequence[Node], several: Collection[str]
) -> Iterator[Finding]:
    """Whether the claim decides as the filter does.

    :param several: flavors of several guest cells.
    """
    plain = [node.name for node in nodes if node.plain_nova and node.host]
    if plain and several:
        yield Finding(
            Level.WARNING,
            f"{count(plain, 'compute node')} of {len(nodes)} run without the "
            "driver of pinning_filter, and flavors have several guest cells "
            f"({names(several)}). There Nova's own claim decides, which is "
            "wrong for some of them; PinningFilter passes such a host only "
            "where it is right.",
            "Start nova-compute-pinning there, with compute_driver = "
            "pinning.PinningLibvirtDriver.",
        )


def preferences(
    nodes: Sequence[Node], scheduler: str | None
) -> Iterator[Finding]:
    """Whether claims prefer the host cells that the scheduler expects.

    Plain Nova does not report what it prefers, so of hosts without the driver
    nothing is known here.

    :param scheduler: what the scheduler prefers; None: it is not known.
    """
    found = collections.defaultdict(list)
    for node in nodes:
        if node.prefers:
            found[node.prefers].append(node.name)
    here = "" if scheduler is None else f"; {scheduler} on this scheduler"
    if len({*found, scheduler or next(iter(found), "")}) > 1:
        yield Finding(
            Level.WARNING,
            "Compute nodes and schedulers do not prefer the same NUMA cells "
            "and cores: "
            + "; ".join(
                f"{prefers} on {names(hosts)}"
                for prefers, hosts in sorted(found.items())
            )
            + f"{here}. A claim may take other pCPUs than the scheduler "
            "counted, and the next server of a request fail there.",
            "Set [compute] packing_host_numa_cells_allocation_strategy and "
            "[pinning_filter] core_choice alike on all of them, and restart "
            "the services.",
        )
    unsaid = [node.name for node in nodes if node.plain_nova and node.host]
    if unsaid and scheduler and scheduler.endswith("packing"):
        yield Finding(
            Level.NOTE,
            f"Whether {count(unsaid, 'compute node')} without the driver of "
            "pinning_filter have [compute] "
            "packing_host_numa_cells_allocation_strategy, as this scheduler "
            "has, cannot be known here: plain Nova does not report it.",
            "Compare nova.conf of those hosts.",
        )
