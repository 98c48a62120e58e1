"""Forget lists on the Forget page: read and matched in a worker, shown in a sheet, written to a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.dialogs.selection import ForgetListSheet
from app.dialogs.sheet import LISTS, ask_list
from app.services import format as fmt
from app.services.opening import explain

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.selection import Selection
    from core.session.forget_lists import ListMatch

USUAL_NAME = "forget.csv"


class ForgetLists(QObject):
    """`matched` carries a ListMatch the user took; `failed` a sentence."""

    matched = Signal(object)
    failed = Signal(str)

    def __init__(self, context: AppContext, widget: QWidget, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._widget = context, widget

    def ask_import(self) -> None:
        """Ask for a file to read."""
        ask_list(self._context, self._widget.window())

    def read(self, path: Path | str) -> None:
        """Read a list and show what it matches; nothing is applied yet."""
        dataset = self._context.project.dataset
        if dataset is None:
            return
        handle = self._context.jobs.submit(match_list, Path(path), dataset, key="forget-list")
        handle.done.connect(partial(self._show, Path(path).name))
        handle.failed.connect(partial(self._fail, f"{Path(path).name} was not imported."))

    def ask_export(self) -> None:
        """Ask where to write the forget set to."""
        dialog = QFileDialog(self._widget.window(), "Export the forget list")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setNameFilters(LISTS)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("csv")
        dialog.selectFile(USUAL_NAME)
        dialog.fileSelected.connect(self.write)
        dialog.open()

    def write(self, path: Path | str) -> None:
        """Write the forget set to a file."""
        project = self._context.project
        if project.dataset is None or project.selection is None:
            return
        handle = self._context.jobs.submit(write_list, Path(path), project.selection, project.dataset.train.paths)
        handle.done.connect(partial(self._written, Path(path), project.selection.count))
        handle.failed.connect(partial(self._fail, f"{Path(path).name} was not written."))

    def _show(self, name: str, match: ListMatch) -> None:
        selection = self._context.project.selection
        if selection is None or (len(match.matched) and int(match.matched[-1]) >= selection.total):
            return  # other data was opened meanwhile
        already = int(selection.mask[match.matched].sum())
        sheet = ForgetListSheet(name, match, already, self._widget.window())
        sheet.added.connect(partial(self.matched.emit, match))
        sheet.open()

    def _written(self, path: Path, count: int, _result: object) -> None:
        self._context.notifications.info(f"{fmt.images(count)} written to {path.name}.")

    def _fail(self, what: str, error: BaseException) -> None:
        self.failed.emit(f"{what} {explain(error)}")


def match_list(path: Path, dataset: Dataset) -> ListMatch:
    """Read a list and match it against the training images; runs in a worker."""
    from core.session.forget_lists import match_forget_list, read_list_text

    return match_forget_list(read_list_text(path), dataset)


def write_list(path: Path, selection: Selection, paths: Any) -> None:
    """Write a forget list; runs in a worker. Raises InputError where it cannot be written."""
    from core.errors import InputError
    from core.session.forget_lists import write_forget_list

    try:
        write_forget_list(path, selection, paths)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
