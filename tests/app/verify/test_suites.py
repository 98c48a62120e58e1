"""Quick and full checks from the menu, and numbers that appear while a check goes on."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from app.models.tables import TwoLevels
from app.pages.verify.curves import NOT_YET
from app.pages.verify.verdict_card import CHECKING, NOT_COMPARED
from core.events import MeasureTaken
from core.runs.waiting import Check
from core.verify.measure_log import merge, partial_report
from core.verify.table import PUBLISHED, published_rows
from tests.app.verify.reports import attacked_report, bare_report, full_report, measures


def take(controller, model: str, values: dict) -> None:
    run = controller.current
    run.apply([MeasureTaken(run=run.id, step=0, time=time.time(), model=model, values=values)])
    controller.state_changed.emit(run)


def shown(table: TwoLevels, title: str, column: int) -> str | None:
    flags = Qt.MatchFlag.MatchStartsWith | Qt.MatchFlag.MatchRecursive
    found = table.match(table.index(0, 0), Qt.ItemDataRole.DisplayRole, title, 1, flags)
    return found[0].siblingAtColumn(column).data() if found else None


def test_the_menu_offers_both_suites_and_the_models_row_up_to_five_retrained_models(checked, controller):
    card, menu = checked.verdict, checked.models.menu
    assert card.suite_actions.keys() == {"quick", "full"}
    menu.aboutToShow.emit()
    seeds = {action.text()[:6]: action for action in menu.actions() if action.isCheckable()}
    assert [title for title, action in seeds.items() if action.isChecked()] == ["Seed 1", "Seed 2"] and len(seeds) == 5
    seeds["Seed 3"].trigger()
    assert checked.presenter.checks.wanted.seeds == {1, 2, 3}
    assert checked.models.hint.text() == "Run checks to take this in."
    card.suite_actions["full"].trigger()
    assert controller.asked[-1] == Check((1, 2, 3), which="full")


def test_full_checks_without_a_retrained_model_train_three(unchecked, controller, context):
    context.actions.trigger("verify.check_full")
    assert controller.asked[-1] == Check((1, 2, 3), which="full")


def on_disk(page, *seeds):
    """Have these retrained models on disk for the run in view."""
    page.presenter.take(replace(page.presenter.facts, trained=seeds))


@pytest.mark.parametrize("start", [lambda page: page.verdict.suite_actions["quick"].trigger(),
                                   lambda page: page.context.actions.trigger("verify.check")])  # fmt: skip
@pytest.mark.parametrize(("trained", "taken"), [((), (1,)), ((2, 5, 7), (2, 5, 7))])
def test_quick_checks_without_a_ticked_model_take_those_on_disk_else_train_one(
    unchecked, controller, trained, taken, start
):
    on_disk(unchecked, *trained)
    start(unchecked)
    assert controller.asked[-1] == Check(taken)


def test_models_that_were_opened_are_enough_for_quick_checks(unchecked, controller, tmp_path):
    on_disk(unchecked, 1, 2)
    unchecked.presenter.checks.open_retrained(tmp_path / "other.pt")
    assert controller.asked[-1].seeds == ()


def test_full_checks_take_all_that_are_on_disk_and_train_up_to_three(unchecked, controller, context):
    on_disk(unchecked, 2, 7)
    context.actions.trigger("verify.check_full")
    assert controller.asked[-1].seeds == (1, 2, 3, 7)


def test_retrained_models_on_disk_are_never_called_none(unchecked, context):
    on_disk(unchecked, 1, 2, 3)
    assert unchecked.missing() == "Compares with 3 retrained models on disk." and not unchecked.offer.isVisible()
    assert unchecked.verdict.sentence.text() == NOT_COMPARED
    assert "Retrained: 3 on disk" in unchecked.models.retrained.text()
    assert context.page_states.get("verify") == ("ready", "Not compared yet")
    said = [label.text() for label in unchecked.findChildren(QLabel) if label.isVisible()]
    assert not [text for text in said if "o retrained model" in text or "none yet" in text]


def test_numbers_appear_as_they_are_measured_and_the_verdict_waits(qtbot, checked, controller):
    checked.presenter.checks.run("full")
    before = shown(checked.measures.table, "Linear probe", 1)
    take(controller, "original", {"forget_test_accuracy": 0.5})
    assert checked.verdict.sentence.text() == CHECKING
    assert shown(checked.measures.table, "Forget accuracy, unseen", 1) == "50.0"
    assert before == "98.0" and shown(checked.measures.table, "Linear probe", 1) is None
    controller.finish()
    qtbot.waitUntil(lambda: shown(checked.measures.table, "Linear probe", 1) == before)
    assert checked.verdict.sentence.text() == full_report()["verdict"]["sentence"]


def test_a_full_check_that_was_started_elsewhere_is_not_said_to_need_full_checks(unchecked, controller):
    """As the example's own check: it begins without anybody having asked this page for it."""
    run = controller.start_reference(unchecked.presenter.facts.folder, Check((1,), which="full"))
    run.check = Check((1,), which="full")  # as the controller notes it
    controller.run_started.emit(run)
    take(controller, "original", {"forget_test_accuracy": 0.5})
    assert unchecked.plots.tab("Relearn").empty.text() == NOT_YET


