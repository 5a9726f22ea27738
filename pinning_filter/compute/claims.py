"""Claims know what their compute node says of itself.

Nova's claim hands the fit a topology and little else of the compute node.
Around it we put what the node told the schedulers, and its devices, so that
the claim starts from what they started from.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from nova import objects
from nova.compute import claims

from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats

#: Marks the method once it is ours.
_OURS = "_pinning_filter_devices"


def install() -> None:
    """Let the fit within a claim know. Calling this again is harmless."""
    nova_stats.wrap_with_stats(claims.Claim, "_test_numa_topology", _stats)
    novas = claims.Claim._test_numa_topology
    if hasattr(novas, _OURS):
        return

    @functools.wraps(novas)
    def test_numa_topology(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Nova 33 and older hands the fit no devices where none are asked for.
        tracker = self.tracker.pci_tracker
        with nova_fit.claiming(tracker and tracker.stats):
            return novas(self, *args, **kwargs)

    setattr(test_numa_topology, _OURS, True)
    claims.Claim._test_numa_topology = test_numa_topology


def _stats(
    claim: claims.Claim, compute_node: objects.ComputeNode, *_: Any
) -> Mapping[str, str] | None:
    return compute_node.stats if "stats" in compute_node else None
