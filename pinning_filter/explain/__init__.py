"""What speaks against each host, and what would help.

A ``question`` (one server to be placed) is held against each compute node of
a snapshot: the engine answers for PinningFilter, ``findings`` for what a
request meets before and beside it, ``other_filters`` for Nova's own filters.
``report`` says it in sentences. Does not know arguments, tables or terminals.

Begin with ``verdicts``: everything that speaks against one compute node.
"""
