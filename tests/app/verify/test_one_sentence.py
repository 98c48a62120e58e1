"""One sentence and three lamps, the sensible next step, a group checked with two clicks, and single images."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel

from app.dialogs.sheet import ConfirmDialog
from app.models.comparison_table import LAMPS_COLUMN, NAME, VERDICT
from app.pages.verify.image_tabs import ImagesTab
from app.pages.verify.measures import HEAD_ONLY_COLUMN
from app.services.run_library import RunRow
from core.errors import UnsafeFileError
from core.files import write_json
from core.runs.folder import REPORT_JSON, RunFolder
from core.runs.waiting import Check
from core.session.single_images import SingleImages
from core.verify.verdict import decide
from tests.app.verify.conftest import weights
from tests.app.verify.reports import HALF_WIDTHS, bare_report, full_report, measures


def lamps(page) -> dict[str, list[str]]:
    words = page.verdict.lamps.words
    assert all(text.text()[:2] in ("□ ", "◐ ", "◆ ", "○ ") for text in words.values() if text.isVisible())
    return {model: [words[model, lamp].text()[2:] for lamp in ("outputs", "features", "attacks")]
            for model in ("unlearned", "head_only")}  # fmt: skip


def press(button) -> None:
    """Click a button where it is, as a mouse does."""
    assert button.isVisible() and button.isEnabled()
    button.click()


# ---- the verdict


def test_three_lamps_stand_under_the_sentence_with_the_control_beneath(checked):
    assert lamps(checked) == {
        "unlearned": ["like retrained", "like retrained", "cannot tell"],
        "head_only": ["like retrained", "like the original", "cannot tell"],
    }  # fmt: skip
    own, control = (checked.verdict.lamps.words[model, "features"] for model in ("unlearned", "head_only"))
    assert own.mapTo(checked, own.pos()).y() < control.mapTo(checked, control.pos()).y()
    assert own.toolTip() == "Linear probe: matches retraining\nNearest class mean: matches retraining"
    assert own.accessibleName() == "Unlearned, Features: like retrained"  # said, not only drawn


def test_the_lanes_say_once_what_is_found_again_and_keep_the_room_for_the_table(checked):
    """A sentence below the verdict said the same: at 1280 x 720 it left the table four rows."""
    lanes = checked.lanes
    assert lanes.isVisible() and [bar.words for bar in lanes.probes.values()] == ["98.0 %", "92.0 %", "91.0 %"]
    assert [label.text() for label in lanes.accuracies.values()] == ["0.0 %"] * 3
    assert not lanes.verdict.isVisible() and not lanes.state.isVisible()  # the card below says it
    said = [label.text() for label in checked.findChildren(QLabel) if label.isVisible()]
    assert not [text for text in said if "found again in" in text]


def test_without_a_retrained_model_no_lamp_is_lit_and_accuracy_zero_is_still_explained(unchecked):
    assert not unchecked.verdict.lamps.isVisible()
    assert unchecked.lanes.isVisible() and unchecked.lanes.claim.isVisible()
    assert unchecked.lanes.claim.text() == "Accuracy 0 does not mean forgotten."
    assert [bar.words for bar in unchecked.lanes.probes.values()] == ["98.0 %", "92.0 %", "–"]


# ---- the next step


def test_the_purple_button_runs_checks_first_and_exports_afterwards(qtbot, unchecked, controller, context):
    assert unchecked.run_button.isVisible() and unchecked.run_button.property("kind") == "primary"
    assert unchecked.export_button.property("kind") == "secondary"
    assert re.match("Trains 1 retrained model", unchecked.missing())
    press(unchecked.run_button)
    assert controller.asked[-1].seeds == (1,) and not unchecked.run_button.isVisible()
    assert unchecked.export_button.property("kind") == "secondary"  # it is still not known what would be exported
    write_json(context.project.run.folder.file(REPORT_JSON), full_report())
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        controller.finish()
    assert unchecked.export_button.property("kind") == "primary" and unchecked.missing() == ""


def test_a_check_that_was_started_elsewhere_is_followed_and_can_be_stopped(unchecked, controller):
    """The example starts its own check; the page of its run shows how far it is."""
    run = controller.start_reference(unchecked.presenter.facts.folder, Check((1, 2, 3)))
    controller.run_started.emit(run)
    assert unchecked.presenter.checks.shown is run and unchecked.verdict.stop_button.isVisible()
    assert not unchecked.run_button.isVisible() and unchecked.verdict.progress.isVisible()


def test_the_table_is_saved_as_latex(checked, tmp_path):
    checked.verdict.table_asked.emit()
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "table.tex"))
    dialog.close()
    assert r"Linear probe, recall, \% & 98.0 & 98.0 & 92.0 & 91.0" in (tmp_path / "table.tex").read_text()


# ---- questions before a check


def question() -> ConfirmDialog:
    """The question that stands."""
    return next(w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible())


def test_the_answer_on_a_risky_file_is_about_the_run_it_was_asked_for(show, make_folder, controller, tmp_path):
    checks = show(make_folder(bare_report())).presenter.checks
    checks.open_retrained(weights(tmp_path / "net.pt"))
    asked = controller.current.folder.path
    controller.finish(UnsafeFileError("It can run code", ""))
    dialog = question()
    show(make_folder(bare_report(), "run-2"))
    dialog.buttons["open"].click()
    assert controller.current.folder.path == asked
    assert controller.asked[-1].brought == {"net": tmp_path / "net.pt"} and checks.shown is None


def test_a_check_confirmed_while_another_one_began_is_not_started(show, make_folder, controller, context, tmp_path):
    code = tmp_path / "nets.py"
    code.write_text("def net(): ...")
    page = show(make_folder(bare_report()))
    facts = page.presenter.facts
    job = dataclasses.replace(facts.job, model=dataclasses.replace(facts.job.model, user_code=f"{code}:net"))
    page.presenter.take(dataclasses.replace(facts, job=job))
    page.presenter.checks.run()
    dialog = question()
    controller.run_started.emit(controller.start_reference(facts.folder, Check((1,))))
    dialog.buttons["run"].click()
    assert len(controller.asked) == 1 and context.notifications.history[-1].text == "A check is under way."


# ---- several runs at once


@pytest.fixture
def group(tmp_path, job, context) -> list[RunFolder]:
    """Three methods on one forget set, none compared yet, as the Unlearn page leaves them."""
    folders, rows = [], []
    for method, probe, alignment in (("muda", 0.91, 0.9), ("scrub", 0.95, 0.8), ("head-only", 0.98, 0.7)):
        one = dataclasses.replace(job, method=method)
        folder = RunFolder.create(tmp_path / "runs" / method, one)
        folder.file("model.safetensors").write_bytes(b"weights")
        folder.file("forget.csv").write_text("index\n3\n")
        report = bare_report(method=method, seed=1, method_details={"title": method.upper(), "preset": "default"})
        report["models"]["unlearned"] = measures(0.0, probe, alignment)
        write_json(folder.file(REPORT_JSON), report)
        folders.append(folder)
        rows.append(RunRow(folder.path, "finished", method, forget_set=(one.data.fingerprint, one.forget.sha256),
                           has_list=True))  # fmt: skip
    context.run_library.rows = tuple(rows)
    return folders


def compared(folder: RunFolder) -> None:
    """Write a run's report as its check would."""
    report = folder.report()
    whole = full_report()
    models = {**whole["models"], "unlearned": report["models"]["unlearned"]}
    verdict = decide(models, list(whole["retrained"].values()), half_widths=HALF_WIDTHS).as_dict()
    write_json(folder.file(REPORT_JSON), {**report, "models": models, "retrained": whole["retrained"],
                                          "verdict": verdict})  # fmt: skip


