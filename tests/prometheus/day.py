"""A simulated day of a cloud, as what Prometheus would have scraped.

Servers of four flavors come and go on 40 hosts, each placed by the engine on
a host that takes it, drawn by lot. At 14:00 somebody edits a row; from 18:00
on a host is disabled.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import random
from collections.abc import Iterator
from typing import TextIO

from pinning_filter.audit import books
from pinning_filter.cloud import closed
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core import synthetic
from pinning_filter.core.placement import Placement
from pinning_filter.core.refusal import Code
from pinning_filter.core.request import GuestCell, Request
from pinning_filter.core.strategy import SPREAD
from pinning_filter.fleet import summary
from pinning_filter.fleet.hosts import CloudHost, Guest
from pinning_filter.metrics import families, figures, per_host, reading

HOSTS, LINE = 40, "cell:2(memory=192GiB) core:16 pu:2"
#: Name -> vCPUs of each guest cell.
FLAVORS = {
    "pinned.6": (6,),
    "pinned.8": (8,),
    "pinned.16": (16,),
    "pinned.32.2-cells": (16, 16),
}
MIB_PER_VCPU = 4096
BEGIN = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)
#: Minutes between two scrapes, and of the whole day.
STEP, LENGTH = 10, 24 * 60
EDITED, DISABLED = 14 * 60, 18 * 60
LABELS = 'instance="controller1:9779",job="pinning_filter"'


def request(vcpus: tuple[int, ...]) -> Request:
    """What a flavor asks for."""
    cells, first = [], 0
    for number in vcpus:
        cells.append(GuestCell(
            frozenset(range(first, first + number)),
            memory_kib=number * MIB_PER_VCPU << 10,
        ))
        first += number
    return Request(tuple(cells))


class Day:
    """The cloud as the day goes on."""

    def __init__(self, seed: int = 7) -> None:
        self._dice = random.Random(seed)
        self._wanted = {name: request(v) for name, v in FLAVORS.items()}
        self._hosts = [
            CloudHost(f"compute-{number:02}", synthetic.host(LINE))
            for number in range(HOSTS)
        ]
        #: Minute -> servers that leave then, by host and id.
        self._leaving: dict[int, list[str]] = collections.defaultdict(list)
        self._numbers = 0
        self.requests = 0
        self.refused: collections.Counter[str] = collections.Counter()

    def scrapes(self) -> Iterator[tuple[int, Snapshot]]:
        """Minute of the day -> the cloud then; the first is not empty."""
        for minute in range(-LENGTH, LENGTH):
            self._pass(minute)
            if minute == 0:
                self.requests, self.refused = 0, collections.Counter()
            if minute >= 0 and minute % STEP == 0:
                yield minute, self._snapshot(minute)

    def _pass(self, minute: int) -> None:
        for leaving in self._leaving.pop(minute, ()):
            self._leave(leaving)
        # More come by day than by night.
        hour = minute % LENGTH / 60
        if self._dice.random() < (0.75 if 7 <= hour < 17 else 0.35):
            self._arrive(minute)

    def _arrive(self, minute: int) -> None:
        name = self._dice.choices(list(FLAVORS), (40, 30, 20, 10))[0]
        self.requests += 1
        asked = self._wanted[name]
        order = self._dice.sample(range(HOSTS), HOSTS)
        refusals = []
        for index in order:
            host = self._hosts[index]
            if minute >= DISABLED and index == HOSTS - 1:
                continue
            found = host.fit(asked)
            if isinstance(found, Placement):
                self._numbers += 1
                guest = Guest(str(self._numbers), asked, found, flavor=name)
                self._hosts[index] = host.adding(guest, found)
                stays = int(self._dice.expovariate(1 / 600)) + 10
                self._leaving[minute + stays].append(guest.id)
                return
            refusals.append(found)
        self.refused[summary.reasons(refusals)[0].fact.code.value] += 1

    def _leave(self, leaving: str) -> None:
        for index, host in enumerate(self._hosts):
            for guest in host.guests:
                if guest.id == leaving:
                    self._hosts[index] = host.without(guest)
                    return

    def _snapshot(self, minute: int) -> Snapshot:
        nodes = [
            Node(host.name, host.host, host.guests, cell="cell1")
            for host in self._hosts
        ]
        if minute >= EDITED:
            nodes[3] = edited(nodes[3])
        if minute >= DISABLED:
            why = closed.clause(closed.Kind.DISABLED, ": new disks")
            nodes[-1] = dataclasses.replace(nodes[-1], closed=why)
        return Snapshot(tuple(nodes))

    def text(self, file: TextIO) -> None:
        """Write the day in OpenMetrics' format, every sample with its time."""
        begin = BEGIN.timestamp()
        for minute, snapshot in self.scrapes():
            now = begin + 60 * minute
            found = figures.count(
                snapshot, self._wanted, self._wanted, SPREAD,
                books.findings(snapshot),
            )
            made = [
                *families.of_cloud(found),
                *per_host.of_hosts(found.hosts, tuple(per_host.Kind)),
                *reading.of_data(now - self._dice.random() * 60, 1.0),
            ]
            for family in made:
                for sample in family.samples:
                    write(file, sample.name, sample.labels, sample.value, now)
            name = "pinning_filter_scheduler"
            write(file, f"{name}_requests_total", {}, self.requests, now)
            for code in Code:
                write(file, f"{name}_refusals_total", {"code": code.value},
                      self.refused[code.value], now)
        file.write("# EOF\n")


def edited(node: Node) -> Node:
    """The second guest's row has the pCPUs of the first."""
    if len(node.guests) < 2:
        return node
    first, second, *others = node.guests
    pcpus = sorted(first.placement.cells[0].taken)
    cell = second.placement.cells[0]
    pinning = dict(zip(cell.pinning, pcpus, strict=False))
    placement = second.placement._replace(
        cells=(
            cell._replace(pinning={**cell.pinning, **pinning}),
            *second.placement.cells[1:],
        ),
    )
    wrong = dataclasses.replace(second, placement=placement)
    return dataclasses.replace(node, guests=(first, wrong, *others))


def write(
    file: TextIO, name: str, labels: dict[str, str], value: float, now: float
) -> None:
    """One sample. The names here need no escapes."""
    more = "".join(f',{key}="{text}"' for key, text in labels.items())
    file.write(f"{name}{{{LABELS}{more}}} {float(value)} {now:.0f}\n")
