"""OpenStack's own tests of NUMA and pinning, on the lab.

whitebox-tempest-plugin is installed beside the lab, in an environment of its
own, and is not changed. :mod:`lab.whitebox.profiles` says which of its tests
run on which view of the host, :mod:`lab.whitebox.suite` installs and runs it,
``plugin`` is what tempest needs to reach the lab's hosts.
"""
