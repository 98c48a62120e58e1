"""The Project page as the user meets it: words, buttons, questions and what stays after a failure."""

from __future__ import annotations

import json

import pytest
import torch
from PySide6.QtCore import QMimeData, QModelIndex, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPlainTextEdit, QPushButton

from app.dialogs.opening import ArchitectureDialog, ClassOrderDialog, EntryDialog
from app.dialogs.sheet import ConfirmDialog, Sheet
from app.services.theme import theme
from core.models.architectures import ModelSpec, build_model
from tests.app.helpers import assert_accessible, assert_fits
from tests.app.opened import dialog_of


@pytest.fixture
def page(window):
    return window.page("project")


def press(widget, text: str) -> None:
    """Press the button with this text."""
    buttons = [button for button in widget.findChildren(QPushButton) if button.text() == text and button.isVisible()]
    assert len(buttons) == 1, f"{len(buttons)} buttons {text!r}"
    buttons[0].click()


def test_nothing_open_yet(page):
    assert page.first_run.text.text() == "New here? Watch a small network forget the class bag."
    assert page.model_card.empty.text() == "Drop a checkpoint here, or open one. It is only read, never changed."
    assert page.data_card.empty.text() == "Drop the folder the model was trained on. Each class is a sub-folder."
    assert page.next_button.text() == "Open a model…" and page.missing() == "Then its data."
    assert not page.model_card.recent_button.isEnabled()


def test_what_was_recognised_is_shown(page, window, open_digits, digits, digits_file):
    open_digits()
    facts = page.model_card.facts.values()
    assert facts["file"] == "digits.pt"
    assert facts["architecture"].startswith("mlp · ")
    assert facts["input"] == "8 × 8 · 1 channel"
    assert facts["classes"] == "10 classes · no names in the file"
    assert facts["preprocessing"].startswith("pixels as stored → grey, Normalize(mean 0.")
    assert len(facts["sha256"]) == 12
    facts = page.data_card.facts.values()
    train, test = len(digits.train), len(digits.test)
    assert facts["images"] == f"{train:,} to train on · {test:,} to test"
    assert facts["test"] == "separate test split"
    assert facts["fingerprint"] == digits.fingerprint[:12]
    assert page.fit_card.number.text().endswith(" %")
    assert page.fit_card.said.text().startswith(f"of all {test:,} test images are right · ")
    assert page.first_run.isHidden()
    assert page.missing() == "" and page.next_button.text() == "Choose what to forget"
    page.next_button.click()
    assert window.current_page == "forget"


def test_a_file_of_several_networks_asks_which_it_is(page, context, idle, digits_file, tmp_path):
    state = torch.load(digits_file, weights_only=True)
    torch.save({"nets": {"first": state, "second": state}}, tmp_path / "two.pt")
    context.opening.open_model(tmp_path / "two.pt")
    idle()
    dialog = dialog_of(page.window(), EntryDialog)
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "two.pt holds several networks" in texts and "8 keys" in texts
    assert_accessible(dialog)
    dialog.choose("nets.second")
    press(dialog, "Open this one")
    idle()
    assert context.project.opened_model.form.key == "nets.second"
    context.opening.open_data("digits")
    idle()
    assert context.project.ready and context.project.opened_model.form.key == "nets.second"


def test_another_network_of_the_file_can_be_opened(page, context, idle, digits_file, tmp_path):
    state = torch.load(digits_file, weights_only=True)
    torch.save({"model": state, "model_ema": {key: value + 0 for key, value in state.items()}}, tmp_path / "ema.pt")
    context.opening.open_model(tmp_path / "ema.pt")
    idle()
    assert page.model_card.facts.values()["entry"] == "model · beside it model_ema"
    press(page.model_card, "Change…")
    dialog = dialog_of(page.window(), EntryDialog)
    assert dialog.answer() == "model"
    dialog.choose("model_ema")
    press(dialog, "Open this one")
    idle()
    assert context.project.opened_model.form.key == "model_ema"
    assert page.model_card.facts.values()["entry"] == "model_ema · beside it model"


OWN = """
import torch
def make():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.PReLU(64), torch.nn.Linear(64, 10))
"""


