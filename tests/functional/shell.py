"""The program as an operator's shell starts it."""

import os
import pathlib
import sys

from pinning_filter.nova import releases

PROGRAM = pathlib.Path(sys.executable).with_name("pinning-filter")

#: For this process: what is written late fails late, and Nova runs in it.
_OURS = ("PYTHONUNBUFFERED", releases.THREADS_SWITCH)


def environment():
    return {k: v for k, v in os.environ.items() if k not in _OURS}
