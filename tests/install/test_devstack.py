"""The DevStack plugin's functions, and the nova.conf that they leave.

DevStack's functions are stand-ins (``devstack.sh``). With ``DEVSTACK`` set to
a clone of DevStack, its own INI functions and ``start_nova_compute`` are run.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.install import ini

HERE = Path(__file__).parent
PLUGIN = HERE.parents[1] / "devstack"
STOCK = ("ComputeFilter,ImagePropertiesFilter,SameHostFilter,"
         "DifferentHostFilter")
ALL = "nova.scheduler.filters.all_filters"
OURS = "pinning_filter.scheduler.filter.PinningFilter"
#: stack.sh, from the phase in which it installs to the start of nova-compute.
STACK = """\
set -o errexit
source "$HERE/devstack.sh"
source "$PLUGIN/settings"
source "$PLUGIN/plugin.sh" stack pre-install
source "$PLUGIN/plugin.sh" stack install
source "$PLUGIN/plugin.sh" stack post-config
{again}
if is_service_enabled n-cpu; then start_nova_compute; fi
source "$PLUGIN/plugin.sh" stack extra
source "$PLUGIN/plugin.sh" unstack
"""


@pytest.fixture(params=["stand-ins", "DevStack"])
def devstack(request):
    """DevStack's folder, empty for the stand-ins."""
    if request.param == "stand-ins":
        return ""
    folder = os.environ.get("DEVSTACK", "")
    if not folder:
        pytest.skip("DEVSTACK names no clone of openstack/devstack")
    return folder


def stack(folder, devstack, filters=STOCK, again="", **local_conf):
    """What nova.conf says in the end, and the calls that were seen."""
    conf = folder / "nova.conf"
    conf.write_text("[DEFAULT]\ncompute_driver = libvirt.LibvirtDriver\n"
                    f"[filter_scheduler]\nenabled_filters = {filters}\n")
    subprocess.run(
        ["bash", "-c", STACK.format(again=again)], cwd=folder, check=True,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
             "ENABLED_SERVICES": "n-sch,n-cpu", "NOVA_CONF": str(conf),
             "DEST": "/opt/stack", "DEVSTACK": devstack, "HERE": str(HERE),
             "PLUGIN": str(PLUGIN), "INI": str(HERE / "ini.py"),
             **local_conf})
    calls = folder / "calls"
    return ini.read(conf), calls.read_text() if calls.exists() else ""


def test_filter_weigher_and_driver_are_set(tmp_path, devstack):
    conf, _ = stack(tmp_path, devstack)
    assert conf["DEFAULT"] == {
        "compute_driver": ["pinning.PinningLibvirtDriver"]}
    assert conf["filter_scheduler"] == {
        "available_filters": [ALL, OURS],
        "enabled_filters": [f"{STOCK},PinningFilter"],
        "weight_classes": [
            "nova.scheduler.weights.all_weighers,"
            "pinning_filter.scheduler.weigher.PinningWeigher"],
    }


def test_it_is_installed_and_the_launcher_started(tmp_path, devstack):
    _, calls = stack(tmp_path, devstack)
    assert calls == (
        "setup_develop /opt/stack/pinning_filter\n"
        "run_process n-cpu /opt/stack/data/venv/bin/nova-compute-pinning "
        f"--config-file {tmp_path}/nova-cpu.conf libvirt\n")
    assert ini.read(tmp_path / "nova-cpu.conf")["DEFAULT"][
        "compute_driver"] == ["pinning.PinningLibvirtDriver"]


@pytest.mark.parametrize("filters, expected", [
    pytest.param("ComputeFilter,NUMATopologyFilter,SameHostFilter",
                 "ComputeFilter,PinningFilter,SameHostFilter",
                 id="in the place of Nova's"),
    pytest.param("ComputeFilter, SameHostFilter",
                 "ComputeFilter,SameHostFilter,PinningFilter",
                 id="at the end where Nova's is not"),
    pytest.param("ComputeFilter,PinningFilter",
                 "ComputeFilter,PinningFilter", id="once"),
])
def test_list_of_filters(tmp_path, devstack, filters, expected):
    conf, _ = stack(tmp_path, devstack, filters)
    assert conf["filter_scheduler"]["enabled_filters"] == [expected]


def test_second_run_of_the_phase_changes_nothing(tmp_path, devstack):
    again = 'source "$PLUGIN/plugin.sh" stack post-config'
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once = stack(tmp_path / "once", devstack)
    twice = stack(tmp_path / "twice", devstack, again=again)
    assert twice[0] == once[0]
    assert twice[1] == once[1].replace("/once/", "/twice/")


def test_driver_and_weigher_can_be_left_out(tmp_path, devstack):
    conf, calls = stack(tmp_path, devstack, PINNING_FILTER_DRIVER="False",
                        PINNING_FILTER_WEIGHER="False")
    assert conf["DEFAULT"]["compute_driver"] == ["libvirt.LibvirtDriver"]
    assert "weight_classes" not in conf["filter_scheduler"]
    assert "bin/nova-compute --config-file" in calls


def test_without_novas_services_nothing_is_done(tmp_path, devstack):
    conf, calls = stack(tmp_path, devstack, ENABLED_SERVICES="g-api")
    assert conf["filter_scheduler"] == {"enabled_filters": [STOCK]}
    assert calls == ""


def test_shellcheck_finds_nothing():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    found = subprocess.run(
        ["shellcheck", "--shell=bash", PLUGIN / "plugin.sh",
         PLUGIN / "settings", HERE / "devstack.sh"],
        capture_output=True, text=True)
    assert found.stdout == ""
