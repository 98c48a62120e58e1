"""What a start would set going: steps, time, memory, disk, how it works, what the result is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import set_tone, theme
from app.widgets.cards import Card
from app.widgets.labels import FactTable, Label, heading, section
from app.widgets.layout import scrolling

if TYPE_CHECKING:
    from core.session.planning import Estimate

ROWS = (("forget", "Forget"), ("steps", "Steps"), ("cost", "Cost"), ("time", "Time"), ("memory", "Memory"),
        ("disk", "Disk"))  # fmt: skip


class PlanCard(Card):
    """Shows the estimate of the method in view; what is not known yet is said, not guessed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Plan", parent, padding=t.M)
        inside = QWidget()
        inside.setProperty("ground", "surface")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.px(t.S), 0)
        column.setSpacing(theme.px(t.M))
        self.facts = FactTable(label_width=72)
        column.addWidget(self.facts)
        self._before = heading("Earlier requests")
        column.addWidget(self._before)
        self.earlier = Label("", "body", "text-2", wrap=True)
        column.addWidget(self.earlier)
        self.problem = Label("", "body", "danger", wrap=True)
        self.problem.hide()
        column.addWidget(self.problem)
        self._what = section("How it works")
        column.addWidget(self._what)
        self.lines = Label("", "body", "text-2", wrap=True)
        column.addWidget(self.lines)
        self._against = section("Compared with")
        column.addWidget(self._against)
        self.references = Label("", "body", "text-2", wrap=True)
        column.addWidget(self.references)
        column.addStretch(1)
        self.body.addWidget(scrolling(inside, "surface"), 1)
        self.show_nothing()

    def show_nothing(self) -> None:
        """Nothing to plan yet."""
        for key, label in ROWS:
            self.facts.set(key, label, fmt.DASH, term="forget_set" if key == "forget" else "")
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
