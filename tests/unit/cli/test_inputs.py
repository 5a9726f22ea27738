"""Where ``--host`` and its companions come from."""

import argparse
import json

import pytest
from nova import objects
from oslo_serialization import jsonutils

from pinning_filter.cli.inputs import host
from pinning_filter.core.errors import InputError
from pinning_filter.core.host import Pages

CAPABILITIES = """
<capabilities><host><topology><cells num='1'>
  <cell id='0'>
    <memory unit='KiB'>4194304</memory>
    <pages unit='KiB' size='4'>1048576</pages>
    <cpus num='2'>
      <cpu id='0' socket_id='0' core_id='0' siblings='0-1'/>
      <cpu id='1' socket_id='0' core_id='0' siblings='0-1'/>
    </cpus>
  </cell>
</cells></topology></host></capabilities>
"""


@pytest.fixture
def read(tmp_path):
    """Read the host that arguments name; text goes through a file."""

    def reading(source, *more, as_file=True):
        if as_file:
            path = tmp_path / "host"
            if isinstance(source, str):
                source = source.encode()
            path.write_bytes(source)
            source = str(path)
        parser = argparse.ArgumentParser()
        host.add_host_arguments(parser)
        args = parser.parse_args(["--host", source, *more])
        return host.read_node(args)[0].host

    return reading


def topology(**fields):
    objects.register_all()
    cell = objects.NUMACell(
        **{
            "id": 0,
            "cpuset": {0, 1},
            "pcpuset": {2, 3, 4, 5},
            "memory": 4096,
            "cpu_usage": 1,
            "memory_usage": 512,
            "socket": 0,
            "pinned_cpus": {2},
            "siblings": [{0, 1}, {2, 3}, {4, 5}],
            "mempages": [
                objects.NUMAPagesTopology(size_kb=4, total=1 << 20, used=0)
            ],
            **fields,
        }
    )
    return jsonutils.dumps(
        objects.NUMATopology(cells=[cell]).obj_to_primitive()
    )


def test_a_line(read):
    host = read("cell:2 core:2 pu:2", "--used", "1,6", as_file=False)
    assert [cell.dedicated for cell in host.cells] == [
        {0, 1, 2, 3},
        {4, 5, 6, 7},
    ]
    assert [cell.pinned for cell in host.cells] == [{1}, {6}]
    assert [cell.free for cell in host.cells] == [{0, 2, 3}, {4, 5, 7}]
    assert [cell.shared for cell in host.cells] == [set(), set()]


def test_capabilities(read):
    (cell,) = read(CAPABILITIES).cells
    assert cell.dedicated == {0, 1}
    assert cell.shared == set()
    assert list(cell.siblings) == [{0, 1}]
    assert cell.memory_kib == 4 << 20


def test_a_topology_of_nova(read):
    (cell,) = read(topology()).cells
    assert cell.dedicated == {2, 3, 4, 5}
    assert cell.pinned == {2}
    assert cell.shared == {0, 1}
    assert (cell.memory_kib, cell.memory_used_kib) == (4 << 20, 512 << 10)
    assert list(cell.pages) == [Pages(4, 1 << 20)]


