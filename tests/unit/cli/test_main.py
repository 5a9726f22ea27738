"""The application around the commands."""

import pytest

from pinning_filter.cli import columns


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_lists_the_commands(pinning_filter, arguments):
    answer = pinning_filter(*arguments)
    assert answer.status == 0
    assert "fit            Would a server fit this host" in answer.out


def test_help_of_a_command_shows_examples(pinning_filter):
    answer = pinning_filter("fit", "--help")
    assert answer.status == 0
    assert "\n    pinning-filter fit --host 'cell:2 core:4 pu:2'" in answer.out


def test_an_unknown_command(pinning_filter):
    answer = pinning_filter("fits")
    assert answer.status == 2
    assert "Did you mean one of these?\n  fit\n" in answer.out


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
