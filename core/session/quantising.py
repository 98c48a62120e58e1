"""What few bits a weight do to a run's result, said before its model is exported: whether what went comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from core.engine.control import Control
from core.errors import InputError
from core.models.few_bits import BITS
from core.runs.folder import MODEL, VERIFY, RunFolder
from core.session.bench import Bench
from core.session.forget_sets import run_selection
from core.session.measuring import measure_log
from core.verify.numbers import percent
from core.verify.recovery import NAME, quantised_accuracy
from core.verify.relearning import Ground

RECOVERED = 0.01
"""One point: so much more accuracy, beyond the interval of the weights as they are, is said to be a recovery."""


def measure_quantised(folder: RunFolder, bench: Bench) -> str:
    """Measure a run's result with weights of few bits, or find it measured, and say what came out.

    The run's data is opened where the bench does not hold it. Raises InputError where the run unlearned nothing or is
    of an encoder, and what opening model and data may raise.
    """
    job = folder.job()
    if job.kind != "unlearn":
        raise InputError(f"{folder.path} trained a model: nothing was forgotten that few bits could bring back")
    if not job.model.num_classes:
        raise InputError(
            "An encoder names no class, so its rounded weights cannot be asked what they recognise",
            "Export it without --quantised",
        )
    bench = bench.for_job(job)
    images, splits = bench.laid_out(replace(run_selection(folder, bench.dataset), weights=None))
    ground = Ground(*images, splits, bench.dataset.classes, bench.place, Control())
    model = bench.open_beside(folder.file(MODEL), arch=job.model.builder)
    bench.tell("Measuring quantised weights", 0, 0)
    take = partial(quantised_accuracy, partial(bench.network, model), ground)
    with folder.lock():
        measured = measure_log(folder.file(VERIFY), job).of("unlearned", model.weights_id)(NAME, (), take)
    return quantised_words(measured.values.get("quantised"))


def quantised_words(found: Mapping[str, Any] | None) -> str:
    """Say what few bits do to the accuracy on forget images, and on others; "" where it was not measured."""
    full = (found or {}).get("full") or {}
    if not found or not full.get("forget"):
        return ""
    said, back = [], []
    for bits in BITS:
        row = found.get(f"int{bits}") or {}
        if not row.get("forget"):
            continue
        kept = f", {percent(row['retain']['value'])} of others" if row.get("retain") else ""
        said.append(f"with {bits}-bit weights {percent(row['forget']['value'])} of forget images are recognised{kept}")
        gained = row["forget"]["value"] - full["forget"]["value"]
        if gained > RECOVERED and row["forget"]["low"] > full["forget"]["high"]:
            back.append(f"{bits} bits")
    if not said:
        return ""
    others = f" and {percent(full['retain']['value'])} of others" if full.get("retain") else ""
    text = f"Quantised: {'; '.join(said)}. As it is: {percent(full['forget']['value'])} of forget images{others}."
    return f"{text} What was forgotten comes back with {' and with '.join(back)}." if back else text
