"""The map's page, in a browser."""

import dataclasses
import json

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from pinning_filter.cli.pictures import html
from pinning_filter.cloud.snapshot import Node, Snapshot
from pinning_filter.core.text import one_line
from pinning_filter.fleet.hosts import Guest
from tests.unit.cli import clouds

MANY = 2000


@pytest.fixture
def opened(browser, tmp_path):
    """Open the page of a cloud."""

    def opened(*nodes, **fields):
        page = tmp_path / "map.html"
        snapshot = Snapshot(tuple(nodes), **fields)
        wanted = {
            guest.flavor: guest.request
            for node in nodes
            for guest in node.guests
        }
        page.write_text(html.page(snapshot, wanted), "utf-8")
        for log in ("browser", "performance"):
            browser.get_log(log)  # of the page before
        browser.get(page.as_uri())
        return browser

    return opened


def small():
    return (
        clouds.node("alpha", "cell:2 core:2 pu:2", clouds.guest(3)),
        clouds.node("beta", "cell:1 core:4", clouds.guest(1), closed="off"),
        clouds.node("gamma", "cell:1 l3:2 core:2 pu:2"),
    )


def names(browser):
    return [
        each.text
        for each in browser.find_elements(
            By.CSS_SELECTOR, "#rows td:first-child"
        )
    ]


def text(browser, name):
    return browser.find_element(By.ID, name).text


def severe(browser):
    return [
        each["message"]
        for each in browser.get_log("browser")
        if each["level"] == "SEVERE"
    ]


def test_nothing_is_asked_of_any_server_and_nothing_goes_wrong(opened):
    browser = opened(*small())
    asked = [
        message["params"]["request"]["url"]
        for entry in browser.get_log("performance")
        if (message := json.loads(entry["message"])["message"])["method"]
        == "Network.requestWillBeSent"
    ]
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert severe(browser) == []


def test_the_page_may_not_ask_either(opened):
    browser = opened(*small())
    answer = browser.execute_async_script(
        "const done = arguments[0];"
        "document.addEventListener('securitypolicyviolation',"
        " (event) => done(event.effectiveDirective));"
        "fetch('https://example.org/').catch(() => {});"
    )
    assert answer == "connect-src"


def test_hosts_are_sorted_by_any_column(opened):
    browser = opened(*small())
    assert names(browser) == ["alpha", "beta", "gamma"]
    header = browser.find_element(By.CSS_SELECTOR, "[data-key=free]")
    header.click()
    assert names(browser) == ["gamma", "alpha", "beta"]
    assert header.find_element(By.XPATH, "..").get_attribute("aria-sort") == (
        "descending"
    )
    header.click()
    assert names(browser) == ["beta", "alpha", "gamma"]


def test_search_finds_hosts_and_guests(opened):
    browser = opened(*small())
    search = browser.find_element(By.ID, "search")
    search.send_keys("BETA")
    assert names(browser) == ["beta"]
    search.clear()
    search.send_keys("pinned.3")
    assert names(browser) == ["alpha"]
    assert text(browser, "totals") == "1 host, 5 of 8 pCPUs free"
    search.send_keys(" nowhere")
    assert names(browser) == []
    assert text(browser, "none") == "No host matches."


def test_a_host_is_drawn_with_its_cells_cores_and_guests(opened):
    browser = opened(*small())
    browser.find_element(By.CSS_SELECTOR, "#rows tr").click()
    assert text(browser, "title") == "alpha"
    cells = browser.find_elements(By.CSS_SELECTOR, ".cell")
    assert [
        [
            [pcpu.text.split("\n") for pcpu in core.find_elements(
                By.CSS_SELECTOR, ".pcpu")]
            for core in cell.find_elements(By.CSS_SELECTOR, ".core")
        ]
        for cell in cells
    ] == [
        [[["0", "A0"], ["1", "A1"]], [["2", "A2"], ["3"]]],
        [[["4"], ["5"]], [["6"], ["7"]]],
    ]


