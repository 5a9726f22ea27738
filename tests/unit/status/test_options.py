"""Names in nova.conf that nobody reads."""

import pytest

from pinning_filter.status import gather, options
from pinning_filter.status.facts import Entry, Option
from tests.unit.status.said import said

KNOWN = {
    "DEFAULT": {
        "debug": Option(),
        "vcpu_pin_set": Option("superseded"),
        "old_and_unrelated": Option("gone soon"),
    },
    "compute": {"cpu_dedicated_set": Option(), "cpu_shared_set": Option()},
    "filter_scheduler": {
        "available_filters": Option(),
        "enabled_filters": Option(),
        "ram_weight_multiplier": Option(),
    },
    "pinning_filter": {"core_choice": Option(), "explain_in_fault": Option()},
}
FILE = "/etc/nova/nova.conf"


def nobody(section, name):
    return f"[{section}] {name} in {FILE} is read by nobody"


@pytest.mark.parametrize(
    ("section", "name", "expected"),
    [
        pytest.param("DEFAULT", "debug", [], id="Nova's"),
        pytest.param("pinning_filter", "core_choice", [], id="ours"),
        pytest.param("DEFAULT", "site_option", [], id="somebody else's"),
        pytest.param("database", "connection", [],
                     id="a section that is not looked at"),
        pytest.param("DEFAULT", "old_and_unrelated", [],
                     id="deprecated, and none of our business"),
        pytest.param("filter_scheduler", "site_filter_option", [],
                     id="somebody else's in Nova's section"),
        pytest.param(
            "DEFAULT", "scheduler_default_filters",
            [("warning", nobody("DEFAULT", "scheduler_default_filters") + ".",
              "Write it as [filter_scheduler] enabled_filters, or remove the "
              "line.")],
            id="the list of filters as in Mitaka",
        ),
        pytest.param(
            "DEFAULT", "scheduler_available_filters",
            [("warning",
              nobody("DEFAULT", "scheduler_available_filters") + ".",
              "Write it as [filter_scheduler] available_filters, or remove "
              "the line.")],
            id="the classes as in Mitaka",
        ),
        pytest.param(
            "DEFAULT", "ram_weight_multiplier",
            [("warning", nobody("DEFAULT", "ram_weight_multiplier") + ".",
              "Write it as [filter_scheduler] ram_weight_multiplier, or "
              "remove the line.")],
            id="in the section of old",
        ),
        pytest.param(
            "DEFAULT", "cpu_dedicated_set",
            [("warning", nobody("DEFAULT", "cpu_dedicated_set") + ".",
              "Write it as [compute] cpu_dedicated_set, or remove the line.")],
            id="in the wrong section",
        ),
        pytest.param(
            "DEFAULT", "vcpu_pin_set",
            [("warning",
              f"[DEFAULT] vcpu_pin_set in {FILE} is deprecated: superseded",
              "On compute nodes replace it by [compute] cpu_dedicated_set for "
              "pinned and cpu_shared_set for floating vCPUs; pinned servers "
              "that run there need their pCPUs in the first. Elsewhere remove "
              "the line.")],
            id="vcpu_pin_set",
        ),
        pytest.param(
            "pinning_filter", "core_choise",
            [("warning",
              nobody("pinning_filter", "core_choise")
              + ": there is no such option.",
              "Do you mean core_choice?")],
            id="ours, misspelt",
        ),
        pytest.param(
            "pinning_filter", "colour",
            [("warning",
              nobody("pinning_filter", "colour")
              + ": there is no such option.",
              "There are core_choice, explain_in_fault.")],
            id="in our section, and like nothing",
        ),
        pytest.param(
            "filter_scheduler", "enabled_filter",
            [("warning",
              nobody("filter_scheduler", "enabled_filter")
              + ": there is no such option.",
              "Do you mean enabled_filters?")],
            id="Nova's, misspelt",
        ),
        pytest.param(
            "pinning-filter", "core_choice",
            [("warning",
              nobody("pinning-filter", "core_choice")
              + ": there is no such section.",
              "Write it as [pinning_filter] core_choice.")],
            id="a section that is misspelt",
        ),
    ],
)
def test_a_name(section, name, expected):
    entry = Entry(FILE, section, name)
    assert said(options.names([entry, entry], KNOWN)) == expected


def test_a_value_that_cannot_be():
    assert said(options.values({"core_choice": "Valid values are a, b"})) == [
        ("failure",
         "[pinning_filter] core_choice cannot be read: Valid values are a, b. "
         "Services that read it do not start.",
         "Correct the value; the configuration page says what it may be.")
    ]


def test_what_is_known_is_what_Nova_and_we_register():
    known = gather._known()
    assert "enabled_filters" in known["filter_scheduler"]
    assert "core_choice" in known["pinning_filter"]
    assert known["DEFAULT"]["vcpu_pin_set"].deprecated
    assert not known["compute"]["cpu_dedicated_set"].deprecated
    # The old names that are told are not read under any of them.
    assert "scheduler_default_filters" not in known["DEFAULT"]
