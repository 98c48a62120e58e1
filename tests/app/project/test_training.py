"""*Train a model here*: the form, what it refuses, and the run it starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

from app.dialogs.train import OPEN_DATA, TrainDialog, Training
from app.pages.project.training import training_choices
from app.workers.live_run import LiveRun
from core.events import State
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import MODEL, RunFolder
from tests.app.opened import dialog_of


@pytest.fixture(scope="module")
def choices():
    return training_choices("")


@pytest.fixture
def dialog(qtbot, choices):
    parent = QWidget()  # the dialog deletes itself
    qtbot.addWidget(parent)
    made = TrainDialog(choices, parent)
    made.open()
    yield made
    parent.close()


def choose(box, value):
    box.setCurrentIndex(box.findData(value))


def test_the_form_offers_what_the_command_offers(choices):
    from core.methods import get_method

    assert choices.networks[0].id == "small-cnn"
    assert {"resnet18-cifar", "mlp"} <= {network.id for network in choices.networks}
    here = {choice.spec for choice in choices.data if not choice.note}
    assert "digits" in here and choices.data[0].spec in here
    assert choices.recipe == get_method("retrain").parameters


def test_the_networks_are_told_apart_and_their_list_is_no_higher_than_it_can_be_read(dialog, choices):
    titles = [network.title for network in choices.networks]
    assert len(set(titles)) == len(titles) > dialog.network.maxVisibleItems()
    dialog.network.showPopup()
    view = dialog.network.view()
    height = view.window().height()
    dialog.network.hidePopup()
    assert height < (dialog.network.maxVisibleItems() + 2) * view.sizeHintForRow(0)


def test_what_is_typed_is_what_is_asked_for(dialog):
    choose(dialog.data, "digits")
    choose(dialog.network, "mlp")
    choose(dialog.preset, "colour")
    dialog.recipe.row("epochs").set_value(3)
    dialog.seed.setValue(5)
    chosen = []
    dialog.chosen.connect(chosen.append)
    dialog.accept()
    [training] = chosen
    assert (training.data, training.architecture, training.seed) == ("digits", "mlp", 5)
    assert (training.recipe["epochs"], training.recipe["augmentation"]) == (3, "crop and flip")


def test_a_network_that_does_not_take_the_images_is_refused_with_the_reason(dialog):
    choose(dialog.data, "digits")
    choose(dialog.network, "alexnet")
    assert dialog.reason() == f"{dialog.network.currentText()} needs images of at least 63 pixels; these have 8."
    assert not dialog.accept_button.isEnabled()
    choose(dialog.network, "small-cnn")
    assert dialog.reason() == "" and dialog.accept_button.isEnabled()


def test_a_wrong_parameter_is_refused_beside_the_button(dialog):
    dialog.recipe.row("epochs").set_value(-1)
    assert "Epochs" in dialog.reason()
    assert not dialog.accept_button.isEnabled()


def test_the_open_data_is_offered_first_and_trained_on(window, context, open_digits, qtbot):
    open_digits()
    window.page("project").train_button.click()
    qtbot.waitUntil(lambda: any(d.isVisible() for d in window.findChildren(TrainDialog)), timeout=20000)
    dialog = dialog_of(window, TrainDialog)
    assert dialog.data.currentData() == OPEN_DATA and "open now" in dialog.data.currentText()
    assert dialog.data.findData("digits") < 0  # it is not listed twice
    dialog.accept()
    [(arguments, settings)] = context.run_controller.trainings
    assert arguments[0].dataset is context.project.dataset and arguments[1] == "small-cnn"
    assert settings["seed"] == 0 and settings["recipe"]["epochs"] == 10
    assert window.current_page == "unlearn"


def test_other_data_is_opened_first(window, context, qtbot, tmp_path):
    window.page("project").presenter.training.start(Training("digits", "mlp", {"epochs": 1}, 0))
    qtbot.waitUntil(lambda: bool(context.run_controller.trainings), timeout=20000)
    [(arguments, _)] = context.run_controller.trainings
    assert arguments[0].dataset.spec == "digits"
    assert context.project.dataset is None  # what is open stays as it is


def test_a_training_may_begin_with_the_weights_of_a_file(window, context, open_digits, digits_file, qtbot):
    open_digits()
    window.page("project").train_button.click()
    qtbot.waitUntil(lambda: any(d.isVisible() for d in window.findChildren(TrainDialog)), timeout=20000)
    dialog = dialog_of(window, TrainDialog)
    assert dialog.start.currentText() == "Fresh weights" and dialog.start.count() == 2
    choose(dialog.start, str(digits_file))
    assert dialog.start.currentText() == f"{digits_file.name} (open now)"
    choose(dialog.network, "mlp")
    dialog.accept()
    qtbot.waitUntil(lambda: bool(context.run_controller.trainings), timeout=20000)
    [(_, settings)] = context.run_controller.trainings
    assert settings["start"].path == str(digits_file)
    assert settings["start"].sha256 == context.project.opened_model.sha256


def test_data_that_cannot_be_opened_is_told(window, context, qtbot, tmp_path):
    page = window.page("project")
    page.presenter.training.start(Training(str(tmp_path / "none"), "mlp", {}, 0))
    qtbot.waitUntil(page.banner.isVisible)
    assert page.banner.text().startswith("The training was not started. ")
    assert context.notifications.history[-1].sentence == page.banner.text()  # kept when the banner is gone


def finished_training(path: Path, state: State = State.FINISHED) -> LiveRun:
    job = Job(kind="train", model=ModelPart(architecture="mlp", num_classes=10, in_channels=1, input_size=(8, 8)),
              data=DataPart(spec="digits"), forget=ForgetPart(mode="none"), method="retrain")  # fmt: skip
    run = LiveRun(RunFolder(path), "train", job=job)
    run.state = state
    return run


def test_a_finished_training_is_opened_where_nothing_is_open_and_offered_where_something_is(
    window, context, digits_file, open_digits, idle
):
    context.run_controller.run_ended.emit(finished_training(digits_file))
    idle()
    assert context.project.opened_model.path == digits_file and context.project.dataset.spec == "digits"
    model = context.project.opened_model
    context.run_controller.run_ended.emit(finished_training(digits_file))
    banner = window.page("project").banner
    assert banner.text() == "The training digits.pt has ended; its model is kept."
    banner._buttons[0].click()
    idle()
    assert context.project.opened_model is not model


def test_a_stopped_training_leads_on_as_a_finished_one(window, context, digits_file, idle):
    started = []
    context.opening.started.connect(started.append)
    context.run_controller.run_ended.emit(finished_training(digits_file, State.DISCARDED))
    assert not started
    context.run_controller.run_ended.emit(finished_training(digits_file, State.STOPPED))
    idle()
    assert context.project.ready and context.project.opened_model.path == digits_file
    context.run_controller.run_ended.emit(finished_training(digits_file, State.STOPPED))
    assert "has ended; its model is kept" in window.page("project").banner.text()


def test_a_model_trained_here_brings_its_data_along(window, context, digits_file, tmp_path, idle):
    job = finished_training(digits_file).job
    folder = RunFolder.create(tmp_path / "train-mlp", job)
    shutil.copyfile(digits_file, folder.file("model.pt"))
    shutil.copyfile(digits_file, folder.file(MODEL))  # what tells that there is a result
    context.opening.open_model(folder.file("model.pt"))
    idle()
    assert context.project.ready and context.project.dataset.spec == "digits"
    assert context.window_state.recent("data") == ["digits"]


def test_recent_entries_are_named_as_a_person_would(window, context, digits_file, tmp_path, qtbot):
    folder = RunFolder.create(tmp_path / "train-mlp", finished_training(digits_file).job)
    folder.file(MODEL).write_bytes(b"weights")
    other = tmp_path / "mine" / "net.pt"
    other.parent.mkdir()
    other.write_bytes(b"weights")
    for path in (folder.file(MODEL), other):
        context.window_state.add_recent("model", str(path))
    menu = window.page("project").model_card.recent_button.menu()

    def named() -> list[str]:
        menu.aboutToShow.emit()
        return [action.text() for action in menu.actions()]

    qtbot.waitUntil(lambda: named() == ["net.pt – mine", "digits mlp – today"])
