"""Curves of a report: alignment over all k, eigenspectra, attacks and relearning, a curve a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.pages.verify.verdict_card import QUICK_ONLY
from app.plots.alignment import FLOOR, describe_alignment
from app.plots.base import ThemedPlot
from app.plots.items import MarginLabel
from app.plots.spectrum import EigenvaluePlot
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import tr
from app.widgets.buttons import Segmented
from app.widgets.labels import caption
from app.widgets.notices import EmptyState
from core.verify.plots import describe_attack, describe_relearning
from core.verify.table import NO_ALIGNMENT

Report = Mapping[str, Any]
CURVES = ("original", "unlearned", "retrained")  # a head-only edit has the original's features, bit for bit
_TIMES_K = 5


class ProfilePlot(ThemedPlot):
    """Alignment at k = 1 … C. Labels stand at the value at the k in use, where the dotted line is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Dimensional alignment", "Share of forget features inside the k leading retain directions", parent,
            y_range=(0.0, 1.0), x_title="k", value_format=fmt.alignment,
        )  # fmt: skip
        for key in CURVES:
            self.add_series(key, MODELS[key], SHORT[key]).show_dot = False
        self.add_series("floor", FLOOR, thin=True).show_dot = False
        self._at_k: dict[str, float] = {}
        self._k = 0
        self._k_line = pg.InfiniteLine(angle=90)
        self.item.addItem(self._k_line, ignoreBounds=True)
        self._k_line.hide()
        self.restyle()

    def set_alignments(self, alignments: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Show the alignment of each model, as in a report."""
        self._at_k = {}
        for key in CURVES:
            found = alignments.get(key) or {}
            profile = list(found.get("profile") or ())
            self.set_data(key, range(1, len(profile) + 1), profile)
            if found.get("value") is not None:
                self._at_k[key] = float(found["value"])
        own = alignments.get("unlearned") or alignments.get("original") or {}
        size = len(own.get("profile") or ())
        # A random subspace of k directions holds sqrt(k / C) of a vector's length.
        self.set_data("floor", range(1, size + 1), [(k / size) ** 0.5 for k in range(1, size + 1)])
        k = own.get("k")
        if own.get("floor") is not None:
            self._at_k["floor"] = float(own["floor"])
        self._k = int(k or 0)
        self._k_line.setVisible(k is not None)
        if k is not None:
            self._k_line.setValue(float(k))
            self.set_caption(describe_alignment(int(k), own.get("energy"), bool(own.get("centred"))))

    def restyle(self) -> None:
        super().restyle()
        if hasattr(self, "_k_line"):
            self._k_line.setPen(theme.pen("text_3", 1, (2, 3)))

    def _update_labels(self) -> None:
        labels = []
        for key, value in self._at_k.items():
            series = self.series(key)
            style = series.style
            labels.append(MarginLabel(key, f"{series.title} {fmt.alignment(value)}", value, style.token, style.symbol,
                                      style.filled, style.dash))  # fmt: skip
        self.margin.set_labels(labels)
        self._update_lines()

    def _follow_data(self) -> None:
        size = max((len(self.series(key)) for key in CURVES), default=0)
        # Beyond a few times k all curves are near 1; the rest is a drag or a turn of the wheel away.
        self.view.setXRange(1.0, float(max(min(size, _TIMES_K * self._k or size), 2)), padding=0.02)

    def _describe(self) -> None:
        words = [f"{self.series(key).title.lower()} {fmt.alignment(value)}" for key, value in self._at_k.items()]
        describe(self.canvas, f"at k: {', '.join(words)}. {self.caption()}" if words else "no values yet")


class SpectraTab(QWidget):
    """One panel a set, because the colours are the models'."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.setSpacing(theme.px(t.XS))
        styles = {key: (MODELS[key], SHORT[key]) for key in CURVES}
        titles = {"retain": tr("Retain features"), "forget": tr("Forget features")}
        self.panels = {key: EigenvaluePlot(title, styles) for key, title in titles.items()}
        for panel in self.panels.values():
            column.addWidget(panel, 1)
        words = caption("A head-only edit has the original's features, so it has the original's curves.", wrap=True)
        words.setMaximumWidth(16_777_215)
        column.addWidget(words)

    def set_report(self, report: Report) -> None:
        """Show the spectra of a report's models."""
        models = report.get("models") or {}
        found = {key: (models.get(key) or {}).get("spectra") or {} for key in CURVES}
        for name, panel in self.panels.items():
            ranks = []
            for key, spectra in found.items():
                panel.set_values(key, spectra.get(name) or ())
                if spectra.get(f"{name}_rank") is not None:
                    ranks.append(f"{SHORT[key].lower()} {fmt.decimal(spectra[f'{name}_rank'], 1)}")
            panel.set_caption(tr("effective rank: {ranks}", ranks=", ".join(ranks)) if ranks else "")



ATTACKS = {"rmia": "Reference", "population": "Membership", "population_retain": "On retain"}
ATTACKED = ("original", "head_only", "unlearned", "retrained")
RELEARNED = (*ATTACKED, "fresh")
SHORT = {"original": "Original", "head_only": "Head-only", "unlearned": "Unlearned", "retrained": "Retrained",
         "fresh": "Untrained"}  # fmt: skip
CHANCE = SeriesStyle("chance", "Chance", "text_3", (1, 3), "o", False, "○")
NO_ATTACK = "This report holds no attack. Run checks to see how many forget images can be told apart from unseen ones."
NOT_YET = "The check under way has not come to this yet."
NO_RELEARNING = "This report holds no relearning curves. They are taken of whole classes that have unseen images."
_UNLIMITED = 16_777_215


class RocPlot(ThemedPlot):
    """Forget images identified over false positives; a label at a curve's mean height, which is its AUC."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Attack", "Forget images identified, %", parent, y_range=(0.0, 100.0), x_title="False positives, %"
        )
        for key in ATTACKED:
            self.add_series(key, MODELS[key], SHORT[key]).show_dot = False
        self.add_series("chance", CHANCE, thin=True).show_dot = False
        self.set_data("chance", [0.0, 100.0], [0.0, 100.0])
        self._found: dict[str, Mapping[str, Any]] = {}

    def set_attack(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Show one attack's curves by model, as in a report."""
        self._found = {key: found[key] for key in ATTACKED if (found.get(key) or {}).get("roc")}
        for key in ATTACKED:
            roc = (self._found.get(key) or {}).get("roc") or {"fpr": [], "tpr": []}
            self.set_data(key, [100 * x for x in roc["fpr"]], [100 * y for y in roc["tpr"]])

    def _update_labels(self) -> None:
        labels = []
        for key, taken in self._found.items():
            style, auc = MODELS[key], taken.get("auc")
            if auc is None:
                continue
            tip = f"{style.title}: AUC {fmt.alignment(auc)}"
            if taken.get("low") is not None:
                tip += f", 95 % interval {fmt.alignment(taken['low'])} to {fmt.alignment(taken['high'])}"
            labels.append(MarginLabel(key, f"{SHORT[key]} {fmt.alignment(auc)}", 100 * auc, style.token, style.symbol,
                                      style.filled, style.dash, tip=tip))  # fmt: skip
        self.margin.set_labels(labels)

    def _follow_data(self) -> None:
        self.view.setXRange(0.0, 100.0, padding=0.02)

    def _describe(self) -> None:
        areas = [f"{SHORT[key].lower()} {fmt.alignment(taken.get('auc'))}" for key, taken in self._found.items()]
        describe(self.canvas, f"area under the curve: {', '.join(areas)}" if areas else "no values yet")


class RelearningPlot(ThemedPlot):
    """Accuracy on the forgotten classes while they are learnt again from a few images."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Relearning", "Accuracy on unseen forget images, %", parent, y_range=(0.0, 100.0), x_title="Samples seen"
        )
        for key in RELEARNED:
            self.add_series(key, MODELS[key], SHORT[key])

    def set_curves(self, curves: Mapping[str, Mapping[str, Any]]) -> None:
        """Show the curves by model, as in a report."""
        for key in RELEARNED:
            curve = curves.get(key) or {}
            self.set_data(key, curve.get("samples") or (), [100 * value for value in curve.get("forget") or ()])


class AttackTab(QStackedWidget):
    """A plot with its words below; or one sentence, with the button that gets the plot."""

    full_asked = Signal()

    def __init__(self, plot: ThemedPlot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = plot
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.addWidget(plot, 1)
        self.words = caption("", wrap=True)
        self.words.setMaximumWidth(_UNLIMITED)
        column.addWidget(self.words)
        self.empty = EmptyState("verify", QUICK_ONLY)
        self.addWidget(holder)
        self.addWidget(self.empty)

    def show_missing(self, sentence: str, offer: bool) -> None:
        """Say why there is no plot; `offer` the full checks."""
        self.empty.set(sentence, "Run full checks" if offer else "", self.full_asked.emit)
        self.setCurrentIndex(1)

    def show_plot(self, words: str) -> None:
        """Show the plot and what must be said of it."""
        self.words.setText(words)
        self.setCurrentIndex(0)


class RocTab(AttackTab):
    """The attacks of a report, one at a time."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.roc = RocPlot()
        super().__init__(self.roc, parent)
        self.switch = Segmented(tuple(ATTACKS.items()), "Attack")
        self.switch.changed.connect(self._show)
        self.roc.add_head_widget(self.switch)
        self._report: Report = {}

    def set_report(self, report: Report) -> None:
        """Show a report; the strongest attack it holds comes first."""
        self._report = report
        there = {attack for attack in ATTACKS if self._found(attack)}
        for attack in ATTACKS:
            self.switch.set_enabled(attack, attack in there, "" if attack in there else QUICK_ONLY)
        if not there:
            reasons = [taken.get("reason") for taken in self._taken("population").values() if taken.get("reason")]
            missing = NOT_YET if self._report.get("partial") else NO_ATTACK
            self.show_missing(str(reasons[0]) if reasons else missing, offer=False)
            return
        if self.switch.value() not in there:
            self.switch.set_value(next(attack for attack in ATTACKS if attack in there))
        self._show(self.switch.value())

    def _show(self, attack: str) -> None:
        found = self._found(attack)
        if found:
            self.roc.set_attack(found)
            self.show_plot(describe_attack(found, attack))

    def _taken(self, attack: str) -> dict[str, Mapping[str, Any]]:
        models = self._report.get("models") or {}
        taken = {key: ((models.get(key) or {}).get("membership") or {}).get(attack) for key in ATTACKED}
        return {key: found for key, found in taken.items() if found}

    def _found(self, attack: str) -> dict[str, Mapping[str, Any]]:
        return {key: found for key, found in self._taken(attack).items() if found.get("roc")}


class RelearningTab(AttackTab):
    """The relearning curves of a report with their anchors."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.relearning = RelearningPlot()
        super().__init__(self.relearning, parent)

    def set_report(self, report: Report) -> None:
        """Show a report."""
        models = report.get("models") or {}
        curves = {key: curve for key in RELEARNED if (curve := (models.get(key) or {}).get("relearn"))}
        self.relearning.set_curves(curves)
        if "unlearned" in curves:
            self.show_plot(describe_relearning(report))
        else:
            quick, partial = report.get("suite") != "full", bool(report.get("partial"))
            missing = NOT_YET if partial and not quick else QUICK_ONLY if quick else NO_RELEARNING
            self.show_missing(missing, offer=quick and not partial)


# ---- alignment ---------------------------------------------------------------------------------------------------

GOAL = (
    "Higher: forget features lie more inside the retain space. The goal is the retrained value, not 1. A head-only "
    "edit has the original's features, so it has the original's curve."
)


class AlignmentTab(QStackedWidget):
    """The profile, or the reason why there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = ProfilePlot()
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        column.addWidget(self.plot, 1)
        words = caption(GOAL, wrap=True)
        words.setMaximumWidth(16_777_215)
        column.addWidget(words)
        self.addWidget(holder)
        self.addWidget(EmptyState("verify", NO_ALIGNMENT))

    def set_report(self, report: dict[str, Any]) -> None:
        """Show a report."""
        models = report.get("models") or {}
        found = {key: (models.get(key) or {}).get("dimensional_alignment") for key in models}
        self.setCurrentIndex(0 if found.get("unlearned") else 1)
        self.plot.set_alignments(found)
