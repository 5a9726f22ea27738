"""A cloud in which a lot goes on, and nothing is wrong: nothing is found.

nova-compute reports as often as by default, and the audit waits as long as by
default between its looks.
"""

import collections
import time
from pathlib import Path

import pytest

from lab import layout, node_layout
from tests.lab import audits, busy, client, commands
from tests.lab.walks import Walk

#: How often each thing is to be done while the audit looks.
TIMES = 3
#: Seconds that all of it may take.
PATIENCE = 900
OBSERVED = layout.RUN / "observed.json"


def audit(walk: Walk, nodes: tuple[str, ...]) -> None:
    """The cloud, this compute node by itself, both together, and others."""
    observed = commands.run(
        "audit", *commands.NODE, "--observe", "-o", str(OBSERVED))
    assert observed.code == 0, observed.errors
    for where, answer in (
        ("the cloud", commands.live("audit")),
        ("this node", commands.run("audit", *commands.NODE, "-f", "json")),
        ("both", commands.live("audit", "--host", layout.HOST,
                               "--observed", str(OBSERVED))),
    ):
        walk.check(where, (answer.code, answer.rows), (0, []))
    for name in nodes:
        walk.check(name, audits.of_node(name, wait=30), [])


def audited(
    walk: Walk, working: list[busy.User], *wanted: str,
    nodes: tuple[str, ...] = (),
) -> None:
    """Audit until all of this was done, a few times, meanwhile."""
    rounds = 0
    begin = time.monotonic()
    while time.monotonic() < begin + PATIENCE:
        audit(walk, nodes)
        rounds += 1
        done = sum((each.done for each in working), collections.Counter())
        if all(done[what] >= TIMES for what in wanted) and rounds >= TIMES:
            break
    walk.check(f"in {rounds} rounds of audits, done at least {TIMES} times",
               {what for what in wanted if done[what] >= TIMES}, set(wanted))


@pytest.mark.host(threads_per_core=1)
def test_builds_and_resizes(walk: Walk, tmp_path: Path) -> None:
    small, large = (client.flavor(1, ram, cpu_policy="dedicated")
                    for ram in (64, 128))
    # Of the two pCPUs a resize holds both.
    act = busy.in_turn(busy.builds(small), busy.resizes((small, large)))
    with audits.often(tmp_path, audits.USUAL), busy.users(act) as working:
        audited(walk, working, "built", "resized")


@pytest.mark.node(pair=True)
def test_builds_resizes_and_live_migrations(walk: Walk) -> None:
    small, large = (client.flavor(1, ram, cpu_policy="dedicated")
                    for ram in (64, 128))
    nodes = tuple(each.name for each in node_layout.NODES)
    acts = (busy.builds(small), busy.resizes((small, large)),
            busy.migrates(small, nodes))
    with busy.users(*acts) as working:
        audited(walk, working, "built", "resized", "migrated", nodes=nodes)
