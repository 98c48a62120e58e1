"""Checking: the result of a run against retrained models, trained where they are missing; measures of one model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from core.devices import set_threads
from core.engine.control import Control
from core.errors import InputError, MismatchError, StoppedError
from core.events import Emit, MeasureTaken, Progress, State
from core.files import file_sha256
from core.job import Job, StartPart
from core.leftovers import remove
from core.methods import method_of
from core.models.checkpoint import OpenedModel
from core.runs.folder import CARD, JOB, MODEL, MODEL_PT, VERIFY, RunFolder
from core.selection import Selection
from core.session.bench import Bench, DataOptions, original_of
from core.session.forget_sets import run_selection
from core.session.jobs import create_run, make_train_job
from core.session.measuring import FULL, QUICK, Candidate, Measuring, control_id, measure_log
from core.session.proof import doubts_of
from core.session.references import (
    FIRST_ATTACKER,
    known_references,
    mean_cost,
    recipe_of,
    reference_folder,
    reference_from,
    trained_references,
)
from core.session.results import NO_COST, Result, write_report
from core.session.running import run
from core.session.starts import retraining_doubts, start_doubts, start_of, told_job
from core.session.suspects import stamped_of
from core.verify.canaries import doubt_of
from core.verify.lanes import Lane, lanes_so_far
from core.verify.measure_log import JUDGED, NotKeptError
from core.verify.numbers import plural
from core.verify.relearning import Ground
from core.verify.verdict import Forgotten, decide

FRESH_SEED = 0
"""Draws the untrained network that relearning and ZRF compare with."""

FEWEST_ATTACKERS = 2
"""Retrained models that RMIA attacks with, at least; the low-budget setting of its paper has one to four."""


CANARIES = (
    "The original was trained with {count}, which have a wrong label on purpose. It is for tests of attacks and not "
    "for use; accuracies on training images count them as errors."
)


def evaluate(bench: Bench, selection: Selection, references: Mapping[str, Path] | None = None) -> dict[str, Any]:
    """Return the measures of one model for a forget set under the contract's keys.

    references: files by name, "original" and any others, which are retrained models. Their own measures stand under
    `references`, and there are distances to them; with an original there is a verdict. An empty selection gives the
    measures that need no forget set. Raises ForgetSetError where it is everything.
    """
    if selection.count:
        selection.check()
    set_threads(bench.threads)
    images, splits = bench.laid_out(selection)

    def candidate(name: str, model: OpenedModel, what: str) -> Candidate:
        take = partial(bench.outputs, model, what, images)
        return Candidate(name, model.weights_id, take, partial(bench.network, model))

    model = candidate("unlearned", bench.model, "Measuring the model")
    others: dict[str, Candidate] = {}
    for name, path in (references or {}).items():
        other = bench.open_beside(path)
        others[name] = candidate(name, other, f"Measuring {name}")
    original = others.get("original")
    retrained = [candidate for candidate in others.values() if candidate is not original]
    encoder = not bench.model.spec.num_classes
    measured = Measuring(original, model, retrained, splits, encoder=encoder).run()
    measures, models = measured.models["unlearned"], {**measured.models, **measured.retrained}
    measures |= {"plugin_measures": measured.declared} if measured.declared else {}
    if others:
        measures["references"] = {name: models[name] for name in others}
    if original is not None:
        verdict = decide(
            measured.models, list(measured.retrained.values()), forgotten=Forgotten.of(splits),
            half_widths=measured.half_widths,
        )  # fmt: skip
        measures["verdict"] = verdict.as_dict()
    if bench.proof is not None:
        measures |= {"proof": bench.proof.as_dict(), "warnings": list(bench.proof.doubts)}
    return measures


def check(
    folder: RunFolder,
    control: Control,
    emit: Emit,
    bench: Bench | None = None,
    *,
    seeds: tuple[int, ...] = (),
    retrained: dict[str, Path] | None = None,
    which: str = QUICK,
    start: StartPart | None = None,
) -> dict[str, Any]:
    """Measure a run's result against its original and retrained models, and write its report anew.

    `bench` says what is trusted; the run's model and data are opened where it does not hold them. `seeds` are trained
    on demand or taken from the shared folder of references; `retrained` names models the user brings. `start`: where
    the original's training began, as the user says; those trained begin there. `which` is the suite, "quick" or "full".
    Finished measures are kept in verify.jsonl and not taken again: a quick check of the same models as a full one
    before gives the full report, because nothing of it is out of date. Returns report.json's content. Raises InputError
    where the run has no result, MismatchError where its model or data have changed, and Interrupted where `control` was
    told to end.
    """
    job = folder.job()
    if job.kind != "unlearn":
        raise InputError(f"{folder.path} trained a model, so there is nothing to check", "Name a run of `unlearn`")
    if not folder.has_result:
        raise InputError(f"{folder.path} holds no unlearned model to check", "Finish or resume the run first")
    method_of(job)  # what a report says of a method is the method's
    if not job.model.num_classes:
        _refuse_for_encoder(seeds, which)
    weights = {name: reference_from(path, job) for name, path in (retrained or {}).items()}
    retrained = distinct_names(weights, (*JUDGED, "retrained", *(f"seed {seed}" for seed in seeds)))

    def tell(what: str, done: int, total: int) -> None:
        """Emit progress and obey `control`."""
        emit(Progress(run=folder.id, step=0, time=time.time(), what=what, done=done, total=total))
        control.check()

    def taken(model: str, values: Mapping[str, Any]) -> None:
        emit(MeasureTaken(run=folder.id, step=0, time=time.time(), model=model, values=dict(values)))

    told = told_job(folder, start)
    job_sha256 = folder.job_sha256()
    _require_job(folder, str((folder.card() or {}).get("job_sha256") or job_sha256))
    with folder.lock():
        folder.clear_leftovers()
        bench = (bench or Bench()).telling(tell).for_job(job)
        judged = {seed: train_reference(folder, bench, seed, control, emit, told.start) for seed in seeds}
        names = [*(f"seed {seed}" for seed in seeds), *retrained]
        extra = attackers_of(len(names))
        fully = which == FULL or _was_full(folder, told, names, extra)
        attackers = {
            seed: train_reference(folder, bench, seed, control, emit, told.start) for seed in extra if fully
        }
        dataset = bench.dataset
        forgotten = run_selection(folder, dataset)
        images, splits = bench.laid_out(replace(forgotten, weights=None))
        ground = Ground(*images, splits, dataset.classes, bench.place, control)

        beside = bench.telling(lambda *_: control.check()) if which == FULL and ground.at_once > 1 else bench

        def candidate(name: str, model: OpenedModel, what: str, bench: Bench = beside) -> Candidate:
            """Return a model to be measured with its outputs, which are taken when they are needed, or found."""
            take = partial(bench.outputs, model, f"Measuring {what}", images)
            return Candidate(name, model.weights_id, take, partial(bench.network, model))

        own = partial(bench.open_beside, arch=job.model.builder)
        canaries = int(recipe_of(job)[0].get("canaries") or 0)
        first = bench.first_model(job)
        original = candidate("original", first, "the original model", bench)
        measure = partial(
            Measuring,
            original,
            candidate("unlearned", own(folder.file(MODEL)), "the unlearned model", bench),
            [
                *(
                    candidate(f"seed {seed}", own(reference.file(MODEL)), f"retrained, seed {seed}")
                    for seed, reference in judged.items()
                ),
                *(candidate(name, bench.open_beside(path), name) for name, path in retrained.items()),
            ],
            splits,
            references=[
                candidate(f"seed {seed}", own(reference.file(MODEL)), f"reference, seed {seed}")
                for seed, reference in attackers.items()
            ],
            encoder=not job.model.num_classes,
            ground=ground,
            fresh=partial(bench.untrained, job.model, FRESH_SEED),
            canaries=canaries,
            tell=tell,
            stamped=stamped_of(job, bench, splits),
        )
        log = partial(measure_log, folder.file(VERIFY), job)
        measured = None
        if which == QUICK and fully:
            with contextlib.suppress(NotKeptError):
                measured = measure(which=FULL, log=log(only_kept=True)).run()
        measured = measured or measure(which=which, log=log(), taken=taken).run()
        tell("Writing the report", 0, 0)
        before = folder.report() or {}
        cost = {**NO_COST, **(before.get("cost") or (folder.card() or {}).get("cost") or {})}
        end = folder.ending()
        state = State.FINISHED if end is None else State(end.state)
        doubts = (*doubts_of(job, bench, first, original.outputs), *_start_doubts(told, judged, retrained))
        if canaries:
            found = doubt_of(measured.models.get("original") or {})
            doubts += (CANARIES.format(count=plural(canaries, "canary image")), *([found] if found else []))
        result = Result(folder, told, dataset, splits, state.value, cost, doubts)
        report = result.report(measured, retraining=_retraining(told, judged, retrained), tell=tell)
        if job.chain:  # says whether the model the run started from was changed, which is not measured again
            report["unchanged"] = bool(before.get("unchanged"))
        report.pop("log")
        _require_job(folder, job_sha256)
        return write_report(folder, report)


def _start_doubts(job: Job, trained: Mapping[int, RunFolder], brought: Mapping[str, Path]) -> tuple[str, ...]:
    """Return what is to be said of where the original and all that was retrained began."""
    return tuple(start_doubts(job, bool(trained) or bool(retraining_doubts(job)), brought))


def _refuse_for_encoder(seeds: Sequence[int], which: str) -> None:
    """Raise InputError for what a check of an encoder cannot have: models retrained here, and attacks on classes."""
    if which == FULL:
        raise InputError(
            "The full suite attacks what a model says of classes, and an encoder says nothing of them",
            "Take the quick suite",
        )
    if seeds:
        raise InputError(
            "An encoder is not retrained here: what it was trained with, labels or not, is not known",
            "Retrain it without the forget set as it was trained, and bring it with --retrained",
        )


def _require_job(folder: RunFolder, sha256: str) -> None:
    """Raise MismatchError where the job of a run is not the one with this hash, whose results are there."""
    if folder.job_sha256() != sha256:
        raise MismatchError(
            f"{folder.file(JOB)} was changed after the run began: its results are those of another job",
            "Put the original file back",
        )


def known_lanes(job: Job) -> tuple[Lane, ...]:
    """Return what is known of a run beside its own result: of the head-only edit, and of retrained models on disk.

    From checks of other runs of the same model, data and forget set, or shipped with the example.
    """
    log, original = measure_log(Path(), job), original_of(job).weights_id
    references = trained_references(job)
    weights = {
        "original": original, "head_only": control_id(original),
        **{f"seed {seed}": file_sha256(reference.file(MODEL)) for seed, reference in references.items()},
    }  # fmt: skip
    known: dict[str, dict[str, Any]] = {name: {} for name in weights}
    for name, sha256 in weights.items():
        for measure in ("accuracies", "linear probe", "relearning"):
            same = name == "head_only" and measure == "linear probe"  # its features are the original's
            found = log.find(name, original if same else sha256, measure, (original,))
            known[name] |= found.values if found is not None else {}
    return lanes_so_far({name: values for name, values in known.items() if values})


def reference_job(
    folder: RunFolder, bench: Bench, seed: int, start: StartPart | None = None
) -> tuple[Job, Selection]:
    """Describe the retrained reference of a run: its job, and what it leaves out. `start`: as users state it."""
    job, dataset = told_job(folder, start), bench.dataset
    exclude = replace(run_selection(folder, dataset), weights=None)
    bench = replace(bench, options=DataOptions.of(job.data)).on(job.device, job.precision, job.threads)
    reference = make_train_job(
        bench, job.model.architecture, exclude=exclude, recipe=recipe_of(job)[0], user_code=job.model.user_code,
        start=start_of(job), seed=seed,
    )  # fmt: skip
    return reference, exclude


def train_reference(
    folder: RunFolder, bench: Bench, seed: int, control: Control, emit: Emit, start: StartPart | None = None
) -> RunFolder:
    """Train the retrained reference of a run, or return the one on disk; a training that was ended early goes on.

    `bench` holds the run's data; `start` says where the original's training began, where nothing else does. Raises
    StoppedError where it was stopped before its end: a half-trained reference is no reference.
    """
    place = reference_folder(told_job(folder, start), seed)
    if place.finished:  # what it began with is not needed any more
        return place
    job, exclude = reference_job(folder, bench, seed, start)
    if place.is_done:  # stopped, by a process that ended before it took the result back
        _take_back(place)
    begun = place.exists and not place.never_started
    if not begun:
        create_run(place.path, job, exclude, bench.dataset)
    state = run(place, control, emit, bench, resume=begun)
    if state is not State.FINISHED:
        _take_back(place)
        raise StoppedError("The training of the retrained reference was stopped", "Start it again to go on")
    return place


def _take_back(folder: RunFolder) -> None:
    """Remove the result of a training that was stopped; its checkpoints stay for the next time."""
    if not folder.has_result:
        return
    folder.change_status(state=State.INTERRUPTED.value)
    for name in (MODEL, MODEL_PT, CARD):
        remove(folder.file(name))


def distinct_names(models: Mapping[str, Path], taken: Collection[str]) -> dict[str, Path]:
    """Return the user's models by their names; one that is taken by another model of the report gets an addition."""
    renamed: dict[str, Path] = {}
    for name, path in models.items():
        unique, number = name, 1
        while unique in taken or unique in renamed:
            number += 1
            unique = f"{name} (brought)" if number == 2 else f"{name} (brought {number - 1})"
        renamed[unique] = path
    return renamed


