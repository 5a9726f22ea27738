"""``PinningFilter``: which hosts a pinned guest fits, in place of Nova's
``NUMATopologyFilter``.

Turns what the scheduler hands over (a ``RequestSpec``, ``HostState`` objects)
into a question for :func:`pinning_filter.core.fit.fit`, and the answer into a
verdict on the host and on its allocation candidates. The rules are not here.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from nova import conf, objects
from nova.scheduler import filters
from nova.scheduler import utils as scheduler_utils
from oslo_log import log as logging

from pinning_filter import opts
from pinning_filter.core.assignment import MOST_CELLS
from pinning_filter.core.errors import InvalidHost
from pinning_filter.core.fit import beside, fit
from pinning_filter.core.host import Host
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code, Fact, Refusal
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import pci as nova_pci
from pinning_filter.scheduler import (
    answers,
    candidates,
    no_valid_host,
    reporting,
    stock_claims,
    topology_cache,
)
from pinning_filter.scheduler.question import Question, Terms

LOG = logging.getLogger(__name__)

#: Causes that are remembered as logged; hosts come and go.
_MOST_UNREADABLE = 10000

_NO_SMT = Refusal((Fact(Code.NO_SMT, 2, 1, "threads a core"),))


class PinningFilter(filters.BaseHostFilter, filters.CandidateFilterMixin):
    """Pass the hosts whose NUMA cells and cores can take the guest."""

    # Nova's API refuses a rebuild that would change the NUMA topology.
    RUN_ON_REBUILD = False

    def __init__(self) -> None:
        super().__init__()
        nova_fit.install()
        stock_claims.install()
        no_valid_host.install()
        opts.register(conf.CONF)
        topology_cache.install(conf.CONF.pinning_filter.remembered_hosts)
        reporting.log_filter_enabled()
        #: Hosts that could not be read, with the cause that was logged.
        self._unreadable: dict[str, str] = {}

    def filter_all(
        self, filter_obj_list: Iterable[Any], spec_obj: objects.RequestSpec
    ) -> Iterator[Any]:
        """Yield the hosts that pass; the request is read once for all.

        :raises nova.exception.NoValidHost: after the last host, if all were
            refused, to tell whoever asked for one server why.
        """
        if _is_rebuild(spec_obj):
            yield from filter_obj_list
            return
        question = self._question(spec_obj)
        if question is None:
            return
        refusals = no_valid_host.filtered(spec_obj).refusals
        passed = False
        for host_state in filter_obj_list:
            answer = self._verdict(host_state, question)
            if isinstance(answer, Refusal):
                refusals[_name(host_state)] = answer
            else:
                passed = True
                yield host_state
        if refusals and not passed:
            reporting.report_refusal(spec_obj, question)

    def host_passes(
        self, host_state: Any, spec_obj: objects.RequestSpec
    ) -> bool:
        """Whether one host passes. Never raises."""
        question = self._question(spec_obj)
        return question is not None and not isinstance(
            self._verdict(host_state, question), Refusal
        )

    def _question(self, spec_obj: objects.RequestSpec) -> Question | None:
        try:
            return Question.of(spec_obj)
        except Exception:
            LOG.exception(
                "A request could not be read, and is refused on every host"
            )
            return None

    def _verdict(
        self, host_state: Any, question: Question
    ) -> Placement | Refusal | None:
        """As :meth:`_answer`, and a host that cannot be read is refused."""
        trace = None
        try:
            answer = self._answer(host_state, question)
        except Exception as error:
            with contextlib.suppress(Exception):
                host_state.allocation_candidates = []
            cause = f"{type(error).__name__}: {error}"
            answer = Refusal((Fact(Code.UNREADABLE, detail=cause),))
            trace = None if isinstance(error, InvalidHost) else error
        if isinstance(answer, Refusal) and answer.gist.unreadable:
            self._warn(host_state, answer.gist.unreadable, trace)
        if answer is not None and LOG.isEnabledFor(logging.DEBUG):
            reporting.log_verdict(host_state, question.instance_uuid, answer)
        return answer

    def _answer(
        self, host_state: Any, question: Question
    ) -> Placement | Refusal | None:
        """The placement on a host, or why not; None: nothing was asked."""
        topology = host_state.numa_topology
        if topology is None or question.request is None:
            return _unasked(topology, question)
        mappings = [
            candidate["mappings"]
            for candidate in host_state.allocation_candidates
        ]
        if not mappings:
            return Refusal((Fact(Code.CANDIDATES),))
        terms = question.terms(host_state)
        host, answer = _recall(host_state, question, terms)
        if answer is None:
            answer = _fit_candidates(
                host_state, host, question, terms, mappings
            )
        elif not answer:
            host_state.allocation_candidates = []
        if answer:
            host_state.limits["numa_topology"] = terms.limits
            if question.kept is not None:
                kept = answers.Answer(topology, host, answer)
                question.kept[id(host_state)] = kept
        return answer

    def _warn(
        self, host_state: Any, cause: str, error: Exception | None
    ) -> None:
        name = str(getattr(host_state, "host", "?"))
        if self._unreadable.get(name) == cause:
            return
        if len(self._unreadable) >= _MOST_UNREADABLE:
            self._unreadable.clear()
        self._unreadable[name] = cause
        LOG.warning(
            "Host %(host)s is refused for guests with a NUMA topology: "
            "%(cause)s",
            {"host": name, "cause": cause},
            exc_info=error,
        )


def _name(host_state: Any) -> tuple[str, str]:
    """Tells the hosts of one request apart."""
    return (
        str(getattr(host_state, "host", id(host_state))),
        str(getattr(host_state, "nodename", "")),
    )


def _is_rebuild(spec_obj: objects.RequestSpec) -> bool:
    """As Nova reads it; where it cannot, the request is as any other."""
    try:
        return bool(scheduler_utils.request_is_rebuild(spec_obj))
    except Exception:
        return False


def _unasked(
    topology: objects.NUMATopology | None, question: Question
) -> Refusal | None:
    """What is to say where the engine has nothing to ask or be asked."""
    if question.request is not None:
        return Refusal((Fact(Code.NO_TOPOLOGY),))
    if question.needs_threads and topology and not topology.has_threads:
        return _NO_SMT
    return None


def _recall(
    host_state: Any, question: Question, terms: Terms
) -> tuple[Host, Placement | Refusal | None]:
    """What the host is, and the answer that holds for all its candidates.

    None: it may be another for each of them, since devices make a difference.
    Whoever asked the same before, while the host was the same, left an answer.
    """
    topology, pci_stats = host_state.numa_topology, host_state.pci_stats
    asked = terms.asked
    if asked is not None and pci_stats and pci_stats.pools:
        # Cells with devices are spared for guests that ask for some.
        asked = (asked, *nova_pci.free(pci_stats.pools).items())
    known = nova_host.cached(topology, countable=True)
    if recalled := known.answers.get(asked):
        return recalled
    host = known.host(
        host_state.cpu_allocation_ratio,
        host_state.ram_allocation_ratio,
        terms.request.networks,
    )
    if question.needs_threads and not host.has_threads:
        return host, _NO_SMT
    if question.pci_requests and pci_stats:
        return host, None
    answer = _fit(host_state, host, question, terms, None)
    if asked is not None:
        known.remember(asked, (host, answer))
    return host, answer


def _fit_candidates(
    host_state: Any,
    host: Host,
    question: Question,
    terms: Terms,
    mappings: list[nova_pci.ProviderMapping],
) -> Placement | Refusal:
    """Fit the allocation candidates, and leave those that do."""
    # Plain Nova's claim for several guest cells is another for each.
    several = len(terms.request.cells) > 1
    whole = (terms.stock and several) or len(host.cells) > MOST_CELLS
    answer, verdicts = candidates.fitting(
        mappings,
        host_state.pci_stats,
        question.pci_requests,
        functools.partial(_fit, host_state, host, question, terms),
        None if whole else functools.partial(beside, host, terms.request),
    )
    host_state.allocation_candidates = list(
        itertools.compress(host_state.allocation_candidates, verdicts)
    )
    return answer


def _fit(
    host_state: Any,
    host: Host,
    question: Question,
    terms: Terms,
    mapping: nova_pci.ProviderMapping | None,
) -> Placement | Refusal:
    """The answer to which the claim on the compute node will come, too."""
    pci_requests = question.pci_requests
    pci_stats = nova_fit.claimed_stats(host_state.pci_stats, pci_requests)
    devices = nova_fit.devices(
        pci_stats, pci_requests, mapping, reorder=not terms.stock
    )
    request = terms.request
    if terms.node_stats.caches:
        host = terms.node_stats.with_layout(host)
    if not terms.stock or (devices is None and len(request.cells) == 1):
        return fit(host, request, devices, terms.strategy)

    def nova_s(asked: Any) -> objects.InstanceNUMATopology | None:
        with reporting.without_nova_info():
            return nova_fit.stock_fit(
                host_state.numa_topology,
                asked,
                mapping,
                terms.limits,
                pci_requests,
                pci_stats and nova_pci.light(pci_stats),
            )

    return stock_claims.fit_stock(
        host, request, devices, terms.strategy, question.topology, nova_s
    )
