"""``pinning-filter audit`` on a compute node, and what both kinds share.

Beside ``audit``, which compares books.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

from pinning_filter.audit import node, observed_file
from pinning_filter.audit.findings import Finding, Severity, confirmed
from pinning_filter.audit.observation import Observation
from pinning_filter.cli import progress
from pinning_filter.cli.inputs import cloud as cloud_inputs
from pinning_filter.cli.inputs import node as node_inputs
from pinning_filter.cli.output import save, to_stdout, warn

_Seen = TypeVar("_Seen")


class Here(NamedTuple):
    """What was found on this compute node."""

    findings: list[Finding]
    where: str  #: as a heading has it
    unseen: bool  #: whether a part of it was not to be seen


def is_here(args: argparse.Namespace) -> bool:
    """Whether there is a compute node to be looked at, and no cloud.

    :raises InputError: if there is neither.
    """
    if args.host:
        return False
    from pinning_filter.cloud.live.session import NoDatabase

    try:
        cloud_inputs.session(args)
    except NoDatabase:
        if importlib.util.find_spec("libvirt") is None:
            raise
        return True
    return False


def here(args: argparse.Namespace) -> Here:
    """Look at this compute node, and again if anything is found."""
    machine = node_inputs.Here(args)

    def look() -> tuple[Observation, list[Finding]]:
        seen = machine.look()
        return seen, list(node.findings(seen))

    seen, found = twice(look, args.wait)
    running = len(seen.domains)
    where = f"{seen.host}, {running} domain{'' if running == 1 else 's'}"
    return Here(found, where, report_unseen([seen]))


def observe(args: argparse.Namespace, app: Any) -> bool:
    """Write down what is to be seen here; whether a part of it was not."""
    with progress.spinner("Looking at the node"):
        seen = node_inputs.Here(args).look()
    text = json.dumps(observed_file.write(seen), indent=1) + "\n"
    if args.output and args.output != "-":
        save(args.output, text, "--output")
    else:
        with to_stdout(app) as stdout:
            stdout.write(text)
    return report_unseen([seen])


def twice(
    look: Callable[[], tuple[_Seen, list[Finding]]], wait: float | None
) -> tuple[_Seen, list[Finding]]:
    """Look, and again if anything is found; the worst comes first.

    :param look: what was seen, and what is found in it.
    :param wait: seconds between the two; None: one is enough.
    """
    seen, found = look()
    if found and wait is not None:
        with progress.spinner("Waiting for the second look"):
            time.sleep(wait)
        seen, second = look()
        found = confirmed(found, second)
    # A stable sort: within a severity they stay in the order of hosts.
    found.sort(key=lambda each: each.code.severity is not Severity.CRITICAL)
    return seen, found


def report_unseen(observed: Iterable[Observation]) -> bool:
    """Say what of compute nodes was not seen; whether anything was not."""
    incomplete = False
    for seen in observed:
        domains = seen.domains
        for what, count in (
            ("threads", seen.unseen),
            ("memory", sum(domain.memory is None for domain in domains)),
        ):
            if count:
                incomplete = True
                warn(
                    f"host {seen.host}: the {what} of {count} of "
                    f"{len(domains)} domains cannot be seen; root can, where "
                    "QEMU's processes are"
                )
    return incomplete
