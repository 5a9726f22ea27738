"""What a scheduler puts in the place of Nova's is gone after each test."""

import pytest

from pinning_filter.nova import fit as nova_fit
from pinning_filter.scheduler import no_valid_host, topology_cache


@pytest.fixture(autouse=True)
def _stock_afterwards():
    yield
    nova_fit.uninstall()
    topology_cache.uninstall()
    no_valid_host.uninstall()
