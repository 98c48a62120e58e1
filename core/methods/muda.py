"""MUDA (reconstruction): forget by dimensional alignment and self-distillation, recover on the retain set, in turn.

Documented (arXiv 2407.17710, partly through second-hand descriptions): the alignment ratio, the loss -DA^2, the use of
a self-distillation loss and of an alternating scheme. Everything else here is our choice, made by measurement: the
masked teacher, which samples, the schedule and every constant.

    [the last blocks begin anew and learn again from the retain set: ours, a preset's choice]
    for round in 1..rounds:
        U <- k leading eigenvectors of the retain features' Gram matrix (current network, eval mode, float64)
        forget:  L = w_da * (1 - DA^2(batch | U)) + w_sd * KL(masked teacher || student)      batches of the forget set
        recover: L = CE [+ w_kd * KL(teacher without the forgotten classes || student)]       batches of the retain set

(1 - DA^2 instead of -DA^2: the same gradient, and a loss that ends at 0.)

For single samples alignment carries no signal (their classes stay), so there the forget phase draws the losses of the
forget samples to where losses of unseen samples lie, and distils from the unmasked original.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from core.data.batches import Batch, derive_seed
from core.errors import UsageError
from core.methods.base import (
    LOOK_SAMPLES,
    SINGLE,
    WHOLE,
    Alternate,
    Aux,
    Context,
    Edit,
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
from core.methods.common import forgetting, forgotten_classes, optimiser_of, training
from core.methods.losses import columns, cross_entropies, hidden_classes, masked_distillation, quantile_matching
from core.methods.muda_settings import DEEP_SINGLES, FEW_IMAGES, PARAMETERS, RELEARNT, TRANSFORMER, TRANSFORMER_SINGLES
from core.methods.sine import sine_constants
from core.metrics.spaces import alignment_squared, eigenspectrum, gram, k_for_energy, leading_eigenvectors
from core.models.architectures import reinitialise
from core.models.linear import last_linear
from core.parameters import Values


def retain_basis(context: Context) -> Aux:
    """Return what stays constant during a forget phase: a basis per layer, unseen losses, the forgotten classes."""
    values = context.values
    aux = forgotten_classes(context)
    if context.forget_classes and values.w_da > 0:
        retain = context.outputs("retain", limit=LOOK_SAMPLES)
        for index, features in enumerate((*retain.layers, retain.features)):
            mean = features.mean(dim=0) if values.centred else torch.zeros_like(features[0])
            aux[f"basis_{index}"] = basis_of(context, features - mean).to(context.device, torch.float32)
            aux[f"mean_{index}"] = mean.to(context.device, torch.float32)
    if _matches(values, context.facts):
        aux["unseen_losses"] = context.outputs("unseen", limit=LOOK_SAMPLES).losses.to(context.device).sort().values
    return aux


def fresh_tail(context: Context) -> None:
    """Change the last blocks: fresh weights, or old · share + new · (1 − share) where a share of the old ones is kept.

    What the tail knew of the forget set goes with its weights; the retain set teaches it again. (Re-initialising the
    last blocks: EU-k, Goel et al. 2022, arXiv 2201.06640; mixing: shrink and perturb, Ash and Adams 2020, arXiv
    1910.08475.)
    """
    values = context.values
    for number, block in enumerate(context.model.tuned_modules(_tail(values))):
        fresh = copy.deepcopy(block)
        reinitialise(fresh, derive_seed(context.seed, "fresh tail", number))
        new = fresh.state_dict()
        with torch.no_grad():
            for name, old in block.state_dict().items():
                mixed = old.is_floating_point() and values.relearn_keep > 0
                old.copy_(torch.lerp(new[name], old, values.relearn_keep) if mixed else new[name])


def sine_tail(context: Context) -> Aux:
    """Return what lets the last linear layers move along a sine from where they are now: head and layer before it."""
    return sine_constants(last_linear(context.model), context.values.sine_reach)


def basis_of(context: Context, features: torch.Tensor) -> torch.Tensor:
    """Return the leading directions (C, k) of retain features (n, C), float64; a look's samples settle them by far.

    k by the chosen rule, at least 1 and below the number of features (k = C says nothing).
    """
    values, matrix = context.values, gram(features)
    if values.k_rule == "classes":
        k = context.num_classes - len(context.forget_classes) - len(context.imageless)
    elif values.k_rule == "energy":
        k = k_for_energy(eigenspectrum(matrix), values.k_energy)
    else:
        k = values.k_number
    return leading_eigenvectors(matrix, max(1, min(int(k), len(matrix) - 1)))


def alignment_terms(out: StageOutput, weights: torch.Tensor, aux: Aux) -> torch.Tensor:
    """Return 1 - DA^2 of the batch, averaged over the tapped layers. weights: (n,) of the rows in the Gram matrix."""
    scale = weights.sqrt()[:, None]  # a zero row adds nothing
    layers = (*out.layers, out.features)
    parts = []
    for index, features in enumerate(layers):
        centred = (features - aux[f"mean_{index}"]) * scale
        parts.append(1 - alignment_squared(centred, aux[f"basis_{index}"]))
    return torch.stack(parts).mean()


def forget(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the terms of the forget phase's loss, each image by its kind.

    Features of images whose class goes are aligned, and the teacher's ranking is hidden for them; losses of images that
    go alone are moved to where unseen losses lie, and the teacher is the plain original.
    """
    terms: Terms = {}
    if "basis_0" in aux:
        terms["alignment"] = values.w_da * alignment_terms(out, batch.weights * ~batch.alone, aux)
    if "unseen_losses" in aux:
        losses = cross_entropies(out.logits, batch.labels)
        matched = quantile_matching(losses, aux["unseen_losses"], batch.weights, batch.alone)
        terms["loss matching"] = values.w_match * matched
    if values.w_sd > 0:
        hidden = hidden_classes(values.mask, out.logits, batch.labels, aux["forget_classes"])
        hidden = hidden & ~batch.alone[:, None]
        terms["distillation"] = values.w_sd * masked_distillation(
            out.logits, out.teacher, hidden, values.temperature, values.direction, batch.weights
        )
    return _summed(terms, out)


