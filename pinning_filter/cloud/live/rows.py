"""The rows of servers of one cell (v2), as much of them as is read here.

Nova's ``Instance`` has some eighty fields, which take longer to fill than all
else that is read of a cloud. So the rows are of Nova's tables, and what is
kept in them as text is read by Nova's objects, each when it is asked for: a
text that makes no sense costs its server, and that alone. What many servers
have in common, flavors and images, is read once.

Runs within a context that points at the cell's database.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from nova import context, objects, utils
from nova.db.main import api as main_db
from nova.db.main import models

#: Servers read at a time.
_AT_ONCE = 1000
#: What a server has of its image: names and values of system metadata.
_Image = frozenset[tuple[str, str]]
_Answer = TypeVar("_Answer")


class Kept(NamedTuple):
    """The columns, of two tables."""

    uuid: str
    host: str | None = None
    node: str | None = None
    display_name: str | None = None
    vm_state: str | None = None
    task_state: str | None = None
    flavor: str | None = None
    numa_topology: str | None = None
    pci_requests: str | None = None
    migration_context: str | None = None


class Shared:
    """What was read of flavors and images, by their texts."""

    def __init__(self) -> None:
        self.flavors: dict[str, objects.Flavor] = {}
        self.images: dict[_Image, objects.ImageMeta] = {}
        self.answers: dict[object, Any] = {}


class Row:
    """A server.

    :raises Exception: where what is asked for is not what Nova writes; of any
        kind.
    """

    def __init__(
        self,
        cell_context: context.RequestContext,
        kept: Kept,
        image: _Image = frozenset(),
        shared: Shared | None = None,
    ) -> None:
        self._context = cell_context
        self._kept = kept
        self._shared = shared or Shared()
        self._image = image
        self.uuid = kept.uuid
        self.host = kept.host
        self.node = kept.node
        self.name = kept.display_name or ""
        self.vm_state = kept.vm_state
        self.task_state = kept.task_state

    def of_kind(
        self, answer: Callable[[objects.Flavor, objects.ImageMeta], _Answer]
    ) -> _Answer:
        """What its flavor and image say, asked once for all that have them."""
        known = self._shared.answers
        key = (answer, self._kept.flavor, self._image)
        if key not in known:
            known[key] = answer(self.flavor, self.image_meta)
        found: _Answer = known[key]
        return found

    @property
    def flavor(self) -> objects.Flavor:
        """The flavor that it has now."""
        known, text = self._shared.flavors, self._kept.flavor or "null"
        if text not in known:
            known[text] = objects.Flavor.obj_from_primitive(
                json.loads(text)["cur"]
            )
        return known[text]

    @property
    def image_meta(self) -> objects.ImageMeta:
        """What it has of its image."""
        known = self._shared.images
        if self._image not in known:
            known[self._image] = objects.ImageMeta.from_dict(
                utils.get_image_from_system_metadata(dict(self._image))
            )
        return known[self._image]

    @property
    def numa_topology(self) -> objects.InstanceNUMATopology | None:
        """What it runs with."""
        text = self._kept.numa_topology
        return text and objects.InstanceNUMATopology.obj_from_db_obj(
            self._context, self.uuid, text
        )

    @property
    def pci_requests(self) -> list[objects.InstancePCIRequest]:
        """The PCI devices that it asks for."""
        text = self._kept.pci_requests
        if not text:
            return []
        found = objects.InstancePCIRequests.obj_from_db(
            self._context, self.uuid, text
        )
        return list(found.requests)

    @property
    def migration_context(self) -> objects.MigrationContext | None:
        """What a move of it holds."""
        text = self._kept.migration_context
        return text and objects.MigrationContext.obj_from_db_obj(text)


def every(cell_context: context.RequestContext) -> Iterator[Row]:
    """Every server, a few at a time; without a host those that are built,
    that failed, or that are shelved."""
    shared = Shared()
    last = ""
    while True:
        found = _some(cell_context, shared, after=last)
        yield from found
        if len(found) < _AT_ONCE:
            return
        last = found[-1].uuid


def of(
    cell_context: context.RequestContext, uuids: Collection[str]
) -> Iterator[Row]:
    """Those of these servers that are there."""
    shared = Shared()
    left = iter(sorted(uuids))
    while some := list(itertools.islice(left, _AT_ONCE)):
        yield from _some(cell_context, shared, uuids=some)


@main_db.pick_context_manager_reader
def _some(
    cell_context: context.RequestContext,
    shared: Shared,
    *,
    after: str = "",
    uuids: list[str] | None = None,
) -> list[Row]:
    server, extra = models.Instance, models.InstanceExtra
    columns = Kept(
        server.uuid,
        server.host,
        server.node,
        server.display_name,
        server.vm_state,
        server.task_state,
        extra.flavor,
        extra.numa_topology,
        extra.pci_requests,
        extra.migration_context,
    )
    query = (
        cell_context.session.query(*columns)
        .select_from(server)
        .outerjoin(extra, extra.instance_uuid == server.uuid)
        .filter(server.deleted == 0)
    )
    query = (
        query.filter(server.uuid > after)
        if uuids is None
        else query.filter(server.uuid.in_(uuids))
    )
    found = [
        Kept(*row) for row in query.order_by(server.uuid).limit(_AT_ONCE)
    ]
    images = _images(cell_context, [kept.uuid for kept in found])
    return [
        Row(cell_context, kept, images.get(kept.uuid, frozenset()), shared)
        for kept in found
    ]


def _images(
    cell_context: context.RequestContext, uuids: list[str]
) -> Mapping[str, _Image]:
    """Of servers that have any, what is kept of their images."""
    metadata = models.InstanceSystemMetadata
    query = (
        cell_context.session.query(
            metadata.instance_uuid, metadata.key, metadata.value
        )
        .filter(metadata.instance_uuid.in_(uuids))
        .filter(metadata.deleted == 0)
        .filter(
            metadata.key.startswith(
                utils.SM_IMAGE_PROP_PREFIX, autoescape=True
            )
        )
        .order_by(metadata.instance_uuid)
    )
    return {
        uuid: frozenset((key, value) for _, key, value in some)
        for uuid, some in itertools.groupby(query, lambda row: row[0])
    }
