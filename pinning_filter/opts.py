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

OPTIONS = [GUEST_CPU_TOPOLOGY]


def register(conf: cfg.ConfigOpts) -> None:
    """Make the options readable as ``conf.pinning_filter``; twice is fine."""
    conf.register_group(GROUP)
    conf.register_opts(OPTIONS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """What oslo-config-generator asks for."""
    return [(GROUP, OPTIONS)]