def recover(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the terms of the recover phase's loss: labels, and the original without the forgotten classes."""
    terms = {"classification": F.cross_entropy(out.logits, batch.labels)}
    if values.w_kd > 0:
        hidden = columns(out.logits, aux["forget_classes"])
        terms["retain distillation"] = values.w_kd * masked_distillation(
            out.logits, out.teacher, hidden, values.temperature, values.direction
        )
    return _summed(terms, out)


def recover_features(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the terms of an encoder's recover phase: features of retain images stay where the original had them.

    The mean squared distance to the original's features, as a share of their mean square: no labels, no head.
    """
    moved = (out.features - out.teacher).square().mean() / out.teacher.square().mean().clamp_min(1e-12)
    return _summed({"feature distillation": values.w_fd * moved}, out)


def forgotten(context: Context) -> bool:
    """Tell whether whole classes are at their goals of accuracy and alignment, and single images as wrong as unseen."""
    values = context.values
    if context.facts.single_images:
        goal = max(values.stop_accuracy, context.accuracy("unseen"))
        if context.accuracy("singles") > goal:
            return False
    if not context.forget_classes:
        return True
    if context.accuracy("classes") > values.stop_accuracy:
        return False
    if values.w_da == 0:
        return True
    basis = basis_of(context, context.outputs("retain", limit=LOOK_SAMPLES).features)
    of_classes = context.outputs("classes", limit=LOOK_SAMPLES).features
    reached = alignment_squared(of_classes.double(), basis.double())
    return math.sqrt(float(reached)) >= values.stop_alignment


def plan(values: Values, facts: Facts) -> list[Stage]:
    """Lay out rounds of forget and recover phases, behind a re-learnt tail where asked for."""
    if facts.encoder:
        _require_featureless(values)
    tail = _tail(values) or (f"last-{values.last_blocks}" if values.last_blocks else "")
    tuned: dict[str, Any] = {"tunes": tail or "all"}
    tuned["cached"] = bool(tail) and values.cache_front and values.relearn_depth < 1 and not facts.encoder
    recover_stage = training(
        "recover",
        "recover",
        "retain",
        recover_features if facts.encoder else recover,
        values,
        length=Length(steps=_steps(values.recover_share * facts.retain, values)),
        optimiser=optimiser_of(values, lr=values.lr * values.recover_lr_factor, span="run"),
        needs=("teacher",) if values.w_kd > 0 or facts.encoder else (),
        share=values.retain_share,
        **tuned,
    )
    passes = values.forget_epochs if _says_anything(values, facts) else 0
    forget_stage = forgetting(
        "forget",
        forget,
        values,
        length=Length(steps=_steps(passes * facts.forget, values)),
        optimiser=optimiser_of(values, span="run"),
        refresh=retain_basis,
        refresh_every=values.refresh_every,
        batch_norm=values.batch_norm,
        needs=("teacher",) if values.w_sd > 0 else (),
        **tuned,
    )
    stages: list[Stage] = []
    sine = [Edit("sine of the last linear layers", sine_tail)] if values.sine_reach and values.lr else []
    if _tail(values) and values.rounds and values.lr:  # without rounds or steps the model stays as it is
        steps = math.ceil(values.relearn_passes * facts.retain / values.batch)
        again = Length(steps=max(values.relearn_min_steps, steps))
        learn = replace(recover_stage, name="learn the last blocks again", length=again, refresh=forgotten_classes)
        stages += [Edit("fresh weights for the last blocks", fresh_tail), *sine, learn]
    elif values.rounds:
        stages += sine
    for number in range(1, values.rounds + 1):
        stages += _round(values, f"round {number} of {values.rounds}", forget_stage, recover_stage)
    return stages


def _tail(values: Values) -> str:
    """Return which blocks begin anew, as a stage names what it tunes; "" for none."""
    if values.relearn_depth:
        return f"last-{100 * values.relearn_depth:g}%"
    return f"last-{values.relearn_blocks}" if values.relearn_blocks else ""


def _says_anything(values: Values, facts: Facts) -> bool:
    """Whether the forget phase's loss has a term for these images; else the retain set alone teaches the network."""
    return values.w_sd > 0 or (values.w_da > 0 and facts.class_images > 0) or _matches(values, facts)


def _matches(values: Values, facts: Facts) -> bool:
    """Whether losses of single images are drawn to those of unseen ones."""
    return values.w_match > 0 and facts.single_images > 0


def _require_featureless(values: Values) -> None:
    """Raise UsageError for settings that an encoder cannot have, because they need logits: named, not left out."""
    needs = ("relearn_blocks", "relearn_depth", "w_sd", "w_kd", "sine_reach")
    named = [name for name in needs if values.get(name)]
    named += ["stop_rule"] if values.stop_rule != "never" else []
    named += ["w_fd at 0"] if not values.w_fd else []
    if named:
        raise UsageError(
            f"An encoder has no head, and these settings need one: {', '.join(named)}",
            "Take the preset encoder, which aligns features and keeps those of the retain images",
        )


def _round(values: Values, name: str, forget_stage: Train, recover_stage: Train) -> list[Stage]:
    """Return one forget and one recover phase: one after the other, or batch by batch as long as the first lasts.

    A phase of no steps is left out; the other is then alone.
    """
    until = forgotten if values.stop_rule == "when forgotten" else None
    forget_steps, recover_steps = forget_stage.length.steps, recover_stage.length.steps
    if values.alternation == "batch" and forget_steps and recover_steps:
        turns = max(1, round(recover_steps / forget_steps))
        return [Alternate(name, (forget_stage, *[recover_stage] * turns), until)]
    if not forget_steps:  # which would have made its constants
        recover_stage = replace(recover_stage, refresh=forgotten_classes)
    named = (replace(forget_stage, name=f"forget, {name}"), replace(recover_stage, name=f"recover, {name}"))
    phases = [stage for stage in named if stage.length.steps]
    return [*phases[:-1], *(replace(stage, until=until) for stage in phases[-1:])]


def explain(values: Values, facts: Facts) -> tuple[str, ...]:
    """Say which parts of the method act on this forget set."""
    parts = []
    if values.relearn_depth == 1:
        kept = f", mixed with {100 * values.relearn_keep:.0f} % of the old ones," if values.relearn_keep > 0 else ""
        parts.append(f"The whole network begins with fresh weights{kept} and learns again from what stays.")
    elif _tail(values):
        kept = f", {100 * values.relearn_keep:.0f} % of their weights kept," if values.relearn_keep > 0 else ""
        depth = f"{100 * values.relearn_depth:g} %" if values.relearn_depth else str(values.relearn_blocks)
        of = " of the" if values.relearn_depth else ""
        parts.append(f"The last {depth}{of} blocks begin anew{kept} and learn again from what stays.")
    if facts.class_images:
        if values.w_da > 0:
            parts.append(f"Alignment (weight {values.w_da:g}) moves features of whole classes into the retain space.")
        if values.w_sd > 0:
            parts.append(
                f"Self-distillation (weight {values.w_sd:g}) keeps the original's ranking of the other "
                f"classes; hidden in the teacher: {values.mask}."
            )
    if facts.single_images:
        if _matches(values, facts):
            parts.append(
                f"Loss matching (weight {values.w_match:g}) draws losses of single images to those of unseen ones."
            )
        parts.append("Alignment says nothing for single images.")
        if facts.corrective and _matches(values, facts):
            parts.append("In a correction this keeps the wrong labels that unseen images would have: no method for it.")
        if not facts.class_images and values.w_sd > 0:
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
    needs=("forget set", "retain set"),
    presets=(
        Preset.for_singles(
            "The last three blocks begin anew and learn again from what stays, for twice as long as for classes; then "
            "one round matches losses to those of unseen images. It costs a seventh of retraining on 60,000 images. "
            "A ResNet-18 lost retain accuracy by it: say where a deep network began, or take deep-samples.",
            {**RELEARNT, "relearn_passes": 3.0, "rounds": 1},
        ),
        Preset(
            "default",
            "Default: fresh last blocks",
            "Draws the last three blocks anew, lets them learn again from what stays, then aligns in two rounds: "
            "closes the gaps of features and outputs. It costs a tenth of retraining on 60,000 images, and up to as "
            "much on a few thousand, where its phases have their fewest steps.",
            RELEARNT,
        ),
        Preset(
            "deep-samples",
            "Deep nets: single images",
            "For networks of many layers that began with fresh weights: all weights are mixed with more than "
            "as many fresh ones, which what is known by heart does not survive, and learn again in one and a half "
            "passes. With three fresh blocks the front of such a network still knows single images.",
            DEEP_SINGLES,
            SINGLE,
            made_for="deep",
        ),
        Preset(
            "transformer-samples",
            "Transformers: single images",
            "For networks of attention: four fifths of the blocks begin anew with nothing of their old weights. With "
            "three fifths the network still knows single images by heart.",
            TRANSFORMER_SINGLES,
            SINGLE,
            made_for="transformer",
        ),
        Preset(
            "transformer",
            "Transformers: fresh tail",
            "For networks of attention: three fifths of the blocks begin anew, learn by AdamW in batches of 64, and "
            "are aligned in one round. Three blocks leave such a network's features as they are.",
            TRANSFORMER,
            made_for="transformer",
        ),
        Preset(
            "thorough",
            "Thorough",
            "Two and a half times the passes of the default: retain accuracy is kept better, at more cost.",
            {**RELEARNT, "relearn_passes": 4.0, "recover_share": 0.5},
            WHOLE,
        ),
        Preset(
            "few-images",
            "A few thousand images",
            "The default in batches of 64 and one round, for data where its fewest steps are many passes: a tenth of "
            "retraining on 5,000 images, where the default takes a sixth.",
            FEW_IMAGES,
        ),
        Preset(
            "reconstruction",
            "The paper's scheme",
            "Alignment and self-distillation through the whole network as far as the paper is known, without fresh "
            "weights: closes alignment, leaves half of the linear probe's gap.",
        ),
        Preset(
            "slow-motion",
            "Slow motion",
            "Small steps over many rounds, to watch features move.",
            {
                "rounds": 60,
                "lr": 0.0015,
                "schedule": "one-cycle",
                "batch": 16,
                "forget_epochs": 1.0,
                "recover_share": 0.25,
            },
            WHOLE,
        ),
        Preset(
            "encoder",
            "Encoders without a head",
            "Alignment alone, and features of what stays held where the original had them: for networks that give "
            "features and no classes.",
            {"w_sd": 0.0, "w_match": 0.0, "w_fd": 1.0, "lr": 0.03, "recover_share": 0.2},
            WHOLE,
            made_for="encoder",
        ),
        Preset("alignment-only", "Alignment only", "Ablation: no self-distillation.", {"w_sd": 0.0}, WHOLE),
        Preset("distillation-only", "Self-distillation only", "Ablation: no alignment.", {"w_da": 0.0}, WHOLE),
    ),
    trained_on=frozenset({"dimensional_alignment"}),
    notes=(
        "Documented: the alignment ratio, the loss −DA², the use of a self-distillation loss and of an alternating "
        "scheme.",
        "Ours, chosen by measurement: the mask, which samples, the schedule, k, and every constant.",
        "Ours, not in the paper: the re-learnt tail of the default preset. Plain alignment and distillation through "
        "the whole network is the preset “reconstruction”, the paper's scheme as far as it is known.",
    ),
    explain=explain,
    layers=lambda values: values.layers,
    honours_weights=True,
    reads_unseen=_matches,
    search=(
        SearchRange("w_da", 0.1, 2.0, relative=True),  # how hard features are drawn into the retain space
    ),
)
