"""Acts before a run: which methods suit, what a preset sets, what a start would take; and starts it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from app.pages.unlearn.search_presenter import Asked, SearchPresenter
from app.pages.unlearn.setup_view import START, SetupView
from app.services import format as fmt
from app.services import run_words as words
from app.services.doubts import settled
from app.services.opening import explain
from app.services.project import what_first
from app.services.translation import tr
from core.errors import AppError
from core.job import Launcher

if TYPE_CHECKING:
    from pathlib import Path

    from app.context import AppContext
    from core.job import Job
    from core.methods.base import Preset
    from core.selection import Selection
    from core.session.bench import Bench
    from core.session.planning import Estimate

PLAN_DELAY_MS = 150


@dataclass
class Draft:
    """What was set for one method and not started yet: its preset, and all values."""

    preset: str
    values: dict[str, Any] = field(default_factory=dict)


Chosen = Mapping[str, Draft]  # by method id


@dataclass(frozen=True)
class Plan:
    """Estimates, and training costs as shares of retraining's, by method id."""

    estimates: dict[str, Estimate]
    shares: dict[str, float | None]


class SetupPresenter(QObject):
    """Keeps a draft per method, so that going back and forth between cards loses nothing."""

    def __init__(self, context: AppContext, view: SetupView, parent: QObject) -> None:
        super().__init__(parent)
        self._context, self._view = context, view
        self._about: tuple[object, ...] = ()  # the model and the kinds of forget set that the drafts are for
        self._drafts: dict[str, Draft] = {}
        self._form_of = ""  # the method whose form is built
        self.plan: Plan | None = None  # the newest; None while it is being made or where there is none
        self._problem = ""  # why there is no plan
        self._starting = False
        self._timer = QTimer(self, singleShot=True, interval=PLAN_DELAY_MS)
        self._timer.timeout.connect(self._ask_plan)
        self.search = SearchPresenter(context, self._search_asked, view, self)
        parameters, controller = view.parameters, context.run_controller
        for signal, slot in (
            (view.methods.changed, self._method_changed), (view.start.clicked, self.start),
            (parameters.edited, self._edited),
            (parameters.preset.activated, self._preset_chosen), (parameters.search.clicked, self.search.open),
            (self.search.found, self._settings_found),
            (controller.queue_changed, self._update),
            (controller.run_ended, self._plan_later),  # what was not measured while it ran can be now
            (context.project.evaluation_changed, self._update), (context.settings.changed, self._preferences_changed),
        ):  # fmt: skip
            signal.connect(slot)
        self._preferences_changed(["device"])

    def refresh(self) -> None:
        """Model, data or forget set may have changed."""
        subject = self._subject()
        if subject is None:
            return
        from core.devices import list_devices  # the bench is open, so torch is loaded
        from core.methods import plugged
        from core.session.planning import choices

        bench, selection = subject
        about = (bench.model.weights_id, selection.kinds, selection.corrective, selection.trigger is None)
        if about != self._about:
            self._about, self._drafts, self._form_of = about, {}, ""  # presets and order depend on these
            self._context.device_jobs.submit(list_devices).done.connect(self._view.parameters.set_devices)
            self._view.methods.set_choices(choices(bench, selection), [one.text for one in plugged().left_out])
        self._view.plan.set_forget(words.chosen(selection), selection.describe())
        self._plan_later()

    def load(self, job: Job) -> None:
        """Show a job's settings, to start it again or changed."""
        self.refresh()
        self._drafts[job.method] = Draft(job.preset, dict(job.parameters))
        self._form_of = ""
        self._view.parameters.set_common(
            job.device, job.monitoring_budget, job.precision, str(job.seed), job.launcher
        )
        self._view.methods.tick(job.method, only=True)
        if job.plugin is not None and not self._view.methods.knows(job.method):
            package = f"{job.plugin.distribution} {job.plugin.version}"
            said = tr("The method {method} comes from the package {package}, which is not installed here.",
                      method=job.method, package=package)  # fmt: skip
            self._context.notifications.caution(said)
        self._method_changed()  # also where the method does not suit and another one stays in view

    def why_not(self) -> str:
        """Say in one sentence what stands against a start; "" where nothing does."""
        project, selection = self._context.project, self._context.project.selection
        if project.bench is None:
            return tr("Open a model and data first.")
        if first := what_first(project.proof):
            return first
        if selection is None or not selection.count:
            return tr("Choose at least one image.")
        if selection.count == selection.total:
            return tr("At least one class must stay.")
        if not self._view.methods.ticked():
            return tr("Tick a method.")
        if problems := self._view.parameters.problems():
            return problems[0]
        return self._problem or self._disk_needed() or (tr("Starting…") if self._starting else "")

    def start(self) -> None:
        """Start what is ticked, for each seed; the jobs are made and checked in a worker."""
        subject = self._subject()
        if subject is not None and not self.why_not():
            self._starting = True
            seeds = self._view.parameters.seed_values
            handle = self._context.jobs.submit(
                _make_jobs, *subject, self._ticked_drafts(), seeds, self._common(), key="make jobs"
            )
            handle.done.connect(partial(self._start_jobs, *subject))
            handle.failed.connect(partial(self._failed, tr("The run could not be started")))
        self._update()

    # ---- starting

    def _start_jobs(self, bench: Bench, selection: Selection, jobs: list[Job]) -> None:
        self._starting = False
        controller = self._context.run_controller
        busy, runs = controller.busy, []
        for job in jobs:
            job, tries = self.search.origin(job)
            run = controller.start(job, bench, selection, tries=tries)
            run.planned = self._estimate(job.method)
            runs.append(run)
        if busy:
            said = tr("Added to the queue: %n runs wait for the one that is going.", n=len(controller.queue))
            self._context.notifications.info(said)
        else:
            self._context.project.set_run(runs[0])
        self._update()

    def _failed(self, what: str, error: BaseException) -> None:
        """Say beside the start what the user can do something about; anything else is a fault."""
        self._starting = False
        self._problem = explain(error) if isinstance(error, AppError) else ""
        if not self._problem:
            self._context.notifications.error(error, what)
        self._update()

    # ---- what the user sets

    def _subject(self) -> tuple[Bench, Selection] | None:
        bench, selection = self._context.project.bench, self._context.project.selection
        return (bench, selection) if bench is not None and selection is not None else None

    def _common(self) -> dict[str, Any]:
        own = self._context.settings.values
        return {**self._view.parameters.common(), "threads": own.threads, "checkpoint_seconds": own.checkpoint_seconds}

    def _preferences_changed(self, names: list[str]) -> None:
        if {"device", "monitoring_budget", "launcher"} & set(names):
            own, parameters = self._context.settings.values, self._view.parameters
            precision = parameters.precision.currentData()
            parameters.set_common(own.device, own.monitoring_budget, precision, launcher=own.launcher)

    def _method_changed(self) -> None:
        self._keep_draft()
        shown, parameters = self._view.methods.shown, self._view.parameters
        if shown and shown != self._form_of:
            draft = self._draft(shown)
            self._form_of = shown
            method = self._view.methods.choice(shown).method
            parameters.show_method(method, self._presets(shown), draft.preset)
            parameters.show_values(self._preset_values(shown, parameters.preset_name()), draft.values)
        self._plan_later()

    def _preset_chosen(self) -> None:
        parameters = self._view.parameters
        parameters.show_values(self._preset_values(self._form_of, parameters.preset_name()))
        self._keep_draft()

    def _edited(self) -> None:
        self._problem = ""
        self._plan_later()

    def _presets(self, method_id: str) -> tuple[Preset, ...]:
        from core.session.jobs import presets_for

        subject = self._subject()
        return presets_for(*subject, self._view.methods.choice(method_id).method) if subject is not None else ()

    def _preset_values(self, method_id: str, preset: str) -> dict[str, Any]:
        from core.session.jobs import preset_values

        subject = self._subject()
        assert subject is not None
        return dict(preset_values(*subject, method_id, preset))

    def _draft(self, method_id: str) -> Draft:
        """What is set for a method: as it was left, else its first preset."""
        if method_id not in self._drafts:
            presets = self._presets(method_id)
            preset = presets[0].name if presets else ""
            self._drafts[method_id] = Draft(preset, self._preset_values(method_id, preset))
        return self._drafts[method_id]

    def _keep_draft(self) -> None:
        if self._form_of:
            parameters = self._view.parameters
            self._drafts[self._form_of] = Draft(parameters.preset_name(), parameters.form.values())

    def _ticked_drafts(self) -> dict[str, Draft]:
        self._keep_draft()
        return {method: self._draft(method) for method in self._view.methods.ticked()}

    # ---- the search for settings

    def _search_asked(self) -> Asked | None:
        subject, parameters, shown = self._subject(), self._view.parameters, self._view.methods.shown
        if subject is None or not shown or parameters.problems():
            return None
        method, values = self._view.methods.choice(shown).method, parameters.form.values()
        draft, estimate = Draft(parameters.preset_name(), values), self._estimate(shown)
        make = partial(_make_jobs, *subject, {shown: draft}, parameters.seed_values[:1], self._common())
        return Asked(*subject, method, values, make, estimate.training_seconds if estimate is not None else None)

    def _settings_found(self, method_id: str, values: dict[str, Any]) -> None:
        """Put what a search found into the form, or into the draft of a method that is not in view."""
        parameters = self._view.parameters
        if method_id == self._form_of:
            baseline = self._preset_values(method_id, parameters.preset_name())
            parameters.show_values(baseline, {**parameters.form.values(), **values})
        elif method_id in self._drafts:
            self._drafts[method_id].values.update(values)

    # ---- the plan

    def _plan_later(self, *_: object) -> None:
        self.plan = None
        self._context.device_jobs.cancel("plan")  # it is about what was set before
        self._timer.start()
        self._update()

    def _ask_plan(self) -> None:
        subject, view = self._subject(), self._view
        if subject is None or not view.methods.ticked() or view.parameters.problems():
            return
        if not 0 < subject[1].count < subject[1].total:
            view.plan.show_nothing()
            return
        handle = self._context.device_jobs.submit(
            _make_plan, *subject, self._ticked_drafts(), self._common(), self._context.runs_folder(),
            not self._context.run_controller.busy, key="plan",
        )  # fmt: skip
        handle.done.connect(self._planned)
        handle.failed.connect(partial(self._failed, tr("The estimate could not be made")))

    def _planned(self, plan: Plan) -> None:
        self.plan, self._problem = plan, ""
        self._view.methods.set_costs(plan.shares)
        self._update()

    def _estimate(self, method_id: str) -> Estimate | None:
        return self.plan.estimates.get(method_id) if self.plan is not None else None

    def _update(self) -> None:
        view, shown = self._view, self._view.methods.shown
        estimate, plan = self._estimate(shown), self.plan
        if plan is not None and estimate is not None:  # else what was shown stays until the new estimate is there
            cost = words.cost(plan.shares.get(shown), shown)
            view.plan.show_estimate(estimate, cost, self._lines(shown, estimate))
        view.plan.problem.say(self._problem or self._disk_needed())
        view.summary.setText(self._summary())
        queued = tr("Queue runs") if self._number_of_runs() > 1 else tr("Queue run")
        view.set_ready(self.why_not(), queued if self._context.run_controller.busy else tr(START))

    def _lines(self, method_id: str, estimate: Estimate) -> list[str]:
        selection = self._context.project.selection
        weighted = selection is not None and selection.weights is not None
        alike = weighted and not self._view.methods.choice(method_id).method.honours_weights
        return [*estimate.explain, *([tr(words.UNWEIGHTED)] if alike else [])]

    def _number_of_runs(self) -> int:
        return len(self._view.parameters.seed_values) * len(self._view.methods.ticked())

    def _summary(self) -> str:
        ticked, seeds = self._view.methods.ticked(), len(self._view.parameters.seed_values)
        runs = self._number_of_runs()
        if not runs:
            return ""
        parts = []
        if runs > 1:
            methods, each, all_ = tr("%n methods", n=len(ticked)), tr("%n seeds", n=seeds), tr("%n runs", n=runs)
            parts.append(tr("{methods} × {seeds} = {runs}", methods=methods, seeds=each, runs=all_))
        estimates = [estimate for method in ticked if (estimate := self._estimate(method)) is not None]
        times = [estimate.seconds for estimate in estimates if estimate.seconds is not None]
        if len(times) == len(ticked):
            parts.append(fmt.about(seeds * sum(times)))
        return " · ".join(parts)

    def _disk_needed(self) -> str:
        estimates = list(self.plan.estimates.values()) if self.plan is not None else []
        free = estimates[0].disk_free if estimates else None
        runs = max(1, self._number_of_runs() // max(1, len(estimates)))
        needed = runs * sum(estimate.disk_bytes for estimate in estimates)
        if free is None or needed < free:
            return ""
        return tr("The runs need {needed} on disk; {free} are free.", needed=fmt.size(needed), free=fmt.size(free))


def _make_plan(
    bench: Bench,
    selection: Selection,
    drafts: Chosen,
    common: Mapping[str, Any],
    runs_folder: Path,
    measure: bool,
    cancelled: Callable[[], bool] | None = None,
) -> Plan:
    """Estimate what is ticked, and what every method would cost; the first one measures a training step."""
    from core.session.chains import all_requests
    from core.session.planning import estimate, retraining_seconds, shares_of_retraining

    selection = all_requests(bench.model.path, selection, bench.dataset)
    bench = _estimated_on(bench, common).telling(None, cancelled)
    estimates = {
        method: estimate(bench, selection, method, draft.values, runs_folder=runs_folder, measure=measure,
                         monitoring_budget=common["monitoring_budget"])
        for method, draft in drafts.items()
    }  # fmt: skip
    from core.launch.children import dismiss_warm, keep_warm

    (keep_warm if common["launcher"] == "process" else dismiss_warm)()  # once nothing is measured any more
    whole = retraining_seconds(bench, selection)
    edited = {method: planned.share_of(whole) for method, planned in estimates.items()}
    return Plan(estimates, {**shares_of_retraining(bench, selection), **edited})


def _set_up(bench: Bench, common: Mapping[str, Any]) -> Bench:
    """Return the bench for the device, precision and threads that hold for all runs of the form."""
    return bench.on(common["device"], common["precision"], common["threads"])


def _estimated_on(bench: Bench, common: Mapping[str, Any]) -> Bench:
    """Return the bench that estimates are made on: this machine, where runs go to another one, too."""
    away = Launcher.parse(common["launcher"]).remote
    return bench.on("auto", "auto", common["threads"]) if away else _set_up(bench, common)


def _make_jobs(
    bench: Bench, selection: Selection, drafts: Chosen, seeds: Sequence[int], common: Mapping[str, Any]
) -> list[Job]:
    from core.session.jobs import make_unlearn_job

    place = _set_up(settled(_estimated_on(bench, common)), common)
    often = {name: common[name] for name in ("monitoring_budget", "checkpoint_seconds", "launcher")}
    return [
        make_unlearn_job(place, selection, method, preset=draft.preset, settings=draft.values, seed=seed, **often)
        for method, draft in drafts.items()
        for seed in seeds
    ]
