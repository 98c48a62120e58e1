"""The page over the life of runs: which view shows, errors, warnings, and the real example run."""

from __future__ import annotations

import dataclasses
import threading
from types import SimpleNamespace

import pytest
from PySide6.QtWidgets import QApplication

from app.dialogs.sheet import ConfirmDialog
from app.pages.unlearn import UnlearnPage
from app.pages.unlearn.markers import Marker
from app.services import format as fmt
from app.services import run_words as words
from app.widgets.terms import TermLabel
from app.workers.live_run import LiveRun
from core.errors import OutOfMemoryError
from core.events import MeasureTaken, State
from core.files import write_json
from core.runs.folder import REPORT_JSON, RunFolder
from core.session.jobs import make_unlearn_job
from core.session.planning import pace
from tests.app.helpers import cut_off, pressable
from tests.app.scripted import Script, Stepped, append_events, job, write_run
from tests.app.verify.walk import unnamed_widgets

WIDTH, HEIGHT = 1096, 644  # what a page has in the smallest window


@pytest.fixture
def page(opened, qtbot) -> UnlearnPage:
    made = UnlearnPage(opened)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    return made


@pytest.fixture
def scripted(page, opened, tmp_path, qtbot):
    """A scripted run in view."""
    work = Stepped()
    run = opened.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    opened.project.set_run(run)
    yield run, work, Script("r")
    work.end()
    qtbot.waitUntil(lambda: not opened.run_controller.busy)


def dialog() -> ConfirmDialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, ConfirmDialog) and w.isVisible()), None)


def test_a_run_comes_into_view_and_its_curves_grow(page, scripted, qtbot):
    _, work, script = scripted
    assert page.view == "run"
    work.give(script.started(), *script.measured(0, 0.98), *script.measured(10, 0.5))
    qtbot.waitUntil(lambda: len(page.run_view.plots.history.evaluations) == 2)
    assert pressable(page.run_view.bar.buttons) == {"pause", "checkpoint", "stop", "discard"}


def test_buttons_ask_the_controller(page, scripted, qtbot):
    run, work, script = scripted
    work.give(script.started())
    qtbot.waitUntil(lambda: run.state is State.RUNNING)
    page.run_view.bar.buttons["pause"].click()
    assert work.control.paused and "Pausing" in page.run_view.bar.headline.text()
    page.run_view.bar.buttons["stop"].click()
    assert run.state is State.STOPPING
    assert pressable(page.run_view.bar.buttons) == set()
    assert page.run_view.bar.headline.text().startswith("Stopping · finishing")
    qtbot.waitUntil(lambda: run.state is State.STOPPED)
    assert pressable(page.run_view.bar.buttons) == {"again", "check"}


def test_discard_asks_and_the_default_is_to_keep(page, scripted, qtbot):
    run, work, script = scripted
    work.give(script.started(), script.checkpoint(5))
    qtbot.waitUntil(lambda: run.checkpoints == 1)
    page.run_view.bar.buttons["discard"].click()
    asked = dialog()
    assert asked is not None and asked.buttons["keep"].isDefault()
    asked.reject()  # Esc
    assert run.state is State.RUNNING and not work.control.discarding
    page.run_view.bar.buttons["discard"].click()
    dialog().buttons["discard"].click()
    qtbot.waitUntil(lambda: run.state is State.DISCARDED)
    assert page.run_view.bar.headline.text() == "Discarded. The original model was not touched."


def test_the_result_leads_to_its_check(page, scripted, opened, qtbot):
    run, work, script = scripted
    run.planned = SimpleNamespace(plain_seconds=6.0, pace_key="of-this-kind")
    work.give(*script.whole())
    work.end()
    qtbot.waitUntil(lambda: run.ended and not opened.run_controller.busy)
    assert page.run_view.bar.headline.text() == "Finished in 12 s."
    qtbot.waitUntil(lambda: pace("of-this-kind") == 2.0)  # the next estimate is closer
    assert page.run_view.bar.change.text().startswith("Forget accuracy on 60 unseen images went from 98.0 to 0.0 %")
    page.run_view.bar.buttons["check"].click()
    assert opened.shown_pages[-1] == "verify"
    page.run_view.bar.buttons["again"].click()
    assert page.view == "setup"


