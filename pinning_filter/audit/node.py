"""World against itself: what one compute node runs, and how.

libvirt's running domains with each other, with what they are defined as, with
the kernel's threads and memory, and with nova.conf. Needs an observation and
nothing else; Nova's tables come in with ``joined``.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from pinning_filter.audit import machine, memory
from pinning_filter.audit.findings import Code, Finding, command
from pinning_filter.audit.observation import Domain, Observation
from pinning_filter.core import cpuset
from pinning_filter.kernel import guests as kernel_guests
from pinning_filter.libvirt.running import Running

#: More commands than these are no help any more.
_MOST_COMMANDS = 8
#: The one kind of which there is one thread.
_EMULATOR = "emulator"

#: Kind and number of each thread -> the pCPUs that it may run on; None: any.
Threads = dict[tuple[str, int], frozenset[int] | None]


def findings(
    seen: Observation, known: AbstractSet[str] | None = None
) -> Iterator[Finding]:
    """Every disagreement on the node.

    :param known: UUIDs of the servers that Nova has there; None: that is not
        known, and whoever has Nova's metadata is taken for known.
    """
    yield from machine.findings(seen)
    for name, why in sorted(seen.unread.items()):
        yield Finding(
            Code.DOMAIN_UNREADABLE, seen.host, "a domain's XML", why,
            command("virsh", "dumpxml", name), "", name,
        )
    for domain in seen.domains:
        live = domain.live
        if not live.by_nova if known is None else live.uuid not in known:
            yield unknown(seen, live)
        yield from _changed(seen, domain)
        yield from _threads(seen, domain)
        yield from _floating(seen, domain)
        yield from _outside(seen, live)
        yield from memory.of_domain(seen, domain)
    yield from _twice(seen)
    yield from memory.of_cells(seen)


def unknown(seen: Observation, live: Running) -> Finding:
    """A domain that Nova does not know."""
    held = live.held(seen.settings.dedicated)
    return Finding(
        Code.DOMAIN_UNKNOWN, seen.host, "a server of Nova's",
        f"domain {live.name} runs"
        + (f" on {cpuset.named(held)}" if held else ""),
        command("virsh", "destroy", live.uuid or live.name),
        live.uuid, live.server or live.name, held,
    )


def _repin(live: Running, wanted: Mapping[tuple[str, int], str]) -> str:
    """The commands that pin a domain's threads.

    :param wanted: kind and number of the thread -> pCPUs.
    """
    commands = []
    for (kind, number), pcpus in wanted.items():
        words = ["virsh", f"{kind}pin", live.name]
        words += [] if kind == _EMULATOR else [str(number)]
        commands.append(command(*words, pcpus, "--live"))
    if not live.by_nova or len(commands) <= _MOST_COMMANDS:
        return " && ".join(commands)
    return command("openstack", "server", "reboot", "--hard", live.uuid)


def threads_of(guest: Running | kernel_guests.Threads) -> Threads:
    """Each thread -> the pCPUs that it may run on."""
    return {
        **{("vcpu", each): pcpus for each, pcpus in guest.vcpus.items()},
        (_EMULATOR, 0): guest.emulator,
        **{("iothread", each): pcpus
           for each, pcpus in guest.iothreads.items()},
    }


def _difference(
    expected: Threads, seen: Threads
) -> tuple[str, str, Threads]:
    """What differs: expected and seen in words, and the threads expected."""
    wrong = {
        thread: pcpus
        for thread, pcpus in expected.items()
        if thread in seen and seen[thread] != pcpus
    }
    return _said(wrong), _said({each: seen[each] for each in wrong}), wrong


def _said(threads: Threads) -> str:
    """Threads that may run on the same pCPUs, together."""
    alike: dict[frozenset[int] | None, list[str]] = {}
    for (kind, number), pcpus in threads.items():
        word = "vCPU" if kind == "vcpu" else kind
        name = word if kind == _EMULATOR else f"{word} {number}"
        alike.setdefault(pcpus, []).append(name)
    return "; ".join(
        f"{', '.join(names)} on "
        + ("any pCPU" if pcpus is None else cpuset.named(pcpus))
        for pcpus, names in alike.items()
    )


def differing(
    code: Code, seen: Observation, live: Running,
    expected: Threads, found: Threads,
) -> Iterator[Finding]:
    """A finding, if any thread may run elsewhere than it should."""
    right, wrong, threads = _difference(expected, found)
    if threads:
        every = seen.kernel.online or frozenset()
        extra = {
            pcpu
            for thread in threads
            for pcpu in (found[thread] or frozenset())
            - (threads[thread] or frozenset())
        }
        yield Finding(
            code, seen.host, right, wrong,
            _repin(live, {
                thread: cpuset.format(every if pcpus is None else pcpus)
                for thread, pcpus in threads.items()
            }),
            live.uuid, live.server or live.name,
            frozenset(extra) & seen.settings.dedicated,
        )


def _changed(seen: Observation, domain: Domain) -> Iterator[Finding]:
    """Pinned otherwise than when it was started."""
    if domain.defined and domain.defined != domain.live:
        yield from differing(
            Code.PIN_CHANGED, seen, domain.live,
            threads_of(domain.defined), threads_of(domain.live),
        )


def _threads(seen: Observation, domain: Domain) -> Iterator[Finding]:
    """The kernel's threads, against what libvirt says of them."""
    if domain.threads is None:
        return
    online = seen.kernel.online
    usable = online if seen.kernel.guests is None else seen.kernel.guests
    expected: Threads = {}
    for thread, pcpus in threads_of(domain.live).items():
        if pcpus is None:
            continue
        # An offline pCPU is told of the machine, and libvirt's files of
        # the guest's cgroup leave it out.
        kept = pcpus if usable is None else pcpus & usable
        if kept:
            expected[thread] = kept
    found: Threads = {
        thread: pcpus if pcpus is None or online is None else pcpus & online
        for thread, pcpus in threads_of(domain.threads).items()
    }
    yield from differing(
        Code.THREAD_ELSEWHERE, seen, domain.live, expected, found
    )