def test_a_network_that_is_not_recognised_is_opened_by_its_code(page, context, idle, tmp_path, qtbot):
    (tmp_path / "own.py").write_text(OWN)
    own: dict = {}
    exec(OWN, own)
    torch.save(own["make"]().state_dict(), tmp_path / "own.pt")
    context.opening.open_data("digits")
    context.opening.open_model(tmp_path / "own.pt")
    idle()
    assert "was not recognised" in page.banner.text() and "--" not in page.banner.text()
    press(page.banner, "Name its architecture…")
    dialog = dialog_of(page.window(), ArchitectureDialog)
    assert dialog.reason() == "Type the name of an architecture, or FILE.py:FACTORY."
    assert_accessible(dialog)
    qtbot.keyClicks(dialog.field, f"{tmp_path / 'own.py'}:make")
    press(dialog, "Open as this")
    idle()
    asked = dialog_of(page.window(), ConfirmDialog)
    texts = " ".join(label.text() for label in asked.findChildren(QLabel))
    assert "The network of this model is program code: own.py." in texts and "state dict" not in texts
    press(asked, "Run the code")
    idle()
    trust = context.project.opened_model.file.trust
    assert trust.code and not trust.pickle
    assert context.project.ready and page.model_card.facts.values()["architecture"].startswith(f"{tmp_path}")


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net.onnx"])
def test_another_program_s_file_says_how_its_network_gets_into_pytorch(page, context, idle, tmp_path, name):
    from zipfile import ZipFile

    with ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("config.json", "{}")
    context.opening.open_paths([tmp_path / name])
    idle()
    text = page.banner.text()
    assert text.startswith(f"{name} was not opened. {name} is a") and "--" not in text
    assert "with the architecture FILE.py:FACTORY, where FACTORY returns onnx2torch.convert('net.onnx')." in text
    assert not [button for button in page.banner.findChildren(QPushButton) if "architecture" in button.text()]


def test_a_long_banner_lies_over_nothing(page, window):
    page.banner.show_message("net.h5 was not opened. " + "In Keras, load it and save it as another file. " * 9, "error")
    QApplication.processEvents()
    assert page.banner.height() > theme.px(60) and page.first_run.isVisible()
    bottom = page.model_card.geometry().bottom()
    assert page.fit_card.y() > bottom
    assert_fits(window)


def test_a_folder_that_holds_nothing_says_what_is_missing(page, context, idle, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "notes.txt").write_text("x")
    context.opening.open_paths([tmp_path / "nothing"])
    idle()
    assert "holds no class folders with images. Make a sub-folder for each class" in page.banner.text()


def test_data_alone_shows_its_classes_and_says_what_is_missing(page, context, idle, insects):
    context.opening.open_data(str(insects))
    idle()
    assert page.table_model.rowCount() == 3
    assert page.fit_card.said.text() == "Open the model to see how often it is right."
    assert page.next_button.text() == "Open a model…" and page.missing() == ""
    assert page.data_card.facts.values()["unreadable"] == "1 file could not be read"
    press(page.data_card, "Show…")
    sheet = dialog_of(page.window(), Sheet)
    assert "train/ant/broken.png: " in sheet.findChild(QPlainTextEdit).toPlainText()
    sheet.accept()


def test_a_failure_is_told_and_the_last_good_state_stays(page, context, open_digits, tmp_path, idle):
    open_digits()
    before = page.model_card.facts.values(), page.fit_card.number.text()
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    context.opening.open_model(tmp_path / "broken.pt")
    idle()
    assert page.banner.isVisible() and page.banner.text().startswith("broken.pt was not opened. ")
    assert (page.model_card.facts.values(), page.fit_card.number.text()) == before
    context.opening.open_data("digits")  # the next attempt takes the banner away
    idle()
    assert not page.banner.isVisible()


def test_a_model_that_does_not_fit_can_be_opened_alone(page, context, open_digits, tmp_path, idle):
    open_digits()
    path = tmp_path / "three.pt"
    torch.save(build_model(ModelSpec("small-cnn", 3, 1, (8, 8))).state_dict(), path)
    context.opening.open_model(path)
    idle()
    assert "three.pt was not opened. The model has 3 outputs, the data set 10 classes." in page.banner.text()
    assert "--" not in page.banner.text()
    press(page.banner, "Open it and close the data")
    idle()
    assert context.project.opened_model.path == path and context.project.dataset is None
    assert page.next_button.text() == "Open its data…"


def test_a_model_closes_data_that_it_does_not_fit_where_no_model_is_open(page, context, insects, digits_file, idle):
    context.opening.open_data(str(insects))
    context.opening.open_model(digits_file)
    idle()
    press(page.banner, "Open it and close the data")
    idle()
    assert context.project.opened_model is not None and context.project.dataset is None


