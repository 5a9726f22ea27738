"""Which of the suite's tests run on which view of this machine.

Knows neither tempest nor how a view is made.
"""

from dataclasses import dataclass

from lab.host import Host

#: The module of the tests, for their short names below.
MODULE = "whitebox_tempest_plugin.api.compute.test_cpu_pinning"


@dataclass(frozen=True, slots=True)
class Profile:
    """Some of the tests, and the host that they ask for."""

    #: what it is called in the table
    name: str
    #: how the machine is shown
    host: Host
    #: ``[whitebox-hardware]`` of tempest.conf
    hardware: dict[str, str]
    #: class and test
    tests: tuple[str, ...]


PROFILES = (
    Profile(
        "cores",
        Host(threads_per_core=1, dedicated="0-1"),
        {"cpu_topology": "0: [0,1]", "dedicated_cpus_per_numa": "2",
         "realtime_mask": "1"},
        (
            "CPUPolicyTest.test_cpu_dedicated",
            "CPUPolicyTest.test_realtime_cpu",
            "CPUPolicyTest.test_reboot_pinned_server",
            "CPUThreadPolicyTest.test_threads_isolate",
            "EmulatorThreadTest.test_policy_isolate",
            "EmulatorThreadTest.test_emulator_no_extra_cpu",
            "NUMARebuildTest.test_in_place_rebuild",
        ),
    ),
    Profile(
        "threads",
        Host(threads_per_core=2, dedicated="0-1"),
        {"cpu_topology": "0: [0,1]", "dedicated_cpus_per_numa": "2",
         "smt_hosts": "lab-host"},
        (
            "CPUThreadPolicyTest.test_threads_prefer",
            "CPUThreadPolicyTest.test_threads_require",
        ),
    ),
    Profile(
        "shared",
        Host(threads_per_core=1, dedicated="0", shared="1"),
        {"cpu_topology": "0: [0,1]", "dedicated_cpus_per_numa": "1",
         "shared_cpus_per_numa": "1"},
        (
            "CPUPolicyTest.test_cpu_shared",
            "CPUPolicyTest.test_resize_pinned_server_to_unpinned",
            "CPUPolicyTest.test_resize_unpinned_server_to_pinned",
            "EmulatorThreadTest.test_policy_share_cpu_shared_set",
            "MixedCPUPolicyTest.test_shared_pinned_and_unpinned_guest",
        ),
    ),
)
