"""``python -m pinning_filter.demo``: the main job, in one process.

``scenes`` is the story, ``cloud`` a running Nova for whoever uses one,
``services`` how Nova starts and stops, ``machine`` the fake machines. The
functional tests stand on the same. Must not know what is decided, and how.

Begin with ``__main__``.

Importing this, before anything else of Nova, makes Nova run on threads. By
itself it would replace half of the standard library with eventlet's twins,
which whoever shares the process (pytest, above all) would have to live with.
"""

import os
import warnings

os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from nova import monkey_patch

    # Before Nova 32 the import alone was enough.
    if hasattr(monkey_patch, "patch"):
        monkey_patch.patch()
