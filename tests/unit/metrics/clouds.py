"""Clouds that are counted, and what a text says of them."""

import dataclasses

from prometheus_client.parser import text_string_to_metric_families

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.core.strategy import SPREAD
from pinning_filter.metrics import figures
from tests.unit.cli.clouds import guest

TWO, FOUR = guest(2), guest(4)
FLAVORS = {"pinned.2": TWO, "pinned.4": FOUR}


def counted(*nodes, wanted=None, used=None, findings=(), **fields):
    """The figures of a cloud of these nodes."""
    wanted = FLAVORS if wanted is None else wanted
    return figures.count(
        Snapshot(nodes, **fields), wanted, used or wanted, SPREAD, findings
    )


def host(node, **kwargs):
    """The figures of one compute node."""
    return counted(node, **kwargs).hosts[0]


def series(text):
    """Name -> labels, as sorted values -> number."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def also(node, *guests, **fields):
    """A node with other guests."""
    return dataclasses.replace(node, guests=guests, **fields)
