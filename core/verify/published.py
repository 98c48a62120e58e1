"""The field's own measures of all models of a report, each beside the value a retrained model gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.metrics import published as metrics
from core.metrics.accuracy import accuracy
from core.metrics.distances import agreement
from core.metrics.rows import Rows
from core.verify.numbers import mean
from core.verify.table import catalogue

Row = dict[str, float | None]


def own_measures(
    accuracies: Mapping[str, Any], full: FullOutputs, splits: Splits, random_logits: Tensor | None
) -> Row:
    """Return what needs one model alone: UA, RA, TA, the confidence attack, and ZRF against a random network.

    `accuracies`: the model's measures, whose accuracies UA, RA and TA are. `random_logits`: (n, K) of a randomly
    initialised network on the forget set.
    """
    retain = cast(Tensor, Rows(full.train.logits, splits.retain_train)), splits.labels[splits.retain_train]
    forget = full.train.logits[splits.forget_train], splits.labels[splits.forget_train]
    unseen = full.test.logits[splits.evaluation], splits.test_labels[splits.evaluation]
    forgotten = accuracies["forget_accuracy"]
    values: Row = {
        "ua": None if forgotten is None else 1 - forgotten,
        "ra": accuracies["retain_accuracy"],
        "ta": accuracies["retain_test_accuracy"],
        "ta_all": accuracy(*unseen),
        "mia": metrics.svc_confidence(retain, unseen, forget),
    }
    if random_logits is not None:
        values["zrf"] = metrics.zrf(forget[0], random_logits)
        values["zrf_paper_code"] = metrics.zrf_paper_code(forget[0], random_logits)
    return values


def relative_measures(full: FullOutputs, retrained: Sequence[FullOutputs], splits: Splits) -> Row:
    """Return activation distance and completeness on the forget set, as means over retrained models."""
    logits = full.train.logits[splits.forget_train]
    others = [each.train.logits[splits.forget_train] for each in retrained]
    return {
        "activation_distance": mean([metrics.activation_distance(logits, other) for other in others]),
        "completeness": mean([agreement(logits, other) for other in others if len(other)]),
    }


def completed(rows: Mapping[str, Row], retrained: Sequence[str], by_class: bool) -> dict[str, Row]:
    """Add what follows from the measures of several models: gaps, ToW, AIN, AUS. `rows`: by model, `retrained` names.

    A retrained model is compared with the mean of the others: its row is the noise floor. The row `retrained` is the
    mean over them.
    """
    models = {name: dict(row) for name, row in rows.items()}
    for name, row in models.items():
        others = [rows[other] for other in retrained if other != name]
        target = {key: mean([other.get(key) for other in others]) for key in (*metrics.GAP_TERMS, "relearn_batches")}
        row["average_gap"] = metrics.average_gap(row, target) if others else None
        row["tow"] = metrics.tug_of_war(row, target) if others else None
        row["tow_mia"] = metrics.tug_of_war(row, target, "mia") if others else None
        row["ain"] = metrics.anamnesis_index(row.get("relearn_batches"), target["relearn_batches"])
        forgotten = None if row.get("ua") is None else 1 - (row["ua"] or 0.0)
        row["aus"] = metrics.adaptive_unlearning_score(rows["original"].get("ta"), row.get("ta"), forgotten, by_class)
    if retrained:
        taken = {key for name in retrained for key in models[name]}
        models["retrained"] = {key: mean(models[name].get(key) for name in retrained) for key in taken}
    keys = (*(entry.paths[0] for entry in catalogue("published")), "relearn_batches")
    return {name: {key: row.get(key) for key in keys} for name, row in models.items()}
