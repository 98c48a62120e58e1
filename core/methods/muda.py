"""MUDA (reconstruction): forget by dimensional alignment and self-distillation, recover on the retain set, in turn.

Documented (arXiv 2407.17710, partly through second-hand descriptions): the alignment ratio, the loss -DA^2, the use of
a self-distillation loss and of an alternating scheme. Everything else here is our choice, made by measurement: the
masked teacher, which samples, the schedule and every constant.

    for round in 1..rounds:
        U <- k leading eigenvectors of the retain features' Gram matrix (current network, eval mode, float64)
        forget:  L = w_da * (1 - DA^2(batch | U)) + w_sd * KL(masked teacher || student)      batches of the forget set
        recover: L = CE [+ w_kd * KL(teacher without the forgotten classes || student)]       batches of the retain set

(1 - DA^2 instead of -DA^2: the same gradient, and a loss that ends at 0.)

For single samples alignment carries no signal (their classes stay), so there the forget phase draws the losses of the
forget samples to where losses of unseen samples lie, and distils from the unmasked original.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from core.data.batches import Batch
from core.methods.base import (
    Alternate,
    Aux,
    Context,
    Facts,
    Length,
    Method,
    Preset,
    SearchRange,
    Stage,
    StageOutput,
    Terms,
    Train,
)
from core.methods.common import optimiser_of
from core.methods.losses import hidden_classes, masked_distillation, quantile_matching
from core.methods.muda_parameters import PARAMETERS
from core.metrics.alignment import alignment_squared
from core.metrics.linear_algebra import eigenspectrum, gram, k_for_energy, leading_eigenvectors
from core.parameters import Values

BASIS_SAMPLES = 4000  # retain samples behind the basis: the leading directions are settled far below this
STOP_SAMPLES = 2000  # samples of each set looked at by the stop rule


def retain_basis(context: Context) -> Aux:
    """Return what stays constant during a forget phase: a basis per layer, unseen losses, the forgotten classes."""
    values = context.values
    aux: Aux = {"forget_classes": torch.tensor(context.forget_classes, dtype=torch.int64, device=context.device)}
    if context.forget_classes and values.w_da > 0:
        for index, features in enumerate(context.layer_features("retain", limit=BASIS_SAMPLES)):
            mean = features.mean(dim=0) if values.centred else torch.zeros_like(features[0])
            matrix = gram(features - mean)
            k = directions(values, matrix, context.num_classes - len(context.forget_classes))
            aux[f"basis_{index}"] = leading_eigenvectors(matrix, k).to(context.device, torch.float32)
            aux[f"mean_{index}"] = mean.to(context.device, torch.float32)
    aux["unseen_losses"] = context.losses("unseen", limit=STOP_SAMPLES).sort().values
    return aux


def directions(values: Values, matrix: torch.Tensor, retain_classes: int) -> int:
    """Return k by the chosen rule, at least 1 and below the number of features (k = C says nothing)."""
    if values.k_rule == "classes":
        k = retain_classes
    elif values.k_rule == "energy":
        k = k_for_energy(eigenspectrum(matrix), values.k_energy)
    else:
        k = values.k_number
    return max(1, min(int(k), len(matrix) - 1))


def alignment_terms(out: StageOutput, weights: torch.Tensor, aux: Aux) -> torch.Tensor:
    """Return 1 - DA^2 of the batch, averaged over the tapped layers. weights: (n,) of the rows in the Gram matrix."""
    scale = weights.sqrt()[:, None]  # a zero row adds nothing
    layers = (*out.layers, out.features)
    parts = []
    for index, features in enumerate(layers):
        centred = (features - aux[f"mean_{index}"]) * scale
        parts.append(1 - alignment_squared(centred, aux[f"basis_{index}"]))
    return torch.stack(parts).mean()


def forget_classes(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Loss of the forget phase for whole classes."""
    assert out.teacher is not None
    terms: Terms = {}
    if values.w_da > 0:
        terms["alignment"] = values.w_da * alignment_terms(out, batch.weights, aux)
    if values.w_sd > 0:
        hidden = hidden_classes(values.mask, batch.labels, out.logits.shape[1], aux["forget_classes"])
        terms["distillation"] = values.w_sd * masked_distillation(
            out.logits, out.teacher, hidden, values.temperature, values.direction, batch.weights
        )
    return _summed(terms, out)


