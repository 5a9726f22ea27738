"""What servers asked for beside their flavor: server groups, and zones.

From the API database, for whoever plans moves. Nova's own objects are not
made of the requests: there is one for each server, and a zone is all that is
wanted of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from nova import context, objects
from nova.db.api import api as api_db
from nova.db.api import models

from pinning_filter.cloud.live import reading
from pinning_filter.fleet.servers import Group, GroupPolicy

#: Requests read at a time.
_AT_ONCE = 500
_POLICIES = {each.value for each in GroupPolicy}


def groups(admin: context.RequestContext) -> tuple[Group, ...]:
    """The server groups that have members, in the order of their UUIDs."""
    found = objects.InstanceGroupList.get_all(admin)
    return tuple(
        Group(
            each.uuid,
            GroupPolicy(each.policy),
            frozenset(each.members),
            each.rules.get("max_server_per_host", 1),
        )
        for each in sorted(found, key=lambda each: each.uuid)
        if each.members and each.policy in _POLICIES
    )


def zones(
    admin: context.RequestContext, servers: Sequence[str]
) -> dict[str, str]:
    """Server -> the availability zone asked for; empty: any will do.

    Servers without a request that can be read are left out.
    """
    found: dict[str, str] = {}
    for start in range(0, len(servers), _AT_ONCE):
        reading.alive()
        for server, spec in _specs(admin, servers[start : start + _AT_ONCE]):
            zone = _zone(spec)
            if zone is not None:
                found[server] = zone
    return found


@api_db.context_manager.reader  # type: ignore[untyped-decorator]
def _specs(
    admin: context.RequestContext, servers: Sequence[str]
) -> list[tuple[str, str]]:
    columns = models.RequestSpec.instance_uuid, models.RequestSpec.spec
    return [
        tuple(row)
        for row in admin.session.query(*columns).filter(
            models.RequestSpec.instance_uuid.in_(servers)
        )
    ]


def _zone(spec: str) -> str | None:
    try:
        data: Mapping[str, str | None] = json.loads(spec)["nova_object.data"]
    except (ValueError, KeyError, TypeError):
        # One bad row must not cost the others.
        return None
    return data.get("availability_zone") or ""
