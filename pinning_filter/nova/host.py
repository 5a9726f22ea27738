"""A host's NUMA topology, as Nova keeps it -> ``core.host``, read once.

A scheduler asks thousands of hosts for one request, and most of them have not
changed since the request before. So what is read of a topology is remembered
with it, and so is whatever was worked out from that
(:class:`CachedTopology`). Decides nothing, and knows nothing of guests.

The property behind every field of a versioned object costs more than the
field is worth; so the fields of host cells are read from where the objects
keep them (``_obj_<field>``), all in one call. Nothing else is read that way.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nova import objects
from nova.objects import network_metadata
from oslo_versionedobjects.exception import VersionedObjectsException

from pinning_filter.core.errors import (
    InputError,
    InvalidHost,
    UncountableHost,
)
from pinning_filter.core.host import Host, HostCell, Pages, threads_of

#: Where a topology remembers what is known of it.
_CACHED = "_pinning_filter_cached"

#: A cloud has few flavors that one host is asked about again and again.
_MOST_ANSWERS = 32

_FIELDS = (
    "id",
    "pcpuset",
    "pinned_cpus",
    "siblings",
    "cpuset",
    "memory",
    "memory_usage",
    "mempages",
)
#: What Nova counts guests by, too, and the fit can do without.
_COUNTED = ("cpu_usage", "socket")
#: What to say where a field is missing, since older records have none.
_TOO_OLD = {
    "pcpuset": (
        ": this was written before Nova 20 (Train); nova-compute writes it "
        "anew when a newer one starts there"
    ),
}
_MISSING = object()
_NO_NETWORKS = ()
_NETWORKS = (network_metadata.NetworkMetadata, tuple)
_NONE: frozenset[str] = frozenset()
_NOWHERE: Mapping[int, int] = {}
_PAGE_FIELDS = ("size_kb", "total", "used", "reserved")


def _reader(fields: Iterable[str]) -> Callable[[Any], Any]:
    return operator.attrgetter(*(f"_obj_{name}" for name in fields))


#: What a cell says: fields, ``cpu_usage``, ``socket``, networks, pages in use
#: by size, how many pCPUs are pinned.
_Contents = tuple[tuple[Any, ...], Any, Any, Any, list[float], int]

#: Past the constructors, which take longer than all the rest.
_new = tuple.__new__
_read_cell = _reader(_FIELDS)
_read_pages = _reader(_PAGE_FIELDS)
_read_cells = operator.attrgetter("_obj_cells")
_read_used = operator.attrgetter("_obj_used")


class CachedTopology:
    """What was read of a host's topology, and what follows from it.

    It holds for as long as the topology says the same. Nova changes a host's
    usage by putting new objects in the place of the old; usage that others
    change in place, as tests may, is looked at nevertheless.
    """

    __slots__ = ("_near", "answers", "cells", "contents", "countable")

    def __init__(self, contents: Sequence[_Contents]) -> None:
        self.contents = contents  #: what the topology said when it was read
        #: The host cells, without the networks that they are near to.
        self.cells = [_host_cell(*each) for each in contents]
        self._near: list[HostCell] | None = None
        #: Whether Nova's own accounting (``numa_usage_from_instance_numa``),
        #: which follows every choice of a host, finds all that it needs.
        self.countable = all(
            pages
            and cpu_usage is not _MISSING
            and socket is not _MISSING
            and isinstance(networks, _NETWORKS)
            for _, cpu_usage, socket, networks, pages, _ in contents
        )
        #: What was asked about the host -> the answer, for who asks again.
        self.answers: dict[object, Any] = {}
        if len({cell[0] for cell in self.cells}) < len(contents):
            raise InvalidHost("host", ["several NUMA cells have the same id"])

    def host(
        self,
        cpu_ratio: float | None,
        ram_ratio: float | None,
        networks: bool,
    ) -> Host:
        """The host: always of the same host cells, not of equal ones.

        :param networks: whether to read what networks the cells are near to.
        :raises InvalidHost: if these are to be read, and cannot be.
        """
        if not networks:
            return Host(self.cells, cpu_ratio, ram_ratio)
        if self._near is None:
            self._near = list(map(_with_networks, self.cells, self.contents))
        return Host(self._near, cpu_ratio, ram_ratio)

    def remember(self, asked: object, answer: Any) -> None:
        """Keep an answer; not for ever, if many things are asked."""
        if len(self.answers) >= _MOST_ANSWERS:
            self.answers.clear()
        self.answers[asked] = answer


def cached(
    topology: objects.NUMATopology, *, countable: bool = False
) -> CachedTopology:
    """What was read of a topology; read anew if it has changed.

    :param countable: whether to insist on what the fit does not need, but
        Nova's own accounting: a socket, memory pages and the usage of shared
        pCPUs in every cell.
    :raises InvalidHost: naming every field that is missing or makes no sense.
    """
    try:
        contents = list(map(_contents, _read_cells(topology)))
        kept = vars(topology).get(_CACHED)
        if kept is None or kept.contents != contents:
            kept = vars(topology)[_CACHED] = CachedTopology(contents)
    except (AttributeError, NotImplementedError, TypeError) as error:
        problems = _complaints(topology) or [str(error)]
        raise UncountableHost("host", problems) from error
    if countable and not kept.countable:
        raise UncountableHost("host", _complaints(topology, countable=True))
    return kept


def host_from_nova(
    topology: objects.NUMATopology,
    cpu_ratio: float | None = None,
    ram_ratio: float | None = None,
    *,
    networks: bool = True,
) -> Host:
    """Read a host's NUMA topology.

    :param cpu_ratio: the host's ``cpu_allocation_ratio``; None: no limit.
    :param ram_ratio: the host's ``ram_allocation_ratio``; None: no limit.
    :param networks: whether to read what networks the cells are near to.
    :raises InvalidHost: naming every field that is missing or makes no sense.
    """
    return cached(topology).host(cpu_ratio, ram_ratio, networks)


def host_from_json(text: bytes) -> Host:
    """A host from the ``numa_topology`` of Nova's ``compute_nodes`` table.

    :raises InputError: if it is not one that this Nova reads.
    :raises UncountableHost: if the scheduler could not count with it.
    """
    objects.register_all()
    try:
        topology = objects.NUMATopology.obj_from_db_obj(text.decode())
    except (VersionedObjectsException, ValueError) as error:
        raise InputError(
            f"a numa_topology that the installed Nova does not read: {error}"
        ) from error
    except Exception as error:
        # Python's words for whatever Nova stumbles over say nothing.
        raise InputError(
            "a numa_topology that the installed Nova does not read: a field "
            "is missing, or of another kind than Nova writes"
        ) from error
    return cached(topology, countable=True).host(None, None, True)


def _contents(cell: objects.NUMACell) -> _Contents:
    """What a cell says; equal only where it says the same.

    Most often the very same objects are compared, which takes no time; sets
    and pages that were changed in place are told by their number and use.
    """
    fields = _read_cell(cell)
    shared_used = getattr(cell, "_obj_cpu_usage", _MISSING)
    socket = getattr(cell, "_obj_socket", _MISSING)
    used = list(map(_read_used, fields[7]))
    networks = getattr(cell, "_obj_network_metadata", _NO_NETWORKS)
    return fields, shared_used, socket, networks, used, len(fields[2])


def _host_cell(
    fields: tuple[Any, ...], shared_used: Any, socket: Any, *_: Any
) -> HostCell:
    number, dedicated, pinned, siblings, shared, memory, used, mempages = (
        fields
    )
    if shared_used is _MISSING:
        shared_used = 0
    if siblings is None or not isinstance(shared, set):
        raise TypeError("siblings or cpuset are not sets")
    # One look at all numbers: negative if one is, an error if one is none.
    if number | shared_used | memory | used < 0:
        raise TypeError("a number is below 0")
    return _new(
        HostCell,
        (
            number,
            dedicated,
            pinned,
            siblings,
            shared,
            shared_used,
            memory << 10,
            used << 10,
            _pages(mempages),
            None if socket is _MISSING else socket,
            _NONE,
            False,
            (),
            _NOWHERE,
            dedicated - pinned,
            threads_of(siblings),
        ),
    )


def _pages(mempages: list[objects.NUMAPagesTopology]) -> list[Pages]:
    try:
        found = [_new(Pages, _read_pages(each)) for each in mempages]
    except AttributeError:
        # Before Liberty pages had no "reserved".
        found = [
            Pages(pages.size_kb, pages.total, pages.used) for pages in mempages
        ]
    for size_kib, total, used, reserved in found:
        if size_kib | total | reserved < 0 or used < 0:
            raise TypeError("a number of memory pages is below 0")
    return found


def _with_networks(read: HostCell, contents: _Contents) -> HostCell:
    _, _, _, near, *_ = contents
    if near is _NO_NETWORKS:
        return read
    try:
        return read._replace(physnets=near.physnets, tunneled=near.tunneled)
    except (AttributeError, NotImplementedError) as error:
        problem = f"NUMA cell {read.id}: its network_metadata cannot be read"
        raise InvalidHost("host", [problem]) from error


def _complaints(topology: Any, countable: bool = False) -> list[str]:
    """What is wrong with a topology that could not be read."""
    cells = getattr(topology, "_obj_cells", None)
    if not isinstance(cells, list | tuple):
        return [f"a {type(topology).__name__} is not a NUMA topology"]
    problems = []
    for index, cell in enumerate(cells):
        kept = getattr(cell, "__dict__", {})
        where = f"NUMA cell {kept.get('_obj_id', index)}: its"
        problems += [
            f"{where} {name} is "
            + ("None" if f"_obj_{name}" in kept else "missing")
            + _TOO_OLD.get(name, "")
            for name in _FIELDS
            if kept.get(f"_obj_{name}") is None
        ]
        if countable:
            problems += [
                f"{where} {name} is missing"
                for name in _COUNTED
                if f"_obj_{name}" not in kept
            ]
            if not kept.get("_obj_mempages"):
                problems.append(f"{where} memory pages are missing")
            networks = kept.get("_obj_network_metadata", _NO_NETWORKS)
            if not isinstance(networks, _NETWORKS):
                problems.append(f"{where} network_metadata is {networks}")
    return problems
