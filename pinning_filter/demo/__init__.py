"""``python -m pinning_filter.demo``: the main job, in one process.

``scenes`` is the story, ``cloud`` a running Nova for whoever uses one,
``services`` how Nova starts and stops, ``machine`` the fake machines. The
functional tests stand on the same. Must not know what is decided, and how.

Begin with ``__main__``.

Importing this, before anything else of Nova, makes Nova run on threads if it
can. Older ones replace half of the standard library with eventlet's twins,
which whoever shares the process (pytest, above all) has to live with.
"""

from pinning_filter.nova import releases

releases.choose_concurrency()
