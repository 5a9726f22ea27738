"""The Placement API's view of compute nodes, asked with Nova's credentials."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

from nova import conf, context, objects
from nova.scheduler import utils
from nova.scheduler.client import report

from pinning_filter.cloud.live import reading
from pinning_filter.cloud.snapshot import Provider
from pinning_filter.fleet.offers import Inventory
from pinning_filter.nova import placement_request

#: Questions at a time.
_AT_ONCE = 8
_VERSION = "1.26"

#: By the UUID of a compute node, the candidates that claim from it.
Candidates = Mapping[str, Sequence[dict[str, Any]]]


def providers(
    admin: context.RequestContext,
    uuids: Sequence[str],
    *,
    allocations: bool = False,
) -> dict[str, Provider]:
    """Compute nodes as resource providers; a warning if it cannot be asked.

    One question first: if it fails, the others would too.

    :param allocations: whether to ask who holds what, too.
    """
    try:
        client = report.SchedulerReportClient()
        found = dict(_providers(client, uuids[:1], allocations))
        with futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            parts = [uuids[1:][start::_AT_ONCE] for start in range(_AT_ONCE)]
            for part in pool.map(
                lambda part: list(_providers(client, part, allocations)),
                parts,
            ):
                found |= dict(part)
    except Exception as error:
        # Keystone, the network, or Placement itself.
        sys.stderr.write(
            "pinning-filter: the Placement API cannot be asked, and what it "
            f"would refuse is not told: {reading.why(error)}\n"
        )
        return {}
    return found


def _providers(
    client: report.SchedulerReportClient,
    uuids: Sequence[str],
    allocations: bool,
) -> Iterator[tuple[str, Provider]]:
    questions = ["inventories", "usages", "traits"]
    if allocations:
        questions.append("allocations")
    for uuid in uuids:
        answers = []
        for what in questions:
            answer = client.get(
                f"/resource_providers/{uuid}/{what}", version=_VERSION
            )
            if answer.status_code == 404:
                break
            if answer.status_code != 200:
                raise OSError(f"it answers {answer.status_code}")
            answers.append(answer.json()[what])
        else:
            inventories, usages, traits, *held = answers
            yield (
                uuid,
                Provider(
                    {
                        name: Inventory(
                            each["total"],
                            each["reserved"],
                            each["allocation_ratio"],
                            usages.get(name, 0),
                            each["step_size"],
                            each["max_unit"],
                        )
                        for name, each in inventories.items()
                    },
                    frozenset(traits),
                    {
                        consumer: each["resources"]
                        for consumer, each in held[0].items()
                    }
                    if held
                    else None,
                    uuid,
                ),
            )


def candidates(
    admin: context.RequestContext, spec: objects.RequestSpec
) -> Candidates | None:
    """The allocation candidates, as the scheduler asks for them.

    :returns: None if they cannot be had, or are so many that not all are
        given: then a compute node that is missing was not turned away.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for translate in placement_request.translations():
        resources = utils.resources_from_request_spec(
            admin, spec, None, enable_pinning_translate=translate
        )
        answer = report.SchedulerReportClient().get_allocation_candidates(
            admin, resources
        )
        requests = answer and answer[0]
        most = conf.CONF.scheduler.max_placement_results
        if requests is None or len(requests) >= most:
            return None
        for request in requests:
            for uuid in request["allocations"]:
                found.setdefault(uuid, []).append(request)
    return found
