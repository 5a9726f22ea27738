"""A scheduler that runs for months does not grow."""

import functools
import gc
import itertools
import logging
import tracemalloc

import pytest
from nova import objects
from nova.scheduler import weights

from pinning_filter.fleet import score
from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler import filter as filter_module
from pinning_filter.scheduler import question
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher
from tests.unit.scheduler.test_filter import (
    PORTS,
    HostState,
    cell_of,
    dedicated,
    device,
    pool,
    set_to,
    spec,
)

LINE = "cell:2 core:2 pu:2"
#: What is remembered beside hosts and requests.
CACHES = (
    (question, "_asked"),
    (nova_stats, "_parse"),
    (score, "_by_pcpu"),
)


@pytest.fixture(autouse=True)
def _small_memories(monkeypatch):
    """So that few requests fill them."""
    for module, name in CACHES:
        cache = getattr(module, name)
        assert cache.cache_parameters()["maxsize"] <= 1024
        small = functools.lru_cache(16)(cache.__wrapped__)
        monkeypatch.setattr(module, name, small)
    monkeypatch.setattr(filter_module, "_MOST_UNREADABLE", 16)
    logging.disable()  # pytest keeps what is logged
    yield
    logging.disable(logging.NOTSET)
    tracemalloc.stop()
    nova_fit.uninstall()


class Scheduler:
    """Three hosts that change, and requests of which no two are alike."""

    def __init__(self):
        self.filter, self.weigher = PinningFilter(), PinningWeigher()
        self.hosts = [HostState(LINE, name=f"host{i}") for i in range(3)]
        self._numbers = itertools.count(1)

    def run(self, requests):
        """Bytes that are kept after so many more requests."""
        for number in itertools.islice(self._numbers, requests):
            self._change(self.hosts[number % 3], number)
            self._ask(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    def _change(self, host, number):
        """The host is used otherwise, and says otherwise what it is."""
        host.numa_topology = HostState(LINE, str(number % 8)).numa_topology
        for cell in host.numa_topology.cells:
            cell.siblings = [*cell.siblings, {100 + number}]
        cell_of(host).network_metadata = objects.NetworkMetadata(
            physnets={f"net-{number}"}, tunneled=False
        )
        host.stats = {
            "pinning_filter": "1.0",
            "pinning_filter_caches": f"0:0-1 2-3;{number}:0",
        }

    def _ask(self, number):
        fields = {}
        if number % 2:
            fields["network_metadata"] = objects.NetworkMetadata(
                physnets={f"net-{number}"}, tunneled=True
            )
        if number % 3 == 0:
            fields["pci_requests"] = objects.InstancePCIRequests(
                requests=[device()]
            )
        asked = spec(dedicated(2, memory_mib=number), **fields)
        bad = HostState(LINE, name=f"bad-{number}")
        set_to("memory", None)(bad)
        hosts = [*self.hosts, bad]
        for host in hosts:
            host.limits, host.aggregates = {}, []
            host.pci_stats.pools = [pool(0, f"rp-{number}")]
            host.allocation_candidates = [
                {"mappings": {f"{PORTS}-0": [f"rp-{number}"]}}
            ]
        passed = list(self.filter.filter_all(hosts, asked))
        assert 0 < len(passed) < len(hosts)
        self.weigher.weigh_objects(
            [weights.WeighedHost(host, 0.0) for host in passed], asked
        )


def test_what_is_kept_after_many_requests_is_kept_after_more():
    scheduler = Scheduler()
    tracemalloc.start()
    scheduler.run(300)  # fills what may be filled
    before = scheduler.run(50)
    after = scheduler.run(150)
    # A name that was kept of each request would be more.
    assert after - before < 150 * 100
