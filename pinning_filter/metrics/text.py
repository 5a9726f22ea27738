"""Families as the text that Prometheus reads: as bytes, and as a file.

Last in the flow, after the families.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from typing import cast

from prometheus_client import exposition
from prometheus_client.core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

#: Prometheus' text format, which every version of it reads.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclasses.dataclass(frozen=True, slots=True)
class _Made(Collector):
    """Families that are there already, for who asks a collector."""

    families: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        return self.families


def of(families: Iterable[Metric]) -> bytes:
    """The text of these families."""
    made = _Made(tuple(families))
    return exposition.generate_latest(cast(CollectorRegistry, made))


def write(
    path: str | os.PathLike[str], families: Iterable[Metric]
) -> None:
    """Put the text into a file, in one step: nobody sees a half of it.

    :raises OSError: if it cannot be written; the old file is as it was.
    """
    made = _Made(tuple(families))
    exposition.write_to_textfile(
        os.fspath(path), cast(CollectorRegistry, made)
    )
