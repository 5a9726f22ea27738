"""Which of the suite's tests run on which compute hosts, shown in which way.

Knows neither tempest nor how a host is shown.
"""

from dataclasses import dataclass

from lab import layout, node_layout
from lab.host import Host

#: The package of the tests; each has a module for its class.
PACKAGE = "whitebox_tempest_plugin.api.compute"


@dataclass(frozen=True, slots=True)
class Profile:
    """Some of the tests, and the host that they ask for."""

    #: what it is called in the table
    name: str
    #: how the machine is shown, or the sets of each emulated compute node
    host: Host
    #: ``[whitebox-hardware]`` of tempest.conf
    hardware: dict[str, str]
    #: class and test
    tests: tuple[str, ...]
    #: the compute hosts that the scheduler may choose
    computes: tuple[str, ...] = (layout.HOST,)
    #: whether Nova switches off dedicated pCPUs that nobody uses
    power: bool = False

    @property
    def nodes(self) -> list[node_layout.Node]:
        """Those of them that are emulated."""
        return [node_layout.named(name) for name in self.computes
                if name != layout.HOST]


#: The cells of an emulated compute node, and what the suite wants there: as
#: many dedicated, and as many shared, pCPUs in each cell.
NODE_HARDWARE = {
    "cpu_topology": "0: [0,1,2,3], 1: [4,5,6,7]",
    "dedicated_cpus_per_numa": "3", "shared_cpus_per_numa": "1",
    "smt_hosts": ",".join(node.name for node in node_layout.NODES),
}
NODE_SETS = Host(dedicated="0-2,4-6", shared="3,7")

PROFILES = (
    Profile(
        "cores",
        Host(threads_per_core=1, dedicated="0-1"),
        {"cpu_topology": "0: [0,1]", "dedicated_cpus_per_numa": "2"},
        (
            "CPUPolicyTest.test_cpu_dedicated",
            "CPUPolicyTest.test_reboot_pinned_server",
            "CPUThreadPolicyTest.test_threads_isolate",
            "EmulatorThreadTest.test_policy_isolate",
            "EmulatorThreadTest.test_policy_share_cpu_shared_unset",
            "EmulatorThreadTest.test_emulator_no_extra_cpu",
            "NUMARebuildTest.test_in_place_rebuild",
        ),
    ),
    # Alone: Nova forgets the pCPUs of a server that was resized on its host,
    # until it starts anew.
    Profile(
        "resize",
        Host(threads_per_core=1, dedicated="0", shared="1"),
        {"cpu_topology": "0: [0,1]", "dedicated_cpus_per_numa": "1",
         "shared_cpus_per_numa": "1"},
        (
            "CPUPolicyTest.test_resize_pinned_server_to_unpinned",
            "CPUPolicyTest.test_resize_unpinned_server_to_pinned",
        ),
    ),
    Profile(
        "node",
        NODE_SETS,
        {**NODE_HARDWARE, "realtime_mask": "1"},
        (
            "CPUPolicyTest.test_cpu_shared",
            "CPUPolicyTest.test_realtime_cpu",
            "CPUThreadPolicyTest.test_threads_prefer",
            "CPUThreadPolicyTest.test_threads_require",
            "EmulatorThreadTest.test_policy_share_cpu_shared_set",
            "MixedCPUPolicyTest.test_shared_pinned_and_unpinned_guest",
            "MixedCPUPolicyTestMultiNuma"
            ".test_shared_pinned_and_unpinned_guest",
            "MixedCPUPolicyTestMultiNuma.test_symmetric_multi_numa",
            "MixedCPUPolicyTestMultiNuma.test_asymmetric_multi_numa",
        ),
        computes=(node_layout.NAME,),
    ),
    Profile(
        "pages",
        NODE_SETS,
        {**NODE_HARDWARE, "configured_hugepage_sizes": "2048"},
        (
            "HugePageResize.test_hugepage_resize_large_to_small",
            "HugePageResize.test_hugepage_resize_size_to_small",
            "HugePageResize.test_hugepage_resize_size_to_size",
        ),
        computes=(node_layout.NAME,),
    ),
    Profile(
        "power",
        NODE_SETS,
        NODE_HARDWARE,
        ("TestCPUStateMgmt.test_cpu_state",),
        computes=(node_layout.NAME,),
        power=True,
    ),
    Profile(
        "nodes",
        NODE_SETS,
        NODE_HARDWARE,
        (
            "NUMALiveMigrationTest.test_cpu_pinning_and_emulator_threads",
            "NUMALiveMigrationTest.test_hugepages",
            "NUMACPUDedicatedLiveMigrationTest.test_collocation_migration",
        ),
        computes=tuple(node.name for node in node_layout.NODES),
    ),
)