def test_a_group_of_three_methods_is_checked_with_two_clicks_into_one_ranked_table(qtbot, page, group, show, context,
                                                                                   controller):  # fmt: skip
    show(group[0])  # the first click: Check the result, on Unlearn
    assert page.check_all_button.text().startswith("Check all 3 run")
    press(page.check_all_button)  # the second
    qtbot.waitUntil(lambda: len(controller.asked) == 3)
    assert [asked.seeds for asked in controller.asked] == [(1,)] * 3  # trained once, then found on disk
    view, table = page.comparison, page.comparison.tree.table
    qtbot.waitUntil(lambda: view.compared is not None)
    assert view.progress.isVisible() and "0 of 3" in view.progress.text()
    for folder in group:
        compared(folder)
        controller.finish()
    qtbot.waitUntil(lambda: view.compared is not None and not view.compared.unchecked)
    cells = [[table.index(row, column).data() for column in (NAME, VERDICT, LAMPS_COLUMN)] for row in range(3, 6)]
    assert cells == [["1  MUDA", "Close", "◆  ◆  ○"], ["2  SCRUB", "Partly forgotten", "◆  ◐  ○"],
                     ["3  HEAD-ONLY", "Hidden", "◆  □  ○"]]  # fmt: skip
    assert not view.progress.isVisible() and not view.check_button.isVisible()
    assert context.page_states.get("verify")[0] == "ready"


