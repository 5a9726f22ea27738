"""The compute node: the engine claims, and guests are written as placed.

``launcher`` starts nova-compute with ``driver`` in reach of its
configuration; ``driver`` puts ``pinning_filter.nova.fit`` in the place of
Nova's fit and hands the XML that Nova makes to ``guest_xml``. ``orphans``
keeps the pCPUs of guests that Nova does not know, ``watch`` looks at what runs
on the node. Does not know other hosts.

Begin with ``driver``.
"""
