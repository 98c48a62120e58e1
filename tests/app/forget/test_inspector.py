"""The inspector of one image, and the ways to it: double click, keys, menu and map."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from app.pages.forget import inspector as module
from app.pages.forget.inspector import Inspector
from app.workers.thumbnails import Thumbnails, pixels_of
from core.errors import InputError
from core.events import State
from core.session.one_image import Answer, SeenImage
from tests.app.helpers import assert_accessible


@pytest.fixture
def page(window, open_digits):
    open_digits()
    window.show_page("forget")
    return window.page("forget")


@pytest.fixture
def inspector(context, digits, qtbot):
    """One of its own, as any page may make one, with a model that nobody asks."""
    widget = QWidget()
    qtbot.addWidget(widget)
    context.project.set_opened(SimpleNamespace(spec=SimpleNamespace(architecture="mlp"), weights_id=""), digits)
    thumbnails = Thumbnails(widget)
    thumbnails.set_source(pixels_of(digits), 96)
    made = Inspector(context, widget, thumbnails, lambda images, how: None)
    yield made
    made.close()
    thumbnails.shutdown()


@pytest.fixture
def seen(monkeypatch):
    """What the models are made to say: of the unlearned and the retrained one something else; asked with a run only."""

    def look(bench, part, image, model, run, trust):
        if run is None and model != "original":
            raise InputError("No run is in view", "Start or open one")
        number = ("original", "unlearned", "retrained").index(model)
        near = np.arange(image + 1, image + 4) + number
        answer = Answer(number, 0.9, 0.9 - number * 0.4, 0.1 + number)
        return SeenImage(near, np.array([0.9, 0.8, 0.7], np.float32), answer)

    monkeypatch.setattr(module, "look", look)


def cell(page, number: int):
    return page.gallery_panel.view.visualRect(page.gallery_model.index_of(number)).center()


def test_an_image_is_opened_and_left_as_it_is_and_arrow_keys_go_on(page, context, seen, qtbot, digits):
    view, left = page.gallery_panel.view, Qt.MouseButton.LeftButton
    QTest.mouseDClick(view.viewport(), left, pos=cell(page, 2))
    window = page.presenter.inspector.window
    assert window is not None and window.windowTitle() == "Image 2" and context.project.selection.count == 0
    page.presenter.mark(np.array([2]), "toggle")
    QTest.keyClick(view, Qt.Key.Key_Return)  # opens it, and takes nothing back
    assert context.project.selection.indices.tolist() == [2] and window.badge.text() == "▲ To be forgotten"
    window.mark_button.click()
    assert context.project.selection.count == 0 and window.mark_button.text() == "Forget this image"
    page.map_panel.scatter.clicked.emit(5, "replace")
    page.map_panel.scatter.clicked.emit(5, "back")
    page.map_panel.scatter.activated.emit(5)
    assert window.windowTitle() == "Image 5" and context.project.selection.count == 0
    page.tools.choose_class(4)
    qtbot.waitUntil(lambda: page.gallery_model.count < len(digits.train))
    fours = page.gallery_model.ids(0, 2).tolist()
    page.map_panel.scatter.activated.emit(fours[0])
    QTest.keyClick(window, Qt.Key.Key_Right)
    QTest.keyClick(window, Qt.Key.Key_Right)
    assert window.windowTitle() == f"Image {fours[2]}"
    assert page.gallery_model.place(page.gallery_panel.view.currentIndex()) == 2
    QTest.keyClick(window, Qt.Key.Key_Left)
    assert window.windowTitle() == f"Image {fours[1]}"


def test_models_stand_side_by_side_with_their_neighbours(inspector, context, seen, qtbot, digits):
    folder = SimpleNamespace(job=lambda: None, has_result=False)
    context.project.run = SimpleNamespace(folder=folder, state=State.FINISHED)
    inspector.open("train", 7)
    window = inspector.window
    qtbot.waitUntil(lambda: all(one.neighbours.count() for one in window.columns.values()))
    name = digits.classes[int(digits.train.labels[7])]
    said = {model: one.says.text() for model, one in window.columns.items()}
    assert said["unlearned"] == f"Says 1, 90.0 % sure\n{name}: 50.0 %\nLoss 1.100"
    assert said["retrained"] == f"Says 2, 90.0 % sure\n{name}: 10.0 %\nLoss 2.100"
    assert_accessible(window)
    shown = window.columns["unlearned"].neighbours
    assert [shown.item(n).data(Qt.ItemDataRole.UserRole) for n in range(shown.count())] == [9, 10, 11]
    assert shown.item(0).text() == digits.classes[int(digits.train.labels[9])]
    qtbot.waitUntil(lambda: not shown.item(0).icon().isNull())
    shown.setCurrentRow(0)
    QTest.keyClick(shown, Qt.Key.Key_Return)
    assert window.windowTitle() == "Image 9"


def test_what_is_missing_is_said_in_place_and_another_model_closes_it(inspector, context, seen, qtbot):
    inspector.open("test", 3)
    window = inspector.window
    qtbot.waitUntil(lambda: window.columns["unlearned"].says.text() == "No run is in view. Start or open one.")
    assert "Test image 3: never trained on" in window.facts.text()
    assert not window.mark_button.isVisible()
    context.project.set_opened(None, context.project.dataset)
    assert inspector.window is None


def test_the_menu_of_an_image(page, context, seen, digits, tmp_path):
    names = lambda: [action.text() for action in page.presenter.menu(3).actions() if action.text()]  # noqa: E731
    label = digits.classes[int(digits.train.labels[3])]
    assert names() == [
        "Open the image", "Forget this image", f"Forget all of class {label}", "Show on the map",
        "Copy the name",
    ]  # fmt: skip

    def choose(text: str) -> None:
        next(action for action in page.presenter.menu(3).actions() if action.text() == text).trigger()

    choose("Forget this image")
    assert context.project.selection.indices.tolist() == [3] and "Keep this image" in names()
    choose(f"Forget all of class {label}")
    assert context.project.selection.complete_classes == (int(digits.train.labels[3]),)
    assert f"Keep all of class {label}" in names()
    choose("Copy the name")
    assert QGuiApplication.clipboard().text() == "Image 3"
    choose("Show on the map")
    assert page.map_panel.scatter._hover == 3
    page.gallery_panel.view.menu_wanted.disconnect()
    asked = []
    page.gallery_panel.view.menu_wanted.connect(lambda image, place: asked.append(image))
    page.gallery_panel.view.setCurrentIndex(page.gallery_model.index_of(1))
    view = page.gallery_panel.view
    assert view.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle) == view.visualRect(view.currentIndex())
    event = _context_menu(page, 4)
    QGuiApplication.sendEvent(page.gallery_panel.view.viewport(), event)
    assert asked == [4] and event.type() == QEvent.Type.ContextMenu


def _context_menu(page, number: int):
    from PySide6.QtGui import QContextMenuEvent

    at = cell(page, number)
    return QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, page.gallery_panel.view.viewport().mapToGlobal(at))


def test_an_image_whose_file_is_gone_opens_with_a_sentence_and_is_drawn_once_it_is_back(inspector, digits, monkeypatch):
    def gone(dataset):
        def pixels(key):
            raise InputError(f"{key[0]}/a{key[1]}.png was there and cannot be read now", "Put the file back")

        return pixels

    monkeypatch.setattr(module, "pixels_of", gone)
    inspector.open("train", 5)
    assert inspector.window.isVisible() and inspector.window.windowTitle() == "Image 5"
    assert "train/a5.png was there and cannot be read now. Put the file back." in inspector.window.facts.text()
    assert inspector.window.picture.pixmap().isNull()
    monkeypatch.undo()
    inspector.open("train", 5)
    assert "cannot be read" not in inspector.window.facts.text() and not inspector.window.picture.pixmap().isNull()
