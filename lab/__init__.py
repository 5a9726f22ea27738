"""A real OpenStack on one small machine, to exercise pinning_filter.

Nothing is faked: keystone, glance, placement, neutron-api, nova (API,
scheduler, conductor, compute), MariaDB, RabbitMQ, libvirtd and QEMU with its
own emulator (TCG), so no KVM is needed. Everything the lab writes is below
``lab/run``, every process carries ``PINNING_LAB`` in its environment, and
nothing listens but on the loopback interface.

This package runs before there is any environment to install libraries into:
it may import the standard library only. What needs the cloud's own libraries
is in :mod:`lab.cloud`, which the lab's environment runs.

    python3 -m lab up | stop | clean | status | host | restart
"""
