"""Before a run: methods, parameters and plan side by side, and the start at the foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLayout,
    QLineEdit,
    QSizePolicy,
    QTabWidget,
    QWidget,
)

from app.pages.unlearn.methods import MethodList
from app.services import format as fmt
from app.services import tokens as t
from app.services.project import UNANSWERED, UNORDERED
from app.services.theme import set_property, set_tone, theme
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.cards import Card, CollapsibleSection
from app.widgets.form import FIELD_WIDTH, LABEL_WIDTH, ParameterForm, add_field, pad_spin_box, show_value
from app.widgets.labels import ElidedLabel, Label, caption, section, separator
from app.widgets.layout import STRETCH, column, form, row, scrolling, widget_of
from app.widgets.terms import Fact, FactTable
from core.errors import AppError
from core.job import Launcher
from core.seeds import parse_seeds

if TYPE_CHECKING:
    from core.devices import DeviceInfo
    from core.methods.base import Method, Preset
    from core.session.planning import Estimate

AUTOMATIC = mark("Automatic")
DEVICES = (("auto", AUTOMATIC),)  # until it is known which there are
PRECISIONS = (("auto", AUTOMATIC), ("float32", mark("32 bit")), ("bfloat16", "bfloat16"), ("float16", "float16"))
LAUNCHERS = (("thread", mark("This window")), ("process", mark("A process of its own")),
             ("torchrun", mark("Several processes")), ("ssh", mark("Another machine")))  # fmt: skip
LAUNCHER_TIPS = {
    "thread": mark("The quickest start. What ends the window ends the run, which can be resumed."),
    "process": mark("Goes on when the window is closed; a crash of either leaves the other standing."),
    "torchrun": mark("Processes that share each step's images, as on a machine with several GPUs: how many?"),
    "ssh": mark("The name of a machine as ssh knows it, and where the program is there, if it is not on its path."),
}
MORE = {"torchrun": "2", "ssh": "me@gpu-server"}  # what is typed, for example
ELSEWHERE = ("cpu", "cuda:0", "cuda:1", "cuda:2", "cuda:3", "mps")  # what another machine may have
START, SEARCH = mark("Start unlearning"), mark("Search settings…")
METHODS_WIDTH, PLAN_WIDTH = (336, 480), (288, 360)  # at least, at most: texts gain from room, fields do not
PARAMETERS_WIDTH, NARROW = 360, 240  # what fields need; what cards do with where the font is large


class ParametersCard(Card):
    """What is set for one method, and for all runs; `edited`: any of it has changed, whoever changed it."""

    edited = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Parameters"), padding=t.M)
        self._presets: Sequence[Preset] = ()
        self._launcher, self._away = "thread", False
        self.notes = Label("", "body", "text-2", wrap=True)
        self.notes.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reason, self.seeds_problem = caption(wrap=True), caption(wrap=True)
        set_tone(self.seeds_problem, "danger")
        policy = QComboBox.SizeAdjustPolicy.AdjustToContents
        self.preset, self.device, self.precision = (QComboBox(sizeAdjustPolicy=policy) for _ in range(3))
        self._devices: Sequence[tuple[str, str]] = DEVICES
        _fill(self.device, DEVICES)
        self.launcher, self.launched_on = QComboBox(sizeAdjustPolicy=policy), QLineEdit()
        _fill(self.launcher, LAUNCHERS)
        self.launched_on.setAccessibleName(tr("Number of processes, or name of the machine"))
        self.launcher_problem = caption(wrap=True)
        set_tone(self.launcher_problem, "danger")
        _fill(self.precision, PRECISIONS)
        self.seeds = QLineEdit("0")
        self.seed_values: tuple[int, ...] = ()  # what is typed means; nothing where it is wrong
        self.seeds.setToolTip(tr('One seed or several: "0", "1-3", "1, 4". Each is a run of its own.'))
        self.budget = QDoubleSpinBox(maximum=50.0, decimals=0, suffix=tr(" % of the time"))
        self.budget.setToolTip(
            tr("Largest share of the time that measuring may take. Less gives fewer points, not another result.")
        )
        pad_spin_box(self.budget)
        self.form = ParameterForm()
        self.fold = CollapsibleSection(tr("Parameters"), strong=True)
        self.fold.body.addWidget(self.form)
        self.reset = TextButton(tr("Reset all"), self.form.reset)
        self.reset.setFixedHeight(theme.px(24))
        self.fold.row.addWidget(self.reset)
        self.search = TextButton(tr(SEARCH))
        self.search.setToolTip(tr("Try settings in short runs and use the best"))
        self.search.setProperty("compact", True)
        self._lay_out()
        for signal in (self.seeds.textChanged, self.device.activated, self.precision.activated,
                       self.launcher.currentIndexChanged, self.launched_on.textChanged,
                       self.budget.valueChanged, self.form.changed):  # fmt: skip
            signal.connect(self._changed)
        self._changed()

    # ---- what is set

    def problems(self) -> list[str]:
        """What is wrong, one sentence each."""
        said = (self.seeds_problem.text(), self.launcher_problem.text(), *self.form.problems())
        return [problem for problem in said if problem]

    def preset_name(self) -> str:
        """Name of the chosen preset; "" where the method has none."""
        return self.preset.currentData() or ""

    def common(self) -> dict[str, Any]:
        """What holds for all runs of the group: device, precision, monitoring budget (0..1) and launcher."""
        return {
            "device": self.device.currentData(), "precision": self.precision.currentData(),
            "monitoring_budget": self.budget.value() / 100, "launcher": self._launcher,
        }  # fmt: skip

    # ---- what is shown

    def show_method(self, method: Method, presets: Sequence[Preset], preset: str) -> None:
        """Build the form of a method with a preset, or the first one; values follow with `show_values`."""
        self.set_title(method.title)
        self._presets = presets
        _fill(self.preset, [(one.name, one.title) for one in presets], preset)
        self.preset.setEnabled(len(presets) > 1)
        self.form.set_parameters(method.parameters)
        self.fold.head.setText(tr("%n parameters", n=len(method.parameters)))
        self.fold.setVisible(bool(method.parameters))
        self.search.setVisible(bool(method.searched))
        self.notes.setText("\n".join(f"• {note}" for note in method.notes))
        self._about.setVisible(bool(method.notes))

    def show_values(self, baseline: Mapping[str, Any], values: Mapping[str, Any] | None = None) -> None:
        """Compare with a preset's values from now on and show them, or `values` over them."""
        self.form.set_baseline(baseline)
        self.form.set_values(values or {})

    def set_devices(self, devices: Sequence[DeviceInfo]) -> None:
        """Offer these devices besides the automatic choice."""
        self._devices = [*DEVICES, *((one.id, one.title) for one in devices)]
        self._offer_devices()

    def set_common(
        self, device: str, budget: float, precision: str = "auto", seeds: str = "", launcher: str = "thread"
    ) -> None:
        """Show what holds for all runs; the budget is 0..1."""
        kind, _, more = launcher.partition(" ")
        show_value(self.launcher, kind)
        self.launched_on.setText(more)
        show_value(self.device, device)
        show_value(self.precision, precision)
        self.budget.setValue(100 * budget)
        self.seeds.setText(seeds or self.seeds.text())
        self._changed()

    # ---- parts

    def _changed(self, *_: object) -> None:
        problem = ""
        try:
            self.seed_values = parse_seeds(self.seeds.text())
        except AppError as error:
            self.seed_values, problem = (), error.text
        self.seeds_problem.say(problem)
        set_property(self.seeds, "invalid", bool(problem))
        self._read_launcher()
        self._update_fold()
        self.edited.emit()

    def _read_launcher(self) -> None:
        """Take in what starts the runs, say what is wrong with it, and offer what can be typed and chosen with it."""
        kind, problem = self.launcher.currentData(), ""
        self.launched_on.setVisible(kind in MORE)
        self.launched_on.setPlaceholderText(MORE.get(kind, ""))
        self.launcher.setToolTip(tr(LAUNCHER_TIPS[kind]))
        try:
            self._launcher = str(Launcher.parse(f"{kind} {self.launched_on.text() if kind in MORE else ''}"))
        except AppError:
            problem = tr(LAUNCHER_TIPS[kind])
        self.launcher_problem.say(problem)
        set_property(self.launched_on, "invalid", bool(problem) and bool(self.launched_on.text()))
        if self._away is not (kind == "ssh"):
            self._away = not self._away
            self._offer_devices()

    def _offer_devices(self) -> None:
        """Offer the devices of this machine, or those that another one may have."""
        away = [*DEVICES, *((name, name) for name in ELSEWHERE)]
        _fill(self.device, away if self._away else self._devices, self.device.currentData())

    def _update_fold(self) -> None:
        """Say what the preset is for and how many values differ from it."""
        self.reason.say(next((one.reason for one in self._presets if one.name == self.preset_name()), ""))
        changed = self.form.changed_names()
        self.reset.setVisible(bool(changed))
        if self.form.problems():
            self.fold.head.setChecked(True)  # what is wrong must be seen
        preset = tr("as the preset sets them") if self._presets else tr("as they are by default")
        self.fold.summary.setText(tr("{number} changed", number=fmt.count(len(changed))) if changed else preset)

    def _lay_out(self) -> None:
        self._about = widget_of(column(separator(), section(tr("About this method")), self.notes))
        below = column(self.reason, (self.search, 0, Qt.AlignmentFlag.AlignLeft), spacing=t.XS)
        inside = column(
            _form((tr("&Preset"), self.preset, below)),
            self.fold,
            separator(),
            _form((tr("S&eeds"), self.seeds, self.seeds_problem),
                  (tr("&Runs in"), self.launcher, self.launched_on, self.launcher_problem),
                  (tr("&Device"), self.device), (tr("Prec&ision"), self.precision),
                  (tr("&Monitoring budget"), self.budget)),
            self._about,
            STRETCH,
            spacing=t.M, margins=(0, 0, t.XS, 0),
        )  # fmt: skip
        self.body.addWidget(scrolling(widget_of(inside), "surface"), 1)


