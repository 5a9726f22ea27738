"""Inputs of people who run pinned clouds, and the right answers."""

import json
import pathlib
import re

import pytest
from nova import objects
from oslo_serialization import jsonutils

CASES = pathlib.Path(__file__).parents[1] / "data" / "cases"
DATA = pathlib.Path(__file__).parents[1] / "data"
FRAGMENTATION = pathlib.Path(__file__).parents[3].joinpath(
    "doc", "source", "examples", "fragmentation.json"
)
OFFLINE = (DATA / "capabilities-offline-pcpus.xml").read_text()
DEDICATED = ("--property", "hw:cpu_policy=dedicated")
REQUIRE = (*DEDICATED, "--property", "hw:cpu_thread_policy=require")
ISOLATE = (*DEDICATED, "--property", "hw:cpu_thread_policy=isolate")


@pytest.fixture
def fit(pinning_filter, tmp_path):
    """Ask ``fit`` and ``explain`` about a host, a line or a file's text."""

    def ask(host, vcpus, *more, ram=64, on_host=()):
        if host.lstrip().startswith(("<", "{")):
            path = tmp_path / "host"
            path.write_text(host)
            host = path
        guest = ("--vcpus", vcpus, "--ram", ram, *more)
        answer = pinning_filter(
            "fit", "--host", host, *on_host, *guest, "-f", "json"
        )
        rows = json.loads(answer.out)
        if not on_host:
            told = pinning_filter(
                "explain", "--host", host, *guest, "-f", "json"
            )
            assert told.status == answer.status
            assert [row["code"] for row in json.loads(told.out)] == [
                row["code"] for row in rows
            ]
        return answer.status, rows, answer.err

    return ask


def pinning(host, pcpus):
    """Edit the row of the first guest of a host in a dump."""
    host["guests"][0]["cells"][0]["pinning"] = pcpus


def codes(rows):
    return [row["code"] for row in rows]


def cores(*siblings, core_ids=None):
    """Capabilities of one cell: ``siblings`` of pCPU 0, 1, 2 ..."""
    ids = core_ids or range(len(siblings))
    return re.sub(
        r"<cpus.*</cpus>",
        f"<cpus num='{len(siblings)}'>"
        + "".join(
            f"<cpu id='{cpu}' socket_id='0' die_id='0' cluster_id='0' "
            f"core_id='{core}' siblings='{each}'/>"
            for cpu, (each, core) in enumerate(
                zip(siblings, ids, strict=True)
            )
        )
        + "</cpus>",
        OFFLINE,
        flags=re.DOTALL,
    )


class TestOfflinePcpus:
    """libvirt lists them as their own only siblings, in core 0."""

    def test_they_are_said_and_not_used(self, fit):
        status, rows, err = fit(OFFLINE, 4, *DEDICATED)
        assert (status, codes(rows)) == (3, ["pcpus_total"])
        assert err == (
            "pinning-filter: pCPUs 2-3 are offline, as the capabilities "
            "show, and not used (--online LIST says which are online)\n"
        )
        assert fit(OFFLINE, 2, *DEDICATED)[1][0]["pinning"] == {
            "0": 0, "1": 1,
        }

    def test_whoever_asks_knows_better(self, fit):
        status, _, err = fit(
            OFFLINE, 4, *DEDICATED, on_host=("--online", "0-3")
        )
        assert (status, err) == (0, "")
        status, rows, _ = fit(
            OFFLINE, 2, *REQUIRE, on_host=("--online", "0,2-3")
        )
        assert (status, codes(rows)) == (3, ["no_smt"])

    def test_cores_of_one_thread_are_none(self, fit):
        assert fit(cores("0", "1", "2", "3"), 4, *DEDICATED)[0] == 0

    def test_smt_was_put_offline(self, fit):
        """Of each core a thread is left; the others are all "core 0"."""
        off = cores(*"01234567", core_ids=(0, 1, 2, 3, 0, 0, 0, 0))
        status, rows, err = fit(off, 4, *DEDICATED)
        assert (status, rows[0]["pinning"]) == (
            0, {"0": 0, "1": 1, "2": 2, "3": 3},
        )
        assert "pCPUs 4-7 are offline" in err

    def test_those_of_another_cell_are_in_core_0_too(self, fit):
        two = OFFLINE.replace(
            "</cell></cells>",
            "</cell><cell id='1'><memory unit='KiB'>1048576</memory>"
            "<pages unit='KiB' size='4'>262144</pages><cpus num='2'>"
            "<cpu id='4' socket_id='1' core_id='0' siblings='4'/>"
            "<cpu id='5' socket_id='0' core_id='0' siblings='5'/>"
            "</cpus></cell></cells>",
        )
        _, rows, err = fit(two, 8, *DEDICATED)
        assert [row["free"] for row in rows] == [2, 1]
        assert "pCPUs 2-3,5 are offline" in err


