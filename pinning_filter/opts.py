"""Every option of the project, registered once.

Read through Nova's own ``CONF``, so that one ``nova.conf`` holds everything.
Knows nothing of what the options are used for; imported by the rooms that
run inside Nova, by the command line and by oslo-config-generator.
"""

from __future__ import annotations

from oslo_config import cfg

#: The section of nova.conf.
GROUP = cfg.OptGroup(
    "pinning_filter",
    title="pinning_filter",
    help="""
CPU pinning by pinning_filter, in the place of Nova's NUMATopologyFilter.

nova-scheduler and nova-compute read these options; unless an option says
otherwise, give it the same value on all of them, and restart them after.
""",
)

GUEST_CPU_TOPOLOGY = cfg.StrOpt(
    "guest_cpu_topology",
    default="mirror",
    choices=[
        (
            "mirror",
            "the sockets, cores and threads that the guest sees are those of "
            "the pCPUs that it is pinned to: two vCPUs on the two threads of "
            "one core are one socket of one core of two threads. Where the "
            "cores taken are not alike, or where the flavor or the image asks "
            "for sockets, cores or threads itself, the same as 'nova'",
        ),
        (
            "nova",
            "what Nova itself chooses: as many sockets as vCPUs, each of one "
            "core of one thread, unless the flavor or the image asks for "
            "another shape",
        ),
    ],
    help="""
The CPU topology that a guest with dedicated vCPUs sees.

A guest that knows which of its vCPUs are siblings schedules its own threads
better, and may be licensed by the socket. Running guests keep what they have
until they are made anew: by a hard reboot, a resize or a migration.
""",
)

CORE_CHOICE = cfg.StrOpt(
    "core_choice",
    default="nova",
    choices=[
        (
            "nova",
            "as Nova: the emptiest NUMA cell of the host (or the fullest, "
            "with [compute] packing_host_numa_cells_allocation_strategy), and "
            "in it the cores with the most free threads",
        ),
        (
            "tight",
            "the fullest NUMA cell that has room, and in it half-used cores "
            "before whole ones are broken",
        ),
    ],
    help="""
Which NUMA cell and which cores of a host a guest gets, of those that it fits.

Whether a guest fits never changes. With 'tight' more whole cores and whole
NUMA cells stay free for later guests, such as those with
hw:cpu_thread_policy=require or of many vCPUs; in exchange, guests share cores
with other guests more often, unless their own policy forbids it. It goes well
with PinningWeigher, which does the same for the choice between hosts.

On hosts where nova-compute runs without pinning_filter Nova itself chooses.
""",
)

PINNING_WEIGHT_MULTIPLIER = cfg.FloatOpt(
    "pinning_weight_multiplier",
    default=100.0,
    help="""
How much PinningWeigher counts beside other weighers.

It weighs hosts for guests with dedicated vCPUs only, by how usable the
capacity is that such a guest leaves behind. 0 switches it off, a negative
number turns it round. Other weighers have multipliers near 1 and give at most
that much, so the default lets this one decide, and the others between hosts
that it finds alike. A host aggregate may set its own in its metadata, under
the same name; of several the smallest counts. For nova-scheduler only.
""",
)

OPTIONS = [
    GUEST_CPU_TOPOLOGY,
    CORE_CHOICE,
    PINNING_WEIGHT_MULTIPLIER,
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.pinning_filter``; twice is fine."""
    conf.register_group(GROUP)
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """What oslo-config-generator asks for."""
    return [(GROUP, OPTIONS)]
