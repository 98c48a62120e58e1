"""The frame: pages made when shown, navigation, states, commands, dropped files, closing, and that it fits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from helpers import assert_accessible, assert_fits
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from app.context import AppContext, create_context
from app.dialogs.sheet import Dialog
from app.main_window import FIRST_SIZE, MainWindow, PageSpec
from app.services.run_library import RunRow
from app.services.theme import theme
from app.widgets.buttons import ChipButton, PrimaryButton
from app.widgets.notices import EmptyState
from app.widgets.page import Page


class SomePage(Page):
    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.visits: list[str] = []
        self.content.addWidget(QLabel("content"))
        self.add_action(PrimaryButton("Start unlearning"))
        self.header_widget = self.chip = ChipButton("one", name="Run")

    def entered(self) -> None:
        self.visits.append("entered")

    def left(self) -> None:
        self.visits.append("left")


def broken(context: AppContext) -> SomePage:
    raise RuntimeError("cannot be made")


def specs(made: list[str]) -> list[PageSpec]:
    def factory(name: str):
        def make(context: AppContext) -> SomePage:
            made.append(name)
            return SomePage(context)

        return make

    return [
        PageSpec("project", "Project", "Model and data", "model", factory("project")),
        PageSpec("forget", "Forget", "What to forget", "forget", factory("forget")),
        PageSpec("broken", "Broken", "Broken", "error", broken),
        PageSpec("runs", "Runs", "Runs", "runs", factory("runs"), below_line=True),
    ]


class Guard:
    def __init__(self, may: bool) -> None:
        self.may = may
        self.asked = 0

    def may_close(self) -> bool:
        self.asked += 1
        return self.may

    def leave(self) -> bool:
        return self.may


@pytest.fixture
def context(qapp):
    made = create_context()
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown() and made.device_jobs.shutdown()


@pytest.fixture
def window(qtbot, context):
    made: list[str] = []
    window = MainWindow(context, specs(made))
    window.made = made
    window.resize(1280, 720)
    window.show()
    yield window
    window.guard = Guard(True)
    window.close()
    window.deleteLater()


class TestPages:
    def test_only_the_first_is_made_at_the_start(self, window):
        assert window.made == ["project"]
        assert window.current_page == "project"
        assert window.header.title() == "Model and data"

    def test_a_page_is_made_once_and_told_when_it_comes_and_goes(self, window):
        window.show_page("forget")
        window.show_page("project")
        window.show_page("forget")
        assert window.made == ["project", "forget"]
        assert window.page("forget").visits == ["entered", "left", "entered"]

    def test_the_header_shows_the_page_s_own_chips(self, window):
        first = window.page("project").chip
        assert first.isVisible()
        window.show_page("forget")
        assert not first.isVisible()
        assert window.page("forget").chip.isVisible()

    def test_a_page_that_cannot_be_made_says_so_and_leaves_the_others(self, window, context):
        window.show_page("broken")
        assert window.page("broken").findChild(EmptyState)
        assert "Broken could not be opened" in window.notices.text()
        assert "cannot be made" in context.notifications.history[-1].details
        window.show_page("forget")
        assert window.header.title() == "What to forget"

    def test_shortcuts_show_pages(self, qtbot, window):
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.ControlModifier)
        assert window.current_page == "forget"

    def test_the_rail_names_keys_as_the_menus_do(self, qtbot, context, german):
        window = MainWindow(context, specs([]))
        qtbot.addWidget(window)
        assert window.rail.entries["forget"].toolTip().endswith("(Strg+2)")

    def test_the_rail_shows_pages_and_follows(self, window):
        QTest.mouseClick(window.rail.entries["runs"], Qt.MouseButton.LeftButton)
        assert window.current_page == "runs"
        window.show_page("project")
        assert window.rail.entries["project"].isChecked()

    def test_states_reach_the_rail(self, window, context):
        context.page_states.set("forget", "ready", "37 images")
        assert window.rail.entries["forget"].accessibleDescription() == "ready: 37 images"

    def test_what_is_missing_stands_beside_the_primary_button(self, window):
        page = window.page("project")
        page.set_missing("Choose at least one image.")
        assert page.missing() == "Choose at least one image."


class TestCommands:
    def test_the_log_panel_is_switched_from_everywhere(self, window, context):
        context.actions.trigger("view.log")
        assert window.log_panel.isVisible()
        assert context.actions["view.log"].isChecked()
        window.log_button.click()
        assert not window.log_panel.isVisible()
        assert not context.actions["view.log"].isChecked()

    def test_the_key_of_the_log_panel_belongs_to_one_command(self, qtbot, window):
        """A key that a button claims beside its command does nothing at all: Qt calls it ambiguous."""
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
        assert window.log_panel.isVisible() and window.log_button.isChecked()
        QTest.keyClick(window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
        assert not window.log_panel.isVisible() and not window.log_button.isChecked()
        assert window.log_button.toolTip() == "Show log (Ctrl+L)"

    def test_the_colours_are_switched_and_remembered(self, window, context, qapp):
        context.settings.change(scheme="dark")
        try:
            assert theme.current.name == "dark"
            assert context.settings.values.scheme == "dark"
        finally:
            context.settings.change(scheme="light")
        assert theme.current.name == "light"

    def test_a_run_opened_lately_is_named_by_what_it_forgot_and_when(self, window, context):
        known = RunRow(Path("/runs/known"), "finished", "muda", forget_text="class 3", created=time.time())
        context.run_library.rows = (known,)
        for run in ("/runs/unknown", "/runs/known"):
            context.window_state.add_recent("run", run)
        window.menus.recent.aboutToShow.emit()
        texts = [action.text() for action in window.menus.recent.actions() if action.toolTip().startswith("/runs/")]
        assert texts == ["muda · class 3 – today", "unknown – runs"]

    def test_a_page_out_of_sight_and_a_new_dialog_take_the_colours_when_they_are_shown(self, window, context):
        window.show_page("forget")
        window.show_page("project")
        context.settings.change(scheme="dark")
        try:
            dark = theme.color("surface").name()
            assert dark in window.page("project").styleSheet().lower()
            assert dark not in window.page("forget").styleSheet().lower()
            for holder in (window.centralWidget(), window.room, window.stack):  # what lies between the parts
                assert holder.palette().window().color() == theme.color("window")
            window.show_page("forget")
            assert dark in window.page("forget").styleSheet().lower()
            dialog = Dialog("A dialog", window)
            assert dark in dialog.styleSheet().lower()
        finally:
            context.settings.change(scheme="light")
        assert theme.color("surface").name() in window.page("forget").styleSheet().lower()

    def test_menus_are_filled_from_the_registry(self, window):
        menu = window.menus.menus["view"]
        menu.aboutToShow.emit()
        texts = [action.text().replace("&", "") for action in menu.actions()]
        assert "Go to Project" in texts and "Show log" in texts

    def test_undo_says_why_it_is_not_available(self, context, window):
        assert context.actions.reason("edit.undo") == "There is nothing to undo."

    def test_info_goes_to_the_status_line(self, window, context):
        context.notifications.info("37 added")
        assert window.status.text() == "37 added"

    def test_the_device_is_in_sight(self, window, context):
        context.shell.device_named.emit("Processor, 2 cores", "A GPU is free.")
        assert window.header.device.isVisible()
        assert window.header.device.text() == "Processor, 2 cores"


class TestDrop:
    def drop(self, window: MainWindow, path: Path) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        rest = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(window, QDragEnterEvent(QPoint(600, 400), *rest))
        QApplication.sendEvent(window, QDropEvent(QPointF(600, 400), *rest))

    def test_files_go_to_the_opening_service(self, context, tmp_path, request):
        opened = []
        context.opening.open_paths = opened.append
        self.drop(request.getfixturevalue("window"), tmp_path / "a.pt")
        assert opened == [[tmp_path / "a.pt"]]

    def test_what_does_not_fit_is_left(self, window, context, tmp_path, qtbot):
        self.drop(window, tmp_path / "a.xyz")
        qtbot.waitUntil(lambda: window.notices.text().startswith("No model, data") and "a.xyz" in window.notices.text())


class TestClosing:
    def test_a_guard_may_keep_the_window_open(self, window, context):
        window.guard = guard = Guard(False)
        assert not window.close()
        assert window.isVisible()
        assert guard.asked == 1
        guard.may = True
        assert window.close()
        assert not window.isVisible()

    def test_place_and_panel_are_remembered(self, qtbot, window, context):
        context.actions.trigger("view.log")
        window.resize(1300, 740)
        window.close()
        assert context.window_state.flag("log")
        assert context.window_state._settings.value("window/geometry") is not None


class TestLook:
    def test_the_frame_fits_1280_by_720(self, window):
        assert_fits(window)

    def test_it_also_fits_with_log_and_a_notice(self, window, context):
        context.actions.trigger("view.log")
        context.notifications.caution("The disk is nearly full.", "Remove old runs.", "How much is free.")
        assert_fits(window)

    def test_the_content_has_the_size_of_the_design(self, qtbot, window):
        qtbot.waitUntil(lambda: window.stack.width() == 1280 - 184)
        assert window.stack.height() == 720 - 48 - 28

    def test_a_narrower_window_scrolls_its_page(self, qtbot, window):
        window.stack.currentWidget().setMinimumSize(1000, 600)
        window.resize(1024, 560)
        qtbot.waitUntil(lambda: window.room.horizontalScrollBar().isVisible())
        assert window.size().toTuple() == (1024, 560)
        assert window.stack.size().toTuple() == (1000, 600)
        window.show_page("forget")  # which needs less
        qtbot.waitUntil(lambda: window.stack.width() == 1024 - 184)
        window.show_page("project")
        qtbot.waitUntil(lambda: window.stack.width() == 1000)
        window.stack.currentWidget().setMinimumWidth(5000)
        qtbot.waitUntil(lambda: window.stack.width() == 1280 - 184)
        window.stack.currentWidget().setMinimumWidth(1)
        qtbot.waitUntil(lambda: not window.room.horizontalScrollBar().isVisible())
        window.resize(1280, 590)  # too low alone: no bar below
        qtbot.waitUntil(lambda: window.room.verticalScrollBar().isVisible())
        assert window.stack.width() < 1280 - 184
        window.resize(1280, 720)
        qtbot.waitUntil(lambda: not window.room.verticalScrollBar().isVisible())
        assert window.stack.width() == 1280 - 184

    def test_a_page_with_banners_scrolls_and_squeezes_nothing(self, qtbot, window):
        window.stack.currentWidget().setMinimumHeight(720)
        qtbot.waitUntil(lambda: window.stack.height() == 720)
        assert window.room.verticalScrollBar().isVisible()

    def test_a_screen_that_holds_no_more_is_filled(self, window):
        window.hide()
        window.resize(FIRST_SIZE.boundedTo(window.screen().availableSize()))
        window.show_first()
        assert window.isMaximized()
        window.setWindowState(Qt.WindowState.WindowNoState)
        window.resize(FIRST_SIZE)
        window.show_first()
        assert not window.isMaximized() and window.size() == FIRST_SIZE

    def test_it_is_accessible(self, qtbot, window):
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        assert_accessible(window)

    def test_the_log_panel_is_accessible(self, qtbot, window, context):
        context.actions.trigger("view.log")
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        assert_accessible(window)
