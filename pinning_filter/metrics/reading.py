"""How well the cloud can be read: families about the data themselves.

Beside ``families``, which are about what the data say.
"""

from __future__ import annotations

import collections
import datetime
import enum
from collections.abc import Iterator
from importlib import metadata

from prometheus_client.core import CounterMetricFamily, Metric

from pinning_filter.metrics.families import PREFIX, gauge


class Outcome(str, enum.Enum):
    """How a reading went. The values are stable."""

    COMPLETE = "complete"  #: all cells answered
    INCOMPLETE = "incomplete"  #: some did
    FAILED = "failed"  #: nothing could be read; what was read before stays


def build() -> Metric:
    """Which version this is, by the convention for it."""
    return gauge(
        "build_info",
        "1; the label has the version of pinning-filter.",
        {(metadata.version("pinning-filter"),): 1},
        "version",
    )


def of_data(taken: float, seconds: float) -> Iterator[Metric]:
    """About what was read.

    :param taken: when (Unix time).
    :param seconds: how long that took.
    """
    yield gauge(
        "data_timestamp_seconds",
        "When the cloud was read (Unix time).",
        {(): taken},
    )
    yield gauge(
        "reading_duration_seconds",
        "How long it took to read the cloud and to count.",
        {(): seconds},
    )


def of_readings(
    outcomes: collections.Counter[Outcome], last: Outcome | None
) -> Iterator[Metric]:
    """About reading again and again.

    :param outcomes: since the program started.
    :param last: None: there was none yet.
    """
    yield gauge(
        "reading_up",
        "Whether the last reading of the cloud worked, at least for a part.",
        {(): last not in (None, Outcome.FAILED)},
    )
    family = CounterMetricFamily(
        f"{PREFIX}readings", "Readings of the cloud.", labels=["outcome"]
    )
    for outcome in Outcome:
        family.add_metric([outcome.value], outcomes[outcome])
    yield family


def unix_time(taken: str) -> float | None:
    """A snapshot's time; None: it has none that can be read.

    >>> unix_time("1970-01-01T00:01:00+00:00"), unix_time("")
    (60.0, None)
    """
    try:
        found = datetime.datetime.fromisoformat(taken)
    except ValueError:
        return None
    if found.tzinfo is None:
        found = found.replace(tzinfo=datetime.timezone.utc)
    return found.timestamp()
