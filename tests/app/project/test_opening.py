"""The one way by which models, data, runs and lists come into the window."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from app.services.opening import explain
from app.workers.live_run import LiveRun
from core.errors import InputError, MismatchError, OutOfMemoryError
from core.events import State
from core.models.architectures import ModelSpec, build_model
from core.runs.waiting import Check


def test_model_and_data_are_opened_one_after_the_other_and_measured(context, digits_file, idle, qtbot):
    seen = []
    context.project.model_changed.connect(lambda: seen.append(context.project.ready))
    context.opening.open_data("digits")
    context.opening.open_model(digits_file)  # waits for the data
    idle()
    assert seen == [True]
    assert context.project.bench.model.spec.architecture == "mlp"
    assert context.project.evaluation["baseline"].accuracy > 0.8
    assert not context.project.proof.order.offered
    assert context.window_state.recent("model") == [str(digits_file)]
    assert context.window_state.recent("data") == ["digits"]


def test_a_failure_leaves_what_is_open(context, open_digits, tmp_path, idle):
    open_digits()
    bench, evaluation = context.project.bench, context.project.evaluation
    failures = []
    context.opening.failed.connect(failures.append)
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"nothing of use")
    context.opening.open_model(broken)
    context.opening.open_data(str(tmp_path / "none"))
    idle()
    assert len(failures) == 2
    assert failures[0].sentence.startswith("broken.pt was not opened. ")
    assert (context.project.opened_model, context.project.dataset) == (bench.model, bench.dataset)
    assert context.project.evaluation is evaluation


def test_a_cancelled_request_changes_nothing_and_says_nothing(context, digits_file, idle):
    failures = []
    context.opening.failed.connect(failures.append)
    context.opening.open_data("digits")
    context.opening.open_model(digits_file)
    context.opening.cancel()
    idle()
    assert context.project.dataset is None and not failures


def test_other_data_begins_without_the_order_of_the_former(context, digits_file, idle, insects):
    context.opening.open_data("digits")
    context.opening.change(order=tuple("1234567890"))
    idle()
    assert context.project.dataset.classes[0] == "1" and context.project.data_options.classes_file
    context.opening.open_data(str(insects))
    idle()
    assert context.project.dataset.classes == ("ant", "bee", "cat")
    assert not context.project.data_options.classes_file


def test_paths_are_opened_as_what_they_are(context, window, insects, digits_file, tmp_path, idle, qtbot):
    model = tmp_path / "insects.pt"

    torch.save(build_model(ModelSpec("mlp", 3, 1, (12, 12))).state_dict(), model)
    context.opening.open_data("digits")
    context.opening.change(order=tuple("1234567890"))  # of this data alone
    idle()
    window.show_page("forget")
    context.opening.open_paths([model, insects])
    idle()
    assert window.current_page == "project"
    assert context.project.ready and context.project.dataset.title == "insects"
    unknown = tmp_path / "notes.md"
    unknown.write_text("x")
    context.opening.open_paths([unknown])
    idle()
    said = "No model, data, run, forget list or batch file: notes.md."
    assert context.notifications.history[-1].sentence == said


def test_what_is_named_from_the_present_folder_is_remembered_as_a_whole_path(
    context, window, insects, idle, monkeypatch
):
    monkeypatch.chdir(insects / "train")
    context.opening.open_paths([Path("../../insects")])
    idle()
    assert context.window_state.recent("data") == [str(insects)]


def test_a_list_needs_data_and_then_opens_on_its_page(context, window, tmp_path, idle):
    path = tmp_path / "forget.csv"
    path.write_text("index\n1\n2\n")
    context.opening.open_paths([path])
    idle()
    assert context.notifications.history[-1].text == "Open the data first: a forget list names its images."
    context.opening.open_data("digits")
    idle()
    wanted = []
    context.opening.list_wanted.connect(wanted.append)
    context.opening.open_paths([path])
    idle()
    assert window.current_page == "forget" and wanted == [path]


def test_a_drag_and_a_drop_say_what_opens_and_what_is_left_in_the_same_words(
    context, window, tmp_path, insects, digits_file, idle, qtbot
):
    model, other, forget = tmp_path / "a.pt", tmp_path / "a.md", tmp_path / "names.txt"
    for path in (model, other, forget):
        path.write_text("x")
    opening = context.opening

    def said(*paths):
        with qtbot.waitSignal(opening.looked):
            opening.look_at(paths)
        return window.status.text()

    assert said(model) == "a.pt opens as the model."
    assert said(model, insects) == "a.pt opens as the model. insects opens as the data."
    assert said(forget) == "Open the data first: a forget list names its images."
    assert said(insects, forget) == "insects opens as the data. names.txt opens as a forget list."
    assert said(other) == "No model, data, run, forget list or batch file: a.md."
    three = [digits_file, model, other]
    before = said(*three)
    assert before == (
        "digits.pt opens as the model. Left, for one of a kind opens at a time: a.pt. "
        "No model, data, run, forget list or batch file: a.md."
    )
    opening.open_paths(three)
    idle()
    assert context.notifications.history[-1].text == before and window.notices.text() == before
    assert context.project.opened_model.path == digits_file


def test_what_was_dropped_opens_although_the_next_file_is_dragged_already(context, window, tmp_path, insects, idle):
    context.opening.open_paths([insects])
    context.opening.look_at([tmp_path / "a.pt"])
    context.opening.look_away()
    idle()
    assert context.project.dataset.title == "insects"


def test_a_list_dropped_with_its_data_is_shown_once_the_data_is_open(context, window, tmp_path, insects, idle):
    path = tmp_path / "forget.csv"
    path.write_text("index\n1\n2\n")
    wanted = []
    context.opening.list_wanted.connect(wanted.append)
    context.opening.open_paths([insects, path])
    idle()
    assert wanted == [path] and context.project.dataset.title == "insects" and window.current_page == "forget"


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_list_is_not_held_against_other_data_than_it_came_with(
    context, window, tmp_path, insects, idle, monkeypatch, cancelled
):
    from app.services import opening

    context.opening.open_data("digits")
    idle()
    path = tmp_path / "forget.csv"
    path.write_text("index\n1\n2\n")
    wanted = []
    context.opening.list_wanted.connect(wanted.append)
    if cancelled:
        context.opening.started.connect(lambda request: context.opening.cancel())
    else:

        def broken(*_args, progress=None, cancelled=None):
            raise InputError("The folder cannot be read")

        monkeypatch.setattr(opening, "work", broken)
    context.opening.open_paths([insects, path])
    idle()
    assert wanted == [] and context.project.dataset.title != "insects"
    assert not any("Open the data first" in said.text for said in context.notifications.history)


def test_what_is_dragged_is_not_looked_at_in_the_window_s_thread(context, window, tmp_path, monkeypatch, qtbot):
    import threading

    from app.workers import opening_job

    seen = []
    monkeypatch.setattr(opening_job, "kind_of", lambda path: seen.append(threading.current_thread()))
    with qtbot.waitSignal(context.opening.looked):
        context.opening.look_at([tmp_path / "a.pt"])
    assert seen and threading.main_thread() not in seen


@pytest.fixture
def quick_example(monkeypatch, digits_file):
    """The example without its training."""
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.example import Example

    def example(control=None, progress=None):
        bench = Bench().open(digits_file, "digits")
        chosen = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
        return Example(bench, chosen, "finetune", "", 7, (1, 2, 3))

    monkeypatch.setattr("core.session.example.open_example", example)


def test_the_example_is_opened_with_its_forget_set(context, quick_example, idle):
    context.opening.open_example()
    idle()
    assert context.project.selection.complete_classes == (3,)
    assert not context.run_controller.started


def test_running_the_example_starts_its_run_and_shows_it(context, window, quick_example, idle, tmp_path):
    context.opening.example_folder = tmp_path / "named"
    context.opening.open_example(start_run=True)
    idle()
    [(job, bench, selection, folder)] = context.run_controller.started
    assert (job.method, job.seed, selection.count) == ("finetune", 7, context.project.selection.count)
    assert bench.model is context.project.opened_model
    assert folder == tmp_path / "named" and context.opening.example_folder is None
    assert window.current_page == "unlearn"


@pytest.mark.parametrize("state", [State.FINISHED, State.STOPPED])
def test_the_example_is_held_against_its_retrained_models_by_itself(context, window, quick_example, idle, state):
    context.opening.open_example(start_run=True)
    idle()
    controller = context.run_controller
    other, own = LiveRun(controller.run.folder, "unlearn"), controller.run
    controller.run_ended.emit(other)
    assert not controller.checks  # only its own run
    own.state = state
    controller.run_ended.emit(own)
    controller.run_ended.emit(own)
    bench = controller.started[0][1]
    wanted = [(own.folder, Check((1, 2, 3), which="full"), bench)] if state is State.FINISHED else []  # else alone
    assert controller.checks == wanted


def test_a_run_folder_comes_into_view(context, window, tmp_path, digits_file, qtbot):
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.jobs import create_run, make_unlearn_job

    bench = Bench().open(digits_file, "digits")
    selection = Selection.empty(bench.dataset.train.labels.numpy(), bench.dataset.classes).with_classes([3])
    job = make_unlearn_job(bench.on("cpu", threads=1), selection, "finetune")
    folder = create_run(tmp_path / "run", job, selection, bench.dataset)
    for path in (folder.path, folder.path / "job.json"):
        context.project.set_run(None)
        context.opening.open_paths([path])
        qtbot.waitUntil(lambda: context.project.run is not None)
        assert context.project.run.folder.path == folder.path
    assert window.current_page == "unlearn"


def test_advice_for_a_command_line_is_left_out():
    assert explain(MismatchError("A is not B", "List them with --classes")) == "A is not B."
    assert explain(InputError("A is not B", "Open another")) == "A is not B. Open another."
    assert explain(KeyError("x")) == "This is a fault of the application: KeyError: 'x'"


def test_a_newer_measurement_makes_the_older_one_stale(context, open_digits, digits_file, idle):
    open_digits()
    first = context.project.evaluation["baseline"]
    context.opening.change(order=tuple("1234567890"))
    idle()
    assert context.project.evaluation["baseline"] is not first
    assert context.project.evaluation["baseline"].accuracy < 0.2
    assert context.project.proof.order.offered and context.project.bench.proof is None


def test_a_failed_measurement_is_told_and_can_be_tried_again(context, digits_file, idle, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError("out of memory")

    monkeypatch.setattr("core.session.bench.Bench.outputs", fail)
    context.opening.open_data("digits")
    context.opening.open_model(digits_file)
    idle()
    assert isinstance(context.project.evaluation["failure"], OutOfMemoryError)
    monkeypatch.undo()
    context.opening.measuring.again()
    idle()
    assert "baseline" in context.project.evaluation


def test_nothing_heavy_is_imported():
    import subprocess
    import sys

    code = (
        "import sys, app.services.opening, app.pages.project, app.pages.forget\n"
        "print([m for m in ('torch', 'torchvision', 'scipy', 'sklearn') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                            cwd=Path(__file__).parents[3])  # fmt: skip
    assert result.stdout.strip() == "[]"
