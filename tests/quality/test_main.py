"""What main.py decides before anything is loaded: window or not, subcommand or path, and its errors."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest
from repository import ROOT

import main
from core.cli import LISTED


@pytest.fixture
def calls(monkeypatch):
    """Records the subcommands that main hands to the command line."""
    import core.cli

    seen: list[list[str]] = []

    def record(arguments):
        seen.append(list(arguments))
        return 0

    monkeypatch.setattr(core.cli, "main", record, raising=False)
    return seen


@pytest.fixture
def no_display(monkeypatch):
    """A Linux machine without a display."""
    monkeypatch.setattr(sys, "platform", "linux")
    for name in main.DISPLAY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def window(monkeypatch):
    """Records the options the window would be opened with, on a machine with a display."""
    opened: list[types.SimpleNamespace] = []
    bootstrap = types.ModuleType("app.bootstrap")
    bootstrap.Options = types.SimpleNamespace
    bootstrap.run = lambda options: opened.append(options) or 0
    monkeypatch.setitem(sys.modules, "app.bootstrap", bootstrap)
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    return opened


def test_no_display_is_a_reason_only_on_linux(no_display, monkeypatch):
    assert "DISPLAY" in main.headless_reason(False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert main.headless_reason(False) == ""


@pytest.mark.parametrize("name", main.DISPLAY_VARIABLES)
def test_any_display_variable_is_enough(no_display, monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert main.headless_reason(False) == ""
    assert "--no-window" in main.headless_reason(True)


@pytest.mark.parametrize("name", LISTED)
def test_every_subcommand_goes_to_the_command_line(calls, name):
    assert main.main([name, "--some", "thing"]) == 0
    assert calls == [[name, "--some", "thing"]]


@pytest.mark.parametrize("name", [*LISTED, "example"])
def test_every_subcommand_explains_itself(name, capsys):
    """What main.py lists exists; `example` is what --example runs without a window, and is not listed."""
    from core.cli import main as run_command

    with pytest.raises(SystemExit) as stop:
        raise SystemExit(run_command([name, "--help"]))
    assert not stop.value.code
    assert name in capsys.readouterr().out


def test_flags_before_a_subcommand(calls):
    main.main(["--no-window", "--debug", "--json", "runs", "folder"])
    assert calls == [["runs", "folder", "--debug", "--json"]]


def test_a_subcommand_wins_over_a_path_of_that_name(calls, tmp_path, monkeypatch):
    (tmp_path / "inspect").touch()
    monkeypatch.chdir(tmp_path)
    main.main(["inspect", "x"])
    assert calls == [["inspect", "x"]]


def test_example_without_a_display_says_so_and_why(calls, no_display, capsys):
    assert main.main(["--example", "--out", "there"]) == 0
    assert calls == [["example", "--out", "there"]]
    line = capsys.readouterr().out
    assert "without a window" in line and "no display was found" in line


def test_paths_without_a_window_are_inspected(calls, no_display, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.touch()
    second.mkdir()
    assert main.main([str(first), str(second)]) == 0
    assert calls == [["inspect", str(first)], ["inspect", str(second)]]


def test_the_first_failure_is_the_exit_code(monkeypatch, no_display, tmp_path):
    import core.cli

    codes = iter([0, 3, 4])
    monkeypatch.setattr(core.cli, "main", lambda arguments: next(codes), raising=False)
    assert main.main([str(tmp_path), str(tmp_path), str(tmp_path)]) == 3


def test_nothing_to_do_without_a_window(no_display, capsys):
    assert main.main([]) == 2
    assert capsys.readouterr().err.startswith("error: There is nothing to do without a window")


def test_the_window_gets_all_options(window, tmp_path):
    assert main.main([str(tmp_path), "--scheme", "dark"]) == 0
    assert main.main(["--example", "--out", "runs/x"]) == 0
    assert vars(window[0]) == {"paths": (tmp_path,), "example": False, "scheme": "dark", "out": None}
    assert vars(window[1]) == {"paths": (), "example": True, "scheme": None, "out": Path("runs/x")}


def test_a_missing_path_names_the_nearest(window, tmp_path, capsys):
    (tmp_path / "model.safetensors").touch()
    assert main.main([str(tmp_path / "modle.safetensors")]) == 3
    error = capsys.readouterr().err
    assert "Did you mean" in error and "model.safetensors?" in error
    assert not window


def test_a_mistyped_subcommand_names_the_nearest(capsys):
    assert main.main(["unlern"]) == 3
    assert "unlearn" in capsys.readouterr().err


def test_usage_errors_are_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main(["--scheme", "green"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert main.main(["--out", "x"]) == 2


def test_a_fault_is_one_line_unless_debug(window, monkeypatch, capsys):
    def fail(options):
        raise ZeroDivisionError("made for this test")

    monkeypatch.setattr(sys.modules["app.bootstrap"], "run", fail)
    assert main.main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and "made for this test" in error
    with pytest.raises(ZeroDivisionError):
        main.main(["--debug"])


def test_without_pyside_the_error_says_what_to_do():
    result = subprocess.run(
        [sys.executable, "main.py"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT / "tests" / "quality" / "without_qt"), "QT_QPA_PLATFORM": "offscreen"},
    )
    assert result.returncode == 3
    assert result.stderr.startswith("error: The window needs PySide6") and result.stderr.count("\n") == 1
    assert 'pip install "unlearn-studio[gui]" (in a checkout, `make setup` does)' in result.stderr
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    gui, always = (
        {re.match(r"[\w-]+", line)[0] for line in lines}
        for lines in (project["optional-dependencies"]["gui"], project["dependencies"])
    )
    assert gui == {"PySide6-Essentials", "pyqtgraph"} and not gui & always


@pytest.mark.parametrize(
    ("started", "said"),
    [
        ("main.py", "python main.py"), ("/some/place/main.py", "python main.py"), ("/bin/unlearn-studio", None),
        ("/lib/unlearn_studio/__main__.py", "python -m unlearn_studio"), ("/lib/pytest/__main__.py", None),
        ("C:/Scripts/unlearn-studio-gui.exe", None), ("", None),
    ],
)  # fmt: skip
def test_messages_name_the_command_that_was_typed(started, said, monkeypatch, capsys):
    said = said or "unlearn-studio"
    monkeypatch.setattr(sys, "argv", [started])
    assert main.main(["--out", "x"]) == 2
    assert f"See `{said} --help`." in capsys.readouterr().err
    assert main.main(["unlearn", "--modle", "x"]) == 2
    assert f"See `{said} unlearn --help`." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert f"usage: {said} [PATH ...]" in capsys.readouterr().out


def test_without_a_console_nothing_is_printed_and_an_error_is_shown_in_a_box(monkeypatch):
    """As Windows starts `unlearn-studio-gui`: there are no streams, and a line on one would be seen by nobody."""
    import ctypes

    shown: list[tuple[object, ...]] = []
    box = types.SimpleNamespace(user32=types.SimpleNamespace(MessageBoxW=lambda *words: shown.append(words)))
    monkeypatch.setattr(ctypes, "windll", box, raising=False)
    monkeypatch.setattr(sys, "platform", "win32")
    for name in ("stdout", "stderr", "__stderr__"):
        monkeypatch.setattr(sys, name, None)
    assert main.main(["unlern"]) == 3
    assert len(shown) == 1 and "Did you mean unlearn?" in str(shown[0][1])
