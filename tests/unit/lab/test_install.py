"""Which release of Nova the lab has."""

from pathlib import Path

import pytest

from lab import install, layout


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "RUN", tmp_path)
    monkeypatch.delenv("LAB_NOVA", raising=False)


def test_the_newest_where_nothing_is_asked_for() -> None:
    assert install.constraints().name == "constraints.txt"


def test_what_was_asked_for_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_NOVA", "31")
    assert install.constraints().name == "constraints-31.txt"
    monkeypatch.delenv("LAB_NOVA")
    assert install.constraints().name == "constraints-31.txt"


def test_one_that_the_lab_does_not_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LAB_NOVA", "28")
    with pytest.raises(layout.LabError, match="'28': allowed are 34, 33, 31"):
        install.constraints()


def test_another_one_s_databases_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install.constraints()
    (layout.RUN / "mysql").mkdir()
    monkeypatch.setenv("LAB_NOVA", "31")
    with pytest.raises(layout.LabError, match="a lab of Nova 34; make lab-cl"):
        install.constraints()
    monkeypatch.delenv("LAB_NOVA")
    assert install.constraints().name == "constraints.txt"


@pytest.mark.parametrize("release", install.CONSTRAINTS)
def test_the_constraints_have_that_release(release: str) -> None:
    file = install.CONSTRAINTS[release]
    pins = file.read_text().splitlines()
    for line in pins:
        if line.startswith("-c "):
            pins += (file.parent / line[3:]).read_text().splitlines()
    (nova,) = (line for line in pins if line.startswith("nova=="))
    assert nova.startswith(f"nova=={release}.")
