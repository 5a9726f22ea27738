"""A cloud as commands see it: a snapshot, and where snapshots come from.

A file that ``pinning-filter dump`` wrote (``dumpfile``), or a running cloud
(``live``). Commands never see the difference.
"""
