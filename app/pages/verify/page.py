"""The Verify page: models, verdict, table of measures and plots of one finished run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from app.dialogs.sheet import ALL_FILES, ask_file
from app.dialogs.trust import ask_trust, with_trusted_code
from app.pages.verify.comparison_view import Comparing, ComparisonView
from app.pages.verify.measures import MeasuresView, ModelsRow
from app.pages.verify.plots_panel import PlotsPanel
from app.pages.verify.presenter import FULL, ResultFacts, VerifyPresenter
from app.pages.verify.verdict_card import CODES, NOT_YET, NOTHING, VerdictCard, offer
from app.services import format as fmt
from app.services import tokens as t
from app.services.run_words import gone
from app.services.theme import theme
from app.widgets.buttons import PrimaryButton
from app.widgets.cards import Card
from app.widgets.labels import TermRow
from app.widgets.notices import Banner, EmptyState
from app.widgets.page import Page
from app.widgets.run_chips import RunChips
from core.errors import AppError
from core.runs.folder import REPORT_HTML, RunFolder

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job

# Words of the table and the verdict, to ask about; "Dimensional alignment" is the title of a plot.
WORDS = ("verdict", "retrained", "head_only", "gap_closed", "probe", "nmi", "membership", "relearning")
WEIGHTS = "Models (*.safetensors *.pt *.pth *.ckpt)"


class VerifyPage(Page):
    """Shows the run in view; works for a live run that ended and for one opened from disk."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.presenter = VerifyPresenter(context, self)
        self.chips = RunChips(context.project, self)
        self.stack = QStackedWidget()
        self.content.addWidget(self.stack, 1)
        self.empty = EmptyState("verify", NOTHING, "Open a run", self._open_runs)
        self.stack.addWidget(self.empty)
        self.stack.addWidget(self._full())
        self.comparison = ComparisonView(context)
        self.comparing = Comparing(context, self.comparison, self)
        self.stack.addWidget(self.comparison)
        self.words = TermRow(WORDS)
        self.add_action(self.words, start=True)
        self.export_button = PrimaryButton("Export checkpoint", self._export)
        self.add_action(self.export_button)
        self._connect()
        self._register()
        self.presenter.refresh()
        if context.project.compared:
            self._compared_changed()
            self.comparing.refresh()

    def header_widgets(self) -> Sequence[QWidget]:
        return self.chips.widgets()

    def entered(self) -> None:
        self.presenter.refresh()
        self.comparing.refresh()

    def left(self) -> None:
        if self.splitter.count():
            self.context.window_state.save_splitter("verify", self.splitter)

    # ---- parts

    def _full(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(t.M))
        self.offer = Banner()
        column.addWidget(self.offer)
        self.models = ModelsRow()
        column.addWidget(self.models)
        self.verdict = VerdictCard()
        column.addWidget(self.verdict)
        self.measures = MeasuresView()
        table = Card("", padding=1)
        table.body.addWidget(self.measures)
        self.plots = PlotsPanel(self.context)
        plots = Card("", padding=t.S)
        plots.body.addWidget(self.plots)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        if theme.large:  # side by side both would be cut
            tabs = QTabWidget()
            tabs.setAccessibleName("Measures and plots")
            tabs.addTab(table, "Measures")
            tabs.addTab(plots, "Plots")
            column.addWidget(tabs, 1)
            return whole
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(theme.px(t.M))
        self.splitter.addWidget(table)
        self.splitter.addWidget(plots)
        self.splitter.setStretchFactor(0, 8)
        self.splitter.setStretchFactor(1, 5)
        self.splitter.setSizes([theme.px(644), theme.px(408)])
        self.context.window_state.restore_splitter("verify", self.splitter)
        column.addWidget(self.splitter, 1)
        return whole

    def _connect(self) -> None:
        presenter = self.presenter
        presenter.facts_changed.connect(self._show_facts)
        presenter.facts_so_far.connect(self._show_so_far)
        presenter.unreadable.connect(self._show_unreadable)
        presenter.wanted_changed.connect(self._show_wanted)
        presenter.check_changed.connect(self._show_check)
        presenter.check_failed.connect(self._check_failed)
        presenter.code_asked.connect(self._ask_for_code)
        presenter.file_asked.connect(self._ask_for_file)
        self.models.seed_wanted.connect(presenter.want_seed)
        self.models.opened_wanted.connect(presenter.want_opened)
        self.models.open_asked.connect(self._open_retrained)
        self.models.compare_asked.connect(self._compare_with)
        self.comparing.shown.connect(self._show_view)
        self.comparing.failed.connect(self.context.notifications.error)
        self.context.project.compared_changed.connect(self._compared_changed)
        self.verdict.check_asked.connect(presenter.run_checks)
        self.verdict.number_asked.connect(presenter.want_number)
        self.plots.full_asked.connect(self._run_full)
        self.verdict.stop_asked.connect(presenter.stop)
        self.verdict.report_asked.connect(self._open_report)
        self.verdict.save_asked.connect(self._save_report)

    def _register(self) -> None:
        actions = self.context.actions
        actions.add("verify.check", "Run &checks", self._run_checks, menu="run", icon="verify",
                    why_disabled=self.presenter.why_not)  # fmt: skip
        actions.add("verify.check_full", "Run &full checks", self._run_full, menu="run", icon="verify",
                    why_disabled=self.presenter.why_not)  # fmt: skip
        actions.add("verify.report", "Open &report", self._open_report, menu="run", icon="open",
                    why_disabled=self._why_no_report)  # fmt: skip

    # ---- what there is

    def _show_facts(self, facts: ResultFacts | None) -> None:
        self._show_view()
        self.context.actions.refresh()
        if self.context.project.compared:
            return
        if facts is None:
            self.empty.set(gone(self.context.project.run) or NOTHING, "Open a run", self._open_runs)
            self.context.page_states.set("verify", "empty", "Nothing to check")
            return
        verdict_before = self.verdict.sentence.text()
        self.verdict.show_report(facts.report, facts.not_compared)
        if verdict_before and verdict_before != self.verdict.sentence.text():
            self.verdict.announce_verdict()
        self.measures.set_rows(facts.rows)
        self.plots.set_facts(facts)
        self._show_warnings(facts)
        self._show_check(self.presenter.check)

    def _show_view(self) -> None:
        """One run, several side by side, or what is missing."""
        several, one = bool(self.context.project.compared), self.presenter.facts is not None
        self.stack.setCurrentIndex(2 if several else 1 if one else 0)
        self.words.setVisible(one or several)
        self.export_button.setVisible(one and not several)

    def _compared_changed(self) -> None:
        self._show_view()
        number = len(self.context.project.compared)
        if number:
            self.banner.dismiss()
            self.context.page_states.set("verify", "ready", f"{fmt.count(number)} runs side by side")
        else:
            self.presenter.refresh()

    def _show_so_far(self, facts: ResultFacts) -> None:
        """Show what a check has measured until now; the run's own report is shown again if it is stopped."""
        self.verdict.show_so_far()
        self.measures.set_rows(facts.rows)
        self.plots.set_report(facts)

    def _show_unreadable(self, error: BaseException) -> None:
        self._show_view()
        self.empty.set(error.text if isinstance(error, AppError) else str(error), "Open a run", self._open_runs)
        self.context.page_states.set("verify", "problem", "Cannot be read")

    def _show_warnings(self, facts: ResultFacts) -> None:
        warnings = facts.report.get("warnings") or []
        if warnings:
            self.banner.show_message(" ".join(str(warning) for warning in warnings), "caution")
        else:
            self.banner.dismiss()

    def _show_wanted(self) -> None:
        facts = self.presenter.facts
        if facts is None:
            return
        outdated = self.presenter.outdated and self.presenter.check is None
        self.models.show_facts(facts, self.presenter.wanted, outdated)
        self.models.show_runs(self.presenter.comparable())
        self.verdict.show_wanted(self.presenter.wanted.seeds, facts.trained, facts.seconds)
        self._show_offer()

    def _show_offer(self) -> None:
        facts = self.presenter.facts
        if facts is None or facts.has_retrained or self.presenter.check is not None or not facts.has_list:
            self.offer.dismiss()
            return
        get_one = ("Check", self._run_checks) if facts.trained else ("Train one", self.presenter.train_one)
        self.offer.show_message(
            offer(facts.seconds, len(facts.trained)), "accent",
            [get_one, ("Open one…", self._open_retrained)], closable=False,
        )  # fmt: skip

    def _show_check(self, check: LiveRun | None) -> None:
        self.verdict.show_check(self.presenter.shown_check)
        self.models.retrained.setEnabled(check is None)
        self._show_wanted()
        facts = self.presenter.facts
        why = self.presenter.why_not()
        self.verdict.check_button.setEnabled(not why)
        self.verdict.check_button.setToolTip(why)
        self.set_missing(why if facts is not None and not facts.has_list else "")
        self.verdict.report_button.setEnabled(not self._why_no_report())
        if check is not None:
            self.context.page_states.set("verify", "running", "Checking")
        elif facts is not None:
            code = str((facts.report.get("verdict") or {}).get("code") or "no_reference")
            state = "ready" if code == "no_reference" else "done"
            self.context.page_states.set("verify", state, NOT_YET if facts.not_compared else CODES.get(code, ""))
        self.context.actions.refresh()

    def _check_failed(self, sentence: str) -> None:
        self.banner.show_message(f"The check ended early. {sentence}", "error")
        self.context.page_states.set("verify", "problem", "Check failed")

    def _ask_for_code(self, job: Job, brought: list[Path], then: Callable[[], object]) -> None:
        with_trusted_code(self.context.trust, job, "Checking the run", self.window(), then, brought)

    def _ask_for_file(self, names: str, then: Callable[[], object]) -> None:
        ask_trust(self.window(), names, then)

    # ---- commands

    def _run_checks(self) -> None:
        self.presenter.run_checks()

    def _run_full(self) -> None:
        self.presenter.run_checks(FULL)

    def _open_retrained(self) -> None:
        folder = self.context.window_state.recent_folder("model")
        ask_file(self.window(), "Open a retrained model", self._retrained_chosen, (WEIGHTS, ALL_FILES), folder)

    def _retrained_chosen(self, name: str) -> None:
        self.presenter.open_retrained(Path(name))

    def _why_no_report(self) -> str:
        facts = self.presenter.facts
        return "" if facts is not None and facts.has_page else "There is no report to open."

    def _open_report(self) -> None:
        facts = self.presenter.facts
        if facts is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(facts.folder.file(REPORT_HTML))))

    def _save_report(self) -> None:
        facts = self.presenter.facts
        if facts is None:
            return
        dialog = QFileDialog(self.window(), "Save report", str(Path.home()), "Web page (*.html)")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("html")
        dialog.selectFile(f"{facts.folder.id}-report.html")
        dialog.fileSelected.connect(partial(self._copy_report, facts.folder))
        dialog.open()

    def _copy_report(self, folder: RunFolder, name: str) -> None:
        try:
            shutil.copyfile(folder.file(REPORT_HTML), name)
        except OSError as error:
            self.banner.show_message(f"{name} could not be written: {error.strerror or error}.", "error")
            return
        self.context.notifications.info(f"Report saved as {Path(name).name}")

    def _compare_with(self, path: Path) -> None:
        facts = self.presenter.facts
        if facts is not None:
            self.context.project.set_compared((facts.folder, RunFolder(path)))

    # ---- ways out

    def _open_runs(self) -> None:
        self.context.show_page("runs")

    def _export(self) -> None:
        self.context.show_page("export")
