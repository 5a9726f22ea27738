"""Nova's options, for who asks Nova's code without running a service.

Beside the flow. A command that reads no nova.conf still needs the options to
have values, since Nova's own functions read them.
"""

from __future__ import annotations

from nova import conf


def ensure_configured() -> None:
    """Give Nova's options their defaults, unless a file was read already."""
    try:
        _ = conf.CONF.compute.cpu_shared_set
    except Exception:
        conf.CONF([], project="nova", default_config_files=[])