def test_caches_are_drawn(opened):
    browser = opened(small()[2])
    assert [
        len(each.find_elements(By.CSS_SELECTOR, ".core"))
        for each in browser.find_elements(By.CSS_SELECTOR, ".cache")
    ] == [2, 2]


def test_hover_tells_the_guest_and_marks_its_other_pcpus(opened):
    browser = opened(*small())
    pcpu = browser.find_element(By.CSS_SELECTOR, ".pcpu.vcpu")
    browser.execute_script(
        "arguments[0].dispatchEvent(new MouseEvent('mouseenter'))", pcpu
    )
    told = text(browser, "told")
    for part in ("pCPU 0", "vCPU 0 of A", "server 0 of alpha", "pinned.3",
                 "3 vCPUs", "thread policy prefer", "pCPUs 0-2"):
        assert part in told
    assert len(browser.find_elements(By.CSS_SELECTOR, ".pcpu.same")) == 3


def test_the_keyboard_reaches_everything(opened):
    browser = opened(*small())
    search = browser.find_element(By.ID, "search")
    browser.find_element(By.TAG_NAME, "body").send_keys("/")
    assert browser.switch_to.active_element == search
    browser.find_element(
        By.CSS_SELECTOR, "#rows tr[tabindex='0']"
    ).send_keys(Keys.ARROW_DOWN)
    assert text(browser, "title") == "beta"
    browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    assert "pCPU 0: vCPU 0 of A" in text(browser, "told")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert "pCPU 1: vCPU 1 of A" in text(browser, "told")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert browser.switch_to.active_element.tag_name == "tr"


def test_tiles_follow_the_table_and_open_hosts(opened):
    browser = opened(*small(), Node("dumb", None))

    def tiles():
        return browser.find_elements(By.CSS_SELECTOR, "#tiles i")

    assert [each.get_attribute("title") for each in tiles()] == [
        "alpha: 5 of 8 pCPUs free",
        "beta: 3 of 4 pCPUs free",
        "gamma: 8 of 8 pCPUs free",
        "dumb: reports no NUMA topology",
    ]
    assert "the fuller" in text(browser, "tiles-told")
    browser.find_element(By.CSS_SELECTOR, "[data-key=fragments]").click()
    assert "the larger the lost share" in text(browser, "tiles-told")
    browser.find_element(By.ID, "search").send_keys("gamma")
    (tile,) = tiles()
    tile.click()
    assert text(browser, "title") == "gamma"


def test_the_address_names_the_host(opened):
    browser = opened(*small())
    address = browser.current_url
    assert address.endswith("#alpha")
    browser.get("about:blank")
    browser.get(address.replace("#alpha", "#gamma"))
    assert text(browser, "title") == "gamma"
    browser.get("about:blank")
    browser.get(address.replace("#alpha", "#%E0%A4%A"))
    assert text(browser, "title") == "alpha"


def test_signs_are_explained(opened):
    browser = opened(clouds.node("one", "cell:1 core:4", clouds.guest(1)))
    assert text(browser, "legend") == "A0: vCPU 0 of guest A; empty: free"


def test_what_is_told_stays_in_sight(opened):
    """On a host that is higher than the window."""
    browser = opened(clouds.node("large", "cell:8 core:16 pu:2"))
    pcpus = browser.find_elements(By.CSS_SELECTOR, ".pcpu")
    browser.execute_script("arguments[0].scrollIntoView()", pcpus[-1])
    browser.execute_script("arguments[0].focus()", pcpus[-1])
    assert text(browser, "told") == "pCPU 255: free"
    top = browser.execute_script(
        "return document.getElementById('told').getBoundingClientRect().top"
    )
    assert 0 <= top < 300


