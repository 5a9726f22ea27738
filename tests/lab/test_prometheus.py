"""What Prometheus says of the lab, while servers come and things go wrong.

``make lab-prometheus`` starts it; elsewhere these walks are skipped.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openstack import exceptions

from lab import layout, prometheus
from tests.lab import client, commands, seen
from tests.lab.walks import Walk
from tests.prometheus import dashboard
from tests.prometheus.server import Prometheus

pytestmark = [
    pytest.mark.host(threads_per_core=1),
    pytest.mark.skipif(
        not all(each.pid() for each in prometheus.daemons()),
        reason="Prometheus does not run: make lab-prometheus",
    ),
]

FLAVOR = "pinned"  # of two pCPUs, which are all that there are
ASKED = Prometheus(prometheus.URL)
#: Seconds until something has arrived: two readings and a scrape, on a busy
#: machine.
PATIENCE = 180


def arrived(query: str, expected: Any) -> Any:
    """What Prometheus answers, once it is as expected or time is up."""
    limit = time.monotonic() + PATIENCE
    while True:
        found = ASKED.query(query)
        if found == expected or time.monotonic() > limit:
            return found
        time.sleep(1)


def number(query: str) -> float:
    """The one number of a query; 0 where there is no series yet."""
    return sum(ASKED.query(query).values())


def until_more(query: str, before: float) -> float:
    """How much more it is, once it is more or time is up."""
    limit = time.monotonic() + PATIENCE
    while True:
        more = number(query) - before
        if more or time.monotonic() > limit:
            return more
        time.sleep(1)


PCPUS = 'pinning_filter_host_pcpus{hostname="%s", state!~"shared|offline"}'
REFUSED = "sum(pinning_filter_scheduler_refusals_total)"


def pcpus(free: int, pinned: int) -> dict[tuple[str, ...], float]:
    """The pCPUs of the compute host, as Prometheus is to say."""
    states = {"free": free, "pinned": pinned, "idle": 0, "unaccounted": 0}
    return {
        (layout.HOST, "0", state): count for state, count in states.items()
    }


@pytest.fixture
def closed_at_the_end() -> Iterator[Callable[[], None]]:
    """Close the compute host; it is open again after the walk."""
    yield lambda: client.enable(layout.HOST, False)
    client.enable(layout.HOST, True)


def test_a_create_a_refusal_and_a_drift_arrive(
    walk: Walk, closed_at_the_end: Callable[[], None]
) -> None:
    asked = PCPUS % layout.HOST
    walk.check("pCPUs before", arrived(asked, pcpus(2, 0)), pcpus(2, 0))
    fits = f'pinning_filter_flavor_fits{{flavor="{FLAVOR}"}}'
    walk.check("room before", arrived(fits, {(FLAVOR,): 1}), {(FLAVOR,): 1})

    walk.since_now()
    server = client.create(FLAVOR)
    walk.check("status", server.status, "ACTIVE")
    walk.check("pCPUs after a create", arrived(asked, pcpus(0, 2)),
               pcpus(0, 2))
    walk.check("room after it", arrived(fits, {(FLAVOR,): 0}), {(FLAVOR,): 0})
    rows = commands.live("capacity", "--flavor", FLAVOR, "--total")
    walk.check("capacity says the same", rows.said("fits_now"), [(0,)])

    walk.since_now()
    before = number(REFUSED)
    walk.check("another create", client.create(FLAVOR).status, "ERROR")
    walk.check("refusals more", until_more(REFUSED, before), 1)

    walk.since_now()
    drift = 'pinning_filter_audit_findings{code="allocation-missing"}'
    key = ("allocation-missing", "critical")
    walk.check("findings before", arrived(drift, {key: 0}), {key: 0})
    forget(server.id)
    walk.check("findings after its allocation is deleted",
               arrived(drift, {key: 1}), {key: 1})

    walk.since_now()
    closed_at_the_end()
    closed = "pinning_filter_host_closed"
    expected = {(layout.HOST, "disabled"): 1}
    walk.check("the host is closed", arrived(closed, expected), expected)
    empty = [
        query.panel for query in dashboard.queries()
        if not ASKED.query(query.expression)
    ]
    walk.check("panels of the dashboard without series", empty, [])


def forget(server: str) -> None:
    """Delete a server's allocation behind Nova's back."""
    answer = client.sdk().placement.delete(f"/allocations/{server}")
    exceptions.raise_from_response(answer)
    left = client.usage(seen.node_uuid(layout.HOST))
    assert left.get("PCPU", 0) == 0
