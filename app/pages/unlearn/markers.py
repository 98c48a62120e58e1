"""Markers beside a run's curves: what was measured earlier of other models for the same forget set."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.job import Job
from core.runs.folder import RunFolder
from core.session.references import jobs_in, same_forget_set, trained_references


@dataclass(frozen=True)
class Marker:
    """A model's values on unseen images (forget images for sample forgetting), 0..1; None where not measured."""

    model: str  # a model's key as in reports: original, head_only, retrained
    retain_accuracy: float | None = None
    forget_accuracy: float | None = None
    alignment: float | None = None
    k: int | None = None

    def or_else(self, other: Marker) -> Marker:
        """Fill the values that are None here with those of `other`."""
        names = ("retain_accuracy", "forget_accuracy", "alignment", "k")
        return replace(self, **{n: getattr(other, n) for n in names if getattr(self, n) is None})


def markers(job: Job, runs_folder: Path | None = None) -> tuple[Marker, ...]:
    """Return markers from reports and references on disk; the run's own events add to them while it goes.

    Reads files only. Damaged ones are left out.
    """
    if job.forget.mode == "none":
        return ()
    by_sample = job.forget.mode == "sample"
    markers_of: dict[str, Marker] = {}
    for run in trained_references(job).values():
        with contextlib.suppress(Exception):
            _add(markers_of, _of_reference(run, by_sample))
    for report in _reports(job, runs_folder):
        for key, measures in (report.get("models") or {}).items():
            if key in ("original", "head_only", "retrained") and isinstance(measures, Mapping):
                _add(markers_of, _of_measures(key, measures, by_sample))
    order = ("original", "head_only", "retrained")
    return tuple(sorted(markers_of.values(), key=lambda marker: order.index(marker.model)))


def _reports(job: Job, runs_folder: Path | None) -> Iterable[Mapping[str, Any]]:
    if runs_folder is None or not runs_folder.is_dir():
        return
    for run, done in jobs_in(runs_folder):
        if done.kind == "unlearn" and same_forget_set(job, done) and done.model.sha256 == job.model.sha256:
            with contextlib.suppress(Exception):
                report = run.report()
                if report:
                    yield report


def _of_reference(run: RunFolder, by_sample: bool) -> Marker:
    """Read the last full measurements a training recorded: its forget set is what it left out."""
    marker = Marker("retrained")
    for event in reversed(run.events()):
        if event.get("scope") != "full":
            continue
        if event.get("type") == "evaluation" and marker.retain_accuracy is None:
            forget = event.get("forget_accuracy") if by_sample else event.get("forget_test_accuracy")
            marker = replace(marker, retain_accuracy=event.get("retain_test_accuracy"), forget_accuracy=forget)
        elif event.get("type") == "alignment" and marker.alignment is None:
            marker = replace(marker, alignment=event.get("value"), k=event.get("k"))
    return marker


def _of_measures(key: str, measures: Mapping[str, Any], by_sample: bool) -> Marker:
    alignment = measures.get("dimensional_alignment") or {}
    forget = measures.get("forget_accuracy") if by_sample else measures.get("forget_test_accuracy")
    return Marker(key, measures.get("retain_test_accuracy"), forget, alignment.get("value"), alignment.get("k"))


def _add(markers_of: dict[str, Marker], marker: Marker) -> None:
    before = markers_of.get(marker.model)
    markers_of[marker.model] = before.or_else(marker) if before else marker
