"""The options, and the configuration files that show them."""

import io
import os
import pathlib
import re
import shlex
import subprocess
import sys
import textwrap

import pytest
from nova.conf import scheduler
from nova.scheduler import filters
from oslo_config import cfg, generator

from pinning_filter import opts

TOP = pathlib.Path(__file__).parents[2]
ETC = TOP / "etc"


@pytest.fixture
def configured():
    """Read options from text, as nova.conf is read."""

    def reading(text, tmp_path, register=opts.register):
        path = tmp_path / "nova.conf"
        path.write_text(text)
        conf = cfg.ConfigOpts()
        register(conf)
        conf([], default_config_files=[str(path)])
        return conf

    return reading


def test_defaults(configured, tmp_path):
    group = configured("", tmp_path).pinning_filter
    assert group.guest_cpu_topology == "mirror"


def test_choices(configured, tmp_path):
    text = "[pinning_filter]\nguest_cpu_topology = {}\n"
    conf = configured(text.format("nova"), tmp_path)
    assert conf.pinning_filter.guest_cpu_topology == "nova"
    conf = configured(text.format("host"), tmp_path)
    with pytest.raises(cfg.ConfigFileValueError, match="guest_cpu_topology"):
        _ = conf.pinning_filter.guest_cpu_topology


def test_registering_twice_is_harmless():
    conf = cfg.ConfigOpts()
    opts.register(conf)
    opts.register(conf)
    assert "pinning_filter" in conf


def test_every_option_tells_what_it_is_for():
    ((group, options),) = opts.list_opts()
    assert group.name == "pinning_filter"
    assert [option.name for option in options if not option.help] == []


def test_the_sample_is_what_make_genconfig_writes():
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(
        [],
        default_config_files=[str(ETC / "config-generator.conf")],
    )
    text = io.StringIO()
    generator.generate(conf, text)
    assert text.getvalue() == (ETC / "pinning_filter.conf.sample").read_text()


FRAGMENT = ETC / "nova.conf.d" / "pinning_filter.conf"


def known(conf):
    """The filters that the scheduler could enable."""
    found = filters.HostFilterHandler().get_matching_classes(
        conf.filter_scheduler.available_filters
    )
    return {each.__name__ for each in found}


@pytest.mark.parametrize("first", ["site", "fragment"])
def test_the_fragment_leaves_a_site_s_own_filters_alone(first, tmp_path):
    """Whichever file is read first, which depends on how Nova is started."""
    site = tmp_path / "nova.conf"
    site.write_text(
        "[filter_scheduler]\n"
        "available_filters = nova.scheduler.filters.compute_filter"
        ".ComputeFilter\n"
        "enabled_filters = ComputeFilter,SiteFilter\n"
    )
    files = [str(site), str(FRAGMENT)]
    conf = cfg.ConfigOpts()
    scheduler.register_opts(conf)
    conf([], default_config_files=files if first == "site" else files[::-1])
    enabled = conf.filter_scheduler.enabled_filters
    assert enabled == ["ComputeFilter", "SiteFilter"]
    available = conf.filter_scheduler.available_filters
    assert "nova.scheduler.filters.compute_filter.ComputeFilter" in available
    assert {"NUMATopologyFilter", "PinningFilter"} <= known(conf)


def test_the_fragment_shows_nova_s_own_list_with_ours(configured, tmp_path):
    stock = configured("", tmp_path, register=scheduler.register_opts)
    text = FRAGMENT.read_text().replace("# enabled_filters", "enabled_filters")
    conf = configured(text, tmp_path, register=scheduler.register_opts)
    enabled = conf.filter_scheduler.enabled_filters
    assert enabled == [
        *stock.filter_scheduler.enabled_filters,
        "PinningFilter",
    ]
    assert set(enabled) <= known(conf)


def test_the_guide_s_check_prints_what_nova_scheduler_reads(tmp_path):
    """As told in doc/source/install.rst, on a site that followed it."""
    guide = (TOP / "doc" / "source" / "install.rst").read_text()
    block = re.search(r"\n( +\$ \S+python -c (?:.+\n)+)\n", guide).group(1)
    text = textwrap.dedent(block).removeprefix("$ ")
    end = text.rindex('"') + 1
    command, answer = shlex.split(text[:end]), text[end:]
    files = tmp_path / ".nova"
    (files / "nova.conf.d").mkdir(parents=True)
    (files / "nova.conf").write_text(
        "[filter_scheduler]\n"
        "enabled_filters = ComputeFilter,YourFilter,PinningFilter\n"
    )
    (files / "nova.conf.d" / FRAGMENT.name).write_text(FRAGMENT.read_text())
    printed = subprocess.run(
        [sys.executable, *command[1:]],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    assert printed == answer.lstrip("\n")