def forget_samples(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Loss of the forget phase for single samples: their losses move to where unseen losses lie."""
    assert out.teacher is not None
    terms: Terms = {}
    if values.w_match > 0:
        losses = F.cross_entropy(out.logits, batch.labels, reduction="none")
        terms["loss matching"] = values.w_match * quantile_matching(losses, aux["unseen_losses"], batch.weights)
    if values.w_sd > 0:
        none = torch.zeros_like(out.logits, dtype=torch.bool)
        terms["distillation"] = values.w_sd * masked_distillation(
            out.logits, out.teacher, none, values.temperature, values.direction, batch.weights
        )
    return _summed(terms, out)


def forget_mixed(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Loss for classes and single samples together: each row by its own kind."""
    assert out.teacher is not None
    of_class = torch.isin(batch.labels, aux["forget_classes"])
    terms: Terms = {}
    if values.w_da > 0:
        terms["alignment"] = values.w_da * alignment_terms(out, batch.weights * of_class, aux)
    if values.w_match > 0 and not bool(of_class.all()):
        losses = F.cross_entropy(out.logits[~of_class], batch.labels[~of_class], reduction="none")
        matched = quantile_matching(losses, aux["unseen_losses"], batch.weights[~of_class])
        terms["loss matching"] = values.w_match * matched
    if values.w_sd > 0:
        hidden = hidden_classes(values.mask, batch.labels, out.logits.shape[1], aux["forget_classes"])
        hidden = hidden & of_class[:, None]
        terms["distillation"] = values.w_sd * masked_distillation(
            out.logits, out.teacher, hidden, values.temperature, values.direction, batch.weights
        )
    return _summed(terms, out)


def recover(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Loss of the recover phase."""
    terms = {"classification": F.cross_entropy(out.logits, batch.labels)}
    if values.w_kd > 0:
        assert out.teacher is not None
        hidden = torch.zeros_like(out.logits, dtype=torch.bool)
        hidden[:, aux["forget_classes"]] = True
        terms["retain distillation"] = values.w_kd * masked_distillation(
            out.logits, out.teacher, hidden, values.temperature, values.direction
        )
    return _summed(terms, out)


def forgotten(context: Context) -> bool:
    """Stop rule: forget accuracy at its goal and, for whole classes, alignment at its own."""
    values = context.values
    if context.accuracy("forget", limit=STOP_SAMPLES) > values.stop_accuracy:
        return False
    if not context.forget_classes or values.w_da == 0:
        return True
    matrix = gram(context.features("retain", limit=BASIS_SAMPLES))
    basis = leading_eigenvectors(matrix, directions(values, matrix, context.num_classes - len(context.forget_classes)))
    reached = alignment_squared(context.features("forget", limit=STOP_SAMPLES).double(), basis.double())
    return math.sqrt(float(reached)) >= values.stop_alignment


def plan(values: Values, facts: Facts) -> list[Stage]:
    """Lay out forget and recover phases, alternating per round or per batch."""
    loss = {"class": forget_classes, "sample": forget_samples, "mixed": forget_mixed}[facts.mode]
    tunes = f"last-{values.last_blocks}" if values.last_blocks else "all"
    until = forgotten if values.stop_rule == "when forgotten" else None
    recover_lr = values.lr * values.recover_lr_factor
    forget_steps = _steps(values.forget_epochs * facts.forget, values)
    recover_steps = _steps(values.recover_share * facts.retain, values)
    stages: list[Stage] = []
    for number in range(1, values.rounds + 1):
        forget_stage = Train(
            name=f"forget, round {number} of {values.rounds}",
            phase="forget",
            reads="forget",
            loss=loss,
            length=Length(steps=forget_steps),
            batch=values.batch,
            optimiser=optimiser_of(values, span="run"),
            refresh=retain_basis,
            refresh_every=values.refresh_every,
            batch_norm=values.batch_norm,
            tunes=tunes,
            needs=frozenset({"teacher", "features"}),
            augment=False,
        )
        recover_stage = Train(
            name=f"recover, round {number} of {values.rounds}",
            phase="recover",
            reads="retain",
            loss=recover,
            length=Length(steps=recover_steps),
            batch=values.batch,
            optimiser=optimiser_of(values, lr=recover_lr, span="run"),
            keeps=("forget_classes",),
            tunes=tunes,
            needs=frozenset({"teacher"}) if values.w_kd > 0 else frozenset(),
            share=values.retain_share,
            until=until,
        )
        if values.alternation == "round":
            stages += [forget_stage, recover_stage]
            continue
        turns = max(1, round(recover_steps / max(1, forget_steps)))
        stages.append(Alternate(f"round {number} of {values.rounds}", (forget_stage, *[recover_stage] * turns), until))
    return stages


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say which parts of the method act on this forget set."""
    parts = []
    if facts.mode in ("class", "mixed"):
        if values.w_da > 0:
            parts.append(f"Alignment (weight {values.w_da:g}) moves features of whole classes into the retain space.")
        if values.w_sd > 0:
            parts.append(
                f"Self-distillation (weight {values.w_sd:g}) keeps the original's ranking of the other "
                f"classes; hidden in the teacher: {values.mask}."
            )
    if facts.mode in ("sample", "mixed"):
        parts.append(
            f"Loss matching (weight {values.w_match:g}) draws losses of single images to those of unseen ones. "
            "Alignment says nothing for them."
        )
        if facts.mode == "sample" and values.w_sd > 0:
            parts.append(f"Self-distillation (weight {values.w_sd:g}) from the unmasked original keeps outputs stable.")
    return tuple(parts)


def _steps(samples: float, values: Values) -> int:
    """Return the steps of a phase that visits so many samples; small data gets the shortest phase that is allowed."""
    return max(values.min_steps, math.ceil(samples / values.batch)) if samples > 0 else 0


def _summed(terms: Terms, out: StageOutput) -> Terms:
    loss = torch.stack(list(terms.values())).sum() if terms else out.logits.sum() * 0
    return {"loss": loss, **terms}


MUDA = Method(
    id="muda",
    title="MUDA (reconstruction)",
    summary="Moves the features of the forget set into the space of what stays, and keeps the original's ranking of "
    "the other classes.",
    citation="Seo, Kim, Han: Revisiting Machine Unlearning with Dimensional Alignment (arXiv 2407.17710)",
    status="reconstruction",
    group="alignment",
    parameters=PARAMETERS,
    plan=plan,
    needs=frozenset({"forget set", "retain set"}),
    presets=(
        Preset(
            "default",
            "Default",
            "Closes the alignment gap at a small share of retraining's cost.",
            suits=frozenset({"class", "mixed"}),
        ),
        Preset(
            "thorough",
            "Thorough",
            "Twice the rounds and more recovery: retain accuracy is kept better, at more cost.",
            {"rounds": 8, "recover_share": 0.25},
            frozenset({"class"}),
        ),
        Preset(
            "slow-motion",
            "Slow motion",
            "Small steps over many rounds, to watch features move; the bundled example uses it.",
            {
                "rounds": 60,
                "lr": 0.0015,
                "schedule": "one-cycle",
                "batch": 16,
                "forget_epochs": 1.0,
                "recover_share": 0.25,
            },
            frozenset({"class"}),
        ),
        Preset(
            "alignment-only", "Alignment only", "Ablation: no self-distillation.", {"w_sd": 0.0}, frozenset({"class"})
        ),
        Preset(
            "distillation-only",
            "Self-distillation only",
            "Ablation: no alignment.",
            {"w_da": 0.0},
            frozenset({"class"}),
        ),
        Preset(
            "samples",
            "Single images",
            "Loss matching for images whose class stays.",
            {"w_da": 0.0, "mask": "none", "lr": 0.02, "rounds": 6, "w_sd": 0.1},
            frozenset({"sample"}),
        ),
    ),
    trained_on=frozenset({"dimensional_alignment"}),
    notes=(
        "Documented: the alignment ratio, the loss −DA², the use of a self-distillation loss and of an alternating "
        "scheme.",
        "Ours, chosen by measurement: the mask, which samples, the schedule, k, and every constant.",
    ),
    explain=explain,
    layers=lambda values: values.layers,
    honours_weights=True,
    reads_unseen=lambda values, facts: facts.mode != "class" and values.w_match > 0,
    search=(
        SearchRange("lr", 0.1, 10.0, relative=True),
        SearchRange("w_sd", 0.1, 2.0, relative=True),  # the pull toward what the original says of the class
    ),
)