def test_a_run_that_was_checked_leads_to_the_export(page, opened, tmp_path, qtbot):
    folder = write_run(tmp_path / "r", job(), Script("r").whole())
    write_json(folder.file(REPORT_JSON), {"models": {}, "retrained": {"seed 0": {}}})
    opened.project.set_run(LiveRun.from_folder(folder))
    bar = page.run_view.bar
    qtbot.waitUntil(lambda: pressable(bar.buttons) == {"again", "details", "export"})
    bar.buttons["details"].click()
    bar.buttons["export"].click()
    assert opened.shown_pages[-2:] == ["verify", "export"]
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "other", job(), Script("other").whole())))
    assert pressable(bar.buttons) == {"again", "check"}


def test_warnings_of_a_run_are_banners(page, scripted, qtbot):
    _, work, script = scripted
    unchanged = "The model is unchanged: forget accuracy 98.1 % before, 98.0 % after."
    work.give(script.started(), script.log(unchanged, "unchanged"))
    qtbot.waitUntil(lambda: page.run_view.banner_texts == [unchanged])


UNCHANGED = (
    "The model is unchanged: forget accuracy 98.1 % before, 98.0 % after. Try a larger step size, or search for one."
)
DAMAGE = "Retain accuracy fell by 12.4 points. That is more than forgetting needs: retraining loses 0.3."


def test_what_is_to_be_minded_about_a_result_stands_with_its_outcome(page, scripted, opened, qtbot):
    run, work, script = scripted
    work.give(*script.whole()[:-1], script.log(UNCHANGED, "unchanged", 100), script.log(DAMAGE, "damage", 100),
              script.log("Another warning.", "weights", 100), script.finished())  # fmt: skip
    work.end()
    qtbot.waitUntil(lambda: run.ended and not opened.run_controller.busy)
    assert page.run_view.banner_texts == [f"{UNCHANGED}\n{DAMAGE}", "Another warning."]
    assert words.outcome(run).endswith(f"{UNCHANGED} {DAMAGE}")
    page.resize(WIDTH, HEIGHT)
    qtbot.waitUntil(lambda: not cut_off(page))  # it is laid out in the next turn
    assert page.minimumSizeHint().height() <= HEIGHT
    page.run_view.banners[0]._buttons[0].click()  # other settings: what the sentence advises
    search = page.presenter.setup.search
    assert page.view == "setup" and search.dialog.isVisible()
    search.dialog.close()


def test_a_banner_that_says_the_same_of_another_run_acts_on_that_one(page, opened, qtbot, tmp_path):
    for seed in (1, 2):
        script = Script(str(seed))
        events = [*script.whole()[:-1], script.log(UNCHANGED, "unchanged", 100), script.finished()]
        folder = write_run(tmp_path / str(seed), job(method="finetune", seed=seed), events)
        opened.project.set_run(LiveRun.from_folder(folder))
    page.run_view.banners[0]._buttons[0].click()
    assert page.setup.parameters.seeds.text() == "2"
    page.presenter.setup.search.dialog.close()


def test_a_result_without_warnings_shows_none(page, scripted, opened, qtbot):
    run, work, script = scripted
    work.give(*script.whole(), script.log(DAMAGE, "damage", 100))
    work.end()
    qtbot.waitUntil(lambda: run.ended and not opened.run_controller.busy)
    assert page.run_view.banner_texts == [DAMAGE] and not page.run_view.banners[0]._buttons
    again = LiveRun.from_folder(write_run(page.context.runs_folder() / "clean", job(), Script("clean").whole()))
    opened.project.set_run(again)
    assert page.run_view.banner_texts == []


