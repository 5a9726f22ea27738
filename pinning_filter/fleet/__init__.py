"""Many hosts, still values only: what one rule means for a whole cloud.

How much more fits (``capacity``), what a placement leaves behind (``score``),
which moves make room (``defrag``, ``moves``) or empty a host (``drain``,
``evacuation``, ``exhaustive``, in a ``layout`` of hosts; as ``steps``), which
hosts may fail (``survival``), and the one sentence about all hosts that refuse
a guest (``summary``). Asks ``core`` and does not know where
hosts and guests were read from.

Begin with ``hosts``: a cloud's hosts, each with its guests.
"""
