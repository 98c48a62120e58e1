"""What a run writes when it has ended: the model in two forms, the model card, the report."""

from __future__ import annotations

import datetime
import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.data.canaries import learnt_canaries
from core.data.dataset import Dataset
from core.data.splits import Splits
from core.engine.experiment import facts_of
from core.engine.outputs import FullOutputs
from core.events import Tell
from core.files import dumps_pretty, file_sha256, read_bytes
from core.job import Job
from core.leftovers import remove
from core.methods import method_of
from core.models.formats import write_safetensors, write_same
from core.models.weights import CheckpointForm
from core.parameters import resolve
from core.runs.folder import (
    CARD,
    EVENTS,
    FORGET,
    JOB,
    MODEL,
    MODEL_PT,
    REPORT_HTML,
    REPORT_JSON,
    SIGNATURE,
    VERIFY,
    RunFolder,
)
from core.session.bench import original_of
from core.session.caveats import caveats, is_unchanged, unchanged_since_start
from core.session.measuring import Candidate, Measurements, Measuring, measure_log
from core.session.near import similar_images
from core.session.starts import start_card, start_of
from core.session.suspects import Stamped
from core.verify import relations
from core.verify.correction import decide_correction
from core.verify.measure_log import SUITE_VERSION
from core.verify.plugged import plugged
from core.verify.report import render_report
from core.verify.verdict import Forgotten, decide
from core.version import VERSION

SCHEMA_VERSION = 1
SUMMARY_KEYS = ("retain_accuracy", "forget_accuracy", "retain_test_accuracy", "forget_test_accuracy", "probe", "nmi")
NO_COST = {"seconds": 0.0, "steps": 0, "samples_seen": 0, "operations": None}
REPORTED_FILES = (MODEL, MODEL_PT, CARD, JOB, FORGET, EVENTS)
"""Files that a report names with their SHA-256, beside its page: none of them changes once a run has ended."""


def write_models(folder: RunFolder, job: Job, module: nn.Module) -> None:
    """Write model.safetensors, and model.pt with the keys, types and wrapper of the file that came in."""
    state = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    write_safetensors(
        folder.file(MODEL),
        state,
        {"architecture": job.model.architecture, "job_sha256": folder.job_sha256(), "app_version": VERSION},
    )
    write_as_it_came(folder, job, state)


def write_as_it_came(folder: RunFolder, job: Job, state: Mapping[str, Tensor]) -> None:
    """Write model.pt with the keys, types and wrapper of the file that came in."""
    form = CheckpointForm.from_dict(job.model.form) if job.model.form else CheckpointForm("pt")
    write_same(folder.file(MODEL_PT), state, replace(form, format="pt"))


