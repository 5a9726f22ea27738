"""Requests that schedulers of this machine refused, as counters.

Beside ``families``, which are of the cloud: these are counted by
nova-scheduler itself, in files (``scheduler.counters``), and cost no reading.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric

from pinning_filter.core.refusal import Code
from pinning_filter.metrics.families import PREFIX
from pinning_filter.scheduler import counters


def families(folder: str | os.PathLike[str]) -> Iterator[Metric]:
    """What was counted, every code from 0 on.

    :param folder: ``[pinning_filter] counters_directory``.
    :raises OSError: if there is no such folder.
    """
    counted = counters.read(folder)
    requests = CounterMetricFamily(
        f"{PREFIX}scheduler_requests",
        "Requests for servers with a NUMA topology that schedulers of this "
        "machine have answered.",
    )
    requests.add_metric([], counted.requests)
    refusals = CounterMetricFamily(
        f"{PREFIX}scheduler_refusals",
        "Those of them that found no valid host, by what was missing on most "
        "hosts.",
        labels=["code"],
    )
    codes = {each.value: 0 for each in Code} | dict(counted.refused)
    for code, number in sorted(codes.items()):
        refusals.add_metric([code], number)
    yield requests
    yield refusals
