"""The Export page: form and place of the file, what goes along, and what is still kept of the forget images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.dialogs.sheet import Choice, ask
from app.dialogs.trust import with_trusted_code
from app.pages.export.file_card import FileCard
from app.pages.export.kept_card import KeptCard, removed_words
from app.pages.export.presenter import ExportFacts, ExportPresenter, Wish
from app.services import format as fmt
from app.services import tokens as t
from app.services.run_words import describe_run, gone
from app.services.theme import theme
from app.widgets.buttons import PrimaryButton
from app.widgets.cards import Card
from app.widgets.frame import RunChips
from app.widgets.labels import ElidedLabel, caption
from app.widgets.layout import scrolling
from app.widgets.notices import Banner, EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermRow
from core.errors import AppError, TargetExistsError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.session.exporting import ExportResult
    from core.session.kept import Kept, Removed

NOTHING = "Nothing to export yet. Finish or open a run."
UNCHECKED = "This run was not checked. The model card will say so."
BOTH_MODELS = (
    "Anyone who has both the original and this model can compare them and may learn what was removed. Withdraw the "
    "original where you can."
)
WORDS = ("original", "forget_set", "run", "verdict")  # that cards and sentences here use
_FOLDER_ENTRY = "export"  # of recent entries: where the last file went


class ExportPage(Page):
    """Shows the run in view; works for a live run that ended and for one opened from disk."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.presenter = ExportPresenter(context, self)
        self.header_widget = self.chips = RunChips(context.project)
        self.stack = QStackedWidget()
        self.content.addWidget(self.stack, 1)
        self.empty = EmptyState("export", NOTHING, "Open a run", self._open_runs)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._full())
        self.words = TermRow(WORDS)
        self.add_action(self.words, start=True)
        self.export_button = PrimaryButton("Export checkpoint", self._export)
        self.add_action(self.export_button)
        context.actions.add("export.write", "&Export checkpoint", self._export, menu="run", icon="export",
                            why_disabled=self._why_not)  # fmt: skip
        self._connect()
        self.presenter.refresh()

    def entered(self) -> None:
        self.presenter.refresh()

    # ---- parts

    def _full(self) -> QWidget:
        content = QWidget()
        content.setProperty("ground", "none")
        whole = scrolling(content)  # with a large font there is more than fits
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        row = QHBoxLayout()
        row.setSpacing(theme.px(t.M))
        self.file_card = FileCard()
        row.addWidget(self.file_card, 64)
        row.addWidget(self._along(), 40)
        column.addLayout(row)
        self.kept_card = KeptCard()
        column.addWidget(self.kept_card, 1)
        return whole

    def _along(self) -> Card:
        card = Card("Also save")
        self.card_box = QCheckBox("Model &card")
        self.report_box = QCheckBox("&Report")
        self.list_box = QCheckBox("Forget &list")
        self.card_box.setChecked(True)
        self._along_texts = {}
        for box, name in ((self.card_box, "Model card"), (self.report_box, "Report"), (self.list_box, "Forget list")):
            box.setAccessibleName(name)
            box.toggled.connect(self._update)
            text = ElidedLabel("", "caption", "text-2")
            row = QHBoxLayout()
            row.setSpacing(theme.px(t.S))
            row.addWidget(box)
            row.addWidget(text, 1)
            card.body.addLayout(row)
            self._along_texts[box] = text
        self.unchecked = Banner()
        card.body.addWidget(self.unchecked)
        card.body.addStretch(1)
        both = caption(BOTH_MODELS, wrap=True)
        both.setMaximumWidth(16_777_215)
        card.body.addWidget(both)
        return card

    def _connect(self) -> None:
        presenter = self.presenter
        presenter.facts_changed.connect(self._show_facts)
        presenter.unreadable.connect(self._show_unreadable)
        presenter.started.connect(self._started)
        presenter.progress.connect(self.file_card.show_progress)
        presenter.exported.connect(self._exported)
        presenter.failed.connect(self._failed)
        presenter.removed.connect(self._removed)
        self.file_card.changed.connect(self.banner.dismiss)  # what it says is of another file or format
        self.file_card.changed.connect(self._update)
        self.kept_card.remove_asked.connect(self._ask_removal)
        self._said = ""
        self._shown: Path | None = None  # the run whose file is being chosen
        self._use_last_folder()
        self.context.recent.checked.connect(self._use_last_folder)

    # ---- what there is

    def _use_last_folder(self) -> None:
        """Where the last file went, once that is known to be there still."""
        state = self.context.window_state
        last = next(iter(state.places(_FOLDER_ENTRY)), "")
        if last and state.is_there(last):
            self.file_card.set_folder(Path(last))

    def _show_facts(self, facts: ExportFacts | None) -> None:
        self.stack.setCurrentIndex(0 if facts is None else 1)
        self.export_button.setVisible(facts is not None)
        if facts is None:
            self._shown = None
            self.empty.set(gone(self.context.project.run) or NOTHING, "Open a run", self._open_runs)
            self.context.page_states.set("export", "empty", "Nothing to export")
            self._update()
            return
        if not self.presenter.busy and facts.folder.path != self._shown:
            self._shown, self._said = facts.folder.path, ""
            self.file_card.set_job(facts.job)
        self.report_box.setEnabled(facts.has_report)
        self.report_box.setChecked(facts.has_report)
        self.list_box.setEnabled(facts.has_list)
        if not facts.has_list:
            self.list_box.setChecked(False)
        self.kept_card.setVisible(facts.traces is not None)
        self.kept_card.set_traces(facts.traces, self._said)
        if facts.checked:
            self.unchecked.dismiss()
        else:
            self.unchecked.show_message(UNCHECKED, "caution", [("Check the result", self._check)], closable=False)
        if not self.file_card.outcome():
            self.context.page_states.set("export", "ready", describe_run(facts.job))
        self._update()

    def _show_unreadable(self, error: BaseException) -> None:
        self.stack.setCurrentIndex(0)
        self.export_button.hide()
        self.empty.set(_words(error), "Open a run", self._open_runs)
        self.context.page_states.set("export", "problem", "Cannot be read")
        self.set_missing("")

    def _update(self) -> None:
        facts, path = self.presenter.facts, self.file_card.path()
        missing = ""
        if facts is not None and path is None:
            missing = "Name the file to write."
        elif path is not None and path.is_dir():
            missing = "The path is a folder. Name the file to write."
        self.set_missing(missing)
        self.export_button.setEnabled(not self._why_not())
        stem = path.stem if path is not None else "model"
        names = (f"{stem}.json", f"{stem}-report.html", f"{stem}-forget.csv")
        for (box, text), name in zip(self._along_texts.items(), names, strict=True):
            if box.isEnabled() or facts is None:
                text.setText(name)
            else:
                text.setText("There is none." if box is self.report_box else "It was removed.")

    def _why_not(self) -> str:
        if self.presenter.facts is None:
            return "There is no result to export."
        return "An export is under way." if self.presenter.busy else self.missing()

    # ---- exporting

    def _export(self) -> None:
        path = self.file_card.path()
        if path is not None:
            self.file_card.show_progress("Looking whether the file exists")
            self.export_button.set_busy(True, "Exporting…")
            handle = self.context.jobs.submit(path.exists, key="export place")
            handle.done.connect(partial(self._looked, path))
            handle.failed.connect(partial(self._looked, path, False))  # the export says what is wrong there

    def _looked(self, path: Path, exists: bool, *_: object) -> None:
        self.export_button.set_busy(False)
        self.file_card.show_outcome("")
        if exists:
            self._ask_to_replace(path, path)
            return
        self._start(path, False)

    def _ask_to_replace(self, path: Path, there: Path) -> None:
        """Ask whether to write `path` where a file of the export is `there` already."""
        ask(
            self, f"{there.name} already exists.", [Choice("keep", "Keep it"), Choice("replace", "Replace", True)],
            partial(self._answered, path), str(there),
        )  # fmt: skip

    def _answered(self, path: Path, answer: str) -> None:
        if answer == "replace":
            self._start(path, True)

    def _start(self, path: Path, overwrite: bool) -> None:
        self.banner.dismiss()
        wish = Wish(
            self.file_card.format(), path, self.card_box.isChecked(), self.report_box.isChecked(),
            self.list_box.isChecked(),
        )  # fmt: skip
        facts = self.presenter.facts
        if facts is not None:
            with_trusted_code(
                self.context.trust, facts.job, "Exporting it", self.window(),
                partial(self.presenter.export, wish, overwrite),
            )  # fmt: skip

    def _started(self) -> None:
        self.export_button.set_busy(True, "Exporting…")
        self.file_card.show_progress("Opening the model")
        self.context.page_states.set("export", "running", "Writing")

    def _exported(self, result: ExportResult) -> None:
        self.export_button.set_busy(False)
        self.file_card.show_outcome(result.sentence, result.path, result.notes)
        self.context.window_state.add_recent(_FOLDER_ENTRY, str(result.path.parent))
        self.file_card.set_folder(result.path.parent)
        self.context.page_states.set("export", "done", result.path.name)
        self.context.notifications.info(f"{result.path.name}: {result.sentence}")
        self._update()

    def _failed(self, error: BaseException) -> None:
        self.export_button.set_busy(False)
        self.file_card.show_outcome("")
        self.context.page_states.set("export", "problem", "Not written")
        path = self.file_card.path()
        if isinstance(error, TargetExistsError) and path is not None:  # of what goes along
            self._ask_to_replace(path, error.path)
        elif isinstance(error, AppError):
            self.banner.show_message(_words(error), "error")
        else:
            self.context.notifications.error(error, "The checkpoint was not exported")
        self._update()

    # ---- removing

    def _ask_removal(self, kinds: tuple[Kept, ...]) -> None:
        files, size = sum(kind.count for kind in kinds), sum(kind.bytes for kind in kinds)
        self._to_remove = tuple(kind.id for kind in kinds)
        details = "\n".join(f"{kind.title}: {kind.consequence}" for kind in kinds)
        ask(
            self,
            f"Remove {fmt.plural(files, 'file')} ({fmt.size(size)})? The model, its report and the hashes stay.",
            [Choice("keep", "Keep them"), Choice("remove", "Remove", True)],
            self._removal_answered,
            details,
        )

    def _removal_answered(self, answer: str) -> None:
        if answer == "remove":
            self.presenter.remove(self._to_remove)

    def _removed(self, removed: Removed) -> None:
        self._said = removed_words(removed)
        self.context.notifications.info(self._said)

    # ---- ways out

    def _open_runs(self) -> None:
        self.context.show_page("runs")

    def _check(self) -> None:
        self.context.show_page("verify")


def _words(error: BaseException) -> str:
    return error.text if isinstance(error, AppError) else f"{type(error).__name__}: {error}"
