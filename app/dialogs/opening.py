"""Questions about a model or data that is opened: its class order, its network, its entry, its test part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QRadioButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.sheet import ALL_FILES, Sheet, ask_file
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.widgets.buttons import SecondaryButton, Segmented, TextButton
from app.widgets.labels import Label, caption
from core.errors import AppError

OUTPUT_WIDTH = 76


class ClassOrderDialog(Sheet):
    """`chosen` carries the class names in the order of the outputs.

    `accuracy_of` says what an order (positions in `classes`) would reach, or is None where nothing was measured;
    `found` is the order found on images, `read_names` reads a file of names and may raise AppErrors.
    """

    chosen = Signal(object)

    def __init__(
        self,
        classes: Sequence[str],
        *,
        model_names: Sequence[str] | None = None,
        found: Sequence[int] | None = None,
        accuracy_of: Callable[[tuple[int, ...]], float] | None = None,
        images: int = 0,
        read_names: Callable[[Path], tuple[str, ...]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("Match classes", "Use this order", parent)
        self._classes, self._found = tuple(classes), found
        self._accuracy_of, self._images, self._read_names = accuracy_of, images, read_names
        self._position = {name: i for i, name in enumerate(self._classes)}
        text = Label(
            "A checkpoint does not hold the order of its classes, and folders are read in alphabetical order. "
            "Drag the classes to the outputs they belong to.",
            wrap=True,
        )
        text.setMinimumWidth(theme.px(440))
        self.body.addWidget(text)
        self.list = QListWidget()
        self.list.setAccessibleName("Classes in the order of the model's outputs")
        self.list.setProperty("framed", True)
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.list.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.list.setItemDelegate(_Row(model_names, self.list))
        self.list.setMinimumHeight(theme.px(280))
        middle = QHBoxLayout()
        middle.setSpacing(theme.px(t.M))
        middle.addWidget(self.list, 1)
        middle.addLayout(self._buttons())
        self.body.addLayout(middle)
        self._verdict = Label("", wrap=True)
        set_tone(self._verdict, "text-2")
        self.body.addWidget(self._verdict)
        self.list.model().rowsMoved.connect(self._show)
        self.accepted.connect(self._accepted)
        self.set_order(range(len(self._classes)))
        self.list.setFocus()

    def order(self) -> tuple[int, ...]:
        """Positions in `classes`, output by output, as they stand."""
        return tuple(self._position[self.list.item(row).text()] for row in range(self.list.count()))

    def set_order(self, order: Sequence[int]) -> None:
        """Show an order."""
        row = max(0, self.list.currentRow())
        self.list.clear()
        self.list.addItems([self._classes[i] for i in order])
        self.list.setCurrentRow(row)
        self._show()

    def move_class(self, by: int) -> None:
        """Move the current class to the output `by` further down."""
        row = self.list.currentRow()
        if 0 <= row < self.list.count() and 0 <= row + by < self.list.count():
            self.list.insertItem(row + by, self.list.takeItem(row))
            self.list.setCurrentRow(row + by)
            self._show()

    def load(self, path: Path) -> None:
        """Take the order from a file of names; says what is wrong with it where it does not fit."""
        assert self._read_names is not None
        try:
            names = self._read_names(path)
        except AppError as error:
            self._say(f"{path.name} was not used. {error.message}", wrong=True)
            return
        if sorted(names) != sorted(self._classes):
            missing = next((name for name in self._classes if name not in names), "")
            other = next((name for name in names if name not in self._classes), "")
            parts = [f"lacks {missing}" if missing else "", f"names {other}, which the data has not" if other else ""]
            self._say(f"{path.name} was not used: it {' and '.join(filter(None, parts))}.", wrong=True)
            return
        self.set_order([self._position[name] for name in names])

    def verdict(self) -> str:
        """What is said of the order shown."""
        return self._verdict.text()

    def _buttons(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(theme.px(t.S))
        for text, keys, by in (("Move up", "Alt+Up", -1), ("Move down", "Alt+Down", 1)):
            move = partial(self.move_class, by)
            button = SecondaryButton(text, move)
            button.setToolTip(f"{text} ({keys})")
            QShortcut(QKeySequence(keys), self).activated.connect(move)
            column.addWidget(button)
        column.addSpacing(theme.px(t.M))
        if self._found is not None:
            column.addWidget(SecondaryButton("Order found on images", self._use_found))
        if self._read_names is not None:
            column.addWidget(SecondaryButton("From a file…", self._ask_file))
        column.addWidget(SecondaryButton("Alphabetical", self._sort))
        column.addWidget(TextButton("As it was", self._back))
        column.addStretch(1)
        return column

    def _use_found(self) -> None:
        self.set_order(self._found or ())

    def _sort(self) -> None:
        self.set_order(sorted(range(len(self._classes)), key=lambda i: self._classes[i]))

    def _back(self) -> None:
        self.set_order(range(len(self._classes)))

    def _ask_file(self) -> None:
        kinds = ("Class names (*.txt *.json)", ALL_FILES)
        ask_file(self, "Class names in the order of the outputs", self._file_chosen, kinds)

    def _file_chosen(self, path: str) -> None:
        self.load(Path(path))

    def _show(self, *_moved: object) -> None:
        order = self.order()
        self.set_reason("" if order != tuple(range(len(order))) else "This is the order in use.")
        if self._accuracy_of is None or len(order) != len(self._classes):
            self._say("")
        else:
            share = fmt.percent(self._accuracy_of(order))
            self._say(f"With this order, {share} of {fmt.count(self._images)} test images are correct.")

    def _say(self, text: str, wrong: bool = False) -> None:
        set_tone(self._verdict, "danger" if wrong else "text-2")
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))

    def _accepted(self) -> None:
        self.chosen.emit(tuple(self._classes[i] for i in self.order()))


class _Row(QStyledItemDelegate):
    """Draws "output 3", the model's own name for it where it has one, and the class."""

    def __init__(self, model_names: Sequence[str] | None, parent: QWidget) -> None:
        super().__init__(parent)
        self._names = model_names

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(200), theme.px(t.TABLE_ROW))

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        rect: QRect = option.rect
        state = option.state
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, theme.color("accent_tint"))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, theme.color("sunken"))
        pad, middle = theme.px(t.S), int(Qt.AlignmentFlag.AlignVCenter)
        painter.setFont(theme.font("table"))
        painter.setPen(theme.color("text_2"))
        head = rect.adjusted(pad, 0, 0, 0)
        painter.drawText(head, middle, f"Output {index.row()}")
        left = pad + theme.px(OUTPUT_WIDTH)
        if self._names is not None and index.row() < len(self._names):
            room = (rect.width() - left) // 2
            own = painter.fontMetrics().elidedText(self._names[index.row()], Qt.TextElideMode.ElideMiddle, room - pad)
            painter.drawText(rect.adjusted(left, 0, 0, 0), middle, own)
            left += room
        painter.setPen(theme.color("text"))
        name = str(index.data() or "")
        shown = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, rect.width() - left - pad)
        painter.drawText(rect.adjusted(left, 0, 0, 0), middle, shown)


