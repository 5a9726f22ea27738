"""Scrapes, answered from memory."""

import gzip
import http.client
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request

import pytest

from pinning_filter.metrics import text
from pinning_filter.metrics.exporter import Exporter
from pinning_filter.metrics.families import gauge
from pinning_filter.metrics.reading import Outcome
from tests.unit.metrics.clouds import series

ONE = gauge("one", "The first.", {(): 1})


@pytest.fixture
def running():
    """An exporter that has read nothing yet."""
    asked = []

    def now():
        asked.append(1)
        return [gauge("asked", "How often.", {(): len(asked)})]

    made = Exporter("127.0.0.1", 0, now)
    yield made
    made.close()


def get(url, path="/metrics", **headers):
    """Status, headers and body."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def test_before_the_first_reading(running):
    status, _, body = get(running.url)
    assert (status, body) == (
        503, b"the first reading of the cloud has not ended\n"
    )


def test_what_is_kept_and_what_is_asked_for_now(running):
    running.keep([ONE], Outcome.COMPLETE)
    for number in (1, 2):
        status, headers, body = get(running.url)
        assert (status, headers["Content-Type"]) == (200, text.CONTENT_TYPE)
        found = series(body)
        assert found["pinning_filter_one"] == {(): 1}
        assert found["pinning_filter_asked"] == {(): number}


def test_a_zipped_answer_is_the_same(running):
    running.keep([ONE], Outcome.COMPLETE)
    _, headers, body = get(running.url, **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    found = series(gzip.decompress(body))
    assert found["pinning_filter_one"] == {(): 1}
    assert found["pinning_filter_asked"] == {(): 1}


def test_a_reading_that_fails_leaves_what_was_read(running):
    running.keep([ONE], Outcome.INCOMPLETE)
    running.failed()
    running.failed()
    found = series(get(running.url)[2])
    assert found["pinning_filter_one"] == {(): 1}
    assert found["pinning_filter_reading_up"] == {(): 0}
    assert found["pinning_filter_readings_total"] == {
        ("complete",): 0, ("incomplete",): 1, ("failed",): 2,
    }
    running.keep([ONE], Outcome.COMPLETE)
    assert series(get(running.url)[2])["pinning_filter_reading_up"] == {(): 1}


def test_other_pages(running):
    assert get(running.url, "/other")[0] == 404
    status, headers, body = get(running.url, "/")
    assert (status, b'href="/metrics"' in body) == (200, True)
    assert "Python" not in headers["Server"]


def test_a_client_that_says_nothing_holds_nobody_up(running):
    running.keep([ONE], Outcome.COMPLETE)
    where = urllib.parse.urlsplit(running.url)
    with socket.create_connection((where.hostname, where.port)):
        assert get(running.url)[0] == 200


def test_it_answers_while_somebody_reads(running):
    running.keep([ONE], Outcome.COMPLETE)
    end = threading.Event()
    reader = threading.Thread(target=end.wait, args=(30,))
    reader.start()
    assert get(running.url)[0] == 200
    end.set()
    reader.join()


def test_a_port_in_use(running):
    port = urllib.parse.urlsplit(running.url).port
    with pytest.raises(OSError, match="in use"):
        Exporter("127.0.0.1", port, list)


def test_ipv6():
    made = Exporter("::1", 0, list)
    try:
        made.keep([ONE], Outcome.COMPLETE)
        with urllib.request.urlopen(made.url, timeout=10) as answer:
            assert b"pinning_filter_one 1.0" in answer.read()
    finally:
        made.close()