@pytest.mark.parametrize(
    ("vcpus", "dedicated", "status"),
    [(1, "0,2,4", 3), (3, "0-1,4", 3), (2, "0-1,4", 0), (1, "0-1,4", 0)],
)
def test_require_wants_two_free_threads_on_every_core(
    fit, vcpus, dedicated, status
):
    host = "cell:1 core:3 pu:2"
    found, rows, _ = fit(
        host, vcpus, *REQUIRE, on_host=("--dedicated", dedicated)
    )
    assert found == status
    if not status:
        pcpus = sorted(rows[0]["pinning"].values())
        assert pcpus == [0, 1][:vcpus]


def test_one_node_for_each_of_24_caches(fit):
    status, rows, err = fit(
        "cell:24 core:4 pu:2", 192, *DEDICATED,
        "--property", "hw:numa_nodes=24", ram=24576,
    )
    assert (status, err, len(rows)) == (0, "", 24)
    assert [row["host_cell"] for row in rows] == list(range(24))


class TestCoresGivenOutInPart:
    """Nova reports of a core what is given out."""

    LINE = "cell:1 core:4 pu:2"

    def test_isolate_fits_and_is_kept_off_by_placement(self, fit):
        half = ("--dedicated", "0,2,4,6")
        status, rows, err = fit(self.LINE, 2, *ISOLATE, on_host=half)
        assert (status, rows[0]["pinning"]) == (0, {"0": 0, "1": 2})
        assert "HW_CPU_HYPERTHREADING" in err

    def test_require_has_no_smt(self, fit):
        half = ("--dedicated", "0,2,4,6")
        status, rows, err = fit(self.LINE, 2, *REQUIRE, on_host=half)
        assert (status, codes(rows), err) == (3, ["no_smt"], "")

    def test_the_old_set_has_two_whole_cores(self, fit):
        given = "0,1,2,3,6,7"  # cores {0,4} {1,5} {2,6} {3,7}
        host = cores(
            *("0,4", "1,5", "2,6", "3,7") * 2, core_ids=(0, 1, 2, 3) * 2
        )
        old = ("--dedicated", given, "--shared", given)
        status, rows, _ = fit(host, 3, *ISOLATE, on_host=old)
        assert (status, codes(rows)) == (3, ["whole_cores_total"])
        status, rows, _ = fit(host, 2, *ISOLATE, on_host=old)
        # Nova's own order of cores.
        assert (status, rows[0]["pinning"]) == (0, {"0": 3, "1": 2})


