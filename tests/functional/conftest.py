"""Nova in one process, and a check of every guest that a test boots."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import logging
from unittest import mock

import pytest
from lxml import etree
from nova import objects

from pinning_filter.cli import main
from pinning_filter.compute import guest_xml
from pinning_filter.demo import cloud as demo_cloud
from pinning_filter.demo import services
from pinning_filter.libvirt import domain as domain_xml
from pinning_filter.nova import guest_topology
from pinning_filter.nova import host as nova_host
from pinning_filter.nova import settings as nova_settings
from tests.unit.nova_libvirt import ours


@pytest.fixture(scope="session", autouse=True)
def _tmp_path_outlives_nova(tmp_path_factory):
    """Nova's fixtures have a TMPDIR of their own, which goes with them."""
    tmp_path_factory.getbasetemp()


@pytest.fixture
def cloud():
    """A Nova with our filter and fit, without any compute yet."""
    with _checked(services.OURS) as running:
        yield running


@pytest.fixture
def stock_cloud():
    """A Nova with the filter and the fit that it brings."""
    with demo_cloud.cloud(services.STOCK) as running:
        yield running


@contextlib.contextmanager
def _checked(numa_filter):
    with (
        mock.patch.object(guest_xml, "rewritten", _beside_nova_s),
        demo_cloud.cloud(numa_filter) as running,
    ):
        boot_many = running.boot_many

        @functools.wraps(boot_many)
        def boot_and_check(*args, **kwargs):
            servers = boot_many(*args, **kwargs)
            for server in servers:
                if server.instance and server.instance.numa_topology:
                    check_xml(running, server)
            return servers

        running.boot_many = boot_and_check
        yield running


_rewritten = guest_xml.rewritten


def _beside_nova_s(xml, placement, settings):
    """Where nothing beyond Nova is asked for, we change not a letter.

    Called by the driver, with what Nova's own driver wrote.
    """
    as_nova = dataclasses.replace(
        settings, mirror=False, distances=False, emulator_near_first_cell=False
    )
    assert _rewritten(xml, placement, as_nova) == xml
    return _rewritten(xml, placement, settings)


def check_xml(running, server):
    """Ours is, element by element, what the compute's driver wrote."""
    nova_s = etree.fromstring(server.xml)
    host = nova_host.host_from_nova(running.host_topologies()[server.host])
    written = domain_xml.domain(
        guest_topology.placement_from_nova(
            host, server.instance.numa_topology
        ),
        nova_settings.settings(
            server.instance.flavor,
            server.instance.image_meta,
            mirror=running.mirrors(server.host),
        ),
        "guest",
    )
    assert ours(written) == ours(nova_s)


@pytest.fixture
def pinned_on():
    """The pCPUs that Nova counts as pinned on a compute."""

    def pinned(running, name):
        topology = running.host_topologies()[name]
        return set().union(*(cell.pinned_cpus for cell in topology.cells))

    return pinned


@pytest.fixture
def run(capsys):
    """Run ``pinning-filter`` with arguments: status, output and errors."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def run(*args):
        status = main.main([str(arg) for arg in args])
        return status, *capsys.readouterr()

    yield run
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def rows(run):
    """The rows of a command's JSON, and its exit status."""

    def rows(*args):
        status, out, err = run(*args, "-f", "json")
        assert out, err
        return status, json.loads(out)

    return rows


objects.register_all()
