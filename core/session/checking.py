"""Evaluates single models, and checks a finished run against retrained references."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from core.data.dataset import Dataset
from core.data.preprocessing import numbers_of
from core.data.splits import Splits
from core.devices import choose_device, set_threads
from core.engine.control import Control
from core.engine.full import FullOutputs, collect_full
from core.errors import InputError
from core.events import Event, MeasureTaken, Progress
from core.files import file_sha256
from core.job import Job
from core.models.architectures import ModelSpec, build_model, network_key
from core.models.checkpoint import OpenedModel, check_fit, open_model
from core.models.tap import TappedModel
from core.places import cache_home
from core.runs.folder import FORGET, MODEL, VERIFY, RunFolder
from core.selection import Selection, read_forget_csv
from core.session import results
from core.session.chain import original_of
from core.session.class_order import doubts_about
from core.session.measuring import FULL, QUICK, Candidate, measure_all
from core.session.near import similar_images
from core.session.opening import DataOptions, Pair, open_for, open_pair, place, stores, tapped
from core.session.original import cached_outputs
from core.session.references import FIRST_ATTACKER
from core.session.training import Reference, known_references, reference_from, train_reference
from core.states import State
from core.verify import relations, suite
from core.verify.half_widths import half_widths
from core.verify.measure_log import JUDGED, Found, MeasureLog, NotKeptError, merge
from core.verify.relearning import Ground, Network
from core.verify.verdict import decide

Tell = Callable[[str, int, int], None]

FRESH_SEED = 0
"""Of the untrained network that relearning and ZRF are held against."""

FEWEST_ATTACKERS = 2
"""References RMIA has at least; the paper's low-budget setting goes from one to four."""


