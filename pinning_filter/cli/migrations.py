"""A step of a plan as commands of ``openstack``, and a plan as a script.

Nothing that a tenant wrote gets into either: servers are named by their
UUIDs, and every word is quoted for the shell.
"""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterable, Iterator, Sequence

from pinning_filter.fleet.steps import Step

#: The first microversions in which ``--host`` is asked of the scheduler, too.
_LIVE = "2.30"
_COLD = "2.56"

_CONFIRM = ("openstack", "server", "migration", "confirm")

_BEGIN = """\
#!/bin/sh
# Made by pinning-filter. Read it before you run it. It ends at the first
# migration that fails; what is on its way then goes on.
set -eu

arrived() { # SERVER HOST
    while
        task=$(openstack server show -f value -c OS-EXT-STS:task_state "$1") ||
            return 1
        test "$task" != None
    do
        sleep 5
    done
    host=$(openstack server show -f value -c OS-EXT-SRV-ATTR:host "$1")
    if test "$host" != "$2"; then
        echo "server $1 is on host $host, not on $2" >&2
        return 1
    fi
}

live() { # SERVER HOST
    openstack --os-compute-api-version %(live)s server migrate \\
        --live-migration --host "$2" "$1"
    arrived "$1" "$2"
}

cold() { # SERVER HOST
    openstack --os-compute-api-version %(cold)s server migrate \\
        --host "$2" "$1"
    arrived "$1" "$2"
    openstack server migration confirm "$1"
    while
        status=$(openstack server show -f value -c status "$1") || return 1
        test "$status" = VERIFY_RESIZE
    do
        sleep 5
    done
}

all_done() { # PROCESS...
    failed=0
    for each in "$@"; do
        wait "$each" || failed=1
    done
    return $failed
}
"""


def command(step: Step) -> str:
    """What carries a step out, and waits for its end, for a shell.

    The client waits for the state "active", which a paused server never has.
    """
    server, target = step.move.server, step.move.target
    live = ["--live-migration"] if step.live else []
    wait = [] if server.paused else ["--wait"]
    words = [
        "openstack",
        "--os-compute-api-version",
        _LIVE if step.live else _COLD,
        "server",
        "migrate",
        *live,
        "--host",
        target,
        *wait,
        server.id,
    ]
    if step.live:
        return shlex.join(words)
    return f"{shlex.join(words)} && {shlex.join([*_CONFIRM, server.id])}"


def script(steps: Iterable[Step]) -> str:
    """The plan for a shell: steps of a stage at once, stage after stage."""
    ordered = sorted(steps, key=lambda step: (step.stage, step.number))
    stages = itertools.groupby(ordered, key=lambda step: step.stage)
    parts = [_BEGIN % {"live": _LIVE, "cold": _COLD}]
    parts += ["\n".join(_stage(n, list(some))) for n, some in stages]
    return "\n".join([*parts, ""])


def _stage(number: int, steps: Sequence[Step]) -> Iterator[str]:
    yield f"# stage {number}"
    if len(steps) == 1:
        yield _call(steps[0])
        return
    names = [f"step{step.number}" for step in steps]
    for name, step in zip(names, steps, strict=True):
        yield f"{_call(step)} & {name}=$!"
    yield " ".join(["all_done", *(f'"${name}"' for name in names)])


def _call(step: Step) -> str:
    how = "live" if step.live else "cold"
    return shlex.join([how, step.move.server.id, step.move.target])
