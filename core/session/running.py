"""Running: a job into its folder, with the search for settings before it, and from there to a result on disk."""

from __future__ import annotations

import contextlib
import hashlib
import time
import traceback
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

from core import distributed
from core.devices import choose_device, free_memory, out_of_memory_error, unused_gpu
from core.engine.control import Control, Interrupted
from core.engine.engine import Engine
from core.engine.experiment import Experiment
from core.engine.monitor import Monitor, events_of
from core.engine.outputs import FullOutputs, collect_full, keep_outputs, outputs_file
from core.engine.step import require_finite
from core.entry_points import failed
from core.errors import AppError, InputError, ProcessEndedError, StoppedError, is_out_of_memory, of_system
from core.events import Emit, Event, Log, PhaseChanged, Progress, RunFailed, RunFinished, State
from core.files import clear_cache_leftovers, file_sha256, read_bytes
from core.job import Job, TuningPart
from core.methods import changed_package, method_of, package_of
from core.models.architectures import network_key
from core.parameters import Values, resolve
from core.runs.asked import answering, asked_until_now
from core.runs.folder import CARD, CHECKPOINTS, JOB, MODEL, MODEL_PT, REPORT_HTML, REPORT_JSON, TUNING, RunFolder
from core.runs.following import last_start, looks
from core.runs.recorder import NoRecorder, Recorder, load_checkpoint, save_checkpoint
from core.selection import Selection
from core.session.bench import Bench, Images, original_of
from core.session.forget_sets import run_selection
from core.session.jobs import create_run, require_same_job, require_shareable
from core.session.measuring import Candidate
from core.session.proof import doubts_of
from core.session.results import (
    NO_COST,
    Result,
    summary,
    write_as_it_came,
    write_models,
    write_report,
)
from core.session.starts import retraining_doubts
from core.session.suspects import stamped_of
from core.session.tuning import Tuning, axes, tune, tuned
from core.verify.numbers import plural
from core.verify.suite import Subject, output_measures


def ready_run(
    folder: RunFolder,
    job: Job,
    selection: Selection,
    bench: Bench,
    control: Control,
    *,
    tries: int = 0,
    fixed: Collection[str] = (),
) -> tuple[RunFolder, Tuning | None]:
    """Make the run folder of a job, or take it as it is where it holds that very run, to be gone on with.

    Where settings are to be searched for (`tries`; those named in `fixed` stay), the search comes first: its tries are
    kept in the folder-to-be, and the job gets the best of them. Returns the folder and the search, None without one.
    Raises MismatchError where the folder holds another run, StoppedError where `control` ended it before the run.
    """
    if control.ending:
        raise StoppedError.before_run()
    if distributed.first_says(lambda: folder.exists and not folder.never_started):
        require_same_job(folder, _as_tuned(folder, job))
        return folder, None
    search = None
    if tries and axes(method_of(job), Values(job.parameters), fixed):
        file = folder.file(TUNING)
        with folder.lock():
            search = tune(job, bench, selection, tries, fixed=fixed, keep=file, control=control)
        if not search.complete:
            raise StoppedError(
                f"Stopped while settings were tried; {len(search.tries)} of {tries} tries are kept in {file}",
                "Start the same command again to go on",
            )
        job = tuned(job, search, file)
    return create_run(folder.path, job, selection, bench.dataset), search


def _as_tuned(folder: RunFolder, job: Job) -> Job:
    """Return a job with the values that a search gave the job in a folder that is to be resumed."""
    present = folder.job()
    if present.tuning is None or present.method != job.method:
        return job
    chosen = {name: present.parameters.get(name) for name in present.tuning.searched}
    return replace(job, parameters={**job.parameters, **chosen})