@pytest.mark.parametrize(
    ("options", "dedicated", "shared", "pinned"),
    [
        pytest.param([], {2, 3, 4, 5}, {0, 1}, {2}, id="as Nova has it"),
        pytest.param(
            ["--used", "4"], {2, 3, 4, 5}, {0, 1}, {2, 4}, id="more in use"
        ),
        pytest.param(
            ["--dedicated", "0-3"],
            {0, 1, 2, 3},
            set(),
            {2},
            id="other dedicated pCPUs leave none shared",
        ),
        pytest.param(
            ["--shared", "5"],
            {0, 1, 2, 3, 4},
            {5},
            {2},
            id="other shared pCPUs leave all others dedicated",
        ),
        pytest.param(
            ["--dedicated", "2-3", "--shared", "4"],
            {2, 3},
            {4},
            {2},
            id="both",
        ),
    ],
)
def test_arguments_go_before_what_nova_has(
    read, options, dedicated, shared, pinned
):
    (cell,) = read(topology(), *options).cells
    assert (cell.dedicated, cell.shared) == (dedicated, shared)
    assert cell.pinned == pinned
    assert cell.free == dedicated - pinned


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param(" \n", "it is empty; wanted is one of: ", id="blank"),
        pytest.param("cells", "it is none of: the XML of", id="any text"),
        pytest.param("<domain/>", "it is a <domain> document", id="other XML"),
        pytest.param("<", "it is not XML: ", id="broken XML"),
        pytest.param("{}", "it is none of: the XML of", id="other JSON"),
        pytest.param("[]", "it is none of: the XML of", id="a JSON list"),
        pytest.param("3", "it is none of: the XML of", id="a JSON number"),
        pytest.param(
            '{"cells": []',
            "it is not JSON, or not the whole of it: Expecting ',' delimiter: "
            "line 1 column 13",
            id="JSON that breaks off",
        ),
        pytest.param(
            "[" * 100000, "its JSON is nested too deeply", id="deep JSON"
        ),
        pytest.param(
            '{"a": ' * 100000, "its JSON is nested too deeply", id="deeper"
        ),
        pytest.param("[NaN]", "whole of it: NaN is no number", id="NaN"),
        pytest.param(b'{"\xff": 1}', "it is not UTF-8", id="another encoding"),
        pytest.param(b"\0\0", "it is none of: the XML of", id="NULs"),
        pytest.param(
            topology().replace('"NUMATopology"', '"InstanceNUMATopology"'),
            "it is none of: the XML of",
            id="another object of Nova",
        ),
        pytest.param(
            topology().replace('"nova_object.data"', '"data"'),
            "does not read: a field is missing, or of another kind",
            id="a topology with a field less",
        ),
        pytest.param(
            json.dumps({"format": "pinning-filter dump", "version": [1]}),
            "a dump of version [1]; this pinning-filter reads version 1",
            id="a dump to come",
        ),
        pytest.param(
            json.dumps({"format": "pinning-filter dump", "version": 1}),
            "the dump: missing: taken, unreachable, flavors, hosts",
            id="a dump with keys less",
        ),
        pytest.param(
            topology().replace('"1.2"', '"9.2"'),
            "Version 9.2 of NUMATopology is not supported",
            id="a topology of a Nova to come",
        ),
        pytest.param(
            topology(siblings=[{2, 3}, {3, 4}, {5}]),
            "pCPUs [3] are in several cores",
            id="a machine that cannot be",
        ),
    ],
)
def test_nonsense_files_are_named(read, tmp_path, source, complaint):
    with pytest.raises(InputError) as caught:
        read(source)
    path = tmp_path / "host"
    assert str(caught.value).startswith(f"--host {path}: ")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("source", "options", "complaint"),
    [
        pytest.param(
            "no-such-file",
            [],
            "No such file or directory; --host takes a file, or a line such",
            id="a file that there is not",
        ),
        pytest.param("/", [], "Is a directory", id="a directory"),
        pytest.param("a\0b", [], "--host takes a file, or a line", id="a NUL"),
        pytest.param(
            "cell:1 core:x",
            [],
            "--host 'cell:1 core:x': 'core:x' is not a level",
            id="a wrong line",
        ),
        pytest.param(
            "cell:1 core:4",
            ["--used", "2,4-5"],
            "--used: the host has no pCPUs 4-5, only 0-3",
            id="used pCPUs that there are not",
        ),
        pytest.param(
            "cell:1 core:4",
            ["--dedicated", "9"],
            "--dedicated: the host has no pCPU 9",
            id="dedicated pCPUs that there are not",
        ),
        pytest.param(
            "cell:1 core:4",
            ["--shared", "9"],
            "--shared: the host has no pCPU 9",
            id="shared pCPUs that there are not",
        ),
        pytest.param(
            "cell:1 core:4",
            ["--shared", "0-1", "--dedicated", "1-3"],
            "both name pCPU 1; they must be apart, or the same",
            id="dedicated and shared overlap",
        ),
        pytest.param(
            "cell:1 core:4",
            ["--shared", "0-1", "--used", "1-2"],
            "--used: no guest can be pinned to pCPU 1: only",
            id="used pCPUs that are shared",
        ),
    ],
)
def test_nonsense_arguments_are_named(read, source, options, complaint):
    with pytest.raises(InputError) as caught:
        read(source, *options, as_file=False)
    assert complaint in str(caught.value)


def test_standard_input(pinning_filter):
    answer = pinning_filter(
        *("fit", "--host", "-", "--vcpus", "2", "--ram", "64"),
        *("--property", "hw:cpu_policy=dedicated"),
        *("-f", "value", "-c", "pinning"),
        stdin=CAPABILITIES.encode(),
    )
    assert answer == (0, "0->0 1->1\n", "")


