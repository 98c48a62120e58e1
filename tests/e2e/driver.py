"""Drives the real application from inside its event loop: a script yields conditions and goes on when they hold."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from typing import Any

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication

from app.main_window import MainWindow

Condition = Callable[[], Any]
Script = Callable[["Driver"], Generator[Condition, None, None]]


class Driver(QObject):
    """Looks every few milliseconds whether the script may go on; a condition that never holds fails it."""

    def __init__(self, script: Script, patience: float = 300.0) -> None:
        super().__init__()
        self._script = script(self)
        self._patience = patience
        self._condition: Condition = lambda: self.window is not None
        self._since = time.monotonic()
        self.error: BaseException | None = None
        self.done = False
        self.clicks = 0
        self.leaving = False
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        self._timer.start(10)

    @property
    def window(self) -> MainWindow | None:
        """The main window once it is on screen."""
        found = [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible()]
        return found[0] if found else None

    @property
    def context(self) -> Any:
        """The window's services."""
        assert self.window is not None
        return self.window.context

    def close(self) -> None:
        """Close the window as a user does; the application may end with it."""
        self.leaving = True
        assert self.window is not None
        self.window.close()

    def press(self, text: str) -> bool:
        """Press the button with this text in whatever dialog or page is in view; False while there is none."""
        for widget in QApplication.allWidgets():
            if isinstance(widget, QAbstractButton) and widget.isVisible() and _plain(widget.text()) == text:
                widget.click()
                return True
        return False

    def click(self, text: str) -> bool:
        """Click the button with this text on the page in view with the mouse; False while there is none to click."""
        assert self.window is not None
        page = self.window.page(self.window.current_page)
        for button in page.findChildren(QAbstractButton) if page is not None else ():
            if button.isVisible() and button.isEnabled() and _plain(button.text()) == text:
                QTest.mouseClick(button, Qt.MouseButton.LeftButton)
                self.clicks += 1
                return True
        return False

    def page(self, name: str) -> Any:
        """Show a page and return it."""
        self.context.show_page(name)
        return self.window.page(name)

    def _look(self) -> None:
        try:
            if not self._condition():
                if time.monotonic() - self._since > self._patience:
                    raise AssertionError(f"waited {self._patience:.0f} s in vain for {_where(self._condition)}")
                return
            self._condition = next(self._script)
            self._since = time.monotonic()
        except StopIteration:
            self.done = True
            self.stop()
        except BaseException as error:
            self.error = error
            self.stop()

    def stop(self) -> None:
        """End the event loop, whatever is going on."""
        self._timer.stop()
        window = self.window if self.error is not None else None
        if window is not None and self.error is not None:
            controller = window.context.run_controller
            if controller is not None and controller.current is not None:
                controller.ask("discard")
        QApplication.exit(0)

    def leave(self) -> None:
        """Take the window away once the program has ended, and an order to quit that came twice.

        Outside of the program's loop Qt obeys it in every later loop.
        """
        self._timer.stop()
        QCoreApplication.removePostedEvents(QApplication.instance(), QEvent.Type.Quit.value)
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, MainWindow):
                widget.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def drive(arguments: list[str], script: Script, patience: float = 300.0) -> int:
    """Run `main(arguments)` with a script and return its exit code; raises what the script raised."""
    from app import bootstrap
    from app.bootstrap import create_application
    from main import main

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    create_application()
    bootstrap.leave = lambda code: None  # tests go on in this process: what is late is waited for
    driver = Driver(script, patience)
    code = main(arguments)
    driver.leave()
    if driver.error is not None:
        raise driver.error
    assert driver.done or driver.leaving, "the application ended before the script did"
    return code


def _plain(text: str) -> str:
    return text.replace("&", "")


def _where(condition: Condition) -> str:
    code = getattr(condition, "__code__", None)
    return f"the condition at line {code.co_firstlineno}" if code else repr(condition)