def test_data_that_does_not_fit_can_be_opened_alone(page, context, open_digits, insects, idle):
    open_digits()
    context.opening.open_data(str(insects))
    idle()
    press(page.banner, "Open it and close the model")
    idle()
    assert context.project.opened_model is None and context.project.dataset.title == "insects"


ORDER = (
    "Only {0} correct. The class order probably differs between model and folders. With the order found on half of "
    "the images, {1} of the other half are correct."
)


@pytest.fixture
def wrong_order(context, open_digits, idle):
    open_digits()
    good = context.project.evaluation["baseline"].accuracy
    context.opening.change(order=tuple("1234567890"))
    idle()
    return good


def test_a_better_class_order_is_offered_and_never_applied_unasked(page, context, wrong_order, idle):
    order = context.project.proof.order
    banner = page.fit_card.banner
    now, better = order.accuracy_now, order.accuracy_better
    assert banner.text() == ORDER.format(f"{100 * now:.1f} %", "100 %" if better == 1 else f"{100 * better:.1f} %")
    assert context.project.dataset.classes == tuple("1234567890")
    press(banner, "Use this order")
    idle()
    assert context.project.dataset.classes == tuple("0123456789")
    assert context.project.evaluation["baseline"].accuracy == pytest.approx(wrong_order)
    assert banner.isHidden()


def test_an_order_that_is_kept_is_not_offered_again(page, context, wrong_order):
    press(page.fit_card.banner, "Keep mine")
    context.project.evaluation_changed.emit()
    assert page.fit_card.banner.isHidden()


def test_classes_are_matched_by_hand(page, context, open_digits, idle, tmp_path):
    open_digits()
    press(page.fit_card, "Match classes…")
    dialog = dialog_of(page.window(), ClassOrderDialog)
    assert dialog.reason() == "This is the order in use." and not dialog.accept_button.isEnabled()
    good = dialog.verdict()
    dialog.move_class(1)
    assert [dialog.list.item(place).text() for place in (0, 1)] == ["Output 0\t1", "Output 1\t0"]
    assert dialog.order()[:3] == (1, 0, 2) and dialog.accept_button.isEnabled()
    assert dialog.verdict() != good and dialog.verdict().startswith("With this order, ")
    dialog.list.model().moveRow(QModelIndex(), 0, QModelIndex(), 3)  # as a drag does
    assert dialog.order()[:3] == (0, 2, 1) and dialog.list.item(2).text() == "Output 2\t1"
    names = tmp_path / "names.txt"
    names.write_text("\n".join("9876543210"))
    dialog.load(names)
    assert dialog.order() == tuple(range(9, -1, -1))
    names.write_text("a\na")
    dialog.load(names)
    assert "names 'a' twice" in dialog.verdict()
    dialog.accept()
    idle()
    assert context.project.dataset.classes == tuple("9876543210")


def test_names_in_either_unicode_form_are_the_same(qtbot, tmp_path):
    dialog = ClassOrderDialog(["Pullo\u0308ver", "Hose"])
    qtbot.addWidget(dialog)
    (tmp_path / "names.txt").write_text("Hose\nPull\u00f6ver", encoding="utf-8")
    dialog.load(tmp_path / "names.txt")
    assert dialog.order() == (1, 0) and dialog.answer() == ("Hose", "Pullo\u0308ver")
    (tmp_path / "names.txt").write_text("Pull\u00f6ver\nRock", encoding="utf-8")
    dialog.load(tmp_path / "names.txt")
    assert dialog.verdict() == "names.txt was not used. The list lacks 'Hose' and names 'Rock', which the data has not."
    assert dialog.order() == (1, 0)


def test_the_card_of_a_model_names_its_order(page, context, insects, tmp_path, idle):
    path = tmp_path / "insects.pt"
    torch.save(build_model(ModelSpec("mlp", 3, 1, (12, 12))).state_dict(), path)
    card = {"schema_version": 1, "architecture": "mlp", "num_classes": 3, "in_channels": 1, "input_size": [12, 12],
            "classes": ["bee", "cat", "ant"]}  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(card))
    context.opening.open_data(str(insects))
    context.opening.open_model(path)
    idle()
    assert context.project.opened_model is None
    press(page.banner, "Use the card's order")
    idle()
    assert context.project.ready and context.project.dataset.classes == ("bee", "cat", "ant")