def attackers_of(retrained: int) -> tuple[int, ...]:
    """Return the seeds of references for RMIA alone: a retrained model is attacked with others than itself."""
    missing = max(0, FEWEST_ATTACKERS - max(0, retrained - 1)) if retrained else FEWEST_ATTACKERS
    return tuple(range(FIRST_ATTACKER, FIRST_ATTACKER + missing))


def _was_full(folder: RunFolder, job: Job, names: Sequence[str], extra: tuple[int, ...]) -> bool:
    """Whether the report is of the full suite with retrained models of these names, and the references for RMIA are
    still on disk: then a quick check may find all of its measures again.
    """  # noqa: D205
    report = folder.report() or {}
    if report.get("suite") != FULL or set(report.get("retrained") or {}) != set(names):
        return False
    return len(known_references(job, extra)) == len(extra)


def _retraining(job: Job, trained: Mapping[int, RunFolder], brought: Mapping[str, Path]) -> dict[str, Any]:
    """Return what a report says of the retrained models: recipe, seeds and mean cost of those trained here, names."""
    if not trained and not brought:
        return {}
    return {
        "recipe": recipe_of(job)[1] if trained else None,
        "seeds": list(trained),
        "brought": sorted(brought),
        "seconds": mean_cost(trained.values(), "seconds"),
        "operations": mean_cost(trained.values(), "operations"),
    }
