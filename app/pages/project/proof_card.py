"""The card *Is this your network and your preprocessing?*: what was tried, how it did, and the ways on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.doubts import doubt_words
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.layout import scrolling

if TYPE_CHECKING:
    from core.session.attempts import Attempt, Trial
    from core.session.proof import Proof

TITLE = "Is this your network and your preprocessing?"
SHOWN = 8  # attempts listed
LEAST_ROWS, ROWS_BESIDE, ROW_HEIGHT = 3, 5, 28  # rows without scrolling: alone where room is short, beside the classes


class ProofCard(Card):
    """Hidden until `ask`; signals say what was answered."""

    attempt_chosen = Signal(object)  # Attempt
    accepted = Signal()
    prepare_wanted = Signal()
    network_wanted = Signal()
    match_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(TITLE, parent)
        self._text = Label("", "body", "caution", wrap=True)
        self._text.setMaximumWidth(16_777_215)
        self.body.addWidget(self._text)
        self._rows: list[tuple[ElidedLabel, Label, TextButton]] = []
        self._inside = QWidget()
        self._inside.setProperty("ground", "surface")
        self._area = scrolling(self._inside, "surface")
        self._grid = QGridLayout(self._inside)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(theme.px(t.M))
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(0, 1)
        self._of = caption("")
        self.body.addWidget(self._of)
        self.body.addWidget(self._area, 1)
        self.match_button = SecondaryButton("Match classes…", self.match_wanted.emit)
        accept = SecondaryButton("Go on as it is", self.accepted.emit)
        accept.setToolTip("Use the network and the preprocessing that are open. Asked once for this pair.")
        foot = QHBoxLayout()
        foot.setSpacing(theme.px(t.S))
        foot.addWidget(SecondaryButton("Set preprocessing…", self.prepare_wanted.emit))
        foot.addWidget(SecondaryButton("Choose architecture…", self.network_wanted.emit))
        foot.addWidget(self.match_button)
        foot.addStretch(1)
        foot.addWidget(accept)
        self.body.addLayout(foot)
        self.body.addStretch(0)
        self.hide()

    def ask(self, proof: Proof | None) -> None:
        """Show what is doubtful and what was tried; None hides the card."""
        self.setVisible(proof is not None)
        for widget in (widget for row in self._rows for widget in row):
            self._grid.removeWidget(widget)
            widget.deleteLater()
        self._rows = []
        if proof is None:
            return
        self._text.setText(doubt_words(proof))
        if (trial := proof.trial) is not None:
            for row, attempt in enumerate(listed(trial)):
                self._add(row, attempt, trial)
            self._of.setText(_counted(trial, len(self._rows)))
        self._of.setVisible(trial is not None)
        self._area.setVisible(trial is not None)
        self._area.setMaximumHeight(theme.px(ROW_HEIGHT) * len(self._rows))

    def set_beside(self, beside: bool) -> None:
        """Say whether the card of the classes stands below: it has a button of its own to match them."""
        self.match_button.setVisible(not beside)
        rows = min(len(self._rows), ROWS_BESIDE if beside else LEAST_ROWS)
        self._area.setMinimumHeight(theme.px(ROW_HEIGHT) * rows)

    def text(self) -> str:
        """What is said to be doubtful."""
        return self._text.text()

    def rows(self) -> list[tuple[str, str]]:
        """Each attempt listed, with its accuracy."""
        return [(name.text(), share.text()) for name, share, _ in self._rows]

    def _add(self, row: int, attempt: Attempt, trial: Trial) -> None:
        text = attempt_words(attempt, trial)
        name = ElidedLabel(text)
        name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        part = "" if attempt.shown is not None else f" of {fmt.count(attempt.images)}"
        share = Label(fmt.percent(attempt.accuracy) + part, "body", "" if attempt.rival or not row else "text-2")
        share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        use = TextButton("Use")
        use.setAccessibleName(f"{use.text()}: {text}, {share.text()}")
        use.clicked.connect(partial(self.attempt_chosen.emit, attempt))
        self._rows.append((name, share, use))
        for column, widget in enumerate(self._rows[-1]):
            self._grid.addWidget(widget, row, column)
        self._grid.setRowMinimumHeight(row, theme.px(ROW_HEIGHT))


def listed(trial: Trial) -> list[Attempt]:
    """Return the attempts to be listed: the best, what the images do not tell from it, and of the others the best."""
    return sorted(trial.attempts, key=lambda one: (one is not trial.best, not one.rival))[:SHOWN]


def attempt_words(attempt: Attempt, trial: Trial) -> str:
    """Name an attempt by what sets those listed apart: its network, its preparation, or both."""
    if trial.stated:
        return attempt.network.architecture
    networks = {one.network.architecture for one in listed(trial)}
    return f"{attempt.network.architecture}: {attempt.words}" if len(networks) > 1 else attempt.words


def _counted(trial: Trial, shown: int) -> str:
    """Say what the accuracies are of, and how many more there are."""
    more = len(trial.attempts) - shown
    rest = f"; {fmt.count(more)} worse ones are not listed" if more else ""
    return f"Tried on {fmt.count(trial.images)} training images, and how many were right; the first is open now{rest}:"
