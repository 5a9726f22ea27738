"""Does what the books say agree, and with what?

Compares a snapshot's books and names each disagreement, with the command
that would mend it. Does not know where a snapshot comes from, and runs and
mends nothing. Begin with ``findings``, then ``books``.
"""
