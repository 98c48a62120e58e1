"""The Export page: form and place of the file, what is saved beside it, and what is still kept of the forget images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QCheckBox

from app.dialogs.sheet import Choice, ask
from app.dialogs.trust import with_trusted_code
from app.pages.export.file_card import FileCard
from app.pages.export.kept_card import KeptCard, files_words
from app.services import format as fmt
from app.services import tokens as t
from app.services.opening import explain
from app.services.run_words import gone
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton
from app.widgets.cards import Card
from app.widgets.frame import RunChips
from app.widgets.labels import ElidedLabel, caption
from app.widgets.layout import STRETCH, add_to, column, row, scrolling, stacked, widget_of
from app.widgets.notices import Banner, EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermRow
from core.errors import AppError, TargetExistsError
from core.job import Job
from core.runs.folder import FORGET, REPORT_HTML, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from core.data.dataset import Dataset
    from core.events import Tell
    from core.models.trust import Trust
    from core.session.exporting import ExportResult
    from core.session.kept import Kept, Removed, Traces

NOTHING = mark("Nothing to export yet. Finish or open a run.")
_FACTS = "export-facts"
UNCHECKED = mark("This run was not checked. The model card will say so.")
BOTH_MODELS = mark(
    "Anyone who has both the original and this model can compare them and may learn what was removed. Withdraw the "
    "original where you can."
)
WORDS = ("original", "forget_set", "run", "verdict")  # that cards and sentences here use
ALSO = {  # what can be saved beside the model: its check box, the end of the file's name, and why there is none
    "card": (mark("Model &card"), ".json", ""),
    "report": (mark("&Report"), "-report.html", mark("There is none.")),
    "forget_list": (mark("Forget &list"), "-forget.csv", mark("It was removed.")),
}


class ExportPage(Page):
    """Shows the run in view: a live one that ended, or one opened from disk."""

    runs_wanted = Signal()
    check_wanted = Signal()

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.header_widget = self.chips = RunChips(context.project)
        self.file_card, self.also_card, self.kept_card = FileCard(), AlsoCard(), KeptCard()
        cards = row((self.file_card, 64), (self.also_card, 40), spacing=t.M)
        inside = widget_of(column(cards, (self.kept_card, 1), spacing=t.M))
        inside.setProperty("ground", "none")
        self.empty = EmptyState("export", "")
        self.stack = stacked(self.empty, scrolling(inside))  # with a large font there is more than fits
        self.content.addWidget(self.stack, 1)
        self.export_button = PrimaryButton(tr("Export checkpoint"))
        self.add_action(TermRow(WORDS), start=True)
        self.add_action(self.export_button)
        self.presenter = ExportPresenter(context, self)

    def entered(self) -> None:
        self.presenter.refresh()

    def show_empty(self, why: str) -> None:
        """Say why there is nothing to export; "" shows the cards."""
        self.stack.setCurrentIndex(0 if why else 1)
        self.export_button.setVisible(not why)
        if why:
            self.empty.set(why, tr("Open a run"), self.runs_wanted.emit)

    def show_checked(self, checked: bool) -> None:
        """Warn of a run that was not checked."""
        if checked:
            self.also_card.unchecked.hide()
        else:
            self.also_card.unchecked.show_message(
                tr(UNCHECKED), "caution", [(tr("Check the result"), self.check_wanted.emit)], closable=False
            )


class AlsoCard(Card):
    """Check boxes for what is saved beside the model, each with the name of its file."""

    def __init__(self) -> None:
        super().__init__(tr("Also save"))
        self.boxes: dict[str, QCheckBox] = {}
        self._names: dict[str, ElidedLabel] = {}
        for key, (title, _, _) in ALSO.items():
            self.boxes[key], self._names[key] = QCheckBox(tr(title)), ElidedLabel("", "caption", "text-2")
            self.body.addLayout(row(self.boxes[key], (self._names[key], 1)))
        self.boxes["card"].setChecked(True)
        self.unchecked = Banner()
        add_to(self.body, self.unchecked, STRETCH, caption(tr(BOTH_MODELS), wide=True))

    def show_there(self, there: Mapping[str, bool]) -> None:
        """Say which of the run's files there are; a report is proposed, a list is not."""
        for key, found in there.items():
            self.boxes[key].setEnabled(found)
            self.boxes[key].setChecked(found and (key == "report" or self.boxes[key].isChecked()))

    def show_names(self, stem: str) -> None:
        """Name the files, which begin as the model's does."""
        for key, (_, end, missing) in ALSO.items():
            self._names[key].setText(stem + end if self.boxes[key].isEnabled() else tr(missing))

    def wanted(self) -> dict[str, bool]:
        """Whether each is to be saved."""
        return {key: box.isChecked() for key, box in self.boxes.items()}


