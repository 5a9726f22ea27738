"""Fixtures of the walks; nothing is collected unless the lab asks for it."""

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

if "PINNING_LAB_TEST" in os.environ:
    from lab import host
    from tests.lab import client, seen, walks
else:
    collect_ignore_glob = ["test_*.py"]

#: Seconds that Nova may take to write what it freed.
PATIENCE = 60


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means, and keep the rows of the table."""
    config.addinivalue_line(
        "markers", "host(**view): how the compute host is shown")
    # Of the libraries that the client stands on, not of ours.
    for kind in ("DeprecationWarning", "PendingDeprecationWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::{kind}")
    config.stash_rows = []


@pytest.fixture(scope="session")
def empty_cloud() -> None:
    """No server of an earlier use is in the way."""
    client.delete_all()


@pytest.fixture
def walk(
    request: pytest.FixtureRequest, empty_cloud: None
) -> Iterator["walks.Walk"]:
    """The record of this test; at its end everything must be free again."""
    show_host(request)
    name = request.node.name.removeprefix("test_").replace("_", " ")
    record = walks.Walk(name)
    yield record
    request.config.stash_rows.extend(record.rows)
    record.rows.clear()
    try:
        client.delete_all()
        record.check("left: domains, claims, pCPUs, PCPU", left(), NOTHING)
    finally:
        request.config.stash_rows.extend(record.rows)


NOTHING = ({}, {}, set(), 0)


def left() -> tuple[object, ...]:
    """What is still in use, by libvirt, Nova and Placement; waits a bit."""
    limit = time.monotonic() + PATIENCE
    while True:
        found = (seen.defined(), seen.claimed(), seen.host_pinned(),
                 client.usage(seen.node_uuid()).get("PCPU", 0))
        if found == NOTHING or time.monotonic() > limit:
            return found
        time.sleep(1)


def show_host(request: pytest.FixtureRequest) -> None:
    """Show the compute host as the test's marker says."""
    marker = request.node.get_closest_marker("host")
    view = host.Host(**marker.kwargs)
    if host.load() == view:
        return
    client.delete_all()
    subprocess.run(
        ["/usr/bin/python3", "-m", "lab", "host",
         "--threads-per-core", str(view.threads_per_core),
         "--dedicated", view.dedicated, "--shared", view.shared,
         "--huge-pages", str(view.huge_pages)],
        check=True,
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The table: each walk, what was expected, what was seen, seconds."""
    if config.stash_rows:
        terminalreporter.section("walks")
        terminalreporter.write_line(walks.table(config.stash_rows))
