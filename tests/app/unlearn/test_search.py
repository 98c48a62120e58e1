"""The search for settings in the window: asked for, under way, stopped, and what becomes of what it found."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt

from app.dialogs.search_settings import TryTableModel
from app.pages.unlearn import UnlearnPage
from app.pages.unlearn.search_presenter import outcome
from app.services import run_words as words
from core.events import State
from core.runs.folder import TUNING, RunFolder
from core.session import tuning
from core.session.judging import Readings
from core.session.tuning import Try, Tuning
from tests.app.helpers import cut_off, unnamed
from tests.app.scripted import Stepped, job

TRIES = (
    Try(1, {"lr": 0.05}, 1.0, 10, retain=0.9, forget=0.5, score=0.5, allowed=True),
    Try(2, {"lr": 0.5}, 1.0, 10, retain=0.6, forget=0.0, samples=0.25, trigger=0.75, score=0.3, allowed=False),
    Try(3, {"lr": 0.1}, 2.0, 10, retain=0.95, forget=0.0, score=0.02, allowed=True),
    Try(4, {"lr": 9.0}, 0.5, 3, reason="The loss became infinite at step 3"),
)
FOUND = Tuning("finetune", ("lr",), "a gap", Readings(0.97, 0.0, None), 1000, 1000, 4, TRIES, True)


@pytest.fixture
def page(opened, qtbot) -> UnlearnPage:
    made = UnlearnPage(opened)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    made.entered()
    made.setup.methods.tick("finetune", only=True)
    made.setup.parameters.form.set_values({"epochs": 0.5, "min_steps": 0})
    qtbot.waitUntil(lambda: made.presenter.setup.plan is not None, timeout=20_000)
    return made


@pytest.fixture
def dialog(page, qtbot):
    page.setup.parameters.search.click()
    made = page.presenter.setup.search.dialog
    assert made is not None and made.isVisible()
    made.tries.setValue(2)
    context = page.context
    yield made
    qtbot.waitUntil(lambda: not context.run_controller.busy, timeout=30_000)


def over(page, qtbot) -> None:
    qtbot.waitUntil(lambda: not page.presenter.setup.search.going, timeout=30_000)


# ---- the table


def titles(model: TryTableModel) -> list[str]:
    return [model.headerData(column, Qt.Orientation.Horizontal) for column in range(model.columnCount())]


def test_tries_stand_best_first_with_why_the_others_do_not(qapp, qtmodeltester):
    model = TryTableModel()
    model.set_searched({"lr": "Step size"})
    qtmodeltester.check(model)
    model.set_tries(TRIES)
    qtmodeltester.check(model)
    assert titles(model) == [
        "Try", "Step size", "Retain, %", "Forget, %", "Forget images, %", "Trigger, %", "Gap", "Time", "",
    ]  # fmt: skip
    model.set_used(3)
    rows = [[model.data(model.index(row, column)) for column in range(9)] for row in range(4)]
    assert rows[0] == ["3", "0.1", "95.0", "0.0", "–", "–", "0.0200", "2 s", "✓ used"]
    assert [row[0] for row in rows] == ["3", "1", "2", "4"]
    assert [row[-1] for row in rows[1:]] == ["", "retain too low", "The loss became infinite at step 3"]
    assert rows[2][4:6] == ["25.0", "75.0"] and rows[3][2:7] == ["–", "–", "–", "–", "–"]
    model.set_used(1)
    assert model.data(model.index(0, 8)) == "best" and model.data(model.index(1, 8)) == "✓ used"


def test_tries_that_come_leave_the_chosen_one_chosen(qapp):
    model = TryTableModel()
    model.set_searched({"lr": "Step size"})
    model.set_tries(TRIES[:2])
    chosen = QPersistentModelIndex(model.index(0, 0))  # try 1
    model.set_tries(TRIES)
    assert chosen.isValid() and model.data(model.index(chosen.row(), 0)) == "1" and chosen.row() == 1


def test_the_outcome_in_words():
    assert outcome(FOUND) == (
        "Used: try 3. Judged by a gap; wanted: retain 97.0 %, forget 0.0 %."
    )
    corrected = dataclasses.replace(FOUND, goal=Readings(0.97, None, None, 0.02))
    assert outcome(corrected).endswith("wanted: retain 97.0 %, trigger 2.0 %.")
    stopped = dataclasses.replace(FOUND, tries=TRIES[:1], complete=False)
    assert outcome(stopped).startswith("Stopped after 1 try. Used: try 1. ")
    assert outcome(stopped).endswith("start from another preset, or vary more.")


# ---- the search itself


def test_a_search_runs_in_the_run_thread_and_its_best_settings_are_used(page, dialog, qtbot):
    assert "2 tries take" in dialog.outcome.text() and dialog.varied.text().startswith("Step size, ")
    dialog.accept()
    assert page.presenter.setup.search.going and page.context.run_controller.current.kind == "search"
    assert not dialog.stop.isHidden() and dialog.accept_button.isHidden() and not dialog.tries.isEnabled()
    over(page, qtbot)
    assert dialog.model.rowCount() == 2 and dialog.model.data(dialog.model.index(0, 8)) == "✓ used"
    best = dialog.model.try_at(0)
    assert page.setup.parameters.form.values()["lr"] == best.values["lr"]
    assert page.setup.parameters.form.values()["epochs"] == 0.5  # what the user set stays
    assert dialog.outcome.text().startswith(f"Used: try {best.number}. ")
    assert page.view == "setup" and page.context.project.run is None  # a search is no run
    assert dialog.table.isColumnHidden(dialog.model.columnCount() - 4) and not dialog.table.isColumnHidden(2)


def test_a_run_with_found_settings_says_how_they_were_found(page, dialog, qtbot):
    dialog.accept()
    over(page, qtbot)
    qtbot.waitUntil(lambda: page.presenter.setup.plan is not None, timeout=20_000)
    page.presenter.start()
    qtbot.waitUntil(lambda: page.context.project.run is not None and page.context.project.run.ended, timeout=30_000)
    folder = page.context.project.run.folder
    part = folder.job().tuning
    assert part is not None and part.tried == 2 and part.searched == ("lr",)
    from core.files import file_sha256

    assert part.sha256 == file_sha256(folder.file(TUNING))


def test_settings_changed_afterwards_are_the_users_own(page, dialog, qtbot):
    dialog.accept()
    over(page, qtbot)
    work, kept = next(iter(page.presenter.setup.search._jobs.values()))
    assert page.presenter.setup.search.origin(work) == (work, kept)
    other = dataclasses.replace(work, parameters={**work.parameters, "epochs": 0.25}, tuning=None)
    assert page.presenter.setup.search.origin(other) == (other, None)


def test_another_try_can_be_used(page, dialog, qtbot):
    dialog.accept()
    over(page, qtbot)
    dialog.table.selectRow(1)
    dialog.use.click()
    second = dialog.model.try_at(1)
    assert page.setup.parameters.form.values()["lr"] == second.values["lr"]
    assert dialog.model.data(dialog.model.index(1, 8)) == "✓ used"
    project = page.context.project
    project.set_selection(project.selection.cleared().with_samples(range(40)))
    page.setup.parameters.form.set_values({"lr": 0.07})
    dialog.table.selectRow(0)
    dialog.use.click()  # found for another forget set
    assert page.setup.parameters.form.values()["lr"] == 0.07
    assert dialog.outcome.text().endswith("has changed since this search began, so its settings were not used.")


def test_a_search_that_is_stopped_keeps_what_it_tried_and_goes_on_from_there(page, dialog, qtbot, monkeypatch):
    dialog.tries.setValue(500)
    dialog.accept()
    qtbot.waitUntil(lambda: dialog.model.rowCount() >= 1, timeout=30_000)
    dialog.stop.click()
    over(page, qtbot)
    assert dialog.outcome.text().startswith("Stopped after ")
    monkeypatch.setattr(tuning._Trials, "attempt", lambda *a: pytest.fail("tried again"))
    dialog.tries.setValue(1)
    page.setup.parameters.form.set_values({"lr": 0.2})
    page.setup.parameters.search.click()
    dialog.accept()
    over(page, qtbot)
    assert dialog.model.rowCount() == 1 and dialog.outcome.text().startswith("Used: try 1")


def test_closing_the_dialog_leaves_the_search_going(page, dialog, qtbot):
    dialog.accept()
    dialog.close()
    assert page.presenter.setup.search.going
    over(page, qtbot)
    assert "Used: try" in page.context.notifications.history[-1].text
    page.setup.parameters.search.click()
    assert dialog.isVisible() and dialog.model.rowCount() == 2  # what was tried is still there


def test_a_search_waits_for_the_run_under_way_and_can_be_taken_back(page, opened, qtbot, tmp_path):
    work = Stepped()
    opened.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    page.setup.parameters.search.click()
    dialog = page.presenter.setup.search.dialog
    dialog.accept()
    assert dialog.progress.text() == "Waiting for the run before it to end."
    dialog.stop.click()
    assert not page.presenter.setup.search.going and not opened.run_controller.queue
    work.end()
    qtbot.waitUntil(lambda: not opened.run_controller.busy)
    dialog.close()


def test_a_failure_is_said_in_the_dialog(page, dialog, qtbot, monkeypatch):
    from core.errors import InputError

    def fail(*args, **kwargs):
        raise InputError("There are too few test images to search for settings", "Choose settings by hand")

    monkeypatch.setattr("core.session.tuning.tune", fail)
    dialog.accept()
    over(page, qtbot)
    assert dialog.outcome.text() == "There are too few test images to search for settings. Choose settings by hand."
    assert not dialog.accept_button.isHidden()


def test_a_method_without_settings_to_search_offers_none(page):
    page.setup.methods.tick("head-only", only=True)
    method = page.setup.methods.choice("head-only").method
    assert page.setup.parameters.search.isVisible() == bool(method.searched)


def test_everything_in_the_dialog_has_a_name_and_is_whole(page, dialog, qtbot):
    assert not unnamed(dialog)
    dialog.accept()
    over(page, qtbot)
    assert not unnamed(dialog) and not cut_off(dialog)


def test_a_search_in_words(page, opened, dialog):
    dialog.accept()
    run = opened.run_controller.current
    assert not run.makes_model and not run.can("pause") and run.can("stop")
    assert words.close_question(run) == "A search for settings is going."
    run.state = State.FINISHED
    assert words.ending(run) == "Settings tried."
    run.state = State.STOPPED
    assert words.ending(run) == "The search was stopped. What was tried is kept."
    run.state = State.RUNNING
