"""``pinning-filter fit``."""

import json

import pytest

SMT = "cell:2 core:4 pu:2"
DEDICATED = ("--property", "hw:cpu_policy=dedicated")


def ask(vcpus, *more, host=SMT, ram=1024):
    return ("fit", "--host", host, "--vcpus", vcpus, "--ram", ram, *more)


def rows(answer):
    """The rows of JSON, without what is empty."""
    return [
        {key: value for key, value in row.items() if value not in (None, [])}
        for row in json.loads(answer.out)
    ]


@pytest.mark.parametrize(
    ("question", "pinning"),
    [
        pytest.param(
            ask(2, *DEDICATED), {"0": 0, "1": 1}, id="the flavor asks"
        ),
        pytest.param(
            ask(2, "--image-property", "hw_cpu_policy=dedicated"),
            {"0": 0, "1": 1},
            id="the image asks",
        ),
        pytest.param(
            ask(2, *DEDICATED, "--used", "0,8-15"),
            {"0": 2, "1": 3},
            id="used pCPUs are left alone",
        ),
        pytest.param(
            ask(2, *DEDICATED, "--dedicated", "5,7,13"),
            {"0": 5, "1": 7},
            id="only dedicated pCPUs are taken",
        ),
        pytest.param(
            ask(2, *DEDICATED, "--shared", "0-5,8-15"),
            {"0": 6, "1": 7},
            id="what is shared is not dedicated",
        ),
        pytest.param(
            ask(
                2,
                *DEDICATED,
                "--property",
                "hw:cpu_thread_policy=require",
                "--used",
                "0,2,4,8-15",
            ),
            {"0": 6, "1": 7},
            id="thread policy",
        ),
        pytest.param(
            ask(
                2,
                *DEDICATED,
                "--property",
                "hw:cpu_thread_policy=isolate",
                "--dedicated",
                "0-15",
                "--shared",
                "0-15",
            ),
            {"0": 0, "1": 2},
            id="isolate where vcpu_pin_set says so",
        ),
    ],
)
def test_it_fits(pinning_filter, question, pinning):
    answer = pinning_filter(*question, "-f", "json")
    assert answer.status == 0
    assert rows(answer) == [
        {
            "fits": True,
            "guest_cell": 0,
            "host_cell": 0,
            "pinning": pinning,
            "memory_kib": 1 << 20,
        }
    ]


def test_a_guest_of_two_cells_with_everything(pinning_filter):
    answer = pinning_filter(
        *ask(
            4,
            *("--property", "hw:cpu_policy=mixed"),
            *("--property", "hw:cpu_dedicated_mask=0,2"),
            *("--property", "hw:numa_nodes=2"),
            *("--property", "hw:mem_page_size=large"),
            *("--property", "hw:emulator_threads_policy=isolate"),
            *("--shared", "0-1,8-9"),
            host="cell:2(memory=8GiB pages=4x1GiB,512x2MiB) core:4 pu:2",
            ram=2048,
        ),
        *("-f", "json"),
    )
    assert answer.status == 0
    assert rows(answer) == [
        {
            "fits": True,
            "guest_cell": 0,
            "host_cell": 0,
            "pinning": {"0": 2},
            "floating": [1],
            "reserved": [3],
            "memory_kib": 1 << 20,
            "page_size_kib": 1 << 20,
        },
        {
            "fits": True,
            "guest_cell": 1,
            "host_cell": 1,
            "pinning": {"2": 10},
            "floating": [3],
            "memory_kib": 1 << 20,
            "page_size_kib": 1 << 20,
        },
    ]


def test_it_does_not_fit(pinning_filter):
    answer = pinning_filter(
        *ask(6, *DEDICATED, "--used", "0-3,8-12"), "-f", "json"
    )
    assert answer.status == 3
    assert rows(answer) == [
        {
            "fits": False,
            "host_cell": cell,
            "code": "pcpus",
            "needed": 6,
            "free": free,
            "unit": "pCPUs",
            "text": f"host cell {cell}: needs 6 free pCPUs, has {free}",
        }
        for cell, free in ((0, 4), (1, 3))
    ]


