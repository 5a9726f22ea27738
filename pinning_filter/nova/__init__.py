"""Everything that touches Nova's objects.

``host``, ``guest_topology``, ``guest``, ``pci`` and ``stats`` read them into
the values of ``core`` and write them back; ``settings`` reads what the
domain XML says beside the placement, and ``releases`` knows what differs from
one Nova to the next. ``around`` wraps what Nova has no hook for. Decides
nothing, and does not know who asks: schedulers, compute nodes and commands all
come here.

Begin with ``fit``: Nova's ``numa_fit_instance_to_host`` with our engine, and
``install()``, which puts it in the place of Nova's.
"""