@pytest.mark.parametrize(
    ("option", "key", "kind", "meant"),
    [
        ("--property", "hw_cpu_policy", "key of a flavor", "hw:cpu_policy"),
        ("--property", "hw_numa_cpus.0", "key of a flavor", "hw:numa_cpus.0"),
        (
            "--image-property",
            "hw:cpu_policy",
            "property of an image",
            "hw_cpu_policy",
        ),
        (
            "--image-property",
            "hw:numa_mem.1",
            "property of an image",
            "hw_numa_mem.1",
        ),
    ],
)
@pytest.mark.parametrize("command", ["fit", "explain"])
def test_keys_written_the_other_way_round_are_warned_of(
    pinning_filter, command, option, key, kind, meant
):
    question = (command, "--host", "cell:1 core:4", "--vcpus", 2, "--ram", 64)
    plain = pinning_filter(*question)
    answer = pinning_filter(*question, option, f"{key}=dedicated")
    assert answer == (
        0,
        plain.out,
        f"pinning-filter: {option} {key}: Nova ignores this {kind}; "
        f"do you mean {meant}?\n",
    )


@pytest.mark.parametrize(
    ("option", "key"),
    [
        ("--property", "my_own_key"),
        ("--property", "hw:cpu_sockets"),
        ("--image-property", "my:own:key"),
        ("--image-property", "hw_cpu_sockets"),
        ("--image-property", "trait:HW_CPU_X86_VMX"),
    ],
)
def test_other_keys_are_not(pinning_filter, option, key):
    answer = pinning_filter(
        *("fit", "--host", "cell:1 core:4", "--vcpus", 2, "--ram", 64),
        *(option, f"{key}=1" if "trait" not in key else f"{key}=required"),
    )
    assert (answer.status, answer.err) == (0, "")


def test_a_byte_order_mark_is_passed_over(read):
    (cell,) = read(b"\xef\xbb\xbf" + topology().encode()).cells
    assert cell.pinned == {2}


@pytest.mark.parametrize("command", ["fit", "map"])
@pytest.mark.parametrize(
    ("stdin", "complaint"),
    [
        (b"", "it is empty; wanted is one of: the XML of 'virsh "),
        (b"[]", "it is none of: the XML of 'virsh capabilities', the "),
        (None, "standard input is closed"),
    ],
)
def test_standard_input_that_says_nothing(
    pinning_filter, command, stdin, complaint
):
    question = ("--vcpus", 1, "--ram", 1) if command == "fit" else ()
    answer = pinning_filter(command, "--host", "-", *question, stdin=stdin)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"pinning-filter: --host -: {complaint}")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("fit", "--host"),
        ("map", "--host"),
        ("map", "--html"),
        ("map", "--config-file"),
        ("dump", "--file"),
        ("capacity", "--flavor"),
        ("defrag", "--flavor"),
        ("explain", "--image"),
        ("explain", "server"),
    ],
)
def test_empty_arguments_are_named(pinning_filter, command, option):
    words = (option, "") if option.startswith("-") else ("",)
    answer = pinning_filter(command, *words)
    assert (answer.status, answer.out) == (2, "")
    name = option if option.startswith("-") else option.upper()
    assert f"argument {name}: it is empty\n" in answer.err


@pytest.mark.parametrize("name", ["none.json", "none.xml", "no/where"])
def test_what_no_compute_node_is_named_is_a_file(pinning_filter, name):
    answer = pinning_filter("map", "--host", name)
    assert answer == (
        2,
        "",
        f"pinning-filter: --host {name}: No such file or directory; --host "
        "takes a file, or a line such as 'cell:2 core:4 pu:2'\n",
    )


def test_a_topology_of_other_objects_is_one_complaint(
    pinning_filter, tmp_path
):
    path = tmp_path / "host"
    path.write_text(topology().replace('"NUMACell"', '"a\\nb"'))
    assert pinning_filter("map", "--host", path) == (
        2,
        "",
        f"pinning-filter: --host {path}: a numa_topology that the installed "
        "Nova does not read: Unsupported object type a b\n",
    )


def test_what_nova_has_to_say_has_the_program_s_name(pinning_filter):
    answer = pinning_filter(
        *("explain", "--host", "cell:1 core:4", "--vcpus", 2, "--ram", 64),
        *("--property", "resources:CUSTOM_X=-1"),
    )
    assert answer.err
    assert all(
        line.startswith("pinning-filter: ") for line in answer.err.splitlines()
    )
