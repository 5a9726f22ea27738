"""Why no host is left, where Nova gives no reason or none that helps.

Around Nova's ``SchedulerManager.select_destinations``, in a process with
PinningFilter. Costs a request that succeeds nothing but a few lists of
numbers. When one fails,

* because the Placement API had no candidate, and so no filter was asked: the
  API is asked a few bounded questions about the hosts that there are;
* because filters removed the last hosts: what they have left behind says
  which of them removed how many, and PinningFilter why.

By then Nova has taken back what it had claimed, so the reason can be told for
any number of servers. Whatever goes wrong here leaves Nova's own message.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import threading
import time
from collections.abc import Callable
from typing import Any

import oslo_messaging
from nova import conf, exception, objects
from nova.scheduler import filters, manager
from oslo_log import log as logging

from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.core.request import Request
from pinning_filter.fleet import offers, summary
from pinning_filter.nova import guest_topology, placement_request
from pinning_filter.scheduler import counters, placement_offers

LOG = logging.getLogger(__name__)

#: Seconds that the Placement API is given, after which Nova's words stand.
TIMEOUT = 2.0
#: What Nova keeps of a fault's message, less what it puts in front of ours.
LONGEST = 255 - len("No valid host was found. ")
#: Where a request remembers what its filters did.
_KEPT = "_pinning_filter_filtered"
#: What Nova says where it does not say why.
_WITHOUT_REASON = ("", "There are not enough hosts available.")


@dataclasses.dataclass(slots=True)
class Filtered:
    """What the filters did to the hosts of one request."""

    #: (name of a filter, how many hosts it was given), in their order, the
    #: last time that they were asked.
    given: list[tuple[str, int]] = dataclasses.field(default_factory=list)
    #: How many hosts passed all of them, and were taken by others since.
    left: int = 0
    #: Host and node -> why PinningFilter refused it. Of several servers each
    #: is offered what those before have left, so these add up.
    refusals: dict[tuple[str, str], Refusal] = dataclasses.field(
        default_factory=dict
    )
    #: Why the Placement API offered no host, where it was asked.
    unoffered: list[Refusal] = dataclasses.field(default_factory=list)

    def removed(self) -> collections.Counter[str]:
        """How many hosts each filter removed."""
        removed: collections.Counter[str] = collections.Counter()
        left = self.left
        for name, number in reversed(self.given):
            removed[name] += number - left
            left = number
        return +removed


def filtered(spec_obj: objects.RequestSpec) -> Filtered:
    """What is kept of a request, to read and to add to."""
    kept: Filtered = vars(spec_obj).setdefault(_KEPT, Filtered())
    return kept


def sentence(
    request: Request | None, found: Filtered, longest: int | None = LONGEST
) -> str:
    """Why the filters have left no host, for whoever asked."""
    others = [
        Refusal((Fact(Code.OTHER_FILTER, detail=name),))
        for name, number in found.removed().items()
        for _ in range(number)
        if name != "PinningFilter"
    ]
    refusals = [*found.refusals.values(), *others]
    return summary.sentence(request, refusals, longest)


def code(found: Filtered) -> Code:
    """What was missing, in a word: what the sentence begins with."""
    refusals = found.unoffered or [*found.refusals.values()]
    if refusals:
        return summary.reasons(refusals)[0].fact.code
    return Code.OTHER_FILTER if found.removed() else Code.CANDIDATES


def install() -> None:
    """Give Nova's exception a reason, in this process. Again is harmless."""
    if _novas:
        return
    _novas["select"] = manager.SchedulerManager.select_destinations
    _novas["filter"] = filters.HostFilterHandler.get_filtered_objects
    manager.SchedulerManager.select_destinations = _selecting(_novas["select"])
    filters.HostFilterHandler.get_filtered_objects = _filtering(
        _novas["filter"]
    )


def uninstall() -> None:
    """Put Nova's own methods back."""
    if not _novas:
        return
    manager.SchedulerManager.select_destinations = _novas.pop("select")
    filters.HostFilterHandler.get_filtered_objects = _novas.pop("filter")


#: Nova's own, while ours are in their places.
_novas: dict[str, Callable[..., Any]] = {}


