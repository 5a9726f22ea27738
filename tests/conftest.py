"""For every test, before any of them imports Nova."""

import pytest

import pinning_filter.demo  # noqa: F401 - chooses threads or eventlet
from pinning_filter.nova import releases


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Where Nova runs on eventlet there is one process: ``-n auto`` is 0."""
    return None if releases.on_threads() else 0


def pytest_configure(config):
    if getattr(config.option, "numprocesses", 0) and not releases.on_threads():
        raise pytest.UsageError(
            "Nova runs on eventlet here, under which pytest's workers wait "
            "for each other for ever: leave -n out, or say -n auto"
        )
