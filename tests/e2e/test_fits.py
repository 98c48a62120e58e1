"""Nothing is cut and nothing overlaps: all pages and dialogs, at every size, scale and scheme. See fit_walk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from app.widgets.labels import ElidedLabel, Label
from tests.e2e.fit_walk import problems

ROOT = Path(__file__).resolve().parents[2]
SCREEN = {"name": "one", "x": 0, "y": 0, "width": 1920, "height": 1080, "logicalDpi": 96, "logicalBaseDpi": 96,
          "dpr": 1}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "windows"),
    [
        ({}, ("1280x720:light", "1920x1080:light", "1280x720:dark", "1280x720:contrast")),
        ({"QT_FONT_DPI": "144"}, ("1280x720:dark",)),
        ({"QT_SCALE_FACTOR": "1.5", "FONT_POINTS": "13", "LANGUAGE": "de"}, ("1280x720:light",)),
    ],
    ids=["as it is", "144 dpi", "1.5 times, large font, German"],
)
def test_every_text_has_its_room(environment, windows, tmp_path):
    screens = tmp_path / "screens.json"
    screens.write_text(json.dumps({"screens": [SCREEN]}), encoding="utf-8")
    home = str(tmp_path / "home")  # other tests of this folder share theirs, whose last project would be opened
    environment = {
        **environment, "UNLEARN_STUDIO_HOME": home, "QT_QPA_PLATFORM": f"offscreen:configfile={screens}",
    }  # fmt: skip
    walk = subprocess.run(
        [sys.executable, "-m", "tests.e2e.fit_walk", *windows], env={**os.environ, **environment}, cwd=ROOT,
        capture_output=True, text=True, timeout=380, check=False,
    )  # fmt: skip
    lines = walk.stdout.splitlines()
    assert lines[-1:] == ["walked"], f"ended with {walk.returncode}: {walk.stderr}"
    assert not lines[:-1], "\n".join(lines[:-1])


@pytest.fixture
def holder(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    made.resize(300, 200)
    made.show()
    return made


@pytest.mark.parametrize(
    ("make", "place", "says"),
    [
        (lambda holder: QLabel("Some words that need their room", holder), (0, 0, 40, 20), "has 40 of"),
        (lambda holder: Label("Words that wrap on lines", wrap=True).setParent(holder), (0, 0, 80, 20), "of height"),
        (lambda holder: QPushButton("A command of some words", holder), (0, 0, 50, 28), "has 50 of"),
        (lambda holder: QLabel("Word", holder), (280, 0, 60, 20), "outside of what holds it"),
        (lambda holder: (QLabel("One", holder), QLabel("Other", holder))[0], (0, 0, 80, 20), "lies over"),
    ],
)  # fmt: skip
def test_the_walk_sees(holder, make, place, says):
    make(holder)
    for label in holder.findChildren(QWidget):
        label.setGeometry(*place)
        label.show()
    assert any(says in found for found in problems(holder)), list(problems(holder))
    holder.hide()


def test_a_text_that_elides_says_the_whole(holder):
    label = ElidedLabel("A path of some length that does not fit")
    label.setParent(holder)
    label.setGeometry(0, 0, 60, 20)
    label.show()
    assert not list(problems(holder))
    label.setToolTip("")
    assert any("without a tool tip" in found for found in problems(holder))
