"""The Verify page: what it says without a run, without a retrained model and with one; its commands; its checks."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QFileDialog, QTabWidget, QWidget

from app.pages.verify import VerifyPage
from app.pages.verify.checks import read_result
from app.pages.verify.measures import HEAD_ONLY_COLUMN
from app.pages.verify.verdict_card import CHECKING, NOTHING, limits, offer
from app.services import tokens
from app.services.run_library import RunRow
from app.services.theme import theme
from app.workers.live_run import LiveRun
from core.errors import InputError
from core.events import MeasureTaken
from core.runs.folder import FORGET, MODEL
from core.runs.waiting import Check
from tests.app.verify.conftest import Library, rewrite, weights
from tests.app.verify.reports import bare_report, full_report
from tests.app.verify.walk import reached_by_tab, unnamed_widgets


def choose_file(path: Path) -> None:
    """Answer the file dialog that is open; it holds nobody up meanwhile."""
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    dialog.fileSelected.emit(str(path))
    dialog.close()


# ---- what it says


def test_without_a_run_it_says_what_is_missing_and_where_to_get_it(page, context):
    shown: list[str] = []
    context.show_page = shown.append
    assert page.stack.currentWidget() is page.empty
    assert page.empty.text() == NOTHING == "Nothing to check yet. Finish or open a run."
    assert not page.export_button.isVisible()
    page.empty.button.click()
    assert shown == ["runs"]
    assert context.page_states.get("verify") == ("empty", "Nothing to check")


def test_words_of_the_table_can_be_asked_about_where_there_is_one(checked, page, context):
    assert page.words.isVisible()
    assert all(f">{word}</a>" in page.words.text() for word in ("Linear probe", "Gap closed", "Verdict"))
    context.project.run.folder.file(MODEL).unlink()
    page.entered()
    assert not page.words.isVisible()


def test_a_run_without_a_result_has_nothing_to_check(checked, page, context):
    context.project.run.folder.file(MODEL).unlink()
    page.entered()
    assert page.stack.currentWidget() is page.empty


def test_a_run_whose_folder_was_deleted_says_so(checked, page, context):
    folder = context.project.run.folder
    shutil.rmtree(folder.path)
    page.entered()
    assert page.empty.text() == f"The folder of this run is gone: {folder.path}"


def test_a_damaged_run_is_said_and_nothing_breaks(qtbot, page, checked, context):
    folder = context.project.run.folder
    folder.file("report.json").write_text("{")
    page.entered()
    qtbot.waitUntil(lambda: "is not valid JSON" in page.empty.text())
    assert context.page_states.get("verify")[0] == "problem"


def test_without_a_retrained_model_the_first_row_offers_to_get_one(unchecked, context):
    assert unchecked.offer.isVisible()
    assert unchecked.offer.text() == "No retrained model yet. How long training one takes is not known."
    assert unchecked.offer.y() < unchecked.models.y() < unchecked.verdict.y() < unchecked.splitter.y()
    assert unchecked.verdict.sentence.text().startswith("No retrained model, so no verdict.")
    assert context.page_states.get("verify") == ("ready", "No retrained model")
    assert "none yet" in unchecked.models.retrained.text()


def test_with_one_the_verdict_is_in_words_with_its_limits(checked, context):
    assert not checked.offer.isVisible()
    report = full_report()
    assert checked.verdict.sentence.text() == report["verdict"]["sentence"]
    assert checked.verdict.limits.text() == (
        "Compared with 2 retrained models · measured on 20 unseen forget images · with so few images intervals "
        "are wide"
    )
    assert "These are measurements, not proof." in checked.verdict.limits.toolTip()
    assert context.page_states.get("verify")[0] == "done"
    assert "seed 1, seed 2" in checked.models.retrained.text()


def test_damage_stands_with_the_verdict(show, make_folder):
    report = full_report()
    sentence = "Partly forgotten. The rest suffered: retain accuracy is 12.4 points below retraining."
    report["verdict"]["sentence"] = sentence
    assert show(make_folder(report)).verdict.sentence.text() == sentence


def test_warnings_of_the_run_stand_on_top(show, make_folder):
    sentence = "Retain accuracy fell by 12.4 points. How much retraining would lose was not measured."
    page = show(make_folder(bare_report(warnings=[sentence])))
    assert page.banner.text() == sentence and page.banner.isVisible()


def test_the_header_names_the_run(checked, qtbot):
    qtbot.addWidget(checked.chips)
    checked.chips.show()
    assert checked.chips.name.text() == "muda · class 3"
    assert checked.chips.earlier.isHidden()


def test_single_images_have_no_head_only_edit(show, make_folder):
    report = bare_report(forget_classes=[])
    report["models"].pop("head_only")
    for found in report["models"].values():
        found["dimensional_alignment"] = found["forget_predictions"] = None
    page = show(make_folder(report))
    assert page.measures.isColumnHidden(HEAD_ONLY_COLUMN)
    assert page.plots.tab("Alignment").currentIndex() == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "No retrained model yet. How long training one takes is not known."),
        (31.0, "No retrained model yet. Training one takes about 30 s, going by the original's training time."),
    ],
)
def test_the_offer_has_an_estimate_where_there_is_one(seconds, text):
    assert offer(seconds) == text


def test_limits_name_one_retrained_model_and_images_seen_before():
    report = full_report(dataset={"test_origin": "set aside"})
    report["retrained"] = {"seed 1": report["retrained"]["seed 1"]}
    report["retrained_notes"] = {"recipe": "the preset of this application: the original's own recipe is not known"}
    assert limits(report) == (
        "One retrained model: how far two differ was not measured · retrained with a preset, the original's recipe is "
        "not known · measured on 20 forget images the original has seen before · with so few images intervals are wide"
    )


# ---- the checks


def test_training_one_starts_a_check_with_its_progress_in_sight(qtbot, unchecked, controller, context):
    unchecked.presenter.checks.train_one()
    assert controller.asked == [Check((1,))]
    assert unchecked.verdict.progress.isVisible()
    assert not unchecked.offer.isVisible()
    assert unchecked.verdict.stop_button.isVisible() and not unchecked.verdict.check_button.isVisible()
    controller.report_progress("Measuring the unlearned model", 500, 1000)
    assert unchecked.verdict.progress.text() == "Measuring the unlearned model · 500 of 1,000"
    assert unchecked.verdict.progress.bar.value() == 500
    assert context.page_states.get("verify") == ("running", "Checking")


def test_results_appear_when_the_report_is_rewritten(qtbot, unchecked, controller, context):
    unchecked.presenter.checks.train_one()
    rewrite(context.project.run.folder, full_report())
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        controller.finish()
    assert unchecked.verdict.sentence.text() == full_report()["verdict"]["sentence"]
    assert not unchecked.verdict.progress.isVisible()
    assert not unchecked.offer.isVisible()


def test_a_check_of_another_program_is_taken_in_whole(qtbot, unchecked, context):
    rewrite(context.project.run.folder, full_report())
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        unchecked.entered()
    seeds = set(full_report()["retrained_notes"]["seeds"])
    assert unchecked.presenter.checks.wanted.seeds == seeds and seeds
    assert "none yet" not in unchecked.models.retrained.text()


def test_a_check_that_fails_says_so_and_keeps_the_report(qtbot, unchecked, controller):
    before = unchecked.verdict.sentence.text()
    unchecked.presenter.checks.train_one()
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        controller.finish(InputError("The data moved", "Open it again"))
    assert unchecked.banner.text() == "The check ended early. The data moved. Open it again."
    assert unchecked.verdict.sentence.text() == before
    assert unchecked.offer.isVisible()


def test_a_check_of_another_run_leaves_the_numbers_in_view_alone(qtbot, show, make_folder, controller, context):
    page = show(make_folder(bare_report()))
    page.presenter.checks.train_one()
    show(make_folder(full_report(), "run-2"))
    told: list[object] = []
    page.presenter.checks.measured.connect(told.append)
    check = controller.current
    check.apply([MeasureTaken(run=check.id, step=0, time=0.0, model="unlearned", values={"retain_test_accuracy": 0.5})])
    controller.state_changed.emit(check)
    assert told == [] and page.verdict.sentence.text() == full_report()["verdict"]["sentence"]
    assert page.verdict.stop_button.isHidden() and page.verdict.check_button.toolTip() == "A check is under way."
    with qtbot.waitSignal(page.presenter.facts_changed):
        controller.finish(InputError("The data moved", "Open it again"))
    assert "The data moved" not in page.banner.text()


def test_a_menu_that_is_open_stays_as_it_is_while_a_check_goes(checked, controller, context):
    """Ten times a second a check says how far it is: what is chosen in a menu must not go with it."""
    job = checked.presenter.facts.job
    like = RunRow(Path("/runs/other"), "finished", "muda", forget_set=(job.data.fingerprint, job.forget.sha256))
    library = Library([like])
    context.run_library = library
    checked.presenter.checks.train_one()
    checked.models.others_menu.aboutToShow.emit()
    checked.models.menu.aboutToShow.emit()
    before = checked.models.others_menu.actions(), checked.models.menu.actions()
    assert len(before[0]) == 1 and len(before[1]) == 7
    controller.report_progress("Measuring the unlearned model", 500, 1000)
    assert (checked.models.others_menu.actions(), checked.models.menu.actions()) == before
    library.rows = ()
    controller.report_progress("Measuring the unlearned model", 600, 1000)
    assert not checked.models.others.isVisible()
    checked.models.others_menu.aboutToShow.emit()
    assert checked.models.others_menu.actions() == []


def test_a_check_can_be_stopped_or_taken_out_of_the_queue(unchecked, controller):
    unchecked.presenter.checks.train_one()
    unchecked.verdict.stop_button.click()
    assert controller.stopped == 1
    controller.current = None  # as if it still waited
    unchecked.verdict.stop_button.click()
    assert unchecked.presenter.checks.runs == []
    assert unchecked.verdict.check_button.isVisible()


def test_ticking_another_seed_says_that_checks_must_run_again(checked, controller):
    checked.models.menu.aboutToShow.emit()
    action = next(a for a in checked.models.menu.actions() if a.text().startswith("Seed 3"))
    action.trigger()
    assert checked.models.hint.text() == "Run checks to take this in."
    assert "3 models" in checked.models.retrained.text()
    checked.verdict.suite_actions["quick"].trigger()
    assert controller.asked[-1].seeds == (1, 2, 3)
    assert checked.models.hint.text() == ""


def test_opening_a_retrained_model_checks_against_it(unchecked, controller, tmp_path):
    chosen = weights(tmp_path / "trained-without" / "model.safetensors")
    unchecked.models.open_asked.emit()
    choose_file(chosen)
    assert controller.asked[-1].brought == {"trained-without": chosen}
    unchecked.models.menu.aboutToShow.emit()
    assert "trained-without" in [action.text() for action in unchecked.models.menu.actions() if action.isChecked()]


def test_two_models_of_one_name_stay_apart(unchecked, controller, tmp_path):
    presenter = unchecked.presenter
    assert presenter.checks.open_retrained(weights(tmp_path / "a" / "net.pt")) == "net"
    presenter.checks.runs.clear()
    assert presenter.checks.open_retrained(weights(tmp_path / "b" / "net.pt")) == "net 2"
    assert set(controller.asked[-1].retrained) == {"net", "net 2"}


def test_without_its_forget_list_a_run_cannot_be_checked_again(qtbot, unchecked, context, controller):
    context.project.run.folder.file(FORGET).unlink()
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        unchecked.entered()
    assert not unchecked.verdict.check_button.isEnabled()
    assert "was removed" in unchecked.verdict.check_button.toolTip()
    assert unchecked.missing() == unchecked.verdict.check_button.toolTip()
    assert not unchecked.offer.isVisible()
    unchecked.presenter.checks.run()
    assert controller.asked == []


# ---- commands


def test_the_report_opens_in_the_browser(checked, context, monkeypatch):
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    context.actions.trigger("verify.report")
    assert opened == [QUrl.fromLocalFile(str(context.project.run.folder.file("report.html")))]


def test_the_report_is_saved_elsewhere(checked, tmp_path):
    target = tmp_path / "saved.html"
    checked.verdict.save_asked.emit()
    choose_file(target)
    assert target.read_text() == "<html>report</html>"


def test_a_report_that_cannot_be_saved_is_said(checked, context, tmp_path):
    target = tmp_path / "missing" / "saved.html"
    checked.verdict.save_asked.emit()
    choose_file(target)
    said = context.notifications.history[-1].text
    assert said == f"{target} could not be written: No such file or directory."


def test_the_next_step_is_export(checked, context):
    shown: list[str] = []
    context.show_page = shown.append
    checked.export_button.click()
    assert shown == ["export"]


def test_commands_say_why_they_cannot_be_used(page, context):
    assert context.actions.reason("verify.check") == "There is no finished run to check."
    assert context.actions.reason("verify.report") == "There is no report to open."


def test_a_report_that_went_with_its_folder_is_not_opened_and_the_page_says_why(checked, context, monkeypatch, qtbot):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    checked.verdict.report_asked.emit()
    assert len(opened) == 1
    folder = context.project.run.path
    folder.rename(folder.with_name("elsewhere"))
    checked.verdict.report_asked.emit()
    qtbot.waitUntil(lambda: checked.empty.text() == f"The folder of this run is gone: {folder}")
    assert len(opened) == 1


def test_a_check_of_a_run_that_went_is_not_begun_and_says_why(checked, context):
    folder = context.project.run.path
    folder.rename(folder.with_name("elsewhere"))
    checked.presenter.checks.run()
    checked.presenter.checks.run_several([context.project.run.folder], [])
    assert not checked.presenter.checks.runs
    said = [one.sentence for one in context.notifications.history]
    why = f"{folder.name} cannot be checked: {folder}/job.json cannot be read: No such file or directory."
    assert said == [f"{why} (2×)"]


# ---- whole page


def test_everything_has_a_name_and_tab_reaches_it(qtbot, unchecked):
    assert unnamed_widgets(unchecked) == []
    reached = reached_by_tab(qtbot, unchecked)
    for widget in (unchecked.models.retrained, unchecked.verdict.report_button, unchecked.verdict.check_button,
                   unchecked.measures, unchecked.plots.tabBar(), unchecked.export_button):  # fmt: skip
        assert widget in reached


def test_it_fits_the_smallest_window(qtbot, context, make_folder):
    window = QWidget()  # as in the frame: what the texts need at their narrowest does not make it grow
    qtbot.addWidget(window)
    window.setFixedSize(1096, 644)
    page = VerifyPage(context)
    page.setParent(window)
    page.setGeometry(window.rect())
    window.show()
    context.project.set_run(LiveRun.from_folder(make_folder(bare_report())))
    qtbot.waitUntil(lambda: page.offer.isVisible() and page.measures.width() > 600)
    assert page.size() == window.size()
    parts = [page.offer, page.models, page.verdict, page.splitter]
    for above, below in itertools.pairwise(parts):
        assert above.geometry().bottom() < below.geometry().top()
    assert page.splitter.height() >= page.splitter.minimumSizeHint().height() - 60
    sentence = page.verdict.sentence
    qtbot.waitUntil(lambda: sentence.height() >= sentence.heightForWidth(sentence.width()))
    assert page.measures.horizontalScrollBar().maximum() == 0


def test_models_keep_their_colours(checked):
    assert tokens.MODELS["retrained"].glyph in checked.models.retrained.text()
    for key in ("original", "unlearned", "retrained"):
        assert checked.plots.tab("Alignment").plot.series(key).style is tokens.MODELS[key]


def test_groups_fold_and_stay_folded(qtbot, checked):
    view = checked.measures
    view.collapse(view.table.index(0, 0))
    with qtbot.waitSignal(checked.presenter.facts_changed):
        checked.entered()
    assert not view.isExpanded(view.table.index(0, 0))
    assert view.isExpanded(view.table.index(1, 0))


def test_importing_the_page_imports_nothing_heavy():
    code = (
        "import sys, app.pages.verify; "
        "print([name for name in ('torch', 'scipy', 'sklearn', 'torchvision') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_with_a_large_font_table_and_plots_are_tabs(qtbot, context, make_folder, monkeypatch):
    monkeypatch.setattr(theme, "px", lambda size: round(1.5 * size))
    page = VerifyPage(context)
    qtbot.addWidget(page)
    context.project.set_run(LiveRun.from_folder(make_folder(full_report())))
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    assert page.splitter.count() == 0
    tabs = next(tabs for tabs in page.findChildren(QTabWidget) if tabs.accessibleName() == "Measures and plots")
    assert [tabs.tabText(number) for number in range(tabs.count())] == ["Measures", "Plots"]
    assert tabs.widget(0).isAncestorOf(page.measures) and tabs.widget(1).isAncestorOf(page.plots)


def test_only_runs_that_forget_the_same_images_of_the_same_data_are_offered(checked, context):
    facts = checked.presenter.facts
    same = (facts.job.data.fingerprint, facts.job.forget.sha256)

    def row(name: str, **changes) -> RunRow:
        known = {"state": "finished", "method": "muda", "forget_text": "37 images", "forget_set": same, **changes}
        return RunRow(Path("/runs") / name, **known)

    rows = (row("same"), row("other-images", forget_set=(same[0], "6" * 64)), row("going", state="running"),
            row("other-data", forget_set=("e" * 64, same[1])), row("training", kind="train"))  # fmt: skip
    context.run_library = Library(rows)
    assert [found.id for found in checked.presenter.comparable()] == ["same"]


def test_a_page_that_is_not_seen_reads_no_run_until_it_is_seen_again(qtbot, checked, context, make_folder):
    checked.left()
    other = make_folder(bare_report(), "run-2")
    context.project.set_run(LiveRun.from_folder(other))
    assert checked.presenter.facts is None  # nothing is checked by mistake
    assert checked.stack.currentWidget() is checked.empty and not checked.run_button.isVisible()
    shown: list[str] = []
    context.show_page = shown.append
    for command in ("verify.check", "verify.report"):
        assert context.actions.reason(command) == "" and context.actions[command].isEnabled()
        context.actions.trigger(command)  # leads to what would be checked, or opened
    assert shown == ["verify", "verify"] and checked.presenter.checks.runs == []
    with qtbot.waitSignal(checked.presenter.facts_changed):
        checked.entered()
    assert checked.presenter.facts.folder.path == other.path


def test_a_run_without_a_result_has_nothing_to_check_from_another_page_either(checked, context, make_folder):
    checked.left()
    going = make_folder(bare_report(), "run-2")
    going.file(MODEL).unlink()
    context.project.set_run(LiveRun.from_folder(going))
    assert context.actions.reason("verify.check") == "There is no finished run to check."


def test_while_a_run_is_read_no_button_promises_anything(qtbot, context, make_folder):
    context.project.set_run(LiveRun.from_folder(make_folder(bare_report())))
    page = VerifyPage(context)
    qtbot.addWidget(page)
    page.show()
    assert page.presenter.facts is None and page.empty.text() == "Reading the report of the run"
    assert not any(button.isVisible() for button in (page.run_button, page.export_button, page.empty.button))
    qtbot.waitUntil(lambda: page.run_button.isVisible())


def test_what_is_read_of_the_run_before_does_not_arrive_on_a_page_left(qtbot, page, context, make_folder, monkeypatch):
    asked, go = threading.Event(), threading.Event()

    def late(folder):
        asked.set()
        go.wait(60)
        return read_result(folder)

    monkeypatch.setattr("app.pages.verify.presenter.read_result", late)
    context.project.set_run(LiveRun.from_folder(make_folder(full_report())))
    assert asked.wait(60)
    page.left()
    context.project.set_run(LiveRun.from_folder(make_folder(bare_report(), "run-2")))
    go.set()
    qtbot.waitUntil(lambda: context.jobs.active() == 0)
    assert page.presenter.facts is None


def test_while_another_run_is_read_nothing_is_done_with_the_one_before(
    qtbot, checked, context, make_folder, controller
):
    with qtbot.waitSignal(checked.presenter.facts_changed):
        context.project.set_run(LiveRun.from_folder(make_folder(bare_report(), "run-2")))
        context.actions.trigger("verify.check")
        assert controller.asked == [] and not checked.verdict.check_button.isEnabled()
    assert checked.verdict.check_button.isEnabled() and checked.run_button.isVisible()


def test_numbers_of_a_check_come_again_after_its_page_was_left(qtbot, unchecked, controller, context):
    unchecked.presenter.checks.train_one()
    check = controller.current
    check.apply([MeasureTaken(run=check.id, step=0, time=0.0, model="unlearned", values={"retain_test_accuracy": 0.5})])
    controller.state_changed.emit(check)
    assert unchecked.verdict.sentence.text() == CHECKING
    unchecked.left()
    with qtbot.waitSignal(unchecked.presenter.facts_changed):
        unchecked.entered()
    controller.state_changed.emit(check)
    assert unchecked.verdict.sentence.text() == CHECKING
