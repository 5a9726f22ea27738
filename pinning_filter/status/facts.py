"""What the checks are asked about: nova.conf, the cloud, its services.

Between ``gather``, which reads them, and the checks. What could not be read
is None, with the reason beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pinning_filter.cloud.snapshot import Service, Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """An option that a file sets, whether or not anybody reads it."""

    file: str  #: the file's path
    section: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """An option that Nova or this project reads."""

    deprecated: str = ""  #: why it is going away; empty: it is not


@dataclasses.dataclass(frozen=True, slots=True)
class Configuration:
    """nova.conf, as nova-scheduler reads it."""

    available_filters: tuple[str, ...]
    enabled_filters: tuple[str, ...]
    weight_classes: tuple[str, ...]
    multiplier: float | None  #: of PinningWeigher; None: it is no number
    #: As :func:`pinning_filter.nova.stats.prefers` puts it; None: not known.
    prefers: str | None
    #: Whether VCPU is asked for where no host has the PCPU.
    asks_vcpu_instead: bool = True
    entries: tuple[Entry, ...] = ()  #: what the files set
    #: Section -> name -> option, of every section of Nova's and ours.
    known: Mapping[str, Mapping[str, Option]] = dataclasses.field(
        default_factory=dict
    )
    #: Option of ours -> what is wrong with its value.
    invalid: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Installed:
    """What is installed where the checks run."""

    nova: str  #: its version
    service: int  #: the version that its services would report
    project: str  #: the version of this project
    #: A service's version -> the newest release that reports it.
    releases: Mapping[int, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """All that the checks are asked about."""

    installed: Installed
    configuration: Configuration | None = None
    snapshot: Snapshot | None = None
    services: tuple[Service, ...] | None = None
    #: Image -> its properties about CPUs, memory and NUMA cells.
    images: Mapping[str, Mapping[str, str]] | None = None
    #: Of what is None, why: by the name above. What is not here was not to
    #: be asked: a dump has no nova.conf.
    missing: Mapping[str, str] = dataclasses.field(default_factory=dict)
