"""The verdict in words, what limits it, the commands on it, and the page's other sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Signal
from PySide6.QtGui import QAction, QActionGroup, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QMenu, QWidget

from app.plots.items import draw_symbol
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import announce
from app.services.theme import Role, theme
from app.services.tokens import MODELS
from app.services.translation import tr
from app.widgets.buttons import SecondaryButton
from app.widgets.cards import Card
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, column, row, widget_of
from app.widgets.notices import ProgressLine
from core.events import State
from core.verify.lamps import LAMPS, LIGHTS, found_again, lamp_measures, report_lamps

if TYPE_CHECKING:
    from app.workers.live_run import LiveRun

NOTHING = "Nothing to check yet. Finish or open a run."
CONTROL = (
    "The original with only its classifier head edited: outputs forget, features do not. What it gets as well is no "
    "sign of forgetting."
)
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


def check_words(check: LiveRun) -> tuple[int, int, str]:
    """How far a check is: done, total (0: not known) and what it does."""
    progress = check.progress
    if check.state is State.QUEUED:
        return 0, 1, "Waits for the run under way"
    if check.state is State.STOPPING:
        return 0, 0, "Stopping after this step"
    if progress is None:
        return 0, 0, "Opening model and data"
    counted = f" · {fmt.count(progress.done)} of {fmt.count(progress.total)}" if progress.total else ""
    return progress.done, progress.total, progress.what + counted


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


class LampIcon(QWidget):
    """A lamp's shape: those of the model it is like, a half diamond between them, a dashed ring where none can tell."""

    def __init__(self) -> None:
        super().__init__()
        self._light = "unknown"
        self.setFixedSize(theme.px(14), theme.px(14))
        theme.changed.connect(self.update)

    def set_light(self, light: str) -> None:
        """Show another light."""
        self._light = light
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        centre = QPointF(self.width() / 2, self.height() / 2)
        if self._light in MODELS:
            style = MODELS[self._light]
            draw_symbol(painter, centre, style.symbol, style.token, style.filled, 9.0)
        elif self._light == "between":
            token = MODELS["unlearned"].token
            draw_symbol(painter, centre, "d", token, False, 9.0)
            painter.setClipRect(QRectF(0, 0, centre.x(), self.height()))
            draw_symbol(painter, centre, "d", token, True, 9.0)
        else:
            painter.setPen(theme.pen("text_3", 1.5, (2, 2)))
            painter.drawEllipse(centre, self.width() * 0.32, self.width() * 0.32)
        painter.end()


class LampsView(QWidget):
    """Outputs, features and attacks, each in one word; beneath the same for the head-only edit."""

    def __init__(self) -> None:
        super().__init__()
        self.words: dict[tuple[str, str], Label] = {}  # by model and lamp
        self._rows: dict[str, list[QWidget]] = {"unlearned": [], "head_only": []}
        self._icons: dict[tuple[str, str], LampIcon] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, theme.px(t.XS), 0, 0)
        grid.setHorizontalSpacing(theme.px(t.L))
        grid.setVerticalSpacing(theme.px(2))
        for column_of, title in enumerate(LAMPS.values(), 1):
            grid.addWidget(caption(title), 0, column_of)
        for row_of, (model, widgets) in enumerate(self._rows.items(), 1):
            role: Role = "body" if model == "unlearned" else "caption"
            name = Label(MODELS[model].title, role, "" if role == "body" else "text-2")
            grid.addWidget(name, row_of, 0)
            widgets.append(name)
            for column_of, lamp in enumerate(LAMPS, 1):
                icon, words = LampIcon(), Label("", role, "" if role == "body" else "text-2")
                self._icons[model, lamp], self.words[model, lamp] = icon, words
                cell = widget_of(row(icon, words, STRETCH, spacing=t.XS))
                grid.addWidget(cell, row_of, column_of)
                widgets.append(cell)
        grid.setColumnStretch(len(LAMPS) + 1, 1)

    def set_report(self, report: dict[str, Any]) -> None:
        """Show a report's lamps; hidden where it has none."""
        lamps = report_lamps(report)
        self.setVisible(bool(lamps))
        for model, widgets in self._rows.items():
            for widget in widgets:
                widget.setVisible(model in lamps)
            for lamp, light in lamps.get(model, {}).items():
                self._icons[model, lamp].set_light(light)
                words = self.words[model, lamp]
                words.setText(LIGHTS[light])
                words.setAccessibleName(f"{MODELS[model].title}, {LAMPS[lamp]}: {LIGHTS[light]}")
                words.setToolTip(lamp_tip(report, lamp) if model == "unlearned" else CONTROL)


def lamp_tip(report: dict[str, Any], lamp: str) -> str:
    """The measures that count for a lamp, one a line."""
    found = [f"{title[:1].upper()}{title[1:]}: {place}" for title, place in lamp_measures(report, lamp)]
    return "\n".join(found) or tr("No usable measure: on these images chance explains what differs.")


class VerdictCard(Card):
    """One sentence and three lamps; beneath what else must be said, at the right the report and the checks."""

    check_asked = Signal(str)  # "quick" or "full"
    number_asked = Signal(int)  # of retrained models to compare the result with
    stop_asked = Signal()
    report_asked = Signal()
    save_asked = Signal()
    table_asked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("", parent, padding=t.M)
        self.setAccessibleName("Verdict")
        self.sentence = Label("", "verdict", wrap=True)
        self.found_again = Label("", "body", wrap=True)
        self.suffered = Label("", "body", wrap=True)
        self.lamps = LampsView()
        self.limits = caption("", wrap=True)
        for label in (self.sentence, self.found_again, self.suffered, self.limits):
            label.setMaximumWidth(_UNLIMITED)
        self.report_button = SecondaryButton("Report…")
        menu = QMenu(self.report_button)
        for title, signal in (("Open in the browser", self.report_asked), ("Save as…", self.save_asked),
                              (tr("Save the table…"), self.table_asked)):  # fmt: skip
            menu.addAction(title).triggered.connect(signal)
        self.report_button.set_menu(menu)
        self.check_button = SecondaryButton(tr("Checks"))
        self.check_button.setAccessibleName(tr("Which checks to run"))
        self.check_menu = self._check_menu()
        self.check_button.set_menu(self.check_menu)
        self.stop_button = SecondaryButton("Stop checks", self.stop_asked.emit)
        words = column(self.sentence, self.found_again, self.suffered, self.lamps, self.limits, STRETCH, spacing=t.XS)
        buttons = row(self.report_button, self.check_button, self.stop_button)
        self.body.addLayout(row((words, 1), column(STRETCH, buttons), spacing=t.XL))
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
        again = found_again(report)
        self.found_again.setText(again)
        self.found_again.setVisible(bool(again))
        self.lamps.set_report({} if not_compared else report)
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
        self.progress.set(*check_words(check))

    def show_so_far(self) -> None:
        """Numbers of a check under way are shown, and the verdict is not theirs."""
        self.sentence.setText(CHECKING)
        self.lamps.hide()
        self.found_again.hide()
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

    def _check_menu(self) -> QMenu:
        """Quick or full checks, and how many retrained models to compare with."""
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

