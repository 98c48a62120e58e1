"""Tabs of images: the same ones in each model's feature space, and those that were forgotten one by one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtWidgets import QBoxLayout, QGridLayout, QHeaderView, QLabel, QSizePolicy, QTableView

from app.models.tables import TwoLevels
from app.pages.verify.plots_panel import CURVES, LooksTab
from app.plots.curves import HistogramPlot
from app.plots.export import Cell, Figure, Table, one_line
from app.plots.scatter import ScatterPlot
from app.services import format as fmt
from app.services import tokens as t
from app.services.theme import theme
from app.services.tokens import model_style
from app.services.translation import mark, tr
from app.widgets.buttons import Segmented
from app.widgets.labels import caption, describe
from app.widgets.layout import column, row, scrolling, widget_of
from app.widgets.table import set_up_table
from app.workers.thumbnails import picture

if TYPE_CHECKING:
    from core.session.feature_maps import Embeddings
    from core.session.single_images import SingleImages

TURNED = mark(
    "Each model by its own two principal components, turned by an orthogonal fit of the retain class means: two "
    "networks share no axes."
)
HOVER = mark("Point at an image to find it in the other pictures; click to keep it.")
_THUMBNAIL = 48
_NONE = np.empty(0, np.int64)


class Panel(ScatterPlot):
    """One model's picture with two overlays of its own: the image pointed at, and those chosen."""

    def __init__(self, model: str) -> None:
        style = model_style(model)
        super().__init__(tr("{model}: map of images", model=style.title))
        box = self.layout()
        assert isinstance(box, QBoxLayout)
        self.head, self._model = one_line(), f"{style.glyph} {style.title}"
        box.insertWidget(0, self.head)
        self.set_caption("")  # what there is to say stands in the head
        self.canvas.setMinimumSize(theme.px(72), theme.px(72))  # four fit beside the table of the smallest window
        self.canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # what scrolls grants hints
        self.picked = pg.ScatterPlotItem(pxMode=True, size=theme.px(9), symbol="o", brush=None)
        self.marked = pg.ScatterPlotItem(pxMode=True, size=theme.px(13), symbol="o", brush=None)
        for z, item in ((26, self.picked), (28, self.marked)):
            self.canvas.lay(item, z)

    def show_model(self, found: Embeddings, model: str) -> None:
        """Show a model's coordinates."""
        self.set_points(found.points[model], found.labels, found.class_names)
        self.set_forget(found.forget)
        share = tr("{share} of variance", share=fmt.percent(found.explained[model]))
        self.head.setText(f"{self._model} · {share}")
        self.mark(-1)
        self.pick(_NONE)

    def mark(self, index: int) -> None:
        """Ring one image; -1 for none."""
        self.marked.setData(pos=self._points[[index] if index >= 0 else _NONE].astype(float))

    def pick(self, indices: NDArray[np.int64]) -> None:
        """Ring the images chosen."""
        self.picked.setData(pos=self._points[indices].astype(float))

    def restyle(self) -> None:
        super().restyle()
        self.marked.setPen(theme.pen("text", 2))
        self.picked.setPen(theme.pen("accent", 1.5))


