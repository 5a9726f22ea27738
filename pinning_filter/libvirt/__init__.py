"""libvirt's XML in and out.

``capabilities`` reads ``virsh capabilities`` into the host that ``core``
knows; ``domain/`` writes a placement as the elements of a domain, and
``running`` reads those of a domain that runs. Knows
lxml and the values of ``core``; must not know Nova or a running libvirt.

Begin with ``domain/builder``, which puts all elements together.
"""
