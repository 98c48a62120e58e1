"""The menu of *Open…* for data: a folder, a file, or a data set known by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu, QWidget

from app.dialogs.sheet import ask_data_file, ask_data_folder

if TYPE_CHECKING:
    from app.context import AppContext


class DataMenu(QMenu):
    """The names are looked up in a worker when the menu is first opened: that loads PyTorch."""

    def __init__(self, context: AppContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context, self._button = context, parent
        self._asked = False
        self.setToolTipsVisible(True)
        self.addAction("Folder…", self._ask_folder)
        self.addAction("File…", self._ask_file)
        self.addSeparator()
        self._loading = self.addAction("Looking for known data sets…")
        self._loading.setEnabled(False)
        self.aboutToShow.connect(self._look)

    def _look(self) -> None:
        if self._asked:
            return
        self._asked = True
        handle = self._context.jobs.submit(known_data, self._context.settings.values.data_root, key="catalogue")
        handle.done.connect(self._fill)
        handle.failed.connect(self._not_found)

    def _fill(self, known: list[tuple[str, str, bool]]) -> None:
        self.removeAction(self._loading)
        for spec, title, here in known:
            text = title if here else f"{title} (download)"
            self.addAction(text.replace("&", "&&"), partial(self._context.opening.open_data, spec))

    def _not_found(self, error: BaseException) -> None:
        self._asked = False
        self._loading.setText("Known data sets could not be listed")
        self._context.notifications.error(error, "Known data sets could not be listed")

    def _ask_folder(self) -> None:
        ask_data_folder(self._context, self._button.window())

    def _ask_file(self) -> None:
        ask_data_file(self._context, self._button.window())


def known_data(data_root: str) -> list[tuple[str, str, bool]]:
    """Return id, title and whether it is on this machine of every known data set, those at hand first."""
    from core.data.named import SOURCES

    found = [(source.id, source.title, source.available(data_root or None)) for source in SOURCES]
    return sorted(found, key=lambda entry: not entry[2])
