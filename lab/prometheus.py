"""Prometheus beside the lab, and our exporter that it scrapes.

On request only (``make lab-prometheus``): :mod:`lab.services` has what the
lab itself is made of.
"""

from lab import config, install, layout, services
from lab.process import Daemon

#: What Debian gives; ``promtool`` is in it.
PACKAGES = ("prometheus",)
#: Seconds from one reading of the cloud to the next, and between scrapes.
INTERVAL = 5
#: What is told of each host: all that there is.
PER_HOST = ("state", "pcpus", "memory", "fits", "stranded")
URL = f"http://127.0.0.1:{layout.PORTS['prometheus']}"


def exporter() -> Daemon:
    """``pinning-filter metrics`` on the running cloud."""
    port = layout.PORTS["exporter"]
    return Daemon(
        "exporter",
        [str(layout.BIN / "pinning-filter"), "metrics",
         "--listen", f"127.0.0.1:{port}", "--interval", str(INTERVAL),
         "--allocations", *services.control_files(),
         *(word for kind in PER_HOST for word in ("--per-host", kind))],
        ready=services.answers_http(port),
    )


def prometheus() -> Daemon:
    """Debian's Prometheus, with our alerts."""
    port = layout.PORTS["prometheus"]
    return Daemon(
        "prometheus",
        ["prometheus", f"--config.file={layout.ETC / 'prometheus.yml'}",
         f"--storage.tsdb.path={layout.RUN / 'prometheus'}",
         f"--web.listen-address=127.0.0.1:{port}"],
        ready=services.answers_http(port),
    )


def daemons() -> list[Daemon]:
    """Both, in the order they start."""
    return [exporter(), prometheus()]


def up() -> None:
    """Install and start both; the lab runs already."""
    install.debian_packages(PACKAGES)
    config.render()
    for daemon in daemons():
        daemon.start()
