"""Every way to empty hosts, while there is patience for it.

Beside :mod:`~pinning_filter.fleet.evacuation`, whose ways are quick and miss
some: this one is asked where they fail, or move servers of other hosts. On a
small cloud it tries all; on a large one it soon gives up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pinning_filter.fleet.layout import Layout, Place
from pinning_filter.fleet.servers import Server

#: How much is looked at before the search ends: some two seconds. A host
#: that has not changed is 1, one that is to be asked anew is so many.
PATIENCE = 600_000
_ANEW = 50
#: At most so many servers of other hosts move.
_MOST_OTHERS = 3


class Homeless(NamedTuple):
    """A server that has to leave its host."""

    server: Server
    source: str  #: name of the host that it leaves


class Step(NamedTuple):
    """A move as it is planned, before it is known where the server sits."""

    server: Server
    source: str
    target: str


class OutOfPatience(Exception):
    """The search has taken too long."""


def search(
    layout: Layout, leaving: Sequence[Homeless], fewer_than: int | None
) -> list[Step] | None:
    """The steps that place all, with the fewest servers of other hosts.

    :param fewer_than: so many of other hosts would be too many; None: as many
        as it takes.
    :returns: None if there is no way, or if none was found in time.
    """
    most = _MOST_OTHERS if fewer_than is None else fewer_than - 1
    work = _Search(layout.anew(), PATIENCE)
    try:
        for others in range(min(most, _MOST_OTHERS) + 1):
            if (found := work.with_others(others, leaving)) is not None:
                return found
    except OutOfPatience:
        pass
    return None


@dataclasses.dataclass(slots=True)
class _Search:
    layout: Layout
    patience: int

    def with_others(
        self, others: int, leaving: Sequence[Homeless]
    ) -> list[Step] | None:
        """So many servers of other hosts move first, then all that leave."""
        if not others:
            return self._direct(leaving)
        layout = self.layout
        for each in list(self._movable()):
            for place in self._choices(each):
                before = layout.saved()
                layout.take(each.server, each.source)
                layout.put(each.server, place)
                rest = self.with_others(others - 1, leaving)
                layout.restore(before)
                if rest is not None:
                    return [Step(*each, place.name), *rest]
        return None

    def _movable(self) -> Iterator[Homeless]:
        """Those that have not moved yet, and can be migrated live."""
        layout = self.layout
        for name in layout.places.hosts:
            if name not in layout.gone:
                for server in layout.host(name).servers:
                    if not (
                        server.fixed
                        or server.stays
                        or layout.has_moved(server)
                    ):
                        yield Homeless(server, name)

    def _direct(self, leaving: Sequence[Homeless]) -> list[Step] | None:
        """Those with the fewest places first, each to every one of them."""
        if not leaving:
            return []
        layout = self.layout
        open_to = [(self._choices(each), each) for each in leaving]
        places, first = min(open_to, key=lambda each: len(each[0]))
        rest = [each for each in leaving if each is not first]
        for place in places:
            before = layout.saved()
            layout.put(first.server, place)
            more = self._direct(rest)
            layout.restore(before)
            if more is not None:
                return [Step(*first, place.name), *more]
        return None

    def _choices(self, each: Homeless) -> list[Place]:
        layout = self.layout
        self.patience -= len(layout.places.hosts)
        self.patience -= _ANEW * len(layout.changed)
        if self.patience < 0:
            raise OutOfPatience
        return list(layout.choices(each.server, not_on=each.source))