def test_a_failure_says_what_happened_and_what_to_do(page, scripted, opened, qtbot):
    _, work, script = scripted
    work.give(script.started(), script.failed())
    work.fail(RuntimeError("x"))
    qtbot.waitUntil(lambda: not opened.run_controller.busy)
    assert page.run_view.banner_texts == ["The loss became infinite at step 5. Choose a smaller step size."]
    assert page.run_view.banner_texts[0] in opened.notifications.history[-1].sentence  # also once another is in view
    assert pressable(page.run_view.bar.buttons) == {"again"}
    details = page.run_view.banners[0]._buttons[0]
    details.click()
    shown = next(w for w in QApplication.topLevelWidgets() if type(w).__name__ == "MessagesDialog")
    assert "Traceback …" in shown.details.toPlainText()
    shown.close()


def test_out_of_memory_offers_half_the_batch_as_a_new_job(page, opened, example, qtbot, monkeypatch, tmp_path):
    work = Stepped()
    controller = opened.run_controller
    run = controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    run.inputs = (example.bench, example.selection)
    opened.project.set_run(run)
    work.fail(OutOfMemoryError("Out of memory at batch 64", "Try again with 32"))
    qtbot.waitUntil(lambda: not controller.busy)
    assert page.run_view.banner_texts == [
        "Out of memory at batch 64. Start again with 32? Results differ slightly: batch statistics then come from "
        "32 images."
    ]
    begun: list = []

    def start(job, bench, selection, folder=None):
        begun.append(job)
        again = Stepped()
        again.end()
        return controller.start_work(RunFolder(tmp_path / "again"), "unlearn", "", again, job)

    monkeypatch.setattr(controller, "start", start)
    page.run_view.banners[0]._buttons[0].click()
    assert begun[0].parameters["batch"] == 32
    qtbot.waitUntil(lambda: not controller.busy)


def test_a_new_forget_set_asks_for_a_new_run(page, scripted, opened, qtbot):
    run, work, script = scripted
    work.give(*script.whole())
    work.end()
    qtbot.waitUntil(lambda: run.ended)
    qtbot.addWidget(page.chips)
    page.chips.show()
    assert not page.chips.earlier.isHidden() and page.chips.earlier.text() == "for an earlier selection"
    opened.project.selection_changed.emit()  # on the Forget page
    page.entered()
    assert page.view == "setup" and page.setup.back.isVisible()
    page.setup.back.click()
    assert page.view == "run"


def test_a_run_opened_from_runs_is_shown_whatever_is_chosen_on_forget(page, opened, tmp_path, qtbot):
    """It showed the method form, and neither curves nor replay could be reached."""
    page.hide()
    opened.project.selection_changed.emit()
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "r", job(), Script("r").whole())))
    page.show()
    page.entered()
    qtbot.addWidget(page.chips)
    page.chips.show()
    assert page.view == "run" and not page.chips.earlier.isHidden()
    page.presenter.set_up_another()
    opened.actions.refresh()
    opened.actions["run.replay"].trigger()
    assert page.view == "run" and page.run_view.slider.playing
    page.run_view.slider.toggle_play()


def test_what_a_check_has_measured_comes_into_the_lanes_again_when_its_run_is_back_in_view(
    page, opened, qtbot, tmp_path, monkeypatch
):
    told: list[object] = []
    monkeypatch.setattr(page.presenter.lanes, "_set", told.append)
    folders = [write_run(tmp_path / name, job(), Script(name).whole()) for name in ("a", "b")]
    check = LiveRun(folders[0], "check", job=job(), work=lambda control, emit: None)
    check.begin()
    for folder in (*folders, folders[0]):
        with qtbot.waitSignal(opened.project.run_changed):
            opened.project.set_run(LiveRun.from_folder(folder))
        qtbot.waitUntil(lambda: opened.jobs.active() == 0)
        check.apply([MeasureTaken(run=check.id, step=0, time=0.0, model="unlearned", values={"probe": 0.5})]
                    if not check.taken_count else [])  # fmt: skip
        told.clear()
        opened.run_controller.state_changed.emit(check)
        assert bool(told) == (folder is folders[0])


def test_the_lanes_show_the_accuracy_of_the_run_in_view_and_not_of_the_one_before(page, opened, tmp_path):
    run = LiveRun.from_folder(write_run(tmp_path / "r", job(), Script("r").whole()))
    shown = page.lanes.accuracies["unlearned"]
    opened.project.set_run(run)
    assert shown.text() == fmt.percent(run.history.evaluations[-1].forget_test_accuracy)
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "q", job(), [])))
    assert shown.text() == fmt.DASH


