"""The entry among the system's applications: for this installation's command, whatever its path, and gone again."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import main

ENTRY, ICON = "applications/unlearn-studio.desktop", "icons/hicolor/scalable/apps/unlearn-studio.svg"


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The user's folder for such things, and a command in an environment whose path asks for every kind of quoting."""
    bin = tmp_path / 'an "environment" of $mine\\`100 %`' / "bin"
    bin.mkdir(parents=True)
    (bin / "unlearn-studio-gui").touch()
    monkeypatch.setattr(sys, "executable", str(bin / "python"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


def test_an_entry_starts_this_installation(data, capsys):
    assert main.main(["--desktop-entry", "install"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"Wrote {data / ENTRY}", f"Wrote {data / ICON}"]
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_string((data / ENTRY).read_text())
    entry = parser["Desktop Entry"]
    line = entry["Exec"].replace("\\\\", "\\")  # of the file, then of the shell, then the field codes
    shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True).stdout
    command, files = shown.splitlines()
    assert command.replace("%%", "%") == str(data.parent / 'an "environment" of $mine\\`100 %`/bin/unlearn-studio-gui')
    assert files == "%F" and entry["Icon"] == "unlearn-studio"
    assert ET.parse(data / ICON).getroot().tag.endswith("svg")
    if shutil.which("desktop-file-validate"):
        subprocess.run(["desktop-file-validate", data / ENTRY], check=True)


def test_it_is_replaced_and_taken_away(data, capsys):
    for _ in range(2):
        assert main.main(["--desktop-entry", "install"]) == 0
    capsys.readouterr()
    assert main.main(["--desktop-entry", "remove"]) == 0
    assert capsys.readouterr().out.count("Removed ") == 2
    assert not [path for path in data.rglob("*") if path.is_file()]
    assert main.main(["--desktop-entry", "remove"]) == 0
    assert capsys.readouterr().out == "There is no desktop entry.\n"


def test_without_the_command_or_on_another_system_it_says_what_to_do(data, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", str(data / "python"))
    assert main.main(["--desktop-entry", "install"]) == 3
    assert "with pip" in capsys.readouterr().err and not data.exists()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert main.main(["--desktop-entry", "install"]) == 3
    assert "shortcut" in capsys.readouterr().err
