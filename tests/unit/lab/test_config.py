"""The rendered configuration, of this machine and of the second node."""

import configparser
from pathlib import Path

import pytest

from lab import config, host, layout, node_layout


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "RUN", tmp_path)
    monkeypatch.setattr(layout, "ETC", tmp_path / "etc")
    monkeypatch.setattr(host, "STATE", tmp_path / "host.json")
    for name in ("LAB_SCHEDULER", "LAB_COMPUTE"):
        monkeypatch.delenv(name, raising=False)


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines()


def section(folder: Path, file: str, name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(
        strict=False, interpolation=None, default_section="none")
    parser.read(folder / file)
    return dict(parser[name])


def test_the_scheduler_is_enabled_as_the_readme_tells() -> None:
    config.render()
    shown = lines(layout.ETC, "nova-control.conf")
    for line in (
        "available_filters = nova.scheduler.filters.all_filters",
        "available_filters = pinning_filter.scheduler.filter.PinningFilter",
        "weight_classes = nova.scheduler.weights.all_weighers,"
        "pinning_filter.scheduler.weigher.PinningWeigher",
    ):
        assert line in shown
    enabled = section(layout.ETC, "nova-control.conf", "filter_scheduler")
    assert enabled["enabled_filters"].endswith(",PinningFilter")


def test_a_stock_scheduler_has_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_SCHEDULER", "stock")
    config.render()
    text = (layout.ETC / "nova-control.conf").read_text()
    assert "pinning_filter" not in text
    assert ",NUMATopologyFilter\n" in text


def test_what_the_choice_may_be_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_SCHEDULER", "pining")
    with pytest.raises(layout.LabError) as refused:
        config.render()
    assert str(refused.value) == (
        "LAB_SCHEDULER='pining': allowed are pinning, stock")


def test_the_host_is_shown_as_it_was_asked() -> None:
    host.Host(dedicated="0", shared="1", virt_type="lxc").save()
    config.render()
    compute = section(layout.ETC, "nova-compute.conf", "compute")
    assert compute == {"cpu_dedicated_set": "0", "cpu_shared_set": "1"}
    libvirt = section(layout.ETC, "nova-compute.conf", "libvirt")
    assert libvirt["virt_type"] == "lxc"
    assert libvirt["connection_uri"] == layout.LXC_URI


def test_the_second_node_asks_this_machine(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    config.render_node(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        config.NODE_FILES)
    assert "127.0.0.1" not in (folder / "nova.conf").read_text()
    shared = section(folder, "nova.conf", "DEFAULT")
    assert shared["host"] == node_layout.NAME
    assert shared["my_ip"] == node_layout.ADDRESS
    compute = section(folder, "nova-compute.conf", "compute")
    assert compute == {"cpu_dedicated_set": node_layout.DEDICATED,
                       "cpu_shared_set": node_layout.SHARED}


def test_a_compute_has_no_database(tmp_path: Path) -> None:
    config.render()
    config.render_node(tmp_path / "node")
    for folder in (layout.ETC, tmp_path / "node"):
        for name in ("nova.conf", "nova-compute.conf"):
            assert "[database]" not in lines(folder, name)
