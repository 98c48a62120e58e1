"""Evaluates single models, and checks a finished run against retrained references."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from core.data.splits import Splits
from core.devices import choose_device, set_threads
from core.engine.control import Control
from core.engine.full import FullOutputs, collect_full
from core.engine.states import State
from core.errors import InputError
from core.events import Event, Progress
from core.files import file_sha256
from core.models.checkpoint import open_model
from core.models.fit import check_fit
from core.runs.folder import FORGET, MODEL, RunFolder
from core.selection import Selection, read_forget_csv
from core.session import results
from core.session.opening import DataOptions, Pair, open_for, open_pair, stores, tapped
from core.session.original import cached_outputs
from core.session.training import Reference, train_reference
from core.verify import suite
from core.verify.verdict import decide

Tell = Callable[[str, int, int], None]


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

    def outputs(model, what: str) -> FullOutputs:
        tap = tapped(model, chosen, trust_code=trust_code)
        return collect_full(tap, train, test, progress=lambda done, total: progress and progress(what, done, total))

    full = outputs(pair.model, "Measuring the model")
    measures = suite.measure(full, splits)
    others: dict[str, FullOutputs] = {}
    for name, path in (references or {}).items():
        other = open_for(pair.dataset, path, trust_pickle=trust_pickle, trust_code=trust_code)
        others[name] = outputs(other, f"Measuring {name}")
    if others:
        again = [other for name, other in others.items() if name.startswith("retrained")]
        measures["distances"] = suite.distances(full, others.get("original"), again, splits)
        measures["references"] = {name: suite.measure(other, splits) for name, other in others.items()}
        retrained = [found for name, found in measures["references"].items() if name.startswith("retrained")]
        if "original" in measures["references"]:
            models = {"original": measures["references"]["original"], "unlearned": measures}
            measures["verdict"] = decide(models, retrained, set()).as_dict()
    return measures


def check(
    folder: RunFolder,
    control: Control,
    emit: Callable[[Event], None],
    *,
    pair: Pair | None = None,
    seeds: tuple[int, ...] = (),
    retrained: dict[str, Path] | None = None,
    trust_pickle: bool = False,
    trust_code: bool = False,
) -> dict[str, Any]:
    """Check a run's result anew, against retrained references, and write its report.

    `seeds` are trained on demand or taken from the shared folder of references; `retrained` names models the user
    brings. Returns report.json's content. Raises InputError where the run has no result.
    """
    job = folder.job()
    if job.kind != "unlearn" or not folder.has_result:
        raise InputError(f"{folder.path} holds no unlearned model to check", "Finish or resume the run first")

    def tell(what: str, done: int, total: int) -> None:
        emit(Progress(run=folder.id, step=0, time=time.time(), what=what, done=done, total=total))
        control.check()

    set_threads(job.threads)
    options = DataOptions.of(job.data)
    if pair is None or pair.model.sha256 != job.model.sha256 or pair.dataset.fingerprint != job.data.fingerprint:
        pair = open_pair(
            job.model.path,
            job.data.spec,
            options,
            arch=job.model.user_code or job.model.architecture,
            trust_pickle=trust_pickle,
            trust_code=trust_code,
            progress=tell,
        )
    if pair.model.sha256 != job.model.sha256 or pair.dataset.fingerprint != job.data.fingerprint:
        raise InputError("Model or data are no longer what the run was made with", "Put the original files back")
    references = [train_reference(folder, pair.dataset, seed, control, emit, trust_code=trust_code) for seed in seeds]
    device = choose_device(job.device)
    mask = torch.from_numpy(read_forget_csv(folder.file(FORGET)).mask(len(pair.dataset.train)))
    train, test = stores(pair.dataset, device, mask)

    def outputs(path: Path, what: str, arch: str | None = None) -> FullOutputs:
        model = open_model(
            path,
            arch=arch,
            input_size=pair.dataset.preprocessing.size,
            in_channels=pair.dataset.channels,
            trust_pickle=trust_pickle,
            trust_code=trust_code,
        )
        check_fit(model, pair.dataset)
        return cached_outputs(
            tapped(model, device, trust_code=trust_code),
            train,
            test,
            sha256=file_sha256(path),
            fingerprint=pair.dataset.fingerprint,
            preprocessing=job.model.preprocessing,
            progress=lambda done, total: tell(what, done, total),
        )

    arch = job.model.user_code or job.model.architecture
    original = outputs(Path(job.model.path), "Measuring the original model", arch)
    unlearned = outputs(folder.file(MODEL), "Measuring the unlearned model", arch)
    others = {f"seed {r.seed}": outputs(r.model, f"Measuring retrained, seed {r.seed}") for r in references}
    for name, path in (retrained or {}).items():
        others[name] = outputs(path, f"Measuring {name}")
    report = results.build_report(
        folder,
        job,
        pair.dataset,
        Splits.of(pair.dataset, mask),
        original,
        unlearned,
        _outcome(folder),
        others,
        _notes(references),
        tell,
    )
    tell("Writing the report", 0, 0)
    report.pop("log")
    return results.write_report(folder, job, pair.dataset, report)


def _outcome(folder: RunFolder) -> results.Outcome:
    cost = (folder.report() or {}).get("cost") or (folder.card() or {}).get("cost") or {}
    state = folder.status().state
    return results.Outcome(
        State.STOPPED if state == "stopped" else State.FINISHED,
        int(cost.get("steps") or 0),
        float(cost.get("seconds") or 0.0),
        int(cost.get("samples_seen") or 0),
    )


def _notes(references: list[Reference]) -> dict[str, Any]:
    if not references:
        return {}
    seconds = [r.seconds for r in references if r.seconds]
    return {
        "recipe": references[0].recipe_source,
        "seeds": [r.seed for r in references],
        "seconds": sum(seconds) / len(seconds) if seconds else None,
    }
