"""The application around the commands."""

import subprocess
import sys

import pytest

from pinning_filter.cli import columns


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(pinning_filter, arguments):
    answer = pinning_filter(*arguments)
    assert answer.status == 0
    assert "fit            Would a server fit this host" in answer.out


def loaded_by(*statements):
    """What of these modules a new Python has loaded then."""
    told = ("nova.conf", "sqlalchemy", "rich", "pinning_filter.cli.audit",
            "pinning_filter.cli.map")
    lines = ["import sys", *statements,
             f"print(*(name for name in {told} if name in sys.modules))"]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_only_the_command_that_is_asked_for_is_loaded():
    assert loaded_by(
        "from pinning_filter.cli.main import PinningFilterApp",
        "PinningFilterApp().command_manager.find_command(['audit'])",
    ) == ["pinning_filter.cli.audit"]


def test_no_command_loads_nova_before_it_needs_it():
    """Help loads every command."""
    assert loaded_by(
        "from pinning_filter.cli.main import PinningFilterApp",
        "commands = PinningFilterApp().command_manager",
        "[commands.find_command([name]) for name, _ in commands]",
    ) == ["rich", "pinning_filter.cli.audit", "pinning_filter.cli.map"]


def test_help_of_a_command_shows_examples(pinning_filter):
    answer = pinning_filter("fit", "--help")
    assert answer.status == 0
    assert "\n    pinning-filter fit --host 'cell:2 core:4 pu:2'" in answer.out


@pytest.mark.parametrize(
    ("words", "unknown"),
    [(("fits",), "fits"), (("--fit",), "--fit"), (("help", "fits"), "fits")],
)
def test_an_unknown_command(pinning_filter, words, unknown):
    assert pinning_filter(*words) == (
        2,
        "",
        f"pinning-filter: there is no command '{unknown}'; there are "
        "audit, capacity, complete, defrag, drain, dump, explain, fit, help, "
        "map, metrics, status, survive\n",
    )


def test_a_log_that_cannot_be_written(pinning_filter):
    answer = pinning_filter("--log-file", "/dev/null/x", "fit")
    assert (answer.status, answer.out) == (2, "")
    assert "argument --log-file: /dev/null/x: Not a directory" in answer.err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\t c", "a b c"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("right\u202eleft", "right\\u202eleft"),
        ("żółw", "żółw"),
    ],
)
def test_one_line_is_safe_on_a_terminal(text, line):
    assert columns.one_line(text) == line


@pytest.mark.parametrize(
    ("kib", "text"),
    [
        (0, "0 KiB"),
        (4, "4 KiB"),
        (2048, "2 MiB"),
        (1 << 20, "1 GiB"),
        ((1 << 20) + 1024, "1025 MiB"),
        ((1 << 20) + 1, "1048577 KiB"),
    ],
)
def test_sizes(kib, text):
    assert columns.size(kib) == text
