"""A model that is the result of an earlier run: what it forgot is told, marked, and cannot be chosen again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.models.class_table import NAME
from app.pages.forget import ForgetPage
from app.widgets.frame import matches
from core.runs.folder import CARD, FORGET, MODEL, RunFolder
from core.session.baseline import baseline
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from core.session.near import near_dict
from tests.app.runner import context, example, example_home, home, opened

__all__ = ["context", "example", "example_home", "home", "opened"]


@pytest.fixture
def result(example, tmp_path):
    """A run that forgot class 3, as good as ended."""

    def make(name: str, bench: Bench, selection, method: str = "finetune") -> RunFolder:
        job = make_unlearn_job(bench.on("cpu", threads=1), selection, method)
        folder = create_run(tmp_path / name, job, selection, bench.dataset)
        source = example.bench.model.path
        shutil.copy(source, folder.file(MODEL))
        shutil.copy(source.with_name(CARD), folder.file(CARD))
        return folder

    return make


@pytest.fixture
def page(opened, qtbot):
    opened.actions.add("edit.undo", "Undo", opened.project.undo_selection)  # as the window does
    opened.actions.add("edit.redo", "Redo", opened.project.redo_selection)
    made = ForgetPage(opened)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    yield made
    made.left()
    made.thumbnails.shutdown()


def test_an_original_has_no_earlier_requests(page, opened, qtbot):
    qtbot.waitUntil(lambda: page.presenter.earlier.found is not None)
    assert page.earlier_card.isHidden() and page.presenter.earlier.mask is None


def test_what_was_forgotten_before_is_told_and_cannot_be_chosen(page, opened, example, result, qtbot):
    first = result("first", example.bench, example.selection)
    dataset = example.bench.dataset
    made = Bench(None, dataset).open_beside(first.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    opened.project.set_selection(opened.project.selection.cleared())
    qtbot.waitUntil(lambda: page.earlier_card.isVisible(), timeout=10_000)
    gone = example.selection.count
    assert page.earlier_card.words.text().startswith(f"{gone} images were forgotten already by this model.")
    _, line = page.earlier_card.words.text().splitlines()
    assert line == f"1. class 3: {gone} images, by finetune (run first)"
    opened.project.set_selection(example.selection)  # as it was before the model was opened
    assert page.summary.text().endswith(f"{gone} of them already forgotten")
    opened.project.set_selection(opened.project.selection.cleared())

    later = make_unlearn_job(
        Bench(opened.project.opened_model, dataset), opened.project.selection.with_classes([5]), "finetune"
    )
    for classes, fits in (([5], True), ([6], False), ([5, 6], False)):
        opened.project.set_selection(opened.project.selection.cleared().with_classes(classes))
        assert matches(opened.project, later) is fits
    opened.project.set_selection(opened.project.selection.cleared())

    box = page.class_model.index(3, NAME)
    assert box.data() == "3 · forgotten" and not box.flags() & Qt.ItemFlag.ItemIsUserCheckable
    assert box.data(Qt.ItemDataRole.CheckStateRole) is None
    assert "already forgotten" in box.data(Qt.ItemDataRole.ToolTipRole)
    image = int(np.flatnonzero(example.selection.mask)[0])
    cell = page.gallery_model.index_of(page.gallery_model.cell_of(image))
    assert page.gallery_model.cell(cell).earlier and "Already forgotten" in cell.data(Qt.ItemDataRole.ToolTipRole)

    page.presenter.toggle_classes([3, 5], True)
    assert opened.project.selection.complete_classes == (5,)
    assert f"{gone} already forgotten" in page.confirmed.text()
    assert page.summary.text().endswith(f"plus {gone} images forgotten earlier")
    page.presenter.toggle_classes([c for c in range(10) if c != 3], True)
    shown = page.class_panel.table.filter.rows
    assert page.class_model.states(shown) == Qt.CheckState.Checked  # all that can be chosen is
    assert page.missing() == "At least one class must stay."  # with what was forgotten before, none would


def test_a_correction_after_forgetting_is_refused_and_can_be_taken_back(page, opened, example, result, qtbot):
    first = result("first", example.bench, example.selection)
    made = Bench(None, example.bench.dataset).open_beside(first.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    opened.project.set_selection(opened.project.selection.cleared())
    qtbot.waitUntil(lambda: page.earlier_card.isVisible(), timeout=10_000)
    opened.project.set_selection(opened.project.selection.with_classes([5]).correcting())
    assert page.missing().startswith("A correction cannot follow the run first, which was forgetting")
    assert not page.next_button.isEnabled() and page.correct_box.isVisible()
    page.correct_box.click()
    assert page.missing() == "" and page.next_button.isEnabled()


def test_what_is_near_the_forget_set_leaves_out_what_was_forgotten_before(page, opened, example, result, qtbot):
    first = result("first", example.bench, example.selection)
    dataset = example.bench.dataset
    made = Bench(None, dataset).open_beside(first.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    opened.project.set_selection(opened.project.selection.cleared().with_classes([5]))
    bench = opened.project.bench
    opened.project.set_evaluation(baseline=baseline(bench.on("cpu")))
    qtbot.waitUntil(lambda: page.presenter.earlier.mask is not None)
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("near"))
    gone, chosen = example.selection.mask, opened.project.selection.mask
    kept = int((~(gone | chosen)).sum())
    images = page.presenter.gallery.images
    qtbot.waitUntil(lambda: images.near is not None and images.near.gone is not None)
    model = page.gallery_model

    def arranged() -> bool:
        first, last = model.ids(0, kept - 1), model.ids(model.count - int(gone.sum()), model.count - 1)
        return not (gone | chosen)[first].any() and gone[last].all()

    qtbot.waitUntil(arranged)
    near = images.near
    assert not np.isin(near.order(), np.flatnonzero(gone | chosen)).any() and len(near.order()) == kept
    assert {row["class"] for row in near_dict(near, dataset, most=1)["classes"]} == set(dataset.classes) - {"3", "5"}


def test_all_requests_of_a_chain_are_told_with_their_runs(page, opened, example, result, qtbot):
    dataset = example.bench.dataset
    first = result("first", example.bench, example.selection)
    bench = Bench(Bench(None, dataset).open_beside(first.path), dataset, example.bench.options)
    second = result("second", bench, example.selection.cleared().with_classes([5]), "head-only")
    made = Bench(None, dataset).open_beside(second.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    qtbot.waitUntil(lambda: page.earlier_card.isVisible(), timeout=10_000)
    _, one, two = page.earlier_card.words.text().splitlines()
    assert one.startswith("1. class 3") and "run first" in one
    assert two.startswith("2. class 5") and "by head-only" in two
    assert page.presenter.earlier.mask.sum() == np.isin(dataset.train.labels.numpy(), (3, 5)).sum()


def test_a_chain_that_cannot_be_known_is_said(page, opened, example, result, qtbot):
    first = result("first", example.bench, example.selection)
    first.file(FORGET).unlink()
    made = Bench(None, example.bench.dataset).open_beside(first.path)
    opened.project.set_opened(made, opened.project.dataset, opened.project.data_options)
    qtbot.waitUntil(lambda: bool(opened.notifications.history), timeout=10_000)
    assert opened.notifications.history[-1].sentence.startswith("No later request can start from this model.")
    assert page.earlier_card.isHidden()
