"""The Unlearn page: what is missing, the set-up of a run, or the run in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QSizePolicy, QStackedWidget, QWidget

from app.pages.lanes import LanesPresenter
from app.pages.unlearn.run_presenter import OverlaidRuns, RunPresenter
from app.pages.unlearn.run_view import RunView
from app.pages.unlearn.setup_presenter import SetupPresenter
from app.pages.unlearn.setup_view import SetupView
from app.services import run_words as words
from app.services.translation import tr
from app.widgets.frame import RunChips, matches
from app.widgets.lanes import Lanes
from app.widgets.notices import EmptyState
from app.widgets.page import Page

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job


class UnlearnPage(Page):
    """One of three views, chosen from the state of the session; both presenters live as long as the page."""

    def __init__(self, context: AppContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.stack = QStackedWidget()
        self.content.addWidget(self.stack, 1)
        self.empty = EmptyState("unlearn", tr(words.NO_RUN), "Choose what to forget", self._go_back)
        self.setup = SetupView()
        self.run_view = RunView()
        self.lanes = Lanes()
        self.run_view.below_bar.addWidget(self.lanes)
        for view in (self.empty, self.setup, self.run_view):
            self.stack.addWidget(view)
        self.setup_presenter = SetupPresenter(context, self.setup, self)
        self.run_presenter = RunPresenter(context, self.run_view, self)
        self.lanes_presenter = LanesPresenter(context, self.lanes, self)
        self.setup.answer_wanted.connect(self._go_to_project)
        self.setup.back_wanted.connect(self._show_run)
        self.overlaid_runs = OverlaidRuns(context, self.run_view, self)
        self.run_presenter.left.connect(self.set_up_another)
        self.run_presenter.search_wanted.connect(self._search_for)
        self.header_widget = self.chips = RunChips(context.project)
        self._setting_up = False
        self._chosen_since = False  # something else was opened or chosen since the run came into view
        self._banner_text = ""
        project = context.project
        for signal in (project.model_changed, project.dataset_changed, project.selection_changed):
            signal.connect(self._session_changed)
        project.run_changed.connect(self._run_changed)
        controller = context.run_controller
        controller.run_started.connect(self._run_started)
        controller.turned.connect(self._show_banner)
        controller.start_wanted.connect(self.start)
        controller.setup_wanted.connect(self.load_job)
        context.actions.add("run.replay", "Play the run a&gain", self.replay, menu="run",
                            icon="play", shortcut="Ctrl+R", why_disabled=self._why_no_replay)  # fmt: skip
        if project.run is not None:
            self._run_changed()
        self._choose_view()

    # ---- the frame

    def entered(self) -> None:
        """Where something else was chosen since the run came into view, a set-up is wanted, not that run."""
        run, project = self.context.project.run, self.context.project
        chosen, self._chosen_since = self._chosen_since, False
        if chosen and run is not None and not run.active and run.job is not None and not matches(project, run.job):
            self._setting_up = True
        self._choose_view()

    # ---- what others want

    def set_up_another(self) -> None:
        """Show the set-up; the run in view goes on where it is going."""
        self._setting_up = True
        self._choose_view()
        self.setup.methods.setFocus()

    def load_job(self, job: Job) -> None:
        """Show the set-up with a job's settings."""
        self._setting_up = True
        self._choose_view()
        self.setup_presenter.load(job)

    def _search_for(self, job: Job) -> None:
        self.load_job(job)
        self.setup_presenter.search.open()

    def start(self) -> None:
        """Start what is set up, where it is in view; after a run that has ended, set up another."""
        run = self.context.project.run
        if not self.isVisible():
            return
        if self.view == "setup":
            self.setup_presenter.start()
        elif run is not None and run.ended:
            self.set_up_another()

    def replay(self) -> None:
        """Bring the run back into view and play it again."""
        self.context.show_page("unlearn")
        self._show_run()
        self.run_view.slider.toggle_play()

    def _why_no_replay(self) -> str:
        return "" if self.context.project.run is not None else "There is no run in view."

    @property
    def view(self) -> str:
        """Which of the views shows: "empty", "setup" or "run"."""
        return {0: "empty", 1: "setup", 2: "run"}[self.stack.currentIndex()]

    # ---- parts

    def _session_changed(self) -> None:
        self._chosen_since = True
        if self.isVisible():
            self._choose_view()

    def _run_changed(self) -> None:
        run: LiveRun | None = self.context.project.run
        self._setting_up, self._chosen_since = run is None, False
        if run is None:
            self.run_presenter.forget_run()
        else:
            self.run_presenter.show_run(run)
        self._choose_view()

    def _run_started(self, run: LiveRun) -> None:
        """The next run of a queue comes into view where the one before has ended and nothing else is looked at."""
        project = self.context.project
        shown = project.run
        over = shown is not None and shown.ended and shown.inputs is not None
        if run.kind == "unlearn" and over and not self._setting_up and not project.compared:
            project.set_run(run)
        self._show_banner()

    def _choose_view(self) -> None:
        project = self.context.project
        if project.run is not None and not self._setting_up:
            self._show(self.run_view)
        elif project.bench is None or project.selection is None or not project.selection.count:
            self.empty.set(tr(words.NO_RUN), "Choose what to forget" if project.ready else "Open model and data",
                           self._go_back)  # fmt: skip
            self._show(self.empty)
        else:
            self._show(self.setup)
            self.setup.back.setVisible(project.run is not None)
            self.setup_presenter.refresh()
        self._show_banner()

    def _show(self, view: QWidget) -> None:
        for one in (self.empty, self.setup, self.run_view):
            # A view that is not in sight does not hold the page open.
            policy = QSizePolicy.Policy.Preferred if one is view else QSizePolicy.Policy.Ignored
            one.setSizePolicy(policy, policy)
        self.stack.setCurrentWidget(view)

    def _show_banner(self, *_: object) -> None:
        """In the set-up, say that a run is going."""
        current = self.context.run_controller.current
        text = ""
        if current is not None and current.kind == "unlearn" and self.stack.currentWidget() is not self.run_view:
            text = "A run is going. What you start now waits for it."
        if text == self._banner_text:
            return
        self._banner_text = text
        if text:
            self.banner.show_message(text, "info", [("Show it", self._show_current)], closable=False)
        else:
            self.banner.dismiss()

    def _show_current(self) -> None:
        current = self.context.run_controller.current
        if current is not None and current is not self.context.project.run:
            self.context.project.set_run(current)
        self._show_run()

    def _show_run(self) -> None:
        self._setting_up = False
        self._choose_view()

    def _go_to_project(self) -> None:
        self.context.show_page("project")

    def _go_back(self) -> None:
        self.context.show_page("forget" if self.context.project.ready else "project")
