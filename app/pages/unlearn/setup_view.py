"""Before a run: methods, parameters and plan side by side, and the start at the foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QTabWidget,
    QWidget,
)

from app.pages.unlearn.methods import MethodList
from app.services import format as fmt
from app.services import tokens as t
from app.services.doubts import UNANSWERED, UNORDERED
from app.services.theme import set_property, set_tone, theme
from app.services.translation import tr
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.cards import Card, CollapsibleSection
from app.widgets.form import FIELD_WIDTH, LABEL_WIDTH, ParameterForm, pad_spin_box
from app.widgets.labels import ElidedLabel, Label, section, separator
from app.widgets.layout import STRETCH, column, form, row, scrolling, widget_of
from app.widgets.terms import FactTable, heading
from core.errors import AppError
from core.seeds import parse_seeds

if TYPE_CHECKING:
    from core.methods.base import Method, Preset
    from core.session.planning import Estimate

FEW = 12  # so many parameters are shown under all their headings at once; of more, the first heading's
CHANGES_SHOWN = 4
PRECISIONS = (("auto", "Automatic"), ("float32", "32 bit"), ("bfloat16", "bfloat16"), ("float16", "float16"))


class ParametersCard(Card):
    """`edited`: a value changed. `preset_chosen` carries the preset's name; values come in with `show_values`."""

    edited = Signal()
    preset_chosen = Signal(str)
    search_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Parameters", parent, padding=t.M)
        self._quiet = False
        self._presets: Sequence[Preset] = ()
        self.summary = Label("", "body", "text-2", wrap=True)
        self.preset = QComboBox()
        self.reason = Label("", "caption", "text-2", wrap=True)
        self.seeds = QLineEdit("0")
        self.seeds.setToolTip('One seed or several: "0", "1-3", "1, 4". Each is a run of its own.')
        self._seeds_problem = Label("", "caption", "danger", wrap=True)
        self._seeds_problem.hide()
        self.device = QComboBox()
        self.device.addItem("Automatic", "auto")
        self._wanted_device = "auto"  # also before it is known what devices there are
        self.precision = QComboBox()
        for key, title in PRECISIONS:
            self.precision.addItem(title, key)
        self.budget = QDoubleSpinBox()
        self.budget.setRange(0.0, 50.0)
        self.budget.setDecimals(0)
        self.budget.setSuffix(" % of the time")
        pad_spin_box(self.budget)
        self.budget.setToolTip("Largest share of the time spent on measuring. Less gives fewer points, not another "
                               "result.")  # fmt: skip
        self.form = ParameterForm()
        self.fold = CollapsibleSection("Parameters", strong=True)
        self.fold.body.addWidget(self.form)
        self.fold.toggled.connect(self._update)
        self.changes = Label("", "caption", "text-2", wrap=True)
        self.citation = Label("", "body", "text-2", wrap=True)
        self.notes = Label("", "body", "text-2", wrap=True)
        for label in (self.citation, self.notes):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reset = TextButton("Reset all", self._reset_all)
        self.reset.setFixedHeight(theme.px(24))
        self.fold.add_action(self.reset)
        self.search = TextButton("Search settings…", self.search_wanted.emit)
        self.search.setToolTip("Try settings in short runs and use the best")
        self.search.setProperty("compact", True)
        self._lay_out()
        self.preset.activated.connect(self._preset_activated)
        self.seeds.textChanged.connect(self._edited)
        self.device.activated.connect(self._device_activated)
        self.precision.activated.connect(self._edited)
        self.budget.valueChanged.connect(self._edited)
        self.form.changed.connect(self._edited)
        self._update()

    # ---- what is set

    def parsed_seeds(self) -> tuple[int, ...]:
        """The seeds typed; raises UsageError for a text that is none."""
        return parse_seeds(self.seeds.text())

    def problems(self) -> list[str]:
        """What is wrong, one sentence each."""
        found = list(self.form.problems())
        if self._seeds_problem.text():
            found.insert(0, self._seeds_problem.text())
        return found

    def values(self) -> dict[str, Any]:
        """All values of the form that are right."""
        return dict(self.form.values())

    def preset_name(self) -> str:
        """Name of the chosen preset; "" where the method has none."""
        return self.preset.currentData() or ""

    def common(self) -> dict[str, Any]:
        """What holds for all runs of the group: device, precision, monitoring budget (0..1)."""
        return {
            "device": self.device.currentData(), "precision": self.precision.currentData(),
            "monitoring_budget": self.budget.value() / 100,
        }  # fmt: skip

    # ---- what is shown

    def show_method(self, method: Method, presets: Sequence[Preset], preset: str) -> None:
        """Build the form of a method; values follow with `show_values`."""
        self._quiet = True
        self.set_title(method.title)
        self._presets = presets
        self.preset.clear()
        for one in presets:
            self.preset.addItem(one.title, one.name)
        self.preset.setEnabled(len(presets) > 1)
        self.preset.setCurrentIndex(max(0, self.preset.findData(preset)))
        groups = tuple(dict.fromkeys(parameter.group for parameter in method.parameters))
        self.form.set_parameters(method.parameters, groups if len(method.parameters) <= FEW else groups[:1])
        self.fold.set_title(fmt.plural(len(method.parameters), "parameter"))
        self.fold.setVisible(bool(method.parameters))
        self.search.setVisible(bool(method.searched))
        self.summary.setText(method.summary)
        self.citation.setText(method.citation)
        self.notes.setText("\n".join(f"• {note}" for note in method.notes))
        self.citation.setVisible(bool(method.citation))
        self.notes.setVisible(bool(method.notes))
        self._about.setVisible(bool(method.citation or method.notes))
        self._quiet = False
        self._update()

    def show_values(self, baseline: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> None:
        """Compare with a preset's values from now on and show them, or `values` over them."""
        self._quiet = True
        self.form.set_baseline(baseline)
        if values:
            self.form.set_values(values)
        self._quiet = False
        self._update()

    def set_devices(self, devices: Sequence[tuple[str, str]]) -> None:
        """Offer these devices (id, title) besides the automatic choice."""
        self.device.clear()
        self.device.addItem("Automatic", "auto")
        for key, title in devices:
            self.device.addItem(title, key)
        self._show_device(self._wanted_device)

    def set_common(self, device: str, budget: float, precision: str = "auto", seeds: str = "") -> None:
        """Show what holds for all runs; the budget is 0..1."""
        self._quiet = True
        self._show_device(device)
        self.precision.setCurrentIndex(max(0, self.precision.findData(precision)))
        self.budget.setValue(100 * budget)
        if seeds:
            self.seeds.setText(seeds)
        self._quiet = False
        self._update()

    # ---- parts

    def _show_device(self, device: str) -> None:
        self._wanted_device = device
        self.device.setCurrentIndex(max(0, self.device.findData(device)))

    def _device_activated(self, _index: int) -> None:
        self._wanted_device = self.device.currentData()
        self._edited()

    def _preset_activated(self, _index: int) -> None:
        self._update()
        self.preset_chosen.emit(self.preset_name())

    def _reset_all(self) -> None:
        self.form.reset()

    def _edited(self, *_: object) -> None:
        if not self._quiet:
            self._update()
            self.edited.emit()

    def _update_fold(self) -> None:
        """Say beside the fold how many values differ from the preset, and below it which, while it is folded."""
        changed, wrong = self.form.changed_names(), self.form.problems()
        self.reset.setVisible(bool(changed))
        if wrong and not self.fold.is_open():
            self.fold.set_open(True)  # what is wrong must be seen
        preset = "as the preset sets them" if self._presets else "as they are by default"
        self.fold.set_summary(f"{fmt.count(len(changed))} changed" if changed else preset)
        values = self.form.values()
        right = [name for name in changed if name in values]
        shown = [f"{self.form.row(name).parameter.label} {_written(values[name])}" for name in right[:CHANGES_SHOWN]]
        more = [f"{len(changed) - len(shown)} more"] if len(changed) > len(shown) else []
        self.changes.setText(f"Changed: {', '.join([*shown, *more])}")
        self.changes.setVisible(bool(changed) and not self.fold.is_open())

    def _update(self, *_: object) -> None:
        preset = next((p for p in self._presets if p.name == self.preset_name()), None)
        self.reason.setText(preset.reason if preset else "")
        self.reason.setVisible(bool(self.reason.text()))
        self._update_fold()
        problem = ""
        try:
            self.parsed_seeds()
        except AppError as error:
            problem = error.text
        self._seeds_problem.setText(problem)
        self._seeds_problem.setVisible(bool(problem))
        set_property(self.seeds, "invalid", bool(problem))
        set_tone(self._seeds_problem, "danger")

    def _lay_out(self) -> None:
        inside = QWidget()
        inside.setProperty("ground", "surface")
        about = (separator(), section("About this method"), self.citation, self.notes)
        self._about = widget_of(column(*about))
        below = (self.reason, (self.search, 0, Qt.AlignmentFlag.AlignLeft))
        column(
            self.summary,
            self._form([("&Preset", self.preset, widget_of(column(*below, spacing=t.XS)))]),
            widget_of(column(self.fold, self.changes, spacing=t.XS)),
            separator(),
            self._form([
                ("S&eeds", self.seeds, self._seeds_problem), ("&Device", self.device, None),
                ("Prec&ision", self.precision, None), ("&Monitoring budget", self.budget, None),
            ]),
            self._about,
            STRETCH,
            on=inside, spacing=t.M, margins=(0, 0, t.XS, 0),
        )  # fmt: skip
        self.body.addWidget(scrolling(inside, "surface"), 1)

    @staticmethod
    def _form(rows: Sequence[tuple[str, QWidget, QWidget | None]]) -> QFormLayout:
        made = form()
        for title, field, below in rows:
            label = Label(title, "body", "text-2")
            label.setFixedSize(theme.px(LABEL_WIDTH), theme.px(t.CONTROL_HEIGHT))
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            label.setBuddy(field)
            field.setAccessibleName(title.replace("&", ""))
            width = theme.px(FIELD_WIDTH + 24)
            if isinstance(field, QComboBox):  # a name that is longer gets the room there is
                field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
                field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
                field.setMinimumWidth(width)
            else:
                field.setFixedWidth(width)
            cell = column(row(field, STRETCH), *([below] if below is not None else []), spacing=2)
            made.addRow(label, widget_of(cell))
        return made


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


ROWS = (("forget", "Forget"), ("steps", "Steps"), ("cost", "Cost"), ("time", "Time"), ("memory", "Memory"),
        ("disk", "Disk"))  # fmt: skip


class PlanCard(Card):
    """Shows the estimate of the method in view; what is not known yet is said, not guessed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Plan", parent, padding=t.M)
        inside = QWidget()
        inside.setProperty("ground", "surface")
        self.facts = FactTable(label_width=72)
        self._before, self._what = heading("Earlier requests"), section("How it works")
        self._against = section("Compared with")
        self.problem = Label("", "body", "danger", wrap=True)
        self.problem.hide()
        self.earlier, self.lines, self.references = (Label("", "body", "text-2", wrap=True) for _ in range(3))
        parts = (self.facts, self._before, self.earlier, self.problem, self._what, self.lines, self._against,
                 self.references, STRETCH)  # fmt: skip
        column(*parts, on=inside, spacing=t.M, margins=(0, 0, t.S, 0))
        self.body.addWidget(scrolling(inside, "surface"), 1)
        self.show_nothing()

    def show_nothing(self) -> None:
        """Nothing to plan yet."""
        for key, label in ROWS:
            self.facts.set(key, label, fmt.DASH)
        self._say_lines(())
        self.set_earlier(())
        self.set_problem("")

    def set_forget(self, what: str, whole: str) -> None:
        """How many images are to be forgotten; `whole` says more in the tool tip."""
        self.facts.set("forget", "Forget", what, hint=whole)

    def show_estimate(self, estimate: Estimate, cost: str, lines: Sequence[str]) -> None:
        """Show the estimate of one run; `cost` is its training beside retraining, in words."""
        self.facts.set("steps", "Steps", fmt.count(estimate.steps))
        self.facts.set("cost", "Cost", cost or fmt.DASH)
        time = fmt.about(estimate.seconds) if estimate.seconds is not None else "known after the run before"
        self.facts.set("time", "Time", time)
        self.facts.set("memory", "Memory", f"about {fmt.size(estimate.memory_bytes)} more")
        free = f" of {fmt.size(estimate.disk_free)} free" if estimate.disk_free is not None else ""
        self.facts.set("disk", "Disk", f"{fmt.size(estimate.disk_bytes)}{free}")
        self._say_lines(lines)

    def set_earlier(self, lines: Sequence[str]) -> None:
        """The requests of a chain that the model comes from, this one last; () where it is an original."""
        self.earlier.setText("\n".join(lines))
        for widget in (self._before, self.earlier):
            widget.setVisible(bool(lines))

    def set_references(self, sentence: str) -> None:
        """What the result will be compared with."""
        self.references.setText(sentence)
        self._against.setVisible(bool(sentence))

    def set_problem(self, sentence: str) -> None:
        """Why there is no estimate, or what stands against the start."""
        self.problem.setText(sentence)
        self.problem.setVisible(bool(sentence))
        set_tone(self.problem, "danger")

    def _say_lines(self, lines: Sequence[str]) -> None:
        self.lines.setText("\n\n".join(lines))
        self.lines.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._what.setVisible(bool(lines))
        self.lines.setVisible(bool(lines))


METHODS_WIDTH, PLAN_WIDTH = (336, 480), (288, 360)  # at least, at most: texts gain from room, fields do not
PARAMETERS_WIDTH, NARROW = 360, 240  # what fields need; what cards do with where the font is large


class SetupView(QWidget):
    """`start_wanted`: the button, or a card that is opened. `answer_wanted` leads to what must be answered first."""

    start_wanted = Signal()
    answer_wanted = Signal()
    back_wanted = Signal()  # to the run that is still there

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.methods = MethodList()
        self.parameters = ParametersCard()
        self.plan = PlanCard()
        self.parameters.setMinimumWidth(theme.px(PARAMETERS_WIDTH))
        large = theme.large
        least, most = METHODS_WIDTH
        self.methods.setMinimumWidth(theme.px(NARROW if large else least))
        self.methods.setMaximumWidth(theme.px(most))
        self.summary = ElidedLabel("", "body", "text-2")
        self.missing = Label("", "body", "text-2")
        self.answer = SecondaryButton("Go to Project", self.answer_wanted.emit)
        self.answer.hide()
        self.back = TextButton(tr("Back to the run"), self.back_wanted.emit)
        self.back.hide()
        self.start = PrimaryButton("Start unlearning", self.start_wanted.emit)
        self.start.setToolTip("Start unlearning (Ctrl+Return)")
        cards = row(spacing=t.M)
        cards.addWidget(self.methods, 4)
        if large:  # side by side all three would be cut
            tabs = QTabWidget()
            tabs.setAccessibleName("Parameters and plan")
            tabs.addTab(self.parameters, "Parameters")
            tabs.addTab(self.plan, "Plan")
            cards.addWidget(tabs, 5)
        else:
            self.plan.setMinimumWidth(theme.px(PLAN_WIDTH[0]))
            self.plan.setMaximumWidth(theme.px(PLAN_WIDTH[1]))
            cards.addWidget(self.parameters, 5)
            cards.addWidget(self.plan, 3)
        foot = row((self.summary, 1), self.back, self.missing, self.answer, self.start, spacing=t.M)
        column((cards, 1), foot, on=self, spacing=t.M)

    def set_ready(self, reason: str, text: str = "Start unlearning") -> None:
        """Offer the start, or name beside it what is missing."""
        self.missing.setText(reason)
        self.answer.setVisible(reason in (UNANSWERED, UNORDERED))
        self.start.setEnabled(not reason)
        self.start.setText(text)
        self.start.setAccessibleDescription(reason)
