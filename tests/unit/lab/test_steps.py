"""Steps: done once, named when they fail, in an environment of their own."""

import time
from pathlib import Path

import pytest

from lab import layout, steps


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(layout, "DONE", tmp_path / "done")


def test_a_step_is_done_once_for_each_key() -> None:
    done = []
    answers = [steps.once("step", key, lambda k=key: done.append(k))
               for key in ("a", "a", "b", "a")]
    assert answers == [True, False, True, True]
    assert done == ["a", "b", "a"]


def test_a_step_that_fails_is_not_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(steps.StepFailed) as failed:
        steps.once("mix", "1", lambda: steps.run(
            "mix", ["sh", "-c", "echo too much salt; exit 3"]))
    assert str(failed.value).startswith(
        "step failed: mix: exit status 3\n--- the end of ")
    assert str(failed.value).endswith("too much salt")
    assert "FAILED" in capsys.readouterr().out
    assert steps.once("mix", "1", lambda: None) is True


def test_the_environment_is_small_and_marked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    seen = steps.environment(LAB_PORT="1")
    assert seen[layout.MARK] == str(layout.RUN)
    assert (seen["PIP_TIMEOUT"], seen["LAB_PORT"]) == ("7", "1")
    assert "PYTHONPATH" not in seen
    assert "PIP_CONFIG_FILE" not in seen


def test_pip_keeps_its_user_s_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / ".config" / "pip" / "pip.conf"
    settings.parent.mkdir(parents=True)
    settings.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    assert steps.environment()["PIP_CONFIG_FILE"] == str(settings)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/etc/other.conf")
    assert steps.environment()["PIP_CONFIG_FILE"] == "/etc/other.conf"


def test_a_terminal_sees_that_a_long_step_lasts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    steps.timed("knead", lambda: time.sleep(1.5))
    assert f"\r  {'knead':<34}   1   s" in capsys.readouterr().out


def test_a_log_has_one_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    steps.timed("knead", lambda: time.sleep(1.2))
    assert "\r" not in capsys.readouterr().out
