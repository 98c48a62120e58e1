"""The verdict in words, what limits it, the commands on it, and the page's other sentences."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QGridLayout, QMenu, QWidget

from app.models.measure_table import GLYPHS
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import Role, theme
from app.services.tokens import MODELS
from app.services.translation import mark, tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, announce, caption
from app.widgets.layout import STRETCH, column, row
from app.widgets.notices import ProgressLine
from core.events import State
from core.verify.lamps import LAMPS, LIGHTS, lamp_measures, report_lamps

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

NOTHING = mark("Nothing to check yet. Finish or open a run.")
CONTROL = mark(
    "The original with only its classifier head edited: outputs forget, features do not. What it gets as well is no "
    "sign of forgetting."
)
NO_PROOF = mark(
    "These are measurements, not proof. They show what the attacks tried here could find, on this data."
)
CODES = {
    "close": mark("Close to retrained"), "partly": mark("Partly forgotten"),
    "hidden": mark("Hidden, not forgotten"), "not": mark("Not forgotten"), "nothing": mark("Nothing to tell"),
    "no_reference": mark("No retrained model"), "corrected": mark("Corrected"),
    "partly_corrected": mark("Partly corrected"), "not_corrected": mark("Not corrected"),
}  # fmt: skip
CHECKING = mark("Checking. The numbers below come as they are measured.")
NOT_COMPARED = mark("Not compared with a retrained model yet, so there is no verdict.")
SUITES = {
    "quick": (mark("Quick checks"), mark("Outputs, features and a membership attack")),
    "full": (mark("Full checks"),
             mark("The quick ones, more attacks, relearning and rounded weights; trains what these need")),
}  # fmt: skip
FEW = 30  # below, intervals are wide enough to be worth a word


def offer(seconds: float | None) -> str:
    """The offer to train a retrained model, with what it takes."""
    if seconds is None:
        return tr("No retrained model yet. How long training one takes is not known.")
    return tr("No retrained model yet. Training one takes {time}, going by the original's training time.",
              time=fmt.about(seconds))  # fmt: skip


def check_words(check: LiveRun) -> tuple[int, int, str]:
    """How far a check is: done, total (0: not known) and what it does."""
    progress = check.progress
    if check.state is State.QUEUED:
        return 0, 1, tr("Waits for the run under way")
    if check.state is State.STOPPING:
        return 0, 0, tr("Stopping after this step")
    if progress is None:
        return 0, 0, tr("Opening model and data")
    if not progress.total:
        return progress.done, 0, progress.what
    counted = tr("{done} of {total}", done=fmt.count(progress.done), total=fmt.count(progress.total))
    return progress.done, progress.total, f"{progress.what} · {counted}"


def limits(report: dict[str, Any]) -> str:
    """What a verdict must not be read without: how many retrained models, how many images, where they come from."""
    parts, retrained = [], len(report.get("retrained") or {})
    if retrained == 1:
        parts.append(tr("one retrained model: how far two differ was not measured"))
    elif retrained:
        parts.append(tr("compared with %n retrained models", n=retrained))
    recipe = str((report.get("retrained_notes") or {}).get("recipe") or "")
    if recipe.startswith("the preset"):
        parts.append(tr("retrained with a preset, the original's recipe is not known"))
    counts = ((report.get("models") or {}).get("unlearned") or {}).get("counts") or {}
    unseen, forget = counts.get("forget_test"), counts.get("forget_train")
    if unseen and (report.get("dataset") or {}).get("test_origin") == "set aside":
        parts.append(tr("measured on %n forget images the original has seen before", n=unseen))
    elif unseen:
        parts.append(tr("measured on %n unseen forget images", n=unseen))
    elif forget:
        parts.append(tr("measured on the %n images to forget", n=forget))
    if unseen and unseen < FEW:
        parts.append(tr("with so few images intervals are wide"))
    if (report.get("verdict") or {}).get("purpose"):
        parts.append(tr("a retrained model is no yardstick: it keeps what was not found"))
    text = " · ".join(parts)
    return text[:1].upper() + text[1:]


class LampsView(QWidget):
    """Outputs, features and attacks, each as a shape and a word; beneath the same for the head-only edit."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[tuple[str, str], Label] = {}  # by model and lamp
        self._names: dict[str, Label] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, theme.px(t.XS), 0, 0)
        grid.setHorizontalSpacing(theme.px(t.L))
        grid.setVerticalSpacing(theme.px(2))
        grid.setColumnStretch(len(LAMPS) + 1, 1)
        for place, title in enumerate(LAMPS.values(), 1):
            grid.addWidget(caption(title), 0, place)
        for line, model in enumerate(("unlearned", "head_only"), 1):
            looks: tuple[Role, str] = ("body", "") if model == "unlearned" else ("caption", "text-2")
            self._names[model] = Label(MODELS[model].title, *looks)
            grid.addWidget(self._names[model], line, 0)
            for place, lamp in enumerate(LAMPS, 1):
                self.words[model, lamp] = Label("", *looks)
                grid.addWidget(self.words[model, lamp], line, place)

    def set_report(self, report: dict[str, Any]) -> None:
        """Show a report's lamps; hidden where it has none."""
        lamps = report_lamps(report)
        self.setVisible(bool(lamps))
        for model, name in self._names.items():
            name.setVisible(model in lamps)
        for (model, lamp), words in self.words.items():
            words.setVisible(model in lamps)
            if model in lamps:
                light = lamps[model][lamp]
                words.setText(f"{GLYPHS[light]} {LIGHTS[light]}")
                words.setAccessibleName(f"{MODELS[model].title}, {LAMPS[lamp]}: {LIGHTS[light]}")
                words.setToolTip(fmt.plain(lamp_tip(report, lamp)) if model == "unlearned" else tr(CONTROL))


