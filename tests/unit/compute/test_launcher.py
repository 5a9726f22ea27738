"""``nova-compute-pinning``, as a process of its own."""

import os
import pathlib
import subprocess
import sys

import pytest
from nova.virt.libvirt import driver as libvirt_driver

from pinning_filter.compute import launcher
from pinning_filter.nova import releases

BIN = pathlib.Path(sys.executable).parent


both = pytest.mark.parametrize(
    "program", ["nova-compute", "nova-compute-pinning"]
)


@pytest.fixture
def start(tmp_path):
    """Run a program whose own configuration cannot be read."""
    (tmp_path / ".nova").mkdir()
    (tmp_path / ".nova" / "nova.conf").touch()
    config = tmp_path / ".nova" / "nova-compute.conf"
    config.write_text("[DEFAULT]\nno assignment\n")
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop(releases.THREADS_SWITCH)

    def start(program):
        return subprocess.run(
            [BIN / program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return start


@both
def test_both_read_the_configuration_of_nova_compute(program, tmp_path, start):
    answer = start(program)
    assert answer.returncode == 1
    assert f"{tmp_path}/.nova/nova-compute.conf:2" in answer.stderr
    assert "no assignment" in answer.stderr


@pytest.mark.skipif(
    not releases.reads_concurrency_early(),
    reason="before Nova 34 no file says whether threads or eventlet",
)
@both
def test_both_learn_from_it_whether_threads_or_eventlet(
    program, tmp_path, start
):
    """From a file without the project's name, and before all others."""
    config = tmp_path / "nova-compute.conf"
    config.write_text("[DEFAULT]\nconcurrency_backend = neither\n")
    answer = start(program)
    assert answer.returncode == 1
    assert "concurrency_backend" in answer.stderr
    assert "neither" in answer.stderr
    assert "no assignment" not in answer.stderr


def test_a_nova_that_lacks_what_the_driver_needs_is_named(monkeypatch, capsys):
    monkeypatch.delattr(libvirt_driver.LibvirtDriver, "_get_guest_xml")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/nova-compute-pinning"])
    with pytest.raises(SystemExit) as exit:
        launcher.main()
    assert exit.value.code == (
        f"nova-compute-pinning: Nova {releases.installed()} lacks "
        "LibvirtDriver._get_guest_xml"
    )
