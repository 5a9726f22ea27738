"""What is asked of a cloud: of the engine, and of everything before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pinning_filter.core.request import Request
from pinning_filter.fleet.offers import Resources


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """One server that is to be placed."""

    request: Request | None  #: None: no NUMA topology is asked for
    #: Any one of them is enough: Nova asks for PCPU, then for VCPU instead.
    resources: tuple[Resources, ...] = ()
    #: Extra specs of the flavor, which aggregates may ask for.
    extra_specs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    zone: str = ""  #: the availability zone asked for; empty: any
    #: Nova's PCI requests, for Nova's own statistics to answer.
    pci_requests: tuple[Any, ...] = ()
    #: What Nova wrote down as the server's fault.
    fault: str = ""
    forced: tuple[str, ...] = ()  #: hosts that whoever asked insists on
    #: Nova's own request, for Nova's own filters; None: not from Nova.
    spec: Any = None
