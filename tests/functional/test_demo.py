"""The demo, from its first line to its last.

It ends in an error by itself if Nova does anything else than the engine said.
"""

import textwrap

from pinning_filter.demo.__main__ import main

#: What a reader must find, in this order.
SAID = (
    # The first seed, to its pCPUs.
    """\
    host cell 0 <- guest cell 0
      pCPU   0  1   2  3
           [## ##][v0 v1]
    """,
    # What freeing pCPUs would not cure, though some cells are full, too.
    """\
    smt      no       host cells 0-1: thread policy isolate needs cores without
                        SMT, these have 2 threads each
    """,
    # A refusal of the Placement API, with its reason.
    """\
    No valid host was found. No host can take 32 pinned vCPUs in one NUMA
    """,
    """\
    Nova's API refuses at once: 400
       Image property 'hw_cpu_policy' is not permitted to override CPU pinning
    """,
    # The guest that Nova gets wrong, by us and by Nova.
    """\
    host cell 0 <- guest cell 2
      pCPU   0   1
           [v2][v3]
    host cell 1 <- guest cell 0
      pCPU   2
           [v0]
    """,
    """\
    <vcpupin vcpu='2' cpuset=''/>
    <vcpupin vcpu='3' cpuset=''/>
    """,
)


def test_the_whole_demo(capsys):
    assert main() == 0
    told = capsys.readouterr()
    text = "\n".join(line.strip() for line in told.out.splitlines())
    found = [text.find(stripped(said)) for said in SAID]
    assert -1 not in found, told.out
    assert found == sorted(found)
    assert text.count("\nblind    no       the host reports no NUMA") == 6
    assert max(map(len, told.out.splitlines())) <= 79
    assert told.err == ""


def stripped(text):
    lines = textwrap.dedent(text).strip().splitlines()
    return "\n".join(line.strip() for line in lines)
