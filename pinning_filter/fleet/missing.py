"""Why a server finds no place, and what would help.

After a plan that left it without one. Facts are those of the hosts as they
are when the rest of the plan is done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from pinning_filter.core.refusal import Refusal
from pinning_filter.core.remedy import remedies
from pinning_filter.fleet import summary
from pinning_filter.fleet.hosts import CloudHost
from pinning_filter.fleet.layout import Layout
from pinning_filter.fleet.servers import Server

#: So many ways to help are told.
_MOST_TOLD = 3


def sentence(layout: Layout, server: Server) -> str:
    """Why no host that is left takes the server."""
    refusals = [refusal for _, refusal in _refusals(layout, server)]
    if not refusals:
        return "No host is left that may take it."
    what = "" if server.topology else "a server without a NUMA topology"
    return summary.sentence(server.topology, refusals, what=what)


def _refusals(
    layout: Layout, server: Server
) -> Iterator[tuple[CloudHost, Refusal]]:
    for name in layout.places.hosts:
        if name not in layout.gone:
            host = layout.host(name)
            refusal = layout.against(server, name)
            answer = host.answer(server) if refusal is None else refusal
            if isinstance(answer, Refusal):
                yield host, answer


def helps(
    layout: Layout, server: Server, closed: Iterable[CloudHost]
) -> tuple[str, ...]:
    """What would find it a place, the nearest first, as sentences.

    1. A host that takes nobody now; of each kind the first by name.
    2. A host that only its server group keeps it from, or only its zone, its
       aggregates or its traits.
    3. What must be freed on the host that comes nearest.

    :param closed: hosts that take no servers, and do not have to be emptied.
    """
    found = (
        *_if_opened(layout, server, closed),
        *_if_allowed(layout, server),
        *_if_freed(layout, server),
    )
    return found[:_MOST_TOLD]


def _if_opened(
    layout: Layout, server: Server, closed: Iterable[CloudHost]
) -> Iterator[str]:
    fits = (
        f"It fits on {host.name}, which takes no servers now: {host.closed}."
        for host in closed
        if layout.may(server, host.name)
        and not isinstance(host.answer(server), Refusal)
    )
    yield from itertools.islice(fits, 1)


def _if_allowed(layout: Layout, server: Server) -> Iterator[str]:
    ruled_out = {True: "", False: ""}
    for name in sorted(layout.places.hosts.keys() - layout.gone):
        if layout.against(server, name) is None:
            continue
        may = layout.may(server, name)
        if ruled_out[may] or isinstance(
            layout.host(name).answer(server), Refusal
        ):
            continue
        ruled_out[may] = name
    if ruled_out[True] and server.group:
        yield (
            f"It fits on {ruled_out[True]}, were it not for its server group "
            f"of policy {server.group.policy.value}."
        )
    if ruled_out[False]:
        yield (
            f"It fits on {ruled_out[False]}, which its availability zone, "
            "aggregates or traits rule out."
        )


def _if_freed(layout: Layout, server: Server) -> Iterator[str]:
    asked = server.topology
    if asked is None:
        return
    hosts = [
        (refusal.gist.distance, host.name, host)
        for host, refusal in _refusals(layout, server)
        if layout.against(server, host.name) is None
        and isinstance(host.fit(asked), Refusal)
    ]
    for _, name, host in sorted(hosts, key=lambda each: each[:2])[:1]:
        for remedy in remedies(host.host, asked, host.strategy):
            if remedy.request is asked:
                yield f"On {name} it {remedy.text}."
