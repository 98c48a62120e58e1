"""The plots beside the table: curves by model, bars by class, pictures with linked hover and choice."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest

from app.pages.verify.class_tabs import NO_IMAGES, ConfusionTab, DamageTab
from app.pages.verify.curves import ProfilePlot, SpectraTab
from app.pages.verify.image_tabs import HOVER, EmbeddingTab
from app.services.theme import theme
from core.errors import InputError
from core.session.feature_maps import Embeddings
from tests.app.verify.reports import CLASSES, bare_report, full_report


def alignments(report: dict) -> dict:
    return {key: found["dimensional_alignment"] for key, found in report["models"].items()}


def test_the_profile_has_a_curve_a_model_and_labels_at_k(qtbot):
    plot = ProfilePlot()
    qtbot.addWidget(plot)
    plot.set_alignments(alignments(full_report()))
    plot.flush()
    assert len(plot.series("unlearned")) == 12
    assert plot.caption() == "k = 9 · 96 % of retain energy · not centred"
    labels = {label.key: label for label in plot.margin.labels()}
    assert labels["unlearned"].text == "Unlearned 0.950" and labels["unlearned"].value == 0.95
    assert set(labels) == {"original", "unlearned", "retrained", "floor"}


def test_without_a_retrained_model_its_curve_is_empty(qtbot):
    plot = ProfilePlot()
    qtbot.addWidget(plot)
    plot.set_alignments(alignments(bare_report()))
    plot.flush()
    assert len(plot.series("retrained")) == 0
    assert "retrained" not in {label.key for label in plot.margin.labels()}


def test_spectra_have_a_panel_a_set_and_gaps_where_eigenvalues_are_rounding(qtbot):
    tab = SpectraTab()
    qtbot.addWidget(tab)
    tab.set_report(full_report())
    forget = tab.panels["forget"]
    forget.flush()
    values = forget.series("unlearned").y
    assert np.isfinite(values[:10]).all() and np.isnan(values[10:]).all()
    assert forget.caption() == "effective rank: original 2.0, unlearned 2.0, retrained 2.0"
    assert {label.text for label in forget.margin.labels()} == {"Original", "Unlearned", "Retrained"}


def test_spectra_scroll_in_a_low_window_and_nothing_lies_on_the_axis(qtbot):
    tab = SpectraTab()
    qtbot.addWidget(tab)
    tab.set_report(full_report())
    tab.resize(335, 230)  # beside the table at 1280 × 720, beneath the lanes
    tab.grab()  # lays it out
    for panel in tab.panels.values():
        assert panel.caption_label.isVisibleTo(panel)
        assert not panel.caption_label.geometry().intersects(panel.canvas.geometry())
        assert panel.canvas.height() >= 70


def test_confusion_shows_where_forget_images_go_beside_retrained(qtbot):
    tab = ConfusionTab()
    qtbot.addWidget(tab)
    tab.set_report(full_report())
    rows = tab.figure.rows
    assert [row.name for row in rows] == ["8", "3"]
    assert rows[0].values == {"unlearned": 1.0, "retrained": 1.0}
    assert rows[1].forgotten
    assert "8: Unlearned 100 %, Retrained 100 %" in tab.figure.bars.accessibleDescription()


def test_confusion_says_what_a_missing_reference_means(qtbot):
    tab = ConfusionTab()
    qtbot.addWidget(tab)
    tab.set_report(bare_report())
    assert tab.figure.caption().startswith("No retrained model yet")
    assert set(tab.figure.rows[0].values) == {"unlearned"}


def test_without_unseen_forget_images_there_is_a_sentence(qtbot):
    report = bare_report()
    report["models"]["unlearned"]["forget_predictions"] = None
    tab = ConfusionTab()
    qtbot.addWidget(tab)
    tab.show()
    tab.set_report(report)
    assert tab.empty.isVisible() and tab.empty.text() == NO_IMAGES
    assert not tab.figure.isVisible()


def test_damage_is_worst_first_and_leaves_the_forgotten_class_out(qtbot):
    report = full_report()
    report["models"]["unlearned"]["per_class"] = [0.95, 0.5, 0.95, 0.0, 0.9, None, 1.0, 0.95, 0.95, 0.95]
    tab = DamageTab()
    qtbot.addWidget(tab)
    tab.set_report(report)
    rows = tab.figure.rows
    assert [row.name for row in rows][:2] == ["1", "4"]
    assert rows[0].values["unlearned"] == pytest.approx(-0.45)
    assert rows[-1].name == "6"
    assert "3" not in [row.name for row in rows] and "were to be forgotten: 3." in tab.figure.caption()
    tab.resize(400, 300)
    tab.show()
    assert not tab.grab().isNull()
    axes = {side: tab.figure.drawing.getPlotItem().getAxis(side) for side in ("left", "top", "right")}
    assert all(axis.style["showValues"] for axis in axes.values())  # the names, the scale and the numbers
    assert axes["right"].width() > 30 and axes["top"].height() > 10


# ---- pictures


@pytest.fixture
def found() -> Embeddings:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(10), 3)
    points = generator.normal(size=(30, 2)).astype(np.float32)
    dataset = SimpleNamespace(test=SimpleNamespace(images=torch.full((30, 8, 8, 1), 7, dtype=torch.uint8)))
    return Embeddings(
        points={"original": points, "unlearned": -points, "retrained": points[:, ::-1].copy()},
        explained={"original": 0.5, "unlearned": 0.4, "retrained": 0.3},
        predictions={"original": labels, "unlearned": np.where(labels == 3, 8, labels), "retrained": labels},
        labels=labels, forget=labels == 3, unseen=np.ones(30, bool), ids=np.arange(30),
        class_names=tuple(CLASSES), dataset=dataset,
    )  # fmt: skip


@pytest.fixture
def tab(qtbot, found) -> EmbeddingTab:
    made = EmbeddingTab()
    qtbot.addWidget(made)
    made.resize(420, 420)
    made.show()
    made.set_looks(found, None)
    return made


def ring(tab: EmbeddingTab, model: str) -> list[tuple[float, float]]:
    data = tab.maps.panels[model].marked.data
    return list(zip(data["x"].tolist(), data["y"].tolist(), strict=True))


def test_pictures_are_asked_for_when_they_are_looked_at(qtbot):
    tab = EmbeddingTab()
    qtbot.addWidget(tab)
    with qtbot.waitSignal(tab.wanted):
        tab.show()


def test_what_is_hovered_in_one_picture_is_ringed_in_the_others(tab, found):
    tab.maps.panels["original"].hovered.emit(10)
    assert ring(tab, "original") == []  # draws its own
    assert ring(tab, "unlearned") == [pytest.approx(found.points["unlearned"][10].tolist())]
    assert ring(tab, "retrained") == [pytest.approx(found.points["retrained"][10].tolist())]
    assert "3 · unseen image 10 · to forget" in tab.maps.words.text()
    assert "Original 3, Unlearned 8, Retrained 3" in tab.maps.words.text()
    assert tab.maps.thumbnail.isVisible()
    tab.maps.panels["original"].hovered.emit(-1)
    assert ring(tab, "unlearned") == [] and tab.maps.words.text() == HOVER


def test_an_image_whose_file_is_gone_is_named_where_it_is_pointed_at(tab, found, monkeypatch):
    def gone(position):
        raise InputError(f"test/a{position}.png was there and cannot be read now", "Put the file back")

    monkeypatch.setattr(Embeddings, "image", lambda self, position: gone(position))
    tab.maps.panels["original"].hovered.emit(10)
    assert "unseen image 10" in tab.maps.words.text() and "test/a10.png was there" in tab.maps.words.text()
    assert tab.maps.thumbnail.pixmap().isNull()
    monkeypatch.undo()
    tab.maps.panels["original"].hovered.emit(10)
    assert "Unlearned 8" in tab.maps.words.text() and not tab.maps.thumbnail.pixmap().isNull()


def test_a_click_keeps_the_image_and_a_second_one_lets_it_go(tab):
    plot = tab.maps.panels["unlearned"]
    plot.clicked.emit(4, "replace")
    plot.hovered.emit(-1)
    assert all(len(panel.picked.data) == 1 for panel in tab.maps.panels.values())
    assert tab.maps.words.text().startswith("1 · unseen image 4") and tab.maps.thumbnail.isVisible()
    plot.clicked.emit(4, "replace")
    assert all(len(panel.picked.data) == 0 for panel in tab.maps.panels.values())
    assert tab.maps.words.text() == HOVER


def test_a_click_on_a_ringed_image_is_the_maps(qtbot, tab):
    """The ring kept it: what the mouse points at is ringed, so no click was told."""
    plot = tab.maps.panels["unlearned"]
    tab.resize(700, 500)
    tab.show()
    plot.flush()
    tab.grab()
    plot.hovered.emit(4)
    at = plot.canvas.mapFromScene(plot.view.mapViewToScene(QPointF(*plot._points[4].tolist())))
    told = []
    plot.clicked.connect(lambda index, _mode: told.append(index))
    QTest.mouseClick(plot.canvas.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told == [4]


@pytest.mark.parametrize("high", [283, 200])  # beside the lanes of the example at 1280 x 720; with a banner above
def test_pictures_lie_over_nothing_in_the_smallest_window(tab, high):
    tab.resize(theme.px(428), theme.px(high))
    tab.grab()
    assert high < 283 or tab.maps.height() == tab.maps.parentWidget().height()
    assert tab.maps.height() < theme.px(283)
    assert tab.minimumSizeHint().height() <= theme.px(high)
    for panel in tab.maps.panels.values():
        shown = [part for part in panel.children() if getattr(part, "isVisible", bool)() and not part.isWindow()]
        assert all(not part.geometry().intersects(panel.canvas.geometry()) for part in shown if part != panel.canvas)
        assert panel.canvas.geometry().bottom() < panel.height()
        assert "% of variance" in panel.head.text()


def test_what_is_chosen_in_one_picture_is_chosen_in_all(tab):
    plot = tab.maps.panels["retrained"]
    plot.selection_drawn.emit(np.array([9, 10, 1]), "replace")
    plot.selection_drawn.emit(np.array([2, 1]), "add")
    plot.selection_drawn.emit(np.array([9]), "remove")
    for panel in tab.maps.panels.values():
        assert len(panel.picked.data) == 3
    assert tab.maps.words.text() == "3 images chosen, 1 of them to forget"


def test_without_a_retrained_model_there_are_two_pictures(tab, found):
    two = {key: found.points[key] for key in ("original", "unlearned")}
    fields = {name: getattr(found, name) for name in found.__dataclass_fields__}
    tab.set_looks(Embeddings(**{**fields, "points": two}), None)
    assert tab.maps.panels["retrained"].isHidden()
    assert not tab.maps.panels["unlearned"].isHidden()


def test_a_picture_that_failed_can_be_tried_again(qtbot, tab):
    tab.show_problem("The data moved.")
    assert tab.empty.text() == "The pictures could not be made: The data moved."
    with qtbot.waitSignal(tab.wanted):
        tab.empty.button.click()


def saved(figure, folder) -> list[list[str]]:
    """Save a figure in every form and return the rows of its table."""
    for name in ("figure.png", "figure.svg", "figure.csv"):
        figure.save_to(folder / name)
        assert (folder / name).stat().st_size > 200, name
    with (folder / "figure.csv").open(encoding="utf-8") as file:
        return list(csv.reader(line for line in file if not line.startswith("#")))


def test_bars_by_class_can_be_taken_along(qtbot, tmp_path):
    page = DamageTab()
    qtbot.addWidget(page)
    page.resize(400, 300)
    page.show()
    page.set_report(full_report())
    tab = page.figure
    tab.provenance = "run-1"
    rows = saved(tab, tmp_path)
    assert rows[0] == ["class", "Unlearned", "Retrained"] and len(rows) == 10
    assert "● Unlearned · ◆ Retrained" in [text for text, *_ in tab.texts()]
    assert "# Run: run-1" in (tmp_path / "figure.csv").read_text(encoding="utf-8")
    assert tab.said.text() == "Saved figure.csv"
    tab.save_to(tmp_path / "missing" / "figure.csv")
    assert tab.said.text().startswith("Not saved:")


def test_maps_can_be_taken_along(tab, found, tmp_path):
    tab.resize(400, 400)
    tab.show()
    rows = saved(tab.maps, tmp_path)
    assert rows[0][:4] == ["image", "part", "class", "forget"] and "Unlearned, x" in rows[0]
    assert len(rows) == 1 + len(found.labels)
    column = rows[0].index("Unlearned, y")
    assert float(rows[1][column]) == pytest.approx(float(found.points["unlearned"][0, 1]))
