"""Claims know what their compute node says of itself.

Nova's claim hands the fit a topology and nothing else of the compute node.
Around it we put what the node told the schedulers, so that the claim starts
from what they started from.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nova.compute import claims

from pinning_filter import nova_stats


def install() -> None:
    """Let the fit within a claim know. Calling this again is harmless."""
    nova_s = claims.Claim._test_numa_topology
    if not hasattr(nova_s, "__wrapped__"):
        claims.Claim._test_numa_topology = _knowing(nova_s)


def _knowing(nova_s: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(nova_s)
    def _test_numa_topology(self: Any, compute_node: Any, limit: Any) -> Any:
        stats = compute_node.stats if "stats" in compute_node else None
        with nova_stats.told_by(stats):
            return nova_s(self, compute_node, limit)

    return _test_numa_topology
