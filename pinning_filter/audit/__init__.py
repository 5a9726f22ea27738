"""Do the books agree, with each other and with the world?

Compares a snapshot's books, and what compute nodes were seen to do, and names
each disagreement, with the command that would mend it. Does not know where a
snapshot comes from, and runs and mends nothing. Begin with ``findings``, then
``books`` for Nova's tables; ``observation`` and ``node`` for a compute node,
``joined`` for both.
"""