def lamp_tip(report: dict[str, Any], lamp: str) -> str:
    """The measures that count for a lamp, one a line."""
    found = [f"{title[:1].upper()}{title[1:]}: {place}" for title, place in lamp_measures(report, lamp)]
    return "\n".join(found) or tr("No usable measure: on these images chance explains what differs.")


class VerdictCard(Card):
    """One sentence and three lamps; beneath what else must be said, at the right the report and the checks."""

    check_asked = Signal(str)  # "quick" or "full"
    stop_asked = Signal()
    report_asked = Signal()
    save_asked = Signal()
    table_asked = Signal()

    def __init__(self) -> None:
        super().__init__(padding=t.M)
        self.setAccessibleName(tr("Verdict"))
        self.sentence = Label("", "verdict", wide=True)
        self.lamps, self.limits = LampsView(), caption(wide=True)
        self.report_button = SecondaryButton(tr("Report…"))
        menu = QMenu(self.report_button)
        for title, signal in ((tr("Open in the browser"), self.report_asked), (tr("Save as…"), self.save_asked),
                              (tr("Save the table…"), self.table_asked)):  # fmt: skip
            menu.addAction(title).triggered.connect(signal)
        self.report_button.set_menu(menu)
        self.check_button = SecondaryButton(tr("Checks"))
        self.check_button.setAccessibleName(tr("Which checks to run"))
        suites = QMenu(self)
        suites.setToolTipsVisible(True)
        self.suite_actions: dict[str, QAction] = {}
        for which, (title, tip) in SUITES.items():
            action = self.suite_actions[which] = suites.addAction(tr(title))
            action.setToolTip(tr(tip))
            action.triggered.connect(partial(self.check_asked.emit, which))
        self.check_button.set_menu(suites)
        self.stop_button = SecondaryButton(tr("Stop checks"), self.stop_asked.emit)
        self.progress = ProgressLine(tr("Checks"))
        words = column(self.sentence, self.lamps, self.limits, STRETCH, spacing=t.XS)
        buttons = row(self.report_button, self.check_button, self.stop_button)
        self.body.addLayout(row((words, 1), column(STRETCH, buttons), spacing=t.XL))
        self.body.addWidget(self.progress)
        self.show_check(None)

    def show_report(self, report: dict[str, Any], not_compared: bool) -> None:
        """Show the report's verdict; `not_compared`: it has none, although retrained models are on disk."""
        before = self.sentence.text()
        sentence = tr(NOT_COMPARED) if not_compared else str((report.get("verdict") or {}).get("sentence") or "")
        self.sentence.setText(sentence)
        self.lamps.set_report({} if not_compared else report)
        self.limits.setText(limits(report))
        self.limits.setToolTip(tr(NO_PROOF))
        if before and before != sentence:
            announce(self, sentence)

    def show_so_far(self) -> None:
        """Numbers of a check under way are shown, and the verdict is not theirs."""
        self.sentence.setText(tr(CHECKING))
        self.lamps.hide()
        self.limits.setText(tr("The verdict comes with the last of them."))

    def show_check(self, check: LiveRun | None) -> None:
        """Show how far the check is; None: there is none."""
        self.check_button.setVisible(check is None)
        self.stop_button.setVisible(check is not None)
        self.progress.setVisible(check is not None)
        if check is not None:
            self.stop_button.setEnabled(check.state is not State.STOPPING)
            self.progress.set(*check_words(check))