def _fill(box: QComboBox, choices: Sequence[tuple[str, str]], chosen: str = "") -> None:
    """Offer choices (data, title), with one of them or else the first chosen."""
    box.clear()
    for data, title in choices:
        box.addItem(tr(title), data)
    box.setCurrentIndex(max(0, box.findData(chosen)))


def _form(*rows: tuple[str, QWidget, *tuple[QWidget | QLayout, ...]]) -> QFormLayout:
    """Return a form of labels, fields, and what stands below them."""
    made, width = form(), theme.px(FIELD_WIDTH + 24)
    for title, field, *below in rows:
        field.setAccessibleName(title.replace("&", ""))
        field.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        field.setMinimumWidth(width)
        if not isinstance(field, QComboBox):  # a name that is longer gets the room there is
            field.setMaximumWidth(width)
        cell = column(row(field, STRETCH), *below, spacing=2)
        add_field(made, title, widget_of(cell), field).setFixedWidth(theme.px(LABEL_WIDTH))
    return made


FACTS = {"forget": mark("Forget"), "steps": mark("Steps"), "cost": mark("Cost"), "time": mark("Time"),
         "memory": mark("Memory"), "disk": mark("Disk")}  # fmt: skip


class PlanCard(Card):
    """Shows the estimate of the method in view; what is not known yet is said, not guessed."""

    def __init__(self) -> None:
        super().__init__(tr("Plan"), padding=t.M)
        self.facts, self._facts = FactTable(label_width=72), dict[str, Fact]()
        self.problem = Label("", "body", "danger", wrap=True)
        self.lines = Label("", "body", "text-2", wrap=True)
        self._works = section(tr("How it works"))
        inside = column(self.facts, self.problem, self._works, self.lines, STRETCH,
                        spacing=t.M, margins=(0, 0, t.S, 0))  # fmt: skip
        self.body.addWidget(scrolling(widget_of(inside), "surface"), 1)
        self.show_nothing()

    def show_nothing(self) -> None:
        """Nothing to plan yet."""
        self._show_facts(**dict.fromkeys(FACTS, fmt.DASH))
        self._say_how("")
        self.problem.say("")

    def set_forget(self, what: str, whole: str) -> None:
        """How many images are to be forgotten; `whole` says more in the tool tip."""
        self._show_facts(whole, forget=what)

    def show_estimate(self, estimate: Estimate, cost: str, lines: Sequence[str]) -> None:
        """Show the estimate of one run; `cost`: its training beside retraining, in words; `lines` say how it works."""
        size, free = fmt.size(estimate.disk_bytes), estimate.disk_free
        self._show_facts(
            steps=fmt.count(estimate.steps), cost=cost or fmt.DASH,
            time=tr("known once the run before has ended") if estimate.seconds is None
            else fmt.about(estimate.seconds),
            memory=tr("about {size} more", size=fmt.size(estimate.memory_bytes)),
            disk=size if free is None else tr("{size} of {free} free", size=size, free=fmt.size(free)),
        )  # fmt: skip
        self._say_how("\n\n".join(lines))

    def _show_facts(self, hint: str = "", **values: str) -> None:
        self._facts |= {key: Fact(key, tr(FACTS[key]), value, hint) for key, value in values.items()}
        self.facts.show_facts([*self._facts.values()])

    def _say_how(self, text: str) -> None:
        self.lines.say(text)
        self._works.setVisible(bool(text))


