"""Markers beside a run's curves: what was measured earlier of other models for the same forget set."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.job import Job
from core.runs.folder import RunFolder
from core.session.references import jobs_in, same_forget_set, trained_references
from core.verify.numbers import mean
from core.verify.table import Report, model_measures, retrained_models

MODELS = ("original", "head_only", "retrained")  # keys as in reports
VALUES = ("retain_accuracy", "forget_accuracy", "alignment", "k")
Values = Mapping[str, float | None]  # one model's, by VALUES


@dataclass(frozen=True)
class Marker:
    """A model's values on test images (forget images for sample forgetting), 0..1; None where not measured.

    Those of retrained models are the mean over them, as on Verify.
    """

    model: str
    retain_accuracy: float | None = None
    forget_accuracy: float | None = None
    alignment: float | None = None
    k: float | None = None


def markers(job: Job, runs_folder: Path | None = None, own: Report | None = None) -> tuple[Marker, ...]:
    """Return markers from reports and references on disk; the run's own events add to them while it goes.

    The run's `own` report counts most, then what retrained models recorded, then reports of other runs. Reads files
    only. Damaged ones are left out.
    """
    if job.forget.mode == "none":
        return ()
    forget = "forget_accuracy" if job.forget.mode == "sample" else "forget_test_accuracy"
    trained, others = [], []
    for run in trained_references(job).values():
        with contextlib.suppress(Exception):
            trained.append(_of_training(run, forget))
    for run, done in jobs_in(runs_folder) if runs_folder is not None and runs_folder.is_dir() else ():
        if done.kind == "unlearn" and same_forget_set(job, done) and done.model.sha256 == job.model.sha256:
            with contextlib.suppress(Exception):
                others.append(_of_report(run.report() or {}, forget))
    sources = [_of_report(own or {}, forget), {"retrained": trained}, *others]
    found = []
    for model in MODELS:
        means = [{name: mean(one[name] for one in source.get(model, ())) for name in VALUES} for source in sources]
        values = {name: next((one[name] for one in means if one[name] is not None), None) for name in VALUES}
        if any(value is not None for value in values.values()):
            found.append(Marker(model, **values))
    return tuple(found)


def _of_training(run: RunFolder, forget: str) -> Values:
    """Return the last full measurements a training recorded: its forget set is what it left out."""
    last = {event.get("type"): event for event in run.events() if event.get("scope") == "full"}
    return _values({**last["evaluation"], "dimensional_alignment": last.get("alignment")}, forget)


def _of_report(report: Report, forget: str) -> dict[str, list[Values]]:
    models = {key: [model_measures(report, key)] for key in MODELS} | {"retrained": retrained_models(report)}
    return {key: [_values(measures, forget) for measures in found] for key, found in models.items()}


def _values(measures: Mapping[str, Any], forget: str) -> Values:
    alignment = measures.get("dimensional_alignment") or {}
    accuracies = (measures.get("retain_test_accuracy"), measures.get(forget))
    return dict(zip(VALUES, (*accuracies, alignment.get("value"), alignment.get("k")), strict=True))
