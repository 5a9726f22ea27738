"""One guest on one host: the rule, its answer and its reasons.

A ``Request`` and a ``Host`` become a ``Placement`` or a ``Refusal``. Standard
library only: no input or output, no logging, nothing mutated. Must not know
Nova, libvirt, or that there are other hosts.

Begin with ``fit``. ``request`` and ``host`` are what it compares,
``placement`` and ``refusal`` what it answers; ``pairs`` is one guest cell on
one host cell, ``siblings`` the thread policies, ``assignment`` the choice of
host cells for several guest cells. ``check`` and ``remedy`` come after it.
"""
