"""How answers are written, and where they cannot be."""

import pytest

from tests.unit.cli import clouds


@pytest.fixture
def several(tmp_path):
    return clouds.write(clouds.several(), tmp_path / "cloud.json")


@pytest.mark.parametrize(
    "command",
    [
        ("map",),
        ("capacity", "--flavor", "pinned.2"),
        ("explain", "--flavor", "pinned.2"),
    ],
)
@pytest.mark.parametrize("form", ["value", "csv"])
def test_what_is_not_there_is_nothing_in_text(
    pinning_filter, several, command, form
):
    answer = pinning_filter(*command, "--host", several, "-f", form)
    assert answer.out
    assert "None" not in answer.out


def test_rows_without_a_value_are_sorted_last(pinning_filter, several):
    answer = pinning_filter(
        *("map", "--host", several, "-f", "value", "-c", "vcpu"),
        *("--sort-column", "vcpu"),
    )
    assert answer.err == ""
    assert answer.out.split("\n")[:6] == ["0", "0", "1", "2", "3", ""]


@pytest.mark.parametrize(
    "command", [("map", "--html"), ("dump", "--file")]
)
@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "Is a directory"),
        ("none/file", "No such file or directory"),
        ("/dev/full", "No space left on device"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(
    pinning_filter, several, tmp_path, command, name, complaint
):
    path = tmp_path / name
    answer = pinning_filter(command[0], "--host", several, command[1], path)
    assert answer == (
        2,
        "",
        f"pinning-filter: {command[1]} {path}: {complaint}\n",
    )
