"""All checks, and which of the facts each is asked about."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator

from pinning_filter.audit import books as audit_books
from pinning_filter.cloud.snapshot import Service, Snapshot
from pinning_filter.status import (
    books,
    computes,
    filters,
    flavors,
    options,
    services,
    weigher,
)
from pinning_filter.status.facts import Configuration, Facts
from pinning_filter.status.findings import DATABASES, Finding, Level, Result


class Known:
    """The facts that there are, and what several checks make of them."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    @property
    def configuration(self) -> Configuration:
        """For checks that need it."""
        assert self.facts.configuration is not None
        return self.facts.configuration

    @property
    def snapshot(self) -> Snapshot:
        """For checks that need it."""
        assert self.facts.snapshot is not None
        return self.facts.snapshot

    @property
    def services(self) -> tuple[Service, ...]:
        """For checks that need them."""
        assert self.facts.services is not None
        return self.facts.services

    @functools.cached_property
    def asked(self) -> list[flavors.Asked]:
        """Every flavor, as Nova reads it."""
        return list(map(flavors.asked, self.snapshot.flavors))

    @functools.cached_property
    def fleet(self) -> flavors.Fleet:
        """The hosts without their guests."""
        return flavors.Fleet(self.snapshot.nodes, self.snapshot.filters)

    def named(self, wanted: Callable[[flavors.Asked], bool]) -> list[str]:
        """The names of some of the flavors."""
        return [each.flavor.name for each in self.asked if wanted(each)]


def _databases(known: Known) -> Iterator[Finding]:
    yield from services.reached(known.snapshot)


def _filters(known: Known) -> Iterator[Finding]:
    configuration = known.facts.configuration
    if configuration is not None:
        names = configuration.enabled_filters
        yield from filters.enabled(names)
        yield from filters.available(names, configuration.available_filters)
    elif known.facts.snapshot and known.facts.snapshot.filters is not None:
        yield from filters.enabled(known.facts.snapshot.filters)


def _weigher(known: Known) -> Iterator[Finding]:
    snapshot = known.facts.snapshot
    aggregates = {
        each.name: each.metadata[weigher.OPTION]
        for node in (snapshot.nodes if snapshot else ())
        for each in node.aggregates
        if weigher.OPTION in each.metadata
    }
    configuration = known.configuration
    yield from weigher.enabled(
        configuration.weight_classes, configuration.multiplier, aggregates
    )


def _options(known: Known) -> Iterator[Finding]:
    configuration = known.configuration
    yield from options.names(configuration.entries, configuration.known)
    yield from options.values(configuration.invalid)


def _services(known: Known) -> Iterator[Finding]:
    yield from services.versions(known.services, known.facts.installed)


def _driver(known: Known) -> Iterator[Finding]:
    nodes = known.snapshot.nodes
    several = known.named(lambda each: each.guest_cells > 1)
    yield from computes.driver(nodes, several)
    yield from services.drivers(nodes, known.facts.installed)


def _topology(known: Known) -> Iterator[Finding]:
    wanted = known.named(lambda each: each.guest_cells > 0)
    yield from computes.topology(known.snapshot.nodes, wanted)


def _cpu_sets(known: Known) -> Iterator[Finding]:
    configuration = known.facts.configuration
    yield from computes.cpu_sets(
        known.snapshot.nodes,
        known.named(lambda each: each.pins),
        configuration is None or configuration.asks_vcpu_instead,
    )


def _preferences(known: Known) -> Iterator[Finding]:
    configuration = known.facts.configuration
    yield from computes.preferences(
        known.snapshot.nodes, configuration.prefers if configuration else None
    )


def _flavors(known: Known) -> Iterator[Finding]:
    yield from flavors.refused(known.asked)
    yield from flavors.never(known.asked, known.fleet)


def _images(known: Known) -> Iterator[Finding]:
    # What a flavor has by itself is not the image's.
    taken = [
        each
        for each in known.asked
        if not each.refused and not known.fleet.against(each)
    ]
    yield from flavors.images(taken, known.facts.images or {}, known.fleet)


def _records(known: Known) -> Iterator[Finding]:
    yield from services.records(known.snapshot.nodes)


def _audit(known: Known) -> Iterator[Finding]:
    yield from books.agree(audit_books.findings(known.snapshot))


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    name: str  #: what programs know it by; stable
    ask: Callable[[Known], Iterable[Finding]]
    #: The facts that it cannot do without.
    needs: tuple[str, ...] = ("snapshot",)


#: In the order in which they are told. Each is told in the documentation.
CHECKS = (
    Check(DATABASES, _databases),
    Check("filters", _filters, ()),
    Check("weigher", _weigher, ("configuration",)),
    Check("options", _options, ("configuration",)),
    Check("services", _services, ("services",)),
    Check("driver", _driver),
    Check("topology", _topology),
    Check("cpu-sets", _cpu_sets),
    Check("preferences", _preferences),
    Check("flavors", _flavors),
    Check("images", _images, ("snapshot", "images")),
    Check("records", _records),
    Check("audit", _audit),
)


def run(facts: Facts) -> Iterator[Result]:
    """What each check finds.

    A check whose facts could not be read says so; one whose facts were not
    to be read, as of a dump, is left out.
    """
    known = Known(facts)
    told: dict[str, str] = {}
    for check in CHECKS:
        lacking = [name for name in check.needs
                   if getattr(facts, name) is None]
        if not lacking:
            yield Result(check.name, tuple(check.ask(known)))
        elif why := facts.missing.get(lacking[0]):
            first = told.setdefault(why, check.name)
            text = (
                f"Not checked: {why}"
                if first == check.name
                else f"Not checked, for the reason that {first} has."
            )
            yield Result(check.name, (Finding(Level.UNKNOWN, text),))
