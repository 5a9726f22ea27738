"""Who sits on each pCPU, where a compute node found others there."""

import dataclasses

from pinning_filter.audit.findings import Code
from pinning_filter.cloud import snapshot
from pinning_filter.cloud.occupancy import pcpu_uses
from tests.unit.audit.test_books import two


def found(**codes):
    return snapshot.SelfFound(len(codes), {
        code.replace("_", "-"): frozenset(pcpus)
        for code, pcpus in codes.items()
    })


def states(node):
    return [use.state.value for use in pcpu_uses(node).values()]


def test_others_on_a_held_and_on_a_free_pcpu():
    node = two()
    assert states(node) == ["vcpu"] * 4 + ["free"] * 4
    node = dataclasses.replace(
        node, found=found(pcpu_run_twice={1}, domain_unknown={3, 5, 99},
                          pin_changed={2})
    )
    assert states(node) == [
        "vcpu", "twice", "vcpu", "twice", "free", "orphan", "free", "free",
    ]


def test_those_codes_are_codes():
    assert set(snapshot.OTHERS_THERE) <= {code.value for code in Code}