def test_a_start_after_a_run_that_has_ended_sets_up_another(page, opened, tmp_path):
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "r", job(), Script("r").whole())))
    opened.run_controller.start_wanted.emit()
    assert page.view == "setup"


def test_a_training_leads_on_to_what_its_model_is_to_forget(page, opened, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(opened.opening, "put", asked.append)
    folder = write_run(tmp_path / "t", job("none", kind="train"), Script("t", mode="none").whole(), "stopped")
    opened.project.set_run(LiveRun.from_folder(folder))
    assert pressable(page.run_view.bar.buttons) == {"again", "forget"}
    page.run_view.bar.buttons["forget"].click()
    assert [(request.model, request.data) for request in asked] == [(str(folder.path), "digits")]
    assert opened.shown_pages[-1] == "forget"


def test_the_next_run_of_a_queue_comes_into_view(page, opened, example, qtbot, tmp_path):
    controller, works = opened.run_controller, []
    runs = []
    for name in ("a", "b"):
        work = Stepped()
        run = controller.start_work(RunFolder(tmp_path / name), "unlearn", "", work, job())
        run.inputs = (example.bench, example.selection)
        works.append(work)
        runs.append(run)
    opened.project.set_run(runs[0])
    works[0].end()
    qtbot.waitUntil(lambda: opened.project.run is runs[1])
    works[1].end()
    qtbot.waitUntil(lambda: not controller.busy)


def test_a_run_of_another_process_is_followed_live(page, opened, qtbot, tmp_path):
    script = Script("r")
    folder = write_run(tmp_path / "r", job(), [script.started(), *script.measured(0)], "running")
    with folder.lock():
        opened.project.set_run(LiveRun.from_folder(folder))
        assert pressable(page.run_view.bar.buttons) == {"again"}
        append_events(folder, script.measured(10))
        page.presenter.run._follower.look()
        qtbot.waitUntil(lambda: len(page.run_view.plots.history.evaluations) == 2)
    opened.project.set_run(None)


def test_an_interrupted_run_can_be_resumed_or_left_as_it_is(page, opened, tmp_path):
    folder = write_run(tmp_path / "r", job(), [Script("r").started()], "running", step=31)
    opened.project.set_run(LiveRun.from_folder(folder))
    assert pressable(page.run_view.bar.buttons) == {"restart", "again"}
    assert page.run_view.bar.headline.text() == (
        "A run was interrupted at step 31. Resuming gives the same result as if it had not been."
    )


@pytest.fixture
def cut_off_run(page, opened, tmp_path) -> RunFolder:
    """An interrupted run in view."""
    folder = write_run(tmp_path / "r", job(), [Script("r").started()], "running", step=31)
    opened.project.set_run(LiveRun.from_folder(folder))
    return folder


def test_the_history_of_a_resumed_run_is_read_in_a_worker(page, opened, cut_off_run, qtbot, monkeypatch):
    """A long run's is megabytes of JSON."""
    work, readers, real = Stepped(), [], LiveRun.from_folder
    holding = opened.run_controller.start_work(RunFolder(cut_off_run.path.with_name("x")), "train", "", work)

    def from_folder(folder):
        readers.append(threading.current_thread() is threading.main_thread())
        return real(folder)

    monkeypatch.setattr(LiveRun, "from_folder", from_folder)
    page.run_view.bar.buttons["restart"].click()
    qtbot.waitUntil(lambda: len(opened.run_controller.queue) == 1)
    waiting = opened.run_controller.queue[0]
    assert readers == [False] and opened.project.run is waiting and waiting.history.started
    page.run_view.bar.buttons["restart"].click()  # once more, as from a list that is not up to date
    qtbot.waitUntil(lambda: opened.jobs.active() == 0)
    assert opened.run_controller.queue == [waiting] and opened.project.run is waiting
    opened.run_controller.remove(waiting)
    work.end()
    qtbot.waitUntil(lambda: holding.ended and not opened.run_controller.busy)


def test_a_run_that_is_gone_cannot_be_resumed_and_says_so(page, opened, cut_off_run, qtbot):
    cut_off_run.file("job.json").unlink()
    page.run_view.bar.buttons["restart"].click()
    qtbot.waitUntil(lambda: bool(opened.notifications.history))
    assert opened.notifications.history[-1].text.startswith("The run cannot be resumed: ")
    assert not opened.run_controller.busy


def test_words_of_the_page_can_be_asked_about(page, scripted):
    shown = {label.text() for label in page.findChildren(TermLabel) if label.isVisible()}
    assert {"Dimensional alignment", "Feature map"} <= shown
    page.presenter.set_up_another()
    assert {"Methods", "Forget"} <= {label.text() for label in page.findChildren(TermLabel) if label.isVisible()}


def test_everything_has_a_name(page, scripted):
    assert unnamed_widgets(page) == []


def test_it_fits_the_smallest_window(page, scripted, qtbot):
    _, work, script = scripted
    work.give(script.started(), *script.measured(0), *(script.log(f"Warning {n}.") for n in range(3)))
    qtbot.waitUntil(lambda: len(page.run_view.banner_texts) == 2)
    for _view in ("run", "setup"):
        least = page.minimumSizeHint()
        assert least.width() <= WIDTH and least.height() <= HEIGHT
        page.resize(WIDTH, HEIGHT)
        qtbot.waitUntil(lambda: not cut_off(page))  # it is laid out in the next turn
        page.presenter.set_up_another()


# ---- the real example


@pytest.fixture
def example_job(example):
    made = make_unlearn_job(example.bench.on("cpu", threads=1), example.selection, "muda", preset="slow-motion")
    return dataclasses.replace(made, checkpoint_seconds=0.2)


def start(opened, example, made) -> LiveRun:
    run = opened.run_controller.start(made, example.bench, example.selection)
    opened.project.set_run(run)
    return run


def test_the_example_run_is_paused_resumed_and_stopped(page, opened, example, example_job, qtbot):
    run = start(opened, example, example_job)
    bar = page.run_view.bar
    qtbot.waitUntil(lambda: run.step > 5, timeout=30_000)
    bar.buttons["pause"].click()
    qtbot.waitUntil(lambda: run.state is State.PAUSED, timeout=10_000)
    held = run.step
    bar.buttons["checkpoint"].click()
    qtbot.waitUntil(lambda: run.asked == "", timeout=10_000)
    assert run.checkpoints >= 1 and run.step == held
    bar.buttons["pause"].click()
    qtbot.waitUntil(lambda: run.step > held, timeout=10_000)
    bar.buttons["stop"].click()
    assert run.state is State.STOPPING
    qtbot.waitUntil(lambda: run.ended, timeout=30_000)
    qtbot.waitUntil(lambda: not opened.run_controller.busy)
    assert run.state is State.STOPPED and run.folder.has_result
    assert run.folder.status().state == "stopped"
    assert bar.headline.text().startswith("Stopped at step")
    assert len(page.run_view.plots.history.evaluations) >= 1


def test_the_example_run_is_discarded(page, opened, example, example_job, qtbot):
    run = start(opened, example, example_job)
    qtbot.waitUntil(lambda: run.step > 5, timeout=30_000)
    page.run_view.bar.buttons["discard"].click()
    dialog().buttons["discard"].click()
    qtbot.waitUntil(lambda: not opened.run_controller.busy, timeout=30_000)
    assert run.state is State.DISCARDED and not run.path.exists()


def test_stopping_while_preparing_keeps_nothing(page, opened, example, example_job, qtbot):
    run = start(opened, example, example_job)
    page.run_view.bar.buttons["stop"].click()
    qtbot.waitUntil(lambda: not opened.run_controller.busy, timeout=30_000)
    assert run.state in (State.DISCARDED, State.STOPPED)
    assert run.path.exists() == (run.state is State.STOPPED)


def test_a_waiting_run_that_is_taken_out_does_not_go_on_waiting_in_view(page, scripted, opened, tmp_path):
    controller = opened.run_controller
    waiting = controller.start_work(RunFolder(tmp_path / "w"), "unlearn", "", Stepped(), job())
    opened.project.set_run(waiting)
    assert page.run_view.bar.headline.text() == "Waiting for the run before it to end."
    controller.remove(waiting)
    assert page.run_view.bar.headline.text() == "Discarded. The original model was not touched."
    assert pressable(page.run_view.bar.buttons) == {"again"}


@pytest.mark.parametrize("batch", [False, True])
def test_the_next_run_of_a_queue_leaves_runs_side_by_side_where_they_are(page, opened, example, qtbot, tmp_path, batch):
    controller, works = opened.run_controller, [Stepped(), Stepped()]
    runs = [controller.start_work(RunFolder(tmp_path / str(n)), "unlearn", "", work, job())
            for n, work in enumerate(works)]  # fmt: skip
    for run in runs:
        run.inputs = (example.bench, example.selection)
    opened.project.set_run(runs[0])
    folders = (RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b"))
    if batch:
        opened.project.show_batch()
    else:
        opened.project.set_compared(folders)
    works[0].end()
    qtbot.waitUntil(lambda: controller.current is runs[1])
    assert opened.project.side_by_side and opened.project.compared == (() if batch else folders)
    works[1].end()
    qtbot.waitUntil(lambda: not controller.busy)


def test_markers_of_the_run_before_do_not_arrive_at_a_training(page, opened, qtbot, tmp_path, monkeypatch):
    asked, go = threading.Event(), threading.Event()

    def late(*_args):
        asked.set()
        go.wait(60)
        return (Marker("retrained", 0.5, 0.5, None, None),)

    monkeypatch.setattr("app.pages.unlearn.markers.markers", late)
    first = LiveRun.from_folder(write_run(tmp_path / "a", job(), Script("a").whole()))
    training = LiveRun.from_folder(
        write_run(tmp_path / "t", job("none", kind="train"), Script("t", mode="none").whole())
    )
    opened.project.set_run(first)
    assert asked.wait(60)
    opened.project.set_run(training)
    go.set()
    qtbot.waitUntil(lambda: opened.jobs.active() == 0)
    assert page.run_view.plots._markers == ()


def test_markers_stand_beside_a_run_whose_own_report_is_damaged(page, opened, qtbot, tmp_path, monkeypatch):
    known = (Marker("retrained", 0.5, 0.5, None, None),)
    monkeypatch.setattr("app.pages.unlearn.markers.markers", lambda *_: known)
    folder = write_run(tmp_path / "r", job(), Script("r").whole())
    folder.file(REPORT_JSON).write_text("{")
    opened.project.set_run(LiveRun.from_folder(folder))
    qtbot.waitUntil(lambda: opened.jobs.active() == 0)
    assert page.run_view.plots._markers == known
    assert "check" in pressable(page.run_view.bar.buttons)


def test_the_map_of_a_run_gets_its_retrained_models_and_is_written_as_a_film(page, opened, qtbot, tmp_path):
    script = Script("r")
    events = [*script.whole(), *script.mapped(0), *script.mapped(50), *script.mapped(100)]
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "r", job(), events)))
    plot = page.run_view.plots.features.map
    qtbot.waitUntil(lambda: plot.why.text() == "No retrained model yet.")
    plot.film_wanted.emit(plot.film(), tmp_path / "map.gif")
    qtbot.waitUntil(lambda: plot.said.text() == "Saved map.gif")
    assert (tmp_path / "map.gif").read_bytes().startswith(b"GIF89a")
    plot.film_wanted.emit(plot.film(), tmp_path / "r" / "job.json" / "map.gif")  # below a file
    qtbot.waitUntil(lambda: plot.said.text().startswith("Not saved: "))


def test_a_run_opened_from_disk_can_be_played_again_at_once(page, opened, tmp_path):
    opened.actions.refresh()
    assert opened.actions.reason("run.replay") == "There is no run in view."
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "r", job(), Script("r").whole())))
    assert opened.actions["run.replay"].isEnabled()
    opened.actions["run.replay"].trigger()
    assert page.run_view.slider.playing
    page.run_view.slider.toggle_play()
