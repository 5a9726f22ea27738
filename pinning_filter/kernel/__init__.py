"""What Linux does on a compute node, as its own files say.

``host`` reads pCPUs and memory, ``guests`` the threads and the memory of
QEMU's processes. All take the folders to read from as :class:`Roots`. Does not
know libvirt or Nova, changes nothing, and takes what it may not read for not
known.

Begin with ``host``.
"""
