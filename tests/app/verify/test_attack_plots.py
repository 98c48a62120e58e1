"""Attack and relearning curves: what is drawn, what is said, and the way to what is missing."""

from __future__ import annotations

import pytest

from app.pages.verify.curves import NO_ATTACK, NOT_YET, RelearningTab, RocTab
from app.pages.verify.plots_panel import QUICK_ONLY
from core.verify.measure_log import partial_report
from tests.app.verify.reports import attacked_report, full_report, measures


@pytest.fixture
def roc(qtbot) -> RocTab:
    tab = RocTab()
    qtbot.addWidget(tab)
    return tab


@pytest.fixture
def relearning(qtbot) -> RelearningTab:
    tab = RelearningTab()
    qtbot.addWidget(tab)
    return tab


def test_the_strongest_attack_comes_first_with_areas_and_intervals(roc):
    roc.set_report(attacked_report())
    roc.plot.flush()
    assert roc.switch.value() == "rmia" and roc.currentIndex() == 0
    labels = {label.key: label for label in roc.plot.margin.labels()}
    assert labels["unlearned"].text == "Unlearned 0.600" and labels["unlearned"].value == 60
    assert "95 % interval" in roc.words.text() and "Unlearned 0.500 to 0.700" in roc.words.text()
    assert "0.5 is chance" in roc.words.text() and "2 models" in roc.words.text()
    assert roc.plot.series("unlearned").y.tolist() == [0, 60, 100]


def test_vulnerable_images_come_before_all_others_where_they_were_attacked(roc):
    report = attacked_report()
    for model in report["models"].values():
        if model.get("membership"):
            model["membership"]["sample_vulnerable"] = {**model["membership"]["rmia"], "references": 4}
    roc.set_report(report)
    assert roc.switch.value() == "sample_vulnerable" and "4 models" in roc.words.text()


def test_another_attack_can_be_chosen(roc):
    report = attacked_report()
    report["models"]["unlearned"]["membership"]["population"]["auc"] = 0.7
    roc.set_report(report)
    roc.switch.set_value("population")
    roc.plot.flush()
    assert "Unlearned 0.700" in {label.text for label in roc.plot.margin.labels()}
    assert "models that never saw" not in roc.words.text()


def test_without_an_attack_the_reason_is_said(roc):
    roc.set_report(full_report())
    assert roc.currentIndex() == 1 and roc.empty.text() == NO_ATTACK
    report = full_report()
    report["models"]["unlearned"]["membership"] = {"population": {"auc": None, "reason": "12 are too few."}}
    roc.set_report(report)
    assert roc.empty.text() == "12 are too few."


def test_relearning_has_a_curve_a_model_and_its_anchors(relearning):
    relearning.set_report(attacked_report())
    relearning.plot.flush()
    assert {label.key for label in relearning.plot.margin.labels()} == {
        "original", "head_only", "unlearned", "retrained", "fresh"
    }  # fmt: skip
    assert relearning.plot.series("fresh").y.tolist() == [0, 40, 90]
    assert "16 forget images" in relearning.words.text()


def test_the_quick_suite_offers_the_full_one(qtbot, relearning):
    relearning.set_report(full_report(suite="quick"))
    assert relearning.empty.text() == QUICK_ONLY
    with qtbot.waitSignal(relearning.full_asked):
        relearning.empty.button.click()


def test_while_a_check_goes_on_nothing_is_said_to_be_missing(relearning, roc):
    report = partial_report(full_report(), {"original": measures(0.98, 0.98, 0.7)}, "full")
    relearning.set_report(report)
    roc.set_report(report)
    assert relearning.empty.text() == roc.empty.text() == NOT_YET
    assert not relearning.empty.button.isVisibleTo(relearning.empty)


def test_the_page_runs_the_full_checks_from_there(unchecked, controller):
    unchecked.plots.tab("Relearn").full_asked.emit()
    assert controller.asked[-1].which == "full"
