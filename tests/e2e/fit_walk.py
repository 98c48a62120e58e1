"""Walks the whole window and its dialogs in one process and prints what is cut or overlaps, a line each.

The environment says how large everything is (QT_SCALE_FACTOR, QT_FONT_DPI, FONT_POINTS), the arguments which windows to
walk: "1280x720:light" and so on. What has to fit: every text has the room it needs, unless it elides and says the whole
in a tool tip; and nothing lies over its neighbour. A page that says an error has failed as well.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator

from PySide6.QtCore import QEventLoop, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QGraphicsView,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QToolButton,
    QWidget,
)

from app import bootstrap
from app.bootstrap import Options, Session, create_application
from app.dialogs.opening import ArchitectureDialog, ClassOrderDialog, ask_test_part
from app.dialogs.preferences import PreferencesDialog
from app.dialogs.sheet import Choice, ask
from app.pages.forget.inspector import ImageInspector
from app.services.theme import Theme, theme
from app.widgets.labels import ElidedLabel
from core.errors import InputError

LEAST_SCREEN = (1280, 720)
SENTENCE = "A sentence that says what happened, at some length, so that it takes more than one line of a dialog. " * 2
SLACK = 1  # pixel that rounding may take
CONTROLS = (QLabel, QAbstractButton, QLineEdit, QComboBox, QAbstractSpinBox)


def cut(widget: QWidget) -> str:
    """Say what a widget lacks to show its text; empty where it has all it needs."""
    if isinstance(widget, ElidedLabel):
        whole = widget.fontMetrics().horizontalAdvance(widget.text()) <= widget.width() + SLACK
        if not whole and not widget.toolTip():
            return "elides without a tool tip"
        return "" if widget.height() + SLACK >= widget.fontMetrics().height() else "is too low"
    if isinstance(widget, QLabel):
        return _cut_label(widget)
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        room = widget.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, widget
        ).width()
        needed = widget.fontMetrics().horizontalAdvance(widget.currentText())
        return f"shows {room} of {needed} px" if needed > room + SLACK and not widget.toolTip() else ""
    words = isinstance(widget, QPushButton | QCheckBox | QRadioButton) or (
        isinstance(widget, QToolButton) and widget.toolButtonStyle() != Qt.ToolButtonStyle.ToolButtonIconOnly
    )
    if words and widget.text():
        needed = widget.fontMetrics().horizontalAdvance(widget.text().replace("&", ""))
        return f"has {widget.width()} of {needed} px" if widget.width() + SLACK < needed else ""
    return ""


def _cut_label(label: QLabel) -> str:
    if not label.text() or (label.pixmap() and not label.pixmap().isNull()):
        return ""
    if label.wordWrap():
        needed = label.heightForWidth(label.width())
        return f"has {label.height()} of {needed} px of height" if label.height() + SLACK < needed else ""
    needed = label.sizeHint()
    if label.width() + SLACK < needed.width():
        return f"has {label.width()} of {needed.width()} px"
    return f"has {label.height()} of {needed.height()} px of height" if label.height() + 3 < needed.height() else ""


def overlapping(parent: QWidget) -> Iterator[str]:
    """Say which controls in one widget lie over each other."""
    if isinstance(parent, QComboBox | QAbstractSpinBox | QLineEdit | QGraphicsView | QAbstractButton):
        return
    shown = [child for child in parent.children()
             if isinstance(child, CONTROLS) and child.isVisible() and not child.isWindow()]
    for one, other in itertools.combinations(shown, 2):
        common = one.geometry().intersected(other.geometry())
        if common.width() > SLACK and common.height() > SLACK:
            yield f"{name(one)} lies over {name(other)}"


def problems(window: QWidget) -> Iterator[str]:
    """Say what is wrong in a window or dialog as it is."""
    for widget in [window, *window.findChildren(QWidget)]:
        if not widget.isVisible() or widget.window() is not window:
            continue
        found = cut(widget)
        if found:
            yield f"{name(widget)} {found}"
        if isinstance(widget, CONTROLS) and not _in_view(widget, window):
            yield f"{name(widget)} lies outside of what holds it"
        yield from overlapping(widget)


def _in_view(widget: QWidget, window: QWidget) -> bool:
    """Tell whether a widget lies in its parents up to what scrolls, or the window."""
    parent = widget.parentWidget()
    while parent is not None and widget is not window:
        place = QRect(widget.mapTo(parent, QPoint()), widget.size())
        area = parent.parentWidget()
        if isinstance(area, QScrollArea) and parent is area.viewport():  # what is below or above comes by scrolling
            stays = area.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
            return not stays or (place.left() >= -2 and place.right() <= parent.width() + 2)
        if not parent.rect().adjusted(-2, -2, 2, 2).contains(place):
            return False
        if parent is window:
            return True
        parent = parent.parentWidget()
    return True


def name(widget: QWidget) -> str:
    """Name a widget so that it is found in the source: its class, text, and the nearest parent with an own class."""
    text = widget.text() if hasattr(widget, "text") else widget.currentText() if isinstance(widget, QComboBox) else ""
    parent = widget.parentWidget()
    while parent is not None and type(parent).__module__.startswith("PySide6"):
        parent = parent.parentWidget()
    return f"{type(parent).__name__ if parent else ''}/{type(widget).__name__} {str(text)[:50]!r}"


def dialogs(window: QWidget, context: object) -> Iterator[QDialog]:
    """Make the dialogs that need nothing that is open, one after the other."""
    context.notifications.error(InputError(SENTENCE, SENTENCE))  # type: ignore[attr-defined]
    for command in ("help.guide", "help.glossary", "help.shortcuts", "help.palette", "help.about",
                    "view.messages"):
        context.actions.trigger(command)  # type: ignore[attr-defined]
        yield next(dialog for dialog in window.findChildren(QDialog) if dialog.isVisible())
    classes = [f"class number {number}" for number in range(12)]
    for dialog in (
        PreferencesDialog(context.settings.values, window),  # type: ignore[attr-defined]
        ClassOrderDialog(classes, model_names=classes[::-1], parent=window),
        ArchitectureDialog("model.pth", [("resnet18", "stem 7"), ("resnet34", "stem 3, stride 2")], window),
        inspector(window),
    ):
        dialog.open()
        yield dialog
    choices = [Choice("keep", "Keep running"), Choice("stop", "Stop, save and quit"),
               Choice("discard", "Discard and quit", destructive=True)]  # fmt: skip
    yield ask_test_part(window, [500] * 10, print)
    yield ask(window, SENTENCE, choices, SENTENCE)


def inspector(window: QWidget) -> QDialog:
    """The inspector with all that it says of an image."""
    made = ImageInspector(window)
    made.name.setText("Image 1,234")
    made.facts.setText("Class ankle boot\nTraining image 1,234")
    made.show_mark(forget=False)
    for shown in made.columns.values():
        shown.say("Says ankle boot, 98.0 % sure\nsandal: 1.2 %\nLoss 0.030")
        shown.neighbours.addItems(["ankle boot"] * 9)
    made.columns["retrained"].say("No retrained model is on disk for this run. Check the run on Verify.")
    return made


def wait(milliseconds: int) -> None:
    """Let the window work."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def walk(session: Session, scheme: str, done: set[str]) -> Iterator[str]:
    """Walk all pages, and the dialogs once a size."""
    window = session.window
    for page_id in window._specs:
        window.show_page(page_id)
        wait(30)
        for found in problems(window):
            yield f"{page_id}: {found}"
    yield from (f"said: {message.sentence}" for message in session.context.notifications.history
                if message.level == "error" and message.text.strip() not in SENTENCE)  # fmt: skip
    size = f"{window.width()}x{window.height()}"
    if size in done:
        return
    done.add(size)
    for dialog in dialogs(window, session.context):
        wait(30)
        for found in problems(dialog):
            yield f"{type(dialog).__name__}: {found}"
        if dialog.width() > LEAST_SCREEN[0] or dialog.height() > LEAST_SCREEN[1]:
            yield f"{type(dialog).__name__} has {dialog.size().toTuple()}"
        dialog.close()


