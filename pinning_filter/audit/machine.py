"""A compute node's kernel against its nova.conf."""

from __future__ import annotations

from collections.abc import Iterator

from pinning_filter.audit.findings import Code, Finding, command
from pinning_filter.audit.observation import Observation
from pinning_filter.core import cpuset


def findings(seen: Observation) -> Iterator[Finding]:
    """Every disagreement. Of what the kernel does not say, nothing is said.

    Isolation from the kernel's own work is the operator's choice: what is
    wrong is to have it for a part of the pCPUs that guests are pinned to.
    """
    yield from _offline(seen)
    yield from _cpuset(seen)
    kernel, settings = seen.kernel, seen.settings
    for code, name, chosen in (
        (Code.ISOLCPUS_DIFFERS, "isolcpus", kernel.isolated),
        (Code.NOHZ_FULL_DIFFERS, "nohz_full", kernel.nohz_full),
    ):
        chosen = chosen or frozenset()
        shared = (settings.shared or frozenset()) - settings.dedicated
        wrong = chosen & shared if code is Code.ISOLCPUS_DIFFERS else set()
        if chosen & settings.dedicated and settings.dedicated - chosen:
            wrong = wrong | (settings.dedicated - chosen)
        if wrong:
            right = cpuset.format((chosen | settings.dedicated) - shared)
            yield Finding(
                code, seen.host, f"{name}={right}",
                f"{name}={cpuset.format(chosen)}",
                f"kernel command line: {name}={right}, and reboot",
            )
    irqs, online = kernel.irqs or frozenset(), kernel.online or frozenset()
    disturbed = irqs & settings.dedicated
    # Where all pCPUs get them, nobody chose.
    if disturbed and not online <= irqs:
        right = cpuset.format(irqs - settings.dedicated)
        yield Finding(
            Code.IRQS_ON_DEDICATED, seen.host,
            f"interrupts on no pCPUs of "
            f"{cpuset.format(settings.dedicated)}",
            f"irqaffinity={cpuset.format(irqs)}",
            f"kernel command line: irqaffinity={right}, and reboot",
        )


def _offline(seen: Observation) -> Iterator[Finding]:
    settings = seen.settings
    used = frozenset[int]().union(
        *(domain.live.held(settings.dedicated) for domain in seen.domains)
    )
    needed = (settings.shared or frozenset()) | (
        used if settings.power_managed else settings.dedicated
    )
    there = seen.kernel.present
    off = needed & seen.kernel.offline
    if there is not None:
        off |= needed - there
    if off:
        yield Finding(
            Code.PCPU_OFFLINE, seen.host,
            f"{cpuset.named(off)} online", "offline",
            command("chcpu", "-e", cpuset.format(off)), pcpus=off & used,
        )


def _cpuset(seen: Observation) -> Iterator[Finding]:
    """The cgroup of all guests, which overrules every pin."""
    settings, usable = seen.settings, seen.kernel.guests
    if usable is None:
        return
    wanted = settings.dedicated | (settings.shared or frozenset())
    lacking = wanted - usable - seen.kernel.offline
    if settings.power_managed:
        lacking -= settings.dedicated
    if lacking:
        wanted |= usable
        yield Finding(
            Code.CPUSET_TOO_NARROW, seen.host,
            f"guests may use pCPUs {cpuset.format(wanted)}",
            f"their cgroup has {cpuset.format(usable)}",
            command("systemctl", "set-property", "machine.slice",
                    f"AllowedCPUs={cpuset.format(wanted)}"),
        )
