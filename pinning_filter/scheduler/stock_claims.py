"""Hosts that run our engine beside hosts that run plain Nova.

Between the filter, which asks about a host, and ``fit``, which decides: what
a host says of itself (``pinning_filter.nova.stats``) changes how it is asked.

* A host of ours is fitted as its claim will fit: aligned to its caches.
* On a host with plain Nova the claim is Nova's. For a guest of one cell that
  is the same. For a guest of several Nova's answer may be wrong, so it is
  worked out here beforehand, and the host passes only if it is right.

Knows of what Nova's fit gets wrong that it may take years, and that its first
try is right.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from nova import objects
from nova.scheduler import host_manager
from oslo_log import log as logging

from pinning_filter.core import check, siblings
from pinning_filter.core.fit import Strategy, fit, in_order
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import Request, ThreadPolicy
from pinning_filter.nova import guest_topology
from pinning_filter.nova import pci as nova_pci
from pinning_filter.nova import stats as nova_stats

LOG = logging.getLogger(__name__)

#: How many ways to put guest cells on host cells Nova may try until we stop
#: it. Nova finds an answer in the first few, or it goes through all, which
#: are 40320 for 8 of 8 cells. One takes some 20 microseconds, with PCI devices
#: a millisecond.
_MOST_TRIES = 2000
_MOST_TRIES_WITH_DEVICES = 50


_REFUSAL = "is a refusal"

#: Nova's own fit on one host: a guest's topology, as a claim gets it, to the
#: topology claimed.
NovaFit = Callable[[Any], "objects.InstanceNUMATopology | None"]


def fit_stock(
    host: Host,
    request: Request,
    devices: nova_pci.NovaDevices | None,
    strategy: Strategy,
    topology: objects.InstanceNUMATopology,
    nova_s: NovaFit,
) -> Placement | Refusal:
    """What Nova's claim will come to, where that is right.

    For a guest of one cell that is our own answer.

    :param devices: which serve PCI requests in their own order only, as Nova
        does.
    :param topology: what ``request`` was read from.
    :param nova_s: never called for a guest of one cell, nor for one that we
        refuse, nor where Nova's first try is our answer.
    """
    answer = fit(host, request, devices, strategy)
    if (
        isinstance(answer, Refusal)
        or len(request.cells) < 2
        or _first_try(host, answer, devices, strategy)
    ):
        return answer
    claim = functools.partial(_claim, host, request, devices, nova_s)
    claimed = claim(guest_topology.unfitted(topology))
    if isinstance(claimed, Placement):
        # The host may also be an alternate, whose claim follows one that was
        # aborted elsewhere, which Nova's fit does not take well. A refusal
        # does no harm there.
        again = claim(guest_topology.unfitted(topology, aborted=True))
        if isinstance(again, str) and again != _REFUSAL:
            claimed = f"{again} after an aborted one"
    if isinstance(claimed, str):
        return Refusal((Fact(Code.STOCK_CLAIM, detail=claimed),))
    return claimed


def _first_try(
    host: Host,
    answer: Placement,
    devices: nova_pci.NovaDevices | None,
    strategy: Strategy,
) -> bool:
    """Whether Nova comes to the same answer without trying another.

    What it gets wrong with several guest cells it mixes up with what it
    remembers of earlier tries. With isolated emulator threads there is more,
    and of a host cell without cores it raises.
    """
    request = answer.request
    first = in_order(host, request, devices, strategy)
    policy = request.thread_policy if request.pinned else ThreadPolicy.PREFER
    return not request.emulator_isolated and all(
        placed.host_cell is cell
        and placed.guest_cell.vcpus
        and cell.siblings
        and _usual(siblings.take(cell, len(placed.pinning), policy))
        for placed, cell in zip(answer.cells, first, strict=False)
    )


def _usual(taken: siblings.Taken | Fact) -> bool:
    return isinstance(taken, siblings.Taken) and taken.usual


def _claim(
    host: Host,
    request: Request,
    devices: nova_pci.NovaDevices | None,
    nova_s: NovaFit,
    asked: objects.InstanceNUMATopology,
) -> Placement | str:
    """Nova's own answer, or what is wrong with it."""
    wants_devices = devices is not None and devices.requested
    most = _MOST_TRIES_WITH_DEVICES if wants_devices else _MOST_TRIES
    try:
        claimed = nova_s(_Counting(asked, most))
    except _TooManyError:
        return f"is not found in {most} tries"
    except Exception as error:
        LOG.debug("Nova's own fit failed", exc_info=True)
        return f"fails ({type(error).__name__})"
    if claimed is None:
        return _REFUSAL
    placement = guest_topology.placement_from_nova(host, claimed)
    problems = check.problems(host, request, placement)
    if not problems and devices is not None and wants_devices:
        chosen = [placed.host_cell.id for placed in placement.cells]
        if not devices.attempts[0](chosen):
            problems = ["PCI devices are not near enough"]
    if problems:
        return f"is wrong ({'; '.join(problems)})"
    # Nova has written the page size chosen over the one asked for.
    cells = (
        placed._replace(guest_cell=guest_cell)
        for placed, guest_cell in zip(
            placement.cells, request.cells, strict=True
        )
    )
    return Placement(request, tuple(cells))


class _TooManyError(Exception):
    """Nova's fit has tried as often as it may."""


class _Counting:
    """A guest's topology that Nova's fit may go through only so often.

    Nova reads the cells once for each way to place them.
    """

    def __init__(
        self, topology: objects.InstanceNUMATopology, most: int
    ) -> None:
        self._topology = topology
        self._left = most

    @property
    def cells(self) -> Sequence[objects.InstanceNUMACell]:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError
        return self._topology.cells

    def __len__(self) -> int:
        return len(self._topology.cells)

    def __contains__(self, field: object) -> bool:
        return field in self._topology

    def __getattr__(self, name: str) -> Any:
        return getattr(self._topology, name)


def install() -> None:
    """Let the fit know which host it is that a guest is counted on.

    Nova counts a chosen guest on its host by a fit of its own, before it
    looks for a place for the next one. Calling this again is harmless.
    """
    nova_stats.wrap_with_stats(
        host_manager.HostState,
        "_locked_consume_from_request",
        lambda state, *_: getattr(state, "stats", None),
    )
