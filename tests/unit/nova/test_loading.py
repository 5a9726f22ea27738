"""What a program that runs no service of Nova loads of it."""

import subprocess
import sys

import pytest

from pinning_filter.nova import loading


def printed_by(*statements):
    """What a new Python prints that runs this."""
    begin = ("import sys", "from pinning_filter.nova import loading",
             "loading.without_services()")
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(begin + statements)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_what_a_parser_does_not_need_is_not_loaded():
    """Each is loaded by one that is to be loaded later, and only by that."""
    assert printed_by(
        "import nova.objects.flavor, nova.virt.hardware",
        "spared = {'openstack.proxy', 'glanceclient', 'nova.db.types'}",
        "print(*spared & sys.modules.keys())",
    ) == []


@pytest.mark.parametrize("statement, used, module", [
    ("from nova import utils", "utils.connection.Connection",
     "openstack.connection"),
    ("from nova import utils", "utils.sdk_exc.ServiceDiscoveryException",
     "openstack.exceptions"),
    ("from nova.objects import flavor", "flavor.api_models.Flavors",
     "nova.db.api.models"),
    ("from nova.objects import compute_node", "compute_node.models.Service",
     "nova.db.main.models"),
    ("from nova.db.main import api", "api.models.Instance",
     "nova.db.main.models"),
    ("from nova.notifications import base", "base.glance.API",
     "nova.image.glance"),
])
def test_it_is_loaded_by_whoever_uses_it(statement, used, module):
    """The same as everybody else has."""
    name = used.rpartition(".")[2]
    assert printed_by(
        statement,
        f"import {module}",
        f"print({module}.{name} is {used}, type({module}).__name__)",
    ) == ["True", "module"]


def test_what_is_there_already_is_left():
    assert printed_by(
        "import openstack.connection",
        "from nova import utils",
        "print(utils.connection is openstack.connection)",
    ) == ["True"]


def test_the_sdk_is_whole_for_others():
    """oslo.limit imports modules of it that import one another."""
    assert printed_by(
        "from nova import objects",
        "objects.register_all()",
        "import oslo_limit.limit, openstack",
        "print(type(openstack).__name__, callable(openstack.connect))",
    ) == ["module", "True"]


def test_it_is_asked_for_once():
    loading.without_services()
    before = list(sys.meta_path)
    loading.without_services()
    assert sys.meta_path == before
