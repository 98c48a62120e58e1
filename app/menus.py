"""The menus: what stands in which, in which order; and the commands of the window itself."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QMenu, QMenuBar, QWidget

from app.actions import TITLES
from app.dialogs import sheet
from app.services.translation import mark, tr
from core.version import VERSION

if TYPE_CHECKING:
    from app.context import AppContext

LINE, RECENT = "", "file.recent"  # in a menu: a line, and the menu of what was open lately
ORDER: dict[str, tuple[str, ...]] = {  # of commands by id; those that are not here stand at the end of their menu
    "file": ("file.model", "file.data", "file.data_file", "file.example", RECENT, LINE, "file.run", "file.batch",
             "file.list", LINE, "file.close", "file.export", LINE, "file.quit"),
    "edit": ("edit.undo", "edit.redo", LINE, "forget.export_list", LINE, "edit.preferences"),
    "view": (LINE, "view.log", "view.messages", "runs.batches", "view.full_screen", LINE,
             "view.system", "view.light", "view.dark"),
    "run": ("run.start", "run.pause", "run.checkpoint", "run.stop", "run.discard", LINE, "run.replay", "runs.later",
            LINE, "verify.check", "verify.check_full", "verify.check_all", "verify.report", "export.write"),
    "help": ("help.guide", "help.glossary", "help.shortcuts", "help.palette", LINE, "help.log_folder", LINE,
             "help.about"),
}  # fmt: skip
RECENT_KINDS = (("model", mark("Model")), ("data", mark("Data")), ("run", mark("Run")))
MOST_RECENT = 5  # of a kind
Role, Std = QAction.MenuRole, QKeySequence.StandardKey


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
                action = self.recent.addAction(self._context.recent.name(entry).replace("&", "&&"))
                action.setToolTip(entry)
                action.triggered.connect(functools.partial(self._open, kind, entry))
        if self.recent.isEmpty():
            self.recent.addAction(tr("Nothing was opened yet")).setEnabled(False)

    def _open(self, kind: str, entry: str, _checked: bool = False) -> None:
        opening = self._context.opening
        self._context.show_page("unlearn" if kind == "run" else "project")
        if kind == "model":
            opening.open_model(entry)
        elif kind == "data":
            opening.open_data(entry)
        else:
            opening.open_run(Path(entry))


def register_commands(context: AppContext, window: QWidget) -> None:
    """Register the commands of files, of the forget set's history and of help."""
    register_file_commands(context, window)
    add, project = context.actions.add, context.project

    def why_no_undo() -> str:
        return "" if project.history and project.history.can_undo else tr("There is nothing to undo.")

    def why_no_redo() -> str:
        return "" if project.history and project.history.can_redo else tr("There is nothing to redo.")

    add("edit.undo", tr("&Undo selection"), project.undo_selection, icon="undo",
        shortcut=("Ctrl+Z", Std.Undo), why_disabled=why_no_undo)  # fmt: skip
    add("edit.redo", tr("&Redo selection"), project.redo_selection, icon="redo",
        shortcut=("Ctrl+Shift+Z", "Ctrl+Y", Std.Redo), why_disabled=why_no_redo)  # fmt: skip
    add("edit.preferences", tr("&Preferences…"), functools.partial(open_preferences, context, window),
        icon="settings", shortcut=("Ctrl+,", Std.Preferences), role=Role.PreferencesRole)  # fmt: skip
    _register_help(context, window)


def register_file_commands(context: AppContext, window: QWidget) -> None:
    """Register what opens something: what was chosen is opened whatever page is in view, and its page shows."""
    project, add = context.project, context.actions.add

    def why_no_list() -> str:
        return "" if project.dataset is not None else tr("Open the data first: a forget list names its images.")

    def why_not_closed() -> str:
        if context.run_controller.current is not None:
            return tr("A run is going.")
        return "" if project.opened_model is not None or project.dataset is not None else tr("Nothing is open.")

    def why_no_export() -> str:
        return "" if project.run is not None else tr("There is no run to export.")

    def ask(what: str, page: str = "") -> Callable[[], None]:
        def show() -> None:
            if page:
                context.show_page(page)
            sheet.ask_to_open(context, window, what)

        return show

    def open_example() -> None:
        context.show_page("project")
        context.opening.open_example()

    def close_project() -> None:
        project.set_run(None)
        project.set_opened(None, None)
        context.show_page("project")

    add("file.model", tr("Open a &model…"), ask("model", "project"), icon="model",
        shortcut=("Ctrl+O", Std.Open))  # fmt: skip
    add("file.data", tr("Open a &data folder…"), ask("data", "project"), icon="data",
        shortcut="Ctrl+Shift+O")  # fmt: skip
    add("file.data_file", tr("Open a data &file…"), ask("data_file", "project"), icon="file")
    add("file.example", tr("Open the e&xample"), open_example, icon="unlearn",
        tip=tr("A small network and the images it was trained on"))  # fmt: skip
    add("file.run", tr("Open a r&un folder…"), ask("run"), icon="runs")
    add("file.batch", tr("Open a &batch file…"), ask("batch"), icon="runs",
        tip=tr("Queue the runs of a batch file (TOML)"))  # fmt: skip
    add("file.list", tr("Import a forget &list…"), ask("list", "forget"), icon="forget",
        why_disabled=why_no_list)  # fmt: skip
    add("file.close", tr("&Close project"), close_project, icon="close", shortcut=("Ctrl+W", Std.Close),
        why_disabled=why_not_closed)  # fmt: skip
    add("file.export", tr("&Export…"), lambda: context.show_page("export"), icon="export",
        shortcut="Ctrl+E", why_disabled=why_no_export)  # fmt: skip
    add("file.quit", tr("&Quit"), window.close, shortcut=("Ctrl+Q", Std.Quit), role=Role.QuitRole)


def open_preferences(context: AppContext, window: QWidget) -> QDialog:
    """Show the preferences; what is changed there is kept and used at once."""
    from app.dialogs.preferences import PreferencesDialog, device_titles

    dialog = PreferencesDialog(context.settings.values, window)
    dialog.changed.connect(lambda name, value: context.settings.change(**{name: value}))
    context.jobs.submit(device_titles).done.connect(dialog.set_devices)
    dialog.open()
    return dialog


def _register_help(context: AppContext, window: QWidget) -> None:
    from app.dialogs import help as helping
    from app.widgets.frame import open_log_folder

    add = context.actions.add
    add("help.guide", tr("&Guide"), functools.partial(helping.open_guide, window), icon="help",
        shortcut=("F1", Std.HelpContents))  # fmt: skip
    add("help.glossary", tr("Gl&ossary"), lambda: helping.GlossaryDialog(parent=window).open())
    add("help.shortcuts", tr("&Keyboard shortcuts"),
        lambda: helping.ShortcutTable(context.actions, window).open(), shortcut="Ctrl+/")  # fmt: skip
    add("help.palette", tr("Find a &command…"), lambda: helping.CommandPalette(context, window).open(),
        icon="search", shortcut="Ctrl+Shift+P")  # fmt: skip
    add("help.log_folder", tr("Open log &folder"), open_log_folder, icon="open")
    add("help.about", tr("&About Unlearn Studio"), lambda: helping.AboutDialog(VERSION, window).open(),
        icon="info", role=Role.AboutRole)  # fmt: skip
