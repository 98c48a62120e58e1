"""The Runs page: list, queue, open, resume, start again, delete."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QApplication, QTableView

from app.dialogs.sheet import ConfirmDialog
from app.models import run_table as columns
from app.pages.runs import RunsPage
from app.pages.runs.cards import MOST_WIDTH
from app.pages.runs.run_actions import delete
from app.services import tokens as t
from app.services.commands import resume
from app.services.run_library import RunRow
from app.services.theme import theme
from app.widgets.frame import StatusLine
from app.widgets.table import ColumnMenu
from core.errors import UnsafeFileError
from core.models.formats import write_safetensors
from core.models.trust import Trust
from core.models.user_code import build_from_user_code
from core.runs.folder import CARD, FORGET, MODEL, RunFolder, Status
from core.selection import Selection
from core.session.bench import Bench
from core.session.jobs import create_run, make_unlearn_job
from tests.app.scripted import Script, Stepped, job, write_run
from tests.app.verify.walk import unnamed_widgets
from tests.finished import call_finished


@pytest.fixture
def page(context, home, qtbot) -> RunsPage:
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    yield made
    made.left()


@pytest.fixture
def runs(context, page, qtbot) -> Path:
    """Two runs in the list: one finished, one interrupted."""
    folder = context.runs_folder()
    write_run(folder / "a", job(), Script("a").whole())
    write_run(folder / "b", job(seed=1), [Script("b").started(), Script("b").losses(31)], "running", step=31)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 2)
    return folder


def test_runs_that_change_while_the_page_is_hidden_are_not_measured(page, context, monkeypatch):
    """With 250 runs, the end of each took the window a quarter of a second on whichever page was in view."""
    texts: list[int] = []
    real = columns.RunTableModel.cell

    def cell(self, row, column, role):
        if role == Qt.ItemDataRole.DisplayRole:
            texts.append(row)
        return real(self, row, column, role)

    rows = [RunRow(Path(f"/runs/{number:03}"), "finished", "muda", created=number) for number in range(300)]
    context.run_library.rows = tuple(rows[:-1])
    context.run_library.changed.emit()
    QApplication.processEvents()
    monkeypatch.setattr(columns.RunTableModel, "cell", cell)
    page.hide()
    context.run_library.rows = (dataclasses.replace(rows[0], verdict="close"), *rows[1:])
    context.run_library.changed.emit()
    for _ in range(3):
        QApplication.processEvents()
    assert not texts
    page.show()
    page.grab()
    assert 0 < len(set(texts)) < 60


def test_no_column_of_the_smallest_window_is_cut(page, context, qtbot):
    """At 1280 pixels method, model and data read "MUDA (reco…", "fashion-…" and "fashi…"."""
    data = dataclasses.replace(job().data, spec="/data/fashion-mnist")
    network = dataclasses.replace(job().model, path="/models/fashion-cnn.safetensors")
    made = dataclasses.replace(job(), data=data, model=network)
    write_run(context.runs_folder() / "a", made, Script("a").whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.index(0, columns.METHOD).data() == "MUDA (reconstruction)")
    qtbot.waitUntil(lambda: context.jobs.active() == 0)
    table = page.runs.table
    shown = [column for column in range(page.runs.model.columnCount()) if not table.isColumnHidden(column)]
    assert shown == [column for column in range(12) if column != columns.SEED]
    assert page.runs.model.index(0, columns.METHOD).data() == "MUDA (reconstruction)"
    for width in (1096, 1736):
        page.resize(width, 644)
        qtbot.waitUntil(lambda: table.horizontalHeader().length() == table.viewport().width())
        cut = [column for column in shown if table.columnWidth(column) < table.sizeHintForColumn(column)]
        assert cut in ([], [columns.CURVE])  # which takes the room that is left


def test_a_long_name_is_whole_where_there_is_room(page, context, qtbot):
    network = dataclasses.replace(job().model, path="/models/example-fa812736e0f1-small.safetensors")
    write_run(context.runs_folder() / "a", dataclasses.replace(job(), model=network), Script("a").whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1 and context.jobs.active() == 0)
    table = page.runs.table
    page.resize(1736, 644)
    qtbot.waitUntil(lambda: table.horizontalHeader().length() == table.viewport().width())
    assert table.columnWidth(columns.MODEL) >= table.sizeHintForColumn(columns.MODEL) > theme.px(MOST_WIDTH)


def test_german_titles_of_the_columns_are_whole_at_1280(context, home, qtbot, german):
    made = RunsPage(context)
    qtbot.addWidget(made)
    made.resize(1110, 650)
    with qtbot.waitExposed(made):
        made.show()
    header = made.runs.table.horizontalHeader()
    titles = {place: made.runs.model.headerData(place, Qt.Orientation.Horizontal) for place in range(header.count())
              if not header.isSectionHidden(place)}  # fmt: skip
    room = theme.px(t.M)
    cut = [(title, header.sectionSize(place)) for place, title in titles.items()
           if header.sectionSize(place) < header.fontMetrics().horizontalAdvance(title) + room]
    made.left()
    assert titles[columns.FORGET] == "Vergessen" and cut == []


def state_of(page: RunsPage, name: str) -> QModelIndex:
    """The cell that says how a run stands."""
    model = page.runs.model
    return next(index for index in (model.index(row, columns.STATE) for row in range(model.rowCount()))
                if index.data(columns.PATH_ROLE).name == name)  # fmt: skip


def choose(page: RunsPage, *names: str) -> None:
    selection = page.runs.table.selectionModel()
    selection.clearSelection()
    for row in range(page.runs.proxy.rowCount()):
        index = page.runs.proxy.index(row, 0)
        if index.data(columns.PATH_ROLE).name in names:
            selection.select(index, selection.SelectionFlag.Select | selection.SelectionFlag.Rows)
            selection.setCurrentIndex(index, selection.SelectionFlag.NoUpdate)


def dialog() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def test_without_runs_it_says_what_will_be_here(page):
    assert page.stack.currentWidget() is page.empty
    assert page.empty.text() == "Runs you start or open are listed here, also those started from a terminal."


def test_runs_of_a_terminal_appear_by_themselves(page, context, qtbot, monkeypatch):
    page.presenter._watch.setInterval(20)
    page.entered()
    write_run(context.runs_folder() / "t", job(), Script("t").whole())
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)


def test_a_finished_run_is_opened(page, context, runs, qtbot):
    choose(page, "a")
    page.buttons["open"].click()
    qtbot.waitUntil(lambda: context.project.run is not None)
    assert context.project.run.path == runs / "a" and context.shown_pages[-1] == "unlearn"


def test_the_run_under_way_is_opened_as_it_is(page, context, runs, qtbot):
    work = Stepped()
    run = context.run_controller.start_work(RunFolder(runs / "live"), "unlearn", "", work, job())
    write_run(runs / "live", job(), [])
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 3)
    choose(page, "live")
    page.buttons["open"].click()
    assert context.project.run is run
    assert not page.buttons["delete"].isEnabled()
    assert page.buttons["delete"].accessibleDescription() == "Stop the run first."
    work.end()
    qtbot.waitUntil(lambda: not context.run_controller.busy)


def test_a_run_that_failed_can_be_resumed(page, context, runs, qtbot):
    """Its disk may have room again, its data be back."""
    write_run(runs / "c", job(), [Script("c").started(), Script("c").failed()], "failed", step=31)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 3)
    choose(page, "c")
    assert not page.buttons["resume"].isHidden()


def test_an_interrupted_run_can_be_resumed_and_a_finished_one_cannot(page, context, runs, monkeypatch, qtbot):
    choose(page, "a")
    assert page.buttons["resume"].isHidden()
    choose(page, "b")
    assert not page.buttons["resume"].isHidden()
    resumed: list = []
    monkeypatch.setattr(context.run_controller, "resume_run", lambda run, bench: resumed.append(run.path))
    page.buttons["resume"].click()
    qtbot.waitUntil(lambda: resumed == [runs / "b"])


def test_a_run_that_waits_to_go_on_cannot_be_deleted(page, context, runs, qtbot):
    works = [Stepped(), Stepped()]
    going = context.run_controller.start_work(RunFolder(runs / "x"), "train", "", works[0])
    waiting = context.run_controller.start_work(RunFolder(runs / "b"), "unlearn", "", works[1], job())
    choose(page, "b")
    page.presenter._update()
    assert not page.buttons["delete"].isEnabled()
    assert page.buttons["delete"].accessibleDescription() == "Stop the run first."
    context.run_controller.remove(waiting)
    works[0].end()
    qtbot.waitUntil(lambda: going.ended and not context.run_controller.busy)


def test_several_can_be_deleted_but_only_one_opened(page, runs):
    choose(page, "a", "b")
    assert page.buttons["delete"].isEnabled() and not page.buttons["open"].isEnabled()


def test_delete_asks_and_moves_to_the_trash(page, context, runs, qtbot, monkeypatch):
    import shutil

    trash: list[Path] = []
    monkeypatch.setattr("app.pages.runs.run_actions._to_trash",
                        lambda path: trash.append(path) or not shutil.rmtree(path))  # fmt: skip
    choose(page, "a")
    page.buttons["delete"].click()
    assert dialog().buttons["keep"].isDefault()
    dialog().reject()
    assert trash == []
    page.buttons["delete"].click()
    dialog().buttons["delete"].click()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)
    assert trash == [runs / "a"]
    context.settings.change(confirm_trash=False)
    choose(page, "b")
    page.buttons["delete"].click()
    qtbot.waitUntil(lambda: trash == [runs / "a", runs / "b"])


def test_without_a_trash_it_asks_again(page, context, runs, qtbot):
    delete(context, [RunFolder(runs / "a")], page, to_trash=lambda path: False)
    qtbot.waitUntil(lambda: dialog() is not None)
    assert (runs / "a").exists()
    dialog().reject()
    assert (runs / "a").exists()
    delete(context, [RunFolder(runs / "a")], page, to_trash=lambda path: False)
    qtbot.waitUntil(lambda: dialog() is not None)
    dialog().buttons["delete"].click()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)
    assert not RunFolder(runs / "a").exists


def test_a_run_in_use_is_not_deleted(page, context, runs, qtbot):
    with RunFolder(runs / "a").lock():
        delete(context, [RunFolder(runs / "a")], page, to_trash=lambda path: pytest.fail("deleted"))
        qtbot.waitUntil(lambda: context.notifications.history != [] and context.jobs.active() == 0)
    assert context.notifications.history[-1].text == "a is in use."


def test_a_run_that_is_being_deleted_says_so_and_the_window_goes_on(page, context, runs, qtbot):
    """A folder of checkpoints on a network takes its time."""
    go = threading.Event()
    status = StatusLine()
    qtbot.addWidget(status)
    context.shell.activity_changed.connect(status.show_activity)
    choose(page, "b")
    delete(context, [RunFolder(runs / "b")], page, to_trash=lambda path: go.wait(60) and not shutil.rmtree(path))
    [row] = page.runs.chosen()  # the window has gone on: the files are still there
    assert row.path == runs / "b" and RunFolder(row.path).exists
    assert state_of(page, "b").data() == "Deleting"
    assert not page.buttons["open"].isEnabled() and not page.buttons["delete"].isEnabled()
    assert page.buttons["resume"].isHidden()
    assert page.missing() == "This run is being deleted."
    assert status.text() == "Moving the run b to the trash"
    page.presenter.open_run(row)
    resume(context, RunFolder(row.path), page)
    assert context.project.run is None and not context.run_controller.busy
    assert "it is being deleted." in context.notifications.history[-1].sentence
    context.run_library.refresh()  # reading the list meanwhile does not take the word back
    qtbot.waitUntil(lambda: not context.run_library._reading)
    assert state_of(page, "b").data() == "Deleting"
    go.set()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1 and context.jobs.active() == 0)
    assert context.notifications.history[-1].text == "1 run moved to the trash."
    assert status.text() == ""


def test_a_run_that_could_not_be_deleted_is_there_again(page, context, runs, qtbot, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder.path))

    monkeypatch.setattr(RunFolder, "delete", refuse)
    delete(context, [RunFolder(runs / "a")], page, to_trash=lambda path: False)
    qtbot.waitUntil(lambda: dialog() is not None)
    dialog().buttons["delete"].click()
    qtbot.waitUntil(lambda: context.notifications.history != [] and context.jobs.active() == 0)
    assert context.notifications.history[-1].text.startswith("a was not deleted: ")
    assert state_of(page, "a").data() == "Finished"


def test_a_run_of_a_newer_version_says_so_and_what_to_do(page, context, runs, qtbot):
    folder = RunFolder(runs / "a")
    folder.write_status(Status("archived", 1, 0.0, 10, 10))
    context.run_library.refresh()
    qtbot.waitUntil(lambda: state_of(page, "a").data() == "Newer version")
    choose(page, "a")
    assert page.missing() == "This run was written by a newer version. Update Unlearn Studio to open it."
    assert not page.buttons["open"].isEnabled() and not page.buttons["later"].isEnabled()
    assert page.buttons["delete"].isEnabled()
    tip = state_of(page, "a").data(Qt.ItemDataRole.ToolTipRole)
    assert "no state 'archived'" in tip and "Update Unlearn Studio" in tip
    context.opening.open_run(folder.path)  # from a menu or by a drop
    qtbot.waitUntil(lambda: context.notifications.history != [])
    told = context.notifications.history[-1].sentence
    assert told.startswith("The run was not opened: the run was written by a newer version")
    assert context.project.run is None


def test_what_is_chosen_and_current_stays_when_runs_come(page, context, runs, qtbot):
    """Runs of a terminal come every two seconds, while one reads the list."""
    choose(page, "a")
    assert page.runs.table.currentIndex().data(columns.PATH_ROLE) == runs / "a"
    write_run(runs / "c", job(seed=2), Script("c").whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 3)
    assert [row.id for row in page.runs.chosen()] == ["a"]
    assert page.runs.table.currentIndex().data(columns.PATH_ROLE) == runs / "a"


def test_a_search_finds_by_words(page, runs):
    page.runs.search.setText("interr")
    assert page.runs.proxy.rowCount() == 1
    page.runs.search.setText("nothing")
    assert page.runs.proxy.rowCount() == 0


def test_the_newest_run_is_first_and_the_order_can_be_changed(page, runs):
    page.runs.table.sortByColumn(columns.STATE, Qt.SortOrder.AscendingOrder)
    assert page.runs.proxy.index(0, columns.STATE).data() == "Finished"
    page.runs.table.sortByColumn(columns.STATE, Qt.SortOrder.DescendingOrder)
    assert page.runs.proxy.index(0, columns.STATE).data().startswith("Interrupted")


def test_the_queue_can_be_reordered_and_emptied(page, context, qtbot, tmp_path):
    works = [Stepped() for _ in range(3)]
    runs = [context.run_controller.start_work(RunFolder(tmp_path / str(n)), "unlearn", "", works[n], job(seed=n))
            for n in range(3)]  # fmt: skip
    queue = page.queue
    assert queue.title.text() == "Waiting (2)" and not queue.isHidden()
    queue.list.setCurrentRow(1)
    queue.up.click()
    assert context.run_controller.queue == [runs[2], runs[1]] and queue.chosen() is runs[2]
    assert not queue.up.isEnabled() and queue.down.isEnabled()
    queue.remove.click()
    queue.list.setCurrentRow(0)
    queue.remove.click()
    assert context.run_controller.queue == [] and queue.isHidden()
    works[0].end()
    qtbot.waitUntil(lambda: not context.run_controller.busy)


def test_start_again_brings_model_data_and_forget_set_back(page, context, example, qtbot):
    made = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "finetune", seed=5)
    create_run(context.runs_folder() / "a", made, example.selection, example.bench.dataset)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)
    wanted: list = []
    context.run_controller.setup_wanted.connect(wanted.append)
    choose(page, "a")
    page.buttons["duplicate"].click()
    qtbot.waitUntil(lambda: bool(wanted), timeout=20_000)
    assert wanted[0] == made and context.shown_pages[-1] == "unlearn"
    project = context.project
    assert project.opened_model.sha256 == made.model.sha256
    assert project.selection.digest() == made.forget.sha256
    qtbot.waitUntil(lambda: context.jobs.active() + context.device_jobs.active() == 0, timeout=20_000)


def test_start_again_prepares_images_as_the_run_did_whatever_nobody_states(page, context, example, tmp_path, qtbot):
    source = tmp_path / "net.pth"
    torch.save(example.bench.model.state_dict, source)
    otherwise = dataclasses.replace(example.bench.dataset.preprocessing, mean=(0.3,), std=(0.7,), source="tried")
    bench = Bench().open(source, "digits", prepared=otherwise)
    made = make_unlearn_job(bench.on("cpu", threads=1), example.selection, "finetune")
    create_run(context.runs_folder() / "a", made, example.selection, bench.dataset)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)
    wanted: list = []
    context.run_controller.setup_wanted.connect(wanted.append)
    choose(page, "a")
    for number in (1, 2):
        page.buttons["duplicate"].click()
        qtbot.waitUntil(lambda count=number: len(wanted) == count, timeout=20_000)
        assert context.project.dataset.preprocessing.mean == (0.3,)
        context.project.set_opened(  # the same model and data, prepared in another way
            context.project.opened_model, example.bench.dataset, context.project.data_options
        )
        qtbot.waitUntil(lambda: context.jobs.active() + context.device_jobs.active() == 0, timeout=20_000)


def test_everything_has_a_name(page, runs):
    assert unnamed_widgets(page) == []


def test_finished_runs_are_compared_on_the_verify_page(page, runs, context, qtbot):
    shown: list[str] = []
    context.show_page = shown.append
    choose(page, "a", "b")
    assert not page.buttons["compare"].isEnabled()
    assert page.buttons["compare"].accessibleDescription() == "Only finished runs that forget can be compared."
    write_run(runs / "c", job(seed=2), Script("c").whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 3)
    choose(page, "a")
    assert page.buttons["compare"].accessibleDescription() == "Choose two or more runs."
    choose(page, "c", "a")
    page.buttons["compare"].click()
    assert [folder.id for folder in context.project.compared] == ["a", "c"] and shown == ["verify"]


def test_a_later_request_starts_from_a_finished_run(page, context, example, qtbot):
    made = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "finetune")
    folder = create_run(context.runs_folder() / "first", made, example.selection, example.bench.dataset)
    source = example.bench.model.path
    shutil.copy(source, folder.file(MODEL))  # as good as a result for what is looked at here
    shutil.copy(source.with_name(CARD), folder.file(CARD))
    call_finished(folder)
    write_run(context.runs_folder() / "b", job(seed=1), [Script("b").started()], "running", step=31)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 2)
    choose(page, "b")
    assert not page.buttons["later"].isEnabled()
    assert page.buttons["later"].toolTip() == "A later request starts from a run that ended with a model."
    choose(page, "first")
    assert page.buttons["later"].isEnabled()
    page.buttons["later"].click()
    assert context.shown_pages[-1] == "project"
    qtbot.waitUntil(lambda: context.shown_pages[-1] == "forget", timeout=20_000)
    project = context.project
    assert project.opened_model.path == folder.file(MODEL) and project.selection.count == 0
    later = make_unlearn_job(project.bench.on("cpu", threads=1), project.selection.with_classes([5]), "finetune")
    assert later.chain == (folder.job_sha256(),) and later.forget.class_names == ("3", "5")
    folder.file(FORGET).unlink()
    context.run_library.refresh()
    qtbot.waitUntil(lambda: "which images must not come back" in page.buttons["later"].toolTip())
    qtbot.waitUntil(lambda: context.jobs.active() + context.device_jobs.active() == 0, timeout=20_000)


def test_a_later_request_goes_on_after_the_question_about_program_code(page, context, tmp_path, qtbot):
    """The Project page asks and opens again; whoever waited for the model goes on with it."""
    code = tmp_path / "nets.py"
    code.write_text("from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n")
    torch.manual_seed(0)
    source = tmp_path / "net.safetensors"
    write_safetensors(source, build_from_user_code(f"{code}:net", 10, trust_code=True).state_dict(), {})
    bench = Bench(trust=Trust(code=True)).open(source, "digits", arch=f"{code}:net")
    chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    made = make_unlearn_job(bench.on("cpu", threads=1), chosen, "finetune")
    folder = create_run(context.runs_folder() / "coded", made, chosen, bench.dataset)
    shutil.copy(source, folder.file(MODEL))
    call_finished(folder)
    context.run_library.refresh()
    qtbot.waitUntil(lambda: page.runs.model.rowCount() == 1)
    failed: list = []
    context.opening.failed.connect(failed.append)
    choose(page, "coded")
    page.buttons["later"].click()
    qtbot.waitUntil(lambda: bool(failed), timeout=20_000)
    assert isinstance(failed[0].error, UnsafeFileError) and context.shown_pages == ["project", "project"]
    assert context.notifications.history == []  # the question is the word on it
    context.opening.put(dataclasses.replace(failed[0].request, trust=Trust(pickle=True, code=True)))
    qtbot.waitUntil(lambda: context.shown_pages[-1] == "forget", timeout=20_000)
    assert context.project.opened_model.path == folder.file(MODEL) and context.trust.of(made).code
    qtbot.waitUntil(lambda: context.jobs.active() + context.device_jobs.active() == 0, timeout=20_000)
    assert "baseline" in context.project.evaluation  # measured, because its code was allowed


def test_a_run_whose_check_waits_or_goes_stays_what_it_is(page, context, runs, qtbot):
    works = [Stepped(), Stepped()]
    for work in works:
        context.run_controller.start_work(RunFolder(runs / "a"), "check", "Check", work, job())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: not context.run_library._reading)
    assert {row.path.name: row.state for row in context.run_library.rows} == {"a": "finished", "b": "interrupted"}
    assert page.queue.title.text() == "Waiting (1)"
    for work in works:
        work.end({})
    qtbot.waitUntil(lambda: not context.run_controller.busy)


def test_two_runs_of_one_method_are_told_apart(context, page, qtbot):
    folder, model = context.runs_folder(), page.runs.model
    one = job(preset="samples")
    other = dataclasses.replace(one, model=dataclasses.replace(one.model, path="/models/other/model.safetensors"),
                                data=dataclasses.replace(one.data, spec="/data/photos"), preset="")  # fmt: skip
    for name, made in (("a", one), ("b", other)):
        write_run(folder / name, made, Script(name).whole())
    context.run_library.refresh()
    qtbot.waitUntil(lambda: model.index(0, columns.METHOD).data() == "MUDA (reconstruction)")
    told = (columns.PRESET, columns.MODEL, columns.DATA)
    rows = {model.row_at(row).id: [model.index(row, column).data() for column in told] for row in range(2)}
    assert rows["b"] == ["–", "other", "photos"] and rows["a"][0] == "Single images" and rows["a"] != rows["b"]
    page.runs.search.setText("photos")
    assert page.runs.proxy.rowCount() == 1


def test_columns_are_hidden_and_stay_so(context, page, runs, qtbot):
    assert not page.runs.table.isColumnHidden(columns.MODEL)
    page.runs.column_menu.columns[columns.MODEL].trigger()
    assert page.runs.table.isColumnHidden(columns.MODEL)
    again = QTableView()
    qtbot.addWidget(again)
    again.setModel(page.runs.model)
    menu = ColumnMenu(again, columns.HIDEABLE, context.window_state, "runs")
    assert again.isColumnHidden(columns.MODEL) and not again.isColumnHidden(columns.DATA)
    assert not menu.columns[columns.MODEL].isChecked()


def test_the_menu_of_the_table_does_what_the_buttons_do(page, context, runs):
    choose(page, "a")
    assert [entry.text() for entry in page.runs.table.actions()] == [page.buttons[key].text() for key in page.entries]
    assert not page.entries["compare"].isEnabled()
    asked: list[str] = []
    page.asked.connect(asked.append)
    page.entries["open"].trigger()
    assert asked == ["open"]
