"""What the Verify page does: reads a run's report, shows it, runs checks, and saves what is to be taken along."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from app.dialogs.sheet import ALL_FILES, ask_file
from app.pages.verify.checks import FULL, NOT_RETRAINED, QUICK, UNCHECKED, Checks, ResultFacts, read_result
from app.pages.verify.plots_panel import Pictures
from app.pages.verify.verdict_card import CODES, NOTHING, offer
from app.services.run_words import gone
from app.services.translation import mark, tr
from core.errors import AppError
from core.runs.folder import REPORT_HTML, RunFolder
from core.verify.table import gaps_shown

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.verify.comparison import ComparisonPresenter
    from app.pages.verify.page import VerifyView
    from app.services.run_library import RunRow
    from app.workers.live_run import LiveRun

WEIGHTS = mark("Models (*.safetensors *.pt *.pth *.ckpt)")
MOST_TOGETHER = 50  # runs that are checked and shown together where nobody chose them


class VerifyPresenter(QObject):
    """Shows the run in view, or leaves the page to the comparison; all signals come in the window's thread."""

    facts_changed = Signal(object)  # ResultFacts, or None where there is nothing to check

    def __init__(self, context: AppContext, page: VerifyView) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.checks = checks = Checks(context, page)
        self._pictures = Pictures(context, page.plots, self)
        self._seen = True  # a page is made when it is shown
        for signal, slot in (
            (context.project.run_changed, self._run_changed),
            (context.project.compared_changed, self._compared_changed),
            (context.run_controller.run_ended, self._run_ended),
            (page.runs_asked, self._open_runs),
            (page.export_button.clicked, self._export), (page.run_button.clicked, self._run_checks),
            (page.check_all_button.clicked, self.check_all),
            (page.models.wanted, checks.want), (page.models.open_asked, self._open_retrained),
            (page.models.compare_asked, self._compare_with),
            (page.verdict.check_asked, checks.run), (page.verdict.stop_asked, checks.stop),
            (page.verdict.report_asked, self._open_report),
            (page.verdict.save_asked, self._save_report), (page.verdict.table_asked, self._save_table),
            (page.plots.full_asked, self._run_full),
            (checks.changed, self._show_check), (checks.measured, self._show_so_far),
            (checks.failed, self._check_failed), (checks.ended, self.refresh),
        ):  # fmt: skip
            signal.connect(slot)
        for name, title, act, icon, why in (
            ("check", tr("Run &checks"), self._run_checks, "verify", checks.why_not),
            ("check_full", tr("Run &full checks"), self._run_full, "verify", checks.why_not_full),
            ("check_all", tr("Check &all runs"), self.check_all, "verify", self._why_not_all),
            ("report", tr("Open &report"), self._open_report, "open", self._why_no_report),
        ):
            context.actions.add(f"verify.{name}", title, partial(self._from_anywhere, act), menu="run", icon=icon,
                                why_disabled=partial(self._why_not_from_anywhere, why))  # fmt: skip
        self._show_part()
        self.refresh()
        if context.project.side_by_side:
            self._compared_changed()

    @property
    def facts(self) -> ResultFacts | None:
        """The result of the run in view; None: there is nothing to check, or it was not read."""
        return self.checks.facts

    @cached_property
    def comparison(self) -> ComparisonPresenter:
        """What fills the view of several runs; made when there are some."""
        from app.pages.verify.comparison import ComparisonPresenter

        made = ComparisonPresenter(self._context, self._page.comparison, self.checks, self)
        made.shown.connect(self._show_part)
        made.shown.connect(self._context.actions.refresh)
        made.failed.connect(self._context.notifications.error)
        made.refresh()
        return made

    # ---- reading

    def refresh(self, *_: object) -> None:
        """Read the run in view again."""
        run = self._context.project.run
        folder = run.folder if run is not None and run.kind == "unlearn" else None
        if folder is None or not folder.has_result or not folder.file("report.json").is_file():
            self._context.jobs.cancel("verify-facts")
            self.take(None)
            return
        if self.facts is None:
            self._page.empty.set(tr("Reading the report of the run"))
        elif self.facts.folder.path != folder.path:
            self.checks.set_facts(None)  # nothing is checked or saved of another run by mistake
            self._show_check()
        self._context.jobs.submit(read_result, folder, key="verify-facts").then(self.take, self._not_read)

    def take(self, facts: ResultFacts | None) -> None:
        """Show a run's result; None: there is nothing to check."""
        self.checks.set_facts(facts)
        self._show_part()
        if not self._context.project.side_by_side:
            self._show_facts(facts)
        self._context.actions.refresh()
        self.facts_changed.emit(facts)

    def _not_read(self, error: BaseException) -> None:
        self.take(None)
        self._show_empty(error.text if isinstance(error, AppError) else str(error))
        self._context.page_states.set("verify", "problem", tr("Cannot be read"))

    def comparable(self) -> list[RunRow]:
        """Other finished runs that forget the same images of the same data, newest first."""
        if self.facts is None:
            return []
        own = (self.facts.job.data.fingerprint, self.facts.job.forget.sha256)
        return [
            row for row in self._context.run_library.rows
            if row.has_report and row.path != self.facts.folder.path and row.forget_set == own
        ]  # fmt: skip

    def entered(self) -> None:
        """Read again: the page is seen now."""
        self._seen = True
        self.refresh()
        if self._context.project.side_by_side:
            self.comparison.refresh()

    def left(self) -> None:
        """Read no more: the page is not seen."""
        self._seen = False

    def _run_changed(self) -> None:
        if self._seen:
            self.refresh()
        else:
            self._context.jobs.cancel("verify-facts")
            self.checks.set_facts(None)  # of another run; read when the page is seen again
            self._show_part()
            self._context.actions.refresh()

    def _run_ended(self, run: LiveRun) -> None:
        current = self._context.project.run
        if self._seen and run.kind != "check" and current is not None and run.path == current.path:
            self.refresh()

    @property
    def _to_be_read(self) -> bool:
        """Whether the run in view has a result that is read once the page is seen."""
        run = self._context.project.run
        there = run is not None and run.kind == "unlearn" and run.folder.has_result
        return there and not self._seen and self.facts is None

    def _from_anywhere(self, act: Callable[[], object]) -> None:
        """Do a command; where the run in view is not read yet, the first press leads to it."""
        if self._to_be_read:
            self._context.show_page("verify")
        else:
            act()

    def _why_not_from_anywhere(self, why_not: Callable[[], str]) -> str:
        return "" if self._to_be_read else why_not()

    # ---- what is shown

    def _show_part(self) -> None:
        """One run, several side by side, or what is missing."""
        several = self._context.project.side_by_side
        self._page.show_part("several" if several else "one" if self.facts is not None else "empty")
        self._show_next_step()

    def _show_empty(self, sentence: str) -> None:
        self._page.empty.set(sentence, tr("Open a run"), self._page.runs_asked.emit)

    def _compared_changed(self) -> None:
        self._show_part()
        if self._context.project.side_by_side:
            self.comparison  # noqa: B018 - made now, it reads the runs
            self._page.banner.hide()
            self._show_state()
        else:
            self.refresh()

    def _show_facts(self, facts: ResultFacts | None) -> None:
        page = self._page
        if facts is None:
            self._show_empty(gone(self._context.project.run) or tr(NOTHING))
            self._context.page_states.set("verify", "empty", tr("Nothing to check"))
            return
        page.verdict.show_report(facts.report, facts.not_compared)
        self._show_measures(facts)
        self._pictures.set_facts(facts)
        if warnings := facts.report.get("warnings"):
            page.banner.show_message(" ".join(map(str, warnings)), "caution")
        else:
            page.banner.hide()
        self._show_check()

    def _show_so_far(self, facts: ResultFacts) -> None:
        """Show what a check has measured until now; the run's own report is shown again if it is stopped."""
        self._page.verdict.show_so_far()
        self._show_measures(facts)

    def _show_measures(self, facts: ResultFacts) -> None:
        self._page.lanes.set_lanes(facts.lanes, ", ".join(facts.job.forget.class_names))
        self._page.measures.set_rows(facts.rows, gaps_shown(facts.report))
        about = "features" if facts.encoder else "images" if facts.single_images else "classes"
        self._page.plots.set_report(facts.report, facts.folder.id, about)

    def _show_check(self) -> None:
        """Show what is wanted of checks, how far they are, and the next step."""
        page, checks, facts = self._page, self.checks, self.facts
        busy, why = bool(checks.runs), checks.why_not()
        page.verdict.show_check(None if checks.asked_for else checks.shown)
        page.models.retrained.setEnabled(not busy)
        for button in (page.verdict.check_button, page.run_button):
            button.setEnabled(not why)
            button.setToolTip(why)
        page.verdict.report_button.setEnabled(not self._why_no_report())
        self._show_next_step()
        self._show_state()
        self._context.actions.refresh()
        if facts is None:
            return
        page.models.show_facts(facts, checks.wanted, self.comparable(), checks.outdated and not busy)
        if facts.has_retrained or busy or not facts.has_list or facts.trained or facts.job.forget.corrective:
            page.offer.hide()  # what is on disk, the next step takes and says
        else:
            ways = [] if facts.encoder else [(tr("Train one"), checks.train_one)]
            said = tr(NOT_RETRAINED) if facts.encoder else offer(facts.seconds)
            page.offer.show_message(said, "accent", [*ways, (tr("Open one…"), self._open_retrained)], closable=False)

    def _show_state(self) -> None:
        """Say in the rail how far the page is."""
        checks, project, facts, said = self.checks, self._context.project, self.facts, self._context.page_states
        if checks.runs:
            said.set("verify", "running", checks.progress_words() or tr("Checking"))
        elif project.side_by_side:
            number = len(project.compared)
            said.set("verify", "ready", tr("%n runs side by side", n=number) if number else tr("Batch results"))
        elif facts is not None:
            code = str((facts.report.get("verdict") or {}).get("code") or "no_reference")
            words = tr("Not compared yet") if facts.not_compared else tr(CODES[code]) if code in CODES else ""
            said.set("verify", "ready" if code == "no_reference" else "done", words)

    def _show_next_step(self) -> None:
        """The purple button: run checks where there was none, else export; none while the first check goes."""
        facts, checks = self.facts, self.checks
        if facts is None or self._context.project.side_by_side:
            self._page.show_next_step(run_checks=False, export=True, check_all="", says="")
            return
        judged = facts.has_retrained or facts.job.forget.corrective  # a correction is judged without retrained models
        judged = judged or (facts.encoder and not checks.wanted.ticked)  # there is nothing to judge it by
        to_check, idle = not judged and facts.has_list, not checks.runs
        waiting = [row for row in self._together() if row.verdict in UNCHECKED] if idle else []
        several = len(waiting) + to_check
        self._page.show_next_step(
            run_checks=to_check and idle, export=not to_check,
            check_all=tr("Check all %n runs", n=several) if waiting and several > 1 else "",
            says=checks.announcement() if to_check and idle else "" if facts.has_list else checks.why_not(),
        )  # fmt: skip

    def _check_failed(self, sentence: str) -> None:
        self._page.banner.show_message(tr("The check ended early. {reason}", reason=sentence), "error")
        self._context.page_states.set("verify", "problem", tr("Check failed"))

    # ---- checking

    def _run_checks(self) -> None:
        self.checks.run(QUICK)

    def _run_full(self) -> None:
        self.checks.run(FULL)

    def _together(self) -> list[RunRow]:
        """Runs of other methods or seeds that the run in view can be checked and compared with."""
        rows = self._context.run_library.rows
        own = next((row for row in rows if self.facts is not None and row.path == self.facts.folder.path), None)
        found = [row for row in self.comparable() if row.has_list]
        return [row for row in found if own is None or row.model_tip == own.model_tip][:MOST_TOGETHER]

    def _why_not_all(self) -> str:
        if self.checks.runs:
            return tr("A check is under way.")
        compared = self._page.comparison.compared if self._context.project.side_by_side else None
        several = compared.unchecked if compared is not None else self._together()
        return "" if several else tr("There are not several runs to check.")

    def check_all(self) -> None:
        """Check those of the runs side by side, else of the run in view and its like, that were not compared yet.

        They share retrained models and end in one ranked table, which is shown from the start.
        """
        facts = self.facts
        if self._why_not_all():
            return
        if self._context.project.side_by_side:
            self.comparison.check_unchecked()
        elif facts is not None:
            folders = (facts.folder, *(RunFolder(row.path) for row in self._together()))
            self._context.project.set_compared(folders)
            self.comparison.check_all(folders)

    # ---- taking along

    def _open_retrained(self) -> None:
        start = self._context.window_state.recent_folder("model")
        ask_file(self._page.window(), tr("Open a retrained model"), self._retrained_chosen, (WEIGHTS, ALL_FILES), start)

    def _retrained_chosen(self, name: str) -> None:
        self.checks.open_retrained(Path(name))

    def _why_no_report(self) -> str:
        return "" if self.facts is not None and self.facts.has_page else tr("There is no report to open.")

    def _open_report(self) -> None:
        page = self.facts.folder.file(REPORT_HTML) if self.facts is not None else None
        if page is not None and page.is_file():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))
        else:  # it went after it was last looked for
            self.refresh()

    def _save_report(self) -> None:
        from app.pages.verify.comparison import save_as

        if self.facts is not None:
            kinds, name = (mark("Web page (*.html)"),), f"{self.facts.folder.id}-report.html"
            copy = partial(shutil.copyfile, self.facts.folder.file(REPORT_HTML))
            save_as(self._context, self._page, tr("Save report"), kinds, name, copy)

    def _save_table(self) -> None:
        from app.pages.verify.comparison import save_tables
        from core.verify.shown import measures_block

        if self.facts is not None:
            save_tables(self._context, self._page, [measures_block(self.facts.report)], self.facts.folder.id)

    def _compare_with(self, path: Path) -> None:
        if self.facts is not None:
            self._context.project.set_compared((self.facts.folder, RunFolder(path)))

    def _open_runs(self) -> None:
        self._context.show_page("runs")

    def _export(self) -> None:
        self._context.show_page("export")