def test_isolate_needs_a_host_without_smt(pinning_filter):
    answer = pinning_filter(
        *ask(1, *DEDICATED, "--property", "hw:cpu_thread_policy=isolate"),
        *("-f", "json"),
    )
    assert answer.status == 3
    assert [row["code"] for row in rows(answer)] == ["smt", "smt"]


UNPINNED = (
    "The guest asks for no pinning and no NUMA cells: Nova places it by free "
    "vCPUs and memory alone.\n"
)


def test_what_asks_for_nothing_is_left_to_nova(pinning_filter):
    assert pinning_filter(*ask(64)) == (0, UNPINNED, "")


def test_where_nova_places_there_is_no_xml(pinning_filter):
    answer = pinning_filter(*ask(64, "--xml"))
    assert answer == (0, "", f"pinning-filter: {UNPINNED}")


def test_a_table_shows_what_there_is(pinning_filter):
    answer = pinning_filter(*ask(2, *DEDICATED))
    assert answer.out.startswith(
        "It fits.\n"
        "+------------+-----------+-----------+--------+\n"
        "| guest cell | host cell | pinning   | memory |\n"
        "+------------+-----------+-----------+--------+\n"
        "|          0 |         0 | 0->0 1->1 | 1 GiB  |\n"
        "+------------+-----------+-----------+--------+\n"
        "\n"
        "host cell 0 <- guest cell 0\n"
        "  pCPU  "
    )


def test_a_refusal_as_a_table(pinning_filter):
    answer = pinning_filter(*ask(9, *DEDICATED, host="cell:1 core:8"))
    assert answer.out.startswith(
        "It does not fit.\n"
        "+-----------+-------------+--------+------+-------+"
        "----------------------------------------------------+\n"
        "| host cell | code        | needed | free | unit  |"
        " text                                               |\n"
        "+-----------+-------------+--------+------+-------+"
        "----------------------------------------------------+\n"
        "|         0 | pcpus_total |      9 |    8 | pCPUs |"
        " host cell 0: needs 9 dedicated pCPUs, has 8 in all |\n"
        "+-----------+-------------+--------+------+-------+"
        "----------------------------------------------------+\n"
        "\n"
        "host cell 0\n"
        "  pCPU  "
    )


@pytest.mark.parametrize(
    ("form", "out"),
    [
        (
            "csv",
            '"fits","guest_cell","host_cell","pinning","floating","reserved",'
            '"memory_kib","page_size_kib","code","needed","free","unit",'
            '"text"\n'
            'True,0,0,"0->0 1->1","","",1048576,"","","","","",""\n',
        ),
        ("value", "True 0 0 0->0 1->1   1048576      \n"),
        (
            "yaml",
            "- code: null\n  fits: true\n  floating: []\n  free: null\n"
            "  guest_cell: 0\n  host_cell: 0\n  memory_kib: 1048576\n"
            "  needed: null\n  page_size_kib: null\n  pinning:\n"
            "    '0': 0\n    '1': 1\n  reserved: []\n  text: null\n"
            "  unit: null\n",
        ),
    ],
)
def test_formats_for_programs_have_every_column(pinning_filter, form, out):
    answer = pinning_filter(*ask(2, *DEDICATED), "-f", form)
    assert answer == (0, out, "")


def test_columns_can_be_picked(pinning_filter):
    question = ask(2, *DEDICATED)
    answer = pinning_filter(*question, "-f", "value", "-c", "pinning")
    assert answer == (0, "0->0 1->1\n", "")


def test_xml_by_itself(pinning_filter):
    answer = pinning_filter(
        *ask(1, "--image-property", "hw_cpu_policy=dedicated", ram=512),
        *("--property", "quota:cpu_shares=1024", "--used", "0", "--xml"),
    )
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert "  <shares>1024</shares>" in lines
    assert "  <vcpupin vcpu='0' cpuset='8'/>" in lines
    assert "  <emulatorpin cpuset='8'/>" in lines
    assert "  <memory mode='strict' nodeset='1'/>" in lines
    assert lines[0] == "<vcpu placement='static'>1</vcpu>"


