"""Scrapes answered from memory, while the cloud is read in the background.

After ``text``: what was made of the last reading is kept, as it is sent, so
that a scrape costs neither a database nor a rendering. What changes between
two readings is small, and asked for at each scrape. Does not know what is
read, nor how.
"""

from __future__ import annotations

import collections
import dataclasses
import gzip
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable

# By name: loading Nova 29 puts eventlet's own module at ``http.server``.
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.core import Metric
from prometheus_client.exposition import gzip_accepted

from pinning_filter.metrics import reading, text
from pinning_filter.metrics.reading import Outcome

#: Seconds that a client may be silent.
_PATIENCE = 10
#: Little is gained beyond, and it takes several times as long.
_GZIP_LEVEL = 1
_PAGE = (
    b"<!doctype html><title>pinning-filter</title>"
    b'<p>pinning-filter: <a href="/metrics">metrics</a>\n'
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    """A reading, as it is sent."""

    plain: bytes
    zipped: bytes  #: the same as a member of a gzip file


class Exporter:
    """Serves ``/metrics`` at an address until the process ends.

    :param host: where to listen: a name or an address.
    :param now: what is asked for at each scrape.
    :raises OSError: if nobody can listen there.
    """

    def __init__(
        self, host: str, port: int, now: Callable[[], Iterable[Metric]]
    ) -> None:
        self._now = now
        self._kept: _Kept | None = None
        self._outcomes: collections.Counter[Outcome] = collections.Counter()
        self._last: Outcome | None = None
        self._server = _server(host, port, self)
        shown = f"[{host}]" if _is_ipv6(host) else host
        #: Where it answers; the port is another one if 0 was asked for.
        self.url = f"http://{shown}:{self._server.server_port}/metrics"
        threading.Thread(
            target=self._server.serve_forever, daemon=True
        ).start()

    def keep(self, families: Iterable[Metric], outcome: Outcome) -> None:
        """Answer with these from now on."""
        plain = text.of(families)
        self._kept = _Kept(plain, gzip.compress(plain, _GZIP_LEVEL))
        self._count(outcome)

    def failed(self) -> None:
        """Count a reading that came to nothing; what is kept stays."""
        self._count(Outcome.FAILED)

    def _count(self, outcome: Outcome) -> None:
        self._outcomes[outcome] += 1
        self._last = outcome

    def answer(self, zipped: bool) -> bytes | None:
        """What a scrape gets; None: there was no reading yet."""
        kept = self._kept
        if kept is None:
            return None
        now = text.of((
            reading.build(),
            *reading.of_readings(self._outcomes, self._last),
            *self._now(),
        ))
        if zipped:
            # A gzip file may have several members, one after the other.
            return kept.zipped + gzip.compress(now, _GZIP_LEVEL)
        return kept.plain + now

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _server(
    host: str, port: int, exporter: Exporter
) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        address_family = (
            socket.AF_INET6 if _is_ipv6(host) else socket.AF_INET
        )

        def handle_error(self, request: object, client: object) -> None:
            """A client that has gone is no news."""

    class Handler(_Handler):
        answer = staticmethod(exporter.answer)

    return Server((host, port), Handler)


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


class _Handler(BaseHTTPRequestHandler):
    """One scrape."""

    timeout = _PATIENCE
    server_version = "pinning-filter"
    sys_version = ""
    answer: Callable[[bool], bytes | None]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/":
            self._send(200, "text/html; charset=utf-8", _PAGE)
        elif path != "/metrics":
            self._send(404, "text/plain", b"there is /metrics\n")
        else:
            zipped = gzip_accepted(self.headers.get("Accept-Encoding", ""))
            body = self.answer(zipped)
            if body is None:
                why = b"the first reading of the cloud has not ended\n"
                self._send(503, "text/plain", why)
            else:
                self._send(200, text.CONTENT_TYPE, body, zipped)

    def _send(
        self, status: int, kind: str, body: bytes, zipped: bool = False
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads who scraped."""
