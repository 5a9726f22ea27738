"""Which versions run: of Nova's services, and of this project's driver."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pinning_filter.cloud.snapshot import Node, Service, Snapshot
from pinning_filter.status.facts import Installed
from pinning_filter.status.findings import Finding, Level, count, names


def reached(snapshot: Snapshot) -> Iterator[Finding]:
    """Whether every cell and the Placement API answered."""
    for name, why in snapshot.unreachable.items():
        yield Finding(
            Level.UNKNOWN,
            f"Cell {name} does not answer, and its hosts are in no other "
            f"check: {why}",
            "Look at its database and at 'nova-manage cell_v2 list_cells', "
            "or give it longer with --timeout.",
        )
    if not snapshot.nodes:
        yield Finding(
            Level.NOTE,
            "There are no compute nodes yet, and nothing is checked of them.",
            "Start nova-compute somewhere; then 'nova-manage cell_v2 "
            "discover_hosts'.",
        )
    elif not any(node.provider for node in snapshot.nodes):
        yield Finding(
            Level.UNKNOWN,
            "Nothing is known of the Placement API: what it holds is not "
            "compared.",
            "Look at [placement] in nova.conf, where the cloud is read.",
        )


def versions(
    services: Iterable[Service], installed: Installed
) -> Iterator[Finding]:
    """Whether all services of a kind are of one version of Nova."""
    found: dict[str, dict[int, list[str]]] = {}
    for each in services:
        found.setdefault(each.binary, {}).setdefault(each.version, []).append(
            each.host
        )
    for binary, hosts in sorted(found.items()):
        if len(hosts) > 1:
            yield Finding(
                Level.WARNING,
                f"{binary} runs in {len(hosts)} versions: "
                + "; ".join(
                    f"{_version(version, installed.releases)} on "
                    f"{names(hosts[version])}"
                    for version in sorted(hosts)
                )
                + ".",
                "Finish the upgrade, and delete the services of hosts that "
                "are gone ('openstack compute service delete').",
            )
    running = max(itertools.chain(*found.values()), default=None)
    if running not in (None, installed.service):
        yield Finding(
            Level.NOTE,
            f"The newest service reports "
            f"{_version(running, installed.releases)}, the Nova "
            f"{installed.nova} that is installed here is "
            f"{_version(installed.service, installed.releases)}: what is "
            "read from the databases may be less than there is.",
            "Run this in the environment of nova-scheduler, or install with "
            "the constraints of its release.",
        )


def _version(number: int, releases: Mapping[int, str]) -> str:
    name = releases.get(number)
    return f"version {number} ({name})" if name else f"version {number}"


def drivers(
    nodes: Sequence[Node], installed: Installed
) -> Iterator[Finding]:
    """Whether the driver of this project is of one version."""
    found = collections.defaultdict(list)
    for node in nodes:
        if node.driver:
            found[node.driver].append(node.name)
    if len(found) > 1:
        yield Finding(
            Level.WARNING,
            "The driver of pinning_filter runs in "
            f"{len(found)} versions: "
            + "; ".join(
                f"{version} on {names(hosts)}"
                for version, hosts in sorted(found.items())
            )
            + ".",
            "Install the same version on all compute nodes, and restart "
            "nova-compute-pinning there.",
        )
    elif found and installed.project not in found:
        (version,) = found
        yield Finding(
            Level.NOTE,
            f"The driver of pinning_filter on the compute nodes is {version}, "
            f"what is installed here is {installed.project}.",
            "Where schedulers run, install the version of the compute nodes.",
        )


def records(nodes: Sequence[Node]) -> Iterator[Finding]:
    """Whether today's Nova wrote what is kept of NUMA topologies."""
    older = [node.name for node in nodes if node.old_record]
    if older:
        yield Finding(
            Level.WARNING,
            f"The NUMA topology of {count(older, 'compute node')} was "
            "written by an older Nova, in a form of that time.",
            "Start today's nova-compute there, which writes it anew within a "
            "minute, or delete the service of a host that is gone.",
        )
    servers = [each for node in nodes for each in node.old_servers]
    if servers:
        yield Finding(
            Level.WARNING,
            f"The NUMA topology of {count(servers, 'server')} was written by "
            "a Nova older than 22 (Victoria).",
            "Nova brings each up to date when it next reads it: 'openstack "
            "server show' of each, on a Nova that still can, before the next "
            "upgrade.",
        )