@pytest.mark.parametrize("arch", ["s390x", "ia64"])
def test_where_nova_knows_no_numa_cells(fit, arch):
    host = OFFLINE.replace("x86_64", arch)
    status, rows, err = fit(host, 1, *DEDICATED)
    assert (status, codes(rows)) == (3, ["no_topology"])
    assert f"Nova reports no NUMA topology on '{arch}'" in err


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            (r"<pages.*</pages>", ""),
            "NUMA cell 0: its memory pages are not stated",
            id="no pages",
        ),
        pytest.param(
            (r"<memory.*</memory>", ""),
            "NUMA cell 0: its memory is not stated",
            id="no memory",
        ),
        pytest.param(
            (r"<cpu id='(\d)'[^>]*>", r"<cpu id='\1'/>"),
            "its CPUs are listed without their siblings, by a libvirt that "
            "is too old for Nova",
            id="bare CPUs",
        ),
    ],
)
def test_what_is_not_stated_is_not_0(fit, change, text):
    status, rows, _ = fit(re.sub(*change, OFFLINE), 2, *DEDICATED)
    assert (status, codes(rows)) == (3, ["unreadable"])
    assert text in rows[0]["text"]


def a_topology(**without):
    """What Nova keeps of a compute node, but for some fields."""
    objects.register_all()
    fields = {
        "id": 0,
        "cpuset": set(),
        "pcpuset": {0, 1},
        "memory": 1024,
        "cpu_usage": 0,
        "memory_usage": 0,
        "pinned_cpus": set(),
        "siblings": [{0}, {1}],
        "socket": 0,
        "mempages": [
            objects.NUMAPagesTopology(size_kb=4, total=1 << 18, used=0)
        ],
    }
    kept = {name: fields[name] for name in fields if name not in without}
    cell = objects.NUMACell(**kept)
    return jsonutils.dumps(
        objects.NUMATopology(cells=[cell]).obj_to_primitive()
    )


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("socket", "NUMA cell 0: its socket is missing"),
        ("mempages", "NUMA cell 0: its mempages is missing"),
        (
            "pcpuset",
            "NUMA cell 0: its pcpuset is missing: this was written before "
            "Nova 20 (Train); nova-compute writes it anew when a newer one "
            "starts there",
        ),
    ],
)
def test_what_the_filter_cannot_count_with_fit_does_not_either(
    fit, field, text
):
    assert fit(a_topology(), 2, *DEDICATED)[0] == 0
    status, rows, _ = fit(a_topology(**{field: None}), 2, *DEDICATED)
    assert (status, codes(rows)) == (3, ["unreadable"])
    assert text in rows[0]["text"]


def test_a_guest_larger_than_a_cell_would_fit_in_two(pinning_filter):
    answer = pinning_filter(
        "explain", "--host", "cell:2 core:12 pu:2", "--vcpus", 48,
        "--ram", 65536, *DEDICATED, "-f", "json",
    )
    assert json.loads(answer.out)[0]["remedies"] == [
        "fits with hw:numa_nodes=2"
    ]


def test_siblings_that_do_not_exist_are_warned_of(pinning_filter):
    def warned(line):
        answer = pinning_filter(
            "fit", "--host", line, "--vcpus", 2, "--ram", 64, *DEDICATED,
            "--property", "hw:cpu_threads=2", "--xml",
        )
        assert "threads='2'" in answer.out
        return answer.err

    assert warned("cell:1 core:4 pu:2") == ""
    assert warned("cell:1 core:4") == (
        "pinning-filter: the guest is shown 2 threads a core, as asked for, "
        "but its vCPUs are not on siblings of the host\n"
    )


