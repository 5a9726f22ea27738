import pytest

from pinning_filter.core import cpuset


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        pytest.param("", set(), id="nothing is the empty set"),
        pytest.param("  ", set(), id="blanks are the empty set"),
        pytest.param("3", {3}, id="one id"),
        pytest.param("0-3", {0, 1, 2, 3}, id="a range holds both ends"),
        pytest.param("2-2", {2}, id="a range of one"),
        pytest.param("0-3,^2,8", {0, 1, 3, 8}, id="an id is taken away"),
        pytest.param("^2,0-3", {0, 1, 3}, id="taken away wherever it stands"),
        pytest.param("0-7,^2-5", {0, 1, 6, 7}, id="a range is taken away"),
        pytest.param(" 0 - 1 , ^ 1 ", {0}, id="blanks do not matter"),
        pytest.param("1,1,0-1", {0, 1}, id="twice is once"),
    ],
)
def test_parse(text: str, ids: set[int]) -> None:
    assert cpuset.parse(text) == ids


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("a", "'a'", id="a letter"),
        pytest.param("1,,2", "''", id="nothing between two commas"),
        pytest.param("1,", "''", id="nothing after the last comma"),
        pytest.param("-1", "'-1'", id="a negative id"),
        pytest.param("1-", "'1-'", id="a range without an end"),
        pytest.param("1-2-3", "'1-2-3'", id="a range with three ends"),
        pytest.param("^^1", "'^^1'", id="taken away twice"),
        pytest.param("0x1", "'0x1'", id="another base"),
        pytest.param("٣", "'٣'", id="a digit that is not ASCII"),
        pytest.param("0-99999999", "'0-99999999'", id="a range beyond reason"),
        pytest.param(
            ",".join(f"{low}-65535" for low in range(9)),
            "names the same CPUs again and again",
            id="a list beyond reason",
        ),
        pytest.param("3-1", "backwards", id="a range that runs backwards"),
    ],
)
def test_parse_names_the_part_that_is_wrong(text: str, part: str) -> None:
    with pytest.raises(ValueError) as caught:
        cpuset.parse(text)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        pytest.param(set(), "", id="the empty set is nothing"),
        pytest.param({5}, "5", id="one id"),
        pytest.param({0, 1}, "0-1", id="two in a row are a range"),
        pytest.param({0, 2}, "0,2", id="two apart are not"),
        pytest.param({9, 8, 1, 2, 3, 6}, "1-3,6,8-9", id="ascending"),
    ],
)
def test_format(ids: set[int], text: str) -> None:
    assert cpuset.format(ids) == text
