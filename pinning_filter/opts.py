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
CPU pinning by pinning_filter, instead of Nova's NUMATopologyFilter.

nova-scheduler and nova-compute read these options. Unless an option says
otherwise, set it to the same value for all of them. A change takes effect
when they are restarted.
""",
)

GUEST_CPU_TOPOLOGY = cfg.StrOpt(
    "guest_cpu_topology",
    default="mirror",
    choices=[
        (
            "mirror",
            "the sockets, cores and threads of the pCPUs that the guest is "
            "pinned to: two vCPUs on the two threads of one core are one "
            "socket with one core with two threads. The same as 'nova' where "
            "vCPUs float, where the guest's cores hold unequal numbers of its "
            "vCPUs, and where the flavor or the image sets sockets, cores or "
            "threads",
        ),
        (
            "nova",
            "Nova's own choice: a socket with one core with one thread for "
            "each vCPU, unless the flavor or the image sets another shape",
        ),
    ],
    help="""
The CPU topology that a guest with dedicated vCPUs sees.

A guest that knows which of its vCPUs are siblings schedules its own threads
better, and its software may be licensed by the socket. Running guests keep
their topology until a hard reboot, a resize or a cold migration.
""",
)

GUEST_NUMA_DISTANCES = cfg.BoolOpt(
    "guest_numa_distances",
    default=False,
    help="""
Whether a guest of several NUMA cells sees the distances between them.

They are the distances between the host cells that the guest runs on. Useful
on hosts where some cells are nearer to each other than others, for guests
that place their own threads and memory. Without it all cells of a guest
look equally far from each other.

Off by default, since a live migration keeps the distances of the old host,
and they may be wrong on the new one. Read by nova-compute with the driver
of pinning_filter only.
""",
)

EMULATOR_THREADS_ON_FIRST_CELL = cfg.BoolOpt(
    "emulator_threads_on_first_cell",
    default=False,
    help="""
Whether emulator threads of a guest of several NUMA cells stay on one.

Emulator and I/O threads then run on the pCPUs of the guest's first cell
that has any for them, instead of on those of all cells. Useful for guests
that do their I/O from the first cell, near its devices, while the vCPUs of
the other cells are not to be disturbed. The vCPUs of the first cell are
disturbed more.

Off by default, as in Nova. It changes nothing where the flavor sets
hw:emulator_threads_policy. Read by nova-compute with the driver of
pinning_filter only.
""",
)

ALIGN_LAST_LEVEL_CACHE = cfg.BoolOpt(
    "align_last_level_cache",
    default=False,
    help="""
Whether a guest cell gets cores of as few last-level (L3) caches as possible.

Among cores that are equally good otherwise, those of the fewest caches are
taken, the emptiest cache first. Whether a guest fits never changes, only
which cores it gets. Useful where host cells have several L3 caches, as on
AMD EPYC with NPS1 or NPS2; elsewhere it makes no difference.

Off by default, since guests get other pCPUs than Nova would give them. Read
by nova-compute with the driver of pinning_filter, which tells the
schedulers, so hosts may differ in it.
""",
)

HOLD_ORPHANED_PCPUS = cfg.BoolOpt(
    "hold_orphaned_pcpus",
    default=True,
    help="""
Whether the pCPUs of running guests that Nova does not know stay taken.

A server that is deleted while its compute node is thought to be down runs on
until nova-compute looks for such guests, every half an hour ([DEFAULT]
running_deleted_instance_poll_interval). Nova has its pCPUs free at once, and
pins the next guest to them. With this they are not free, neither for claims
on the compute node nor in what it reports to the schedulers, until the guest
is gone. The same goes for guests that were started by hand.

Read by nova-compute with the driver of pinning_filter only.
""",
)

NEAREST_NUMA_CELLS = cfg.BoolOpt(
    "nearest_numa_cells",
    default=False,
    help="""
Whether a guest of several NUMA cells gets host cells that are near each other.

Of the sets of host cells that it fits, that with the fewest cells on
different sockets is taken, then that with the smallest distances, as libvirt
reports them. This counts before how full the cells are, and after the PCI
devices near them. Whether a guest fits never changes, only where it sits.
Useful on hosts with more cells than sockets, as AMD EPYC with NPS2 or NPS4 and
Intel Xeon with sub-NUMA clusters, and on those where some sockets are nearer
to each other than others; elsewhere it makes no difference.

Off by default, since guests get other host cells than Nova would give them.
Read by nova-compute with the driver of pinning_filter, which tells the
schedulers, so hosts may differ in it.
""",
)

EXPLAIN_IN_FAULT = cfg.BoolOpt(
    "explain_in_fault",
    default=True,
    help="""
Whether the fault of a server that no host can take says why.