@dataclass(frozen=True, eq=False)
class Result:
    """A run that has ended, on its data: what its card and its report are written from.

    cost: seconds of training and monitoring, pauses left out; steps; samples_seen; floating-point operations of
    training, evaluations left out (None where nobody counted them). doubts: what is doubtful about the original.
    """

    folder: RunFolder
    job: Job
    dataset: Dataset
    splits: Splits
    state: str  # "finished" or "stopped"
    cost: dict[str, Any]
    doubts: tuple[str, ...] = ()

    def report(
        self,
        measured: Measurements,
        *,
        retraining: dict[str, Any] | None = None,
        tell: Tell | None = None,
    ) -> dict[str, Any]:
        """Put together report.json from measurements, without the hashes that `write_report` adds.

        `log` holds the caveats once more, for the event log: the caller takes them out. `retraining`: recipe, seeds and
        mean cost of the retrained models.
        """
        job, dataset, splits = self.job, self.dataset, self.splits
        method = method_of(job)
        models, references = measured.models, measured.retrained
        if job.forget.corrective:
            known = job.forget.trigger is not None
            verdict = decide_correction(models, list(references.values()), job.forget.count, known)
        else:
            verdict = decide(
                models, list(references.values()), set(method.trained_on), forgotten=Forgotten.of(splits),
                half_widths=measured.half_widths,
            )  # fmt: skip
        parameters = {p.name: job.parameters[p.name] for p in method.parameters if p.name in job.parameters}
        values = resolve(method.parameters, parameters, owner=method.id)
        retraining = retraining or {}
        origin = original_of(job)
        similar = similar_images(dataset, splits.forget.numpy(), tell=tell)
        said = caveats(models, splits, method, values, facts_of(splits, job.purpose))
        return {
            **_made(),
            "run": self.folder.id,
            "state": self.state,
            "forget_classes": list(job.forget.class_names),
            "forget_count": job.forget.count,
            "forget_mode": job.forget.mode,
            **({"forget_purpose": job.forget.purpose} if job.forget.purpose else {}),
            "forget_similar": {"count": job.forget.similar, "threshold": job.forget.similar_from},
            "total": job.forget.total,
            "chain": [asdict(request) for request in job.requests],
            "similar_kept": similar.counts(),
            "method": method.id,
            "method_details": {
                "title": method.title,
                "status": method.status,
                "citation": method.citation,
                "preset": job.preset,
                "parameters": job.parameters,
                "notes": list(method.notes),
            },
            "dataset": {
                "spec": job.data.spec, **_described(dataset), "classes": list(dataset.classes),
                "notices": list(job.data.notices), "test_images": len(dataset.test),
            },
            "model": {
                "path": Path(origin.path).name,
                "sha256": origin.sha256,
                "architecture": job.model.architecture,
                "encoder": not job.model.num_classes,
            },
            "preprocessing": {
                **dataset.preprocessing.to_dict(),
                "transforms": dataset.preprocessing.transforms,
                "words": dataset.preparation,
            },
            "suite": measured.suite,
            "suite_version": SUITE_VERSION,
            "models": models,
            **({"plugin_measures": measured.declared} if measured.declared else {}),
            "retrained": references,
            "retrained_notes": retraining,
            "verdict": verdict.as_dict(),
            "closure": {row.key: row.closure for row in verdict.measures},
            "published": measured.published,
            "cost": {
                **self.cost,
                "share_of_retraining": _share(self.cost["seconds"], retraining.get("seconds")),
                "operations_share": _share(self.cost["operations"], retraining.get("operations")),
            },
            "unchanged": is_unchanged(models, splits),
            "proof": job.model.proof or None,
            "start": None if (start := start_of(job)) is None else {**start_card(start), "said_by": start.said_by},
            "warnings": [
                *self.doubts, *(caveat.message for caveat in said), *(one.text for one in plugged().left_out),
            ],
            "seed": job.seed,
            "device": job.device,
            "precision": _precision_taken(self.folder) or job.precision,
            "measured_in": "float32",  # outputs are taken so whatever the run computed in
            "libraries": job.libraries,
            "machine": {"system": platform.platform(terse=True), "processor": platform.machine()},
            "log": said,
        }

    def report_of_run(
        self, original: Candidate, start: FullOutputs, unlearned: Candidate, stamped: Stamped | None, tell: Tell
    ) -> dict[str, Any]:
        """Measure the result of a run against its original; returns what `report` does.

        `start`: outputs of the model the run started from, in a chain of requests not the original; `stamped`: images
        that carry the trigger of a corrective job. `tell` is called
        before each measure of each model and may raise to interrupt. Measures that another run took of the original
        are found again, and a check finds those of this run's result.
        """
        log = measure_log(self.folder.file(VERIFY), self.job)
        measured = Measuring(
            original, unlearned, (), self.splits, encoder=not self.job.model.num_classes, log=log, tell=tell,
            stamped=stamped,
        ).run()  # fmt: skip
        report = self.report(measured, tell=tell)
        if start is not original.outputs:  # "unchanged" means since the start: earlier requests changed the original
            moved = relations.distances(unlearned.outputs, relations.Others(start, []), self.splits).values["distances"]
            caveat = unchanged_since_start(moved)
            report["unchanged"] = caveat is not None
            if caveat is not None:
                report["log"] = (caveat, *(earlier for earlier in report["log"] if earlier.code != caveat.code))
                report["warnings"] = [*self.doubts, *(said.message for said in report["log"])]
        return report

    def write_card(self, measures: dict[str, Any]) -> None:
        """Write the model card with the measures of the run's own model.

        A report names the card by its hash, so the card is written before it, and a later check does not change it.
        """
        folder, job, dataset = self.folder, self.job, self.dataset
        card = {
            **_made(),
            "architecture": job.model.architecture,
            "user_code": job.model.user_code,
            "num_classes": job.model.num_classes,
            "in_channels": job.model.in_channels,
            "input_size": list(job.model.input_size),
            "image_size": list(dataset.image_size),
            "image_channels": dataset.stored_channels,
            "classes": list(dataset.classes),
            "preprocessing": dataset.preprocessing.to_dict(),
            "transforms": dataset.preprocessing.transforms,  # the same for readers of other programs
            "dataset": _described(dataset),
            "kind": job.kind,
            "method": job.method,
            "seed": job.seed,
            "job_sha256": folder.job_sha256(),
            "forgotten": job.forget.as_dict(),
            "measures": summary(measures),
            "cost": self.cost,
            "files": _hashes(folder, (MODEL, MODEL_PT)),
        }
        if (start := start_of(job)) is not None:
            card["start"] = start_card(start)
        if job.kind == "train":
            card["recipe"] = job.parameters
            if (count := int(job.parameters.get("canaries") or 0)) > 0:
                card["canaries"] = {"indices": torch.nonzero(learnt_canaries(self.splits, count)).flatten().tolist()}
        else:
            original = original_of(job)
            card["original"] = {"sha256": original.sha256, "name": Path(original.path).name}
            card["chain"] = [asdict(request) for request in job.requests]
        folder.write(CARD, dumps_pretty(card))


