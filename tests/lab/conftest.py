"""Fixtures of the walks; nothing is collected unless the lab asks for it."""

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

if "PINNING_LAB_TEST" in os.environ:
    from lab import host, layout, node, node_layout
    from tests.lab import client, seen, tidy, walks
else:
    collect_ignore_glob = ["test_*.py"]

#: No walk begins after this moment (seconds since 1970): a machine may be
#: too slow for all of them.
UNTIL = float(os.environ.get("LAB_WALKS_UNTIL", "inf"))
#: Seconds that Nova may take to write what it freed.
PATIENCE = 180
#: Whether a test failed, up to now.
FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Say what the markers mean, and keep the rows of the table."""
    config.addinivalue_line(
        "markers", "host(**view): how the compute host is shown")
    config.addinivalue_line(
        "markers", "node(beside=False, pair=False): on the second compute "
        "node, which `make lab-node` starts, alone or beside the first; or "
        "on both that `make lab-nodes` starts")
    # Of the libraries that the client stands on, not of ours.
    for kind in ("DeprecationWarning", "PendingDeprecationWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{kind}")
    config.stash_rows = []


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the walks on compute nodes that do not run."""
    if "PINNING_LAB_TEST" not in os.environ:
        return
    running = running_hosts()
    left = [item for item in items if not hosts_of(item) <= running]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what there is no time for."""
    if time.time() > UNTIL:
        pytest.skip("no time is left for it")


@pytest.fixture(scope="session")
def empty_cloud() -> Iterator[None]:
    """Nothing of an earlier use is in the way; all hosts serve at the end."""
    hosts = running_hosts() & seen.known_hosts()
    try:
        client.delete_all()
    finally:
        if tidy.needed(hosts):
            tidy.up(hosts)
    client.delete_flavors()
    yield
    let_choose(seen.known_hosts())


def running_hosts() -> set[str]:
    """The compute hosts of the lab that run now."""
    return {layout.HOST} | {each.name for each in node_layout.NODES
                            if node.daemon(each).pid()}


def let_choose(hosts: set[str]) -> None:
    """Let the scheduler choose these compute hosts and no other."""
    for name in seen.enabled_hosts() ^ hosts:
        if name in seen.known_hosts():
            client.enable(name, name in hosts)


def hosts_of(item: pytest.Item) -> set[str]:
    """The compute hosts that the test's marker asks for."""
    marker = item.get_closest_marker("node")
    if marker is None:
        return {layout.HOST}
    others = {"beside": layout.HOST, "pair": node_layout.SECOND.name}
    return {node_layout.NAME} | {
        name for key, name in others.items() if marker.kwargs.get(key)}


@pytest.fixture
def walk(
    request: pytest.FixtureRequest, empty_cloud: None
) -> Iterator["walks.Walk"]:
    """The record of this test; at its end everything must be free again.

    What a walk that failed left behind is removed, so that the next ones do
    not fail by it; what of a walk that did not fail fails that walk.
    """
    hosts = hosts_of(request.node)
    let_choose(hosts)
    show_host(request)
    name = request.node.name.removeprefix("test_").replace("_", " ")
    record = walks.Walk(name)
    yield record
    request.config.stash_rows.extend(record.rows)
    record.rows.clear()
    if request.node.stash.get(FAILED, False):
        record.note("removed after it failed", tidy.up(hosts))
    try:
        client.delete_all()
        for name in sorted(hosts):
            record.check(f"left on {name}: domains, claims, pCPUs, PCPU",
                         tidy.left_in_the_end(name, PATIENCE), tidy.NOTHING)
    except Exception:
        record.note("removed, since it was left", tidy.up(hosts))
        raise
    finally:
        client.delete_flavors()
        request.config.stash_rows.extend(record.rows)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Iterator[None]:
    """Let the walk's fixture know whether the walk failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def show_host(request: pytest.FixtureRequest) -> None:
    """Show the compute host as the test's marker says, if it does."""
    marker = request.node.get_closest_marker("host")
    if marker is None:
        return
    view = host.Host(**marker.kwargs)
    if host.load() == view:
        return
    client.delete_all()
    subprocess.run(
        ["/usr/bin/python3", "-m", "lab", "host",
         "--threads-per-core", str(view.threads_per_core),
         "--dedicated", view.dedicated, "--shared", view.shared,
         "--huge-pages", str(view.huge_pages),
         "--virt-type", view.virt_type],
        check=True,
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table: each walk, what was expected, what was seen, seconds."""
    if config.stash_rows:
        terminalreporter.section("walks")
        terminalreporter.write_line(walks.table(config.stash_rows))
