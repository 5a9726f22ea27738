import pytest

from pinning_filter.core.refusal import Code, Fact, Refusal


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        pytest.param(
            Fact(Code.HOST_CELLS, 4, 2, "NUMA cells"),
            "needs 4 NUMA cells, the host has 2",
            id="about the host",
        ),
        pytest.param(
            Fact(Code.PCPUS, 6, 4, "pCPUs", host_cell=1),
            "host cell 1: needs 6 free pCPUs, has 4",
            id="about a host cell",
        ),
        pytest.param(
            Fact(Code.PCPUS, 6, 4, "pCPUs", host_cell=1, guest_cell=0),
            "host cell 1, guest cell 0: needs 6 free pCPUs, has 4",
            id="about a pair of cells",
        ),
        pytest.param(
            Fact(Code.PCPUS, 1, 0, "pCPUs", host_cell=1),
            "host cell 1: needs 1 free pCPU, has 0",
            id="one of a thing",
        ),
        pytest.param(
            Fact(Code.TOGETHER, 2, 1, "host cells"),
            "2 guest cells need a host cell each, only 1 host cell can take "
            "one of them",
            id="one of another",
        ),
        pytest.param(
            Fact(Code.MEMORY, 4 << 20, 1536 << 10, "KiB", 0),
            "host cell 0: needs 4 GiB of free memory, has 1536 MiB",
            id="memory in the largest even unit",
        ),
        pytest.param(
            Fact(Code.MEMORY, 1025, 0.5, "KiB", 0),
            "host cell 0: needs 1025 KiB of free memory, has 0.5 KiB",
            id="memory that is no whole MiB",
        ),
        pytest.param(
            Fact(Code.MEMORY, 1200000 << 10, 63123460, "KiB", 0),
            "host cell 0: needs 1200000 MiB of free memory, has 63123460 KiB",
            id="much memory, to the last digit",
        ),
        pytest.param(
            Fact(Code.SHARED_RATIO, 2, 1.5, "vCPUs", 0),
            "host cell 0: needs room for 2 shared vCPUs, the CPU allocation "
            "ratio leaves 1.5",
            id="a fraction",
        ),
        pytest.param(
            Fact(
                Code.PCPUS,
                3,
                2,
                "pCPUs",
                0,
                detail=" (one for emulator threads)",
            ),
            "host cell 0: needs 3 free pCPUs (one for emulator threads), has "
            "2",
            id="one more than the guest has vCPUs",
        ),
        pytest.param(
            Fact(
                Code.SMT, 3, 0, "cores without SMT", host_cell=0, detail="2"
            ),
            "host cell 0: thread policy isolate needs cores without SMT, "
            "these have 2 threads each",
            id="what is there instead",
        ),
        pytest.param(
            Fact(Code.PHYSNET, 1, 0, "host cells", 1, detail="a"),
            "host cell 1: is not near the physical network a",
            id="a host cell that would do but for a network",
        ),
        pytest.param(
            Fact(Code.DEVICES),
            "no choice of free PCI devices meets all their NUMA policies",
            id="enough of a thing, and yet not",
        ),
        pytest.param(
            Fact(Code.PHYSNET, 1, 0, "host cells", detail="{0} <b>"),
            "no host cell near the physical network {0} <b> has room for the "
            "guest",
            id="a name with braces is only a name",
        ),
    ],
)
def test_text(fact: Fact, text: str) -> None:
    assert fact.text == text


def test_a_clause_leaves_the_cells_to_whoever_shows_it() -> None:
    assert Fact(Code.PCPUS, 6, 4, "pCPUs", 1, 0).clause == (
        "needs 6 free pCPUs, has 4"
    )


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence(code: Code) -> None:
    assert Fact(code, 2, 1, "pCPUs", detail="x").text


def test_facts_are_read_in_the_order_of_the_cells() -> None:
    """However they were tried."""
    facts = (
        Fact(Code.PCPUS, 6, 4, "pCPUs", 1, 1),
        Fact(Code.PCPUS, 4, 2, "pCPUs", 1, 0),
        Fact(Code.PCPUS, 4, 1, "pCPUs", 0, 0),
        Fact(Code.TOGETHER, 2, 1, "host cells"),
    )
    refusal = Refusal(facts)
    assert refusal.in_order == [facts[at] for at in (3, 2, 1, 0)]
    assert refusal.text.startswith("2 guest cells need")


def test_a_refusal_is_false_and_reads_as_one_line() -> None:
    facts = (
        Fact(Code.PCPUS, 6, 4, "pCPUs", 0),
        Fact(Code.NO_SMT, 2, 1, "threads a core", 1),
    )
    assert not Refusal(facts)
    assert Refusal(facts).text == (
        "host cell 0: needs 6 free pCPUs, has 4; "
        "host cell 1: thread policy require needs SMT, there is none"
    )
