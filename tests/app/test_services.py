"""Formats, settings, window state, notifications, log, crash reports, platform check, accessibility."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import qWarning
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QTableView, QWidget

from app.dialogs.messages import MessagesDialog, report_text
from app.models.tables import Column, ColumnTable
from app.services import faults, notifications, platform
from app.services import format as fmt
from app.services.faults import SignalBridge
from app.services.notifications import Notification, Notifications, describe_error
from app.services.project import PageStates
from app.services.settings import SCHEMA_VERSION, Settings
from app.services.window_state import MOST_RECENT, WindowState
from app.widgets.frame import LogPanel
from app.widgets.labels import announce, describe
from app.widgets.notices import NoticeStrip
from core.errors import InputError, MismatchError
from core.files import RESOURCES, cache_home, data_home, home
from core.verify import numbers


class TestFormat:
    @pytest.mark.parametrize(
        "share, text",
        [(1.0, "100 %"), (0.9999, "> 99.9 %"), (0.999, "99.9 %"), (0.101, "10.1 %"), (0.0, "0.0 %"),
         (0.0007, "0.07 %"), (0.9925, "99.2 %"), (None, "–"), (float("nan"), "–")],
    )
    def test_percent(self, share, text):
        assert fmt.percent(share) == text

    @given(st.floats(0.0, 1.0))
    def test_the_window_writes_the_digits_of_reports_and_terminals(self, share):
        assert fmt.percent(share) == numbers.percent(share)
        assert fmt.alignment(share) == numbers.ratio(share)

    @given(st.integers(0, 400))
    def test_counts_of_images_come_to_the_same_share(self, right):
        assert fmt.percent(right / 400) == numbers.percent(right / 400)

    @given(st.floats(0.0, 1.0))
    def test_only_all_is_100_per_cent(self, share):
        assert (fmt.percent(share) == "100 %") == (share == 1.0)

    @pytest.mark.parametrize(
        "seconds, text",
        [(0, "0 s"), (0.3, "under 1 s"), (59.4, "59 s"), (100, "1 min 40 s"), (120, "2 min"), (7500, "2 h 5 min"),
         (3 * 86400 + 4 * 3600, "3 d 4 h"), (None, "–")],
    )
    def test_duration(self, seconds, text):
        assert fmt.duration(seconds) == text

    @pytest.mark.parametrize(
        "seconds, text", [(4, "under 10 s"), (31, "about 30 s"), (14 * 60, "about 14 min"), (9000, "about 2.5 h")]
    )
    def test_about(self, seconds, text):
        assert fmt.about(seconds) == text

    @pytest.mark.parametrize(
        "count, text", [(0, "0 B"), (812, "812 B"), (1536, "1.5 kB"), (46_871_000, "44.7 MB"), (2**40, "1.0 TB")]
    )
    def test_size(self, count, text):
        assert fmt.size(count) == text

    def test_others(self):
        assert fmt.count(50000) == "50,000"
        assert (fmt.count(2**63 - 1), fmt.count(-(10**30))) == ("9,223,372,036,854,775,807", "-1e+30")
        assert fmt.alignment(0.61349) == "0.613"
        assert fmt.alignment(0.99961) == "> 0.999" and fmt.alignment(1.0) == "1.000"
        assert fmt.closed(0.896) == "89"
        assert fmt.short_number(11_173_962) == "11.2 million"
        assert fmt.short_number(9610) == "9,610"
        assert fmt.points(-0.124) == "−12.4 points"
        assert fmt.decimal(-215.8389) == "−215.839" and fmt.decimal(-0.0001) == "0.000"  # as reports write them
        assert fmt.of_total(6037, 60000) == "6,037 of 60,000 (10.1 %)"
        assert fmt.images(1) == "1 image"


class TestPaths:
    def test_one_variable_moves_everything(self, tmp_path, monkeypatch):
        monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))
        for folder in (home("config"), data_home(), cache_home(), home("log")):
            assert folder.parent == tmp_path

    def test_without_the_variable_they_are_the_systems_own(self, monkeypatch):
        monkeypatch.delenv("UNLEARN_STUDIO_HOME")
        assert data_home() == Path(platformdirs.user_data_dir("unlearn-studio", appauthor=False))
        assert home("config") == Path(platformdirs.user_config_dir("unlearn-studio", appauthor=False))


class TestSettings:
    def test_a_change_is_written_and_read_again(self, qtbot, tmp_path):
        path = tmp_path / "settings.json"
        settings = Settings(path)
        with qtbot.waitSignal(settings.changed) as changed:
            settings.change(scheme="dark", threads=2)
        assert changed.args == [["scheme", "threads"]]
        again = Settings(path)
        assert (again.values.scheme, again.values.threads) == ("dark", 2)
        assert json.loads(path.read_text())["schema_version"] == SCHEMA_VERSION

    def test_no_change_tells_nobody(self, qtbot, tmp_path):
        settings = Settings(tmp_path / "s.json")
        with qtbot.assertNotEmitted(settings.changed):
            settings.change(scheme="system")
        assert not (tmp_path / "s.json").exists()

    @pytest.mark.parametrize(
        "text",
        ["{", "[]", '{"schema_version": 1, "scheme": "pink"}', '{"schema_version": 99}', ""],
    )
    def test_a_broken_file_gives_a_warning_and_defaults_and_is_kept(self, tmp_path, text):
        path = tmp_path / "settings.json"
        path.write_text(text)
        settings = Settings(path)
        assert settings.values.scheme == "system"
        assert settings.warning.startswith("The settings file could not be read")
        assert (tmp_path / "settings.damaged.json").read_text() == text
        settings.change(scheme="dark")
        assert Settings(path).warning == ""

    def test_fields_of_other_versions_are_left_out(self, tmp_path):
        path = tmp_path / "settings.json"
        path.write_text('{"schema_version": 1, "scheme": "dark", "later": 3}')
        assert Settings(path).values.scheme == "dark"

    def test_a_folder_that_cannot_be_written_is_not_an_error(self, tmp_path):
        file = tmp_path / "file"
        file.write_text("")
        settings = Settings(file / "settings.json")
        settings.change(scheme="dark")
        assert settings.values.scheme == "dark"


class TestWindowState:
    @pytest.fixture
    def state(self, qapp, tmp_path):
        return WindowState(tmp_path / "window.ini")

    def test_geometry_comes_back(self, qtbot, state, tmp_path):
        first = QWidget()
        qtbot.addWidget(first)
        first.setGeometry(50, 60, 500, 300)
        state.save_window(first)
        state.sync()
        second = QWidget()
        qtbot.addWidget(second)
        assert WindowState(tmp_path / "window.ini").restore_window(second)
        assert second.size().toTuple() == (500, 300)

    def test_without_anything_saved_nothing_is_restored(self, qtbot, state):
        widget = QWidget()
        qtbot.addWidget(widget)
        assert not state.restore_window(widget)

    def test_rubbish_is_not_restored(self, qtbot, state):
        state._settings.setValue("window/geometry", "rubbish")
        widget = QWidget()
        qtbot.addWidget(widget)
        assert not state.restore_window(widget)

    def test_a_window_that_was_on_a_screen_which_is_gone_comes_back_on_one_that_is_there(self, qtbot, state):
        first, second = QWidget(), QWidget()
        for widget in (first, second):
            qtbot.addWidget(widget)
        first.setGeometry(50_000, 50_000, 500, 300)
        state.save_window(first)
        assert state.restore_window(second)
        assert any(screen.availableGeometry().intersects(second.geometry()) for screen in QGuiApplication.screens())

    def test_another_version_starts_afresh(self, state, tmp_path):
        state.set_flag("log", True)
        state._settings.setValue("version", 999)
        state.sync()
        assert not WindowState(tmp_path / "window.ini").flag("log")

    def test_recent_files_newest_first_and_missing_ones_dropped(self, state, tmp_path, qtbot):
        there, gone = str(tmp_path / "a.pt"), str(tmp_path / "gone.pt")
        Path(there).write_text("")
        state.add_recent("model", gone)
        state.add_recent("model", there)
        assert state.recent("model") == [there, gone] and state.recent_folder("model") == ""  # nobody has looked
        qtbot.waitUntil(lambda: state.recent("model") == [there])
        assert state.recent_folder("model") == str(tmp_path)
        assert state.shutdown()
        state.add_recent("data", "digits")
        assert state.recent("data") == ["digits"]

    def test_at_most_ten(self, state):
        for number in range(15):
            state.add_recent("run", f"c{number}")
        state.add_recent("run", "c14")
        assert len(state.recent("run")) == MOST_RECENT
        assert state.recent("run")[0] == "c14"

    def test_splitters_come_back(self, qtbot, state):
        def new(name: str) -> QSplitter:
            splitter = QSplitter(childrenCollapsible=False)
            qtbot.addWidget(splitter)
            for _ in range(2):
                splitter.addWidget(QWidget())
            splitter.resize(400, 100)
            splitter.setSizes([100, 300])
            state.keep_splitter(name, splitter)
            return splitter

        first = new("x")
        before = first.sizes()
        first.moveSplitter(250, 1)  # as the mouse does
        assert first.sizes() != before
        assert new("x").sizes() == first.sizes()
        assert new("never").sizes() == before


class TestNotifications:
    def test_repeats_are_collapsed(self, qapp):
        notifications = Notifications()
        for _ in range(3):
            notifications.error("The disk is full.")
        assert len(notifications.history) == 1
        assert notifications.history[0].sentence == "The disk is full. (3×)"
        notifications.info("Copied")
        notifications.error("The disk is full.")
        assert len(notifications.history) == 3

    def test_known_errors_speak_their_own_words(self):
        error = MismatchError("The model has 10 outputs, the data 100 classes", "Open the data it was trained on")
        assert describe_error(error) == (
            "The model has 10 outputs, the data 100 classes.", "Open the data it was trained on.",
        )
        text, _ = describe_error(error, "The model was not opened")
        assert text == "The model was not opened: the model has 10 outputs, the data 100 classes."

    def test_an_unknown_error_keeps_its_traceback(self, qapp):
        try:
            raise ZeroDivisionError("division by zero")
        except ZeroDivisionError as error:
            notification = Notifications().error(error)
        assert "ZeroDivisionError: division by zero" in notification.text
        assert "test_services.py" in notification.details

    def test_the_strip_shows_errors_and_leaves_info_alone(self, qtbot):
        notifications = Notifications()
        strip = NoticeStrip(notifications)
        qtbot.addWidget(strip)
        notifications.info("Copied")
        assert strip.isHidden()
        notifications.caution("Running on the processor.", details="No driver.")
        assert not strip.isHidden()
        assert strip.text() == "Running on the processor."
        assert [button.text() for button in strip._buttons] == ["Details…"]

    def test_what_was_said_is_kept_in_a_list_with_its_details_and_in_the_log(self, qtbot, qapp, caplog):
        caplog.set_level("INFO")
        notifications = Notifications()
        notifications.info("Copied")
        notifications.caution("Running on the processor.", "A GPU is free.")
        notifications.error(ValueError("no"), "It failed")
        notifications.keep("Said on its page.")
        levels = [(record.levelname, record.message.splitlines()[0]) for record in caplog.records]
        assert levels == [
            ("INFO", "Copied"), ("WARNING", "Running on the processor. A GPU is free."),
            ("ERROR", "It failed: ValueError: no. The details can be copied for a report."),
            ("ERROR", "Said on its page."),
        ]  # fmt: skip
        dialog = MessagesDialog(notifications.history, chosen=notifications.history[2])
        qtbot.addWidget(dialog)
        dialog.show()
        shown = [[dialog.table.item(line, place).text() for place in (1, 2)] for line in range(4)]
        assert shown[0] == ["Error", "Said on its page."] and shown[2][0] == "Caution" and shown[3][1] == "Copied"
        assert "ValueError: no" in dialog.details.toPlainText() and dialog.table.currentRow() == 1
        dialog.copy()
        assert qapp.clipboard().text() == report_text(notifications.history[2])
        dialog.table.selectRow(3)
        assert dialog.details.toPlainText().startswith("Copied\n") and "Python" in dialog.details.toPlainText()

    def test_a_single_message_needs_no_list(self, qtbot):
        dialog = MessagesDialog([Notification("It failed.", "error", "Try again.", "Traceback …")])
        qtbot.addWidget(dialog)
        dialog.show()
        assert dialog.table.isHidden()
        for part in ("It failed. Try again.", "Python", "Traceback …"):
            assert part in dialog.details.toPlainText()

    def test_what_has_turned_out_well_is_taken_back(self, qtbot):
        notifications = Notifications()
        strip = NoticeStrip(notifications)
        qtbot.addWidget(strip)
        notifications.error("a.pt was not opened.", topic="opening")
        notifications.settle("saving")
        assert not strip.isHidden()
        notifications.settle("opening")
        assert strip.isHidden() and len(notifications.history) == 1


class TestLog:
    @pytest.fixture
    def panel(self, qtbot):
        lines = notifications.LogLines()
        notifications.install_log(lines)
        panel = LogPanel(lines)
        qtbot.addWidget(panel)
        panel.text = lambda: (panel.hide(), panel.show(), panel.view.toPlainText())[-1]  # it takes them as it comes up
        yield panel
        notifications.remove_log(lines)

    def test_lines_come_from_any_thread(self, panel):
        logger = logging.getLogger("app.test")
        thread = threading.Thread(target=lambda: logger.info("from a thread"))
        thread.start()
        thread.join()
        assert "from a thread" in panel.text()

    def test_lines_come_while_somebody_looks_and_the_last_stays_in_view(self, panel, qtbot):
        panel.show()
        logging.getLogger("app.test").warning("\n".join(f"line {number}" for number in range(60)))
        qtbot.waitUntil(lambda: "line 59" in panel.view.toPlainText())
        assert "WARNING" in panel.view.toPlainText()
        bar = panel.view.verticalScrollBar()
        qtbot.waitUntil(lambda: bar.value() == bar.maximum() > 0)
        bar.setValue(0)
        logging.getLogger("app.test").info("one more")
        assert "one more" in panel.text() and bar.value() == 0

    def test_it_is_a_ring(self, panel):
        logger = logging.getLogger("app.test")
        for number in range(notifications.LINES + 500):
            logger.info("line %d", number)
            if number == 1000:
                panel.text()
        lines = panel.text().splitlines()
        assert len(lines) == notifications.LINES
        assert lines[-1].endswith(f"line {notifications.LINES + 499}") and lines[0].endswith("line 500")

    def test_info_of_others_is_left_out(self, panel):
        logging.getLogger("somebody").info("chatter")
        logging.getLogger("somebody").warning("important")
        assert "chatter" not in panel.text()
        assert "important" in panel.text()

    def test_the_file(self, tmp_path):
        handler = notifications.start_file_log(tmp_path / "log")
        notifications.install_log(handler)
        logging.getLogger("core.test").info("hello")
        notifications.remove_log(handler)
        assert "hello" in (tmp_path / "log" / "unlearn-studio.log").read_text()

    def test_a_folder_that_cannot_be_made_gives_no_file_log(self, tmp_path):
        file = tmp_path / "file"
        file.write_text("")
        assert notifications.start_file_log(file / "log") is None


class TestCrash:
    @pytest.fixture
    def reporter(self, qapp):
        reporter = faults.CrashReporter()
        reporter.install()
        yield reporter
        reporter.remove()

    def test_what_nobody_caught_is_reported(self, reporter, qtbot, caplog):
        with qtbot.waitSignal(reporter.reported) as reported:
            error = ValueError("x")
            sys.excepthook(ValueError, error, None)
        assert reported.args == [error]
        assert "nobody caught this" in caplog.text

    def test_a_model_that_fails_for_every_cell_is_reported_once(self, reporter, qtbot, caplog):
        class Broken(ColumnTable):
            columns = (Column("One"), Column("Two"))

            def count(self):
                return 20

            def cell(self, row, column, role):
                return {}["accuracy"]

        said = Notifications()
        reporter.reported.connect(said.error)
        table, model = QTableView(), Broken()
        qtbot.addWidget(table)
        table.setModel(model)
        table.show()
        qtbot.waitUntil(lambda: bool(said.history))
        table.viewport().update()  # once more
        qtbot.wait(50)
        [message] = said.history
        assert message.count == 1 and message.sentence.startswith("A fault in the program: KeyError: 'accuracy'.")
        assert "in cell" in message.details and caplog.text.count("nobody caught this") == 1

    def test_a_thread_that_failed_is_reported_in_the_window_thread(self, reporter, qtbot):
        where = []
        reporter.reported.connect(lambda error: where.append(threading.current_thread()))

        def fail() -> None:
            raise RuntimeError("in a thread")

        with qtbot.waitSignal(reporter.reported):
            thread = threading.Thread(target=fail)
            thread.start()
            thread.join()

    def test_messages_of_qt_go_to_the_log(self, reporter, caplog):
        qWarning("something of Qt")
        assert "something of Qt" in caplog.text

    def test_hooks_are_given_back(self, qapp):
        before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        reporter = faults.CrashReporter()
        reporter.install()
        assert sys.excepthook != before[0]
        reporter.remove()
        assert (sys.excepthook, threading.excepthook, sys.unraisablehook) == before

    def test_what_a_native_crash_left_is_found_at_the_next_start(self, qapp, tmp_path):
        (tmp_path / faults.FAULT_FILE).write_text("Fatal Python error: Segmentation fault")
        reporter = faults.CrashReporter()
        try:
            assert "Segmentation fault" in reporter.start_fault_file(tmp_path)
        finally:
            reporter.remove()
        second = faults.CrashReporter()
        try:
            assert second.start_fault_file(tmp_path) == ""
        finally:
            second.remove()


class TestPlatform:
    @pytest.mark.parametrize(
        "environment, system, expected",
        [
            ({"DISPLAY": ":0"}, "linux", True),
            ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "linux", False),
            ({"QT_QPA_PLATFORM": "offscreen", "DISPLAY": ":0"}, "linux", False),
            ({"QT_QPA_PLATFORM": "xcb"}, "linux", True),
            ({"QT_QPA_PLATFORM": "wayland;xcb", "DISPLAY": ":0"}, "linux", False),
            ({}, "linux", False),
            ({"DISPLAY": ":0"}, "darwin", False),
        ],
    )
    def test_when_xcb_is_taken(self, environment, system, expected):
        assert platform.uses_xcb(environment, system) is expected

    def test_the_package_is_named(self, monkeypatch, tmp_path):
        def load(name: str) -> object:
            if name == "libxcb-cursor.so.0":
                raise OSError(name)
            return object()

        missing = platform.missing_libraries(load)
        assert missing == ["libxcb-cursor.so.0"]
        release = tmp_path / "os-release"
        release.write_text('ID=debian\nNAME="Debian"')
        assert platform.install_hint(missing, release) == "Install them with: sudo apt install libxcb-cursor0"
        release.write_text("ID=fedora")
        assert platform.install_hint(missing, release) == "Install them with: sudo dnf install xcb-util-cursor"

    def test_the_error_says_what_and_how(self, monkeypatch):
        monkeypatch.setattr(platform, "uses_xcb", lambda: True)
        monkeypatch.setattr(platform, "missing_libraries", lambda: [next(iter(platform.XCB_LIBRARIES))])
        with pytest.raises(platform.PlatformError, match=r"libxcb-cursor\.so\.0.*libxcb-cursor0|xcb-util-cursor"):
            platform.check_platform()


class TestSmall:
    def test_page_states(self, qtbot):
        states = PageStates()
        with qtbot.waitSignal(states.changed) as changed:
            states.set("project", "ready", "ResNet-18")
        assert changed.args == ["project", "ready", "ResNet-18"]
        assert states.get("project") == ("ready", "ResNet-18")
        assert states.get("never") == ("", "")
        with qtbot.assertNotEmitted(states.changed):
            states.set("project", "ready", "ResNet-18")
        with pytest.raises(ValueError, match="'wrong' is not one of"):
            states.set("project", "wrong")

    def test_announcing_is_quiet_without_a_screen_reader(self, qtbot):
        widget = QWidget()
        qtbot.addWidget(widget)
        announce(widget, "The run is finished.", assertive=True)
        describe(widget, "step 3")
        assert widget.accessibleDescription() == "step 3"

    def test_an_input_error_is_shown_without_what_it_was_about(self):
        assert describe_error(InputError("x is missing"))[0] == "x is missing."

    def test_resources_are_there(self):
        assert (RESOURCES / "icons" / "open.svg").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another matter there")
def test_a_signal_waits_for_what_the_window_is_doing(qtbot):
    """Python calls its handler between any two byte codes: in the middle of a slot nothing may be closed."""
    bridge, told = SignalBridge(), []
    bridge.stop_asked.connect(lambda: told.append(True))
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        during = list(told)  # still in the slot that the signal came into
        qtbot.waitUntil(lambda: bool(told))
    finally:
        bridge.close()
    assert during == [] and told == [True]
