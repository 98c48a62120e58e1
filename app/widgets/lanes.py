"""Three models side by side: accuracy on what was forgotten, and what is there to be found of it all the same."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, row
from core.verify.lanes import LANES, Lane, contradicted

BAR_HEIGHT, TRACK_HEIGHT, NUMBER_WIDTH, LINE_HEIGHT = 18, 10, 60, 20


class Lanes(Card):
    """Hidden until `set_lanes` brings something to compare; the live accuracy comes in between.

    `says_verdict` is False where the verdict stands elsewhere on the page.
    """

    def __init__(self, parent: QWidget | None = None, says_verdict: bool = True) -> None:
        super().__init__("", parent, padding=t.M)
        self._says_verdict = says_verdict
        self.setAccessibleName(tr("Head-only edit, unlearned and retrained model"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._lanes: tuple[Lane, ...] = ()
        self._forgotten = ""
        self.body.setSpacing(theme.px(t.S))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.XL))
        grid.setVerticalSpacing(theme.px(t.XS))
        self._first = caption()
        grid.addWidget(self._first, 0, 0, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(caption(tr("Found again by a linear probe")), 1, 0)
        grid.addWidget(caption(tr("Training images until it is back")), 2, 0)
        self.accuracies: dict[str, Label] = {}
        self.probes: dict[str, LaneBar] = {}
        self.images: dict[str, LaneBar] = {}
        for place, model in enumerate(LANES, start=1):
            self.accuracies[model] = Label("", "number")
            self.probes[model], self.images[model] = LaneBar(model), LaneBar(model)
            head = row(Label(_title(model), "section"), STRETCH, self.accuracies[model])
            grid.addLayout(head, 0, place)
            grid.addWidget(self.probes[model], 1, place)
            grid.addWidget(self.images[model], 2, place)
            grid.setColumnStretch(place, 1)
        self.body.addLayout(grid)
        self.claim, self.verdict, self.state = Label("", "section"), Label("", "section", wrap=True), caption("", True)
        for label in (self.verdict, self.state):  # one or the other: nothing moves when the verdict comes
            label.setMaximumWidth(_UNLIMITED)
            label.setMinimumHeight(theme.px(LINE_HEIGHT))
        self.body.addLayout(row(self.claim, (self.verdict, 1), (self.state, 1), spacing=t.XL))
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self._lanes = ()
        for label in (self.claim, self.verdict, self.state):
            label.setText("")
            label.hide()
        self.hide()

    def set_lanes(self, lanes: Sequence[Lane], forgotten: str) -> None:
        """Show what is known of the three models; `forgotten` names the class, or the classes."""
        self._lanes, self._forgotten = tuple(lanes), forgotten
        by_model = {lane.model: lane for lane in lanes}
        if not any(lane.probe is not None for lane in lanes if lane.model != "unlearned"):
            self.hide()  # nothing to hold the run against
            return
        self._first.setText(tr("Accuracy on {classes}", classes=forgotten))
        most = max((_images(lane) or 0 for lane in lanes), default=0)
        retrained = by_model["retrained"]
        for model, lane in by_model.items():
            if lane.accuracy is not None or model != "unlearned":  # the live one stays until there is a measured one
                self.accuracies[model].setText(fmt.percent(lane.accuracy))
            goal = retrained if model != "retrained" else Lane(model)
            self.probes[model].set_value(lane.probe, fmt.percent(lane.probe), goal.probe)
            self.images[model].set_value(*_share(lane, most), _share(goal, most)[0])
        self._say_claim()
        self.show()

    def set_accuracy(self, value: float | None) -> None:
        """Show the accuracy of the model that is being unlearned, as it is now."""
        self.accuracies["unlearned"].setText(fmt.percent(value))

    def set_state(self, sentence: str) -> None:
        """Say where the run is, in the place of the verdict."""
        self.state.setText(sentence)
        self.state.setVisible(self._says_verdict)
        self.verdict.hide()

    def set_verdict(self, sentence: str) -> None:
        """Show the verdict on the unlearned model."""
        new = sentence != self.verdict.text()
        self.verdict.setText(sentence)
        self.verdict.setVisible(self._says_verdict)
        self.state.hide()
        if new and self.isVisible():
            announce(self, sentence)

    def _say_claim(self) -> None:
        head_only = next(lane for lane in self._lanes if lane.model == "head_only")
        holds = contradicted(self._lanes)
        if holds:
            self.claim.setText(tr("Accuracy 0 does not mean forgotten."))
            found = tr(
                "With only its last layer edited, the network names no image of {classes}, and a linear probe finds "
                "{share} of them in its features.",
                classes=self._forgotten, share=fmt.percent(head_only.probe),
            )  # fmt: skip
            self.claim.setToolTip(found)
            self.claim.setAccessibleDescription(found)
        self.claim.setVisible(holds)


class LaneBar(QWidget):
    """A share of a track in the colour of a model, its value in words, and a mark where retraining lies."""

    def __init__(self, model: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._share: float | None = None
        self._goal: float | None = None
        self._words = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_value(self, share: float | None, words: str, goal: float | None = None) -> None:
        """Fill `share` of the track (None: not measured yet), and mark `goal`."""
        self._share, self._words, self._goal = share, words, goal
        self.setAccessibleName(words)
        self.update()

    @property
    def words(self) -> str:
        """The value as it is written."""
        return self._words

    def sizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(BAR_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(100), theme.px(BAR_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        numbers = theme.px(NUMBER_WIDTH)
        height = theme.px(TRACK_HEIGHT)
        top = (self.height() - height) / 2
        track = QRectF(0, top, self.width() - numbers, height)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.brush("sunken"))
        painter.drawRoundedRect(track, height / 2, height / 2)
        if self._share is not None:
            filled = QRectF(track)
            filled.setWidth(max(height, track.width() * min(1.0, self._share)))
            painter.setBrush(theme.brush(self._model))
            painter.drawRoundedRect(filled, height / 2, height / 2)
        if self._goal is not None:
            place = track.left() + track.width() * min(1.0, self._goal)
            painter.setPen(theme.pen("surface", 4))
            ends = (int(place), int(top) - 3, int(place), int(top) + height + 3)
            painter.drawLine(*ends)
            painter.setPen(theme.pen("retrained", 2))
            painter.drawLine(*ends)
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font("table"))
        right = QRect(self.width() - numbers, 0, numbers, self.height())
        painter.drawText(right, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._words)
        painter.end()


_UNLIMITED = 16_777_215  # Qt's largest width: the card says how wide its sentences may be


def _title(model: str) -> str:
    if model == "head_only":
        return tr("Head-only edit")
    return tr("Unlearned") if model == "unlearned" else tr("Retrained")


def _images(lane: Lane) -> int | None:
    return lane.images if lane.images is not None else lane.most_images


def _share(lane: Lane, most: int) -> tuple[float | None, str]:
    """Return a lane's images as a share of the most, and in words: "768", "over 4,096"."""
    images = _images(lane)
    if images is None or not most:
        return None, fmt.count(None)
    number = fmt.count(images)
    return images / most, number if lane.images is not None else tr("over {number}", number=number)
