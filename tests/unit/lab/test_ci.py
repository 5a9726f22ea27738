"""``.ci/run`` where there can be no lab, and where the walks fail."""

import os
import subprocess
from pathlib import Path

import pytest

from lab import process

RUN = Path(__file__).parents[3] / ".ci" / "run"
#: Commands that say what they were asked, and change nothing.
STAND_IN = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$ASKED"
"""


@pytest.fixture
def ci(tmp_path: Path):
    """Run the script with stand-ins: status, output, what was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    asked = tmp_path / "asked"

    def command(name: str, body: str = "") -> None:
        path = folder / name
        path.write_text(STAND_IN + body)
        path.chmod(0o755)

    def made() -> list[str]:
        lines = asked.read_text().splitlines() if asked.exists() else []
        return [line for line in lines if line.startswith("make ")]

    def run(
        ended_at: str = "", **bodies: str
    ) -> tuple[int, str, list[str]]:
        for name, body in {
            "make": "", "apt-get": "", "unshare": "", "id": "echo 0\n",
            **bodies,
        }.items():
            command(name, body)
        child = subprocess.Popen(
            [str(RUN)], stdout=subprocess.PIPE, text=True,
            env={"PATH": f"{folder}:{os.environ['PATH']}",
                 "ASKED": str(asked), "CI": "true"},
        )
        if ended_at:
            assert process.wait_for(lambda: ended_at in made(), 60)
            child.terminate()
        said, _ = child.communicate(timeout=60)
        return child.returncode, said, made()

    return run


TESTS = ["make test", "make quick NOVA=29", "make quick NOVA=31"]


@pytest.mark.parametrize("bodies, reason", [
    pytest.param({"id": "echo 1000\n"}, "it needs root", id="not root"),
    pytest.param({"unshare": "exit 1\n"},
                 "mount namespaces are not permitted here",
                 id="no mount namespaces"),
    pytest.param({"apt-get": "exit 100\n"},
                 "apt-get cannot install python3 and libvirt-daemon here",
                 id="no registry"),
])
@pytest.mark.skipif(not Path("/etc/debian_version").exists(),
                    reason="asks for Debian first")
def test_without_a_lab_the_tests_run_alone(
    ci, bodies: dict[str, str], reason: str
) -> None:
    status, said, made = ci(**bodies)
    assert (status, made) == (0, TESTS)
    assert said.splitlines()[-1] == (
        f".ci/run: no walks through the lab on this machine: {reason}")


@pytest.mark.skipif(not Path("/etc/debian_version").exists(),
                    reason="asks for Debian first")
def test_what_stands_in_the_way_is_told(ci) -> None:
    refuses = ('case "$*" in *lab-check) '
               'echo "lab: no memory" >&2; exit 1;; esac\n')
    status, said, made = ci(make=refuses)
    assert status == 0
    assert made[-3:] == TESTS
    assert said.endswith("on this machine: lab: no memory\n")


@pytest.mark.skipif(not Path("/etc/debian_version").exists(),
                    reason="no lab elsewhere")
@pytest.mark.parametrize("fails, status, walks", [
    pytest.param("never", 0, ["make lab-test"], id="the walks pass"),
    pytest.param("lab-test", 0,
                 ["make lab-test", "make lab-test ONLY=--last-failed"],
                 id="once more, what failed"),
    pytest.param("lab-test*", 2,
                 ["make lab-test", "make lab-test ONLY=--last-failed"],
                 id="not a third time"),
    pytest.param("*NOVA=31", 2, [], id="no walks after tests that fail"),
])
def test_the_walks_follow_the_tests(
    ci, fails: str, status: int, walks: list[str]
) -> None:
    code, _, made = ci(make=f'case "$*" in {fails}) exit 2;; esac\n')
    assert code == status
    begin = made.index(TESTS[0])
    assert made[begin:begin + 3] == TESTS
    after = made[begin + 3:]
    assert after == ([*walks, "make -s lab-stop"] if walks else [])


@pytest.mark.skipif(not Path("/etc/debian_version").exists(),
                    reason="no lab elsewhere")
def test_the_lab_is_stopped_when_ci_is_ended(ci) -> None:
    status, _, made = ci(
        ended_at="make lab-test",
        make='case "$*" in lab-test) exec sleep 300;; esac\n')
    assert status == 1
    assert made[-2:] == ["make lab-test", "make -s lab-stop"]
