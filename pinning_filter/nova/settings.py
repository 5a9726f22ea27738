"""A flavor and an image -> what a guest's XML says beyond its placement.

Between Nova's objects and ``libvirt.domain``. Everything is read by Nova's own
functions, so what Nova refuses is refused here, by Nova's own exceptions.
Knows nothing of hosts but what its options say.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import nova.conf
from nova import exception, objects
from nova.objects import fields
from nova.virt import hardware

from pinning_filter.core import cpuset
from pinning_filter.libvirt.domain import Settings, Topology
from pinning_filter.nova import releases

# Nova's functions name many of them.
objects.register_all()

CONF = nova.conf.CONF

#: How many I/O threads the installed Nova gives a guest.
IOTHREADS = releases.guest_iothreads()

#: The maximum of each number of a topology where none is asked for.
_NO_LIMIT = 65536


def settings(
    flavor: objects.Flavor,
    image: objects.ImageMeta,
    *,
    mirror: bool = True,
    emulator_near_first_cell: bool = False,
    distances: bool = False,
    shared_set: AbstractSet[int] | None = None,
    online: AbstractSet[int] | None = None,
    machine_type: str | None = None,
) -> Settings:
    """What Nova's libvirt driver would read from a flavor and an image.

    >>> objects.register_all()
    >>> flavor = objects.Flavor(vcpus=2, extra_specs={
    ...     "hw:cpu_policy": "dedicated", "quota:cpu_shares": "1024"})
    >>> image = objects.ImageMeta.from_dict({"properties": {}})
    >>> settings(flavor, image).cpu_shares
    1024

    :param mirror: ``[pinning_filter] guest_cpu_topology`` is ``mirror``.
    :param shared_set: the host's ``[compute] cpu_shared_set``; None: that of
        Nova's configuration.
    :param online: the host's pCPUs that are online; None: all of that set.
    :param machine_type: the guest's, as memory encryption needs it; None:
        Nova's default.
    :raises nova.exception.NovaException: for whatever Nova refuses.
    :raises InvalidSettings: for numbers that no guest can have.
    """
    specs = flavor.extra_specs
    shares, quota, period = (
        int(specs[key]) if key in specs else None
        for key in ("quota:cpu_shares", "quota:cpu_quota", "quota:cpu_period")
    )
    if shared_set is None:
        shared_set = hardware.get_cpu_shared_set() or frozenset()
    # Older releases take no machine type.
    machine = () if machine_type is None else (machine_type,)
    return Settings(
        topology=_topology(flavor, image),
        mirror=mirror,
        cpu_shares=shares,
        cpu_quota=quota,
        cpu_period=period,
        realtime=frozenset(
            hardware.get_realtime_cpu_constraint(flavor, image) or ()
        ),
        realtime_priority=CONF.libvirt.realtime_scheduler_priority,
        emulator_pool=_emulator_pool(flavor, shared_set, online),
        emulator_near_first_cell=emulator_near_first_cell,
        iothreads=IOTHREADS,
        locked=bool(
            hardware.get_locked_memory_constraint(flavor, image, *machine)
        ),
        file_backed=CONF.libvirt.file_backed_memory > 0,
        distances=distances,
    )


def _topology(
    flavor: objects.Flavor, image: objects.ImageMeta
) -> Topology | None:
    """The topology asked for: any of the ``cpu_sockets`` family is set.

    The one that ``hardware.get_best_cpu_topology`` finds by trying all
    numbers up to that of the vCPUs, three times in one another:

    1. As many of the three numbers as possible are those asked for.
    2. As few threads as possible.
    3. As many sockets as possible.
    """
    preferred, most = hardware.get_cpu_topology_constraints(flavor, image)
    asked = (preferred.sockets, preferred.cores, preferred.threads)
    limits = (most.sockets, most.cores, most.threads)
    if not any(asked) and limits == (_NO_LIMIT,) * 3:
        return None

    def preference(topology: tuple[int, int, int]) -> tuple[int, int, int]:
        granted = sum(map(operator.eq, topology, asked))
        sockets, _, threads = topology
        return granted, -threads, sockets

    possible = _topologies(flavor.vcpus, limits)
    best = max(possible, key=preference, default=None)
    if best is None:
        sockets, cores, threads = (min(n, flavor.vcpus) for n in limits)
        raise exception.ImageVCPULimitsRangeImpossible(
            vcpus=flavor.vcpus, sockets=sockets, cores=cores, threads=threads
        )
    return Topology(*best)


def _topologies(
    vcpus: int, limits: tuple[int, int, int]
) -> Iterator[tuple[int, int, int]]:
    """Sockets, cores and threads that make so many vCPUs."""
    for sockets in _divisors(vcpus):
        for cores in _divisors(vcpus // sockets):
            topology = (sockets, cores, vcpus // sockets // cores)
            if all(map(operator.le, topology, limits)):
                yield topology


def _divisors(number: int) -> list[int]:
    return [each for each in range(1, number + 1) if number % each == 0]


def _emulator_pool(
    flavor: objects.Flavor,
    shared_set: AbstractSet[int],
    online: AbstractSet[int] | None,
) -> frozenset[int]:
    """Where emulator threads go that are to ``share`` the host's pCPUs."""
    policy = hardware.get_emulator_thread_policy_constraint(flavor)
    if policy != fields.CPUEmulatorThreadsPolicy.SHARE:
        return frozenset()
    if not shared_set:
        if hardware.is_realtime_enabled(flavor):
            raise exception.RealtimeMaskNotFoundOrInvalid()
        return frozenset()
    pool = frozenset(shared_set if online is None else shared_set & online)
    if not pool:
        raise exception.Invalid(
            f"none of the pCPUs {cpuset.format(shared_set)} of "
            "cpu_shared_set is online, and the flavor asks to share them"
        )
    return pool