def evaluate(
    pair: Pair,
    selection: Selection,
    *,
    device: str = "auto",
    threads: int = 0,
    references: dict[str, Path] | None = None,
    progress: Tell | None = None,
    trust_pickle: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Return the measures of one model for a forget set; with references also distances to them and their measures.

    An empty selection gives the measures that need no forget set. Raises ForgetSetError where it is everything.
    """
    if selection.count:
        selection.check()
    set_threads(threads)
    chosen = choose_device(device)
    mask = torch.from_numpy(selection.mask.copy())
    train, test = stores(pair.dataset, chosen, mask)
    splits = Splits.of(pair.dataset, mask)

    def outputs(model: OpenedModel, what: str) -> FullOutputs:
        tap = tapped(model, chosen, trust_code=trust_code)
        return collect_full(tap, train, test, progress=lambda done, total: progress and progress(what, done, total))

    full = outputs(pair.model, "Measuring the model")
    others: dict[str, FullOutputs] = {}
    for name, path in (references or {}).items():
        other = open_for(pair.dataset, path, trust_pickle=trust_pickle, trust_code=trust_code)
        others[name] = outputs(other, f"Measuring {name}")
    original = others.get("original")
    found = suite.take(suite.Subject(full, splits, original))
    measures = dict(found.values)
    if original is not None or pair.model.classes is None:  # a model that forgot classes may well name others for them
        doubts = doubts_about(original or full, pair.dataset)
        measures |= {"warnings": [doubt.message for doubt in doubts]} if doubts else {}
    if not others:
        return measures
    again = {name: other for name, other in others.items() if name.startswith("retrained")}
    held = relations.Others(original, list(again.values()))
    related = relations.distances(full, held, splits)
    merge(measures, {**related.values, "geometry": relations.geometry(full, held, splits)})
    measured: dict[str, Found] = {}
    for name, each in others.items():
        rest = relations.Others(original, [one for key, one in again.items() if key != name])
        own, more = suite.take(suite.Subject(each, splits, original)), relations.distances(each, rest, splits)
        measured[name] = Found({**own.values, **more.values}, {**own.samples, **more.samples})
    measures["references"] = {name: dict(one.values) for name, one in measured.items()}
    if original is not None:
        judged = Found(measures, {**found.samples, **related.samples})
        retrained = [measured[name] for name in again]
        models = {"original": measures["references"]["original"], "unlearned": measures}
        verdict = decide(models, [one.values for one in retrained], set(), intervals=half_widths(judged, retrained))
        measures["verdict"] = verdict.as_dict()
    return measures


def check(
    folder: RunFolder,
    control: Control,
    emit: Callable[[Event], None],
    *,
    pair: Pair | None = None,
    seeds: tuple[int, ...] = (),
    retrained: dict[str, Path] | None = None,
    which: str = QUICK,
    trust_pickle: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Check a run's result anew, against retrained references, and write its report.

    `seeds` are trained on demand or taken from the shared folder of references; `retrained` names models the user
    brings. `which` is the suite, "quick" or "full". Finished measures are kept in verify.jsonl and not taken again: a
    quick check of the same models as a full one before gives the full report, because nothing of it is out of date.
    Returns report.json's content. Raises InputError where the run has no result, Interrupted where `control` was told
    to end.
    """
    job = folder.job()
    if job.kind != "unlearn":
        raise InputError(f"{folder.path} trained a model, so there is nothing to check", "Name a run of `unlearn`")
    if not folder.has_result:
        raise InputError(f"{folder.path} holds no unlearned model to check", "Finish or resume the run first")
    brought = {name: reference_from(path, job) for name, path in (retrained or {}).items()}
    retrained = apart(brought, (*JUDGED, "retrained", *(f"seed {seed}" for seed in seeds)))
    if not folder.file(FORGET).is_file():
        raise InputError(f"{folder.file(FORGET)} is gone, so nobody knows what was to be forgotten")

    def tell(what: str, done: int, total: int) -> None:
        emit(Progress(run=folder.id, step=0, time=time.time(), what=what, done=done, total=total))
        control.check()

    def taken(model: str, values: Mapping[str, Any]) -> None:
        emit(MeasureTaken(run=folder.id, step=0, time=time.time(), model=model, values=dict(values)))

    trust = {"trust_pickle": trust_pickle, "trust_code": trust_code}
    with folder.lock():
        set_threads(job.threads)
        pair = _pair_of(job, pair, tell, trust)
        made = [train_reference(folder, pair.dataset, seed, control, emit, trust_code=trust_code) for seed in seeds]
        names = [*(f"seed {one.seed}" for one in made), *retrained]
        extra = _attackers(len(names))
        fully = which == FULL or _was_full(folder, names, extra)
        further = extra if fully else ()
        more = [train_reference(folder, pair.dataset, seed, control, emit, trust_code=trust_code) for seed in further]
        device = choose_device(job.device)
        mask = torch.from_numpy(read_forget_csv(folder.file(FORGET)).mask(len(pair.dataset.train)))
        train, test = stores(pair.dataset, device, mask)
        splits = Splits.of(pair.dataset, mask)
        ground = Ground(train, test, splits, pair.dataset.classes, device, control)
        opened = _Opening(job, pair.dataset, ground, tell, trust)
        original = opened.candidate("original", original_of(job)[0], "the original model")
        measure = partial(
            measure_all,
            original,
            opened.candidate("unlearned", folder.file(MODEL), "the unlearned model"),
            [
                *(opened.candidate(f"seed {r.seed}", r.model, f"retrained, seed {r.seed}") for r in made),
                *(opened.candidate(name, path, name, own=True) for name, path in retrained.items()),
            ],
            splits,
            references=[opened.candidate(f"seed {r.seed}", r.model, f"reference, seed {r.seed}") for r in more],
            ground=ground,
            fresh=opened.fresh(),
            tell=tell,
        )
        network = network_key(job.model)
        log = partial(
            MeasureLog,
            folder.file(VERIFY),
            (job.data.fingerprint, job.forget.sha256, repr(numbers_of(job.model.preprocessing)), network),
            cache_home() / "measures",
        )
        measured = None
        if which == QUICK and fully:
            with contextlib.suppress(NotKeptError):
                measured = measure(which=FULL, log=log(only_kept=True))
        measured = measured or measure(which=which, log=log(), taken=taken)
        tell("Writing the report", 0, 0)
        report = results.report_of(
            folder, job, pair.dataset, splits, measured, _outcome(folder), _notes(made, retrained),
            similar=similar_images(
                pair.dataset, splits.forget.numpy(), original.outputs, original.sha256, tell
            ).counts(),
            doubts=doubts_about(original.outputs, pair.dataset),
        )  # fmt: skip
        if job.chain:  # held against the model the run started from, which is not measured again
            report["unchanged"] = bool((folder.report() or {}).get("unchanged"))
        report.pop("log")
        return results.write_report(folder, report)


def apart(brought: Mapping[str, Path], taken: Collection[str]) -> dict[str, Path]:
    """Return models the user brings under names that no other model of the report goes by, theirs where they can."""
    found: dict[str, Path] = {}
    for name, path in brought.items():
        unique, number = name, 1
        while unique in taken or unique in found:
            number += 1
            unique = f"{name} (brought)" if number == 2 else f"{name} (brought {number - 1})"
        found[unique] = path
    return found


class _Opening:
    """Opens the models of one check and takes their outputs, from the cache where they were taken before."""

    def __init__(self, job: Job, dataset: Dataset, ground: Ground, tell: Tell, trust: dict[str, bool]) -> None:
        self._job, self._dataset, self._ground, self._tell, self._trust = job, dataset, ground, tell, trust

    def candidate(self, name: str, path: Path, what: str, *, own: bool = False) -> Candidate:
        """Return a model of the run's architecture or, with `own`, one of the user's, with its outputs."""
        arch = None if own else self._job.model.user_code or self._job.model.architecture
        model = open_model(
            path, arch=arch, input_size=self._dataset.preprocessing.size, in_channels=self._dataset.channels,
            **self._trust,
        )  # fmt: skip
        check_fit(model, self._dataset)
        network = partial(tapped, model, self._ground.device, trust_code=self._trust["trust_code"])
        sha256 = file_sha256(path)
        outputs = cached_outputs(
            network(),
            self._ground.train,
            self._ground.test,
            sha256=sha256,
            network=network_key(model.spec),
            fingerprint=self._dataset.fingerprint,
            preprocessing=self._job.model.preprocessing,
            progress=lambda done, total: self._tell(f"Measuring {what}", done, total),
        )
        return Candidate(name, sha256, outputs, network)

    def fresh(self) -> Network:
        """Return what builds an untrained network of the run's architecture, the same every time."""
        part = self._job.model
        spec = ModelSpec(part.architecture, part.num_classes, part.in_channels, part.input_size, part.user_code)

        def build() -> TappedModel:
            torch.manual_seed(FRESH_SEED)
            return place(build_model(spec, trust_code=self._trust["trust_code"]), spec, self._ground.device)

        return build


def _pair_of(job: Job, pair: Pair | None, tell: Tell, trust: dict[str, bool]) -> Pair:
    """Return the run's model and data, opened where `pair` is not them. Raises InputError where they changed."""
    if pair is None or pair.model.sha256 != job.model.sha256 or pair.dataset.fingerprint != job.data.fingerprint:
        arch = job.model.user_code or job.model.architecture
        pair = open_pair(
            job.model.path,
            job.data.spec,
            DataOptions.of(job.data),
            arch=arch,
            progress=tell,
            trust_pickle=trust["trust_pickle"],
            trust_code=trust["trust_code"],
        )
    if pair.model.sha256 != job.model.sha256 or pair.dataset.fingerprint != job.data.fingerprint:
        raise InputError("Model or data are no longer what the run was made with", "Put the original files back")
    return pair


def _attackers(retrained: int) -> tuple[int, ...]:
    """Return the seeds of further references that RMIA needs, so that a retrained model has enough beside itself."""
    missing = max(0, FEWEST_ATTACKERS - max(0, retrained - 1)) if retrained else FEWEST_ATTACKERS
    return tuple(range(FIRST_ATTACKER, FIRST_ATTACKER + missing))


def _was_full(folder: RunFolder, names: Sequence[str], extra: tuple[int, ...]) -> bool:
    """Whether the report holds the full suite against retrained models of these names, and what it was made with
    beside them is still on disk: then a quick check may find all of it again.
    """  # noqa: D205
    report = folder.report() or {}
    if report.get("suite") != FULL or set(report.get("retrained") or {}) != set(names):
        return False
    return len(known_references(folder.job(), extra)) == len(extra)


def _outcome(folder: RunFolder) -> results.Outcome:
    cost = (folder.report() or {}).get("cost") or (folder.card() or {}).get("cost") or {}
    state = folder.status().state
    return results.Outcome(
        State.STOPPED if state == "stopped" else State.FINISHED,
        int(cost.get("steps") or 0),
        float(cost.get("seconds") or 0.0),
        int(cost.get("samples_seen") or 0),
        cost.get("operations"),
    )


def _notes(references: list[Reference], brought: dict[str, Path]) -> dict[str, Any]:
    if not references and not brought:
        return {}
    seconds = [r.seconds for r in references if r.seconds]
    operations = [r.operations for r in references if r.operations]
    return {
        "recipe": references[0].recipe_source if references else None,
        "seeds": [r.seed for r in references],
        "brought": sorted(brought),
        "seconds": sum(seconds) / len(seconds) if seconds else None,
        "operations": sum(operations) / len(operations) if operations else None,
    }
