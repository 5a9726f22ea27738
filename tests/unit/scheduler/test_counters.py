"""Refused requests, counted in files that others read."""

import json
import os
import subprocess
import sys
import threading
import time

import oslo_messaging
import pytest
from nova import conf

from pinning_filter import opts
from pinning_filter.fleet.offers import Inventory, Offer, Resources
from pinning_filter.nova import placement_request
from pinning_filter.scheduler import counters, placement_offers
from pinning_filter.scheduler.counters import Counters, Counts
from tests.unit.scheduler.computes import ask, compute, request, scheduler
from tests.unit.scheduler.test_no_valid_host import NothingFilter, other

NONE = Counts(0, {})
#: A process that counts, writes, says so, and waits to be ended.
PROCESS = """
import sys
from pinning_filter.scheduler.counters import Counters
counters = Counters(sys.argv[1])
counters.add("pcpus")
counters.save()
print("saved", flush=True)
sys.stdin.read()
"""


def files(folder):
    return sorted(path.name for path in folder.glob("*.json"))


def soon(found, expected):
    """Wait until the thread has written."""
    until = time.monotonic() + 10
    while found() != expected and time.monotonic() < until:
        time.sleep(0.01)
    assert found() == expected


def another(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    assert process.stdout.readline() == "saved\n"
    return process


def end(process):
    process.kill()
    process.communicate()


def test_what_is_counted_is_read(tmp_path):
    mine = Counters(tmp_path / "made" / "here")
    for code in ("pcpus", None, "pcpus", "resource"):
        mine.add(code)
    expected = Counts(4, {"pcpus": 2, "resource": 1})
    soon(lambda: read(tmp_path / "made" / "here"), expected)


def read(folder):
    try:
        return counters.read(folder)
    except OSError:
        return None


def test_processes_that_live_have_files_of_their_own(tmp_path):
    first, second = another(tmp_path), another(tmp_path)
    try:
        assert files(tmp_path) == ["scheduler-0.json", "scheduler-1.json"]
        assert counters.read(tmp_path) == Counts(2, {"pcpus": 2})
    finally:
        end(first)
        end(second)


def test_a_file_of_a_process_that_was_killed_is_counted_on(tmp_path):
    for number in range(1, 4):
        end(another(tmp_path))
        assert counters.read(tmp_path) == Counts(number, {"pcpus": number})
    assert files(tmp_path) == ["scheduler-0.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"requests": "many", "refused": {}}',
     '{"requests": 1, "refused": []}', "\xff\xfe"],
)
def test_a_file_that_makes_no_sense_counts_as_empty(tmp_path, text):
    (tmp_path / "scheduler-0.json").write_text(text, encoding="latin-1")
    assert counters.read(tmp_path) == NONE
    end(another(tmp_path))
    assert counters.read(tmp_path) == Counts(1, {"pcpus": 1})


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        counters.read(tmp_path / "none")


def test_where_nothing_can_be_written_it_is_said_once(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    mine = Counters(tmp_path / "file" / "folder")
    for _ in range(3):
        mine.add("pcpus")
        mine.save()
    assert caplog.text.count("Refusals are counted, and not written") == 1


def test_counts_are_kept_until_they_can_be_written(tmp_path):
    (tmp_path / "folder").write_text("in the way")
    mine = Counters(tmp_path / "folder")
    mine.add("pcpus")
    mine.save()
    (tmp_path / "folder").unlink()
    mine.add("pcpus")
    soon(lambda: read(tmp_path / "folder"), Counts(2, {"pcpus": 2}))


def test_a_request_does_not_wait_for_the_file(tmp_path, monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(Counters, "save", lambda self: gate.wait(30))
    mine = Counters(tmp_path)
    begin = time.monotonic()
    for _ in range(100):
        mine.add("pcpus")
    assert time.monotonic() - begin < 1
    gate.set()


def test_the_file_is_never_half_written(tmp_path):
    """Read while it is being written, it is one count or the next."""
    mine = Counters(tmp_path)
    mine.add("pcpus")
    mine.save()
    path = tmp_path / "scheduler-0.json"
    for _ in range(300):
        mine.add("pcpus")
        assert json.loads(path.read_bytes())["requests"] >= 1
    assert os.path.getsize(path) < 100


# -- in nova-scheduler --------------------------------------------------------

@pytest.fixture
def counted(tmp_path, monkeypatch):
    """What the scheduler of this process has counted."""
    opts.register(conf.CONF)
    conf.CONF.set_override(
        "counters_directory", str(tmp_path), "pinning_filter"
    )
    counters._of_process.cache_clear()
    yield lambda: counters.read(tmp_path)
    conf.CONF.clear_override("counters_directory", "pinning_filter")
    counters._of_process.cache_clear()


FULL = frozenset(range(16))


def test_a_request_with_a_host_and_one_without(counted, monkeypatch):
    running = scheduler([compute("host0")], monkeypatch)
    ask(running, request(2))
    soon(counted, Counts(1, {}))
    with pytest.raises(oslo_messaging.ExpectedException):
        ask(running, request(9))
    soon(counted, Counts(2, {"pcpus_total": 1}))


def test_several_servers_are_one_request(counted, monkeypatch):
    running = scheduler([compute("host0", used=FULL)], monkeypatch)
    with pytest.raises(oslo_messaging.ExpectedException):
        ask(running, request(2), 3)
    soon(counted, Counts(1, {"pcpus": 1}))


def test_another_filter_of_nova_s(counted, monkeypatch):
    nodes = [compute("host0"), compute("host1")]
    running = scheduler(nodes, monkeypatch, other(NothingFilter))
    with pytest.raises(oslo_messaging.ExpectedException):
        ask(running, request(2))
    soon(counted, Counts(1, {"other_filter": 1}))


def test_the_placement_api_offers_nothing(counted, monkeypatch):
    running = scheduler([], monkeypatch)
    full = Offer({"PCPU": Inventory(4, used=4)}, frozenset())
    monkeypatch.setattr(placement_offers, "of", lambda *args: [full])
    monkeypatch.setattr(
        placement_request,
        "alternatives",
        lambda spec: [Resources({"PCPU": 2})],
    )
    with pytest.raises(oslo_messaging.ExpectedException):
        ask(running, request(2))
    soon(counted, Counts(1, {"resource": 1}))


def test_nothing_is_counted_unless_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(counters, "of_process", None)
    running = scheduler([compute("host0")], monkeypatch)
    assert ask(running, request(2))


def test_a_counter_that_is_broken_costs_no_request(counted, monkeypatch):
    def broken(folder):
        raise RuntimeError("broken")

    monkeypatch.setattr(counters, "of_process", broken)
    running = scheduler([compute("host0")], monkeypatch)
    assert ask(running, request(2))
