"""Set-up files: scripts that parse, packages named for what the loader misses, one place for dependencies."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from repository import ROOT

SPEC = importlib.util.spec_from_file_location("system_packages", ROOT / "scripts" / "system_packages.py")
assert SPEC and SPEC.loader
system_packages = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(system_packages)

LDD = """\
/x/libqxcb.so:
	libQt6Gui.so.6 => /x/../lib/libQt6Gui.so.6 (0x00007f)
	libxcb-cursor.so.0 => not found
	libEGL.so.1 => not found
	libc.so.6 => /lib/libc.so.6 (0x00007f)
	libsomething-new.so.3 => not found
"""


def test_missing_libraries_are_read_from_the_loader():
    assert system_packages.missing_libraries(LDD) == {"libxcb-cursor.so.0", "libEGL.so.1", "libsomething-new.so.3"}


@pytest.mark.parametrize(
    ("manager", "names"),
    [
        ("apt-get", ["libegl1", "libxcb-cursor0"]),
        ("dnf", ["libglvnd-egl", "xcb-util-cursor"]),
        ("pacman", ["libglvnd", "xcb-util-cursor"]),
        ("none", ["libEGL.so.1", "libsomething-new.so.3", "libxcb-cursor.so.0"]),
    ],
)
def test_packages_follow_the_manager(manager, names):
    assert system_packages.packages_for(system_packages.missing_libraries(LDD), manager) == names


def test_x_libraries_are_asked_for_only_with_a_display(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(system_packages, "_ldd", lambda files: asked.extend(files) or "")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    system_packages.needed("apt-get", tests=False)
    assert asked == list(system_packages.ALWAYS)
    monkeypatch.setenv("DISPLAY", ":0")
    system_packages.needed("apt-get", tests=False)
    assert system_packages.XCB in asked and system_packages.WAYLAND not in asked


def test_an_unknown_library_is_named(monkeypatch, capsys):
    monkeypatch.setattr(system_packages, "_ldd", lambda files: LDD)
    monkeypatch.setattr(system_packages, "_has_font", lambda: False)
    assert system_packages.needed("apt-get", tests=True) == ["libegl1", "libxcb-cursor0", "fonts-dejavu-core"]
    assert "libsomething-new.so.3" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the loader of Linux")
def test_what_qt_links_against_is_in_the_table():
    """Every library for windows, fonts and drawing that this Qt's plug-ins load has a package in the table."""
    files = [*system_packages.ALWAYS, system_packages.XCB]
    text = system_packages._ldd(files)
    linked = {line.split()[0] for line in text.splitlines() if "=>" in line and "PySide6" not in line}
    window = {name for name in linked if name.startswith(("libX", "libxcb", "libxkb", "libEGL", "libGL", "libfont"))}
    with_libxcb = {"libXau.so.6", "libXdmcp.so.6"}  # come with libxcb in every distribution
    assert window and window - with_libxcb <= system_packages.PACKAGES.keys()


@pytest.mark.parametrize(("shell", "script"), [("sh", "scripts/setup.sh"), ("bash", ".ci/run")])
def test_shell_scripts_parse_and_can_be_run(shell, script):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert subprocess.run([shell, "-n", ROOT / script], check=False).returncode == 0
    assert os.access(ROOT / script, os.X_OK)


def test_the_steps_of_the_dockerfile_are_shell_and_name_extras_that_exist():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    steps = re.findall(r"^RUN (.*)$", text, flags=re.MULTILINE)
    assert len(steps) == 2
    for step in steps:
        assert subprocess.run(["sh", "-n", "-c", step], check=False).returncode == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = re.search(r"^ARG EXTRAS=(.*)$", text, flags=re.MULTILINE)
    assert extras and set(extras[1].split(",")) <= set(project["optional-dependencies"])


def test_setup_refuses_what_it_does_not_know():
    script = ROOT / "scripts" / "setup.sh"
    result = subprocess.run(["sh", script, "--wrong"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")


def test_setup_says_what_python_is_needed(tmp_path):
    """A checkout without .venv and a Python that is too old: one line that names what to do."""
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", tmp_path / "scripts")
    result = subprocess.run(
        ["sh", tmp_path / "scripts" / "setup.sh"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHON": str(old)},
    )
    assert result.returncode == 1
    assert result.stderr.startswith("error: Python 3.11 or newer is needed") and result.stderr.count("\n") == 1


def test_ci_runs_the_test_command_of_the_readme():
    assert "\nmake test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