When PinningFilter refuses the last host, the fault reads "No valid host was
found. No host can take 6 pinned vCPUs in one NUMA cell: 6 free pCPUs are
needed in one NUMA cell, the best of 12 hosts has 4." instead of "There are
not enough hosts available." It contains numbers and no names, but tenants
can read it: turn it off if they must not learn how many hosts there are and
how full they are. The scheduler's log has the sentence in any case.

Read by nova-scheduler only. Requests for several servers at once keep
Nova's words, as do moves of servers that were booted together with others.
""",
)

CORE_CHOICE = cfg.StrOpt(
    "core_choice",
    default="nova",
    choices=[
        (
            "nova",
            "Nova's choice: the emptiest NUMA cell of the host (or the "
            "fullest, with [compute] "
            "packing_host_numa_cells_allocation_strategy), and in it the "
            "cores with the most free threads",
        ),
        (
            "tight",
            "the fullest NUMA cell that has room, and in it partly used "
            "cores before free ones",
        ),
        (
            "spread",
            "the NUMA cell as Nova chooses it, and in it a core for each "
            "vCPU as long as there are free ones",
        ),
    ],
    help="""
Which NUMA cell and which cores of a host a guest gets, if several fit.

Whether a guest fits never changes. With 'tight' more whole cores and whole
NUMA cells stay free for later guests, for example those with
hw:cpu_thread_policy=require or many vCPUs. In exchange, guests share cores
with other guests more often, unless their own policy forbids it. It goes
well with PinningWeigher, which does the same between hosts.

'spread' is for latency on hosts with SMT, where Nova refuses
hw:cpu_thread_policy=isolate: a vCPU has its core to itself until cores run
short. Only then are two vCPUs put on one core, those of the same guest if
possible. Guests with hw:cpu_thread_policy=require get siblings as ever. Cores
run short sooner, so that fewer guests with that policy fit later.

Hosts whose nova-compute runs without the driver of pinning_filter use
Nova's choice.
""",
)

REMEMBERED_HOSTS = cfg.IntOpt(
    "remembered_hosts",
    default=10000,
    min=0,
    help="""
Of how many hosts a scheduler keeps the NUMA topology from one request to the
next.

Nova parses the topology of every host anew for every request, which is half
of what a request costs. While the record of a host does not change, its
topology is kept here, with what was found out of it. No answer changes. If
there are more hosts than this, those asked for last are kept; 0 keeps none.
Read by nova-scheduler only, when it starts.
""",
)

COUNTERS_DIRECTORY = cfg.StrOpt(
    "counters_directory",
    default="",
    help="""
Where a scheduler counts the requests that it refuses, for monitoring.

Each process keeps a small file there, which 'pinning-filter metrics' reads:
how many requests for servers with a NUMA topology there were, and how many
were refused, by what was missing. The directory is made if it is not there;
one in memory is enough, such as /run/nova/pinning-filter. Empty: nothing is
counted. Read by nova-scheduler and by pinning-filter.
""",
)

PINNING_WEIGHT_MULTIPLIER = cfg.FloatOpt(
    "pinning_weight_multiplier",
    default=10000.0,
    help="""
How much PinningWeigher counts beside other weighers.

It weighs hosts for guests with dedicated vCPUs only, by how usable the
capacity is that such a guest leaves behind. 0 switches it off, and a
negative number reverses it. Other weighers have multipliers near 1 and give
at most that much. So with the default this one decides, and the others
choose between hosts that it finds equal. A host aggregate can set its own
value in its metadata, under the same name; of several values the smallest
counts. Read by nova-scheduler only.
""",
)

FAILOVER_ROOM = cfg.BoolOpt(
    "failover_room",
    default=False,
    help="""
Whether PinningWeigher keeps room for the guests of a host that fails.

Of the hosts that a guest fits, those are then put last whose guests would take
more pCPUs than are free on the others, should the host fail with this guest on
it. A host is put last, not refused: where nothing else fits, the guest goes
there. It makes a difference where hosts are of several sizes; where they are
all alike, PinningWeigher mostly keeps such room without it.

Off by default, since a cloud that is nearly full then takes in fewer guests.
Read by nova-scheduler only.
""",
)

OPTIONS = [
    GUEST_CPU_TOPOLOGY,
    GUEST_NUMA_DISTANCES,
    EMULATOR_THREADS_ON_FIRST_CELL,
    ALIGN_LAST_LEVEL_CACHE,
    HOLD_ORPHANED_PCPUS,
    NEAREST_NUMA_CELLS,
    EXPLAIN_IN_FAULT,
    CORE_CHOICE,
    REMEMBERED_HOSTS,
    COUNTERS_DIRECTORY,
    PINNING_WEIGHT_MULTIPLIER,
    FAILOVER_ROOM,
]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.pinning_filter``; twice is fine."""
    conf.register_group(GROUP)
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """What oslo-config-generator asks for."""
    return [(GROUP, OPTIONS)]