@dataclass(frozen=True)
class ExportFacts:
    """What must be known of a finished run before its model can be exported."""

    folder: RunFolder
    job: Job
    checked: bool
    there: Mapping[str, bool]  # which of the run's files that can be saved beside the model
    traces: Traces | None


class ExportPresenter(QObject):
    """Reads the run in view whenever the page comes into sight, and while it is."""

    def __init__(self, context: AppContext, page: ExportPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.facts: ExportFacts | None = None
        self.busy = False
        self._shown: Path | None = None  # the run whose file is being chosen
        self._said = ""  # what was just removed, in words
        context.project.run_changed.connect(self._run_changed)
        context.run_controller.run_ended.connect(self._run_changed)
        page.runs_wanted.connect(lambda: context.show_page("runs"))
        page.check_wanted.connect(lambda: context.show_page("verify"))
        page.export_button.clicked.connect(self.export)
        page.file_card.changed.connect(page.banner.hide)  # what it says is of another file or format
        page.file_card.changed.connect(self._update)
        page.kept_card.remove_asked.connect(self._ask_removal)
        self.refresh()

    # ---- what there is

    def refresh(self) -> None:
        """Read the run in view again."""
        run = self._context.project.run
        if run is None or not run.folder.has_result:
            self._context.jobs.cancel(_FACTS)  # of the run before
            self._shown = None
            self._nothing(gone(run) or tr(NOTHING))
            return
        self._forget_other()
        self._context.jobs.submit(read_facts, run.folder, key=_FACTS).then(self._read, self._not_read)

    def _run_changed(self, *_: object) -> None:
        if self._page.isVisible():
            self.refresh()
        else:
            self._forget_other()

    def _forget_other(self) -> None:
        """What was read of another run than the one in view is not exported by mistake."""
        run = self._context.project.run
        if self.facts is not None and (run is None or run.path != self.facts.folder.path):
            self._context.jobs.cancel(_FACTS)
            self.facts = None
            self._update()

    def _read(self, facts: ExportFacts) -> None:
        self.facts, page = facts, self._page
        page.show_empty("")
        if not self.busy and facts.folder.path != self._shown:
            self._shown, self._said = facts.folder.path, ""
            if folder := self._context.window_state.recent_folder("export"):  # of the last file that is still there
                page.file_card.folder = Path(folder)
            page.file_card.set_job(facts.job)
        page.also_card.show_there(facts.there)
        page.show_checked(facts.checked)
        page.kept_card.setVisible(facts.traces is not None)
        if facts.traces is not None:
            page.kept_card.set_traces(facts.traces, self._said)
        self._update()

    def _not_read(self, error: BaseException) -> None:
        self._context.page_states.set("export", "problem", tr("Cannot be read"))
        self._nothing(explain(error))

    def _nothing(self, why: str) -> None:
        self.facts = None
        self._page.show_empty(why)
        self._update()

    def _update(self) -> None:
        path, missing = self._page.file_card.path(), ""
        if self.facts is not None and path is None:
            missing = tr("Name the file to write.")
        elif self.facts is not None and path is not None and path.is_dir():
            missing = tr("The path is a folder. Name the file to write.")
        self._page.set_missing(missing)
        self._page.export_button.setEnabled(self.facts is not None and not self.busy and not missing)
        self._page.also_card.show_names(path.stem if path is not None else "model")

    # ---- exporting

    def export(self) -> None:
        """Write, read back and compare, in a worker."""
        page, path = self._page, self._page.file_card.path()
        if self.facts is None or path is None or self.busy:
            return
        page.banner.hide()
        also = {f"with_{name}": wanted for name, wanted in page.also_card.wanted().items()}
        also["quantised"] = page.file_card.quantised.isChecked()
        start = partial(self._start, self.facts, page.file_card.format().id, path, also)
        with_trusted_code(self._context.trust, self._context.trust.asked(self.facts.job), page.window(), start)

    def _start(
        self, facts: ExportFacts, form: str, path: Path, also: dict[str, bool], overwrite: bool = False
    ) -> None:
        page, context = self._page, self._context
        self.busy = True
        page.export_button.set_busy(True, tr("Exporting…"))
        page.file_card.show_progress(tr("Opening the model"))
        context.page_states.set("export", "running", tr("Writing"))
        # Another run may be in view, or another file named, once somebody is asked whether to replace this one.
        replace = partial(self._start, facts, form, path, also, True)
        context.device_jobs.submit(
            _export, facts.folder.path, form, path, context.project.dataset,
            context.trust.of(facts.job), {**also, "overwrite": overwrite}, key="export",
        ).then(self._exported, partial(self._failed, replace), page.file_card.show_progress, self._ended)  # fmt: skip

    def _exported(self, result: ExportResult) -> None:
        self._page.file_card.show_written(result.path, " ".join((result.sentence, *result.notes)))
        self._context.window_state.add_recent("export", str(result.path))
        self._context.page_states.set("export", "done", result.path.name)
        self._context.notifications.info(f"{result.path.name}: {result.sentence}")

    def _failed(self, again: Callable[[], object], error: BaseException) -> None:
        self._page.file_card.clear_outcome()
        self._context.page_states.set("export", "problem", tr("Not written"))
        if isinstance(error, TargetExistsError):  # of the model, or of what is saved beside it
            replace = Choice("replace", tr("Replace"), True, again)
            question = tr("{name} already exists.", name=error.path.name)
            ask(self._page, question, [Choice("keep", tr("Keep it")), replace], str(error.path))
        elif isinstance(error, AppError):
            self._page.show_error(explain(error))
        else:
            self._context.notifications.error(error, tr("The checkpoint was not exported"))

    def _ended(self) -> None:
        self.busy = False
        self._page.export_button.set_busy(False)
        if self.facts is not None and self.facts.folder.path != self._shown:  # another run came into view meanwhile
            self._read(self.facts)
        self._update()

    # ---- removing

    def _ask_removal(self, kinds: tuple[Kept, ...]) -> None:
        if self.facts is None:
            return
        question = tr("Remove {what}? The model, its report and the hashes stay.", what=files_words(kinds))
        details = "\n".join(f"{kind.title}: {kind.consequence}" for kind in kinds)
        remove = Choice("remove", tr("Remove"), True,
                        partial(self._remove, self.facts.folder, tuple(kind.id for kind in kinds)))  # fmt: skip
        ask(self._page, question, [Choice("keep", tr("Keep them")), remove], details)

    def _remove(self, folder: RunFolder, ids: tuple[str, ...]) -> None:
        self._context.jobs.submit(_remove, folder, ids, key="export-remove").then(
            partial(self._removed, folder),
            partial(self._context.notifications.error, what=tr("Nothing was removed")),
            finished=self.refresh,
        )

    def _removed(self, folder: RunFolder, removed: Removed) -> None:
        said = tr("Removed %n files, {size}.", n=removed.files, size=fmt.size(removed.bytes))
        if failed := removed.failed:
            said += " " + tr("%n files could not be removed: {which}.", n=len(failed), which=failed[0])
        if folder.path == self._shown:
            self._said = said
        self._context.notifications.info(said)


def read_facts(folder: RunFolder) -> ExportFacts:
    """Read a run folder; runs in a worker, because counting traces hashes model files."""
    from core.session.kept import what_is_kept
    from core.session.library import check_state

    job = folder.job()
    return ExportFacts(
        folder=folder,
        job=job,
        checked=check_state(folder)["checked"] or job.kind == "train",
        there={"report": folder.file(REPORT_HTML).is_file(),
               "forget_list": folder.file(FORGET).is_file() and job.forget.count > 0},
        traces=what_is_kept(folder) if job.kind == "unlearn" else None,
    )  # fmt: skip


def _export(
    folder: Path, form: str, path: Path, dataset: Dataset | None, trust: Trust, options: dict[str, Any], progress: Tell
) -> ExportResult:
    from core.session.bench import Bench
    from core.session.exporting import export

    return export(folder, form, path, Bench(None, dataset, trust=trust, tell=progress), **options)


def _remove(folder: RunFolder, ids: tuple[str, ...]) -> Removed:
    from core.session.kept import remove_kept

    return remove_kept(folder, ids)
