"""What a run came to: its measures in a table, sentences, and where its files lie; the same as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.cli.output import facts, shown, table, wrapped
from core.job import Job
from core.runs.folder import CARD, MODEL, MODEL_PT, REPORT_HTML, REPORT_JSON, RunFolder
from core.session.library import request_lines
from core.verify.numbers import DASH, count, duration, percent, ratio
from core.verify.table import MODELS

TITLES = MODELS | {"model": "This model"}
FILES = {"model": MODEL, "model_pt": MODEL_PT, "card": CARD, "report": REPORT_HTML, "report_json": REPORT_JSON}


def measures_table(models: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Lay out measures of models side by side, without models that have none and measures that no model has."""
    measured = {name: measures for name, measures in models.items() if measures}
    columns = {title: [text(measures) for measures in measured.values()] for title, text in _COLUMNS}
    columns = {title: cells for title, cells in columns.items() if any(cell != DASH for cell in cells)}
    return table(["", *columns], zip((TITLES.get(name, name) for name in measured), *columns.values(), strict=True))


def result_text(folder: RunFolder) -> str:
    """Say what a run with a result came to."""
    job, report, card = folder.job(), folder.report(), folder.card() or {}
    blocks = [_headline(folder, job, card)]
    if report is not None:
        if job.requests:
            blocks.append("\n".join(["Requests together:", *request_lines(job)]))
        blocks += [measures_table(report.get("models") or {}), *_notes(report)]
    else:
        blocks.append(_training_table(job, card.get("measures") or {}))
    blocks.append(facts(_places(folder)))
    return "\n\n".join(block for block in blocks if block)


def result_document(folder: RunFolder) -> dict[str, Any]:
    """Return what `result_text` says as plain data; accuracies and ratios are 0..1."""
    job, status, report, card = folder.job(), folder.status(), folder.report() or {}, folder.card() or {}
    document: dict[str, Any] = {
        "run": str(folder.path),
        "kind": job.kind,
        "state": status.state,
        "step": status.step,
        "steps": status.steps,
        "seconds": (report.get("cost") or card.get("cost") or {}).get("seconds"),
        "method": job.method,
        "preset": job.preset,
        "tuning": job.tuning,
        "chain": job.requests,
        "forget": job.forget.as_dict(),
        "files": {name: str(folder.file(file)) for name, file in FILES.items() if folder.file(file).is_file()},
    }
    if report:
        document |= {key: report.get(key) for key in ("models", "verdict", "unchanged", "warnings", "proof")}
    else:
        document["measures"] = card.get("measures") or {}
    return document


def _headline(folder: RunFolder, job: Job, card: Mapping[str, Any]) -> str:
    """Say in a sentence what the run did and how long it took, or at which step it was stopped."""
    cost, status = card.get("cost") or {}, folder.status()
    seconds = duration(cost.get("seconds"))
    if job.kind == "train":
        without = "" if job.forget.mode == "none" else f" without {job.forget_text}"
        done, what = "Trained", f"{job.model.architecture} on {job.data.spec}{without}"
    else:
        preset = f", preset {job.preset}" if job.preset else ""
        done, what = "Unlearned", f"{job.forget_text} with {_title(folder, job)}{preset}"
    if status.state != "stopped":
        return f"{done} {what} in {seconds}."
    steps = f"{count(status.step)} of {count(status.steps)}"
    return f"Stopped at step {steps} after {seconds}: {what}. The model is kept as it was then."


def _title(folder: RunFolder, job: Job) -> str:
    """Return the method's title: as its report has it, which needs no package that may be gone, else as it is now."""
    from core.methods import methods

    told = ((folder.report() or {}).get("method_details") or {}).get("title")
    return str(told or getattr(methods().get(job.method), "title", job.method))


def _training_table(job: Job, measures: Mapping[str, Any]) -> str:
    """Return the accuracies of a trained model; beside those of what it was trained without, as a table."""
    if job.forget.mode != "none":
        return measures_table({"model": measures})
    train, test = (percent(measures.get(name)) for name in ("retain_accuracy", "retain_test_accuracy"))
    return f"Accuracy: train {train}, test {test}."


def _notes(report: Mapping[str, Any]) -> Iterable[str]:
    """Yield what must stand below the measures: what they are taken on, warnings, and the sentence of the verdict."""
    from core.verify.table import judged

    if images := judged(report):
        yield wrapped(f"Test columns: on {images}; the others serve stop rules, tuning and attacks.")
    if any((m or {}).get("dimensional_alignment") for m in (report.get("models") or {}).values()):
        yield "DA: dimensional alignment at k directions, which hold that share of the retain energy; not centred."
    if report.get("warnings"):
        yield "\n".join(wrapped(f"Warning: {text}") for text in report["warnings"])
    if sentence := (report.get("verdict") or {}).get("sentence"):
        yield wrapped(sentence)


def _places(folder: RunFolder) -> list[tuple[str, str]]:
    """Return where the files of the run lie, with what they are."""
    rows = [("Run folder", shown(folder.path))]
    labels = {MODEL: "Checkpoint", MODEL_PT: "", CARD: "Model card", REPORT_HTML: "Report"}
    notes = {MODEL_PT: "  (keys and types of the file that came in)"} if folder.job().model.form else {}
    for name, label in labels.items():
        if folder.file(name).is_file():
            rows.append((label, f"{shown(folder.file(name))}{notes.get(name, '')}"))
    return rows


def _alignment(measures: Mapping[str, Any]) -> str:
    alignment = measures.get("dimensional_alignment")
    if not alignment or alignment.get("value") is None:
        return DASH
    return f"{ratio(alignment['value'])} (k {alignment['k']}, {percent(alignment.get('energy'))})"


_COLUMNS = (
    ("retain", lambda m: percent(m.get("retain_accuracy"))),
    ("forget", lambda m: percent(m.get("forget_accuracy"))),
    ("retain-test", lambda m: percent(m.get("retain_test_accuracy"))),
    ("forget-test", lambda m: percent(m.get("forget_test_accuracy"))),
    ("linear probe", lambda m: percent((m.get("probe") or {}).get("forget"))),
    ("NMI", lambda m: ratio(m.get("nmi"))),
    ("DA", _alignment),
)
