"""Curves of a report: alignment over all k, eigenspectra, attacks and relearning, a curve a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyqtgraph as pg

from app.pages.verify.plots_panel import CURVES, QUICK_ONLY, SAME_CURVE, Tab
from app.plots.base import ThemedPlot
from app.plots.curves import FLOOR, describe_alignment
from app.plots.features import EigenvaluePlot
from app.plots.items import MarginLabel
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import MODELS, SeriesStyle
from app.services.translation import inside, mark, tr
from app.widgets.buttons import Segmented
from app.widgets.layout import column, scrolling, widget_of
from core.verify.plots import describe_attack, describe_relearning
from core.verify.table import NO_ALIGNMENT, model_measures

Report = Mapping[str, Any]
ATTACKS = {  # the strongest first
    "sample_vulnerable": mark("Vulnerable"), "rmia": mark("Reference"), "population": mark("Membership"),
    "population_retain": mark("On retain"),
}  # fmt: skip
ATTACKED = ("original", "head_only", "unlearned", "retrained")
RELEARNED = (*ATTACKED, "fresh")
LEAST_SPECTRUM = 160  # height of a panel of eigenvalues whose words and axis do not lie on each other; less scrolls
CHANCE = SeriesStyle("chance", "Chance", "text_3", (1, 3), "o", False, "○")
OF_SEVERAL = mark("Of the retrained models the first is drawn.")
GOAL = mark("Higher: forget features lie more inside the retain space. The goal is the retrained value, not 1.")
NO_ATTACK = mark(
    "This report holds no attack. Run checks to see how many forget images can be told apart from unseen ones."
)
NOT_YET = mark("The check under way has not come to this yet.")
NO_RELEARNING = mark(
    "This report holds no relearning curves. They are taken of whole classes that have unseen images."
)
AT_K = mark("At k: {values}. {caption}")
AREA = mark("Area under the curve: {values}")
_TIMES_K = 5


class LabelledCurves(ThemedPlot):
    """Curves whose names stand at a value of their own, not at their ends.

    `says` is what is said of them, with their {values} and the {caption}; `most` the largest value on the axis.
    """

    def __init__(
        self, title: str, y_title: str, keys: Sequence[str], says: str, most: float = 1.0, **axes: Any
    ) -> None:
        super().__init__(title, y_title, y_range=(0.0, most), **axes)
        self._says, self._most = says, most
        self.values: dict[str, float] = {}  # by curve, as shares of the axis
        for key in keys:
            self.add_series(key, MODELS[key], MODELS[key].short).show_dot = False

    def _update_labels(self) -> None:
        labels = []
        for key, value in self.values.items():
            series = self.series(key)
            labels.append(MarginLabel(
                key, f"{series.title} {fmt.alignment(value)}", self._most * value, series.style
            ))  # fmt: skip
        self.margin.set_labels(labels)

    def _description(self) -> str:
        words = [f"{self.series(key).title} {fmt.alignment(value)}" for key, value in self.values.items()]
        return tr(self._says, values=", ".join(words), caption=self.caption()) if words else ""


class ProfilePlot(LabelledCurves):
    """Alignment at k = 1 … C. Labels stand at the value at the k in use, where the dotted line is."""

    def __init__(self) -> None:
        super().__init__(
            tr("Dimensional alignment"), tr("Share of forget features inside the k leading retain directions"), CURVES,
            AT_K, x_title="k", value_format=fmt.alignment,
        )  # fmt: skip
        self.add_series("floor", FLOOR, thin=True).show_dot = False
        self._k = 0
        self._k_line = pg.InfiniteLine(angle=90)
        self.item.addItem(self._k_line, ignoreBounds=True)
        self._k_line.hide()

    def set_alignments(self, alignments: Mapping[str, Mapping[str, Any] | None]) -> None:
        """Show the alignment of each model, as in a report."""
        known = {key: alignments.get(key) or {} for key in CURVES}
        own = known["unlearned"] or known["original"]
        for key, found in known.items():
            profile = found.get("profile") or ()
            self.set_data(key, range(1, len(profile) + 1), profile)
        ks = range(1, len(own.get("profile") or ()) + 1)
        # A random subspace of k directions holds sqrt(k / C) of a vector's length.
        self.set_data("floor", ks, [(k / len(ks)) ** 0.5 for k in ks])
        values = {key: found.get("value") for key, found in known.items()} | {"floor": own.get("floor")}
        self.values = {key: value for key, value in values.items() if value is not None}
        self._k = own.get("k") or 0
        self._k_line.setVisible(bool(self._k))
        self._k_line.setValue(self._k)
        if self._k:
            self.set_caption(describe_alignment(self._k, own.get("energy"), bool(own.get("centred"))))

    def restyle(self) -> None:
        super().restyle()
        self._k_line.setPen(theme.pen("text_3", 1, (2, 3)))

    def _follow_data(self) -> None:
        size = max((len(self.series(key)) for key in CURVES), default=0)
        # Beyond a few times k all curves are near 1; the rest is a drag or a turn of the wheel away.
        self.view.setXRange(1.0, float(max(min(size, _TIMES_K * self._k or size), 2)), padding=0.02)


def same_curve(report: Report) -> str:
    """Say which models have no curve of their own: a head-only edit, and all retrained ones but the first."""
    several = len(report.get("retrained") or ()) > 1  # the table has their mean
    return f"{tr(SAME_CURVE)} {tr(OF_SEVERAL)}" if several else tr(SAME_CURVE)


class AlignmentTab(Tab):
    """The profile, or the reason why there is none."""

    def __init__(self) -> None:
        self.plot = ProfilePlot()
        super().__init__((self.plot, 1), missing=NO_ALIGNMENT)

    def set_report(self, report: Report) -> None:
        """Show a report."""
        found = {key: model_measures(report, key).get("dimensional_alignment") for key in CURVES}
        self.plot.set_alignments(found)
        self.show_content(f"{tr(GOAL)} {same_curve(report)}")
        if not found["unlearned"]:
            self.show_missing(NO_ALIGNMENT)


class SpectraTab(Tab):
    """One panel a set, because the colours are the models'."""

    def __init__(self) -> None:
        styles = [MODELS[key] for key in CURVES]
        titles = {"retain": tr("Retain features"), "forget": tr("Forget features")}
        self.panels = {key: EigenvaluePlot(title, styles) for key, title in titles.items()}
        for panel in self.panels.values():
            panel.setMinimumHeight(theme.px(LEAST_SPECTRUM))
        both = widget_of(column(*((panel, 1) for panel in self.panels.values()), spacing=t.XS))
        super().__init__((scrolling(both, "surface"), 1))

    def set_report(self, report: Report) -> None:
        """Show the spectra of a report's models."""
        self.show_content(same_curve(report))
        for name, panel in self.panels.items():
            ranks = []
            for key in CURVES:
                spectra = model_measures(report, key).get("spectra") or {}
                panel.set_values(key, spectra.get(name) or ())
                if (rank := spectra.get(f"{name}_rank")) is not None:
                    ranks.append(f"{inside(MODELS[key].short)} {fmt.decimal(rank, 1)}")
            panel.set_caption(tr("effective rank: {ranks}", ranks=", ".join(ranks)) if ranks else "")