def _filtering(original: Callable[..., Any]) -> Callable[..., Any]:
    """Have filters note how many hosts they are given."""

    @functools.wraps(original)
    def get_filtered_objects(
        self: Any, host_filters: Any, objs: Any, spec_obj: Any, index: int = 0
    ) -> Any:
        if not getattr(spec_obj, "numa_topology", None):
            return original(self, host_filters, objs, spec_obj, index)
        kept = filtered(spec_obj)
        kept.given.clear()
        for each in host_filters:
            _count(each)
        passed = original(self, host_filters, objs, spec_obj, index)
        kept.left = len(passed or ())
        return passed

    return get_filtered_objects


def _count(host_filter: Any) -> None:
    if "filter_all" in vars(host_filter):
        return
    original = host_filter.filter_all
    name = type(host_filter).__name__

    def filter_all(filter_obj_list: Any, spec_obj: Any) -> Any:
        kept = vars(spec_obj).get(_KEPT)
        if kept is not None and isinstance(filter_obj_list, list):
            kept.given.append((name, len(filter_obj_list)))
        return original(filter_obj_list, spec_obj)

    host_filter.filter_all = filter_all


def _selecting(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def select_destinations(
        self: Any, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        spec = kwargs.get("spec_obj", args[2] if len(args) > 2 else None)
        if isinstance(spec, objects.RequestSpec):
            vars(spec).pop(_KEPT, None)
        try:
            hosts = original(self, context, *args, **kwargs)
            _count_request(spec, None)
            return hosts
        except oslo_messaging.ExpectedException as error:
            reason = _reason(self, context, spec, error.exc_info[1])
            _count_request(spec, error.exc_info[1])
            if not reason:
                raise
        return _raise(reason)

    return select_destinations


def _count_request(spec: Any, error: Any) -> None:
    """Count a request that our filter has a say in. Never raises."""
    try:
        folder = conf.CONF.pinning_filter.counters_directory
        if not folder or not getattr(spec, "numa_topology", None):
            return
        if error is None:
            counters.of_process(folder).add(None)
        elif isinstance(error, exception.NoValidHost):
            counters.of_process(folder).add(code(filtered(spec)).value)
    except Exception:
        LOG.debug("A request was not counted", exc_info=True)


@oslo_messaging.expected_exceptions(exception.NoValidHost)
def _raise(reason: str) -> None:
    raise exception.NoValidHost(reason=reason)


def _reason(scheduler: Any, context: Any, spec: Any, refused: Any) -> str:
    """Why there is no host; empty: Nova's own words stand."""
    try:
        without = str(getattr(refused, "kwargs", {}).get("reason"))
        if (
            not isinstance(refused, exception.NoValidHost)
            or without not in _WITHOUT_REASON
            or not isinstance(spec, objects.RequestSpec)
            or not spec.numa_topology
        ):
            return ""
        request = guest_topology.request_from_nova(spec.numa_topology)
        kept = filtered(spec)
        if kept.given and not kept.left:
            text = sentence(request, kept)
        else:
            kept.unoffered = _unoffered(scheduler, spec)
            text = (
                summary.sentence(request, kept.unoffered, LONGEST)
                if kept.unoffered
                else ""
            )
        if not text:
            return ""
        LOG.info(
            "No valid host for request %(request)s: %(text)s",
            {
                "request": getattr(context, "request_id", None) or "-",
                "text": text,
            },
            instance_uuid=spec.instance_uuid,
        )
        return text if conf.CONF.pinning_filter.explain_in_fault else ""
    except Exception:
        LOG.debug("Why there is no valid host was not found", exc_info=True)
        return ""


#: One request asks at a time, the others wait their turn, as long as they
#: would for an answer: a Placement API that hangs is asked nothing more.
_asking = threading.Semaphore()


def _unoffered(scheduler: Any, spec: objects.RequestSpec) -> list[Refusal]:
    """Why the Placement API has no room, by what it knows of hosts."""
    until = time.monotonic() + TIMEOUT
    if not _asking.acquire(timeout=TIMEOUT):
        return []
    found: list[offers.Offer] = []

    def ask() -> None:
        try:
            found.extend(placement_offers.of(scheduler.placement_client, spec))
        except Exception:
            LOG.debug("The Placement API was not to be asked", exc_info=True)
        finally:
            _asking.release()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.0, until - time.monotonic()))
    if thread.is_alive() or not found:
        return []
    # No alternative was offered: what speaks against the first is told.
    first = placement_request.alternatives(spec)[:1]
    nothing = Refusal((Fact(Code.CANDIDATES),))
    refusals = [offers.refusal(each, first) for each in found]
    return [nothing if each is None else each for each in refusals]
