"""What the Placement API knows of hosts, asked after it offered none.

A few questions, whatever the number of hosts: allocation candidates for one
MiB of memory come with the inventories, usages and traits of their hosts. A
host that has not one left is not among them; where none has, those with a
PCPU or a VCPU are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib import parse

from nova import conf, objects

from pinning_filter.fleet.offers import ALWAYS_THERE, Inventory, Offer
from pinning_filter.nova import placement_request

#: Summaries with all resource classes of nested providers (1.29).
_VERSION = "1.29"


def of(client: Any, spec: objects.RequestSpec) -> Iterator[Offer]:
    """The hosts that take servers at all.

    :param client: Nova's ``SchedulerReportClient``.
    :raises OSError: if it does not answer.
    """
    summaries: dict[str, Mapping[str, Any]] = {}
    for name in ("MEMORY_MB", "PCPU", "VCPU"):
        answer = _get(
            client,
            "/allocation_candidates",
            ("resources", f"{name}:1"),
            ("required", f"!{placement_request.DISABLED}"),
            ("limit", str(conf.CONF.scheduler.max_placement_results)),
        )
        summaries = answer["provider_summaries"]
        if summaries:
            break
    asked = placement_request.members(spec)
    members = None
    if asked:
        answer = _get(client, "/resource_providers", *asked)
        members = {each["uuid"] for each in answer["resource_providers"]}
    for uuid, each in summaries.items():
        # What only shares disks with hosts is none.
        if each["resources"].keys() & set(ALWAYS_THERE):
            yield Offer(
                {
                    name: Inventory(found["capacity"], used=found["used"])
                    for name, found in each["resources"].items()
                },
                frozenset(each["traits"]),
                members is None or uuid in members,
            )


def _get(client: Any, path: str, *asked: tuple[str, str]) -> Any:
    answer = client.get(f"{path}?{parse.urlencode(asked)}", version=_VERSION)
    if answer.status_code != 200:
        raise OSError(f"the Placement API answers {answer.status_code}")
    return answer.json()
