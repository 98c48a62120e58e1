"""The Unlearn page: what is missing, the set-up of a run, or the run in view; and what decides which of them shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.actions import unless
from app.pages.lanes import Lanes, LanesPresenter
from app.pages.unlearn.run_presenter import OverlaidRuns, RunPresenter
from app.pages.unlearn.run_view import RunView
from app.pages.unlearn.setup_presenter import SetupPresenter
from app.pages.unlearn.setup_view import SetupView
from app.services import run_words as words
from app.services.translation import tr
from app.widgets.frame import RunChips, matches
from app.widgets.layout import stacked
from app.widgets.notices import EmptyState
from app.widgets.page import Page

if TYPE_CHECKING:
    from app.context import AppContext
    from app.workers.live_run import LiveRun
    from core.job import Job


class UnlearnPage(Page):
    """Three views in one place, by name in `views`: "empty", "setup" and "run"."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.empty, self.setup, self.run_view, self.lanes = EmptyState("unlearn", ""), SetupView(), RunView(), Lanes()
        self.run_view.below_bar.addWidget(self.lanes)
        self.views: dict[str, QWidget] = {"empty": self.empty, "setup": self.setup, "run": self.run_view}
        self.stack = stacked(*self.views.values())
        self.content.addWidget(self.stack, 1)
        self.header_widget = self.chips = RunChips(context.project)
        self.presenter = UnlearnPresenter(context, self)

    @property
    def view(self) -> str:
        """Name of the view that shows."""
        return list(self.views)[self.stack.currentIndex()]

    def show_view(self, name: str) -> None:
        """Show one of the views; the others do not hold the page open."""
        for view in self.views.values():
            policy = QSizePolicy.Policy.Preferred if view is self.views[name] else QSizePolicy.Policy.Ignored
            view.setSizePolicy(policy, policy)
        self.stack.setCurrentWidget(self.views[name])

    def entered(self) -> None:
        self.presenter.entered()


class UnlearnPresenter(QObject):
    """Shows the run in view, unless another one is being set up; each view has a presenter of its own."""

    def __init__(self, context: AppContext, page: UnlearnPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self._setting_up = False
        self._chosen_since = False  # something else was opened or chosen since the run came into view
        self.setup = SetupPresenter(context, page.setup, self)
        self.run = RunPresenter(context, page.run_view, self)
        self.lanes = LanesPresenter(context, page.lanes, self)
        self.overlaid = OverlaidRuns(context, page.run_view, self)
        project, controller = context.project, context.run_controller
        for signal, slot in (
            (project.model_changed, self._session_changed), (project.dataset_changed, self._session_changed),
            (project.selection_changed, self._session_changed), (project.run_changed, self._run_changed),
            (controller.run_started, self._run_started), (controller.start_wanted, self.start),
            (controller.setup_wanted, self.load_job), (page.setup.back.clicked, self._back_to_the_run),
            (page.setup.answer.clicked, self._go_back), (page.empty.button.clicked, self._go_back),
            (self.run.left, self.set_up_another), (self.run.search_wanted, self._search_for),
        ):  # fmt: skip
            signal.connect(slot)
        why = unless(lambda: project.run is not None, tr("There is no run in view."))
        context.actions.add("run.replay", tr("Play the run a&gain"), self.replay, menu="run",
                            icon="play", shortcut="Ctrl+R", why_disabled=why)  # fmt: skip
        self._run_changed()

    def entered(self) -> None:
        """Where something else was chosen since the run came into view, a set-up is wanted, not that run."""
        project = self._context.project
        run, chosen, self._chosen_since = project.run, self._chosen_since, False
        if chosen and run is not None and not run.active and run.job is not None and not matches(project, run.job):
            self._setting_up = True
        self._choose_view()

    def set_up_another(self) -> None:
        """Show the set-up; the run in view goes on where it is going."""
        self._setting_up = True
        self._choose_view()
        self._page.setup.methods.setFocus()

    def load_job(self, job: Job) -> None:
        """Show the set-up with a job's settings."""
        self.set_up_another()
        self.setup.load(job)

    def start(self) -> None:
        """Start what is set up, where it is in view; after a run that has ended, set up another."""
        run = self._context.project.run
        if not self._page.isVisible():
            return
        if self._page.view == "setup":
            self.setup.start()
        elif run is not None and run.ended:
            self.set_up_another()

    def replay(self) -> None:
        """Bring the run back into view and play it again."""
        self._context.show_page("unlearn")
        self._show_run()
        self._page.run_view.slider.toggle_play()

    # ---- parts

    def _search_for(self, job: Job) -> None:
        self.load_job(job)
        self.setup.search.open()

    def _session_changed(self) -> None:
        self._chosen_since = True
        if self._page.isVisible():
            self._choose_view()

    def _run_changed(self) -> None:
        run: LiveRun | None = self._context.project.run
        self._setting_up, self._chosen_since = run is None, False
        self.run.show_run(run)
        self._choose_view()

    def _run_started(self, run: LiveRun) -> None:
        """The next run of a queue comes into view where the one before has ended and nothing else is looked at."""
        project = self._context.project
        shown = project.run
        over = shown is not None and shown.ended and shown.inputs is not None
        if run.kind == "unlearn" and over and not self._setting_up and not project.side_by_side:
            project.set_run(run)

    def _choose_view(self) -> None:
        project, page = self._context.project, self._page
        if project.run is not None and not self._setting_up:
            page.show_view("run")
        elif project.bench is None or project.selection is None or not project.selection.count:
            step = tr("Choose what to forget") if project.ready else tr("Open model and data")
            page.empty.set(tr(words.NO_RUN), step)
            page.show_view("empty")
        else:
            page.show_view("setup")
            page.setup.back.setVisible(project.run is not None)
            self.setup.refresh()

    def _back_to_the_run(self) -> None:
        """Show the run that goes, else the one in view."""
        current = self._context.run_controller.current
        if current is not None and current.kind == "unlearn":
            self._context.project.set_run(current)
        self._show_run()

    def _show_run(self) -> None:
        self._setting_up = False
        self._choose_view()

    def _go_back(self) -> None:
        """Lead to what is missing: a forget set, or else model, data, or an answer about them."""
        project = self._context.project
        chosen = project.selection is not None and project.selection.count
        self._context.show_page("forget" if project.ready and not chosen else "project")
