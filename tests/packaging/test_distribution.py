"""Wheel and sdist: built, installed where there is nothing, and run.

Takes a minute or two, and a package index; run by ``make dist``.
"""

import pathlib
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

TOP = pathlib.Path(__file__).parents[2]
QUESTION = (
    *("fit", "--host", "cell:2 core:4 pu:2", "--vcpus", "2", "--ram", "64"),
    *("--property", "hw:cpu_policy=dedicated"),
)


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Where the wheel and the sdist are; one is made out of the other."""
    place = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", place, TOP)
    return place


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(built):
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """The programs of an environment with nothing but pip."""
    place = tmp_path_factory.mktemp("empty")
    venv.create(place, with_pip=True)
    return place / "bin"


def test_the_wheel_holds_the_package_and_nothing_beside_it(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "pinning_filter"
    }
    for data in (
        "cloud/dump.schema.json",
        "cli/moves.schema.json",
        "cli/pictures/html/page.js",
    ):
        assert f"pinning_filter/{data}" in names


def test_the_sdist_holds_what_it_takes_to_test_it(sdist):
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert {"Makefile", "tox.ini", "LICENSE", "bindep.txt"} <= names
    assert {"tests/unit/core/test_fit.py", "doc/source/rules.rst"} <= names


def test_metadata_has_an_spdx_license_and_the_version_to_come(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (
            name for name in file.namelist() if name.endswith("/METADATA")
        )
        fields = file.read(name).decode().splitlines()
    assert "License-Expression: Apache-2.0" in fields
    (version,) = (line for line in fields if line.startswith("Version: "))
    assert version.startswith("Version: 1.0.0")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_installs_and_runs_where_there_is_nothing(kind, empty, request):
    path = request.getfixturevalue(kind)
    run(
        *(empty / "python", "-m", "pip", "install", "--quiet"),
        *("--force-reinstall" if kind == "sdist" else "--upgrade",),
        *(("--no-deps",) if kind == "sdist" else ()),
        *("--constraint", TOP / "constraints.txt", path),
    )
    where = {"cwd": empty}
    version = path.name.removeprefix("pinning_filter-").split("-")[0]
    said = run(empty / "pinning-filter", "--version", **where)
    assert said.split()[-1] == version.removesuffix(".tar.gz")
    assert "It fits" in run(empty / "pinning-filter", *QUESTION, **where)
    assert "--config-file" in run(
        empty / "nova-compute-pinning", "--help", **where
    )
