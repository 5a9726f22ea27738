"""Claims know what their compute node says of itself.

Nova's claim hands the fit a topology and little else of the compute node.
Around it we put what the node told the schedulers, so that the claim starts
from what they started from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova import objects
from nova.compute import claims

from pinning_filter.nova import stats as nova_stats


def install() -> None:
    """Let the fit within a claim know. Calling this again is harmless."""
    nova_stats.wrap_with_stats(claims.Claim, "_test_numa_topology", _stats)


def _stats(
    claim: claims.Claim, compute_node: objects.ComputeNode, *_: Any
) -> Mapping[str, str] | None:
    return compute_node.stats if "stats" in compute_node else None
