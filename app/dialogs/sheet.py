"""The dialogs others are made of: a sheet that collects something, a question, files to open."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QWidget

from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import Button, ConfirmButton, PrimaryButton, SecondaryButton
from app.widgets.labels import Label
from app.widgets.layout import STRETCH, add_to, column, row
from core.files import SUFFIXES

if TYPE_CHECKING:
    from app.context import AppContext


class Dialog(QDialog):
    """Blocks nothing: `open()` or `show()` returns at once. Gone when closed, and as high as its texts need."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
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
    """Content goes into `body`, below `text`; accepted, it emits `chosen` with its `answer()`.

    A sentence set with `set_reason` stands left of the buttons and disables the primary one; "" enables it.
    """

    chosen = Signal(object)

    def __init__(
        self, title: str, accept: str, parent: QWidget | None = None, *, text: str = "", cancel: str = "",
        width: int = 440,
    ) -> None:  # fmt: skip
        super().__init__(title, parent)
        self.text = Label(text, wrap=True)
        self.text.setMinimumWidth(theme.px(width))
        self.text.setVisible(bool(text))
        self.body = column(self.text, spacing=t.M)
        self._reason = Label("", "caption", "text-2", wrap=True)
        self.cancel_button = SecondaryButton(cancel or tr("Cancel"), self.reject)
        self.accept_button = PrimaryButton(accept, self.accept)
        self.accept_button.setDefault(True)
        self._foot = row((self._reason, 1), self.cancel_button, self.accept_button)
        column(Label(title, "section"), (self.body, 1), t.S, self._foot, on=self, margins=t.XL, spacing=t.M)
        self.accepted.connect(lambda: self.chosen.emit(self.answer()))

    def answer(self) -> Any:
        """What was chosen."""
        return None

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
    """One answer: its key, its words (a verb first), whether it destroys something, and what is done then."""

    key: str
    text: str
    destructive: bool = False
    act: Callable[[], object] | None = None


class ConfirmDialog(Dialog):
    """Asks a question as soon as it is made; the first choice is the harmless default and what Esc means."""

    def __init__(self, parent: QWidget | None, question: str, choices: Sequence[Choice], details: str = "") -> None:
        super().__init__(QGuiApplication.applicationDisplayName(), parent)
        self._chosen = choices[0]
        text = Label(question, "section", wrap=True)
        text.setMinimumWidth(theme.px(400))
        more = [Label(details, wrap=True)] if details else []
        foot = row(STRETCH)
        self.buttons: dict[str, Button] = {}
        for choice in reversed(choices):
            kind = ConfirmButton if choice.destructive else SecondaryButton
            self.buttons[choice.key] = button = kind(choice.text, functools.partial(self._choose, choice))
            add_to(foot, button, t.L if choice.destructive else 0)  # that one apart from the harmless ones
        column(text, *more, t.S, foot, on=self, margins=t.XL, spacing=t.M)
        self.buttons[choices[0].key].setDefault(True)
        self.buttons[choices[0].key].setFocus()
        self.finished.connect(self._answered)
        self.open()

    def _choose(self, choice: Choice) -> None:
        self._chosen = choice
        self.accept()

    def _answered(self) -> None:
        if self._chosen.act is not None:
            self._chosen.act()


ask = ConfirmDialog

_OF_SCREEN = 0.9  # that a dialog takes at most
ALL_FILES = mark("All files (*)")
DATA_FILES = mark("Data (*.npz *.npy *.csv *.tsv *.tar *.parquet *.json)")
LISTS = (mark("Forget lists (*.csv *.tsv *.txt *.lst)"), ALL_FILES)
NAMES = (mark("Class names (*.txt *.json)"), ALL_FILES)


def ask_to_open(context: AppContext, window: QWidget, what: str) -> QFileDialog:
    """Ask for a model, data, a run, a batch or a forget list and open it; a batch is not queued before a question."""
    opening, recent = context.opening, context.window_state.recent_folder
    models = tr("Models ({endings})", endings=" ".join(f"*{suffix}" for suffix in sorted(SUFFIXES)))
    found: dict[str, tuple[str, Callable[[str], object], tuple[str, ...], str]] = {
        "model": (tr("Open a model"), opening.open_model, (models, ALL_FILES), recent("model")),
        "data": (tr("Open a folder of class folders"), opening.open_data, (), recent("data")),
        "data_file": (tr("Open data"), opening.open_data, (DATA_FILES, ALL_FILES), recent("data")),
        "run": (tr("Open a run folder"), lambda name: opening.open_run(Path(name)), (), str(context.runs_folder())),
        "batch": (tr("Open a batch file"), lambda name: opening.batch_wanted.emit(Path(name)),
                  (mark("Batch files (*.toml)"), ALL_FILES), ""),
        "list": (tr("Import a forget list"), lambda name: opening.open_list(Path(name)), LISTS, ""),
    }  # fmt: skip
    return ask_file(window, *found[what])


def ask_file(
    window: QWidget, title: str, chosen: Callable[[str], object], kinds: Sequence[str] = (), start: str = ""
) -> QFileDialog:
    """Ask for a file, or without `kinds` for a folder.

    kinds: name filters, the usual one first, given to `tr` here; start: the folder to begin in, "" for the last.
    """
    dialog = _file_dialog(window, title, chosen, kinds, start)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile if kinds else QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly, not kinds)
    dialog.open()
    return dialog


def ask_save(
    window: QWidget, title: str, chosen: Callable[[str], object], kinds: Sequence[str], name: str,
    replaces: bool = False,
) -> QFileDialog:  # fmt: skip
    """Ask where to save.

    kinds: name filters, of which the chosen one gives the ending; name: what is proposed, in the home folder or where
    the name says; replaces: a file that is there may be chosen without a question.
    """
    dialog = _file_dialog(window, title, chosen, kinds, str(Path.home()))
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setOption(QFileDialog.Option.DontConfirmOverwrite, replaces)

    def ending(kind: str) -> None:
        _, dot, last = kind.rpartition("*.")
        dialog.setDefaultSuffix(last.rstrip(")") if dot else "")

    dialog.filterSelected.connect(ending)
    ending(dialog.nameFilters()[0])
    dialog.selectFile(name)
    dialog.open()
    return dialog


def _file_dialog(
    window: QWidget, title: str, chosen: Callable[[str], object], kinds: Sequence[str], start: str
) -> QFileDialog:
    dialog = QFileDialog(window, title, start)
    theme.dress(dialog)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setNameFilters([tr(kind) for kind in kinds])
    dialog.fileSelected.connect(chosen)
    return dialog
