"""What the filter says: to the log, and to whoever asked for a server."""

import logging

import pytest
from nova import conf, exception
from nova.scheduler.filters import numa_topology_filter
from oslo_config import cfg
from oslo_context import context
from oslo_log import formatters, log

from pinning_filter.nova import fit as nova_fit
from pinning_filter.nova import stats as nova_stats
from pinning_filter.scheduler import reporting
from pinning_filter.scheduler.filter import PinningFilter
from pinning_filter.scheduler.weigher import PinningWeigher
from tests.unit.scheduler.test_filter import UUID, HostState, dedicated, spec

SHORT = (
    "No host can take 5 pinned vCPUs in one NUMA cell: 5 free pCPUs are "
    "needed in one NUMA cell, the best of 2 hosts has 4."
)


@pytest.fixture(autouse=True)
def _stock_afterwards():
    PinningFilter()  # says that it is on, before what is tested is said
    nova_fit.uninstall()
    yield
    nova_fit.uninstall()


@pytest.fixture
def option():
    PinningFilter()  # registers it
    yield lambda value: conf.CONF.set_override(
        "explain_in_fault", value, group="pinning_filter"
    )
    conf.CONF.clear_override("explain_in_fault", group="pinning_filter")


def hosts():
    return [
        HostState(used="0-3,8-13", name="secret-host-1"),
        HostState(used="0-5,8-15", name="secret-host-2"),
    ]


def asked(vcpus=5, number=1, **fields):
    made = spec(dedicated(vcpus), **fields)
    made.num_instances = number
    return made


def told(caplog, level=logging.INFO):
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == level and record.name.startswith("pinning")
    ]


@pytest.fixture
def starting(caplog):
    """A process that has said nothing yet, with these filters enabled."""
    caplog.set_level(logging.INFO)

    def enable(*names):
        conf.CONF.set_override("enabled_filters", names, "filter_scheduler")
        reporting.log_filter_enabled.cache_clear()
        reporting.log_weigher_enabled.cache_clear()

    yield enable
    conf.CONF.clear_override("enabled_filters", "filter_scheduler")


def test_the_log_says_once_that_the_log_filter_enabled(starting, caplog):
    starting("ComputeFilter", "PinningFilter")
    for _ in range(3):
        list(PinningFilter().filter_all([HostState()], asked(2)))
    assert told(caplog) == [
        f"PinningFilter {nova_stats.version()} is on: core_choice is nova, "
        "explain_in_fault is True. Compute nodes that do not run its driver "
        "count as plain Nova."
    ]
    assert told(caplog, logging.WARNING) == []


def test_the_log_says_once_that_the_log_weigher_enabled(starting, caplog):
    starting()
    for _ in range(3):
        PinningWeigher()
    assert told(caplog) == [
        f"PinningWeigher {nova_stats.version()} is on: "
        "pinning_weight_multiplier is 10000.0 where a host aggregate does not "
        "set its own."
    ]


def test_both_filters_at_once_are_warned_of(starting, caplog):
    starting("NUMATopologyFilter", "PinningFilter")
    PinningFilter()
    PinningFilter()
    (warning,) = told(caplog, logging.WARNING)
    assert warning.startswith(
        "NUMATopologyFilter is enabled beside PinningFilter"
    )


def test_beside_ours_nova_s_filter_asks_our_engine():
    """One vCPU too many, which Nova's own fit does not see."""
    stock = numa_topology_filter.NUMATopologyFilter()
    request = spec(dedicated(1, 1, 2), specs={"hw:cpu_policy": "dedicated"})
    host = HostState("cell:3 core:1")
    assert stock.host_passes(host, request)
    PinningFilter()
    assert not stock.host_passes(HostState("cell:3 core:1"), request)


def test_who_asks_for_one_server_is_told_why_there_is_no_host():
    with pytest.raises(exception.NoValidHost) as caught:
        list(PinningFilter().filter_all(hosts(), asked()))
    assert caught.value.format_message() == f"No valid host was found. {SHORT}"


def test_one_host_that_passes_is_enough():
    good = HostState(name="good")
    passed = list(PinningFilter().filter_all([*hosts(), good], asked()))
    assert passed == [good]


@pytest.mark.parametrize(
    ("answers", "number"),
    [
        pytest.param(True, 2, id="several servers: Nova must clean up"),
        pytest.param(False, 1, id="the operator does not want it"),
    ],
)
def test_nova_is_not_interrupted(option, caplog, answers, number):
    caplog.set_level(logging.INFO)
    option(answers)
    plugin = PinningFilter()
    assert list(plugin.filter_all(hosts(), asked(number=number))) == []
    assert told(caplog) == [f"Filter PinningFilter returned 0 hosts: {SHORT}"]


