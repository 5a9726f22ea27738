"""What OpenStack-Ansible's role for Nova makes of install.rst's lines.

``OS_NOVA`` names a clone of openstack/openstack-ansible-os_nova,
``CONFIG_TEMPLATE`` one of openstack/ansible-config_template, with which the
role writes nova.conf; Ansible is in the environment that ``KOLLA`` names.
"""

import json
import os
from pathlib import Path

import pytest

from tests.install import ini, page
from tests.install.programs import IS_THERE, run

HERE = Path(__file__).parent / "openstack_ansible"
CLONES = ("OS_NOVA", "CONFIG_TEMPLATE")

pytestmark = pytest.mark.skipif(
    not (IS_THERE and set(CLONES) <= os.environ.keys()),
    reason="OS_NOVA and CONFIG_TEMPLATE name no clones of the role's")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """nova.conf, and the units and packages of Nova's services."""
    folder = tmp_path_factory.mktemp("openstack-ansible")
    role, config_template = (Path(os.environ[name]) for name in CLONES)
    filters = page.block("nova_user_pip_packages:")
    driver = page.block("nova_compute_init_overrides:")
    # As the page says: both are lines of one and the same variable.
    begin = "nova_nova_conf_overrides:\n"
    head, _, sections = driver.partition(begin)
    (folder / "user_variables.yml").write_text(
        head + filters + sections.replace(
            "  # filter_scheduler: as above\n", ""))
    collection = folder / "ansible_collections" / "openstack"
    collection.mkdir(parents=True)
    (collection / "config_template").symlink_to(config_template.absolute())
    groups = ("nova_compute", "nova_conductor", "nova_scheduler")
    (folder / "inventory").write_text(
        "".join(f"[{group}]\nlocalhost\n" for group in groups))
    run("ansible-playbook", "-i", folder / "inventory",
        HERE / "configure.yml",
        "-e", f"role={role.absolute()}", "-e", f"folder={folder}",
        ANSIBLE_HOME=str(folder / "home"),
        ANSIBLE_COLLECTIONS_PATH=str(folder))
    return folder


def test_filter_and_driver_are_in_nova_conf(folder):
    conf = ini.read(folder / "nova.conf")
    scheduler = conf["filter_scheduler"]
    assert scheduler["available_filters"] == [
        "nova.scheduler.filters.all_filters",
        "pinning_filter.scheduler.filter.PinningFilter"]
    assert scheduler["enabled_filters"] == ["ComputeFilter,PinningFilter"]
    assert conf["DEFAULT"]["compute_driver"] == [
        "pinning.PinningLibvirtDriver"]


def test_the_unit_of_nova_compute_alone_starts_the_launcher(folder):
    units = json.loads((folder / "told.json").read_text())["units"]
    assert {unit["service_name"]: unit["init_config_overrides"]
            for unit in units} == {
        "nova-conductor": {},
        "nova-scheduler": {},
        "nova-compute": {"Service": {
            "ExecStart": "/openstack/venvs/nova/bin/nova-compute-pinning"}}}


def test_the_package_is_installed_with_nova(folder):
    packages = json.loads((folder / "told.json").read_text())["packages"]
    assert "git+https://example.org/pinning_filter" in packages
