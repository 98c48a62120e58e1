"""Acts before a run: which methods suit, what a preset sets, what a start would take; and starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from app.pages.unlearn.search_presenter import Asked, SearchPresenter
from app.pages.unlearn.setup_view import SetupView
from app.services import format as fmt
from app.services import run_words as words
from app.services.doubts import settled, what_first
from app.services.opening import explain
from app.services.translation import tr
from core.errors import AppError
from core.selection import CLASS, SAMPLE

if TYPE_CHECKING:
    from pathlib import Path

    from app.context import AppContext
    from core.job import Job
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.planning import Estimate

PLAN_DELAY_MS = 150
Chosen = tuple[str, str, Mapping[str, Any]]  # a method, its preset, and what was changed of it


@dataclass
class Draft:
    """What was set for one method and not started yet."""

    preset: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Estimates and training costs as shares of retraining's by method id; what the result will be held against.

    `requests`: one line for each request of a chain, where the model is the result of an earlier run.
    """

    estimates: dict[str, Estimate]
    shares: dict[str, float | None]
    references: str
    requests: tuple[str, ...] = ()


class SetupPresenter(QObject):
    """Keeps a draft per method, so that going back and forth between cards loses nothing."""

    def __init__(self, context: AppContext, view: SetupView, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._drafts: dict[str, Draft] = {}
        self._kinds: frozenset[str] = frozenset()  # of the forget set
        self._model_sha = ""
        self._form_of = ""  # the method whose form is built
        self._plan: Plan | None = None
        self._costs_of: tuple[object, ...] = ()  # what the costs on the cards hold for
        self._problem = ""  # why there is no plan
        self._starting = False
        self._devices_asked = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PLAN_DELAY_MS)
        self._timer.timeout.connect(self._ask_plan)
        view.methods.changed.connect(self._method_changed)
        view.methods.opened.connect(self.start)
        view.parameters.edited.connect(self._edited)
        view.parameters.preset_chosen.connect(self._preset_chosen)
        view.start_wanted.connect(self.start)
        self.search = SearchPresenter(context, self._search_asked, view, self)
        self.search.found.connect(self._settings_found)
        self.search.changed.connect(self._search_changed)
        view.parameters.search_wanted.connect(self.search.open)
        context.run_controller.queue_changed.connect(self._update)
        context.run_controller.run_ended.connect(self._run_ended)
        context.project.evaluation_changed.connect(self._update)
        context.settings.changed.connect(self._preferences_changed)
        self._preferences_changed(["device", "monitoring_budget"])

    def _preferences_changed(self, names: list[str]) -> None:
        if {"device", "monitoring_budget"} & set(names):
            own = self._context.settings.values
            self._view.parameters.set_common(own.device, own.monitoring_budget)

    @property
    def plan(self) -> Plan | None:
        """The newest plan; None while it is being made or where there is none."""
        return self._plan

    def refresh(self) -> None:
        """Model, data or forget set may have changed."""
        bench, selection = self._context.project.bench, self._context.project.selection
        if bench is None or selection is None:
            return
        from core.session.planning import choices  # the bench is open, so torch is loaded

        model = bench.model.weights_id
        if selection.kinds != self._kinds or model != self._model_sha or not self._view.methods.ticked():
            if model != self._model_sha or selection.kinds != self._kinds:
                self._drafts = {}  # presets depend on both
                self._form_of = ""
            self._kinds, self._model_sha = selection.kinds, model
            self._view.methods.set_choices(choices(selection))
        self._view.plan.set_forget(words.chosen(selection), selection.describe())
        self._ask_devices()
        self._plan_later()

    def load(self, job: Job) -> None:
        """Show a job's settings, to start it again or changed."""
        self.refresh()
        self._drafts[job.method] = Draft(job.preset, dict(job.parameters))
        self._form_of = ""
        self._view.parameters.set_common(job.device, job.monitoring_budget, job.precision, str(job.seed))
        self._view.methods.tick(job.method, only=True)
        self._method_changed()

    def use(self, method_id: str, preset: str = "", seed: int | None = None) -> None:
        """Tick one method with a preset, as the example does."""
        self.refresh()
        self._drafts[method_id] = Draft(preset)
        self._form_of = ""
        if seed is not None:
            self._view.parameters.seeds.setText(str(seed))
        self._view.methods.tick(method_id, only=True)
        self._method_changed()

    def why_not(self) -> str:
        """Say in one sentence what stands against a start; "" where nothing does."""
        project = self._context.project
        if project.bench is None:
            return "Open a model and data first."
        if first := what_first(project.proof):
            return first
        selection = project.selection
        if selection is None or not selection.count:
            return "Choose at least one image."
        if selection.count == selection.total:
            return "At least one class must stay."
        if not self._view.methods.ticked():
            return "Tick a method."
        problems = self._view.parameters.problems()
        if problems:
            return problems[0]
        if self._problem:
            return self._problem
        needed = self._disk_needed()
        if needed is not None:
            return needed
        return "Starting…" if self._starting else ""

    def start(self) -> None:
        """Start what is ticked, for each seed; the jobs are made and checked in a worker."""
        if self.why_not():
            self._update()
            return
        bench, selection = self._context.project.bench, self._context.project.selection
        assert bench is not None and selection is not None
        self._keep_draft()
        settings = [(m, draft.preset, draft.values) for m, draft in self._ticked_drafts().items()]
        self._starting = True
        self._update()
        handle = self._context.jobs.submit(
            _make_jobs, bench, selection, settings, self._view.parameters.parsed_seeds(), self._common(),
            key="make jobs",
        )  # fmt: skip
        handle.done.connect(self._start_jobs)
        handle.failed.connect(self._not_made)

    # ---- starting

    def _start_jobs(self, made: tuple[Bench, Selection, list[Job]]) -> None:
        bench, selection, jobs = made
        self._starting = False
        controller = self._context.run_controller
        busy = controller.busy
        estimates = self._plan.estimates if self._plan else {}
        first = None
        for job in jobs:
            job, tries = self.search.origin(job)
            run = controller.start(job, bench, selection, **({"tries": tries} if tries is not None else {}))
            run.planned = estimates.get(job.method)
            first = first or run
        if busy:
            waiting = fmt.plural(len(controller.queue), "run waits", "runs wait")
            self._context.notifications.info(f"Added to the queue: {waiting} for the one that is going.")
        else:
            self._context.project.set_run(first)
        self._update()

    def _not_made(self, error: BaseException) -> None:
        self._starting = False
        if isinstance(error, AppError):
            self._problem = explain(error)
        else:
            self._context.notifications.error(error, "The run could not be started")
        self._update()

    # ---- what the user sets

    def _method_changed(self) -> None:
        self._keep_draft()
        shown = self._view.methods.shown
        if shown and shown != self._form_of:
            self._show_form(shown)
        self._plan_later()

    def _preset_chosen(self, preset: str) -> None:
        method_id = self._form_of
        self._drafts[method_id] = Draft(preset)
        self._view.parameters.show_values(self._preset_values(method_id, preset))
        self._plan_later()

    def _edited(self) -> None:
        self._problem = ""
        self._plan_later()

    def _show_form(self, method_id: str) -> None:
        method = self._view.methods.choice(method_id).method
        presets = list(method.presets_for(self._kinds or {CLASS}))
        draft = self._drafts.get(method_id)
        if draft is None:
            draft = self._drafts[method_id] = Draft(presets[0].name if presets else "")
        if draft.preset and draft.preset not in {p.name for p in presets}:
            draft.preset = presets[0].name if presets else ""
        self._form_of = method_id
        self._view.parameters.show_method(method, presets, draft.preset)
        self._view.parameters.show_values(self._preset_values(method_id, draft.preset), draft.values)

    def _preset_values(self, method_id: str, preset: str) -> Mapping[str, Any]:
        from core.session.jobs import preset_values

        bench = self._context.project.bench
        assert bench is not None
        return preset_values(bench, method_id, preset, self._kinds or {CLASS})

    def _keep_draft(self) -> None:
        if self._form_of:
            parameters = self._view.parameters
            self._drafts[self._form_of] = Draft(parameters.preset_name(), parameters.values())

    def _ticked_drafts(self) -> dict[str, Draft]:
        found = {}
        for method_id in self._view.methods.ticked():
            draft = self._drafts.get(method_id)
            if draft is None:
                method = self._view.methods.choice(method_id).method
                preset = method.preset("", self._kinds).name if method.presets else ""
                draft = Draft(preset, dict(self._preset_values(method_id, preset)))
            found[method_id] = draft
        return found

    def _common(self) -> dict[str, Any]:
        own = self._context.settings.values
        return {**self._view.parameters.common(), "threads": own.threads, "checkpoint_seconds": own.checkpoint_seconds}

    # ---- the search for settings

    def _search_asked(self) -> Asked | None:
        bench, selection = self._context.project.bench, self._context.project.selection
        parameters, shown = self._view.parameters, self._view.methods.shown
        if bench is None or selection is None or not shown or parameters.problems():
            return None
        estimate = self._plan.estimates.get(shown) if self._plan is not None else None
        return Asked(
            bench, selection, self._view.methods.choice(shown).method, parameters.preset_name(), parameters.values(),
            parameters.parsed_seeds()[0], self._common(), estimate.training_seconds if estimate is not None else None,
        )  # fmt: skip

    def _settings_found(self, method_id: str, values: dict[str, Any]) -> None:
        """Put what a search found into the form, or into the draft of a method that is not in view."""
        parameters = self._view.parameters
        if method_id == self._form_of:
            baseline = self._preset_values(method_id, parameters.preset_name())
            parameters.show_values(baseline, {**parameters.values(), **values})
            self._edited()
        elif method_id in self._drafts:
            draft = self._drafts[method_id]
            self._drafts[method_id] = Draft(draft.preset, {**draft.values, **values})

    def _search_changed(self) -> None:
        self._view.parameters.search.setText("Search under way…" if self.search.going else "Search settings…")

    # ---- the plan

    def _plan_later(self) -> None:
        self._plan = None
        self._context.device_jobs.cancel("plan")  # it is about what was set before
        self._timer.start()
        self._update()

    def _ask_plan(self) -> None:
        bench, selection = self._context.project.bench, self._context.project.selection
        if bench is None or selection is None or self._view.parameters.problems():
            self._update()
            return
        if not selection.count or selection.count == selection.total:
            self._view.plan.show_nothing()
            self._update()
            return
        if not self._view.methods.ticked():
            self._update()
            return
        self._keep_draft()
        settings = [(m, draft.preset, draft.values) for m, draft in self._ticked_drafts().items()]
        handle = self._context.device_jobs.submit(
            _make_plan, bench, selection, settings, self._common(), self._context.runs_folder(),
            not self._context.run_controller.busy, key="plan",
        )  # fmt: skip
        handle.done.connect(self._planned)
        handle.failed.connect(self._not_planned)

    def _planned(self, plan: Plan) -> None:
        self._plan, self._problem = plan, ""
        self._view.methods.set_costs(plan.shares)
        self._ask_costs()
        self._update()

    def _ask_costs(self) -> None:
        """Ask for what all methods cost, where model, forget set or device changed; the plan has measured a step."""
        bench, selection = self._context.project.bench, self._context.project.selection
        if bench is None or selection is None:
            return
        common = self._common()
        wanted = (bench.model.weights_id, selection.digest(), common["device"], common["precision"])
        if wanted == self._costs_of:
            return
        self._costs_of = wanted
        handle = self._context.device_jobs.submit(_shares, bench, selection, common, key="costs")
        handle.done.connect(self._costs_known)
        handle.failed.connect(self._costs_failed)

    def _costs_known(self, shares: dict[str, float | None]) -> None:
        if not any(share is not None for share in shares.values()):
            self._costs_of = ()  # no step was measured yet, as while a run goes: the next plan asks again
        edited = self._plan.shares if self._plan is not None else {}
        self._view.methods.set_costs({**shares, **edited})

    def _costs_failed(self, error: BaseException) -> None:
        self._costs_of = ()
        self._context.notifications.error(error, "The costs of the methods could not be estimated")

    def _not_planned(self, error: BaseException) -> None:
        self._plan = None
        self._problem = error.text if isinstance(error, AppError) else ""
        if not isinstance(error, AppError):
            self._context.notifications.error(error, "The estimate could not be made")
        self._update()

    def _run_ended(self, _run: object) -> None:
        self._plan_later()  # what was not measured while it ran can be now

    def _update(self) -> None:
        view = self._view
        shown = view.methods.shown
        if self._plan is not None and shown in self._plan.estimates:
            estimate = self._plan.estimates[shown]
            cost = words.cost(self._plan.shares.get(shown), shown)
            view.plan.show_estimate(estimate, cost, self._lines(shown, estimate))
            view.plan.set_references(self._plan.references)
            view.plan.set_earlier(self._plan.requests)
        elif self._timer.isActive():
            pass  # what was shown stays until the new estimate is there
        view.plan.set_problem(self._problem or self._disk_needed() or "")
        view.summary.setText(self._summary())
        queued = "Queue runs" if self._number_of_runs() > 1 else "Queue run"
        text = queued if self._context.run_controller.busy else "Start unlearning"
        view.set_ready(self.why_not(), text)

    def _lines(self, method_id: str, estimate: Estimate) -> list[str]:
        lines = list(estimate.explain)
        if method_id == "muda":
            lines.append(tr(words.RECONSTRUCTION))
        if self._kinds == {SAMPLE}:
            lines.append(tr(words.NO_ALIGNMENT))
        selection = self._context.project.selection
        weighted = selection is not None and selection.weights is not None
        if weighted and not self._view.methods.choice(method_id).method.honours_weights:
            lines.append(tr(words.UNWEIGHTED))
        return lines

    def _number_of_runs(self) -> int:
        try:
            seeds = len(self._view.parameters.parsed_seeds())
        except AppError:
            return 0
        return seeds * len(self._view.methods.ticked())

    def _summary(self) -> str:
        runs = self._number_of_runs()
        if not runs:
            return ""
        methods = len(self._view.methods.ticked())
        seeds = runs // methods
        parts = []
        if runs > 1:
            parts.append(f"{fmt.plural(methods, 'method')} × {fmt.plural(seeds, 'seed')} = {fmt.plural(runs, 'run')}")
        estimates = self._plan.estimates if self._plan else {}
        times = [estimates[m].seconds for m in self._view.methods.ticked() if m in estimates]
        if len(times) == methods and all(time is not None for time in times):
            parts.append(fmt.about(seeds * sum(time for time in times if time is not None)))
        return " · ".join(parts)

    def _disk_needed(self) -> str | None:
        estimates = list(self._plan.estimates.values()) if self._plan else []
        if not estimates or estimates[0].disk_free is None:
            return None
        runs = max(1, self._number_of_runs() // len(estimates))
        needed = runs * sum(estimate.disk_bytes for estimate in estimates)
        if needed < estimates[0].disk_free:
            return None
        return f"The runs need {fmt.size(needed)} on disk; {fmt.size(estimates[0].disk_free)} are free."

    # ---- devices

    def _ask_devices(self) -> None:
        if self._devices_asked:
            return
        self._devices_asked = True
        self._context.device_jobs.submit(_devices).done.connect(self._view.parameters.set_devices)


def _devices() -> list[tuple[str, str]]:
    from core.devices import list_devices

    return [(device.id, device.title) for device in list_devices()]


def _make_plan(
    bench: Bench,
    selection: Selection,
    settings: Sequence[Chosen],
    common: Mapping[str, Any],
    runs_folder: Path,
    measure: bool,
    cancelled: Callable[[], bool] | None = None,
) -> Plan:
    from core.session.jobs import all_requests, make_unlearn_job
    from core.session.library import request_lines
    from core.session.planning import estimate, retraining_seconds

    selection = all_requests(bench.model.path, selection, bench.dataset)
    bench, budget = _set_up(bench, common), common["monitoring_budget"]
    bench = bench.telling(None, cancelled)
    estimates = {
        method: estimate(bench, selection, method, values, runs_folder=runs_folder, measure=measure,
                         monitoring_budget=budget)
        for method, _preset, values in settings
    }  # fmt: skip
    method, preset, values = settings[0]
    job = make_unlearn_job(bench, selection, method, preset=preset, settings=values, monitoring_budget=budget)
    whole = retraining_seconds(bench, selection)
    shares = {method: planned.share_of(whole) for method, planned in estimates.items()}
    return Plan(estimates, shares, _held_against(job), request_lines(job))


def _shares(bench: Bench, selection: Selection, common: Mapping[str, Any]) -> dict[str, float | None]:
    from core.session.jobs import all_requests
    from core.session.planning import shares_of_retraining

    selection = all_requests(bench.model.path, selection, bench.dataset)
    return shares_of_retraining(_set_up(bench, common), selection)


def _set_up(bench: Bench, common: Mapping[str, Any]) -> Bench:
    """Return the bench for the device, precision and threads that hold for all runs of the form."""
    return bench.on(common["device"], common["precision"], common["threads"])


def _held_against(job: Job) -> str:
    from core.session.references import trained_references

    edit = " and a head-only edit of it" if job.forget.mode != "sample" else ""
    seeds = sorted(trained_references(job))
    if not seeds:
        return f"The original{edit}. No retrained model yet: one can be trained on Verify."
    named = ", ".join(str(seed) for seed in seeds)
    return f"The original{edit}; {fmt.plural(len(seeds), 'retrained model')} (seed {named})."


def _make_jobs(
    bench: Bench, selection: Selection, settings: Sequence[Chosen], seeds: Sequence[int], common: Mapping[str, Any]
) -> tuple[Bench, Selection, list[Job]]:
    from core.session.jobs import make_unlearn_job

    place = settled(_set_up(bench, common))
    often = {name: common[name] for name in ("monitoring_budget", "checkpoint_seconds")}
    return bench, selection, [
        make_unlearn_job(place, selection, method, preset=preset, settings=values, seed=seed, **often)
        for method, preset, values in settings
        for seed in seeds
    ]
