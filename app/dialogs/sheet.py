"""The dialogs others are made of: a sheet that collects something, a question, files to open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import Button, DestructiveButton, PrimaryButton, SecondaryButton
from app.widgets.labels import Label
from core.files import SUFFIXES

if TYPE_CHECKING:
    from app.context import AppContext


class Sheet(QDialog):
    """Put content into `body`; connect to `accepted`. Non-blocking: `open()` returns at once.

    A sentence set with `set_reason` stands left of the buttons and disables the primary one; "" enables it.
    """

    def __init__(self, title: str, accept: str, parent: QWidget | None = None, cancel: str = "Cancel") -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        column.addWidget(Label(title, "section"))
        self.body = QVBoxLayout()
        self.body.setSpacing(theme.px(t.M))
        column.addLayout(self.body, 1)
        self._reason = Label("", "caption", "text-2", wrap=True)
        self._foot = QHBoxLayout()
        self._foot.setSpacing(theme.px(t.S))
        self._foot.addWidget(self._reason, 1)
        self.cancel_button = SecondaryButton(cancel, self.reject)
        self.accept_button = PrimaryButton(accept, self.accept)
        self.accept_button.setDefault(True)
        self._foot.addWidget(self.cancel_button)
        self._foot.addWidget(self.accept_button)
        column.addSpacing(theme.px(t.S))
        column.addLayout(self._foot)

    def add_foot(self, widget: QWidget) -> None:
        """Put a further button at the left of the foot."""
        self._foot.insertWidget(self._foot.count() - 3, widget)

    def set_reason(self, sentence: str) -> None:
        """Say why it cannot be accepted yet; "" where it can."""
        self._reason.setText(sentence)
        self.accept_button.setEnabled(not sentence)

    def reason(self) -> str:
        """The sentence shown."""
        return self._reason.text()


@dataclass(frozen=True)
class Choice:
    """One answer: its key, its words (a verb first), and whether it destroys something."""

    key: str
    text: str
    destructive: bool = False


class ConfirmDialog(QDialog):
    """Asks; `answer` is called with the key of the choice, or with the first (harmless) one on Esc.

    Non-blocking: `ConfirmDialog(...).open()` returns at once.
    """

    def __init__(
        self,
        question: str,
        choices: Sequence[Choice],
        answer: Callable[[str], object],
        parent: QWidget | None = None,
        details: str = "",
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Unlearn Studio")
        self._answer = answer
        self._chosen = choices[0].key
        column = QVBoxLayout(self)
        margin = theme.px(t.XL)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.px(t.M))
        text = Label(question, "section", wrap=True)
        text.setMinimumWidth(theme.px(400))
        column.addWidget(text)
        if details:
            column.addWidget(Label(details, wrap=True))
        column.addSpacing(theme.px(t.S))
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        row.addStretch(1)
        self.buttons: dict[str, Button] = {}
        for choice in reversed(choices):
            choose = functools.partial(self._choose, choice.key)
            button: Button
            if choice.destructive:
                button = DestructiveButton(choice.text, choose, filled=True)
            else:
                button = SecondaryButton(choice.text, choose)
            row.addWidget(button)
            if choice.destructive:
                row.addSpacing(theme.px(t.L))
            self.buttons[choice.key] = button
        column.addLayout(row)
        harmless = self.buttons[choices[0].key]
        harmless.setDefault(True)
        harmless.setFocus()
        self.finished.connect(self._finished)

    def _choose(self, key: str) -> None:
        self._chosen = key
        self.accept()

    def _finished(self, _code: int) -> None:
        self._answer(self._chosen)


def ask(
    parent: QWidget | None,
    question: str,
    choices: Sequence[Choice],
    answer: Callable[[str], object],
    details: str = "",
) -> ConfirmDialog:
    """Ask a question without blocking; the first choice is the harmless default and what Esc means."""
    dialog = ConfirmDialog(question, choices, answer, parent, details)
    dialog.open()
    return dialog


Asking = Callable[["AppContext", QWidget], QFileDialog]  # a dialog of this module

ALL_FILES = "All files (*)"
DATA_FILES = "Data (*.npz *.npy *.csv *.tsv *.tar *.parquet *.json)"
BATCH_FILES = "Batch files (*.toml)"
LISTS = ("Forget lists (*.csv *.tsv *.txt *.lst)", ALL_FILES)


def ask_model(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a model file and open it."""
    endings = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
    start = context.window_state.recent_folder("model")
    return ask_file(window, "Open a model", context.opening.open_model, (f"Models ({endings})", ALL_FILES), start)


def ask_data_folder(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a folder of images and open it."""
    start = context.window_state.recent_folder("data")
    return ask_folder(window, "Open a folder of class folders", context.opening.open_data, start)


def ask_data_file(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a file of data and open it."""
    start = context.window_state.recent_folder("data")
    return ask_file(window, "Open data", context.opening.open_data, (DATA_FILES, ALL_FILES), start)


def ask_run(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a run folder and bring it into view."""
    start = str(context.runs_folder())
    return ask_folder(window, "Open a run folder", lambda name: context.opening.open_run(Path(name)), start)


def ask_batch(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a batch file; what it would run is asked about before anything is queued."""
    wanted = context.opening.batch_wanted
    return ask_file(window, "Open a batch file", lambda name: wanted.emit(Path(name)), (BATCH_FILES, ALL_FILES))


def ask_list(context: AppContext, window: QWidget) -> QFileDialog:
    """Ask for a forget list and show on the Forget page what it matches."""
    return ask_file(window, "Import a forget list", lambda name: context.opening.open_list(Path(name)), LISTS)


def ask_file(
    window: QWidget, title: str, chosen: Callable[[str], object], kinds: Sequence[str] = (), start: str = ""
) -> QFileDialog:
    """Ask for a file. kinds: name filters, the usual one first; start: the folder to begin in, "" for the last."""
    dialog = _dialog(window, title, chosen, start)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    if kinds:
        dialog.setNameFilters(list(kinds))
    dialog.open()
    return dialog


def ask_save(
    window: QWidget, title: str, chosen: Callable[[str], object], kinds: Sequence[str], name: str
) -> QFileDialog:
    """Ask where to save. kinds: name filters, of which the chosen one gives the ending; name: what is proposed."""
    dialog = _dialog(window, title, chosen, str(Path.home()))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setNameFilters(list(kinds))

    def ending(kind: str) -> None:
        dialog.setDefaultSuffix(kind.rpartition("*.")[2].rstrip(")"))

    dialog.filterSelected.connect(ending)
    ending(kinds[0])
    dialog.selectFile(name)
    dialog.open()
    return dialog


def ask_folder(window: QWidget, title: str, chosen: Callable[[str], object], start: str = "") -> QFileDialog:
    """Ask for a folder. start: the folder to begin in, "" for the last."""
    dialog = _dialog(window, title, chosen, start)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.open()
    return dialog


def _dialog(window: QWidget, title: str, chosen: Callable[[str], object], start: str) -> QFileDialog:
    dialog = QFileDialog(window, title)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if start:
        dialog.setDirectory(start)
    dialog.fileSelected.connect(chosen)
    return dialog