def test_checking_several_can_be_stopped(qtbot, page, group, show, controller):
    show(group[0])
    press(page.check_all_button)
    qtbot.waitUntil(lambda: page.comparison.stop_button.isVisible())
    press(page.comparison.stop_button)
    assert controller.stopped == 1 and controller.queue != []  # what goes; what waits is the controller's to drop


def test_runs_that_were_compared_are_not_checked_again(qtbot, page, group, show, controller):
    compared(group[1])
    page.presenter.comparison.check_all(group)
    qtbot.waitUntil(lambda: len(controller.asked) == 2)


# ---- single images


@pytest.fixture
def singles(show, make_folder):
    report = full_report(forget_classes=[], forget_mode="sample")
    report["models"].pop("head_only")
    for found in (*report["models"].values(), *report["retrained"].values()):
        found |= {"dimensional_alignment": None, "forget_predictions": None, "forget_test_accuracy": None,
                  "probe": None, "class_means": None}  # fmt: skip
    return show(make_folder(report))


def test_single_images_have_their_own_rows_and_the_attack_first(singles):
    plots = singles.plots
    shown = [plots.tabText(place) for place in range(plots.count()) if plots.isTabVisible(place)]
    assert shown == ["Attack", "Spectra", "Images", "Damage", "Map"]
    assert singles.plots.currentWidget().isAncestorOf(singles.plots.tab("Attack"))
    assert singles.measures.isColumnHidden(HEAD_ONLY_COLUMN)
    rows = {row.key: row.values for row in singles.presenter.facts.rows}
    assert "probe" not in rows and "forget_test_accuracy" not in rows and "dimensional_alignment" not in rows
    assert all(any(value is not None for value in values.values()) for values in rows.values())


def test_too_few_single_images_for_an_attack_are_shown_themselves_first(show, make_folder):
    """The tab in front was empty: "5 forget images are too few for an attack score"."""
    report = full_report(forget_classes=[], forget_mode="sample")
    report["models"]["unlearned"]["membership"] = {"population": {"reason": "5 forget images are too few."}}
    plots = show(make_folder(report)).plots
    assert plots.tabText(plots.currentIndex()) == "Images"


@pytest.mark.parametrize("title", ["Alignment", "Spectra"])
def test_a_curve_of_one_of_several_retrained_models_says_so(show, make_folder, title):
    """The table's mean read 0.884 beside a curve named 0.907."""
    plots = show(make_folder(full_report())).plots
    assert plots.tab(title).words.text().endswith("Of the retrained models the first is drawn.")
    report = full_report()
    report["retrained"].pop("seed 2")
    plots = show(make_folder(report, "run-2")).plots
    assert plots.tab(title).words.text().endswith("so it has the original's curve.")


def test_classes_have_their_tabs_back(singles, show, make_folder):
    page = show(make_folder(full_report(), "run-2"))
    shown = [page.plots.tabText(place) for place in range(page.plots.count()) if page.plots.isTabVisible(place)]
    assert shown == ["Alignment", "Attack", "Spectra", "Confusion", "Relearn", "Damage", "Map"]
    assert not page.measures.isColumnHidden(HEAD_ONLY_COLUMN)


def test_each_image_stands_with_what_the_models_say_before_and_after(qtbot):
    tab = ImagesTab()
    qtbot.addWidget(tab)
    losses = {"original": np.array([1e-5, 0.2]), "unlearned": np.array([0.3, 2.0])}
    tab.set_images(SingleImages(
        np.array([4, 1204]), ("", "a.png"), ("cat", "dog"),
        {"original": ("cat", "dog"), "unlearned": ("cat", "cat")},
        {"original": np.array([1.0, 0.9]), "unlearned": np.array([0.74, 0.135])}, losses, losses,
    ))  # fmt: skip
    table = [[tab.model.index(row, column).data() for column in range(4)] for row in range(2)]
    assert table == [["4", "cat", "cat, 100 %", "cat, 74.0 %"], ["a.png", "dog", "dog, 90.0 %", "cat, 13.5 %"]]
    assert tab.model.headerData(3, Qt.Orientation.Horizontal) == "Unlearned"
    tab.resize(300, 400)
    tab.show()
    assert all(tab.view.columnWidth(column) >= tab.view.sizeHintForColumn(column) for column in (1, 2, 3))
    assert tab.view.columnWidth(0) >= tab.view.horizontalHeader().sectionSizeHint(0)  # "Image" was cut to "Im" at 1280
    assert tab.view.columnWidth(1) < tab.view.columnWidth(3)  # short classes leave their room to the answers
    assert tab.plot.overlap() == 1.0  # on a logarithmic axis, not one bar at 0
