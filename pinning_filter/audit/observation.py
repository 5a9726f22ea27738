"""What one compute node was seen to do, and how it is looked at.

First of what compares the world with the books: values, and the one function
that makes them, of a connection to libvirt and the kernel's files. What is
wrong with them is for ``node`` and ``joined`` to say.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pinning_filter.core.errors import Invalid
from pinning_filter.kernel import guests as kernel_guests
from pinning_filter.kernel import host as kernel_host
from pinning_filter.kernel.files import HERE, Roots
from pinning_filter.libvirt import running
from pinning_filter.libvirt.running import Running

#: libvirt's ``VIR_CONNECT_LIST_DOMAINS_ACTIVE`` and
#: ``VIR_DOMAIN_XML_INACTIVE``, as its ABI has them.
_ACTIVE = 1
_INACTIVE = 2
#: And ``VIR_DOMAIN_PAUSED`` with ``VIR_DOMAIN_PAUSED_STARTING_UP``.
_STARTING = (3, 11)
#: Texts of so many domains are remembered, some KiB each.
_DOMAINS = 512


class Settings(NamedTuple):
    """What nova.conf says there."""

    dedicated: frozenset[int] = frozenset()  #: pCPUs open to pinning
    #: pCPUs for floating vCPUs; None: any.
    shared: frozenset[int] | None = None
    #: Whether Nova switches dedicated pCPUs off that nobody is pinned to.
    power_managed: bool = False


def configured(roots: Roots = HERE) -> Settings:
    """What the nova.conf says that was read.

    :raises Exception: Nova's, for a set that names no pCPUs.
    """
    # Nova takes seconds to load.
    from pinning_filter.nova import config

    sets = config.cpu_sets()
    dedicated = sets.dedicated
    if dedicated is None:
        dedicated = kernel_host.read(roots).online or frozenset()
    return Settings(dedicated, sets.shared, sets.power_managed)


@dataclasses.dataclass(frozen=True, slots=True)
class Domain:
    """A domain that runs."""

    live: Running  #: as it runs
    #: As it will be started next; None: libvirt forgets it then.
    defined: Running | None = None
    #: None: its process is not seen here.
    threads: kernel_guests.Threads | None = None
    #: None: not asked for, or not to be seen by who asked.
    memory: kernel_guests.Memory | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """A compute node at one moment. Names are hostile, as tenants' are."""

    host: str  #: as ``openstack compute service list`` shows it
    taken: str  #: when, in UTC
    settings: Settings
    kernel: kernel_host.Kernel
    domains: tuple[Domain, ...]  #: in the order of their names
    #: Domains whose XML cannot be read: name -> why.
    unread: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def unseen(self) -> int:
        """How many domains' processes were not seen."""
        return sum(domain.threads is None for domain in self.domains)


class Observer:
    """Looks at this machine, and remembers which process is whose.

    :param connect: the way to libvirt-python's connection, asked for at
        every look: libvirt may have been started anew.
    :param roots: the kernel's files.
    """

    def __init__(
        self, connect: Callable[[], Any], roots: Roots = HERE
    ) -> None:
        self._connect = connect
        self._roots = roots
        self._processes: dict[str, int] = {}
        # From one look to the next a domain's XML hardly ever changes.
        self._read = functools.lru_cache(maxsize=_DOMAINS)(running.read)

    def look(
        self, host: str, settings: Settings, *, memory: bool = False
    ) -> Observation:
        """What is there now.

        :param memory: whether to look where guests' memory is, which is
            root's to see, and takes the kernel a second for hundreds of GiB.
        :raises libvirt.libvirtError: if libvirt does not answer.
        """
        unread: dict[str, str] = {}
        found = sorted(self._running(unread), key=lambda each: each[0].name)
        self._processes = kernel_guests.processes(
            [live.uuid for live, *_ in found], self._roots, self._processes
        )
        now = datetime.datetime.now(datetime.timezone.utc)
        return Observation(
            host,
            now.isoformat(timespec="seconds"),
            settings,
            kernel_host.read(self._roots),
            tuple(self._domains(found, memory)),
            unread,
        )

    def _domains(
        self, found: Sequence[tuple[Running, Running | None, Any]],
        memory: bool,
    ) -> Iterator[Domain]:
        """Those that still run when their processes were looked at."""
        for live, defined, domain in found:
            seen = self._domain(live, defined, memory)
            unseen = seen.threads is None or (memory and seen.memory is None)
            if not (unseen and _fleeting(domain)):
                yield seen

    def _running(
        self, unread: dict[str, str]
    ) -> Iterator[tuple[Running, Running | None, Any]]:
        for domain in self._connect().listAllDomains(_ACTIVE):
            name = str(domain.name())
            try:
                live = self._read(domain.XMLDesc(0))
            except Invalid as error:
                unread[name] = str(error)
                continue
            except Exception as error:
                if _fleeting(domain):
                    continue
                unread[name] = str(error)
                continue
            defined = None
            with contextlib.suppress(Exception):
                if domain.isPersistent():
                    defined = self._read(domain.XMLDesc(_INACTIVE))
            yield live, defined, domain

    def _domain(
        self, live: Running, defined: Running | None, memory: bool
    ) -> Domain:
        pid = self._processes.get(live.uuid)
        if pid is None:
            return Domain(live, defined)
        return Domain(
            live,
            defined,
            kernel_guests.threads(pid, self._roots),
            kernel_guests.memory(pid, self._roots) if memory else None,
        )


def _fleeting(domain: Any) -> bool:
    """Whether it has just ended, or is just being started."""
    try:
        if not domain.isActive():
            return True
    except Exception:
        return True
    with contextlib.suppress(Exception):
        return tuple(domain.state()) == _STARTING
    return False
