"""Dialogs that ask for what to open: a model, data, a run folder, a batch file, a forget list.

None blocks; what is chosen goes to whoever opens it. Each begins where the last of its kind was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from core.files import SUFFIXES

if TYPE_CHECKING:
    from app.context import AppContext

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
