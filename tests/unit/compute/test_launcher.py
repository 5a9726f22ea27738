"""``nova-compute-pinning``, as a process of its own."""

import os
import pathlib
import subprocess
import sys

import pytest

BIN = pathlib.Path(sys.executable).parent


@pytest.mark.parametrize("program", ["nova-compute", "nova-compute-pinning"])
def test_both_read_the_configuration_of_nova_compute(program, tmp_path):
    """Shown by a file that cannot be read."""
    files = tmp_path / ".nova"
    files.mkdir()
    (files / "nova.conf").touch()
    (files / "nova-compute.conf").write_text("[DEFAULT]\nno assignment\n")
    answer = subprocess.run(
        [BIN / program],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert answer.returncode == 1
    assert f"{files}/nova-compute.conf:2" in answer.stderr
    assert "no assignment" in answer.stderr
