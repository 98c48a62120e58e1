"""Questions about a model or data that is opened: its class order, its network, its entry, its test part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QWidget,
)

from app.dialogs.sheet import NAMES, Choice, ConfirmDialog, Sheet, ask, ask_file
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton
from app.widgets.labels import Label, caption
from app.widgets.layout import add_to, column, named, row
from core.errors import AppError

if TYPE_CHECKING:
    from core.session.caveats import ClassOrder

NAME_WIDTH = 72  # of the model's own name for an output


class ClassOrderDialog(Sheet):
    """`chosen` carries the class names in the order of the outputs.

    `model_names` are the model's own for its outputs; `measured` says what an order would reach and which is best.
    """

    def __init__(
        self,
        classes: Sequence[str],
        model_names: Sequence[str] = (),
        measured: ClassOrder | None = None,
        parent: QWidget | None = None,
    ) -> None:
        text = tr("A checkpoint does not hold the order of its classes, and folders are read in alphabetical order. "
                  "Drag the classes to the outputs they belong to.")  # fmt: skip
        super().__init__(tr("Match classes"), tr("Use this order"), parent, text=text)
        self._classes, self._names, self._measured = classes, model_names, measured
        self.list = named(QListWidget(), tr("Classes in the order of the model's outputs"))
        self.list.setDragDropMode(QListWidget.DragDropMode.InternalMove)
        self.list.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.list.setMinimumSize(theme.px(320), theme.px(280))
        self.list.setProperty("framed", True)
        self._verdict = Label("", wrap=True)
        as_it_was = range(len(classes))
        alphabetical = sorted(as_it_was, key=lambda i: classes[i])
        buttons = column(self._mover(tr("Move up"), "Alt+Up", -1), self._mover(tr("Move down"), "Alt+Down", 1), t.M,
                         SecondaryButton(tr("From a file…"), self._ask_file),
                         SecondaryButton(tr("Alphabetical"), partial(self.set_order, alphabetical)))  # fmt: skip
        if measured is not None and measured.differs:
            found = SecondaryButton(tr("Order found on images"), partial(self.set_order, measured.better))
            buttons.addWidget(found)
        buttons.addStretch(1)
        add_to(self.body, row((self.list, 1), buttons, spacing=t.M), self._verdict)
        self.list.model().rowsMoved.connect(self._show)
        self.set_order(as_it_was)
        self.list.setFocus()

    def answer(self) -> tuple[str, ...]:
        return tuple(self._classes[i] for i in self.order())

    def order(self) -> tuple[int, ...]:
        """Positions in `classes`, output by output, as they stand."""
        return tuple(self.list.item(place).data(Qt.ItemDataRole.UserRole) for place in range(self.list.count()))

    def set_order(self, order: Sequence[int]) -> None:
        """Show an order."""
        current = max(0, self.list.currentRow())
        self.list.clear()
        for position in order:
            item = QListWidgetItem(self.list)
            item.setData(Qt.ItemDataRole.UserRole, position)
            item.setToolTip(fmt.plain(self._classes[position]))
            item.setSizeHint(QSize(0, theme.px(t.TABLE_ROW)))
        self.list.setCurrentRow(current)
        self._show()

    def move_class(self, by: int) -> None:
        """Move the current class to the output `by` further down."""
        place = self.list.currentRow()
        if 0 <= place < self.list.count() and 0 <= place + by < self.list.count():
            self.list.insertItem(place + by, self.list.takeItem(place))
            self.list.setCurrentRow(place + by)
            self._show()

    def load(self, path: Path) -> None:
        """Take the order from a file of names; says what is wrong with it where it does not fit."""
        from core.data.classes import places_of, read_class_names

        try:
            places = places_of(self._classes, read_class_names(path), "The list")
        except AppError as error:
            self._say(tr("{name} was not used. {why}", name=path.name, why=error.message), wrong=True)
        else:
            self.set_order(sorted(range(len(places)), key=places.__getitem__))

    def verdict(self) -> str:
        """What is said of the order shown."""
        return self._verdict.text()

    def _mover(self, text: str, keys: str, by: int) -> SecondaryButton:
        button = SecondaryButton(text, partial(self.move_class, by))
        button.setToolTip(f"{text} ({QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)})")
        QShortcut(QKeySequence(keys), self).activated.connect(button.click)
        return button

    def _ask_file(self) -> None:
        ask_file(self, tr("Class names in the order of the outputs"), lambda name: self.load(Path(name)), NAMES)

    def _show(self) -> None:
        """Number the outputs, each with the model's own name where it has one, and say what the order reaches."""
        order = self.order()
        for place, position in enumerate(order):
            own = [self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, theme.px(NAME_WIDTH))
                   for name in self._names[place : place + 1]]  # fmt: skip
            output = tr("Output {number}", number=place)
            self.list.item(place).setText("\t".join([output, *own, self._classes[position]]))
        self.set_reason("" if order != tuple(range(len(order))) else tr("This is the order in use."))
        if self._measured is None:
            self._say("")
        else:
            share, images = fmt.percent(self._measured.accuracy_of(order)), self._measured.images
            self._say(tr("With this order, {share} of %n test images are correct.", n=images, share=share))

    def _say(self, text: str, wrong: bool = False) -> None:
        set_tone(self._verdict, "danger" if wrong else "text-2")
        self._verdict.setText(text)
        self._verdict.setVisible(bool(text))