class SetupView(QWidget):
    """Methods, parameters and plan side by side; at the foot the start, or what is missing and leads to it."""

    def __init__(self) -> None:
        super().__init__()
        self.methods, self.parameters, self.plan = MethodList(), ParametersCard(), PlanCard()
        self.parameters.setMinimumWidth(theme.px(PARAMETERS_WIDTH))
        self.methods.setMinimumWidth(theme.px(NARROW if theme.large else METHODS_WIDTH[0]))
        self.methods.setMaximumWidth(theme.px(METHODS_WIDTH[1]))
        self.summary, self.missing = ElidedLabel("", "body", "text-2"), Label("", "body", "text-2")
        self.answer, self.back = SecondaryButton(tr("Go to Project")), TextButton(tr("Back to the run"))
        self.answer.hide()
        self.back.hide()
        self.start = PrimaryButton(tr(START))
        self.start.setToolTip(tr("Start unlearning (Ctrl+Return)"))
        if theme.large:  # side by side all three would be cut
            tabs = QTabWidget()
            tabs.setAccessibleName(tr("Parameters and plan"))
            tabs.addTab(self.parameters, tr("Parameters"))
            tabs.addTab(self.plan, tr("Plan"))
            cards = row((self.methods, 4), (tabs, 5), spacing=t.M)
        else:
            self.plan.setMinimumWidth(theme.px(PLAN_WIDTH[0]))
            self.plan.setMaximumWidth(theme.px(PLAN_WIDTH[1]))
            cards = row((self.methods, 4), (self.parameters, 5), (self.plan, 3), spacing=t.M)
        foot = row((self.summary, 1), self.back, self.missing, self.answer, self.start, spacing=t.M)
        column((cards, 1), foot, on=self, spacing=t.M)

    def set_ready(self, reason: str, text: str) -> None:
        """Offer the start, or name beside it what is missing."""
        self.missing.setText(reason)
        self.answer.setVisible(reason in (tr(UNANSWERED), tr(UNORDERED)))
        self.start.setEnabled(not reason)
        self.start.setText(text)
        self.start.setAccessibleDescription(reason)