def test_a_request_that_does_not_say_for_how_many_is_not_interrupted():
    request = asked()
    delattr(request, "_obj_num_instances")
    assert list(PinningFilter().filter_all(hosts(), request)) == []


def test_no_hosts_to_begin_with_is_for_others_to_explain():
    assert list(PinningFilter().filter_all([], asked())) == []


def test_host_passes_alone_never_raises():
    assert PinningFilter().host_passes(hosts()[0], asked()) is False


def test_a_rebuild_stays_where_it_is():
    request = asked(number=1)
    request.scheduler_hints = {"_nova_check_type": ["rebuild"]}
    full = hosts()
    assert list(PinningFilter().filter_all(full, request)) == full


def test_a_host_that_cannot_be_read_is_counted_and_not_named():
    bad = HostState(name="secret-host")
    del bad.numa_topology.cells[0]._obj_pcpuset
    with pytest.raises(exception.NoValidHost) as caught:
        list(PinningFilter().filter_all([bad], asked()))
    assert caught.value.kwargs["reason"] == (
        "No host can take 5 pinned vCPUs in one NUMA cell: 1 host cannot be "
        "read."
    )


def test_the_message_of_a_fault_is_never_cut():
    bad = HostState()
    del bad.numa_topology.cells[0]._obj_pcpuset
    many = [
        HostState("cell:1 core:2", name="small"),
        HostState("", name="no topology"),
        HostState("cell:2 core:8", used="0-15", name="full"),
        HostState("cell:2(memory=16GiB) core:8", name="no memory"),
        bad,
    ]
    request = spec(
        dedicated(5, policy="require", memory_mib=20 << 10),
        specs={"hw:cpu_policy": "dedicated"},
    )
    request.num_instances = 1
    with pytest.raises(exception.NoValidHost) as caught:
        list(PinningFilter().filter_all(many, request))
    message = caught.value.format_message()
    assert len(message) <= 255
    assert message.endswith("hosts for other reasons.")


def test_the_log_has_one_line_with_the_ids_of_request_and_server(caplog):
    caplog.set_level(logging.INFO)
    context.RequestContext(request_id="req-1234", overwrite=True)
    with pytest.raises(exception.NoValidHost):
        list(PinningFilter().filter_all(hosts(), asked()))
    (record,) = (r for r in caplog.records if r.levelno == logging.INFO)
    config = cfg.ConfigOpts()
    log.register_options(config)
    config([])
    line = formatters.ContextFormatter(config=config).format(record)
    assert "req-1234" in line
    assert f"[instance: {UUID}]" in line
    assert line.endswith(f"Filter PinningFilter returned 0 hosts: {SHORT}")


def test_debug_tells_each_host_with_the_reason_or_the_placement(caplog):
    caplog.set_level(logging.DEBUG)
    states = [HostState(used="0-15", name="full"), HostState(name="empty")]
    list(PinningFilter().filter_all(states, asked(2)))
    assert told(caplog, logging.DEBUG) == [
        "full, full does not fit: host cell 0: needs 2 free pCPUs, has 0; "
        "host cell 1: needs 2 free pCPUs, has 0",
        "empty, empty fits: host cell 0 0->0 1->1",
    ]


def test_info_tells_nothing_of_a_host_that_passes(caplog):
    caplog.set_level(logging.INFO)
    list(PinningFilter().filter_all([HostState()], asked(2)))
    assert told(caplog) == []


@pytest.mark.parametrize("sizes", [(2,), (6, 2)], ids=str)
def test_nova_s_own_fit_is_not_heard(caplog, sizes):
    """Hosts say nothing of an engine here, so they run plain Nova, whose
    claim for several guest cells is worked out beforehand."""
    caplog.set_level(logging.DEBUG)
    states = [HostState(used="0-5"), HostState(used="0-14", name="full")]
    passed = list(PinningFilter().filter_all(states, spec(dedicated(*sizes))))
    assert passed == states[:1]
    assert "Computed NUMA topology" not in caplog.text


def test_nova_is_heard_again_afterwards(caplog):
    caplog.set_level(logging.INFO)
    log = logging.getLogger("nova.virt.hardware")
    with reporting.without_nova_info():
        log.info("one")
        log.warning("two")
    log.info("three")
    assert [record.getMessage() for record in caplog.records] == [
        "two",
        "three",
    ]
