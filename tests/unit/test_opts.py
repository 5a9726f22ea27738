"""The options, and the configuration files that show them."""

import io
import pathlib

import pytest
from nova.conf import scheduler
from nova.scheduler import filters
from oslo_config import cfg, generator

from pinning_filter import opts

ETC = pathlib.Path(__file__).parents[2] / "etc"


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


def test_the_fragment_enables_the_filter(configured, tmp_path):
    fragment = ETC / "nova.conf.d" / "pinning_filter.conf"
    conf = configured(
        fragment.read_text(), tmp_path, register=scheduler.register_opts
    )
    handler = filters.HostFilterHandler()
    found = {
        each.__name__
        for each in handler.get_matching_classes(
            conf.filter_scheduler.available_filters
        )
    }
    enabled = conf.filter_scheduler.enabled_filters
    assert set(enabled) <= found
    assert enabled[-1] == "PinningFilter"
    assert "NUMATopologyFilter" not in enabled