class RocTab(Tab):
    """The attacks of a report, one at a time: forget images identified over false positives.

    A curve's name stands at its mean height, which is its AUC.
    """

    def __init__(self) -> None:
        self.plot = LabelledCurves(
            tr("Attack"), tr("Forget images identified, %"), ATTACKED, AREA, 100.0, x_title=tr("False positives, %")
        )
        self.plot.add_series("chance", CHANCE, tr("Chance"), thin=True).show_dot = False
        self.plot.set_data("chance", [0.0, 100.0], [0.0, 100.0])
        super().__init__((self.plot, 1))
        self.switch = Segmented([(key, tr(title)) for key, title in ATTACKS.items()], tr("Attack"))
        self.switch.changed.connect(self._show)
        self.plot.add_head_widget(self.switch)
        self._report: Report = {}

    def set_report(self, report: Report) -> None:
        """Show a report; the strongest attack it holds comes first."""
        self._report = report
        there = [attack for attack in ATTACKS if self._found(attack)]
        for attack in ATTACKS:
            self.switch.disable(attack, "" if attack in there else tr(QUICK_ONLY))
        if not there:
            reasons = [reason for taken in self._taken("population").values() if (reason := taken.get("reason"))]
            self.show_missing(reasons[0] if reasons else tr(NOT_YET if report.get("partial") else NO_ATTACK))
            return
        if self.switch.value() not in there:
            self.switch.set_value(there[0])
        self._show(self.switch.value())

    def _show(self, attack: str) -> None:
        found = self._found(attack)
        if not found:
            return
        plot = self.plot
        plot.values = {key: taken["auc"] for key, taken in found.items() if taken.get("auc") is not None}
        for key in ATTACKED:
            roc = (found.get(key) or {}).get("roc") or {"fpr": [], "tpr": []}
            plot.set_data(key, [100 * x for x in roc["fpr"]], [100 * y for y in roc["tpr"]])
        self.show_content(describe_attack(found, attack))

    def _taken(self, attack: str) -> dict[str, Mapping[str, Any]]:
        taken = {key: (model_measures(self._report, key).get("membership") or {}).get(attack) for key in ATTACKED}
        return {key: found for key, found in taken.items() if found}

    def _found(self, attack: str) -> dict[str, Mapping[str, Any]]:
        return {key: found for key, found in self._taken(attack).items() if found.get("roc")}


class RelearningTab(Tab):
    """Accuracy on the forgotten classes while they are learnt again from a few images; with its anchors."""

    def __init__(self) -> None:
        self.plot = ThemedPlot(
            tr("Relearning"), tr("Accuracy on unseen forget images, %"), y_range=(0.0, 100.0),
            x_title=tr("Samples seen"),
        )  # fmt: skip
        for key in RELEARNED:
            self.plot.add_series(key, MODELS[key], MODELS[key].short)
        super().__init__((self.plot, 1))

    def set_report(self, report: Report) -> None:
        """Show a report."""
        curves = {key: model_measures(report, key).get("relearn") or {} for key in RELEARNED}
        for key, curve in curves.items():
            forget = [100 * value for value in curve.get("forget") or ()]
            self.plot.set_data(key, curve.get("samples") or (), forget)
        if curves["unlearned"]:
            self.show_content(describe_relearning(report))
        elif report.get("suite") != "full":
            partial = bool(report.get("partial"))
            self.show_missing(tr(QUICK_ONLY), "" if partial else tr("Run full checks"), self.full_asked.emit)
        else:
            self.show_missing(tr(NOT_YET if report.get("partial") else NO_RELEARNING))
