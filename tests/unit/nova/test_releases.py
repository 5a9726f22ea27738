"""What differs between releases, as far as the one that is installed shows."""

import pkgutil

import pytest
from nova.compute import claims
from nova.virt.libvirt import driver

from pinning_filter.nova import releases


def test_the_installed_nova_has_all_that_the_driver_needs():
    assert releases.unfit_for_driver() == ""


def test_what_is_missing_is_named_in_one_line(monkeypatch):
    monkeypatch.setattr(releases, "installed", lambda: "35.0.0")
    monkeypatch.delattr(driver.LibvirtDriver, "_init_host_topology")
    monkeypatch.delattr(claims.Claim, "_test_numa_topology")
    assert releases.unfit_for_driver() == (
        "Nova 35.0.0 lacks LibvirtDriver._init_host_topology, "
        "Claim._test_numa_topology"
    )


def test_a_nova_that_is_too_old_is_told_which_one_would_do(monkeypatch):
    monkeypatch.setattr(releases, "installed", lambda: "28.3.1")
    assert releases.unfit_for_driver() == (
        "Nova 29 or newer is needed, this is 28.3.1"
    )


@pytest.mark.parametrize("name", releases.spawners())
def test_nova_starts_tasks_with(name):
    assert callable(pkgutil.resolve_name(name))


@pytest.mark.parametrize(
    "version, since, chosen",
    [
        pytest.param("32.2.1", 33, "false", id="eventlet before"),
        pytest.param("33.0.2", 33, "true", id="threads from then on"),
        pytest.param("33.0.2", 34, "false", id="as late as is asked"),
        pytest.param("34.1.0.dev5", 34, "true", id="of a development version"),
    ],
)
def test_threads_are_chosen_by_release(monkeypatch, version, since, chosen):
    monkeypatch.setattr(releases, "installed", lambda: version)
    monkeypatch.setattr("nova.monkey_patch.patch", lambda: None, raising=False)
    monkeypatch.delenv(releases.THREADS_SWITCH)
    releases.choose_concurrency(since)
    assert releases.os.environ[releases.THREADS_SWITCH] == chosen


def test_what_the_operator_chose_is_left(monkeypatch):
    monkeypatch.setattr("nova.monkey_patch.patch", lambda: None, raising=False)
    monkeypatch.setenv(releases.THREADS_SWITCH, "perhaps")
    releases.choose_concurrency()
    assert releases.os.environ[releases.THREADS_SWITCH] == "perhaps"
    assert not releases.on_threads()
