"""NUMA topologies of hosts, kept from one request to the next.

A scheduler makes new host states for every request and parses the topology of
each out of its compute node's record, which is about half of what a request
costs; and with the object goes all that was found out of it. Here a host's
record that has the same text as the last time gives the same object again.

Exact: what is compared is the whole text. Safe: nobody changes the object.
Nova puts a new one in its place when it counts a guest on a host
(``HostState.consume_from_request``), and so the next request, and any that
runs at the same time, start from what the record says.

Does not know what is kept with a topology: see ``nova.host``.
"""

from __future__ import annotations

import collections
import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from nova import objects
from nova.scheduler import host_manager

#: The key of the host that is being updated; None: nobody is.
_updating: contextvars.ContextVar[object | None] = contextvars.ContextVar(
    "pinning_filter_updating", default=None
)


class Counts(NamedTuple):
    """How often a topology was asked for."""

    parsed: int  #: its text was new, or too many others came in between
    kept: int  #: the object was there


class TopologyCache:
    """The topology last parsed for each host.

    :param size: of so many hosts, those asked for last. Hosts that are gone
        make room in time.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[
            object, tuple[str, objects.NUMATopology]
        ] = collections.OrderedDict()
        self._parsed = self._found = 0

    @property
    def counts(self) -> Counts:
        """Of the whole life of this cache."""
        return Counts(self._parsed, self._found)

    def get(
        self,
        host: object,
        text: str,
        parse: Callable[[str], objects.NUMATopology],
    ) -> objects.NUMATopology:
        """The host's topology; parsed if its text is not that of last time.

        Two requests that find a new text at the same time both parse it, and
        one of the objects is kept.
        """
        with self._lock:
            kept = self._kept.get(host)
            if kept is not None and kept[0] == text:
                self._kept.move_to_end(host)
                self._found += 1
                return kept[1]
        topology = parse(text)
        with self._lock:
            self._parsed += 1
            self._kept[host] = text, topology
            self._kept.move_to_end(host)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
        return topology


_cache: TopologyCache | None = None
#: Nova's own, while ours are in their places.
_novas: dict[str, Any] = {}


def installed() -> TopologyCache | None:
    """The cache of this process, if there is one."""
    return _cache


def install(size: int) -> None:
    """Keep topologies in this process; 0: do not. Again is harmless.

    Only what host states parse is kept: whoever else in the process parses a
    topology gets an object of their own.
    """
    global _cache
    if _cache is not None or not size:
        return
    _cache = TopologyCache(size)
    state, topology = host_manager.HostState, objects.NUMATopology
    _novas["update"] = state._update_from_compute_node
    _novas["parse"] = vars(topology)["obj_from_db_obj"]
    parse = topology.obj_from_db_obj

    @functools.wraps(_novas["update"])
    def update(self: Any, compute: Any) -> Any:
        token = _updating.set((self.host, self.nodename))
        try:
            return _novas["update"](self, compute)
        finally:
            _updating.reset(token)

    def obj_from_db_obj(cls: type, db_obj: str) -> objects.NUMATopology:
        host = _updating.get()
        if host is None or _cache is None:
            return parse(db_obj)
        return _cache.get(host, db_obj, parse)

    state._update_from_compute_node = update
    topology.obj_from_db_obj = classmethod(obj_from_db_obj)


def uninstall() -> None:
    """Put Nova's own methods back, and forget everything."""
    global _cache
    if _cache is None:
        return
    _cache = None
    host_manager.HostState._update_from_compute_node = _novas.pop("update")
    objects.NUMATopology.obj_from_db_obj = _novas.pop("parse")