class Maps(Figure):
    """Panels in two columns, and beside or below them the image pointed at with what each model calls it."""

    def __init__(self) -> None:
        super().__init__(title=tr("Feature space"))
        self._found: Embeddings | None = None
        self._chosen = _NONE
        tools = [("pan", tr("Move")), ("rectangle", tr("Choose"))]
        self.tool = Segmented(tools, tr("Dragging in the pictures"))
        self.tool.changed.connect(self._set_tool)
        self.thumbnail, self.words = QLabel(), caption(wide=True)
        self.thumbnail.setFixedSize(theme.px(_THUMBNAIL), theme.px(_THUMBNAIL))
        self._detail = widget_of(row(self.thumbnail, (self.words, 1)))
        self._detail.setFixedHeight(theme.px(_THUMBNAIL))
        self.panels = {key: Panel(key) for key in CURVES}
        self._grid = QGridLayout()
        self._grid.setSpacing(theme.px(t.S))
        for place, panel in enumerate(self.panels.values()):
            panel.hovered.connect(self._hovered)
            panel.clicked.connect(lambda index, mode: self._keep(np.array([index]), mode))
            panel.selection_drawn.connect(self._keep)
            self._grid.addWidget(panel, place // 2, place % 2)
            self._grid.setColumnStretch(place % 2, 1)
        column(self.make_head(self.said, self.tool), (self._grid, 1), on=self, spacing=t.XS)

    def set_embeddings(self, found: Embeddings) -> None:
        """Show other pictures."""
        self._found, self._chosen = found, _NONE
        for key, panel in self.panels.items():
            panel.setVisible(key in found.points)
            if key in found.points:
                panel.show_model(found, key)
        both_columns = len(found.points) % 2 == 0
        self._grid.addWidget(self._detail, 1, 0 if both_columns else 1, 1, 2 if both_columns else 1)
        self._grid.setRowStretch(0, 1)
        self._grid.setRowStretch(1, 0 if both_columns else 1)
        self._tell(-1)

    # ---- taking it along

    def caption(self) -> str:
        """How the pictures were made."""
        return tr(TURNED)

    def table(self) -> Table:
        """A row an image: which it is, its class, whether it is to be forgotten, and its place for each model."""
        found, models = self._found, list(self._shown())
        if found is None:
            return [], []
        header = ["image", "part", "class", "forget"]
        header += [f"{model_style(model).title}, {axis}" for model in models for axis in ("x", "y")]
        rows: list[list[Cell]] = []
        for number, label in enumerate(found.labels):
            first: list[Cell] = [
                str(int(found.ids[number])), "unseen" if found.unseen[number] else "training",
                found.class_names[int(label)], "yes" if found.forget[number] else "no",
            ]  # fmt: skip
            rows.append([*first, *(float(value) for model in models for value in found.points[model][number])])
        return header, rows

    def restyle(self) -> None:
        """Take on the theme's colours again."""
        for panel in self.panels.values():
            panel.restyle()
        super().restyle()

    def _draw(self) -> None:
        for panel in self.panels.values():
            panel.flush()

    def _shown(self) -> dict[str, Panel]:
        return {key: panel for key, panel in self.panels.items() if not panel.isHidden()}

    # ---- what the user does

    def _set_tool(self, tool: str) -> None:
        for panel in self.panels.values():
            panel.set_tool("rectangle" if tool == "rectangle" else "pan")

    def _hovered(self, index: int) -> None:
        label = int(self._found.labels[index]) if self._found is not None and index >= 0 else None
        for panel in self.panels.values():
            panel.mark(-1 if panel is self.sender() else index)  # the one under the mouse draws its own ring
            panel.highlight_class(label)
        self._tell(index)

    def _keep(self, images: NDArray[np.int64], mode: str) -> None:
        """Ring what was clicked or enclosed in every picture; the same once more lets it go."""
        if mode == "replace":
            self._chosen = _NONE if np.array_equal(images, self._chosen) else images
        else:
            self._chosen = np.union1d(self._chosen, images) if mode == "add" else np.setdiff1d(self._chosen, images)
        for panel in self.panels.values():
            panel.pick(self._chosen)
        self._tell(-1)

    def _tell(self, index: int) -> None:
        """Say what is under the mouse, else what is chosen, else what can be done."""
        found = self._found
        if index < 0 and self._chosen.size == 1:
            index = int(self._chosen[0])
        self.thumbnail.setVisible(found is not None and index >= 0)
        if found is not None and index >= 0:
            number = fmt.count(int(found.ids[index]))
            parts = [
                found.class_names[int(found.labels[index])],
                tr("unseen image {number}", number=number) if found.unseen[index]
                else tr("training image {number}", number=number),
                *([tr("to forget")] if found.forget[index] else []),
            ]  # fmt: skip
            called = [
                f"{model_style(model).title} {found.class_names[int(predicted[index])]}"
                for model, predicted in found.predictions.items()
            ]
            shown, why_not = picture(partial(found.image, index), theme.px(_THUMBNAIL))
            second = why_not or (tr("Called: {classes}", classes=", ".join(called)) if called else "")
            self.words.setText(f"{' · '.join(parts)}\n{second}")
            self.thumbnail.setPixmap(shown)
        elif found is not None and self._chosen.size:
            forget = fmt.count(int(found.forget[self._chosen].sum()))
            self.words.setText(tr("%n images chosen, {forget} of them to forget", n=self._chosen.size, forget=forget))
        else:
            self.words.setText(tr(HOVER))
        describe(self, self.words.text())


class EmbeddingTab(LooksTab):
    """The same images in each model's feature space."""

    def __init__(self) -> None:
        self.maps = Maps()
        super().__init__((scrolling(self.maps, "surface"), 1), words=tr(TURNED))

    def show_looks(self, embeddings: Embeddings, images: SingleImages | None) -> None:
        self.maps.set_embeddings(embeddings)


class ImagesTab(LooksTab):
    """Losses of one model at a time on a logarithmic axis, and below them a row an image."""

    def __init__(self) -> None:
        self.plot = HistogramPlot(tr("Loss"))
        self.switch = Segmented([(key, model_style(key).title) for key in CURVES], tr("Model"))
        self.plot.add_head_widget(self.switch)
        self.model, self.view = TwoLevels(self.plot), QTableView()
        self.view.setModel(self.model)
        self.view.setAccessibleName(tr("Images that were forgotten, before and after"))
        set_up_table(self.view)
        # Equal widths cut each answer beside short classes.
        self.view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self._found: SingleImages | None = None
        super().__init__(
            (self.plot, 1), (self.view, 1),
            words=tr("Each model's answer and the probability it gives the image's own class. What a retrained model "
                     "says, it says without having seen the image."),
        )  # fmt: skip
        self.switch.changed.connect(self._show_losses)

    def show_looks(self, embeddings: Embeddings, images: SingleImages | None) -> None:
        if images is not None:
            self.set_images(images)

    def set_images(self, found: SingleImages) -> None:
        """Show what the models make of the images."""
        self._found = found
        shown = [key for key in CURVES if key in found.losses]
        for key in CURVES:
            self.switch.disable(key, "" if key in shown else tr("No retrained model yet."))
        self.switch.set_value("unlearned")
        self._show_losses("unlearned")
        titles = [tr("Image"), tr("Class"), *(model_style(key).title for key in shown)]
        rows = [
            [found.names[n] or fmt.count(int(found.ids[n])), found.labels[n], *(
                f"{found.called[key][n]}, {fmt.percent(float(found.confidence[key][n]))}" for key in shown
            )]
            for n in range(len(found.ids))
        ]  # fmt: skip
        self.model.set_texts(titles, rows)

    def _show_losses(self, model: str) -> None:
        if self._found is not None and model in self._found.losses:
            forget, unseen = self._found.losses[model], self._found.unseen_losses[model]
            self.plot.set_losses(forget.tolist(), unseen.tolist())
            share = fmt.percent(self.plot.overlap())
            self.plot.set_caption(tr("The two overlap by {share}", share=share))
