"""The registry of commands, the palette and the shortcut table made from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import assert_accessible
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QKeySequence, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialogButtonBox, QMainWindow, QProxyStyle, QStyle, QWidget

from app.actions import Actions
from app.context import create_context
from app.dialogs.help import GUIDE, CommandPalette, GuideDialog, ShortcutTable, anchor, guide_place, open_guide
from app.menus import ORDER, Menus


@pytest.fixture
def actions(qapp):
    return Actions()


@pytest.fixture
def context(qapp):
    made = create_context()
    yield made
    assert made.jobs.shutdown() and made.window_state.shutdown() and made.device_jobs.shutdown()


class TestRegistry:
    def test_a_command_is_done(self, actions):
        calls = []
        actions.add("a", "Do it", lambda: calls.append(1))
        actions.trigger("a")
        assert calls == [1]

    def test_a_taken_id_is_refused(self, actions):
        actions.add("a", "One", lambda: None)
        with pytest.raises(ValueError, match="'a' exists already"):
            actions.add("a", "Two", lambda: None)

    def test_a_taken_shortcut_is_refused(self, actions):
        actions.add("a", "One", lambda: None, shortcut="Ctrl+K")
        with pytest.raises(ValueError, match=r"Ctrl\+K belongs to 'a'"):
            actions.add("b", "Two", lambda: None, shortcut="Ctrl+K")

    def test_a_command_that_is_not_available_says_why(self, actions):
        why = ["Choose at least one image."]
        calls = []
        action = actions.add("a", "Start", lambda: calls.append(1), shortcut="Ctrl+Return", why_disabled=lambda: why[0])
        assert not action.isEnabled()
        assert "Choose at least one image." in action.toolTip()
        actions.trigger("a")
        assert calls == []
        why[0] = ""
        actions.refresh()
        assert action.isEnabled()
        assert "Choose" not in action.toolTip()
        actions.trigger("a")
        assert calls == [1]

    def test_a_rule_is_asked_again_before_a_command_is_done(self, actions):
        why = [""]
        calls = []
        actions.add("a", "Start", lambda: calls.append(1), why_disabled=lambda: why[0])
        why[0] = "No."
        actions.trigger("a")
        assert calls == []

    def test_menus_hold_their_commands_in_order(self, context, qtbot):
        window, actions = QMainWindow(), context.actions
        qtbot.addWidget(window)
        for action_id, text in (("own", "Own"), ("file.quit", "Quit"), ("file.model", "Model")):
            actions.add(action_id, text, lambda: None, menu="file")
        actions.add("b", "Two", lambda: None, menu="view")
        menus = Menus(context, window)
        menu = menus.menus["file"]
        menus.fill("file")
        assert [action.text() for action in menu.actions() if action.text()] == ["Model", "Open &recent", "Quit", "Own"]

    def test_shortcuts_work_in_a_window(self, actions, qtbot):
        calls = []
        actions.add("a", "One", lambda: calls.append(1), shortcut="Ctrl+K")
        window = QWidget()
        qtbot.addWidget(window)
        actions.install(window)
        actions.install(window)
        assert len(window.actions()) == 1
        window.show()
        window.activateWindow()
        with qtbot.waitActive(window):
            pass
        QTest.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        assert calls == [1]

    def test_a_tip_names_the_shortcut(self, actions):
        action = actions.add("a", "&Open…", lambda: None, shortcut="Ctrl+O", tip="Open a model")
        keys = QKeySequence("Ctrl+O").toString(QKeySequence.SequenceFormat.NativeText)
        assert action.toolTip() == f"Open a model ({keys})"


    def test_redo_has_the_keys_of_every_system(self, actions):
        keys = ("Ctrl+Shift+Z", "Ctrl+Y", QKeySequence.StandardKey.Redo)
        action = actions.add("a", "Redo", lambda: None, shortcut=keys)
        assert {"Ctrl+Y", "Ctrl+Shift+Z"} <= {keys.toString() for keys in action.shortcuts()}
        with pytest.raises(ValueError, match=r"Ctrl\+Y belongs to 'a'"):
            actions.add("b", "Two", lambda: None, shortcut="Ctrl+Y")


class TestGuide:
    def test_it_opens_inside_once_with_its_contents(self, qtbot):
        window = QMainWindow()
        qtbot.addWidget(window)
        guide = open_guide(window, "several-runs-at-once")
        assert open_guide(window) is guide and guide.isVisible() and not guide.isModal()
        assert guide.contents.currentItem().text().strip() == "Several runs at once"
        titles = [guide.contents.item(row).text().strip() for row in range(guide.contents.count())]
        assert titles[0] == "Glossary" and "The window" not in titles
        guide.close()

    def test_it_finds_what_is_searched_and_begins_again_after_the_last(self, qtbot):
        guide = GuideDialog()
        qtbot.addWidget(guide)
        guide.field.setText("reconstruction")
        first = guide.browser.textCursor().selectedText()
        assert first.casefold() == "reconstruction"
        begin = guide.browser.textCursor().position()
        guide.find_next()
        assert guide.browser.textCursor().position() > begin
        guide.browser.moveCursor(QTextCursor.MoveOperation.End)
        guide.find_next()
        assert guide.browser.textCursor().position() == begin and guide.found.text() == ""
        guide.field.setText("nothing of the kind")
        assert guide.found.text() == "Not found"

    def test_its_links_lead_to_sections_and_pages(self, qtbot):
        guide = GuideDialog()
        qtbot.addWidget(guide)
        guide._follow(QUrl("formats.md#models-that-can-be-opened"))
        assert guide.contents.currentItem().text().strip() == "Models that can be opened"

    def test_errors_point_into_it(self):
        guide = GUIDE.read_text(encoding="utf-8")
        assert guide_place("The guide shows a batch file") in guide
        assert anchor("What stays on this machine") == "what-stays-on-this-machine"


def test_the_menus_list_commands_that_there_are(qtbot, context):
    """Those of pages come with their pages; an id that nobody registers would be a line that never shows."""
    paths = (path for path in Path("app").rglob("*.py") if path.name != "menus.py")
    sources = "".join(path.read_text(encoding="utf-8") for path in paths)

    def registered(action_id: str) -> bool:
        group, name = action_id.split(".")
        return f'"{action_id}"' in sources or (f'f"{group}.{{name}}"' in sources and f'"{name}"' in sources)

    asked = {action_id for ids in ORDER.values() for action_id in ids} - {"", "file.recent"}
    left = {action_id for action_id in asked if not registered(action_id)}
    assert not left


class TestPalette:
    @pytest.fixture
    def palette(self, qtbot, context):
        self.calls = []
        context.actions.add("one", "Pause run", lambda: self.calls.append("one"))
        context.actions.add("two", "Export checkpoint", lambda: self.calls.append("two"))
        context.actions.add("off", "Resume run", lambda: self.calls.append("off"), why_disabled=lambda: "No run.")
        self.window = QWidget()
        qtbot.addWidget(self.window)
        dialog = CommandPalette(context, self.window)
        dialog.show()
        return dialog

    def test_type_and_return(self, qtbot, palette):
        QTest.keyClicks(palette.field, "check EXP")
        assert palette.list.count() == 1
        QTest.keyClick(palette.field, Qt.Key.Key_Return)
        assert self.calls == ["two"]

    def test_arrow_keys_move_while_the_field_has_the_focus(self, palette):
        QTest.keyClick(palette.field, Qt.Key.Key_Down)
        assert palette.list.currentRow() == 1
        QTest.keyClick(palette.field, Qt.Key.Key_Up)
        assert palette.list.currentRow() == 0

    def test_what_is_not_available_says_why_and_does_nothing(self, palette):
        QTest.keyClicks(palette.field, "resume")
        assert "No run." in palette.list.item(0).text()
        QTest.keyClick(palette.field, Qt.Key.Key_Return)
        assert self.calls == []
        assert palette.isVisible()

    def test_nothing_found_and_return_does_nothing(self, palette):
        QTest.keyClicks(palette.field, "zzzz")
        QTest.keyClick(palette.field, Qt.Key.Key_Return)
        assert self.calls == []

    def test_it_is_accessible(self, palette):
        assert_accessible(palette)


def test_the_shortcut_table_lists_every_shortcut(qtbot, actions):
    actions.add("a", "Open…", lambda: None, menu="file", shortcut="Ctrl+O")
    actions.add("b", "No keys", lambda: None, menu="file")
    dialog = ShortcutTable(actions)
    qtbot.addWidget(dialog)
    table = dialog.table
    rows = [[table.item(row, column).text() for column in range(3)] for row in range(table.rowCount())]
    keys = QKeySequence("Ctrl+O").toString(QKeySequence.SequenceFormat.NativeText)
    assert ["File", "Open", keys] in rows
    assert not any("No keys" in row for row in rows)


def test_the_shortcut_table_is_wide_enough_for_the_longest_keys(qtbot, actions):
    keys = ("Ctrl+Shift+Z", "Ctrl+Y", "Alt+Shift+Backspace")
    actions.add("redo", "Redo selection", lambda: None, menu="edit", shortcut=keys)
    dialog = ShortcutTable(actions)
    qtbot.addWidget(dialog)
    with qtbot.waitExposed(dialog):
        dialog.show()
    assert dialog.table.columnWidth(2) >= dialog.table.sizeHintForColumn(2)


def test_close_has_no_icon_also_where_the_desktop_gives_it_one(qtbot, actions):
    icons = QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons

    class Desktop(QProxyStyle):
        def styleHint(self, hint, *rest):
            return 1 if hint == icons else super().styleHint(hint, *rest)

    before = QApplication.style().name()
    QApplication.setStyle(Desktop("fusion"))
    try:
        dialog = ShortcutTable(actions)
        qtbot.addWidget(dialog)
        assert dialog.findChild(QDialogButtonBox).buttons()[0].icon().isNull()
    finally:
        QApplication.setStyle(before)
