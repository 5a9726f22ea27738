"""Where nova.conf is looked for when no option names it."""

import pytest

from pinning_filter.cloud.live import session


@pytest.mark.parametrize(("folder", "names", "read"), [
    pytest.param("", "", [], id="without variables Nova decides"),
    pytest.param("/lab", "", ["/lab/nova.conf"], id="a folder alone"),
    pytest.param("", "a.conf", ["/etc/nova/a.conf"], id="a name alone"),
    pytest.param("/lab ", "a.conf; b.conf;", ["/lab/a.conf", "/lab/b.conf"],
                 id="several names in a folder"),
])
def test_the_environment_names_the_files_of_Nova_s_API(
    monkeypatch, folder, names, read
):
    monkeypatch.setenv("OS_NOVA_CONFIG_DIR", folder)
    monkeypatch.setenv("OS_NOVA_CONFIG_FILES", names)
    assert session.api_files() == read