def test_what_does_not_fit_has_no_xml(pinning_filter):
    question = ask(99, *DEDICATED, "--xml", host="cell:1 core:4")
    answer = pinning_filter(*question)
    assert answer == (
        3,
        "",
        "pinning-filter: it does not fit: host cell 0: needs 99 dedicated "
        "pCPUs, has 4 in all\n",
    )


@pytest.mark.parametrize("more", [("-f", "json"), ("-c", "pinning")])
def test_xml_is_no_table(pinning_filter, more):
    answer = pinning_filter(*ask(1, *DEDICATED, "--xml", *more))
    assert answer == (
        2,
        "",
        "pinning-filter: --xml: it takes neither -f nor -c\n",
    )


def test_emulator_threads_share_what_is_shared(pinning_filter):
    answer = pinning_filter(
        *ask(1, *DEDICATED, "--shared", "0-1", "--xml"),
        *("--property", "hw:emulator_threads_policy=share"),
    )
    assert "  <emulatorpin cpuset='0-1'/>" in answer.out.splitlines()


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        pytest.param(
            ask(1, "--property", "hw:cpu_policy=dedicatd"),
            "--property hw:cpu_policy=dedicatd: Validation failed; "
            "'dedicatd' is not one of: dedicated, shared, mixed",
            id="a value that Nova does not know",
        ),
        pytest.param(
            ask(1, "--property", "hw:cpu_polcy=dedicated"),
            "--property hw:cpu_polcy=dedicated: Validation failed; extra spec "
            "'hw:cpu_polcy' does not appear to be a valid extra spec.",
            id="a key that Nova does not know",
        ),
        pytest.param(
            ask(1, "--image-property", "hw_cpu_policy=dedicatd"),
            "--image-property hw_cpu_policy=dedicatd: "
            "Field value dedicatd is invalid",
            id="a value of an image that Nova does not know",
        ),
        pytest.param(
            ask(1, "--image-property", "hw_numa_nodes=two"),
            "--image-property hw_numa_nodes=two: it is not a whole number",
            id="a number of an image that is none",
        ),
        pytest.param(
            ask(1, "--image-property", "hw_cpu_polcy=dedicated"),
            "--image-property hw_cpu_polcy: Nova knows no such property; "
            "do you mean hw_cpu_policy?",
            id="a key of an image that Nova does not know",
        ),
        pytest.param(
            ask(
                1,
                *("--property", "hw:cpu_policy=shared"),
                *("--image-property", "hw_cpu_policy=dedicated"),
            ),
            "the guest: Image property 'hw_cpu_policy' is not permitted to "
            "override CPU pinning policy set against the flavor",
            id="flavor and image in conflict",
        ),
        pytest.param(
            ask(3, *DEDICATED, "--property", "hw:numa_nodes=2"),
            "the guest: Instance CPUs and/or memory cannot be evenly "
            "distributed across instance NUMA nodes",
            id="vCPUs that do not divide",
        ),
        pytest.param(
            ask(1, *DEDICATED, "-c", "pinnings"),
            "--column: there is no column pinnings, only fits, guest_cell,",
            id="a column that there is not",
        ),
    ],
)
def test_complaints_are_one_line(pinning_filter, question, complaint):
    answer = pinning_filter(*question)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("pinning-filter: ")
    assert complaint in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(("fit",), "--host, --vcpus, --ram", id="nothing said"),
        pytest.param(ask(0), "'0' is not a whole number from 1", id="zero"),
        pytest.param(ask("x"), "'x' is not a whole number", id="no number"),
        pytest.param(
            ask(1, "--property", "hw:cpu_policy"),
            "'hw:cpu_policy' is not KEY=VALUE",
            id="no value",
        ),
        pytest.param(
            ask(1, "--used", "3-1"), "runs backwards", id="a CPU list"
        ),
    ],
)
def test_wrong_usage(pinning_filter, arguments, complaint):
    answer = pinning_filter(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert complaint in answer.err