def run(
    folder: RunFolder,
    control: Control,
    emit: Emit,
    bench: Bench | None = None,
    *,
    resume: bool = False,
    asked_from: int | None = None,
) -> State:
    """Run the job in `folder` and return the state it ended in; every event is on disk before `emit` sees it.

    `bench` says what is trusted; the job's model and data are opened where it does not hold them. `resume` goes on
    from the last checkpoint, or from step 0 without one; a run that has a result is left as it is. A resume that is
    stopped before its first step ends as INTERRUPTED. What other processes ask in its folder counts like what `control`
    is asked; asked_from: from which byte of that file on, where it is not its end now. Raises the AppError a run failed
    with, after recording it. Of several processes that share the run the first one writes, and measures the result.
    """
    first = distributed.is_first()
    if first:
        clear_cache_leftovers()
    if distributed.first_says(lambda: folder.is_done):
        return State(folder.status().state)
    if distributed.world_size() > 1:
        require_shareable(method_of(folder.job()))
    bench = bench or Bench()
    since = asked_until_now(folder) if asked_from is None else asked_from
    with contextlib.ExitStack() as held:
        if first:
            held.enter_context(folder.lock())
            held.enter_context(answering(folder, control.ask, since))
            folder.clear_leftovers()
        if resume and (end := distributed.first_says(folder.ending)) is not None:
            with distributed.alone():
                return _complete(folder, end, control, emit, bench) if first else State(end.state)
        if resume:
            _require_method(folder)
        recorder = Recorder(folder) if first else NoRecorder()
        runner = _Runner(folder, control, recorder, emit)
        failure: Exception | None = None
        outcome = State.FAILED
        try:
            outcome = runner.run(bench, resume)
        except (Interrupted, StoppedError):  # the second while data are opened
            # It left, or was stopped before it went on: its checkpoints stay, and it is as interrupted as if killed.
            resumable = control.leaving or (not control.discarding and bool(folder.checkpoints()))
            outcome = State.INTERRUPTED if resumable or not first else runner.end_without_result()
        except ProcessEndedError as error:
            runner.tell_lost(error)  # the folder is that of an interrupted run
            failure = error
        except Exception as error:
            failure = runner.fail(error)
        finally:
            recorder.close()
    if failure is not None:
        # Outside the except block: its traceback would keep the run's tensors alive.
        if runner.job is not None:
            free_memory(choose_device(runner.job.device))
        raise failure
    if outcome is State.DISCARDED and first:
        folder.delete()
    return outcome


def _require_method(folder: RunFolder) -> None:
    """Raise NotFoundError where the method of a run is not installed: the folder stays as it is, and can be resumed."""
    try:
        job = folder.job()
    except AppError:  # one that cannot be read is told by the run
        return
    method_of(job)


def _complete(folder: RunFolder, end: RunFinished, control: Control, emit: Emit, bench: Bench) -> State:
    """Write what a run that has ended lacks, from the model on disk and without a step; returns the state it ended in.

    `end`: what `RunFolder.ending` says. The event log stays as it is: reports name its hash. The status comes last, so
    that this goes on where it was ended.
    """

    def tell(what: str, done: int, total: int) -> None:
        emit(Progress(run=folder.id, step=0, time=time.time(), what=what, done=done, total=total))
        control.check()

    state, missing = State(end.state), folder.missing()
    try:
        if missing == [REPORT_HTML] and (report := folder.report()) is not None:
            write_report(folder, report)
        elif missing:
            _write_missing(folder, end, missing, bench.telling(tell, lambda: control.ending))
    except Interrupted:
        return State.INTERRUPTED
    folder.change_status(state=state.value, step=end.step, heartbeat=time.time(), error=None)
    return state


def _write_missing(folder: RunFolder, end: RunFinished, missing: Collection[str], bench: Bench) -> None:
    """Write those of a run's files that are `missing`, and those that name them by their hash."""
    job = folder.job()
    bench = bench.for_job(job)
    model = bench.open_beside(folder.file(MODEL), arch=job.model.builder)
    if MODEL_PT in missing:
        write_as_it_came(folder, job, model.build().state_dict())
    images, splits = bench.laid_out(run_selection(folder, bench.dataset))
    final = bench.outputs(model, "Measuring the result", images)
    report = None if REPORT_JSON in missing else folder.report()
    known = {**NO_COST, **((report or {}).get("cost") or (folder.card() or {}).get("cost") or end.cost or {})}
    result = Result(folder, job, bench.dataset, splits, end.state, {key: known[key] for key in NO_COST})
    if job.kind == "train":
        result.write_card(output_measures(Subject(final, splits)))
        return
    if report is None:
        original, start = _models_before(job, bench, images)
        result = replace(result, doubts=doubts_of(job, bench, bench.model, start))
        unlearned = Candidate("unlearned", model.sha256, lambda: final, partial(bench.network, model))
        report = result.report_of_run(original, start, unlearned, stamped_of(job, bench, splits), bench.tell)
        report.pop("log")
    if CARD in missing or MODEL_PT in missing:
        result.write_card(report["models"]["unlearned"])
    write_report(folder, report)


