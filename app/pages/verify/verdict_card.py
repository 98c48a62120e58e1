"""The verdict in words, what limits it, and the two commands on it: the report and the checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.pages.verify.words import NO_PROOF, limits, split_verdict
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.progress import ProgressLine
from core.engine.states import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

_UNLIMITED = 16_777_215  # Qt's largest width: the card, not the sentence, says how wide it may be


class VerdictCard(Card):
    """Sentence at most three lines, limits below, buttons at the right; a progress line while a check runs."""

    check_asked = Signal()
    stop_asked = Signal()
    report_asked = Signal()
    save_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.M)
        self.setAccessibleName("Verdict")
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.XL))
        words = QVBoxLayout()
        words.setSpacing(theme.px(t.XS))
        self.sentence = Label("", "verdict", wrap=True)
        self.suffered = Label("", "body", wrap=True)
        self.limits = caption("", wrap=True)
        for label in (self.sentence, self.suffered, self.limits):
            label.setMaximumWidth(_UNLIMITED)
            words.addWidget(label)
        words.addStretch(1)
        row.addLayout(words, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(t.S))
        self.report_button = SecondaryButton("Report…")
        menu = QMenu(self.report_button)
        menu.addAction("Open in the browser").triggered.connect(self._report)
        menu.addAction("Save as…").triggered.connect(self._save)
        self.report_button.set_menu(menu)
        self.check_button = SecondaryButton("Run checks", self._check)
        self.stop_button = SecondaryButton("Stop checks", self._stop)
        for button in (self.report_button, self.check_button, self.stop_button):
            buttons.addWidget(button)
        side = QVBoxLayout()
        side.addStretch(1)
        side.addLayout(buttons)
        row.addLayout(side)
        self.body.addLayout(row)
        self.progress = ProgressLine("Checks")
        self.body.addWidget(self.progress)
        self.show_check(None)

    def show_report(self, report: dict[str, Any]) -> None:
        """Say what the report says."""
        verdict = report.get("verdict") or {}
        sentence, suffered = split_verdict(str(verdict.get("sentence") or ""))
        self.sentence.setText(sentence)
        self.suffered.setText(suffered)
        self.suffered.setVisible(bool(suffered))
        self.limits.setText(limits(report))
        self.limits.setToolTip(NO_PROOF)

    def show_check(self, check: LiveRun | None) -> None:
        """Show how far the check is; None: there is none."""
        self.check_button.setVisible(check is None)
        self.stop_button.setVisible(check is not None)
        self.progress.setVisible(check is not None)
        if check is None:
            return
        self.stop_button.setEnabled(check.state is not State.STOPPING)
        progress = check.progress
        if check.state is State.QUEUED:
            self.progress.set(0, 1, "Waits for the run under way")
        elif check.state is State.STOPPING:
            self.progress.set(0, 0, "Stopping after this step")
        elif progress is None:
            self.progress.set(0, 0, "Opening model and data")
        else:
            counted = f" · {fmt.count(progress.done)} of {fmt.count(progress.total)}" if progress.total else ""
            self.progress.set(progress.done, progress.total, progress.what + counted)

    def announce_verdict(self) -> None:
        """Have a screen reader say the verdict."""
        announce(self, self.sentence.text())

    def _report(self) -> None:
        self.report_asked.emit()

    def _save(self) -> None:
        self.save_asked.emit()

    def _check(self) -> None:
        self.check_asked.emit()

    def _stop(self) -> None:
        self.stop_asked.emit()
