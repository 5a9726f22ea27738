"""Every query of the dashboard and of the alerts, by a real Prometheus.

It scrapes ``pinning-filter metrics --listen`` on a simulated cloud.
"""

import pathlib
import re
import subprocess
import sys

import pytest

from pinning_filter.cloud.snapshot import Snapshot
from pinning_filter.metrics.per_host import Kind
from tests.prometheus import dashboard, server
from tests.unit.audit.test_books import booked, repinned, two
from tests.unit.cli import clouds

pytestmark = pytest.mark.skipif(
    bool(server.lacking()),
    reason=f"not installed (Debian: prometheus): {server.lacking()}",
)
PROGRAM = pathlib.Path(sys.executable).with_name("pinning-filter")
PER_HOST = [word for kind in Kind for word in ("--per-host", kind.value)]
#: Alerts for which this cloud gives a reason.
FIRING = {"PinningDrift", "PinningDriftMinor", "PinningDataTooOld",
          "PinningCellMissing"}


def write_counts(folder, refused):
    (folder / "scheduler-0.json").write_text(
        f'{{"requests": {3 * refused}, "refused": {{"pcpus": {refused}}}}}'
    )


def cloud():
    """One with something of everything that a panel shows."""
    healthy = clouds.several()
    broken = booked(repinned(two(), 1, {0: 1, 1: 3}))
    return Snapshot(
        (*healthy.nodes, broken), healthy.flavors, {"cell2": "gone"},
        healthy.taken,
    )


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    counters = folder / "counters"
    counters.mkdir()
    write_counts(counters, 0)
    dump = clouds.write(cloud(), folder / "cloud.json")
    exporter = subprocess.Popen(
        [PROGRAM, "metrics", "--host", dump, "--listen", "0",
         "--refusals", counters, *PER_HOST],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        said = ""
        while "metrics at" not in said:
            said = exporter.stderr.readline()
            assert said, "the exporter has ended"
        target = re.search(r"//(.*)/", said)[1]
        with server.running(folder, [target]) as running:
            total = "pinning_filter_scheduler_refusals_total"
            assert server.until(lambda: running.query(total))
            write_counts(counters, 7)
            assert server.until(
                lambda: running.query(f"increase({total}[1m]) > 0")
            )
            yield running
    finally:
        exporter.terminate()
        exporter.wait(30)


@pytest.mark.parametrize(
    "query", dashboard.queries(), ids=lambda query: query.panel
)
def test_a_query_of_the_dashboard_returns_series(prometheus, query):
    assert prometheus.query(query.expression)


@pytest.mark.parametrize(
    "query", dashboard.queries(), ids=lambda query: query.panel
)
def test_the_labels_of_a_legend_are_there(prometheus, query):
    for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
        found = prometheus.get("query", query=query.expression)["result"]
        assert all(label in each["metric"] for each in found)


def test_the_variables_of_the_dashboard_have_values(prometheus):
    for name, label in (("pinning_filter_hosts_open", "instance"),
                        ("pinning_filter_host_pcpus", "hostname")):
        found = prometheus.get(f"label/{label}/values", **{"match[]": name})
        assert found


def test_what_prometheus_has_is_what_was_counted(prometheus):
    assert prometheus.query(
        'pinning_filter_host_pcpus{hostname="full", state="pinned"}'
    ) == {("full", "0", "pinned"): 4}
    assert prometheus.query("pinning_filter_cell_up") == {
        ("cell1",): 1, ("cell2",): 0,
    }


def test_it_has_no_complaints_about_the_text(prometheus):
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert prometheus.query("up") == {(): 1}


def test_alerts_are_evaluated_and_those_of_this_cloud_are_pending(prometheus):
    def found():
        (group,) = prometheus.get("rules")["groups"]
        assert len(group["rules"]) == 8
        assert not [rule for rule in group["rules"] if rule.get("lastError")]
        return {
            rule["name"] for rule in group["rules"]
            if rule["state"] in ("pending", "firing")
        }

    # A cell is missing, so nothing is said of how many hosts can fail.
    server.until(lambda: found() >= FIRING)
    assert found() >= FIRING
    assert "PinningTooFewHostsCanFail" not in found()


def test_joining_by_hostname(prometheus):
    """As with openstack-exporter, whose series have the label, too."""
    joined = prometheus.query(
        "sum by (hostname) (pinning_filter_host_pcpus)"
        " * on (hostname) group_left (reason) pinning_filter_host_closed"
    )
    assert ("off", "disabled") in joined