def write_report(folder: RunFolder, report: dict[str, Any]) -> dict[str, Any]:
    """Write report.html and report.json with the SHA-256 of the files it names; returns the report with these.

    The page names the files but itself; its own hash stands in report.json, so that who signs that signs the page. The
    signature of a report that said anything else is removed, because it does not hold for this one. So is its page, to
    come back last: a run without one says so, and a resume writes it from the report.
    """
    files = _hashes(folder, REPORTED_FILES)
    page = render_report({**report, "files": files}, folder.events()).encode()
    report = {**report, "files": {**files, REPORT_HTML: hashlib.sha256(page).hexdigest()}}
    data = dumps_pretty(report)
    if not folder.holds(REPORT_JSON) or read_bytes(folder.file(REPORT_JSON), follow=False) != data:
        remove(folder.file(SIGNATURE))
        remove(folder.file(REPORT_HTML))
    folder.write(REPORT_JSON, data)
    folder.write(REPORT_HTML, page)
    return report


def summary(measures: dict[str, Any]) -> dict[str, Any]:
    """Return those measures of a model that its card and the end of its run state."""
    return {key: measures[key] for key in SUMMARY_KEYS if key in measures}


def _made() -> dict[str, Any]:
    """Return what card and report begin with: when they were made, and by which version."""
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"schema_version": SCHEMA_VERSION, "created": created, "app_version": VERSION}


def _described(dataset: Dataset) -> dict[str, Any]:
    """Return what card and report say of the data."""
    return {"title": dataset.title, "fingerprint": dataset.fingerprint, "test_origin": dataset.test_origin}


def _hashes(folder: RunFolder, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of those of a run's files that are there."""
    return {name: file_sha256(folder.file(name), follow=False) for name in names if folder.holds(name)}


def _precision_taken(folder: RunFolder) -> str | None:
    """Return the precision a run's steps were computed in, as its events state it; None where they do not.

    A job may only say "auto".
    """
    stated = [event.get("precision") for event in folder.events() if event.get("type") == "run_started"]
    return str(stated[-1]) if stated and stated[-1] else None


def _share(cost: float | None, of_retraining: float | None) -> float | None:
    """Return a cost as a share of retraining's; None where either is not known."""
    return cost / of_retraining if cost is not None and of_retraining else None