def _floating(seen: Observation, domain: Domain) -> Iterator[Finding]:
    """Threads that float, and may do so on pCPUs of pinned guests."""
    settings, live = seen.settings, domain.live
    anywhere = _anywhere(seen)
    pool = anywhere if settings.shared is None else settings.shared
    # Where a set is both, as with vcpu_pin_set, Nova lets them.
    closed = settings.dedicated - pool - live.held(settings.dedicated)
    # Of a thread that libvirt leaves alone, the kernel says where it is.
    kept = threads_of(domain.threads) if domain.threads else {}
    wrong: Threads = {}
    for thread, pcpus in threads_of(live).items():
        where = pcpus or kept.get(thread) or anywhere
        if where & closed:
            wrong[thread] = where
    if not wrong:
        return
    open_to_them = (pool or anywhere) - settings.dedicated
    yield Finding(
        Code.FLOATING_ON_DEDICATED, seen.host,
        f"not on pCPUs {cpuset.format(closed)}", _said(wrong),
        _repin(live, dict.fromkeys(wrong, cpuset.format(open_to_them)))
        if open_to_them
        else command("openstack", "server", "migrate", "--wait", live.uuid),
        live.uuid, live.server or live.name,
        closed & frozenset[int]().union(
            *(pcpus or () for pcpus in wrong.values())
        ),
    )


def _anywhere(seen: Observation) -> frozenset[int]:
    kernel = seen.kernel
    online = kernel.online or frozenset()
    return online if kernel.guests is None else online & kernel.guests


def _outside(seen: Observation, live: Running) -> Iterator[Finding]:
    """vCPUs with one pCPU, which is not dedicated."""
    settings = seen.settings
    pools = [
        cell.pcpus & (settings.shared or frozenset())
        for cell in seen.kernel.cells.values()
    ]
    wrong = {
        pcpu
        for pcpu in live.pinning.values()
        # Of a cell with one shared pCPU, floating vCPUs have just that.
        if pcpu not in settings.dedicated and {pcpu} not in pools
    }
    if wrong and live.by_nova:
        yield Finding(
            Code.PCPU_NOT_DEDICATED, seen.host,
            f"pCPUs of {cpuset.format(settings.dedicated) or 'none'}",
            f"pinned to {cpuset.format(wrong)}",
            command("openstack", "server", "migrate", "--wait", live.uuid),
            live.uuid, live.server or live.name, frozenset(wrong),
        )


def _twice(seen: Observation) -> Iterator[Finding]:
    """pCPUs that several guests, or vCPUs of one, have for themselves."""
    dedicated = seen.settings.dedicated
    holders: dict[int, list[Running]] = collections.defaultdict(list)
    for domain in seen.domains:
        live = domain.live
        for pcpu in live.held(dedicated):
            holders[pcpu].append(live)
        vcpus = collections.Counter(live.pinning.values())
        for pcpu, count in vcpus.items():
            if count > 1 and pcpu in dedicated:
                holders[pcpu].append(live)
    groups: dict[tuple[str, ...], set[int]] = collections.defaultdict(set)
    named: dict[str, Running] = {}
    for pcpu, lives in holders.items():
        if len(lives) > 1:
            groups[tuple(live.uuid for live in lives)].add(pcpu)
            named |= {live.uuid: live for live in lives}
    for uuids, pcpus in sorted(groups.items(), key=lambda each: min(each[1])):
        last = named[uuids[-1]]
        who = ", ".join(dict.fromkeys(uuids))
        yield Finding(
            Code.PCPU_RUN_TWICE, seen.host,
            f"one guest thread on {cpuset.named(pcpus)}",
            f"vCPUs of {who}" + (", twice" if len(set(uuids)) == 1 else ""),
            command("openstack", "server", "migrate", "--wait", last.uuid),
            last.uuid, last.server or last.name, frozenset(pcpus),
        )
