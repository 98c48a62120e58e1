"""The commands that open something: what they ask for, and where what was chosen goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from app.context import create_context
from app.services.commands import register_file_commands


class Opened(QObject):
    """Stands in for what opens files: notes what it is told to."""

    batch_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, object]] = []
        self.batch_wanted.connect(lambda path: self.asked.append(("batch", path)))

    def __getattr__(self, name):
        return lambda *args: self.asked.append((name, *args))


@pytest.fixture
def context(qtbot):
    made = create_context()
    made.opening = Opened()
    made.shown = []
    made.shell.page_wanted.connect(made.shown.append)
    window = QWidget()
    qtbot.addWidget(window)
    register_file_commands(made, window)
    window.show()
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown() and made.device_jobs.shutdown()


def answer(path: Path) -> QFileDialog:
    """Choose a path in the dialog that is open."""
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    dialog.fileSelected.emit(str(path))
    dialog.close()
    return dialog


@pytest.mark.parametrize(
    ("command", "page", "asked", "as_path"),
    [
        ("file.model", "project", "open_model", False),
        ("file.data", "project", "open_data", False),
        ("file.data_file", "project", "open_data", False),
        ("file.run", "", "open_run", True),
        ("file.batch", "", "batch", True),
    ],
)
def test_what_is_chosen_is_opened(context, tmp_path, command, page, asked, as_path):
    context.actions.trigger(command)
    answer(tmp_path)
    assert context.opening.asked == [(asked, tmp_path if as_path else str(tmp_path))]
    assert context.shown == ([page] if page else [])


def test_a_forget_list_needs_data(context, tmp_path):
    assert context.actions.reason("file.list") == "Open the data first: a forget list names its images."
    context.actions.trigger("file.list")
    assert context.opening.asked == [] and not any(isinstance(w, QFileDialog) for w in QApplication.topLevelWidgets())
    context.project.dataset = object()
    context.actions.trigger("file.list")
    answer(tmp_path / "list.csv")
    assert context.opening.asked == [("open_list", tmp_path / "list.csv")] and context.shown == ["forget"]


def test_the_example_is_opened_on_its_page(context):
    context.actions.trigger("file.example")
    assert context.opening.asked == [("open_example",)] and context.shown == ["project"]


def test_the_usual_keys_open_a_model(context):
    assert QKeySequence(QKeySequence.StandardKey.Open) in context.actions["file.model"].shortcuts()
