"""The lab ends what it started and nothing else."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import layout, process
from lab.process import Daemon


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RUN", "LOGS", "PIDS"):
        monkeypatch.setattr(layout, name, tmp_path)


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that the lab has not started."""
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


def sleeper(**more: object) -> Daemon:
    return Daemon("sleeper", ["sleep", "600"], **more)


def test_a_daemon_starts_once_and_stops() -> None:
    assert sleeper().start() is True
    pid = sleeper().pid()
    assert sleeper().start() is False
    assert sleeper().pid() == pid
    assert sleeper().stop() is True
    assert sleeper().pid() is None
    assert sleeper().stop() is False


def test_a_daemon_takes_its_children_with_it() -> None:
    daemon = Daemon("shell", ["sh", "-c", "sleep 601 & sleep 602"])
    daemon.start()
    pid = daemon.pid()
    assert process.wait_for(lambda: len(process.group(pid)) == 3, 10)
    daemon.stop()
    assert process.group(pid) == []


def test_a_daemon_that_ignores_SIGTERM_is_killed() -> None:
    daemon = Daemon(
        "stubborn", ["sh", "-c", "trap '' TERM; echo set; sleep 603"],
        stop_seconds=1,
    )
    daemon.start()
    assert process.wait_for(lambda: "set" in daemon.log.read_text(), 10)
    pid = daemon.pid()
    daemon.stop()
    assert process.group(pid) == []


def test_an_id_that_was_given_to_somebody_else_is_left_alone(
    stranger: subprocess.Popen[bytes],
) -> None:
    started = process.start_time(stranger.pid)
    assert started is not None
    sleeper().pid_file.write_text(json.dumps(
        {"pid": stranger.pid, "started": started - 1, "argv": ["sleep"]}))
    assert sleeper().pid() is None
    assert sleeper().stop() is False
    assert stranger.poll() is None


def test_only_marked_processes_are_strays(
    stranger: subprocess.Popen[bytes],
) -> None:
    sleeper().start()
    pid = sleeper().pid()
    # The kernel shows a new process's environment a moment after its start.
    assert process.wait_for(lambda: pid in process.marked(), 10)
    assert stranger.pid not in process.marked()
    sleeper().pid_file.unlink()
    assert process.end_strays() == 1
    assert process.wait_for(lambda: process.start_time(pid) is None, 10)
    assert stranger.poll() is None


def test_a_daemon_that_ends_at_once_says_so() -> None:
    daemon = Daemon("broken", ["sh", "-c", "echo no such luck; exit 7"],
                    ready=lambda: False)
    with pytest.raises(layout.LabError) as failed:
        daemon.start()
    assert "start broken: it ended with status 7" in str(failed.value)
    assert "no such luck" in str(failed.value)
