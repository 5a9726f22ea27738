"""A command in a process of its own, whose answer has nowhere to go."""

import os
import pathlib
import subprocess

import pytest

from pinning_filter.cloud.snapshot import Snapshot
from tests.functional import shell
from tests.unit.cli import clouds


@pytest.fixture
def several(tmp_path):
    return clouds.write(clouds.several(), tmp_path / "cloud.json")


@pytest.mark.parametrize(
    "command",
    [
        ("map",),
        ("dump",),
        ("capacity", "--flavor", "pinned.2"),
        ("fit", "--vcpus", "1", "--ram", "1", "--property",
         "hw:cpu_policy=dedicated", "--xml"),
    ],
)
class TestWhereTheAnswerCannotGo:
    """Standard output takes nothing, in a process of its own."""

    def run(self, command, several, **streams):
        host = "cell:1 core:2" if "--xml" in command else several
        return subprocess.run(
            [shell.PROGRAM, *command, "--host", host],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=shell.environment(),
            **streams,
        )

    def test_a_full_device(self, command, several):
        with pathlib.Path("/dev/full").open("w") as full:
            answer = self.run(command, several, stdout=full)
        assert (answer.returncode, answer.stderr) == (
            2,
            "pinning-filter: standard output: No space left on device\n",
        )

    def test_closed(self, command, several):
        answer = self.run(command, several, preexec_fn=lambda: os.close(1))
        assert (answer.returncode, answer.stderr) == (
            2,
            "pinning-filter: standard output: it is closed\n",
        )

    def test_a_reader_that_has_gone(self, command, several):
        ours, theirs = os.pipe()
        os.close(ours)
        with open(theirs, "w") as pipe:
            answer = self.run(command, several, stdout=pipe)
        assert (answer.returncode, answer.stderr) == (141, "")


def test_a_name_that_the_terminal_cannot_write_is_spelt(tmp_path):
    cloud = Snapshot((clouds.node("żółw", "cell:1 core:2"),))
    several = clouds.write(cloud, tmp_path / "cloud.json")
    answer = subprocess.run(
        [shell.PROGRAM, "map", "--host", several, "-f", "value", "-c", "host"],
        env=shell.environment()
        | {"PYTHONIOENCODING": "ascii", "COLUMNS": "0"},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout == b"\\u017c\\xf3\\u0142w\n" * 2
