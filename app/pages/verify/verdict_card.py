"""The verdict in words, what limits it, the commands on it, and the page's other sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import theme
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.notices import ProgressLine
from core.events import State

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

NOTHING = "Nothing to check yet. Finish or open a run."
NO_PROOF = "These are measurements, not proof. They show what the attacks tried here could find, on this data."
SUFFERED = " The rest suffered:"
CODES = {
    "close": "Close to retrained",
    "partly": "Partly forgotten",
    "hidden": "Hidden, not forgotten",
    "not": "Not forgotten",
    "nothing": "Nothing to tell",
    "no_reference": "No retrained model yet",
}
CHECKING = "Checking. The numbers below come as they are measured."
CHECKING_LIMITS = "The verdict comes with the last of them."
QUICK_ONLY = "Needs full checks."
NOT_YET = "Not compared yet"
NOT_COMPARED = "Not compared with a retrained model yet, so there is no verdict."
FEW = 30  # below, intervals are wide enough to be worth a word


def offer(seconds: float | None, trained: int = 0) -> str:
    """The offer to train a retrained model, with what it takes, or to take those that were trained before."""
    if trained:
        are, them = ("is", "it") if trained == 1 else ("are", "them")
        models = fmt.plural(trained, "retrained model")
        return f"{models} {are} on disk, and this result was not compared with {them} yet."
    if seconds is None:
        return "No retrained model yet. How long training one takes is not known."
    return f"No retrained model yet. Training one takes {fmt.about(seconds)}, going by the original's training time."


def to_train(number: int, missing: int, seconds: float | None) -> str:
    """A choice of how many retrained models, with how many of them must be trained first and how long that takes."""
    words = fmt.plural(number, "retrained model")
    if not missing:
        return f"{words} · trained"
    left = "to train" if missing == number else f"{fmt.count(missing)} to train"
    return f"{words} · {left}" + (f", {fmt.about(missing * seconds)}" if seconds is not None else "")


def split_verdict(sentence: str) -> tuple[str, str]:
    """Part the verdict from what it says about the rest, so that each has its own line."""
    head, found, tail = sentence.partition(SUFFERED)
    return head, (SUFFERED + tail).strip() if found else ""


def limits(report: dict[str, Any]) -> str:
    """What a verdict must not be read without: how many retrained models, how many images, where they come from."""
    parts = []
    retrained = report.get("retrained") or {}
    if len(retrained) == 1:
        parts.append("One retrained model: how far two differ was not measured")
    elif retrained:
        parts.append(f"Compared with {len(retrained)} retrained models")
    recipe = str((report.get("retrained_notes") or {}).get("recipe") or "")
    if recipe.startswith("the preset"):
        parts.append("retrained with a preset, the original's recipe is not known")
    counts = ((report.get("models") or {}).get("unlearned") or {}).get("counts") or {}
    unseen, forget = counts.get("forget_test"), counts.get("forget_train")
    seen_before = (report.get("dataset") or {}).get("test_origin") == "set aside"
    kind = "forget images the original has seen before" if seen_before else "unseen forget images"
    if unseen:
        few = ", which is few" if unseen < FEW else ""
        parts.append(f"measured on {fmt.count(unseen)} {kind}{few}")
    elif forget:
        parts.append(f"measured on the {fmt.images(forget)} to forget")
    text = " · ".join(parts)
    return text[:1].upper() + text[1:]


SUITES = {
    "quick": ("Quick checks", "Outputs, features and a membership attack"),
    "full": ("Full checks", "The quick ones, relearning, and prototype and reference attacks; trains what these need"),
}
NUMBERS = (1, 2, 3, 5)  # of retrained models; from two on one knows how far they differ
_UNLIMITED = 16_777_215  # Qt's largest width: the card, not the sentence, says how wide it may be


class VerdictCard(Card):
    """Sentence at most three lines, limits below, buttons at the right; a progress line while a check runs."""

    check_asked = Signal(str)  # "quick" or "full"
    number_asked = Signal(int)  # of retrained models to hold the result against
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
        self.check_button = SecondaryButton("Run checks")
        self.check_menu = self._check_menu()
        self.check_button.set_menu(self.check_menu)
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

    def show_report(self, report: dict[str, Any], not_compared: bool = False) -> None:
        """Show the report's verdict; `not_compared`: it has none, although retrained models are on disk."""
        verdict = report.get("verdict") or {}
        sentence, suffered = split_verdict(NOT_COMPARED if not_compared else str(verdict.get("sentence") or ""))
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

    def show_so_far(self) -> None:
        """Numbers of a check under way are shown, and the verdict is not theirs."""
        self.sentence.setText(CHECKING)
        self.suffered.hide()
        self.limits.setText(CHECKING_LIMITS)

    def show_wanted(self, seeds: set[int], trained: tuple[int, ...], seconds: float | None) -> None:
        """Say in the menu what each number of retrained models takes."""
        for number, action in self.number_actions.items():
            chosen = set(range(1, number + 1))
            action.setChecked(seeds == chosen)
            action.setText(to_train(number, len(chosen - set(trained)), seconds))

    def announce_verdict(self) -> None:
        """Have a screen reader say the verdict."""
        announce(self, self.sentence.text())

    def _report(self) -> None:
        self.report_asked.emit()

    def _save(self) -> None:
        self.save_asked.emit()

    def _check_menu(self) -> QMenu:
        """Quick or full, and against how many retrained models."""
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        self.suite_actions: dict[str, QAction] = {}
        for which, (title, tip) in SUITES.items():
            action = menu.addAction(title)
            action.setToolTip(tip)
            action.setData(which)
            action.triggered.connect(self._check)
            self.suite_actions[which] = action
        menu.addSection("Compared with")
        group = QActionGroup(menu)
        group.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)  # seeds may be ticked singly, too
        self.number_actions: dict[int, QAction] = {}
        for number in NUMBERS:
            action = menu.addAction(fmt.plural(number, "retrained model"))
            action.setCheckable(True)
            action.setData(number)
            action.triggered.connect(self._number)
            group.addAction(action)
            self.number_actions[number] = action
        return menu

    def _check(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.check_asked.emit(str(action.data()))

    def _number(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.number_asked.emit(int(action.data()))

    def _stop(self) -> None:
        self.stop_asked.emit()
