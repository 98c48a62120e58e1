"""The dialogs others are made of: a sheet that collects something, a question, files to open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import Button, ConfirmButton, PrimaryButton, SecondaryButton
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, column, row
from core.files import SUFFIXES

if TYPE_CHECKING:
    from app.context import AppContext


class Dialog(QDialog):
    """Blocks nothing: `open()` or `show()` returns at once. Gone when closed, and as high as its texts need."""

    def __init__(
        self, title: str, parent: QWidget | None = None, flags: Qt.WindowType = Qt.WindowType.Dialog
    ) -> None:
        super().__init__(parent, flags)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        theme.dress(self)

    def showEvent(self, event: QShowEvent) -> None:
        """Take the height that wrapped texts have at this width, as far as the screen has it."""
        layout, room = self.layout(), self.screen().availableSize() * _OF_SCREEN
        size = self.size()
        if layout is not None and layout.hasHeightForWidth():
            size = size.expandedTo(QSize(0, layout.totalHeightForWidth(size.width())))
        if self.minimumSize() != self.maximumSize():
            self.resize(size.boundedTo(room.expandedTo(self.minimumSizeHint())))
        super().showEvent(event)


class Sheet(Dialog):
    """Put content into `body`; connect to `accepted`. Non-blocking: `open()` returns at once.

    A sentence set with `set_reason` stands left of the buttons and disables the primary one; "" enables it.
    """

    def __init__(self, title: str, accept: str, parent: QWidget | None = None, cancel: str = "") -> None:
        super().__init__(title, parent)
        self.body = column(spacing=t.M)
        self._reason = Label("", "caption", "text-2", wrap=True)
        self.cancel_button = SecondaryButton(cancel or tr("Cancel"), self.reject)
        self.accept_button = PrimaryButton(accept, self.accept)
        self.accept_button.setDefault(True)
        self._foot = row((self._reason, 1), self.cancel_button, self.accept_button)
        column(Label(title, "section"), (self.body, 1), t.S, self._foot, on=self, margins=t.XL, spacing=t.M)

    def add_foot(self, widget: QWidget) -> None:
        """Put a further button at the left of the foot."""
        self._foot.insertWidget(self._foot.count() - 3, widget)

    def set_reason(self, sentence: str) -> None:
        """Say why it cannot be accepted yet; "" where it can."""
        self._reason.setText(sentence)
        self.accept_button.setEnabled(not sentence)

    def reason(self) -> str:
        return self._reason.text()


@dataclass(frozen=True)
class Choice:
    """One answer: its key, its words (a verb first), and whether it destroys something."""

    key: str
    text: str
    destructive: bool = False


class ConfirmDialog(Dialog):
    """Asks; `answer` is called with the key of the choice, or with the first (harmless) one on Esc."""

    def __init__(
        self,
        question: str,
        choices: Sequence[Choice],
        answer: Callable[[str], object],
        parent: QWidget | None = None,
        details: str = "",
    ) -> None:
        super().__init__("Unlearn Studio", parent)
        self._chosen = choices[0].key
        text = Label(question, "section", wrap=True)
        text.setMinimumWidth(theme.px(400))
        more = [Label(details, wrap=True)] if details else []
        foot = row(STRETCH)
        self.buttons: dict[str, Button] = {}
        for choice in reversed(choices):
            choose = functools.partial(self._choose, choice.key)
            self.buttons[choice.key] = button = (
                ConfirmButton(choice.text, choose) if choice.destructive
                else SecondaryButton(choice.text, choose)
            )  # fmt: skip
            foot.addWidget(button)
            if choice.destructive:  # apart from the harmless ones
                foot.addSpacing(theme.px(t.L))
        column(text, *more, t.S, foot, on=self, margins=t.XL, spacing=t.M)
        self.buttons[self._chosen].setDefault(True)
        self.buttons[self._chosen].setFocus()
        self.finished.connect(lambda _code: answer(self._chosen))

    def _choose(self, key: str) -> None:
        self._chosen = key
        self.accept()


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

_OF_SCREEN = 0.9  # that a dialog takes at most
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
    theme.dress(dialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if start:
        dialog.setDirectory(start)
    dialog.fileSelected.connect(chosen)
    return dialog
