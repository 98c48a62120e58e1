"""Part of the gallery's benchmark: choosing among a million images that are held in memory."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.gallery_window import Window

SIDE = 8
TWINS = 100  # one image in so many is there twice
ROUNDS = 5
LASSO = 80  # corners of the outline


def choosing(count: int, classes: int, home: str) -> dict[str, Any]:
    """Return the figures of a window on `count` made-up images in `classes` classes; times in milliseconds."""
    import torch

    torch.set_num_threads(1)
    dataset, measured = made_up(count, classes)
    window = Window(Path(home))
    figures = Choosing(window, dataset, measured).figures()
    window.close()
    return figures


def made_up(count: int, classes: int) -> tuple[Any, Any]:
    """Return a data set of noise with file names, and what a model might say of it."""
    import numpy as np
    import torch

    from core.data.dataset import Dataset, ImageSet
    from core.data.preprocessing import Preprocessing
    from core.session.baseline import Answers, Baseline, SetBaseline

    rng = np.random.default_rng(0)
    names = tuple(f"class{number:05d}" for number in range(classes))

    def part(name: str, number: int) -> ImageSet:
        labels = rng.integers(0, classes, number)
        images = rng.integers(0, 256, (number, SIDE, SIDE, 1), dtype=np.uint8)
        images[: number // TWINS] = images[-(number // TWINS) :]
        order = rng.permutation(number).tolist()
        paths = tuple(f"{name}/{names[label]}/{i:07d}.jpg" for label, i in zip(labels.tolist(), order, strict=True))
        return ImageSet(torch.from_numpy(images), torch.from_numpy(labels), paths)

    def said(images: ImageSet) -> SetBaseline:
        labels, number = images.labels.numpy(), len(images)
        predicted = np.where(rng.random(number) < 0.8, labels, rng.integers(0, classes, number)).astype(np.int32)
        loss, confidence, distance, margin = (rng.gamma(2.0, 1.0, number).astype(np.float32) for _ in range(4))
        answers = Answers(loss, confidence / confidence.max(), predicted, predicted == labels, margin)
        return SetBaseline(distance, answers)

    train, test = part("train", count), part("test", count // 10)
    scaling = Preprocessing((SIDE, SIDE), (0.5,), (0.25,))
    dataset = Dataset(
        spec="made-up",
        title="Made up",
        classes=names,
        train=train,
        test=test,
        preprocessing=scaling,
        fingerprint="0" * 64,
    )
    angle = train.labels.numpy() * (2 * np.pi / classes)
    places = rng.normal(size=(count, 2)) + 4 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    accuracies = tuple(rng.random(classes).tolist())
    known = Baseline(said(train), said(test), accuracies, compact=places.astype(np.float32), explained=0.5)
    return dataset, known


class Choosing:
    """Acts in the window as a user would, each action some times, and notes medians in milliseconds."""

    def __init__(self, window: Window, dataset: Any, measured: Any) -> None:
        self.window, self.context, self.page = window, window.context, window.page
        self.dataset, self.measured = dataset, measured
        self.blocked: dict[str, float] = {}  # the longest that the window was held up, by action

    def figures(self) -> dict[str, Any]:
        """Return all figures; what has no unit in its name is in milliseconds."""
        project = self.context.project
        found: dict[str, Any] = {
            "open_ms": self.median("open", lambda: project.set_opened(None, self.dataset), self._close),
            "map_ms": self.median("map", self._measure, self._unmeasure),
        }
        found |= self._marking()
        found["classes_ms"] = self._class_table()
        found["filter_ms"], found["sort_ms"] = self._filters(), self._sorts()
        found["save_list_seconds"], found["save_list_lateness_p99_ms"] = self._saving()
        found["duplicates_seconds"], found["duplicates_lateness_p99_ms"] = self._duplicates()
        twins = self.page.tools.filters.twins
        found["filter_ms"]["duplicate"] = self.shown("duplicate", twins.setChecked, True, False)
        found["longest_block_ms"] = dict(sorted(self.blocked.items(), key=lambda item: -item[1])[:6])
        return found

    def median(self, name: str, act: Callable[[], object], before: Callable[[], object]) -> float:
        """Act some times, each time from the same start; return the median time until it was drawn."""
        took = []
        for _ in range(ROUNDS):
            self.window.took(before, self._arranged)
            total, block = self.window.took(act, self._arranged)
            took.append(total)
            self.blocked[name] = round(max(self.blocked.get(name, 0.0), block), 1)
        return round(statistics.median(took), 1)

    def shown(self, name: str, act: Callable[[Any], object], on: object, off: object) -> float:
        """Filter or order the gallery and take it back; return the median of the first."""
        found = self.median(name, lambda: act(on), lambda: act(off))
        self.window.took(lambda: act(off), self._arranged)
        return found

    def _arranged(self) -> bool:
        return not self.page.presenter.gallery.busy

    def _close(self) -> None:
        self.context.project.set_opened(None, None)

    def _measure(self) -> None:
        self.context.project.set_evaluation(baseline=self.measured)

    def _unmeasure(self) -> None:
        self.context.project.evaluation = {}
        self.context.project.evaluation_changed.emit()

    # -- choosing --------------------------------------------------------------------------------------------------

    def _marking(self) -> dict[str, float]:
        from PySide6.QtCore import Qt

        page, presenter, project = self.page, self.page.presenter, self.context.project
        table, model, view = page.class_panel.table, page.class_model, page.gallery_panel.view
        box, on = Qt.ItemDataRole.CheckStateRole, Qt.CheckState.Checked

        def some() -> None:
            project.set_selection(project.selection.cleared().with_classes([1]))

        def every_image() -> None:
            view.mark_wanted.emit(page.gallery_model.ids(0, page.gallery_model.count - 1), "add")  # Ctrl+A

        draw, let_go = self._lasso()
        return {
            "select_all_ms": self.median("select all", table.box.click, presenter.clear),
            "select_all_images_ms": self.median("select all images", every_image, presenter.clear),
            "invert_ms": self.median("invert", lambda: table.invert_wanted.emit(table.filter.rows.tolist()), some),
            "class_toggle_ms": self.median("class", lambda: model.setData(model.index(2, 0), on, box), some),
            "lasso_ms": self.median("lasso", let_go, lambda: (presenter.clear(), draw())),
            "undo_ms": self.median("undo", self.context.actions["edit.undo"].trigger, table.box.click),
        }

    def _lasso(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return what draws an outline around half of the points, and what lets go of the mouse then."""
        import numpy as np
        import pyqtgraph as pg
        from PySide6.QtCore import QEvent, QPoint, Qt
        from PySide6.QtGui import QMouseEvent
        from PySide6.QtWidgets import QApplication

        pg.setConfigOption("mouseRateLimit", -1)  # every corner counts
        port, left, none = self.page.map_panel.scatter.canvas.viewport(), Qt.MouseButton.LeftButton, Qt.MouseButton(0)
        centre, radius = port.rect().center(), 0.28 * min(port.width(), port.height())
        angles = np.linspace(0, 2 * np.pi, LASSO).tolist()
        path = [centre + QPoint(round(radius * np.cos(a)), round(radius * np.sin(a))) for a in angles]

        def send(kind: QEvent.Type, at: QPoint, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
            place = port.mapToGlobal(at).toPointF()
            event = QMouseEvent(kind, at.toPointF(), place, button, held, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(port, event)

        def draw() -> None:
            send(QEvent.Type.MouseButtonPress, path[0], left, left)
            for point in path[1:]:
                send(QEvent.Type.MouseMove, point, none, left)

        def let_go() -> None:
            send(QEvent.Type.MouseButtonRelease, path[-1], left, none)

        return draw, let_go

    def _class_table(self) -> dict[str, float]:
        from PySide6.QtCore import Qt

        panel, up, down = self.page.class_panel, Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        found = {}
        for column, name in enumerate(("name", "train", "test", "accuracy", "forget")):
            found[f"sort_{name}"] = self.median(
                f"classes by {name}",
                lambda column=column: panel.table.sortByColumn(column, down),  # type: ignore[misc]
                lambda: panel.table.sortByColumn(0, up),
            )
        panel.table.sortByColumn(0, up)
        found["search"] = self.median("search classes", lambda: panel.search.setText("7"), panel.search.clear)
        found["toggle_shown"] = self.median("classes shown", panel.table.box.click, self.page.presenter.clear)
        panel.search.clear()
        return found

    # -- what the gallery shows ------------------------------------------------------------------------------------

    def _filters(self) -> dict[str, float]:
        tools = self.page.tools
        found = {
            "class": self.shown("class filter", tools.label.setCurrentIndex, 3, 0),
            "test": self.shown("test images", tools.part.setCurrentIndex, 1, 0),
            "wrong": self.shown("wrong answers", tools.answer.setCurrentIndex, 2, 0),
        }
        panel = tools.filters
        self.page.presenter.gallery.say_limits()
        for value, (low, _) in panel.fields.items():
            found[value] = self.shown(value, low.setText, "1.5", "")
        found["name"] = self.shown("search names", tools.search.setText, "0001", "")
        return found

    def _sorts(self) -> dict[str, float]:
        from app.models.gallery import SORTS

        self.context.project.set_selection(self.context.project.selection.cleared().with_classes([1]))
        sort = self.page.tools.sort
        wanted = [key for key, _ in SORTS if key not in ("data", "near", "damage", "twins")]
        first, again = {}, {}
        for key in wanted:
            place = sort.findData(key)
            first[key], block = self.window.took(lambda place=place: sort.setCurrentIndex(place), self._arranged)  # type: ignore[misc]
            self.blocked[f"first by {key}"] = round(block, 1)
            again[key] = self.shown(f"by {key}", sort.setCurrentIndex, place, 0)
        return {**{f"{key}_first": round(took, 1) for key, took in first.items()}, **again}

    # -- what takes longer -----------------------------------------------------------------------------------------

    def _saving(self) -> tuple[float, float]:
        """Save a forget list of half of the images; return seconds, and the lateness of the event loop meanwhile."""
        project, jobs = self.context.project, self.context.jobs
        project.set_selection(project.selection.with_classes(range(0, self.dataset.num_classes, 2)))
        took = []
        with tempfile.TemporaryDirectory() as folder, self.window.watched() as lateness:
            for number in range(ROUNDS):
                self.page.presenter.similar.stop()
                began = time.perf_counter()
                self.page.presenter.lists.write(Path(folder) / f"{number}.csv")
                self.window.wait(lambda: not jobs.active())
                took.append(time.perf_counter() - began)
        return round(statistics.median(took), 2), lateness.at(0.99)

    def _duplicates(self) -> tuple[float, float]:
        """Ask for images that have a duplicate; return seconds until they are known, and the lateness meanwhile."""
        began = time.perf_counter()
        with self.window.watched() as lateness:
            self.page.tools.filters.twins.setChecked(True)
            self.window.wait(lambda: self.page.presenter.gallery.images.twins is not None and self._arranged())
        seconds = time.perf_counter() - began
        self.window.took(lambda: self.page.tools.filters.twins.setChecked(False), self._arranged)
        return round(seconds, 1), lateness.at(0.99)
