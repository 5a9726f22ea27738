"""What to prefer among placements that are all allowed.

Goes into ``fit`` beside the host and the request; never changes whether a
guest fits, only where it sits.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Strategy:
    """What to prefer among placements that are all allowed."""

    #: Fullest host cells first, instead of emptiest (``[compute]
    #: packing_host_numa_cells_allocation_strategy``).
    pack: bool = False
    #: Fullest host cells first, and in them half-used cores before whole
    #: ones (:mod:`~pinning_filter.core.tight`), instead of emptiest.
    tight: bool = False
    #: Among cores that are equally good, those of as few last-level caches
    #: as can be (:mod:`~pinning_filter.core.caches`), where these are known.
    align_caches: bool = False
    #: Of several host cells, those that are near one another first
    #: (:mod:`~pinning_filter.core.nearness`), where distances are known.
    near_cells: bool = False
    #: Each vCPU on a core of its own while there are free ones
    #: (:mod:`~pinning_filter.core.apart`), instead of siblings together.
    apart: bool = False


#: Nova's own preference.
SPREAD = Strategy()
