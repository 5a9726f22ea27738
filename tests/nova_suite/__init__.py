"""Nova's own functional tests, on our filter, fit and driver.

    python -m tests.nova_suite            all that concern us
    python -m tests.nova_suite --stock    the same on Nova as it is
    python -m tests.nova_suite nova.tests.functional.libvirt.test_rt_servers
    make nova-suite NOVA=31               all of them, on that release

They are run by testtools, as Nova runs them: pytest does not find their
methods.
"""

#: Those that have to do with NUMA cells, devices and moves; the longest last.
MODULES = (
    "nova.tests.functional.libvirt.test_numa_servers",
    "nova.tests.functional.libvirt.test_numa_live_migration",
    "nova.tests.functional.libvirt.test_rt_servers",
    "nova.tests.functional.libvirt.test_pci_in_placement",
    "nova.tests.functional.libvirt.test_live_migration",
    "nova.tests.functional.libvirt.test_evacuate",
    "nova.tests.functional.libvirt.test_pci_sriov_servers",
)
