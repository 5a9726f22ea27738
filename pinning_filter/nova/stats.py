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
from typing import Any, NamedTuple, TypeVar

from oslo_log import log as logging

from pinning_filter.core import cpuset
from pinning_filter.core.host import Host
from pinning_filter.core.strategy import SPREAD, Strategy
from pinning_filter.nova import around

LOG = logging.getLogger(__name__)

_VERSION = "pinning_filter"
_ALIGNS = "pinning_filter_aligns"
_CACHES = "pinning_filter_caches"
_DISTANCES = "pinning_filter_distances"
_FINDINGS = "pinning_filter_findings"
_PREFERS = "pinning_filter_prefers"
_LAST_LEVEL = "last_level_cache"

#: Host cell -> the sets of its pCPUs that share a last-level cache.
Caches = Mapping[int, Sequence[AbstractSet[int]]]

#: Host cell -> how far each of them is, from libvirt.
Distances = Mapping[int, Mapping[int, int]]

_UNKNOWN: Caches = {}
_NOWHERE: Distances = {}


class NodeStats(NamedTuple):
    """What a compute node's ``stats`` say of its engine."""

    version: str | None = None  #: of this project there; None: plain Nova
    caches: Caches = _UNKNOWN  #: those that it aligns to; empty: it does not
    #: Those by which it chooses near host cells; empty: it does not.
    distances: Distances = _NOWHERE
    prefers: str = ""  #: as :func:`prefers` puts it; empty: it does not say

    @property
    def ours(self) -> bool:
        """Whether claims there are decided by our engine."""
        return self.version is not None

    @property
    def aligns(self) -> bool:
        """Whether guests there are aligned to last-level caches."""
        return bool(self.caches)

    @property
    def nears(self) -> bool:
        """Whether guests of several cells get host cells that are near."""
        return bool(self.distances)

    def with_layout(self, host: Host) -> Host:
        """The host with what Nova did not report of it."""
        if not (self.caches or self.distances):
            return host
        return host._replace(
            cells=[
                cell._replace(
                    caches=self.caches.get(cell.id, ()),
                    distances=self.distances.get(cell.id, {}),
                )
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


def prefers(strategy: Strategy) -> str:
    """Which host cells and cores a strategy prefers, in a few words.

    >>> prefers(Strategy(pack=True))
    'nova, packing'
    """
    if strategy.tight:
        return "tight"  # which packs in any case
    cores = "spread" if strategy.apart else "nova"
    return f"{cores}, packing" if strategy.pack else cores


def write(
    version: str,
    caches: Caches,
    distances: Distances = _NOWHERE,
    strategy: Strategy = SPREAD,
) -> dict[str, str]:
    """The strings for ``stats``.

    >>> write("1.0", {0: [{0, 1}, {2, 3}]})["pinning_filter_caches"]
    '0:0-1 2-3'
    >>> far = {0: {0: 10, 1: 21}, 1: {0: 21, 1: 10}}
    >>> write("1.0", {}, far)["pinning_filter_distances"]
    '0:0=10 1=21;1:0=21 1=10'

    :param strategy: what claims there prefer. For people to compare: no
        answer is made from it.
    """
    stats = {
        _VERSION: version,
        _PREFERS: prefers(strategy),
        _ALIGNS: _LAST_LEVEL if caches else "",
    }
    if caches:
        stats[_CACHES] = ";".join(
            f"{cell}:" + " ".join(map(cpuset.format, banks))
            for cell, banks in sorted(caches.items())
        )
    if distances:
        stats[_DISTANCES] = ";".join(
            f"{cell}:" + " ".join(f"{to}={value}" for to, value in far)
            for cell, far in sorted(
                (cell, sorted(row.items())) for cell, row in distances.items()
            )
        )
    return stats


class Findings(NamedTuple):
    """What a compute node found when it looked at itself."""

    number: int
    #: What was found -> the pCPUs of pinned guests that it is about.
    codes: Mapping[str, AbstractSet[int]]


def write_findings(found: Findings) -> dict[str, str]:
    """The string for ``stats``; it is there where nothing was found, too.

    >>> write_findings(Findings(3, {"a": {1, 2}, "b": set()}))
    {'pinning_filter_findings': '3 a=1-2 b='}
    """
    codes = (
        f"{code}={cpuset.format(pcpus)}"
        for code, pcpus in sorted(found.codes.items())
    )
    return {_FINDINGS: " ".join((str(found.number), *codes))}


def read_findings(stats: Mapping[str, str | None] | None) -> Findings | None:
    """What ``stats`` say of that; None: nothing, or what makes no sense."""
    text = stats.get(_FINDINGS) if isinstance(stats, Mapping) else None
    if not text:
        return None
    number, *codes = str(text).split()
    try:
        pairs = (each.partition("=")[::2] for each in codes)
        return Findings(
            int(number), {code: cpuset.parse(pcpus) for code, pcpus in pairs}
        )
    except ValueError as error:
        LOG.warning("What a compute node found of itself: %s", error)
        return None


def fingerprint(stats: Mapping[str, str | None] | None) -> object:
    """What of ``stats`` makes a difference: equal where they say the same."""
    if not stats:
        return stats is None
    return stats.get(_VERSION), stats.get(_CACHES), stats.get(_DISTANCES)


def read(stats: Mapping[str, str | None] | None) -> NodeStats:
    """What ``stats`` say; whatever makes no sense is taken for not said."""
    if not isinstance(stats, Mapping) or stats.get(_VERSION) is None:
        return NO_STATS
    return _parse(
        *(str(stats.get(key) or "") for key in (_VERSION, _CACHES, _DISTANCES))
    )._replace(prefers=str(stats.get(_PREFERS) or ""))


@functools.lru_cache(maxsize=256)
def _parse(version: str, caches: str, distances: str) -> NodeStats:
    """Hosts of one model say the same, so few texts are ever read."""
    return NodeStats(
        version,
        _by_cell("caches", caches, _banks),
        _by_cell("distances", distances, _row),
    )


_What = TypeVar("_What")


def _by_cell(
    what: str, text: str, read_one: Callable[[str], _What]
) -> Mapping[int, _What]:
    """A part for each host cell; nothing if any of them makes no sense."""
    try:
        found = {}
        for part in text.split(";") if text else ():
            cell, _, said = part.partition(":")
            found[int(cell)] = read_one(said)
    except ValueError as error:
        LOG.warning("The %s that a compute node reports: %s", what, error)
        return {}
    return found


def _banks(text: str) -> Sequence[AbstractSet[int]]:
    return tuple(map(cpuset.parse, text.split()))


def _row(text: str) -> Mapping[int, int]:
    pairs = (each.partition("=") for each in text.split())
    return {int(cell): int(value) for cell, _, value in pairs}


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
