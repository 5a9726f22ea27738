"""Many allocation candidates get the verdicts that each gets by itself."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from pinning_filter.core.fit import beside, fit
from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import candidates
from tests.property import twins, worlds

#: Of all the ways to name providers.
MOST = 60


@given(worlds.questions(), st.data())
def test_each_candidate_gets_its_own_verdict(question: Any, data: Any) -> None:
    host, request = question
    devices = data.draw(worlds.devices(host, named=True))
    stats = twins.pci_stats(twins.topology(host), devices)
    uuids = [pool["rp_uuid"] for pool in devices.pools]
    groups = list(devices.mapping)
    mappings = [
        {group: [uuid] for group, uuid in zip(groups, named, strict=True)}
        for named in itertools.islice(
            itertools.product(uuids, repeat=len(groups)), MOST
        )
    ]

    def fit_one(mapping: Any) -> Any:
        near = nova_fit.devices(stats, devices.requests, mapping)
        return fit(host, request, near)

    answer, verdicts = candidates.fitting(
        mappings,
        stats,
        devices.requests,
        fit_one,
        functools.partial(beside, host, request),
    )
    alone = [bool(fit_one(mapping)) for mapping in mappings]
    event(f"fitting: {'all' if all(alone) else 'some' if any(alone) else '-'}")
    assert verdicts == alone
    assert bool(answer) == any(alone)