def test_a_half_measured_report_has_positions_but_no_verdict():
    taken: dict = {}
    for model, forget in (("original", 0.98), ("unlearned", 0.0), ("seed 1", 0.02), ("seed 2", 0.0)):
        merge(taken.setdefault(model, {}), {"forget_test_accuracy": forget, "membership": {"population": {"auc": 0.5}}})
        merge(taken.setdefault(model, {}), {"membership": {"rmia": {"auc": 0.6}}})
    found = partial_report(full_report(), taken, "full")
    assert found["models"]["unlearned"]["membership"] == {"population": {"auc": 0.5}, "rmia": {"auc": 0.6}}
    assert set(found["retrained"]) == {"seed 1", "seed 2"} and found["suite"] == "full"
    row = next(row for row in found["verdict"]["measures"] if row["key"] == "forget_accuracy")
    assert row["informative"] and row["position"] > 0.9
    assert found["verdict"]["code"] is None and found["verdict"]["sentence"] == ""


def test_what_a_method_was_trained_on_stays_known_while_a_check_goes_on():
    taken = {"original": measures(0.98, 0.98, 0.7), "unlearned": measures(0, 0.9, 0.9), "seed 1": measures(0, 0.9, 0.9)}
    rows = partial_report(full_report(), taken, "quick")["verdict"]["measures"]
    assert [row["key"] for row in rows if row["trained_on"]] == ["dimensional_alignment"]


def test_published_measures_are_a_group_without_bars():
    rows = published_rows(attacked_report())
    assert [row.key for row in rows] == ["published_ua", "published_tow"]
    assert {row.group for row in rows} == {PUBLISHED} and all(row.verdict is None for row in rows)
    assert rows[1].retrained == (0.97, 0.99) and rows[1].values["retrained"] == 0.98
    assert "None is good for being high or low" in rows[0].explanation
    assert published_rows(bare_report()) == ()


def test_new_numbers_in_the_same_rows_keep_what_is_selected(show, make_folder):
    page = show(make_folder(attacked_report()))
    view = page.measures
    assert view.table.index(view.table.rowCount() - 1, 0).data() == PUBLISHED
    chosen = view.table.index(1, 0, view.table.index(0, 0))
    view.setCurrentIndex(chosen)
    changed = attacked_report()
    changed["models"]["unlearned"]["forget_accuracy"] = 0.25
    from app.pages.verify.checks import rows_of

    view.set_rows(rows_of(changed), gaps=True)
    assert view.currentIndex() == chosen
    assert shown(view.table, "Forget accuracy, training", 3) == "25.0"
