"""Every plan that empties a host, tried: what the planner is held against.

Knows of the planner's rules only what Nova's own are, written down anew.
"""

from __future__ import annotations

from collections.abc import Iterator

from pinning_filter.core.refusal import Refusal
from pinning_filter.fleet.hosts import Cloud, CloudHost
from pinning_filter.fleet.servers import Server

Hosts = dict[str, CloudHost]


def fewest_more(cloud: Cloud, gone: str, most: int) -> int | None:
    """The fewest moves of other hosts' servers after which all can go.

    :returns: None: not even ``most`` moves are enough.
    """
    clouds = [{each.name: each for each in cloud.hosts}]
    for moved in range(most + 1):
        if any(_can_be_emptied(each, gone, {}) for each in clouds):
            return moved
        clouds = [then for each in clouds for then in _moved(each, gone)]
    return None


def _can_be_emptied(hosts: Hosts, gone: str, seen: dict[object, bool]) -> bool:
    if not hosts[gone].servers:
        return True
    key = tuple(
        frozenset(
            (each.id, str(getattr(each, "placement", "")))
            for each in host.servers
        )
        for host in hosts.values()
    )
    if key not in seen:
        seen[key] = any(
            _can_be_emptied(then, gone, seen)
            for server in hosts[gone].servers
            for then in _targets(hosts, server, gone, gone)
        )
    return seen[key]


def _moved(hosts: Hosts, gone: str) -> Iterator[Hosts]:
    for name, host in hosts.items():
        if name != gone:
            for server in host.servers:
                if not server.fixed:
                    yield from _targets(hosts, server, name, gone)


def _targets(
    hosts: Hosts, server: Server, source: str, gone: str
) -> Iterator[Hosts]:
    for name, host in hosts.items():
        if name in (source, gone) or not group_lets(hosts, server, name):
            continue
        answer = host.answer(server)
        if not isinstance(answer, Refusal):
            yield hosts | {
                source: hosts[source].without(server),
                name: host.adding(server, answer),
            }


def group_lets(hosts: Hosts, server: Server, target: str) -> bool:
    """What Nova's two filters for server groups say."""
    group = server.group
    if group is None:
        return True
    members = {
        name: [each.id for each in host.servers if each.id in group.members]
        for name, host in hosts.items()
    }
    if group.policy.value == "affinity":
        return bool(members[target])
    if group.policy.value == "anti-affinity":
        return len(members[target]) < group.most
    return True
