"""What a cloud of the packing benchmark looks like, seen now and then.

Shares that are averages over time, where ``packing.py`` counts guests: hosts
that are empty, pCPUs that are stranded, and whether the fullest host could be
lost. Knows nothing of who comes when.
"""

from __future__ import annotations

import collections
import random
import statistics
from collections.abc import Callable

from cloud_of_states import States
from mixes import Guest, Mix

from pinning_filter.fleet.survival import Survival

#: Lifetimes between two looks; and between two fillings, which take longer.
EVERY, FILLED_EVERY = 0.1, 2.0


class Samples:
    """Looks at a cloud while guests come and go."""

    def __init__(
        self, states: States, mix: Mix, seed: int, since: float
    ) -> None:
        """:param since: when to begin, in lifetimes."""
        self._states, self._mix = states, mix
        self._dice = random.Random(f"filling {mix.name} {seed}")
        self._looks: list[tuple[float, Callable[[], None]]] = [
            (since, self._look),
            (since, self._fill),
        ]
        self._found: dict[str, list[float]] = collections.defaultdict(list)

    def until(self, now: float) -> None:
        """Look as often as is due by now; nothing has changed since."""
        for index, (due, look) in enumerate(self._looks):
            every = FILLED_EVERY if look == self._fill else EVERY
            while due <= now:
                look()
                due += every
            self._looks[index] = due, look

    def means(self) -> dict[str, float]:
        """By name: the mean of all looks; nothing before the first."""
        return {
            name: statistics.fmean(values)
            for name, values in sorted(self._found.items())
        }

    def _look(self) -> None:
        cloud = self._states.cloud()
        in_use = [
            sum(guest.pcpus for guest in host.guests) for host in cloud.hosts
        ]
        fullest = in_use.index(max(in_use))
        free = [host.host.free_pcpus for host in cloud.hosts]
        free[fullest] = 0
        loss = Survival(cloud).loss([cloud.hosts[fullest].name])
        self._found["empty_hosts"].append(in_use.count(0) / len(in_use))
        self._found["survivable"].append(loss.survived)
        # With fewer pCPUs free on the others nobody survives the loss.
        self._found["enough_free"].append(sum(free) >= in_use[fullest])

    def _fill(self) -> None:
        """Guests of the mix are added until one is refused, and go again."""
        weights = [flavor.weight for flavor in self._mix.flavors]
        added: list[Guest] = []
        while True:
            (flavor,) = self._dice.choices(self._mix.flavors, weights)
            guest = Guest(flavor, 0, 0)
            if self._states.place(guest) is None:
                break
            added.append(guest)
        self._found["stranded"].append(
            self._states.free_pcpus / self._mix.pcpus
        )
        for guest in added:
            self._states.remove(guest)
