"""What if the weigher knew the flavors that a cloud has, and how often each?

Beside ``PinningWeigher``, whose shapes are nobody's flavors: the same cost,
the share of the room in the whole cloud that a placement takes, counted in
the true ones by the engine itself. For the packing benchmark only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nova import objects
from nova.scheduler import weights

from pinning_filter.core import usage
from pinning_filter.core.host import Host
from pinning_filter.core.request import Request
from pinning_filter.fleet.capacity import Capacity
from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import answers

MULTIPLIER = 10000.0


class FlavorWeigher(weights.BaseHostWeigher):
    """Prefer hosts where a guest takes the least of what flavors need."""

    #: The flavors, and how often a guest of each comes; devices left out.
    flavors: Sequence[tuple[Request, float]] = ()

    def __init__(self) -> None:
        super().__init__()
        answers.enable()
        self._capacity = Capacity(nova_fit.strategy())

    def weight_multiplier(self, host_state: Any) -> float:
        return MULTIPLIER

    def weigh_objects(
        self,
        weighed_obj_list: Sequence[Any],
        weight_properties: objects.RequestSpec,
    ) -> list[float]:
        kept = answers.of_request(weight_properties)
        known = [answers.lookup(kept, each.obj) for each in weighed_obj_list]
        found = [answer for answer in known if answer is not None]
        assert len(found) == len(known), "PinningFilter comes before"
        before = [self._rooms(answer.host) for answer in found]
        after = [
            self._rooms(usage.add(answer.host, answer.placement))
            for answer in found
        ]
        prices = [
            often * request.pcpus / (total + 1)
            for (request, often), total in zip(
                self.flavors, map(sum, zip(*before, strict=True)), strict=True
            )
        ]
        return [
            sum(
                price * (left - had)
                for price, had, left in zip(prices, *rooms, strict=True)
            )
            for rooms in zip(before, after, strict=True)
        ]

    def _weigh_object(
        self, obj: Any, weight_properties: objects.RequestSpec
    ) -> float:
        return 0.0

    def _rooms(self, host: Host) -> list[int]:
        """How many more of each flavor the host takes."""
        requests = [request for request, _ in self.flavors]
        return [room.now for room in self._capacity.rooms(host, requests)]
