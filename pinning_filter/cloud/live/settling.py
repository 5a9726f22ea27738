"""Compute nodes of one cell (v2) where servers have just changed.

After a move Nova may count anew what is used there only with the next report
of nova-compute. Runs within a context that points at the cell's database.
"""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy
from nova import context
from nova.db.main import api as main_db
from nova.db.main import models

#: By then nova-compute has reported, which it does every minute unless
#: ``update_resources_interval`` says otherwise.
SECONDS = 120

Where = tuple[str | None, str | None]


@main_db.pick_context_manager_reader
def nodes(cell_context: context.RequestContext) -> set[Where]:
    """Host and node of each where a server came, changed or went just now.

    Nova has no object that asks so little of deleted servers.
    """
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    since = now - datetime.timedelta(seconds=SECONDS)

    def where(table: Any, *columns: Any) -> Any:
        times = (table.created_at, table.updated_at, table.deleted_at)
        return cell_context.session.query(*columns).filter(
            sqlalchemy.or_(*(time >= since for time in times))
        )

    server, move = models.Instance, models.Migration
    found = {tuple(row) for row in where(server, server.host, server.node)}
    for row in where(
        move, move.source_compute, move.source_node,
        move.dest_compute, move.dest_node,
    ):
        found |= {tuple(row[:2]), tuple(row[2:])}
    return found
