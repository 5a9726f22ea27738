"""What a walk that failed left behind goes, whatever it takes.

Nova is asked first. What it does not remove is removed behind its back: one
guest, row or allocation that stays makes every later walk fail.
"""

import time

from openstack import exceptions

from lab import layout, process, services
from tests.lab import client, seen

#: Seconds that Nova has for its part.
PATIENCE = 60
#: How a migration ends that is to hold nothing any more.
ENDED = "failed"


def up(hosts: set[str]) -> list[str]:
    """Remove all that is left on these hosts; what it was, a line each."""
    done = [*_services(hosts), *_servers()]
    for host in sorted(hosts):
        done += [*_domains(host), *_allocations(host)]
    _end_migrations()
    for host in sorted(hosts):
        if seen.host_pinned(host):
            done.append(f"pCPUs {seen.host_pinned(host)} pinned on {host}")
            _count_anew(host)
    return done


def _services(hosts: set[str]) -> list[str]:
    """A walk may stop or add services, and call a compute node down."""
    done = []
    if services.second_scheduler().stop():
        done.append("a second scheduler")
    done += [
        f"{daemon.name} did not run"
        for daemon in services.all_daemons() if daemon.start()
    ]
    for host in sorted(hosts & seen.forced_down()):
        done.append(f"{host} was forced down")
        client.force_down(host, False)
    return done


def _servers() -> list[str]:
    try:
        client.delete_all(PATIENCE)
        return []
    except (TimeoutError, exceptions.SDKException):
        left = client.servers()
    for server in left:
        # From cell 0, or without a cell yet, it is a row elsewhere as well.
        seen.nova_rows(
            "UPDATE instances SET deleted = id, deleted_at = NOW(), "
            f"vm_state = 'deleted', task_state = NULL WHERE uuid = '{server}'")
        for table in ("instance_mappings", "build_requests",
                      "request_specs"):
            seen.nova_rows(
                f"DELETE FROM nova_api.{table} "
                f"WHERE instance_uuid = '{server}'")
    return [f"server {server}" for server in left]


def _domains(host: str) -> list[str]:
    """No server is left, so no domain is anybody's."""
    found = sorted(seen.domains(host))
    for domain in found:
        for verb in ("destroy", "undefine"):
            # It may not run, or be gone by then.
            seen.on(host, f"{seen.virsh_command(host, verb, domain)} || true")
    return [f"domain {domain} on {host}" for domain in found]


def _allocations(host: str) -> list[str]:
    placement = client.sdk().placement
    answer = placement.get(
        f"/resource_providers/{seen.node_uuid(host)}/allocations")
    exceptions.raise_from_response(answer)
    found = sorted(answer.json()["allocations"])
    for consumer in found:
        placement.delete(f"/allocations/{consumer}")
    return [f"allocation of {consumer} on {host}" for consumer in found]


def _end_migrations() -> None:
    """Nova counts those that go on, and those that failed on the way."""
    seen.nova_rows(
        f"UPDATE migrations SET status = '{ENDED}' WHERE status NOT IN "
        "('confirmed', 'reverted', 'completed', 'done', 'cancelled')")


def _count_anew(host: str) -> None:
    """nova-compute counts what it has when it starts."""
    if host == layout.HOST:
        services.nova_compute().stop()
        services.nova_compute().start()
    else:
        # The node's first process starts it again.
        seen.on(host, "kill $(pgrep -o nova-compute)")
    process.wait_for(lambda: not seen.host_pinned(host), client.PATIENCE)


def needed(hosts: set[str]) -> bool:
    """Whether anything is left."""
    return any(left(host) != NOTHING for host in hosts)


#: No domain, claim, pinned pCPU and allocated PCPU.
NOTHING = ({}, {}, set(), 0)


def left(host: str) -> tuple[object, ...]:
    """What is in use on a host, by libvirt, Nova and the Placement API."""
    return (seen.defined(host), seen.claimed(host), seen.host_pinned(host),
            client.usage(seen.node_uuid(host)).get("PCPU", 0))


def left_in_the_end(host: str, patience: float) -> tuple[object, ...]:
    """The same once Nova has written what it freed, or will not."""
    limit = time.monotonic() + patience
    while (found := left(host)) != NOTHING and time.monotonic() < limit:
        time.sleep(1)
    return found
