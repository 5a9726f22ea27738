"""What Kolla and Kolla-Ansible make of install.rst's lines.

Their released packages are in the environment that ``KOLLA`` names, which
``make install-tests`` makes. kolla-build runs whole, up to the engine that
would build the images; Kolla-Ansible's roles write the services' files.
"""

import json
import tarfile
from pathlib import Path

import pytest

from tests.install import ini, page
from tests.install.programs import IS_THERE, VENV, run

HERE = Path(__file__).parent / "kolla"
TOP = HERE.parents[2]
SHARE = VENV / "share" / "kolla-ansible"
ANSIBLE = SHARE / "ansible"

pytestmark = pytest.mark.skipif(
    not IS_THERE,
    reason="KOLLA names no environment with Kolla and Kolla-Ansible")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """What an engine would build each image from."""
    folder = tmp_path_factory.mktemp("kolla-build")
    run("python", "-m", "build", "--sdist", "--no-isolation",
        "--outdir", folder / "dist", TOP, PBR_VERSION="1.0")
    # Not from the network, and not looked at.
    source = folder / "nothing"
    source.mkdir()
    conf = page.block("[nova-base-plugin-pinning-filter]").replace(
        "/path/to/dist/pinning_filter-VERSION",
        f"{folder}/dist/pinning_filter-1.0")
    conf += "".join(
        f"[{name}]\ntype = local\nlocation = {source}\n"
        for name in ("openstack-base", "nova-base", "nova-base-plugin-blazar"))
    (folder / "kolla-build.conf").write_text(conf)
    (folder / "override.j2").write_text(page.block("nova_compute_footer"))
    told = run(
        "python", HERE / "build.py", "--base", "debian", "--threads", "1",
        "--config-file", folder / "kolla-build.conf",
        "--template-override", folder / "override.j2",
        "--work-dir", folder, "--summary-json-file", folder / "summary.json",
        "^nova-compute$", "^nova-scheduler$")
    built = json.loads((folder / "summary.json").read_text())["built"]
    assert {"name": "nova-compute"} in built, told
    return folder / "docker" / "nova"


def test_the_package_is_in_the_image_of_every_service_of_nova(images):
    archive = images / "nova-base" / "plugins-archive"
    with tarfile.open(archive) as plugins:
        there = plugins.getnames()
    assert "plugins/pinning_filter-1.0/pyproject.toml" in there
    assert "plugins/pinning_filter-1.0/pinning_filter/compute/driver.py" in (
        there)
    dockerfile = (images / "nova-base" / "Dockerfile").read_text()
    assert "ADD plugins-archive /\n" in dockerfile
    assert " /plugins/*; " in dockerfile
    for name in ("nova-scheduler", "nova-compute"):
        begins = (images / name / "Dockerfile").read_text().partition("\n")[0]
        assert begins.startswith("FROM kolla/nova-base:")


def test_the_command_of_the_compute_s_container_is_the_launcher(images):
    dockerfile = (images / "nova-compute" / "Dockerfile").read_text()
    assert ("\nRUN ln -sf nova-compute-pinning "
            "/var/lib/kolla/venv/bin/nova-compute\n") in dockerfile


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """The folder of each service's files."""
    folder = tmp_path_factory.mktemp("kolla-ansible")
    nova = folder / "config" / "nova"
    nova.mkdir(parents=True)
    (nova / "nova-scheduler.conf").write_text(
        page.block("enabled_filters = ComputeFilter,...,PinningFilter"))
    (nova / "nova-compute.conf").write_text(
        "[DEFAULT]\ncompute_driver = pinning.PinningLibvirtDriver\n")
    passwords = folder / "passwords.yml"
    passwords.write_bytes(
        (SHARE / "etc_examples/kolla/passwords.yml").read_bytes())
    passwords.chmod(0o600)
    run("kolla-genpwd", "-p", passwords)
    (folder / "group_vars").symlink_to(ANSIBLE / "group_vars")
    (folder / "inventory").write_bytes(
        (ANSIBLE / "inventory" / "all-in-one").read_bytes())
    run("ansible-playbook", "-i", folder / "inventory",
        HERE / "configure.yml",
        "-e", f"node_custom_config={folder / 'config'}",
        "-e", f"node_config_directory={folder / 'etc'}",
        "-e", f"@{passwords}",
        ANSIBLE_HOME=str(folder / "home"),
        ANSIBLE_ROLES_PATH=str(ANSIBLE / "roles"),
        ANSIBLE_ACTION_PLUGINS=str(ANSIBLE / "action_plugins"),
        ANSIBLE_FILTER_PLUGINS=str(ANSIBLE / "filter_plugins"),
        ANSIBLE_MODULE_UTILS=str(ANSIBLE / "module_utils"),
        ANSIBLE_LIBRARY=f"{HERE / 'library'}:{ANSIBLE / 'library'}")
    return folder / "etc"


def test_the_scheduler_reads_both_lines_of_available_filters(services):
    conf = ini.read(services / "nova-scheduler" / "nova.conf")
    assert conf["filter_scheduler"] == {
        "available_filters": [
            "nova.scheduler.filters.all_filters",
            "pinning_filter.scheduler.filter.PinningFilter"],
        "enabled_filters": ["ComputeFilter,...,PinningFilter"]}


def test_only_the_compute_has_the_driver(services):
    drivers = {
        name: ini.read(services / name / "nova.conf")["DEFAULT"].get(
            "compute_driver")
        for name in ("nova-compute", "nova-conductor", "nova-scheduler")}
    assert drivers == {
        "nova-compute": ["pinning.PinningLibvirtDriver"],
        "nova-conductor": ["libvirt.LibvirtDriver"],
        "nova-scheduler": None}


@pytest.mark.parametrize("name", ["nova-compute", "nova-scheduler"])
def test_a_container_runs_the_command_that_the_page_says(services, name):
    config = json.loads((services / name / "config.json").read_text())
    assert config["command"] == name
