"""Flavors and images that no host can ever take, or that Nova refuses.

Nova reads them; the engine is asked about hosts without any guest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pinning_filter.audit.findings import command
from pinning_filter.cloud.snapshot import Flavor, Node
from pinning_filter.core.errors import InputError
from pinning_filter.core.placement import Placement
from pinning_filter.core.request import Request
from pinning_filter.explain import engine, findings
from pinning_filter.explain.question import Question
from pinning_filter.fleet import capacity, summary
from pinning_filter.nova import guest as nova_guest
from pinning_filter.status.findings import Finding, Level, count


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A flavor, as Nova reads it."""

    flavor: Flavor
    request: Request | None = None  #: None: no NUMA cells are asked for
    refused: str = ""  #: Nova's words, if it refuses the flavor

    @property
    def guest_cells(self) -> int:
        """How many NUMA cells its servers have."""
        return 0 if self.request is None else len(self.request.cells)

    @property
    def pins(self) -> bool:
        """Whether servers of it have dedicated vCPUs."""
        return self.request is not None and any(
            cell.dedicated for cell in self.request.cells
        )


def asked(flavor: Flavor, image: Mapping[str, str] | None = None) -> Asked:
    """What servers of a flavor ask for, with an image or without."""
    try:
        guest = nova_guest.read(
            nova_guest.flavor(
                flavor.name, flavor.vcpus, flavor.ram_mib, flavor.extra_specs
            ),
            nova_guest.image(image or {}),
            f"Flavor {flavor.name!r} cannot be booted",
        )
    except InputError as error:
        return Asked(flavor, refused=str(error))
    return Asked(flavor, guest.request)


def refused(flavors: Iterable[Asked]) -> Iterator[Finding]:
    """Flavors that Nova does not take."""
    for each in flavors:
        if each.refused:
            yield Finding(
                Level.WARNING,
                each.refused,
                _unset("flavor", each.flavor.name),
            )
        for key, value in each.flavor.extra_specs.items():
            if key.startswith("hw:") and not each.refused:
                yield from _misspelt(each.flavor.name, key, value)


def _misspelt(name: str, key: str, value: str) -> Iterator[Finding]:
    try:
        nova_guest.specs({key: value}, f"Flavor {name!r}:")
    except InputError as error:
        yield Finding(Level.WARNING, str(error), _unset("flavor", name))


def _unset(kind: str, name: str) -> str:
    unset = command("openstack", kind, "unset", "--property", "KEY", name)
    return f"Correct the {kind}, such as by: {unset}"


class Fleet:
    """The hosts of a cloud without their guests, asked for whom they take."""

    def __init__(
        self, nodes: Iterable[Node], filters: Sequence[str] | None
    ) -> None:
        self._nodes = [
            dataclasses.replace(
                node, host=capacity.emptied(node.host), guests=(), closed="",
                provider=None,
            )
            for node in nodes
            if node.host is not None
        ]
        self._filters = filters
        self._known: dict[tuple[Request, frozenset[tuple[str, str]]], str]
        self._known = {}

    def against(self, asked: Asked) -> str:
        """Why no host takes it, as a sentence; empty if one does.

        Aggregates count, zones and PCI devices do not.
        """
        if asked.request is None or not self._nodes:
            return ""
        specs = asked.flavor.extra_specs
        key = (asked.request, frozenset(specs.items()))
        if key not in self._known:
            self._known[key] = self._against(asked.request, specs)
        return self._known[key]

    def _against(self, request: Request, specs: Mapping[str, str]) -> str:
        question = Question(request, extra_specs=specs)
        refusals = []
        for node in self._nodes:
            if findings.beside(node, question, self._filters):
                continue
            answer = engine.answer(node, request)
            if isinstance(answer, Placement):
                return ""
            refusals.append(answer)
        if not refusals:
            return "No aggregate with compute nodes has what it asks for."
        return summary.sentence(request, refusals)


def never(flavors: Iterable[Asked], fleet: Fleet) -> Iterator[Finding]:
    """Flavors that fit no host, even an empty one."""
    for each in flavors:
        if why := fleet.against(each):
            yield Finding(
                Level.WARNING,
                f"Flavor {each.flavor.name!r} fits no host, even without "
                f"guests. {why}",
                "Add such a host or correct the flavor, or delete it.",
            )


def images(
    flavors: Sequence[Asked],
    properties: Mapping[str, Mapping[str, str]],
    fleet: Fleet,
) -> Iterator[Finding]:
    """Images that contradict flavors, or that no host takes with any.

    :param flavors: those that Nova and some host take by themselves.
    :param properties: image -> its properties.
    """
    for image, given in sorted(properties.items()):
        yield from _image(image, given, flavors, fleet)


def _image(
    image: str,
    given: Mapping[str, str],
    flavors: Sequence[Asked],
    fleet: Fleet,
) -> Iterator[Finding]:
    try:
        nova_guest.image(given, f"Image {image!r}:")
    except InputError as error:
        yield Finding(Level.WARNING, str(error), _unset("image", image))
        return
    refused: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for flavor in flavors:
        both = asked(flavor.flavor, given)
        if both.refused:
            refused[flavor.flavor.name] = both.refused
        elif why := fleet.against(both):
            unfit[flavor.flavor.name] = why
    if not refused and not unfit:
        return
    useless = len(refused) + len(unfit) == len(flavors)
    for some, what in (
        (refused, "Nova refuses it with"),
        (unfit, "No host, even without guests, takes it with"),
    ):
        if some:
            first = min(some)
            yield Finding(
                Level.WARNING if useless else Level.NOTE,
                f"Image {image!r}: {what} {count(some, 'flavor')}: "
                f"{some[first].rstrip('.')}.",
                "No flavor goes with it: correct the image or a flavor."
                if useless
                else "",
            )