class TestWhatIsInUse:
    """Options, for hosts that do not say themselves."""

    LINE = "cell:2(memory=4GiB pages=512x2MiB) core:4"
    LARGE = (*DEDICATED, "--property", "hw:mem_page_size=2048")

    @pytest.mark.parametrize(
        ("options", "more", "ram", "cell"),
        [
            pytest.param((), DEDICATED, 2048, 0, id="nothing"),
            pytest.param(
                ("--used-memory", "0=2048"), DEDICATED, 2048, 1, id="memory"
            ),
            pytest.param((), LARGE, 1024, 0, id="no pages"),
            pytest.param(
                ("--used-pages", "0:2048=1"), LARGE, 1024, 1, id="pages"
            ),
            pytest.param(
                ("--reserved-pages", "0:2048=1"), LARGE, 1024, 1,
                id="reserved pages",
            ),
            pytest.param(
                (
                    *("--used-pages", "0:2048=100"),
                    *("--reserved-pages", "1:2048=200"),
                ),
                LARGE, 1024, None, id="pages of both",
            ),
        ],
    )
    def test_it_is_counted(self, fit, options, more, ram, cell):
        status, rows, _ = fit(self.LINE, 2, *more, ram=ram, on_host=options)
        assert (status == 3) == (cell is None)
        if cell is not None:
            assert rows[0]["host_cell"] == cell

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (
                ("--used-memory", "0:2048"),
                "'0:2048' is not CELL=MIB, such as 0=2048",
            ),
            (
                ("--used-memory", "7=1"),
                "--used-memory: the host has no NUMA cell 7, only 0-1",
            ),
            (
                ("--used-memory", "0=9999"),
                "--used-memory: NUMA cell 0 has 4096 MiB, not 9999",
            ),
            (
                ("--used-pages", "0=2"),
                "'0=2' is not CELL:KIB=COUNT, such as 0:2048=512",
            ),
            (
                ("--used-pages", "0:1048576=2"),
                "--used-pages: NUMA cell 0 has no pages of 1048576 KiB, only "
                "of 4, 2048",
            ),
            (
                ("--reserved-pages", "1:2048=513"),
                "NUMA cell 1 has 512 pages of 2048 KiB, not 513",
            ),
        ],
    )
    def test_nonsense_is_named(self, pinning_filter, options, complaint):
        answer = pinning_filter(
            "fit", "--host", self.LINE, *options, "--vcpus", 2, "--ram", 64
        )
        assert answer.status == 2
        assert complaint in answer.err


