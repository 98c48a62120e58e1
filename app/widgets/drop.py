"""Dropping files: one behaviour for cards and the window, which says before the drop what it would do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget

from app.services.theme import set_property

Judge = Callable[[list[Path]], str | None]


def dropped_paths(data: QMimeData) -> list[Path]:
    """Local files and folders in a drag."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]


class DropTarget(QObject):
    """Makes a widget accept files.

    `judge(paths)` returns the sentence of what a drop would do, or None where the files do not fit. The widget
    turns accent-tint while a fitting drag is over it (`drop` property); `hovered` carries the sentence, "" at the
    end; `dropped` carries the list of paths.
    """

    hovered = Signal(str)
    dropped = Signal(list)

    def __init__(self, widget: QWidget, judge: Judge) -> None:
        super().__init__(widget)
        self._widget = widget
        self._judge = judge
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.DragEnter and isinstance(event, QDragEnterEvent):
            sentence = self._judge(dropped_paths(event.mimeData()))
            if sentence is None:
                event.ignore()
                return False  # the window behind says why
            event.acceptProposedAction()
            self._light(True)
            self.hovered.emit(sentence)
            return True
        if kind == QEvent.Type.DragLeave:
            self._light(False)
            self.hovered.emit("")
            return False
        if kind == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self._light(False)
            self.hovered.emit("")
            paths = dropped_paths(event.mimeData())
            if self._judge(paths) is None:
                event.ignore()
                return False
            event.acceptProposedAction()
            self.dropped.emit(paths)
            return True
        return False

    def _light(self, on: bool) -> None:
        set_property(self._widget, "drop", on)
