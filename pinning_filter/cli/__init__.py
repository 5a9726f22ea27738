"""The command line: one file a command, each of which parses, calls, prints.

``inputs/`` turns arguments into what the rooms below take, ``output`` and
``columns`` render answers, ``pictures/`` draws hosts. What is printed comes
from the same engine as what scheduler and compute node do; it must not know
how any of it is decided.

Begin with ``main``, then any command, such as ``fit``.
"""