def test_what_is_lost_is_shown_and_defined(opened):
    whole = clouds.node("whole", "cell:2 core:4", clouds.guest(4))
    broken = clouds.node(
        "broken", "cell:2 core:4", clouds.guest(2), clouds.guest(2)
    )
    browser = opened(whole, broken)
    assert text(browser, "lost-told") == (
        "Lost: how many more servers of a flavor a host would take if its "
        "free pCPUs and memory were in one piece. Counted for pinned.4, "
        "pinned.2."
    )
    browser.find_element(By.CSS_SELECTOR, "[data-key=fragments]").click()
    assert names(browser) == ["broken", "whole"]
    lost = [
        row.find_elements(By.TAG_NAME, "td")[5].text
        for row in browser.find_elements(By.CSS_SELECTOR, "#rows tr")
    ]
    assert lost == ["1 pinned.4", ""]
    browser.find_element(By.CSS_SELECTOR, "#rows tr").click()
    assert "lost to fragmentation: 1 pinned.4" in text(browser, "facts")


def test_light_and_dark(opened):
    browser = opened(*small())

    def back():
        return browser.find_element(
            By.TAG_NAME, "body"
        ).value_of_css_property("background-color")

    button = browser.find_element(By.ID, "theme")
    seen, labels = [back()], [button.text]
    for _ in range(2):
        button.click()
        seen.append(back())
        labels.append(button.text)
        assert button.get_attribute("aria-label") == (
            f"Switch to {button.text.lower()}"
        )
    assert seen[0] == seen[2] != seen[1]
    assert labels[0] == labels[2] != labels[1]
    assert set(labels) == {"Dark colours", "Light colours"}


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_is_wider_than_the_window(opened, width):
    """But for what scrolls by itself."""
    browser = opened(
        *small(),
        clouds.node("large-" + "x" * 60, "cell:2 l3:2 core:8 pu:2",
                    clouds.guest(20), clouds.guest(6)),
    )
    size = browser.get_window_size()
    try:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1,
             "mobile": False},
        )
        for row in browser.find_elements(By.CSS_SELECTOR, "#rows tr"):
            row.click()
            if width == 400:
                top = browser.execute_script(
                    "return document.getElementById('host')"
                    ".getBoundingClientRect().top"
                )
                assert 0 <= top < 200, "not at the top"
            assert browser.execute_script(
                "return [...document.querySelectorAll('html, body, main,"
                " header, #list, #host, #machine, .cell')].filter((each) =>"
                " each.scrollWidth > each.clientWidth + 1)"
                ".map((each) => each.id || each.className || each.tagName)"
            ) == []
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(size["width"], size["height"])


def test_hostile_names_are_text(opened):
    node = clouds.node("host", "cell:1 core:4", clouds.guest(1))
    guest = dataclasses.replace(
        node.guests[0], name=clouds.HOSTILE, flavor="<i>flavor</i>"
    )
    node = dataclasses.replace(
        node, name=clouds.HOSTILE, guests=(guest,), zone="<u>zone"
    )
    browser = opened(node, unreachable={clouds.HOSTILE: "<s>no</s>"})
    assert severe(browser) == []
    assert browser.find_elements(By.CSS_SELECTOR, "img, i i, u, s") == []
    shown = browser.find_element(
        By.CSS_SELECTOR, "#rows td:first-child"
    ).get_attribute("textContent")
    assert shown == one_line(clouds.HOSTILE)
    pcpu = browser.find_element(By.CSS_SELECTOR, ".pcpu.vcpu")
    assert "</script><script>alert(1)" in pcpu.get_attribute("aria-label")


def test_two_thousand_hosts(opened):
    node = clouds.node(
        "host", "cell:2 core:16 pu:2", *[clouds.guest(2)] * 8
    )
    nodes = [
        dataclasses.replace(
            node,
            name=f"host-{number:04}",
            guests=tuple(
                Guest(f"{number}-{each.id}", each.request, each.placement,
                      name=f"vm {number}", flavor=each.flavor)
                for each in node.guests
            ),
        )
        for number in range(MANY)
    ]
    browser = opened(*nodes)
    assert severe(browser) == []
    assert len(browser.find_elements(By.CSS_SELECTOR, "#rows tr")) == MANY
    browser.find_element(By.ID, "search").send_keys("host-1234")
    assert names(browser) == ["host-1234"]
