"""A cloud read into a snapshot, from wherever there is one.

From a file that ``pinning-filter dump`` wrote (``dumpfile``), from one host's
description (``source``), or from a running cloud's databases and Placement
API (``live/``). Whoever asks a snapshot never sees the difference. Must not
know commands, nor what is asked.

Begin with ``snapshot``: a cloud's compute nodes, each with its surroundings.
"""
