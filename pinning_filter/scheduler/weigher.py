"""``PinningWeigher``: of the hosts that a pinned guest fits, which is best.

Turns what the scheduler hands over into what
:func:`pinning_filter.fleet.score.scores` asks for, and its numbers into Nova's
weights. After ``PinningFilter`` it starts from the placements found there;
after any other filter it asks the engine itself. The rules are not here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nova import conf, objects
from nova.scheduler import utils, weights
from oslo_log import log as logging

from pinning_filter import opts
from pinning_filter.core.fit import fit
from pinning_filter.core.host import HostCell
from pinning_filter.core.placement import Placement
from pinning_filter.fleet import failover, score
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import pci as nova_pci
from pinning_filter.scheduler import answers, reporting
from pinning_filter.scheduler.question import Question

LOG = logging.getLogger(__name__)

CONF = conf.CONF
opts.register(CONF)

_NO_DEVICES: Mapping[int, int] = {}

#: Where a host state remembers what was seen of it.
_SEEN = "_pinning_filter_seen"
#: A cloud has few flavors that one host is weighed for again and again.
_MOST_CHOICES = 32


class _Seen(NamedTuple):
    """What was seen of a host when it was weighed."""

    cells: Sequence[HostCell]  #: the very same as long as it says the same
    view: score.View
    choices: dict[int, _Weighed]  #: by the identity of the placement


class _Weighed(NamedTuple):
    """What a placement does to a host."""

    placement: Placement
    devices: Mapping[int, int]  #: those that were free then
    choice: score.Choice
    need: failover.Need | None  #: None: nobody asked for it


class PinningWeigher(weights.BaseHostWeigher):
    """Prefer hosts that stay usable for later pinned guests.

    Guests without dedicated vCPUs are not weighed: 0 for every host.
    """

    def __init__(self) -> None:
        super().__init__()
        answers.enable()
        reporting.log_weigher_enabled()

    def weight_multiplier(self, host_state: Any) -> float:
        """The option, or what an aggregate of the host says instead."""
        return utils.get_weight_multiplier(
            host_state,
            "pinning_weight_multiplier",
            CONF.pinning_filter.pinning_weight_multiplier,
        )

    def weigh_objects(
        self,
        weighed_obj_list: Sequence[Any],
        weight_properties: objects.RequestSpec,
    ) -> list[float]:
        """A weight for each host, the highest is the best. Never raises."""
        states = [weighed.obj for weighed in weighed_obj_list]
        try:
            if _dedicated(weight_properties) and any(
                map(self.weight_multiplier, states)
            ):
                return _weights(states, Question.of(weight_properties))
        except Exception:
            LOG.exception("A request could not be weighed")
        return [0.0] * len(states)

    def _weigh_object(
        self, obj: Any, weight_properties: objects.RequestSpec
    ) -> float:
        """One host by itself, to which there is nothing to compare."""
        return 0.0


def _dedicated(spec_obj: objects.RequestSpec) -> bool:
    """Whether any vCPU is to be pinned."""
    topology = spec_obj.numa_topology if "numa_topology" in spec_obj else None
    return topology is not None and any(
        cell.pcpuset for cell in topology.cells
    )


def _weights(states: Sequence[Any], question: Question) -> list[float]:
    kept = question.kept or {}
    keep_devices = not question.pci_requests
    weighed: dict[int, _Weighed] = {}
    for position, state in enumerate(states):
        try:
            answer = answers.lookup(kept, state) or _asked(state, question)
            if answer is not None:
                devices = _devices(state) if keep_devices else _NO_DEVICES
                weighed[position] = _weighed(state, answer, devices)
        except Exception as error:
            name = getattr(state, "host", "?")
            LOG.debug("Host %s cannot be weighed: %s", name, error)
    numbers = score.scores([each.choice for each in weighed.values()])
    if CONF.pinning_filter.failover_room:
        needs = [each.need for each in weighed.values() if each.need]
        numbers = failover.put_last(needs, numbers)
    found = dict(zip(weighed, numbers, strict=True))
    worst = min(found.values(), default=0.0)
    return [found.get(position, worst) for position in range(len(states))]


def _weighed(
    state: Any, answer: answers.Answer, devices: Mapping[int, int]
) -> _Weighed:
    """What the answer does to the host, kept for who gets the same answer.

    While a host's usage is the same it has the same cells, and who asks again
    what was asked before gets the very same placement.
    """
    host, placement = answer.host, answer.placement
    seen = vars(state).get(_SEEN)
    if seen is None or seen.cells is not host.cells:
        seen = vars(state)[_SEEN] = _Seen(host.cells, score.view(host), {})
    keeps_room = CONF.pinning_filter.failover_room
    known: _Weighed | None = seen.choices.get(id(placement))
    if (
        known
        and known.placement is placement
        and known.devices == devices
        and (known.need is not None or not keeps_room)
    ):
        return known
    choice = score.choice(host, placement, devices, seen.view)
    need = failover.need(host, placement) if keeps_room else None
    if len(seen.choices) >= _MOST_CHOICES:
        seen.choices.clear()
    weighed = _Weighed(placement, devices, choice, need)
    seen.choices[id(placement)] = weighed
    return weighed


def _asked(state: Any, question: Question) -> answers.Answer | None:
    """The engine's answer where no filter of ours has asked for it."""
    terms = question.terms(state)
    host = nova_host.host_from_nova(
        state.numa_topology,
        state.cpu_allocation_ratio,
        state.ram_allocation_ratio,
        networks=terms.request.networks,
    )
    candidates = getattr(state, "allocation_candidates", None)
    mapping = candidates[0]["mappings"] if candidates else None
    placement = fit(
        terms.node_stats.with_layout(host),
        terms.request,
        nova_fit.devices(
            nova_fit.claimed_stats(state.pci_stats, question.pci_requests),
            question.pci_requests,
            mapping,
        ),
        terms.strategy,
    )
    if not isinstance(placement, Placement):
        return None
    return answers.Answer(state.numa_topology, host, placement)


def _devices(state: Any) -> Mapping[int, int]:
    """Free PCI devices by the host cell that they are near to."""
    pools = state.pci_stats.pools if state.pci_stats else ()
    if not pools:
        return _NO_DEVICES
    return {
        node: count
        for node, count in nova_pci.free(pools).items()
        if node is not None and count > 0
    }