@pytest.mark.parametrize("first", ["model", "data"])
def test_outputs_without_images_are_listed_in_a_file(page, context, insects, tmp_path, idle, first):
    path, names = tmp_path / "five.pt", tmp_path / "names.txt"
    torch.save(build_model(ModelSpec("mlp", 5, 1, (12, 12))).state_dict(), path)
    names.write_text("wasp\nbee\nant\nfly\ncat\n")
    for side in (first, "data" if first == "model" else "model"):
        context.opening.open_model(path) if side == "model" else context.opening.open_data(str(insects))
        idle()
    assert not context.project.ready
    assert "The model has 5 outputs, the data set 3 classes." in page.banner.text()
    (tmp_path / "few.txt").write_text("ant\nbee\ncat\n")
    for listed in (tmp_path / "few.txt", names):
        press(page.banner, "List all 5 classes…")
        dialog = page.window().findChildren(QFileDialog)[-1]
        dialog.fileSelected.emit(str(listed))
        dialog.close()
        idle()
        if listed is not names:
            said = "few.txt was not used. It names 3 classes, the model has 5 outputs."
            assert page.banner.text() == said and not context.project.ready
    assert context.project.ready and context.project.dataset.imageless == ("wasp", "fly")
    assert page.data_card.facts.values()["notice"].startswith("2 classes have no training image, only an output")
    page.data_card.change_wanted.emit("notice")
    sheet = dialog_of(page.window(), Sheet)
    assert sheet.findChild(QPlainTextEdit).toPlainText().startswith("2 classes have no training image, only an output")
    sheet.accept()


def test_a_pickle_is_not_opened_unless_the_user_insists(page, context, tmp_path, idle, qtbot):
    path = tmp_path / "whole.pt"
    torch.save(build_model(ModelSpec("mlp", 10, 1, (8, 8))), path)
    context.opening.open_model(path)
    idle()
    dialog = dialog_of(page.window(), ConfirmDialog)
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "This file can run program code when opened, so it was not opened." in texts
    assert "Save its state dict, or open it anyway if you trust who made it." in texts
    assert dialog.buttons["keep"].isDefault()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    idle()
    assert context.project.opened_model is None
    context.opening.open_model(path)
    idle()
    dialog_of(page.window(), ConfirmDialog).buttons["open"].click()
    idle()
    assert context.project.opened_model is not None or "whole.pt was not opened" in page.banner.text()


def test_data_without_test_images_asks_once(page, context, insects, idle):
    context.opening.open_data(str(insects / "train"))
    idle()
    dialog = dialog_of(page.window(), ConfirmDialog)
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "No test images were found." in texts and "look better than they are" in texts
    assert dialog.buttons["no"].isDefault() and dialog.buttons["0.05"].text() == "5 %: 3 images"
    said = dialog.buttons["0.2"].text()
    dialog.buttons["0.2"].click()
    idle()
    assert said == f"20 %: {len(context.project.dataset.test)} images"
    assert page.data_card.facts.values()["test"] == "set aside · seen before"


def test_the_question_can_be_left_and_nothing_is_opened(page, context, insects, idle):
    context.opening.open_data(str(insects / "train"))
    idle()
    dialog_of(page.window(), ConfirmDialog).reject()
    idle()
    assert context.project.dataset is None


def drag(widget, paths, kind):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    actions, buttons, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    if kind is QDragEnterEvent:
        event = QDragEnterEvent(widget.rect().center(), actions, data, buttons, keys)
    else:
        event = QDropEvent(QPointF(widget.rect().center()), actions, data, buttons, keys)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def test_a_drag_lights_the_cards_it_would_fill(page, window, context, insects, digits_file, idle, qtbot):
    cards = page.model_card, page.data_card

    def lit():
        return [bool(card.property("drop")) for card in cards]

    with qtbot.waitSignal(context.opening.looked):
        assert drag(window, [insects], QDragEnterEvent)
    assert lit() == [False, True]
    drag(window, [insects], QDropEvent)
    idle()
    assert lit() == [False, False] and context.project.dataset.title == "insects"
    with qtbot.waitSignal(context.opening.looked):
        drag(window, [digits_file, insects], QDragEnterEvent)
    assert lit() == [True, True]
    QApplication.sendEvent(window, QDragLeaveEvent())
    assert lit() == [False, False]
    with qtbot.waitSignal(context.opening.looked):
        drag(window, [insects / "nothing.md"], QDragEnterEvent)
    assert not drag(window, [insects / "nothing.md"], QDropEvent)  # it was said what it is


def test_recent_entries_open_again(page, context, open_digits, digits_file, idle, qtbot):
    open_digits()
    assert page.model_card.recent_button.isEnabled()
    menu = page.model_card.recent_button.menu()
    menu.aboutToShow.emit()
    assert [action.toolTip() for action in menu.actions()] == [str(digits_file)]
    with qtbot.waitSignal(context.opening.started) as heard:
        menu.actions()[0].trigger()
    assert heard.args[0].model == str(digits_file)
    idle()


