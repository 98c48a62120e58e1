"""The time slider under the plots: back to any recorded step, or on with the newest; plays a run again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSlider, QWidget

from app.services import format as fmt
from app.services import icons
from app.services import tokens as t
from app.services.theme import theme
from app.widgets.buttons import ChipButton, IconButton, TextButton
from app.widgets.labels import Label

REPLAY_MS = 8000  # a whole run again, however long it was, at the usual speed
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_TICK_MS = 66


class TimeSlider(QWidget):
    """Positions are the recorded steps. `moved` carries a step, or None for the newest."""

    moved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: list[int] = []
        self._total = 0
        self._at_end = True
        self._play = IconButton("play", "Play the run again", self._toggle_play)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName("Step shown in all plots")
        self._slider.setToolTip("Space plays and holds, arrows go step by step, + and − change the speed")
        self._slider.valueChanged.connect(self._changed)
        self._label = Label("", "caption", "text-2")
        self._label.setMinimumWidth(theme.px(136))
        self.speed = 1.0
        self._speed = ChipButton("1×", name="Speed of the replay")
        menu = QMenu(self)
        self.speed_actions: dict[float, QAction] = {}
        for speed in SPEEDS:
            action = menu.addAction(_speed_words(speed))
            action.setData(speed)
            action.triggered.connect(self._speed_chosen)
            self.speed_actions[speed] = action
        self._speed.set_menu(menu)
        self._newest = TextButton("Newest", self.to_newest)
        self._newest.setFixedHeight(theme.px(24))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        for widget in (self._play, self._speed, self._slider, self._label, self._newest):
            row.addWidget(widget, int(widget is self._slider))
        self._row = row
        policy = self._newest.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._newest.setSizePolicy(policy)
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._advance)
        self._played = 0.0
        self._update()

    @property
    def step(self) -> int | None:
        """The step in view; None where the newest is followed."""
        return None if self._at_end or not self._steps else self._steps[self._slider.value()]

    def set_steps(self, steps: Sequence[int], total: int = 0) -> None:
        """Set the recorded steps; at the end the slider stays at the end, else it stays at its step."""
        if list(steps) == self._steps and total == self._total:
            return
        shown = self.step
        self._steps, self._total = list(steps), total
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, len(self._steps) - 1))
        self._slider.setPageStep(max(1, len(self._steps) // 10))
        if shown is None:
            self._slider.setValue(self._slider.maximum())
        else:
            self._slider.setValue(min(bisect_left(self._steps, shown), self._slider.maximum()))
        self._slider.blockSignals(False)
        self._update()

    def reset(self) -> None:
        """Forget the run before."""
        self._timer.stop()
        self._steps, self._at_end = [], True
        self.set_steps([], -1)

    def add_widget(self, widget: QWidget) -> None:
        """Put something at the end of the row."""
        self._row.addWidget(widget)

    def set_speed(self, speed: float) -> None:
        """Play faster or slower from now on."""
        self.speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])
        self._speed.set(_speed_words(self.speed), "Speed of the replay; + and − on the slider change it")

    def toggle_play(self) -> None:
        """Play the run again from where the slider is, or hold."""
        if len(self._steps) > 1:
            self._toggle_play()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space plays and holds, + and − change the speed; arrows, Home and End are the slider's own."""
        key = event.key()
        if key == Qt.Key.Key_Space:
            self.toggle_play()
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_speed(2 * self.speed)
        elif key == Qt.Key.Key_Minus:
            self.set_speed(self.speed / 2)
        else:
            super().keyPressEvent(event)

    def to_newest(self) -> None:
        """Follow the newest step again."""
        self._slider.setValue(self._slider.maximum())

    def playing(self) -> bool:
        """Whether the run is being played again."""
        return self._timer.isActive()

    def _changed(self, value: int) -> None:
        self._at_end = value >= self._slider.maximum()
        self._update()
        self.moved.emit(self.step)

    def _toggle_play(self) -> None:
        if self.playing():
            self._stop()
            return
        if self._at_end:
            self._slider.setValue(0)
        self._played = float(self._slider.value())
        self._timer.start()
        self._update()

    def _speed_chosen(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        self.set_speed(float(action.data()))

    def _advance(self) -> None:
        self._played += max(self._slider.maximum(), 1) * self.speed * _TICK_MS / REPLAY_MS
        self._slider.setValue(min(int(self._played), self._slider.maximum()))
        if self._at_end:
            self._stop()

    def _stop(self) -> None:
        self._timer.stop()
        self._update()

    def _update(self) -> None:
        enough = len(self._steps) > 1
        self._slider.setEnabled(enough)
        self._play.setEnabled(enough)
        playing = self.playing()
        icons.set_icon(self._play, "pause" if playing else "play", "text_2")
        self._play.setAccessibleName("Hold the replay" if playing else "Play the run again")
        self._play.setToolTip(self._play.accessibleName())
        self._newest.setVisible(not self._at_end and enough)
        if not self._steps:
            text = ""
        elif self._at_end:
            text = f"newest, step {fmt.count(self._steps[-1])}"
        else:
            of = f" of {fmt.count(self._total)}" if self._total > 0 else ""
            text = f"step {fmt.count(self._steps[self._slider.value()])}{of}"
        self._label.setText(text)
        self._slider.setAccessibleDescription(text)


def _speed_words(speed: float) -> str:
    return f"{speed:g}×".replace("0.25", "¼").replace("0.5", "½")
