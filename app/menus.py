"""The menus: what stands in which, in which order."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from app.actions import TITLES
from app.services.format import plain
from app.services.translation import mark, tr
from app.services.window_state import day

if TYPE_CHECKING:
    from app.context import AppContext

LINE, RECENT = "", "file.recent"  # in a menu: a line, and the menu of what was open lately
ORDER: dict[str, tuple[str, ...]] = {  # of commands by id; those that are not here stand at the end of their menu
    "file": ("file.model", "file.data", "file.data_file", "file.example", RECENT, LINE, "file.run", "file.batch",
             "file.list", LINE, "file.close", "file.export", LINE, "file.quit"),
    "edit": ("edit.undo", "edit.redo", LINE, "forget.export_list", LINE, "edit.preferences"),
    "view": (LINE, "view.log", "view.messages", "view.full_screen"),
    "run": ("run.start", "run.pause", "run.checkpoint", "run.stop", "run.discard", LINE, "run.replay",
            LINE, "verify.check", "verify.check_full", "verify.check_all", "verify.report"),
    "help": ("help.guide", "help.glossary", "help.shortcuts", "help.palette", LINE, "help.log_folder", LINE,
             "help.about"),
}  # fmt: skip
RECENT_KINDS = (("model", mark("Model")), ("data", mark("Data")), ("run", mark("Run")))
MOST_RECENT = 5  # of a kind


class Menus:
    """The menu bar of a window, filled from the registry of commands whenever a menu opens."""

    def __init__(self, context: AppContext, window: QWidget) -> None:
        self._context = context
        self.bar = QMenuBar(window)
        self.bar.setAccessibleName(tr("Menu bar"))
        self.menus = {name: self.bar.addMenu(tr(title)) for name, title in TITLES.items()}
        self.recent = QMenu(tr("Open &recent"), self.bar)
        self.recent.setToolTipsVisible(True)
        self.recent.aboutToShow.connect(self._fill_recent)
        for name, menu in self.menus.items():
            menu.setToolTipsVisible(True)
            menu.aboutToShow.connect(functools.partial(self.fill, name))
            self.fill(name)

    def fill(self, name: str) -> None:
        """Put a menu's commands into it: what the table lists in its order, then the others."""
        menu, actions = self.menus[name], self._context.actions
        actions.refresh()
        listed = ORDER[name]
        pages = [c.id for c in actions if c.menu == name and c.id.startswith("page.")]
        others = [c.id for c in actions if c.menu == name and c.id not in listed and c.id not in pages]
        menu.clear()
        for action_id in (*pages, *listed, LINE, *others):
            if action_id == LINE:
                menu.addSeparator()
            elif action_id == RECENT:
                menu.addMenu(self.recent)
            elif action_id in actions:
                menu.addAction(actions[action_id])
        if not others:
            menu.removeAction(menu.actions()[-1])

    def open_first(self) -> None:
        """Open the first menu, from where the arrow keys lead to all others."""
        self.bar.setActiveAction(self.bar.actions()[0])

    def _fill_recent(self) -> None:
        self.recent.clear()
        for kind, title in RECENT_KINDS:
            entries = self._context.window_state.recent(kind)[:MOST_RECENT]
            if entries:
                self.recent.addSection(tr(title))
            for entry in entries:
                action = self.recent.addAction(self._name(kind, entry).replace("&", "&&"))
                action.setToolTip(plain(entry))
                action.triggered.connect(functools.partial(self._open, kind, entry))
        if self.recent.isEmpty():
            self.recent.addAction(tr("Nothing was opened yet")).setEnabled(False)

    def _name(self, kind: str, entry: str) -> str:
        """Name an entry as a person would: a run by its method, its forget set and the day."""
        rows = self._context.run_library.rows if kind == "run" else ()
        row = next((row for row in rows if str(row.path) == entry and row.forget_text), None)
        if row is None:
            return self._context.window_state.name(entry)
        return f"{row.method} · {row.forget_text} – {day(row.created)}"

    def _open(self, kind: str, entry: str, _checked: bool = False) -> None:
        opening = self._context.opening
        self._context.show_page("unlearn" if kind == "run" else "project")
        if kind == "model":
            opening.open_model(entry)
        elif kind == "data":
            opening.open_data(entry)
        else:
            opening.open_run(Path(entry))
