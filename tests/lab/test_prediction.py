"""What ``pinning-filter fit`` says before the create, and libvirt after it."""

from pathlib import Path

import pytest

from tests.lab import client, seen
from tests.lab.predictions import predict
from tests.lab.walks import Walk

POLICIES = {
    "dedicated": (2, {"cpu_policy": "dedicated"}),
    "isolated emulator threads": (1, {
        "cpu_policy": "dedicated", "emulator_threads_policy": "isolate"}),
    "two guest cells on one host cell": (2, {
        "cpu_policy": "dedicated", "numa_nodes": "2"}),
}


def check_prediction(
    walk: Walk, folder: Path, vcpus: int, specs: dict[str, str]
) -> None:
    """Predict, create, compare; both ways of ending are checked."""
    predicted = predict(folder, vcpus, specs)
    walk.since_now()
    server = client.create(client.flavor(vcpus, **specs))
    walk.check("status as predicted", server.status, predicted.status)
    if server.status == "ACTIVE":
        xml = seen.domain_xml(server.domain)
        walk.keep(xml)
        predicted.check(walk, xml)


@pytest.mark.host(threads_per_core=2)
@pytest.mark.parametrize("name", POLICIES)
def test_prediction_with_SMT(walk: Walk, tmp_path: Path, name: str) -> None:
    check_prediction(walk, tmp_path, *POLICIES[name])


@pytest.mark.host(threads_per_core=1, dedicated="0", shared="1")
@pytest.mark.parametrize("vcpus, specs", [
    pytest.param(2, {"cpu_policy": "mixed", "cpu_dedicated_mask": "0"},
                 id="mixed"),
    pytest.param(1, {"cpu_policy": "dedicated",
                     "emulator_threads_policy": "share"},
                 id="shared emulator threads"),
    pytest.param(2, {"cpu_policy": "dedicated"}, id="one pCPU too many"),
])
def test_prediction_with_a_shared_pCPU(
    walk: Walk, tmp_path: Path, vcpus: int, specs: dict[str, str]
) -> None:
    check_prediction(walk, tmp_path, vcpus, specs)