class TestRecordsThatContradictTheirHost:
    """One bad record never takes the cloud with it."""

    GONE = CASES / "dump-cell-gone.json"
    TWICE = CASES / "dump-double-pinned.json"
    OUTSIDE = CASES / "dump-set-changed.json"
    COMMANDS = (
        ("map",),
        ("capacity", "--total"),
        ("dump", "--file", "-"),
        ("survive",),
        ("defrag", "--plan", "--flavor", "pinned.4"),
        ("explain", "--flavor", "pinned.4"),
    )

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each[0])
    @pytest.mark.parametrize(
        ("file", "warning"),
        [
            (
                GONE,
                "host lab-node, server database-1: the host has no NUMA cell "
                "5; where it sits is not known",
            ),
            (
                TWICE,
                "host lab-node: pCPUs 0-1 are held by 2 servers: database-1, "
                "database-2",
            ),
            (
                OUTSIDE,
                "host lab-node: pCPUs 0-1 are not dedicated, and a server is "
                "pinned there: database-1",
            ),
        ],
        ids=("a cell is gone", "pinned twice", "outside the set"),
    )
    def test_every_command_warns(
        self, pinning_filter, command, file, warning
    ):
        answer = pinning_filter(*command, "--host", file)
        assert f"pinning-filter: {warning}\n" in answer.err
        assert (answer.status == 4) == (file == self.GONE)
        assert answer.out

    @pytest.mark.parametrize(
        ("change", "warning", "status"),
        [
            (
                lambda host: host["guests"][0].update(cpu_policy="shared"),
                "host lab-node, server database-1: its record cannot be "
                "read: request: guest cell 0: dedicated vCPUs in a shared "
                "guest; where it sits is not known",
                4,
            ),
            (
                lambda host: host["guests"].append(host["guests"][0]),
                "host lab-node, server database-1: it is on host lab-node, "
                "too; where it sits is not known",
                4,
            ),
            (
                lambda host: pinning(host, {"0": 6, "1": 7}),
                "host lab-node: pCPUs 6-7 are of another NUMA cell than the "
                "server's: database-1",
                0,
            ),
            (
                lambda host: pinning(host, {"0": 1, "1": 1}),
                "host lab-node: pCPU 1 is held twice by a server: database-1",
                0,
            ),
            (
                lambda host: pinning(host, {"0": 1}),
                "host lab-node: dedicated vCPU 1 of a server is pinned to no "
                "pCPU: database-1",
                0,
            ),
        ],
        ids=[
            "a guest that cannot be",
            "a guest twice",
            "pCPUs of another cell",
            "a pCPU twice",
            "a vCPU without a pCPU",
        ],
    )
    def test_one_record_never_takes_the_cloud_with_it(
        self, pinning_filter, tmp_path, change, warning, status
    ):
        dump = json.loads(FRAGMENTATION.read_text())
        change(next(each for each in dump["hosts"] if each["guests"]))
        file = tmp_path / "dump.json"
        file.write_text(json.dumps(dump))
        for command in ("map", "capacity", "survive"):
            answer = pinning_filter(command, "--host", file)
            assert f"pinning-filter: {warning}\n" in answer.err
            assert (answer.status == 4) == (status == 4)
            assert answer.out

    @pytest.mark.parametrize(
        ("cell", "problem"),
        [
            ({"cores": ["0-1"]}, "cell 0: pCPUs [2, 3] are in no core"),
            ({"id": 1}, "its cell ids repeat: [1, 1]"),
            ({"dedicated": "3-0"}, "the range '3-0' in the CPU list '3-0' "
             "runs backwards"),
        ],
        ids=["a core is gone", "a cell twice", "a list that is none"],
    )
    def test_a_host_that_cannot_be_is_shown_as_such(
        self, pinning_filter, tmp_path, cell, problem
    ):
        dump = json.loads(FRAGMENTATION.read_text())
        (node,) = (each for each in dump["hosts"] if each["guests"])
        node["numa"]["cells"][0].update(cell)
        file = tmp_path / "dump.json"
        file.write_text(json.dumps(dump))
        for command in (("map",), ("explain", "--flavor", "pinned.2")):
            answer = pinning_filter(*command, "--host", file)
            told = " ".join(answer.out.replace("|", " ").split())
            assert "its NUMA topology cannot be read: " in told
            assert problem in told
            assert "lab-host" in told
        rows = json.loads(
            pinning_filter("capacity", "--host", file, "-f", "json").out
        )
        closed = {row["host"]: row["closed"] for row in rows}
        assert closed["lab-node"].endswith(problem)
        assert not closed["lab-host"]

    def test_the_map_names_who_is_not_placed(self, pinning_filter):
        answer = pinning_filter("map", "--host", self.GONE)
        assert "?  database-1: not placed, the host has no NUMA cell 5" in (
            answer.out
        )
        assert "cell 0  0 [# #][. .]" in answer.out

    @pytest.mark.parametrize(
        ("file", "row", "state"),
        [
            (TWICE, "cell 0  0 [B! B!][ .  .]", "twice"),
            (OUTSIDE, "cell 0  0 [A? A?][ .  .]", "outside"),
        ],
    )
    def test_the_map_draws_it(self, pinning_filter, file, row, state):
        assert row in pinning_filter("map", "--host", file).out
        rows = json.loads(
            pinning_filter("map", "--host", file, "-f", "json").out
        )
        assert [each["pcpu"] for each in rows if each["state"] == state] == [
            0, 1,
        ]

    def test_no_plan_counts_on_a_pcpu_that_another_holds(
        self, pinning_filter
    ):
        answer = pinning_filter(
            "defrag", "--plan", "--flavor", "pinned.4", "--host", self.TWICE
        )
        assert answer.status == 3
        assert answer.out.startswith(
            "There is room for 0 of 1 now, and no moves were found that help"
        )

    def test_a_dump_of_it_says_the_same(self, pinning_filter, tmp_path):
        again = tmp_path / "again.json"
        answer = pinning_filter(
            "dump", "--host", self.GONE, "--file", again
        )
        assert answer.status == 4
        assert "no NUMA cell 5" in pinning_filter(
            "map", "--host", again
        ).out
