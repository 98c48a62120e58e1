"""The Export page end to end on a real run: export, replace, warnings, and removing what is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from app.dialogs.sheet import ConfirmDialog
from app.pages.export import ExportPage
from app.pages.export.page import BOTH_MODELS, NOTHING, UNCHECKED, read_facts
from app.widgets.labels import Label
from app.workers.live_run import LiveRun
from core.errors import InputError, TargetExistsError
from core.files import read_json, write_json
from core.runs.folder import CARD, CHECKPOINTS, FORGET, RunFolder
from tests.app.verify.walk import reached_by_tab, unnamed_widgets


@pytest.fixture
def page(qtbot, context) -> ExportPage:
    made = ExportPage(context)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    return made


@pytest.fixture
def ready(qtbot, page, context, live) -> ExportPage:
    context.project.set_run(live)
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    return page


def written(qtbot, page: ExportPage) -> str:
    qtbot.waitUntil(lambda: not page.presenter.busy and not page.file_card.outcome.isHidden(), timeout=20_000)
    return page.file_card.outcome.text()


def read_again(qtbot, page: ExportPage) -> None:
    page.entered()
    qtbot.waitUntil(lambda: page.context.jobs.active() == 0)


def question() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def answer(qtbot, key: str) -> None:
    qtbot.waitUntil(lambda: question() is not None)
    question().buttons[key].click()


def test_without_a_run_it_says_what_is_missing_and_where_to_get_it(page, context):
    shown: list[str] = []
    context.show_page = shown.append
    assert page.empty.text() == NOTHING
    assert page.stack.currentWidget() is page.empty
    assert not page.export_button.isVisible()
    page.empty.button.click()
    assert shown == ["runs"]


def test_a_run_without_a_result_has_nothing_to_export(qtbot, page, context, live, folder):
    folder.file("model.safetensors").unlink()
    context.project.set_run(live)
    assert page.stack.currentWidget() is page.empty


def test_a_run_that_comes_into_view_is_read_when_the_page_is_seen(qtbot, page, context, live, monkeypatch):
    read = []

    def counted(folder):
        read.append(folder)
        return read_facts(folder)

    monkeypatch.setattr("app.pages.export.page.read_facts", counted)
    page.hide()
    context.project.set_run(live)
    context.run_controller.run_ended.emit(live)
    qtbot.waitUntil(lambda: context.jobs.active() == 0)  # the list of runs is read
    assert read == []
    page.show()
    page.entered()
    qtbot.waitUntil(lambda: page.presenter.facts is not None)
    assert len(read) == 1 and page.export_button.isVisible()


def test_no_other_run_than_the_one_in_view_is_written(qtbot, ready, context, folder, tmp_path):
    shutil.copytree(folder.path, tmp_path / "runs" / "two")
    ready.file_card.set_path(tmp_path / "one.safetensors")
    ready.hide()
    context.project.set_run(LiveRun.from_folder(RunFolder(tmp_path / "runs" / "two")))
    assert ready.presenter.facts is None and not ready.export_button.isEnabled()
    ready.show()
    read_again(qtbot, ready)
    assert ready.presenter.facts.folder.id == "two" and ready.export_button.isEnabled()


def test_what_is_read_of_the_run_before_does_not_arrive_late(qtbot, page, context, live, monkeypatch):
    asked, go = threading.Event(), threading.Event()

    def late(folder):
        asked.set()
        go.wait(60)
        return read_facts(folder)

    monkeypatch.setattr("app.pages.export.page.read_facts", late)
    context.project.set_run(live)
    assert asked.wait(60)
    context.project.set_run(None)
    go.set()
    qtbot.waitUntil(lambda: context.jobs.active() == 0)
    assert page.presenter.facts is None and page.stack.currentWidget() is page.empty


def test_the_model_is_written_read_back_and_said_so(qtbot, ready, tmp_path):
    target = tmp_path / "out" / "net-unlearned.safetensors"
    ready.file_card.set_path(target)
    ready.export_button.click()
    assert written(qtbot, ready) == (
        "Written and read back: same 8 keys, types and shapes; largest difference on 256 images: 0. This run was not "
        "checked against a retrained model. The model card says so."
    )
    assert target.is_file() and target.with_suffix(".json").is_file()
    assert (tmp_path / "out" / "net-unlearned-report.html").is_file()
    assert not (tmp_path / "out" / "net-unlearned-forget.csv").exists()
    [open_folder] = [b for b in ready.file_card.outcome.findChildren(QPushButton) if b.text() == "Open folder"]
    assert open_folder.isVisible()
    assert ready.context.page_states.get("export") == ("done", target.name)


def test_few_bits_are_measured_before_the_file_is_written_where_that_is_ticked(qtbot, ready, tmp_path):
    ready.file_card.set_path(tmp_path / "out" / "net.safetensors", chosen=True)
    assert ready.file_card.quantised.isVisible() and not ready.file_card.quantised.isChecked()
    ready.export_button.click()
    assert "Quantised" not in written(qtbot, ready)
    ready.file_card.quantised.click()
    ready.file_card.set_path(tmp_path / "again" / "net.safetensors", chosen=True)
    ready.export_button.click()
    assert "Quantised: with 8-bit weights" in written(qtbot, ready)


def test_what_was_written_is_still_said_after_coming_back(qtbot, ready, tmp_path):
    ready.file_card.set_path(tmp_path / "again.safetensors")
    ready.export_button.click()
    sentence = written(qtbot, ready)
    read_again(qtbot, ready)
    assert ready.file_card.outcome.text() == sentence
    assert ready.file_card.path() == tmp_path / "again.safetensors"
    assert ready.context.page_states.get("export") == ("done", "again.safetensors")


def test_the_form_changes_the_ending_and_is_written(qtbot, ready, tmp_path):
    ready.file_card.set_path(tmp_path / "net.v2.safetensors")
    ready.file_card.radios["pt"].click()
    assert ready.file_card.path() == tmp_path / "net.v2.pt"
    ready.also_card.boxes["card"].setChecked(False)
    ready.also_card.boxes["report"].setChecked(False)
    ready.also_card.boxes["forget_list"].setChecked(True)
    ready.export_button.click()
    assert "same 8 keys" in written(qtbot, ready)
    assert sorted(path.name for path in tmp_path.glob("net.v2*")) == ["net.v2-forget.csv", "net.v2.pt"]


def test_browsing_does_not_hold_the_window_up(qtbot, ready, tmp_path):
    ready.file_card.set_path(tmp_path / "net.safetensors")
    ready.file_card.browse.click()  # comes back at once
    dialog = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    assert dialog.directory().absolutePath() == str(tmp_path)
    assert [Path(name).name for name in dialog.selectedFiles()] == ["net.safetensors"]
    dialog.selectFile("other")
    dialog.accept()
    assert ready.file_card.path() == tmp_path / "other.safetensors"
    ready.file_card.radios["pt"].click()  # what was chosen is the user's: only its ending follows the form
    assert ready.file_card.path() == tmp_path / "other.pt"


def test_a_file_that_exists_is_replaced_only_when_told_to(qtbot, ready, tmp_path):
    target = tmp_path / "there.safetensors"
    target.write_bytes(b"old")
    ready.file_card.set_path(target)
    ready.export_button.click()
    answer(qtbot, "keep")
    assert target.read_bytes() == b"old" and not ready.presenter.busy
    ready.export_button.click()
    answer(qtbot, "replace")
    assert "same 8 keys" in written(qtbot, ready)
    assert target.read_bytes() != b"old"


def another_in_view(qtbot, page: ExportPage, folder: RunFolder, tmp_path: Path) -> RunFolder:
    """Bring a copy of a run into view, as the next run of a queue comes by itself."""
    two = RunFolder(shutil.copytree(folder.path, tmp_path / "runs" / "two"))
    page.context.project.set_run(LiveRun.from_folder(two))
    qtbot.waitUntil(lambda: page.presenter.facts is not None and page.presenter.facts.folder.path == two.path)
    return two


def test_a_file_is_replaced_by_the_run_it_was_asked_for(qtbot, ready, folder, tmp_path, monkeypatch):
    written_of: list[tuple[Path, Path]] = []
    target = tmp_path / "there.safetensors"

    def there(run, form, path, data, trust, options):
        if not options["overwrite"]:
            raise TargetExistsError(path)
        written_of.append((run, path))
        raise InputError("The disk is full", "Free some space")

    monkeypatch.setattr("app.pages.export.page._export", there)
    ready.file_card.set_path(target)
    ready.export_button.click()
    qtbot.waitUntil(lambda: question() is not None)
    another_in_view(qtbot, ready, folder, tmp_path)
    ready.file_card.set_path(tmp_path / "precious.safetensors")
    answer(qtbot, "replace")
    qtbot.waitUntil(lambda: not ready.presenter.busy and bool(written_of))
    assert written_of == [(folder.path, target)]


def test_a_run_that_comes_into_view_during_an_export_is_named_after_it(qtbot, ready, folder, tmp_path, monkeypatch):
    go = threading.Event()

    def slow(*_args):
        go.wait(60)
        raise InputError("The disk is full", "Free some space")

    monkeypatch.setattr("app.pages.export.page._export", slow)
    told: list[object] = []
    ready.export_button.click()
    qtbot.waitUntil(lambda: ready.presenter.busy)
    monkeypatch.setattr(ready.file_card, "set_job", told.append)
    another_in_view(qtbot, ready, folder, tmp_path)
    assert told == []  # the card still speaks of what is written
    go.set()
    qtbot.waitUntil(lambda: not ready.presenter.busy)
    assert told == [ready.presenter.facts.job]


def test_only_of_the_run_that_was_asked_about_is_anything_removed(qtbot, ready, folder, tmp_path):
    table = ready.kept_card.table.model()
    row = next(row for row in range(table.rowCount()) if table.index(row, 0).data() == "Early checkpoints")
    table.setData(table.index(row, 0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    ready.kept_card.remove.click()
    qtbot.waitUntil(lambda: question() is not None)
    two = another_in_view(qtbot, ready, folder, tmp_path)
    answer(qtbot, "remove")
    qtbot.waitUntil(lambda: not folder.file(CHECKPOINTS).exists())
    qtbot.waitUntil(lambda: ready.context.jobs.active() == 0)
    assert two.file(CHECKPOINTS).exists() and "Removed" not in ready.kept_card.summary.text()


def test_a_second_format_goes_beside_the_first_and_what_differs_is_asked_for(qtbot, ready, tmp_path):
    ready.file_card.set_path(tmp_path / "out" / "net.safetensors")
    ready.export_button.click()
    assert "same 8 keys" in written(qtbot, ready)
    ready.file_card.set_path(tmp_path / "out" / "net.pt")
    ready.file_card.radios["pt"].click()
    ready.export_button.click()
    qtbot.waitUntil(lambda: ready.context.page_states.get("export") == ("done", "net.pt"))
    report = tmp_path / "out" / "net-report.html"
    report.write_text("of another day")
    ready.file_card.set_path(tmp_path / "out" / "net.pth")
    ready.export_button.click()
    answer(qtbot, "replace")
    qtbot.waitUntil(lambda: ready.context.page_states.get("export") == ("done", "net.pth"))
    assert report.read_text() != "of another day" and not ready.banner.isVisible()


def test_the_original_is_never_written_over(qtbot, ready, bench):
    before = bench.model.path.read_bytes()
    ready.file_card.set_path(bench.model.path)
    ready.export_button.click()
    qtbot.waitUntil(lambda: ready.banner.isVisible(), timeout=20_000)
    assert question() is None and "is the original model, which is never changed" in ready.banner.text()
    assert bench.model.path.read_bytes() == before
    assert ready.banner.isVisible()
    ready.file_card.path_edit.setText(str(bench.model.path.with_name("other.safetensors")))
    assert not ready.banner.isVisible()  # it spoke of another file
    assert ready.export_button.isEnabled()


def test_a_path_that_is_missing_or_a_folder_is_said_beside_the_button(ready, tmp_path):
    ready.file_card.path_edit.setText(" ")
    assert ready.missing() == "Name the file to write."
    assert not ready.export_button.isEnabled()
    ready.file_card.path_edit.setText(str(tmp_path))
    assert ready.missing() == "The path is a folder. Name the file to write."
    ready.file_card.path_edit.setText(str(tmp_path / "x.pt"))
    assert ready.missing() == "" and ready.export_button.isEnabled()


def test_an_unchecked_run_is_warned_of_and_a_checked_one_is_not(qtbot, ready, folder):
    assert ready.also_card.unchecked.text() == UNCHECKED and ready.also_card.unchecked.isVisible()
    write_json(folder.file(CARD), {**read_json(folder.file(CARD)), "checked": True})
    read_again(qtbot, ready)
    assert not ready.also_card.unchecked.isVisible()


def test_both_models_are_warned_of(ready):
    assert any(label.text() == BOTH_MODELS for label in ready.findChildren(Label))


def test_traces_are_listed_and_removed_after_a_question(qtbot, ready, folder):
    table = ready.kept_card.table.model()
    kinds = [table.index(row, 0).data() for row in range(table.rowCount())]
    assert {"Early checkpoints", "Forget list", "Report and event log"} <= set(kinds)
    assert not ready.kept_card.remove.isEnabled()
    row = kinds.index("Early checkpoints")
    assert table.index(row, 3).data() == "2.0 kB"
    assert table.setData(table.index(row, 0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    assert "The run can no longer be resumed." in ready.kept_card.summary.text()
    ready.kept_card.remove.click()
    answer(qtbot, "remove")
    qtbot.waitUntil(lambda: "Removed 1 file, 2.0 kB." in ready.kept_card.summary.text())
    assert not folder.file(CHECKPOINTS).exists()
    assert folder.file(FORGET).is_file() and folder.has_result


def test_keeping_is_the_default_answer(qtbot, ready, folder):
    table = ready.kept_card.table.model()
    for index in (table.index(row, 0) for row in range(table.rowCount())):
        if index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            table.setData(index, Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole)
    ready.kept_card.remove.click()
    answer(qtbot, "keep")
    assert folder.file(FORGET).is_file()


def test_the_report_has_no_check_box(ready, qtmodeltester):
    table = ready.kept_card.table.model()
    qtmodeltester.check(table)
    rows = {table.index(row, 0).data(): table.index(row, 0) for row in range(table.rowCount())}
    report = rows.pop("Report and event log")
    assert report.data(Qt.ItemDataRole.CheckStateRole) is None
    assert not report.flags() & Qt.ItemFlag.ItemIsUserCheckable
    assert rows["Early checkpoints"].data(Qt.ItemDataRole.CheckStateRole) is not None


def test_a_removed_list_cannot_go_along(qtbot, ready, folder):
    folder.file(FORGET).unlink()
    read_again(qtbot, ready)
    assert not ready.also_card.boxes["forget_list"].isEnabled()


def test_a_run_made_for_another_forget_set_says_so(qtbot, page, context, live, bench, selection):
    context.project.set_opened(bench.model, bench.dataset, bench.options)
    context.project.set_selection(selection)
    context.project.set_run(live)
    qtbot.addWidget(page.chips)
    page.chips.show()
    assert page.chips.name.text() == "finetune · class 3"
    assert page.chips.earlier.isHidden()
    context.project.set_selection(selection.with_classes([4]))
    assert not page.chips.earlier.isHidden()
    assert page.chips.earlier.text() == "for an earlier selection"


def test_everything_has_a_name_and_tab_reaches_it(qtbot, ready):
    assert unnamed_widgets(ready) == []
    reached = reached_by_tab(qtbot, ready)
    for widget in (ready.file_card.path_edit, ready.file_card.browse, ready.also_card.boxes["card"],
                   ready.kept_card.table, ready.export_button):  # fmt: skip
        assert widget in reached


def test_importing_the_page_imports_nothing_heavy():
    code = (
        "import sys, app.pages.export; "
        "print([name for name in ('torch', 'scipy', 'sklearn', 'torchvision') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
