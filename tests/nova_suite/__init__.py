"""Nova's own functional tests, on our filter, fit and driver.

    python -m tests.nova_suite            all that concern us
    python -m tests.nova_suite --stock    the same on Nova as it is
    python -m tests.nova_suite nova.tests.functional.libvirt.test_rt_servers

They are run by testtools, as Nova runs them: pytest does not find their
methods.
"""