class EntryDialog(Sheet):
    """`chosen` carries the name of the entry that is the network, as --key takes it.

    `candidates` holds each name with what sets it apart.
    """

    chosen = Signal(str)
    title, action = "Which network?", "Open this one"
    question = "{name} holds several networks. The others are not given back with the one you choose."

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(self.title, self.action, parent)
        text = Label(self.question.format(name=name), wrap=True)
        text.setMinimumWidth(theme.px(440))
        self.body.addWidget(text)
        self.group = QButtonGroup(self)
        self._names = [candidate for candidate, _ in candidates]
        for number, (candidate, reason) in enumerate(candidates):
            column = QVBoxLayout()
            column.setSpacing(0)
            button = QRadioButton(candidate)
            button.setAccessibleDescription(reason)
            self.group.addButton(button, number)
            column.addWidget(button)
            if reason:
                text = caption(reason, True)
                text.setIndent(theme.px(t.XL))
                column.addWidget(text)
            self.body.addLayout(column)
        for first in self.group.buttons()[:1]:
            first.setChecked(True)
            first.setFocus()
        self.accepted.connect(lambda: self.chosen.emit(self.choice()))

    def choose(self, name: str) -> None:
        """Choose one of the candidates."""
        self.group.button(self._names.index(name)).setChecked(True)

    def choice(self) -> str:
        """The name chosen."""
        return self._names[self.group.checkedId()]