def _models_before(job: Job, bench: Bench, images: Images) -> tuple[Candidate, FullOutputs]:
    """Return the original that a result is compared with, and outputs of the model that the run starts from.

    In a chain of requests the original is the first of all models.
    """
    start = bench.outputs(bench.model, "Measuring the original model", images)
    first, outputs = bench.first_model(job), start
    if first is not bench.model:
        outputs = bench.outputs(first, "Measuring the original model", images)
    return Candidate("original", first.weights_id, lambda: outputs, partial(bench.network, first)), start


class _Runner:
    """One run from opening to result; keeps what its steps share."""

    def __init__(self, folder: RunFolder, control: Control, recorder: Recorder, emit: Emit) -> None:
        self._folder, self._control, self._recorder, self._emit = folder, control, recorder, emit
        self.job: Job | None = None
        self._job_file = b""  # what job.json held when the run began
        self._step = 0
        self._doubts: tuple[str, ...] = ()  # what speaks against the model being used as it was trained
        self._began = time.perf_counter()

    def run(self, bench: Bench, resume: bool) -> State:
        """Prepare, run the engine, and write the results."""
        self._state(State.PREPARING, "Opening model and data")
        self.job = job = self._folder.job()
        self._job_file = read_bytes(self._folder.file(JOB), follow=False)
        bench = bench.telling(self._progress, lambda: self._control.ending).for_job(job)
        experiment, original, start = self._prepare(job, bench)
        job_sha256 = hashlib.sha256(self._job_file).hexdigest()
        first = distributed.is_first()
        engine = Engine(
            experiment,
            self._control,
            Monitor(experiment, job.monitoring_budget, start if first else None),
            save=(lambda state: save_checkpoint(self._folder, state, job_sha256)) if first else None,
            checkpoint_seconds=job.checkpoint_seconds,
        )
        state = distributed.first_says(lambda: self._checkpoint(job_sha256)) if resume else None
        if resume and state is None and any(look.events for look in looks(self._folder)):
            engine.begin_anew()
        if state is not None:
            try:
                engine.restore(state)
            except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
                raise InputError(
                    f"The checkpoint of step {state['step']} does not fit the run: {error}",
                    f"Remove the folder {self._folder.file(CHECKPOINTS)}, and the run begins anew",
                ) from error
            self._tell_processes()
        elif start is not None and first:
            if job.tuning is not None:
                self._log("info", _tuning_text(job, job.tuning), "tuned")
            for event in events_of(experiment, start.split(experiment.splits), 0, "full"):
                self._report(event)
        for event in engine.run():
            self._report(event)
        self._step = engine.step
        self._tell_undecoded(experiment)
        if engine.outcome is State.DISCARDED:
            return self.end_without_result()
        return self._finish(job, bench, engine, original, start)

    def _checkpoint(self, job_sha256: str) -> dict[str, Any] | None:
        """Return the checkpoint to go on from, None where there is none; says which ones were damaged."""
        state, damaged = load_checkpoint(self._folder, job_sha256)
        if damaged:
            goes_on = "begins anew" if state is None else f"goes on from step {state['step']}"
            what = f"{' and '.join(damaged)} {'is' if len(damaged) == 1 else 'are'} damaged"
            self._log("warning", f"{what}: the run {goes_on}.", "checkpoint_damaged")
        return state

    def _tell_processes(self) -> None:
        """Log that a resumed run is shared by another number of processes than before."""
        start, now = last_start(self._folder), distributed.world_size()
        before = start.processes if start is not None else 1
        if before != now:
            message = f"The run goes on with {plural(now, 'process', 'processes')} in place of {before}: batches are "
            self._log("info", f"{message}the same, and sums are rounded in another order.", "processes")

    def _tell_undecoded(self, experiment: Experiment) -> None:
        """Log the image files that could not be decoded, where there are any."""
        files = experiment.train.undecoded + experiment.test.undecoded
        if files:
            first = f"{files[0].path} ({files[0].reason})"
            what = f"{len(files):,} files" if len(files) > 1 else "One file"
            message = f"{what} could not be decoded and counted as black: {first}{' and others' * (len(files) > 1)}."
            self._log("warning", message, "unreadable")

    def end_without_result(self) -> State:
        """End a run that was discarded, or stopped while there was nothing to keep."""
        self._state(State.DISCARDING)
        self._report(self._finished(State.DISCARDED))
        self._recorder.conclude(State.DISCARDED)
        return State.DISCARDED

    def fail(self, error: Exception) -> Exception:
        """Record a failure; returns the error to raise (an AppError with advice where the machine is the reason).

        A disk that takes no more does not take the record either: the run is then as interrupted as a killed one.
        """
        details = "".join(traceback.format_exception(error))
        if is_out_of_memory(error):
            error = out_of_memory_error(int(self.job.parameters.get("batch", 1)) if self.job is not None else 1)
        error = of_system(error) or error
        if not isinstance(error, AppError) and self.job is not None and (package := package_of(self.job)) is not None:
            error = failed(f"The method {self.job.method!r}", package, error)
        message = f"{type(error).__name__}: {error}"
        hint = "This is a fault of the application; the log has the details"
        if isinstance(error, AppError):
            message, hint = error.message, error.hint
        event = RunFailed(**self._common(), error=message, hint=hint, details=details)
        with contextlib.suppress(AppError):
            self._recorder.record(event)
        self._emit(event)
        return error

    def tell_lost(self, error: ProcessEndedError) -> None:
        """Log that another process of the run is gone; the last checkpoint stays."""
        event = Log(**self._common(), level="error", message=error.message, code="process_lost")
        with contextlib.suppress(AppError):
            self._recorder.record(event)  # on the screen it is the error that the command ends with

    # -- preparing -------------------------------------------------------------------------------------------------

    def _prepare(self, job: Job, bench: Bench) -> tuple[Experiment, Candidate | None, FullOutputs | None]:
        """Return what the engine works on, the original, and outputs of the model the run starts from.

        These two are different models in a chain of requests; there are none where a fresh model is trained.
        """
        dataset = bench.dataset
        if (idle := unused_gpu(bench.place)) is not None:
            self._log("warning", f"Running on the processor; {idle} is free. Use it from the next run on.", "cpu")
        selection = run_selection(self._folder, dataset)
        method = method_of(job)
        if changed := changed_package(job):
            self._log("warning", changed, "plugin")
        if selection.weights is not None and job.kind == "unlearn" and not method.honours_weights:
            message = f"{method.title} does not use the forget list's weights: all images count 1."
            self._log("warning", message, "weights")
        values = resolve(method.parameters, job.parameters, owner=method.id)
        images, splits = bench.laid_out(selection)
        experiment = bench.experiment(job, values, images, splits, self._folder.id)
        if experiment.began:
            self._log("info", experiment.began, "start")
        original, start = None, None
        if bench.opened_model is not None:
            self._state(State.PREPARING, "Measuring the original model")
            original, start = _models_before(job, bench, images)
            if job.origin is not None and job.origin != original_of(job):
                message = f"{job.origin.path}, the model before the first request, is gone or was changed: the result "
                self._log("warning", f"{message}is compared with the model this run starts from.", "origin")
            self._doubts = (*doubts_of(job, bench, bench.model, start), *retraining_doubts(job))
            for doubt in self._doubts:  # before the first step: a run that makes no sense is stopped
                self._log("warning", doubt, "proof")
        distributed.require_same({
            "job": hashlib.sha256(self._job_file).hexdigest(), "data": dataset.fingerprint,
            "precision": experiment.precision, "kind of device": experiment.device.type,
        })  # fmt: skip
        self._control.check()
        return experiment, original, start

    # -- results ---------------------------------------------------------------------------------------------------

    def _finish(
        self, job: Job, bench: Bench, engine: Engine, original: Candidate | None, start: FullOutputs | None
    ) -> State:
        """Measure the model as it is now and write what the run leaves; returns the state the run ended in."""
        experiment = engine.experiment
        require_finite(experiment.model.module)
        if engine.outcome is State.STOPPED:
            self._state(State.STOPPING, "Keeping the model as it is now")
        self._tick("Measuring the result", 0, 0)
        final = collect_full(
            experiment.model,
            experiment.train,
            experiment.test,
            progress=lambda done, total: self._tick("Measuring the result", done, total),
        )
        if not distributed.is_first():  # it has taken its share of the passes; what follows is the first one's
            return engine.outcome
        with distributed.alone():
            return self._write(job, bench, engine, original, start, final)

    def _write(
        self, job: Job, bench: Bench, engine: Engine, original: Candidate | None, start: FullOutputs | None,
        final: FullOutputs,
    ) -> State:  # fmt: skip
        """Write the model, whose outputs are `final`, and what is said of it; returns the state the run ended in."""
        experiment, dataset = engine.experiment, bench.dataset
        sets = final.split(experiment.splits)
        for event in events_of(experiment, sets, engine.last_step, "full"):
            self._report(event)
        self._keep_job()
        write_models(self._folder, job, experiment.model.module)
        cost = {
            "seconds": engine.elapsed,
            "steps": engine.steps_taken,
            "samples_seen": engine.samples_seen,
            "operations": experiment.operations(),
        }
        result = Result(self._folder, job, dataset, experiment.splits, engine.outcome.value, cost, self._doubts)
        sha256 = file_sha256(self._folder.file(MODEL))  # who opens it next, a check or the window, asks for them
        keep_outputs(outputs_file(sha256, network_key(job.model), dataset), final)
        report: dict[str, Any] | None = None
        if original is None or start is None:
            measures, unchanged = output_measures(Subject(final, experiment.splits)), False
        else:
            unlearned = Candidate("unlearned", sha256, lambda: final, lambda: experiment.model)
            stamped = stamped_of(job, bench, experiment.splits)
            report = result.report_of_run(original, start, unlearned, stamped, self._tick)
            for caveat in report.pop("log"):
                self._log(caveat.level, caveat.message, caveat.code)
            measures, unchanged = report["models"]["unlearned"], report["unchanged"]
        self._keep_job()
        finished = self._finished(engine.outcome, measures, unchanged, cost, sha256)
        self._recorder.record(finished)  # the last in the event log, whose hash the report carries
        result.write_card(measures)
        if report is not None:
            write_report(self._folder, report)
        self._recorder.conclude(engine.outcome)
        self._emit(finished)
        return engine.outcome

    def _keep_job(self) -> None:
        """Put the job back that the run began with where somebody changed its file: the results are that one's."""
        path = self._folder.file(JOB)
        with contextlib.suppress(InputError):
            if read_bytes(path, follow=False) == self._job_file:
                return
        self._folder.write(JOB, self._job_file)
        message = f"{JOB} was changed while the run went on; the job that the run began with was put back."
        self._log("warning", message, "job_changed")

    # -- events ----------------------------------------------------------------------------------------------------

    def _common(self) -> dict[str, Any]:
        """Return the fields that every event has."""
        return {"run": self._folder.id, "step": self._step, "time": time.time()}

    def _report(self, event: Event) -> None:
        """Write an event to disk, then tell whoever listens."""
        self._recorder.record(event)
        self._step = event.step
        self._emit(event)

    def _state(self, state: State, detail: str = "") -> None:
        self._report(PhaseChanged(**self._common(), state=state.value, detail=detail))

    def _log(self, level: str, message: str, code: str = "") -> None:
        self._report(Log(**self._common(), level=level, message=message, code=code))

    def _finished(
        self, state: State, measures: dict[str, Any] | None = None, unchanged: bool = False,
        cost: dict[str, Any] | None = None, model_sha256: str = "",
    ) -> RunFinished:  # fmt: skip
        """Return the last event of a run, with those of its result's measures that lists show."""
        return RunFinished(
            **self._common(), state=state.value, seconds=time.perf_counter() - self._began,
            measures=summary(measures or {}), unchanged=unchanged, cost=cost or {}, model_sha256=model_sha256,
        )  # fmt: skip

    def _tick(self, what: str, done: int, total: int) -> None:
        """Tell of the work on a result; a stop does not end it, because the result is what is to be kept."""
        self._report(Progress(**self._common(), what=what, done=done, total=total))
        if self._control.discarding:
            raise Interrupted

    def _progress(self, what: str, done: int, total: int) -> None:
        """Tell of the work before the first step, which a stop ends."""
        self._report(Progress(**self._common(), what=what, done=done, total=total))
        self._control.check()


def _tuning_text(job: Job, tuning: TuningPart) -> str:
    """Say in a sentence how a job's values were chosen."""
    chosen = ", ".join(f"{name} {job.parameters[name]:g}" for name in tuning.searched)
    tries = plural(tuning.tried, "try", "tries")
    return f"Settings chosen from {tries} on {tuning.images:,} images: {chosen}. Judged by {tuning.judged_by}."
