"""Tabs of images: the same ones in each model's feature space, and those that were forgotten one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStackedWidget,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.models.tables import TextTableModel
from app.plots.alignment import HistogramPlot
from app.plots.export import Cell, Figure, Table, Text
from app.plots.scatter import ScatterPlot
from app.services import format as fmt
from app.services import tokens as t
from app.services.accessibility import describe
from app.services.theme import theme
from app.services.tokens import model_style
from app.services.translation import tr
from app.widgets.buttons import Segmented
from app.widgets.labels import Label, caption
from app.widgets.layout import STRETCH, column, widget_of
from app.widgets.notices import EmptyState, ProgressLine
from app.widgets.table import set_up_table
from app.workers.thumbnails import thumbnail

if TYPE_CHECKING:

    from PySide6.QtGui import QShowEvent

    from app.pages.verify.plots_panel import Looks
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages


TURNED = (
    "Each model by its own two principal components, turned by an orthogonal fit of the retain class means: two "
    "networks share no axes."
)
WAITING = "The pictures need what each model says of the images."
NOT_HERE = "The pictures could not be made: "
HOVER = "Point at an image to find it in the other pictures; click to keep it."
_KEYS = ("original", "unlearned", "retrained")
_THUMBNAIL = 48


class Panel(QWidget):
    """One model's picture with two overlays of its own: the image pointed at, and those chosen."""

    def __init__(self, model: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = model
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(2))
        style = model_style(model)
        self.heading = Label(f"{style.glyph} {style.title}", "caption")
        column.addWidget(self.heading)
        self.plot = ScatterPlot(f"{style.title}: map of images")
        self.plot.canvas.setMinimumSize(theme.px(96), theme.px(96))
        column.addWidget(self.plot, 1)
        self._chosen = pg.ScatterPlotItem(pxMode=True, size=theme.px(9), symbol="o", brush=None)
        self._ring = pg.ScatterPlotItem(pxMode=True, size=theme.px(13), symbol="o", brush=None)
        for z, item in ((26, self._chosen), (28, self._ring)):
            item.setZValue(z)
            self.plot.canvas.addItem(item, ignoreBounds=True)
        self._points: NDArray[np.float32] = np.empty((0, 2), np.float32)
        theme.changed.connect(self.restyle)
        self.restyle()

    def set_points(self, found: Embeddings) -> None:
        """Show a model's coordinates."""
        self._points = found.points[self.model]
        self.plot.set_points(self._points, found.labels, found.class_names)
        self.plot.set_forget(found.forget)
        self.plot.set_caption(f"{fmt.percent(found.explained[self.model])} of the variance")
        self.mark(-1)
        self.choose(np.empty(0, np.int64))

    def mark(self, index: int) -> None:
        """Ring one image; -1 for none."""
        self._ring.setData(pos=self._rows(np.arange(index, index + 1) if index >= 0 else np.empty(0, np.int64)))

    def choose(self, indices: NDArray[np.int64]) -> None:
        """Ring the images chosen."""
        self._chosen.setData(pos=self._rows(indices))

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        self._ring.setPen(theme.pen("text", 2))
        self._chosen.setPen(theme.pen("accent", 1.5))

    def _rows(self, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._points[indices].astype(float).reshape(-1, 2)


class SideBySide(QWidget):
    """Panels in one row or in two, whichever makes them larger; the detail goes into a free place, else below."""

    def __init__(self, panels: Sequence[QWidget], detail: QWidget) -> None:
        super().__init__()
        self._panels, self._detail = panels, detail
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(theme.px(t.S))
        self.arrange()

    def arrange(self) -> None:
        """Choose the number of columns for the size there is."""
        shown = [panel for panel in self._panels if not panel.isHidden()]
        number = max(len(shown), 1)
        columns = max((number, (number + 1) // 2), key=lambda c: min(self.width() / c, self.height() * c / number))
        for widget in (*self._panels, self._detail):
            self._grid.removeWidget(widget)
        for place, panel in enumerate(shown):
            self._grid.addWidget(panel, place // columns, place % columns)
        if number % columns:
            self._grid.addWidget(self._detail, number // columns, number % columns)
        else:
            self._grid.addWidget(self._detail, number // columns, 0, 1, columns)
        for place in range(len(self._panels) + 1):
            self._grid.setColumnStretch(place, int(place < columns))
            self._grid.setRowStretch(place, int(place * columns < number))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.arrange()


class EmbeddingTab(Figure):
    """Panels side by side, and below them the image pointed at with what each model calls it."""

    wanted = Signal()  # the pictures are looked at and are not there yet

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.px(t.S), 0, 0)
        self._stack = QStackedWidget()
        column.addWidget(self._stack)
        self._stack.addWidget(self._waiting())
        self._stack.addWidget(self._pictures())
        self.empty = EmptyState("verify", "", "Try again", self.wanted.emit)
        self._stack.addWidget(self.empty)
        self._found: Embeddings | None = None
        self._pinned = -1
        self._chosen: NDArray[np.int64] = np.empty(0, np.int64)

    # ---- what is shown

    def set_looks(self, looks: Looks | None) -> None:
        """Show where a run's models place its images."""
        self.set_embeddings(looks.embeddings if looks is not None else None)

    def set_embeddings(self, found: Embeddings | None) -> None:
        """Show pictures; None: there are none yet."""
        self._found = found
        self._pinned, self._chosen = -1, np.empty(0, np.int64)
        if found is None:
            self.progress.set(0, 0, "")
            self._stack.setCurrentIndex(0)
            if self.isVisible():
                self.wanted.emit()
            return
        for key, panel in self.panels.items():
            panel.setVisible(key in found.points)
            if key in found.points:
                panel.set_points(found)
        self._side_by_side.arrange()
        self._stack.setCurrentIndex(1)
        self._tell(-1)

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far the pictures are."""
        self._stack.setCurrentIndex(0)
        self.progress.set(done, total, what)

    def show_problem(self, sentence: str) -> None:
        """Say why there are no pictures."""
        self.empty.set(NOT_HERE + sentence, "Try again", self.wanted.emit)
        self._stack.setCurrentIndex(2)

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures."""
        return self._found is not None

    def showEvent(self, event: object) -> None:
        if self._found is None and self._stack.currentIndex() == 0:
            self.wanted.emit()

    # ---- parts

    def _waiting(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.addStretch(1)
        text = Label(WAITING, "body", "text-2")
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(text)
        self.progress = ProgressLine("Pictures of the feature spaces")
        column.addWidget(self.progress)
        column.addStretch(1)
        return whole

    def _pictures(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.XS))
        head = QHBoxLayout()
        self._heading = Label("Feature space", "section")
        head.addWidget(self._heading)
        head.addStretch(1)
        head.addWidget(self.said_label())
        self.tool = Segmented([("pan", "Move"), ("rectangle", "Choose")], "Dragging in the pictures")
        self.tool.changed.connect(self._set_tool)
        head.addWidget(self.tool)
        head.addWidget(self.export_button())
        column.addLayout(head)
        self.panels = {key: Panel(key) for key in _KEYS}
        for panel in self.panels.values():
            panel.plot.hovered.connect(self._hovered)
            panel.plot.clicked.connect(self._clicked)
            panel.plot.selection_drawn.connect(self._drawn)
        self._side_by_side = SideBySide(tuple(self.panels.values()), self._detail())
        column.addWidget(self._side_by_side, 1)
        turned = caption(TURNED, wrap=True)
        turned.setMaximumWidth(16_777_215)
        column.addWidget(turned)
        return whole

    def _detail(self) -> QWidget:
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(t.S))
        self.thumbnail = QLabel()
        side = theme.px(_THUMBNAIL)
        self.thumbnail.setFixedSize(side, side)
        whole.setFixedHeight(side)
        row.addWidget(self.thumbnail)
        self.words = Label("", "caption", wrap=True)
        self.words.setMaximumWidth(16_777_215)
        row.addWidget(self.words, 1)
        return whole

    # ---- taking it along

    @property
    def title(self) -> str:
        """The title."""
        return self._heading.text()

    def caption(self) -> str:
        """How the pictures were made."""
        return TURNED

    def texts(self) -> list[Text]:
        """The title, each picture's model and share of the variance."""
        found = [self.text_of(self._heading, "section")]
        for panel in self._shown_panels():
            found.append(self.text_of(panel.heading, "caption"))
            found.append(self.text_of(panel.plot.caption_label, "caption", "text_2"))
        return found

    def drawn_parts(self) -> list[tuple[QWidget, QPoint]]:
        """The pictures."""
        return [(panel.plot.canvas, self.place(panel.plot.canvas).topLeft()) for panel in self._shown_panels()]

    def table(self) -> Table:
        """A row an image: which it is, its class, whether it is to be forgotten, and its place for each model."""
        found = self._found
        if found is None:
            return [], []
        models = [panel.model for panel in self._shown_panels()]
        header = ["image", "part", "class", "forget"]
        header += [f"{model_style(model).title}, {axis}" for model in models for axis in ("x", "y")]
        rows: list[list[Cell]] = []
        for number in range(len(found.labels)):
            first: list[Cell] = [
                str(int(found.ids[number])), "unseen" if found.unseen[number] else "training",
                found.class_names[int(found.labels[number])], "yes" if found.forget[number] else "no",
            ]  # fmt: skip
            rows.append([*first, *(float(value) for model in models for value in found.points[model][number])])
        return header, rows

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        for panel in self.panels.values():
            panel.restyle()
            panel.plot.restyle()

    def _shown_panels(self) -> list[Panel]:
        return [panel for panel in self.panels.values() if not panel.isHidden()]

    # ---- what the user does

    def _set_tool(self, tool: str) -> None:
        for panel in self.panels.values():
            panel.plot.set_tool("rectangle" if tool == "rectangle" else "pan")

    def _hovered(self, index: int) -> None:
        self._mark(index if index >= 0 else self._pinned, self.sender())

    def _clicked(self, index: int, _mode: str) -> None:
        self._pinned = -1 if index == self._pinned else index
        self._mark(self._pinned, None)

    def _mark(self, index: int, source: QObject | None) -> None:
        label = int(self._found.labels[index]) if self._found is not None and index >= 0 else None
        for panel in self.panels.values():
            # The picture under the mouse draws its own ring.
            panel.mark(-1 if panel.plot is source and index != self._pinned else index)
            panel.plot.highlight_class(label)
        self._tell(index)

    def _drawn(self, indices: NDArray[np.int64], mode: str) -> None:
        chosen = np.asarray(indices, np.int64)
        if mode == "add":
            chosen = np.union1d(self._chosen, chosen)
        elif mode == "remove":
            chosen = np.setdiff1d(self._chosen, chosen)
        self._chosen = chosen
        for panel in self.panels.values():
            panel.choose(chosen)
        self._tell(self._pinned)

    def _tell(self, index: int) -> None:
        """Say what is under the mouse, else what is chosen, else what can be done."""
        found = self._found
        self.thumbnail.setVisible(found is not None and index >= 0)
        if found is None:
            self.words.setText("")
        elif index >= 0:
            name = found.class_names[int(found.labels[index])]
            kind = "unseen image" if found.unseen[index] else "training image"
            first = f"{name} · {kind} {fmt.count(int(found.ids[index]))}{' · to forget' if found.forget[index] else ''}"
            says = ", ".join(
                f"{model_style(model).title} {found.class_names[int(predicted[index])]}"
                for model, predicted in found.predictions.items()
            )
            self.words.setText(f"{first}\nCalled: {says}")
            self.thumbnail.setPixmap(QPixmap.fromImage(thumbnail(found.image(index), theme.px(_THUMBNAIL))))
        elif self._chosen.size:
            forget = int(found.forget[self._chosen].sum())
            self.words.setText(f"{fmt.images(int(self._chosen.size))} chosen, {fmt.count(forget)} of them to forget")
        else:
            self.words.setText(HOVER)
        describe(self, self.words.text())


MODELS_SHOWN = ("original", "unlearned", "retrained")
_LEAST_LOSS = 1e-6  # of a logarithmic axis: below, a model is certain


class ImagesTab(QStackedWidget):
    """Losses of one model at a time on a logarithmic axis, and below them a row an image."""

    wanted = Signal()  # it is looked at and there is nothing to show yet

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.progress = ProgressLine("Images that were forgotten")
        self.plot = HistogramPlot()
        self.plot.set_title(tr("Loss"))
        self.switch = Segmented([(key, model_style(key).title) for key in MODELS_SHOWN], tr("Model"))
        self.switch.changed.connect(self._show_losses)
        self.plot.add_head_widget(self.switch)
        self.model = TextTableModel(self)
        self.view = QTableView()
        self.view.setModel(self.model)
        self.view.setAccessibleName(tr("Images that were forgotten, before and after"))
        set_up_table(self.view)
        words = caption(
            tr("Each model's answer and the probability it gives the image's own class. What a retrained model says, "
               "it says without having seen the image."), wrap=True,
        )  # fmt: skip
        self.empty = EmptyState("verify", "", tr("Try again"), self.wanted.emit)
        self.addWidget(widget_of(column(STRETCH, self.progress, STRETCH)))
        self.addWidget(widget_of(column((self.plot, 1), (self.view, 1), words, margins=(0, t.S, 0, 0))))
        self.addWidget(self.empty)
        self._found: SingleImages | None = None

    def set_looks(self, looks: Looks | None) -> None:
        """Show what the models make of a run's images."""
        self.set_images(looks.images if looks is not None else None)

    def set_images(self, found: SingleImages | None) -> None:
        """Show what the models make of the images; None: that is not known yet."""
        self._found = found
        if found is None:
            self.progress.set(0, 0, "")
            self.setCurrentIndex(0)
            if self.isVisible():
                self.wanted.emit()
            return
        shown = [key for key in MODELS_SHOWN if key in found.losses]
        for key in MODELS_SHOWN:
            self.switch.set_enabled(key, key in shown, "" if key in shown else tr("No retrained model yet."))
        self.switch.set_value("unlearned")
        self._show_losses("unlearned")
        header = [tr("Image"), tr("Class"), *(model_style(key).title for key in shown)]
        rows = [
            [found.names[n] or fmt.count(int(found.ids[n])), found.labels[n], *(
                f"{found.called[key][n]}, {fmt.percent(float(found.confidence[key][n]))}" for key in shown
            )]
            for n in range(len(found.ids))
        ]  # fmt: skip
        self.model.set_table(header, rows)
        head = self.view.horizontalHeader()
        for place in range(len(header)):
            head.setSectionResizeMode(place, QHeaderView.ResizeMode.Stretch)
        self.setCurrentIndex(1)

    def show_progress(self, what: str, done: int, total: int) -> None:
        """Show how far it is."""
        self.setCurrentIndex(0)
        self.progress.set(done, total, what)

    def show_problem(self, sentence: str) -> None:
        """Say why there is nothing."""
        self.empty.set(sentence, tr("Try again"), self.wanted.emit)
        self.setCurrentIndex(2)

    def showEvent(self, event: QShowEvent) -> None:
        if self._found is None and self.currentIndex() == 0:
            self.wanted.emit()

    def _show_losses(self, model: str) -> None:
        if self._found is not None and model in self._found.losses:
            forget, unseen = self._found.losses[model], self._found.unseen_losses[model]
            self.plot.set_losses(*(np.log10(losses + _LEAST_LOSS).tolist() for losses in (forget, unseen)))
            overlap = self.plot.overlap()
            share = "" if overlap is None else fmt.percent(overlap)
            self.plot.set_caption(
                tr("Logarithm to base 10 · the two overlap by {share}", share=share)
            )  # fmt: skip