class ArchitectureDialog(EntryDialog):
    """`chosen` carries an architecture: one of those that fit the weights, or one that is typed in."""

    title, action = "Which architecture?", "Open as this"
    question = (
        "These fit the weights of {name} and compute differently. How images are prepared is found out anew for the "
        "one you choose, where nobody stated it."
    )
    unknown = "No network that is known here fits the weights of {name}. Name one that does, or the code that makes it."

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        if not candidates:
            self.question = self.unknown
        super().__init__(name, candidates, parent)
        self._another = QRadioButton("Another:")
        self.group.addButton(self._another, len(candidates))
        self.field = QLineEdit()
        self.field.setPlaceholderText("resnet18:stem=3,pool=max   or   network.py:make_network")
        self.field.setAccessibleName("Another architecture")
        self.field.textEdited.connect(self._typed)
        self.group.idToggled.connect(self._check)
        self.body.addWidget(self._another)
        self.body.addWidget(self.field)
        if not candidates:
            self._another.setChecked(True)
            self._another.hide()
            self.field.setFocus()

    def choice(self) -> str:
        return self.field.text().strip() if self._another.isChecked() else super().choice()

    def _typed(self, _text: str) -> None:
        self._another.setChecked(True)
        self._check()

    def _check(self, *_toggled: object) -> None:
        self.set_reason("" if self.choice() else "Type the name of an architecture, or FILE.py:FACTORY.")


FRACTIONS = ("0.05", "0.1", "0.2")
USUAL = "0.1"
QUESTION = (
    "This {what} has no test images. {count} can be set aside, but the model has already seen them, "
    "so results on them look better than they are."
)


class NoTestPartDialog(Sheet):
    """`chosen` carries the share of the images to set aside."""

    chosen = Signal(float)

    def __init__(self, class_counts: Sequence[int], what: str = "folder", parent: QWidget | None = None) -> None:
        super().__init__("No test images", "Set aside", parent)
        self._counts, self._what = tuple(class_counts), what
        self._text = Label("", wrap=True)
        self._text.setMinimumWidth(theme.px(420))
        self._share = Segmented([(f, fmt.percent(float(f)).replace(".0", "")) for f in FRACTIONS], "Share of images")
        self._share.set_value(USUAL)
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.S))
        row.addWidget(Label("Set aside", "body", "text-2"))
        row.addWidget(self._share)
        row.addWidget(Label("of every class", "body", "text-2"))
        row.addStretch(1)
        self.body.addWidget(self._text)
        self.body.addLayout(row)
        self.body.addWidget(caption("They are called “seen before” wherever they appear. No file is moved.", True))
        self._share.changed.connect(self._show)
        self.accepted.connect(self._accepted)
        self._show()

    def count(self) -> int:
        """How many images the present choice sets aside."""
        from core.data.splits import count_set_aside

        return count_set_aside(self._counts, float(self._share.value()))

    def choose(self, fraction: str) -> None:
        """Choose a share, one of `FRACTIONS`."""
        self._share.set_value(fraction)

    def text(self) -> str:
        """The question shown."""
        return self._text.text()

    def _show(self, *_changed: object) -> None:
        count = self.count()
        self._text.setText(QUESTION.format(what=self._what, count=fmt.count(count)))
        self.accept_button.setText(f"Set aside {fmt.images(count)}")
        self.set_reason("" if count else "Every class has one image only, too few to set any aside.")

    def _accepted(self) -> None:
        self.chosen.emit(float(self._share.value()))