def test_a_recent_entry_that_is_gone_cannot_be_chosen_and_comes_back(page, context, tmp_path, qtbot):
    there, gone = tmp_path / "there.pt", tmp_path / "gone.pt"
    there.write_text("")
    state = context.window_state
    for path in (there, gone):
        state.add_recent("model", str(path))
    qtbot.waitUntil(lambda: state.recent("model") == [str(there)])
    assert state.recent_folder("model") == str(tmp_path)
    menu = page.model_card.recent_button.menu()
    menu.aboutToShow.emit()
    assert [action.toolTip() for action in menu.actions()] == [str(there)]
    gone.write_text("")  # a network that answers again
    page.entered()
    qtbot.waitUntil(lambda: state.recent("model") == [str(gone), str(there)])


def test_known_data_is_listed_in_the_menu(page, context, qtbot, idle):
    menu = page.data_card.open_button.menu()
    menu.aboutToShow.emit()
    qtbot.waitUntil(lambda: any(action.text() == "Digits (8×8)" for action in menu.actions()))
    next(action for action in menu.actions() if action.text() == "Digits (8×8)").trigger()
    idle()
    assert context.project.dataset.spec == "digits"


def test_the_example_buttons(page, context, monkeypatch):
    asked = []
    monkeypatch.setattr(context.opening, "put", asked.append)
    page.first_run.button.click()
    page.model_card.example_button.click()
    assert [(request.side, request.start_run) for request in asked] == [("example", True), ("example", False)]


def test_the_page_can_be_used_by_keyboard_and_reader(window, open_digits):
    assert_accessible(window)
    open_digits()
    assert_accessible(window)


def test_the_page_fits_the_smallest_window(window, open_digits, qtbot):
    assert_fits(window)
    open_digits()
    assert_fits(window)


def test_it_follows_the_theme(page, qapp, open_digits):
    open_digits()
    light = page.grab().toImage().pixelColor(5, 5)
    theme.apply(qapp, "dark")
    assert page.grab().toImage().pixelColor(5, 5) != light


def test_the_purple_button_takes_the_step_that_is_next(page, window, context, digits_file, idle):
    page.next_button.click()
    [dialog] = window.findChildren(QFileDialog)
    assert dialog.windowTitle() == "Open a model"
    dialog.close()
    context.opening.open_model(digits_file)
    idle()
    page.next_button.click()
    assert any(found.isVisible() and "folder" in found.windowTitle() for found in window.findChildren(QFileDialog))


def test_photos_say_their_own_size_and_the_one_they_are_prepared_to(page, context, tmp_path, idle, qtbot):
    from PIL import Image

    for part in ("train", "test"):
        for name in ("cat", "dog"):
            place = tmp_path / "photos" / part / name
            place.mkdir(parents=True)
            for number in range(3):
                Image.new("RGB", (144, 96), (number, 9, 9)).save(place / f"{part}{name}{number}.png")
    context.opening.open_data(str(tmp_path / "photos"))
    idle()
    values = page.data_card.facts.values()
    own, prepared = "96 × 144", context.project.dataset.image_size
    qtbot.waitUntil(lambda: page.data_card.facts.values()["size"].startswith(own))
    expected = f"{own}, prepared to {prepared[0]} × {prepared[1]} · 3 channels" if prepared != (96, 144) else own
    assert page.data_card.facts.values()["size"].startswith(expected), values


def test_where_training_began_is_shown_asked_for_and_taken(page, window, open_digits, digits_file, qtbot, tmp_path):
    open_digits()
    project, facts = window.context.project, page.model_card.facts
    qtbot.waitUntil(lambda: "start" in facts.values() and facts.values()["start"] == "not known whether pretrained")
    page.presenter.start.ask()
    press(dialog_of(window, ConfirmDialog), "Fresh weights")
    qtbot.waitUntil(lambda: facts.values()["start"] == "fresh weights")
    assert project.bench.start.kind == "fresh" and project.bench.start.said_by == "the user"
    page.presenter.start._look(str(tmp_path / "none.pt"))
    qtbot.waitUntil(lambda: "none.pt was not taken as the start. There is no file" in page.banner.text())
    page.presenter.start._look(str(digits_file))
    qtbot.waitUntil(lambda: facts.values()["start"] == f"pretrained weights · {digits_file.name}")
    assert project.bench.start.sha256 == project.opened_model.sha256
