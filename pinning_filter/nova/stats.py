"""What a compute node says of itself beside Nova's own report.

Nova keeps a few strings for every compute node (``ComputeNode.stats``), which
the compute node writes and every scheduler reads. Our driver says there that
it runs our engine, and what that engine knows which Nova does not report. All
who fit read it from there, the compute node itself too, so that a prediction
and the claim start from the same.

A host that says nothing runs plain Nova.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from importlib import metadata
from typing import Any, NamedTuple

from oslo_log import log as logging

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.nova import around

LOG = logging.getLogger(__name__)

_VERSION = "pinning_filter"
_ALIGNS = "pinning_filter_aligns"
_CACHES = "pinning_filter_caches"
_LAST_LEVEL = "last_level_cache"

#: Host cell -> the sets of its pCPUs that share a last-level cache.
Caches = Mapping[int, Sequence[AbstractSet[int]]]

_UNKNOWN: Caches = {}


class NodeStats(NamedTuple):
    """What a compute node's ``stats`` say of its engine."""

    version: str | None = None  #: of this project there; None: plain Nova
    caches: Caches = _UNKNOWN  #: those that it aligns to; empty: it does not

    @property
    def ours(self) -> bool:
        """Whether claims there are decided by our engine."""
        return self.version is not None

    @property
    def aligns(self) -> bool:
        """Whether guests there are aligned to last-level caches."""
        return bool(self.caches)

    def with_caches(self, host: Host) -> Host:
        """The host with what Nova did not report of it."""
        if not self.caches:
            return host
        return host._replace(
            cells=[
                cell._replace(caches=self.caches.get(cell.id, ()))
                for cell in host.cells
            ]
        )


#: A host that says nothing.
NO_STATS = NodeStats()

_current: contextvars.ContextVar[NodeStats | None] = contextvars.ContextVar(
    "pinning_filter_node_stats", default=None
)


@functools.cache
def version() -> str:
    """The version of this project that is installed; else "unknown"."""
    try:
        return metadata.version("pinning-filter")
    except metadata.PackageNotFoundError:
        return "unknown"  # on the path all the same: a bare source tree


def write(version: str, caches: Caches) -> dict[str, str]:
    """The strings for ``stats``.

    >>> write("1.0", {0: [{0, 1}, {2, 3}]})["pinning_filter_caches"]
    '0:0-1 2-3'
    """
    stats = {_VERSION: version, _ALIGNS: _LAST_LEVEL if caches else ""}
    if caches:
        stats[_CACHES] = ";".join(
            f"{cell}:" + " ".join(map(cpuset.format, banks))
            for cell, banks in sorted(caches.items())
        )
    return stats


def fingerprint(stats: Mapping[str, str | None] | None) -> object:
    """What of ``stats`` makes a difference: equal where they say the same."""
    if not stats:
        return stats is None
    return stats.get(_VERSION), stats.get(_CACHES)


def read(stats: Mapping[str, str | None] | None) -> NodeStats:
    """What ``stats`` say; whatever makes no sense is taken for not said."""
    if not isinstance(stats, Mapping) or stats.get(_VERSION) is None:
        return NO_STATS
    version, caches = str(stats[_VERSION]), stats.get(_CACHES)
    if not caches:
        return NodeStats(version)
    return _parse_caches(version, str(caches))


@functools.lru_cache(maxsize=256)
def _parse_caches(version: str, text: str) -> NodeStats:
    """Hosts of one model say the same, so few texts are ever read."""
    caches = {}
    try:
        for part in text.split(";"):
            cell, _, banks = part.partition(":")
            caches[int(cell)] = tuple(map(cpuset.parse, banks.split()))
    except ValueError as error:
        LOG.warning("The caches that a compute node reports: %s", error)
        return NodeStats(version)
    return NodeStats(version, caches)


@contextlib.contextmanager
def fitting_to(stats: Mapping[str, str | None] | None) -> Iterator[None]:
    """Within, :func:`current` is what these ``stats`` say.

    For the fit that Nova calls itself, with a topology and nothing more. No
    stats at all say nothing: not even that the host runs plain Nova.
    """
    token = _current.set(None if stats is None else read(stats))
    try:
        yield
    finally:
        _current.reset(token)


def wrap_with_stats(
    cls: type, name: str, stats_of: Callable[..., Mapping[str, str] | None]
) -> None:
    """Let a method of Nova's run within :func:`fitting_to`; once is enough.

    :param stats_of: takes what the method takes, and returns the ``stats``.
    """

    def with_stats(*args: Any, **kwargs: Any) -> Any:
        return fitting_to(stats_of(*args, **kwargs))

    around.run_within(cls, name, with_stats)


def current() -> NodeStats | None:
    """What the host says that is being fitted to; None: it was not asked."""
    return _current.get()
