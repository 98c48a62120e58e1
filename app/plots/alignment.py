"""Dimensional alignment: its value at k over the steps, or the profile over all k; losses for single images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtWidgets import QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.plots.base import ThemedPlot
from app.plots.histogram import HistogramPlot
from app.plots.items import Reference
from app.plots.scales import Y_PADDING, closer_floor
from app.services import format as fmt
from app.services.tokens import MODELS, SeriesStyle
from app.widgets.buttons import Segmented
from core.verify.numbers import percent

VIEWS = (("at_k", "at k"), ("profile", "profile"))
FLOOR = SeriesStyle("floor", "Random", "text_3", (1, 3), "o", False, "○")
MEANING = "higher = forget features lie more inside the retain space; the goal is the retrained value, not 1"
_TITLE = "Dimensional alignment"
_Y_TITLE = "Share of forget features inside the retain space"


class ValuePlot(ThemedPlot):
    """The value at k over the steps, on a closer scale where all values are near 1, which the axis title then says."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._closer, self._floor = True, 0.0
        super().__init__(_TITLE, _Y_TITLE, parent, y_range=(0.0, 1.0), value_format=fmt.alignment)

    def set_closer(self, closer: bool) -> None:
        """Allow a closer scale, or keep the whole one from 0 to 1."""
        self._closer = closer
        self.mark_dirty()

    def add_menu_entries(self, menu: QMenu) -> None:
        action = menu.addAction("Whole scale, 0 to 1")
        action.setCheckable(True)
        action.setChecked(not self._closer)
        action.toggled.connect(self._whole_wanted)
        menu.addSeparator()

    def _whole_wanted(self, whole: bool) -> None:
        self.set_closer(not whole)

    def _fit_values(self) -> None:
        floor = self._wanted_floor() if self._closer else 0.0
        if floor != self._floor:
            self._floor = floor
            self.view.setYRange(floor, 1.0, padding=Y_PADDING)
            self.set_y_title(f"{_Y_TITLE} · axis from {floor:g}" if floor else _Y_TITLE)

    def _wanted_floor(self) -> float:
        known = [reference.value for reference in self._references]
        known += [float(np.nanmin(y)) for series in self._shown() if np.isfinite(y := series.buffer.y).any()]
        return closer_floor(min(known, default=0.0))


class AlignmentPlot(QWidget):
    """A panel of three views. `at_k` belongs into the step group; all values are 0..1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.at_k = ValuePlot()
        self.at_k.add_series("unlearned", MODELS["unlearned"], "Now")
        self.profile = ThemedPlot(
            _TITLE, _Y_TITLE, y_range=(0.0, 1.0), x_title="k", value_format=fmt.alignment
        )
        for key in ("unlearned", "original", "retrained"):
            self.profile.add_series(key, MODELS[key], "Now" if key == "unlearned" else "")
            self.profile.series(key).show_dot = False
        self.profile.add_series("floor", FLOOR, thin=True)
        self.profile.series("floor").show_dot = False
        self.losses = HistogramPlot()
        self._switches: list[Segmented] = []
        for plot in (self.at_k, self.profile):
            switch = Segmented(VIEWS, "Alignment")
            switch.changed.connect(self.set_view)
            plot.add_head_widget(switch)
            self._switches.append(switch)
        self._stack = QStackedWidget(self)
        for plot in (self.at_k, self.profile, self.losses):
            self._stack.addWidget(plot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self._sample = False
        self._view = "at_k"

    @property
    def current(self) -> ThemedPlot:
        """The view that shows."""
        plot = self._stack.currentWidget()
        assert isinstance(plot, ThemedPlot)
        return plot

    def set_mode(self, mode: str) -> None:
        """For "sample" show losses instead, because alignment says nothing about single images."""
        self._sample = mode == "sample"
        self._show()

    def set_view(self, view: str) -> None:
        """Show "at_k" or "profile"."""
        self._view = view
        for switch in self._switches:
            if switch.value() != view:
                switch.set_value(view)
        self._show()

    def add(
        self,
        step: float,
        value: float | None,
        k: int,
        energy: float | None,
        centred: bool,
        profile: Sequence[float] = (),
        floor: float | None = None,
    ) -> None:
        """Add one measurement; the caption is written from it."""
        self.at_k.append("unlearned", [step], [value])
        self.set_profile("unlearned", profile)
        size = len(profile)
        if size:
            # A random subspace of k directions holds sqrt(k / C) of a vector's length.
            ks = list(range(1, size + 1))
            self.profile.set_data("floor", ks, [(j / size) ** 0.5 for j in ks])
        text = describe_alignment(k, energy, centred)
        self.at_k.set_caption(f"{text} · {MEANING}")
        beside = f" · random directions: {fmt.alignment(floor)}" if floor is not None else ""
        self.profile.set_caption(f"{text}{beside}")

    def set_profile(self, model: str, profile: Sequence[float]) -> None:
        """Show a model's profile: the value at k = 1, 2, ..."""
        self.profile.set_data(model, range(1, len(profile) + 1), list(profile))

    def set_reference_values(self, values: Mapping[str, float | None]) -> None:
        """References at k by model key."""
        self.at_k.set_references([Reference(key, value) for key, value in values.items() if value is not None])

    def set_losses(self, forget: Sequence[float], unseen: Sequence[float]) -> None:
        """Losses of single images, for sample forgetting."""
        self.losses.set_losses(forget, unseen)

    def clear(self) -> None:
        """Empty all views."""
        for plot in (self.at_k, self.profile, self.losses):
            plot.clear()
        self.at_k.set_caption("")
        self.profile.set_caption("")

    def _show(self) -> None:
        plot = self.losses if self._sample else self.profile if self._view == "profile" else self.at_k
        self._stack.setCurrentWidget(plot)


def describe_alignment(k: int, energy: float | None, centred: bool) -> str:
    """What an alignment value is meaningless without: "k = 9 · 96 % of retain energy · not centred"."""
    return f"k = {k} · {percent(energy, places=0)} of retain energy · {'centred' if centred else 'not centred'}"
