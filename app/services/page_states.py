"""What the rail says about each page: a state shape and a caption, also for pages that were never opened."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

PAGE_STATES = ("", "empty", "ready", "running", "done", "problem")


class PageStates(QObject):
    """State and caption by page id; the rail follows `changed`."""

    changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._states: dict[str, tuple[str, str]] = {}

    def set(self, page_id: str, state: str, caption: str = "") -> None:
        """Set a page's state (one of `PAGE_STATES`) and caption."""
        if state not in PAGE_STATES:
            raise ValueError(f"{state!r} is not one of {PAGE_STATES}")
        if self._states.get(page_id) != (state, caption):
            self._states[page_id] = (state, caption)
            self.changed.emit(page_id)

    def get(self, page_id: str) -> tuple[str, str]:
        """State and caption of a page."""
        return self._states.get(page_id, ("", ""))
