"""A claim starts from what the scheduler started from, on every release."""

import types

import pytest
from nova import objects
from nova.compute import claims as nova_claims
from nova.pci import stats
from nova.virt import hardware

from pinning_filter.compute import claims
from pinning_filter.core import synthetic
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import releases
from pinning_filter.scheduler.filter import PinningFilter
from tests.property import twins
from tests.unit.scheduler.test_filter import (
    HostState,
    dedicated,
    pool,
    spec,
)

LINE = "cell:2 core:4 pu:2"


@pytest.fixture(autouse=True)
def _as_nova_is(monkeypatch):
    """Nova's claim as it was up to 33, wherever this runs."""

    def before_34(self, compute_node, limit):
        topology = objects.NUMATopology.obj_from_db_obj(
            compute_node.numa_topology
        )
        requests = self._pci_requests.requests
        devices = self.tracker.pci_tracker.stats if requests else None
        self.claimed_numa_topology = hardware.numa_fit_instance_to_host(
            topology, self.numa_topology, None, limit, requests, devices
        )

    monkeypatch.setattr(nova_claims.Claim, "_test_numa_topology", before_34)
    monkeypatch.setattr(releases, "claims_count_devices", lambda: False)
    nova_fit.install()
    yield
    nova_fit.uninstall()


def devices():
    """One, near host cell 0."""
    found = stats.PciDeviceStats(None)
    found.pools = [pool(0, "near")]
    return found


def claimed(our_driver):
    """The host cell that a claim for two vCPUs takes."""
    if our_driver:
        claims.install()
    claim = types.SimpleNamespace(
        numa_topology=twins.instance(dedicated(2)),
        instance=types.SimpleNamespace(uuid="a"),
        _pci_requests=objects.InstancePCIRequests(requests=[]),
        tracker=types.SimpleNamespace(
            driver=None,
            pci_tracker=types.SimpleNamespace(stats=devices())
        ),
    )
    node = objects.ComputeNode(
        numa_topology=twins.topology(synthetic.host(LINE))._to_json(),
        stats={"pinning_filter": "1.0"} if our_driver else {},
    )
    nova_claims.Claim._test_numa_topology(claim, node, None)
    (cell,) = claim.claimed_numa_topology.cells
    return cell.id


def foreseen(our_driver):
    """The host cell that the filter finds."""
    state = HostState(LINE)
    state.pci_stats = devices()
    state.stats = {"pinning_filter": "1.0"} if our_driver else {}
    the_filter = PinningFilter()
    answer = the_filter._answer(
        state, the_filter._question(spec(dedicated(2)))
    )
    (cell,) = answer.cells
    return cell.host_cell.id


@pytest.mark.parametrize("our_driver", [True, False])
def test_the_filter_foresees_the_claim(our_driver):
    """Neither knows of the device, so the first host cell it is."""
    assert (claimed(our_driver), foreseen(our_driver)) == (0, 0)


@pytest.mark.parametrize("our_driver", [True, False])
def test_claims_of_today_know_of_devices(monkeypatch, our_driver):
    monkeypatch.setattr(releases, "claims_count_devices", lambda: True)
    assert foreseen(our_driver) == 1


@pytest.mark.parametrize(
    ("requests", "counted", "known"),
    [
        pytest.param((), True, True, id="since Nova 34"),
        pytest.param((), False, False, id="none are asked for"),
        pytest.param(("one",), False, True, id="one is asked for"),
    ],
)
def test_which_devices_a_claim_knows_of(
    monkeypatch, requests, counted, known
):
    monkeypatch.setattr(releases, "claims_count_devices", lambda: counted)
    there = devices()
    found = nova_fit.claimed_stats(there, requests)
    assert found is (there if known else None)
