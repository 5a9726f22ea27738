"""Inside nova-scheduler: the filter, the weigher, and what they share.

``question`` reads a request once, ``candidates`` goes through the allocation
candidates of one host, ``stock_claims`` foresees the claims of plain Nova,
``reporting`` writes log lines and the server's fault. The rule is not here:
it is asked. Does not know commands and compute nodes.

Begin with ``filter``.
"""
