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

GUEST_NUMA_DISTANCES = cfg.BoolOpt(
    "guest_numa_distances",
    default=False,
    help="""
Whether a guest of several NUMA cells sees how far they are from each other.

The distances are those of the host cells that it sits on. Want it on hosts
where some cells are nearer to each other than others, with guests that place
their own threads and memory. Without it a guest takes all its cells to be
equally far.

Off by default, as a guest keeps the distances it was started with when it is
live migrated, and then they may be wrong until it is started anew. For
nova-compute with the driver of pinning_filter; the scheduler does not read it.
""",
)

EMULATOR_THREADS_ON_FIRST_CELL = cfg.BoolOpt(
    "emulator_threads_on_first_cell",
    default=False,
    help="""
Whether emulator and I/O threads of a guest of several NUMA cells stay on one.

They then run on the pCPUs of the guest's first cell that has any for them,
instead of those of all its cells. Want it where guests of several cells do
much I/O from their first cell, whose devices are near it, and the vCPUs of
the other cells are to be left alone. The threads share fewer pCPUs with the
vCPUs, so the vCPUs of the first cell are disturbed more.

Off by default, as with Nova. Where the flavor says where emulator threads go
(hw:emulator_threads_policy) it changes nothing. For nova-compute with the
driver of pinning_filter; the scheduler does not read it.
""",
)

ALIGN_LAST_LEVEL_CACHE = cfg.BoolOpt(
    "align_last_level_cache",
    default=False,
    help="""
Whether the vCPUs of a guest cell share last-level (L3) caches where they can.

Among cores that are equally good otherwise, those of as few caches as
possible are taken, the emptiest first. Whether a guest fits never changes,
only which cores it gets. Want it where host cells have several L3 caches, as
on AMD EPYC with NPS1 or NPS2; elsewhere it makes no difference.

Off by default, as guests get other pCPUs than Nova would give them. For
nova-compute with the driver of pinning_filter, which tells the schedulers:
hosts may differ in it.
""",
)

EXPLAIN_IN_FAULT = cfg.BoolOpt(
    "explain_in_fault",
    default=True,
    help="""
Whether a server that no host can take says why in its fault.

When PinningFilter refuses the last host, the fault reads "No valid host was
found. No host can take 6 pinned vCPUs in one NUMA cell: 6 free pCPUs are
needed in one NUMA cell, the best of 12 hosts has 4." instead of "There are
not enough hosts available." It holds numbers and no names, but tenants read
it: turn it off where they must not learn how many hosts there are and how
full these are. The scheduler's log has the sentence either way.

For nova-scheduler. Requests for several servers at once keep Nova's words,
as do moves of servers that were once booted together with others.
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
    default=10000.0,
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
    GUEST_NUMA_DISTANCES,
    EMULATOR_THREADS_ON_FIRST_CELL,
    ALIGN_LAST_LEVEL_CACHE,
    EXPLAIN_IN_FAULT,
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