def use(app: object, scheme: str) -> None:
    """Take a scheme; "contrast" is what the system has where it asks for high contrast."""
    Theme.high_contrast = property(lambda self: scheme == "contrast")  # type: ignore[assignment, method-assign]
    if scheme == "contrast":
        palette = QPalette(QColor(0, 0, 0))
        for role in (QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
            palette.setColor(role, QColor(255, 255, 0))
        app.setPalette(palette)  # type: ignore[attr-defined]
    theme.apply(app, "light" if scheme == "contrast" else scheme)  # type: ignore[arg-type]


def main(wanted: list[str]) -> int:
    """Walk every window that is named and print what is wrong."""
    bootstrap.load_libraries = lambda device: ("Processor, 2 cores", "")  # nothing is computed here
    bootstrap.load_on_the_way = lambda: None
    Theme.motion_ms = lambda self, wanted: 0  # type: ignore[method-assign]
    app = create_application()
    app.setFont(QFont("DejaVu Sans", int(os.environ.get("FONT_POINTS", "10"))))
    session = Session(app, Options(scheme="light"))
    session.show()
    done: set[str] = set()
    found: dict[str, str] = {}
    for one in wanted:
        size, _, scheme = one.partition(":")
        use(app, scheme)
        session.window.resize(*map(int, size.split("x")))
        wait(50)
        for line in walk(session, scheme, done):
            found.setdefault(line, one)
    for line, where in found.items():
        sys.stdout.write(f"{where} {line}\n")
    sys.stdout.write("walked\n")
    sys.stdout.flush()
    session.close()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
