"""Three models side by side: accuracy on what was forgotten, and what is there to be found of it all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.translation import tr
from app.widgets.cards import Card
from app.widgets.labels import Label, announce, caption
from app.widgets.layout import STRETCH, row
from core.events import Evaluation, Event
from core.verify.lanes import Lane, contradicted, lanes_of_report, lanes_so_far, merged

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job
    from core.runs.folder import RunFolder

BAR_HEIGHT, TRACK_HEIGHT, NUMBER_WIDTH, LINE_HEIGHT = 18, 10, 60, 20
Found = tuple[tuple[Lane, ...], str]  # lanes, and the sentence of the verdict


class LaneBar(QWidget):
    """A share of a track in the colour of a model, its value in words, and a mark where retraining lies."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model, self.words = model, ""
        self._share: float | None = None
        self._goal: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_value(self, share: float | None, words: str, goal: float | None) -> None:
        """Fill `share` of the track (None: not measured yet), and mark `goal`."""
        self._share, self.words, self._goal = share, words, goal
        self.setAccessibleName(words)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(BAR_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(100), theme.px(BAR_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        height, wide = theme.px(TRACK_HEIGHT), self.width() - theme.px(NUMBER_WIDTH)
        top = (self.height() - height) // 2
        filled = None if self._share is None else max(height, wide * min(1.0, self._share))
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, length in (("sunken", wide), (self._model, filled)):
            if length is not None:
                painter.setBrush(theme.brush(colour))
                painter.drawRoundedRect(QRectF(0, top, length, height), height / 2, height / 2)
        if self._goal is not None:
            place = int(wide * min(1.0, self._goal))
            for colour, width in (("surface", 4), ("retrained", 2)):
                painter.setPen(theme.pen(colour, width))
                painter.drawLine(place, top - 3, place, top + height + 3)
        painter.setPen(theme.color("text"))
        painter.setFont(theme.font("table"))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.words)
        painter.end()


class Lanes(Card):
    """Hidden until `set_lanes` brings something to compare; the live accuracy comes in between."""

    def __init__(self) -> None:
        super().__init__(padding=t.M)
        self.setAccessibleName(tr("Head-only edit, unlearned and retrained model"))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.body.setSpacing(theme.px(t.S))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.px(t.XL))
        grid.setVerticalSpacing(theme.px(t.XS))
        self._first = caption()
        grid.addWidget(self._first, 0, 0, Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(caption(tr("Found again by a linear probe")), 1, 0)
        grid.addWidget(caption(tr("Training images until it is back")), 2, 0)
        titles = {"head_only": tr("Head-only edit"), "unlearned": tr("Unlearned"), "retrained": tr("Retrained")}
        self.accuracies = {model: Label("", "number") for model in titles}
        self.probes = {model: LaneBar(model) for model in titles}
        self.images = {model: LaneBar(model) for model in titles}
        for place, (model, title) in enumerate(titles.items(), start=1):
            grid.addLayout(row(Label(title, "section"), STRETCH, self.accuracies[model]), 0, place)
            grid.addWidget(self.probes[model], 1, place)
            grid.addWidget(self.images[model], 2, place)
            grid.setColumnStretch(place, 1)
        self.claim, self.verdict = Label("", "section"), Label("", "section", wide=True)
        self.state = caption(wide=True)
        for label in (self.verdict, self.state):  # one or the other: nothing moves when the verdict comes
            label.setMinimumHeight(theme.px(LINE_HEIGHT))
        self.body.addLayout(grid)
        self.body.addLayout(row(self.claim, (self.verdict, 1), (self.state, 1), spacing=t.XL))
        self.clear()

    def clear(self) -> None:
        """Show nothing."""
        for label in (self.claim, self.verdict, self.state):
            label.setText("")
            label.hide()
        self.hide()

    def set_lanes(self, lanes: Sequence[Lane], forgotten: str) -> None:
        """Show what is known of the three models; `forgotten` names the class, or the classes."""
        by_model = {lane.model: lane for lane in lanes}
        if not any(lane.probe is not None for lane in lanes if lane.model != "unlearned"):
            self.hide()  # nothing to hold the run against
            return
        self._first.setText(tr("Accuracy on {classes}", classes=forgotten))
        most, retrained = max(_images(lane) or 0 for lane in lanes), by_model["retrained"]
        for model, lane in by_model.items():
            if lane.accuracy is not None or model != "unlearned":  # the live one stays until there is a measured one
                self.accuracies[model].setText(fmt.percent(lane.accuracy))
            goal = retrained if model != "retrained" else Lane(model)
            self.probes[model].set_value(lane.probe, fmt.percent(lane.probe), goal.probe)
            images = fmt.count(_images(lane))
            if lane.images is None and most and lane.most_images is not None:
                images = tr("over {number}", number=images)
            self.images[model].set_value(_share(lane, most), images, _share(goal, most))
        self.claim.setVisible(contradicted(lanes))
        if contradicted(lanes):
            self.claim.setText(tr("Accuracy 0 does not mean forgotten."))
            found = tr(
                "With only its last layer edited, the network names no image of {classes}, and a linear probe finds "
                "{share} of them in its features.",
                classes=forgotten, share=fmt.percent(by_model["head_only"].probe),
            )  # fmt: skip
            self.claim.setToolTip(fmt.plain(found))
            self.claim.setAccessibleDescription(found)
        self.show()

    def set_accuracy(self, value: float | None) -> None:
        """Show the accuracy of the model that is being unlearned, as it is now."""
        self.accuracies["unlearned"].setText(fmt.percent(value))

    def set_state(self, sentence: str) -> None:
        """Say where the run is, in the place of the verdict."""
        self.state.setText(sentence)
        self.state.show()
        self.verdict.hide()

    def set_verdict(self, sentence: str) -> None:
        """Show the verdict on the unlearned model."""
        new = sentence != self.verdict.text()
        self.verdict.setText(sentence)
        self.verdict.show()
        self.state.hide()
        if new and self.isVisible():
            announce(self, sentence)


def _images(lane: Lane) -> int | None:
    return lane.images if lane.images is not None else lane.most_images


def _share(lane: Lane, most: int) -> float | None:
    images = _images(lane)
    return images / most if images is not None and most else None


class LanesPresenter(QObject):
    """Keeps the lanes of `context.project.run`, live, where whole classes are forgotten."""

    def __init__(self, context: AppContext, lanes: Lanes, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._widget = context, lanes
        self._known: tuple[Lane, ...] = ()
        self._taken = 0  # measures of the check under way that are shown
        controller = context.run_controller
        controller.events.connect(self._events)
        controller.state_changed.connect(self._changed)
        controller.run_ended.connect(self._ended)
        context.project.run_changed.connect(self._run_changed)
        self._run_changed()

    @property
    def _run(self) -> LiveRun | None:
        run = self._context.project.run
        wanted = run is not None and run.kind == "unlearn" and run.forget_mode in ("class", "mixed")
        encoder = run is not None and run.job is not None and not run.job.model.num_classes  # without a head to edit
        return run if wanted and not encoder else None

    def _run_changed(self) -> None:
        self._known = ()
        self._widget.clear()
        run = self._run
        measured = run.history.evaluations[-1:] if run is not None else []
        self._widget.set_accuracy(measured[0].forget_test_accuracy if measured else None)  # not that of the run before
        self._read()

    def _read(self) -> None:
        """Read what is known, and the report where there is one."""
        self._context.jobs.cancel("lanes")
        run = self._run
        if run is not None and run.job is not None:
            handle = self._context.jobs.submit(read_lanes, run.folder, run.job, key="lanes")
            handle.done.connect(self._show)

    def _show(self, found: Found) -> None:
        self._known, verdict = found
        self._taken = 0  # what a check under way has measured is shown once it is heard of again
        self._set(self._known)
        run = self._run
        if verdict:
            self._widget.set_verdict(verdict)
        elif run is not None and not run.ended:
            self._widget.set_state(tr("The verdict comes with the check, once the run has ended."))
        else:
            self._widget.set_state(tr("Not checked yet: Verify compares the result with retrained models."))

    def _set(self, lanes: tuple[Lane, ...]) -> None:
        run = self._run
        if run is not None and run.job is not None and lanes:
            self._widget.set_lanes(lanes, ", ".join(run.job.forget.class_names))

    def _events(self, events: list[Event]) -> None:
        if self._run is None or self._run is not self._context.run_controller.current:
            return
        newest = next((event for event in reversed(events) if isinstance(event, Evaluation)), None)
        if newest is not None:
            self._widget.set_accuracy(newest.forget_test_accuracy)

    def _changed(self, run: LiveRun) -> None:
        """Show what a check of the run has measured until now."""
        if run.kind != "check" or self._run is None or run.path != self._run.path:
            return
        if not run.ended:
            what = run.progress.what if run.progress is not None else ""
            self._widget.set_state(tr("The result is being checked. {what}", what=what))
        if run.taken_count != self._taken:
            self._taken = run.taken_count
            self._set(merged(lanes_so_far(run.taken), self._known))

    def _ended(self, run: LiveRun) -> None:
        if self._run is not None and run.path == self._run.path:
            self._taken = 0
            self._read()


def read_lanes(folder: RunFolder, job: Job) -> Found:
    """Return the lanes of a run and its verdict, as far as they are on disk; runs in a worker."""
    from core.session.checking import known_lanes

    report = folder.report() or {}
    verdict = report.get("verdict") or {}
    judged = report.get("retrained") or job.forget.corrective
    sentence = str(verdict.get("sentence") or "") if judged else ""
    return merged(lanes_of_report(report), known_lanes(job)), sentence
