"""The card *Is this your network and your preprocessing?*: what was tried, how it did, and the ways on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.doubts import doubt_words
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton, TextButton
from app.widgets.cards import Card
from app.widgets.labels import ElidedLabel, Label, caption
from app.widgets.layout import STRETCH, add_to, row, scrolling

if TYPE_CHECKING:
    from core.session.attempts import Attempt, Trial
    from core.session.proof import Proof

SHOWN = 8  # attempts listed
LEAST_ROWS, ROW_HEIGHT = 3, 28  # rows without scrolling where room is short


class ProofCard(Card):
    """Hidden until `ask`; signals say what was answered."""

    attempt_chosen = Signal(object)  # Attempt
    accepted = Signal()
    prepare_wanted = Signal()
    network_wanted = Signal()
    match_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Is this your network and your preprocessing?"))
        self.text, self.tried = Label("", "body", "caution", wide=True), caption()
        self.rows: list[tuple[ElidedLabel, Label, TextButton]] = []  # of the attempts listed
        self.area = scrolling(QWidget(), "surface")
        match = SecondaryButton(tr("Match classes…"), self.match_wanted.emit)
        prepare = SecondaryButton(tr("Set preprocessing…"), self.prepare_wanted.emit)
        network = SecondaryButton(tr("Choose architecture…"), self.network_wanted.emit)
        accept = SecondaryButton(tr("Go on as it is"), self.accepted.emit)
        accept.setToolTip(tr("Use the network and the preprocessing that are open. Asked once for this pair."))
        foot = row(prepare, network, match, STRETCH, accept)
        add_to(self.body, self.text, self.tried, (self.area, 1), foot)
        self.body.addStretch(0)
        self.hide()

    def ask(self, proof: Proof | None) -> None:
        """Show what is doubtful and what was tried; None hides the card."""
        self.setVisible(proof is not None)
        self.rows = []
        if proof is None:
            return
        self.text.setText(doubt_words(proof))
        inside = QWidget()
        inside.setProperty("ground", "surface")
        grid = QGridLayout(inside)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.px(t.M))
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(0, 1)
        if (trial := proof.trial) is not None:
            for attempt in listed(trial):
                self._add(grid, attempt, trial)
            self.tried.setText(_counted(trial, len(self.rows)))
        self.area.setWidget(inside)  # and the one before goes
        self.tried.setVisible(trial is not None)
        self.area.setVisible(trial is not None)
        self.area.setMinimumHeight(theme.px(ROW_HEIGHT) * min(len(self.rows), LEAST_ROWS))
        self.area.setMaximumHeight(theme.px(ROW_HEIGHT) * len(self.rows))

    def _add(self, grid: QGridLayout, attempt: Attempt, trial: Trial) -> None:
        number, text, right = len(self.rows), attempt_words(attempt, trial), fmt.percent(attempt.accuracy)
        if attempt.shown is None:
            right = tr("{share} of {images}", share=right, images=fmt.count(attempt.images))
        name, share = ElidedLabel(text), Label(right, "body", "" if attempt.rival or not number else "text-2")
        name.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        use = TextButton(tr("Use"), partial(self.attempt_chosen.emit, attempt))
        use.setAccessibleName(f"{use.text()}: {text}, {right}")
        self.rows.append((name, share, use))
        for place, widget in enumerate(self.rows[-1]):
            grid.addWidget(widget, number, place)
        grid.setRowMinimumHeight(number, theme.px(ROW_HEIGHT))


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
    images, more = fmt.count(trial.images), len(trial.attempts) - shown
    if not more:
        return tr("Tried on {images} training images, and how many were right; the first is open now:", images=images)
    return tr("Tried on {images} training images, and how many were right; the first is open now, and %n worse ones "
              "are not listed:", n=more, images=images)  # fmt: skip