class EntryDialog(Sheet):
    """`chosen` carries one of `candidates`, which holds each name with what sets it apart."""

    def __init__(
        self, title: str, action: str, question: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None
    ) -> None:
        super().__init__(title, action, parent, text=question)
        self.group = QButtonGroup(self)
        self._names = [candidate for candidate, _ in candidates]
        for number, (candidate, reason) in enumerate(candidates):
            button = QRadioButton(candidate)
            button.setAccessibleDescription(reason)
            self.group.addButton(button, number)
            told = caption(reason, True)
            told.setIndent(theme.px(t.XL))
            told.setVisible(bool(reason))
            self.body.addLayout(column(button, told, spacing=0))
        if candidates:
            self.group.button(0).setChecked(True)
            self.group.button(0).setFocus()

    def choose(self, name: str) -> None:
        """Choose one of the candidates."""
        self.group.button(self._names.index(name)).setChecked(True)

    def answer(self) -> str:
        return self._names[self.group.checkedId()]


class ArchitectureDialog(EntryDialog):
    """`chosen` carries an architecture: one of those that fit the weights, or one that is typed in."""

    def __init__(self, name: str, candidates: Sequence[tuple[str, str]], parent: QWidget | None = None) -> None:
        question = tr(
            "These fit the weights of {name} and compute differently. How images are prepared is found out anew for "
            "the one you choose, where nobody stated it.", name=name) if candidates else tr(
            "No network that is known here fits the weights of {name}. Name one that does, or the code that makes it.",
            name=name)  # fmt: skip
        super().__init__(tr("Which architecture?"), tr("Open as this"), question, candidates, parent)
        self.another = QRadioButton(tr("Another:"))
        self.group.addButton(self.another, len(candidates))
        self.field = named(QLineEdit(), tr("Another architecture"))
        self.field.setPlaceholderText(tr("resnet18:stem=3,pool=max   or   network.py:make_network"))
        self.field.textEdited.connect(lambda _text: self.another.setChecked(True))
        self.field.textEdited.connect(self._check)
        self.group.idToggled.connect(self._check)
        add_to(self.body, self.another, self.field)
        if not candidates:
            self.another.setChecked(True)
            self.another.hide()
            self.field.setFocus()

    def answer(self) -> str:
        return self.field.text().strip() if self.another.isChecked() else super().answer()

    def _check(self) -> None:
        self.set_reason("" if self.answer() else tr("Type the name of an architecture, or FILE.py:FACTORY."))


SHARES = (0.2, 0.1, 0.05)  # of the images of every class


def ask_test_part(
    parent: QWidget | None, class_counts: Sequence[int], on_share: Callable[[float], object]
) -> ConfirmDialog:
    """Ask which share of the images is to be set aside for testing, and call `on_share` with it."""
    from core.data.splits import count_set_aside

    choices = [Choice("no", tr("Cancel"))]
    for share in SHARES:
        if number := count_set_aside(class_counts, share):
            words = tr("{share} %: %n images", n=number, share=fmt.count(round(100 * share)))
            choices.append(Choice(str(share), words, act=partial(on_share, share)))
    question = tr("No test images were found. Set a share of every class aside?")
    known = tr("The model has already seen them, so results on them look better than they are. They are called “seen "
               "before” wherever they appear. No file is moved.")  # fmt: skip
    too_few = tr("Every class has one image only, too few to set any aside.")
    return ask(parent, question, choices, known if len(choices) > 1 else too_few)
