"""What can be set about MUDA: its parameters in groups, and the values of the default preset."""

from __future__ import annotations

from typing import Any

from core.methods.common import OPTIMISER, Group, optimiser_parameters
from core.methods.losses import DIRECTIONS, MASKS

RELEARNT: dict[str, Any] = {
    "relearn_blocks": 3,
    "relearn_keep": 0.1,
    "relearn_passes": 1.6,
    "rounds": 2,
    "recover_share": 0.2,
    "forget_epochs": 0.15,
    "w_da": 0.05,
    "w_sd": 0.0,
    "optimiser": "nesterov",
    "lr": 0.1,
    "schedule": "one-cycle",
    "weight_decay": 5e-4,
    "batch": 128,
    "clip": 5.0,  # far above the usual; for networks on which fresh blocks begin with a jump
}  # by measurement, benchmarks/quality.py

TRANSFORMER: dict[str, Any] = {
    **RELEARNT,
    "relearn_blocks": 0,
    "relearn_depth": 0.6,
    "relearn_passes": 2.0,
    "relearn_min_steps": 200,
    "rounds": 1,
    "optimiser": "adamw",
    "lr": 0.001,
    "weight_decay": 0.05,
    "batch": 64,
    "clip": 1.0,
}  # by measurement, benchmarks/quality.py

TRANSFORMER_SINGLES: dict[str, Any] = {
    **TRANSFORMER,
    "relearn_depth": 0.8,
    "relearn_keep": 0.0,
    "relearn_passes": 2.4,
}  # by measurement, benchmarks/quality.py

FEW_IMAGES: dict[str, Any] = {
    **RELEARNT,
    "relearn_passes": 1.8,
    "relearn_min_steps": 100,
    "rounds": 1,
    "lr": 0.05,
    "batch": 64,
}  # by measurement, benchmarks/quality.py

DEEP_SINGLES: dict[str, Any] = {
    **FEW_IMAGES,
    "relearn_blocks": 0,
    "relearn_depth": 1.0,
    "relearn_keep": 0.45,
    "relearn_passes": 1.5,
    "w_match": 0.0,
}  # by measurement, benchmarks/quality.py

SCHEDULE, ALIGNMENT, DISTILLATION = Group("Schedule"), Group("Alignment"), Group("Self-distillation")
SAMPLES, TAIL = Group("Single images"), Group("Re-learnt tail")

PARAMETERS = (
    SCHEDULE("rounds", 4, "How often forget and recover phases alternate."),
    SCHEDULE("forget_epochs", 0.25, "Passes over the forget set in each round.", unit="passes", title="Forget passes"),
    SCHEDULE("recover_share", 0.1, "Share of the retain set visited in each round.", high=100),
    SCHEDULE(
        "min_steps",
        10,
        "Shortest phase: small forget or retain sets are visited again until it is reached.",
        low=1,
        high=100000,
        unit="steps",
        title="Shortest phase",
    ),
    SCHEDULE.share(
        "retain_share", 1.0, "Share of the retain set that may be used at all.", low_open=True, title="Retain subset"
    ),
    SCHEDULE.choice("alternation", ("batch", "round"), "batch", "Phases take turns per round, or batch by batch."),
    SCHEDULE.choice(
        "stop_rule",
        ("never", "when forgotten"),
        "never",
        "End early, after a round that reached both goals below.",
        title="Stop",
    ),
    SCHEDULE.share(
        "stop_accuracy", 0.01, "Goal of the stop rule: forget accuracy at most this.", title="Stop at accuracy"
    ),
    SCHEDULE.share(
        "stop_alignment", 0.97, "Goal of the stop rule: alignment at least this.", title="Stop at alignment"
    ),
    TAIL(
        "relearn_blocks",
        0,
        "Last blocks that begin with fresh weights and learn again from the retain set; 0: none. Ours, not the "
        "paper's.",
        title="Re-learnt blocks",
    ),
    TAIL.share(
        "relearn_depth",
        0.0,
        "Share of the network's building blocks, counted from the head, that begin anew, in place of their number; 0: "
        "by number. Deep networks need more blocks than flat ones.",
        title="Re-learnt depth",
    ),
    TAIL(
        "relearn_passes",
        1.0,
        "Passes over the retain set in which these blocks learn again, before the first round.",
        unit="passes",
        title="Passes to learn again",
    ),
    TAIL(
        "relearn_min_steps",
        150,
        "Fewest steps in which they learn again: small retain sets are visited more often.",
        low=1,
        high=100000,
        unit="steps",
        title="Fewest steps to learn again",
    ),
    TAIL.share(
        "relearn_keep",
        0.0,
        "Share of their old weights that these blocks keep (shrink and perturb).",
        title="Old weights kept",
    ),
    TAIL(
        "sine_reach",
        0.0,
        "Bound of each weight of the last linear layers, in multiples of their root mean square: they move along a "
        "sine (after SineProject); 0: freely. Tight bounds halve the condition number, which is the retrained models' "
        "without them, and close no gap better for sure.",
        high=1000,
        title="Sine bound",
    ),
    TAIL(
        "cache_front",
        True,
        "Where only the last blocks are trained, compute what they receive once, without augmentation.",
        title="Cache the front",
    ),
    ALIGNMENT("w_da", 1.0, "Weight of the alignment loss.", title="Alignment weight"),
    ALIGNMENT.choice(
        "k_rule",
        ("classes", "energy", "number"),
        "classes",
        "How many leading retain directions: one per retain class, as many as hold a share of the energy, or a number.",
        title="k by",
    ),
    ALIGNMENT.share("k_energy", 0.95, "Energy share for k by energy.", low_open=True, title="k: energy share"),
    ALIGNMENT("k_number", 9, "k for k by number.", low=1, high=100000, title="k: number"),
    ALIGNMENT(
        "centred", False, "Subtract the retain mean from features first; weakens the signal.", title="Centre features"
    ),
    ALIGNMENT("layers", 1, "Layers whose features are aligned, counted from the head.", low=1, high=4),
    ALIGNMENT(
        "refresh_every",
        0,
        "Renew the retain basis every so many steps; 0: once in each forget phase.",
        high=1000000,
        unit="steps",
        title="Renew basis",
    ),
    DISTILLATION("w_sd", 1.0, "Weight of the self-distillation loss.", title="Distillation weight"),
    DISTILLATION.choice(
        "mask",
        MASKS,
        "forget classes",
        "What is hidden in the teacher's outputs on forget images.",
        title="Hide in teacher",
    ),
    DISTILLATION("temperature", 1.0, "Softens both distributions.", high=100, low_open=True),
    DISTILLATION.choice(
        "direction",
        DIRECTIONS,
        "forward",
        "Teacher first, or student first, in the KL divergence.",
        title="KL direction",
    ),
    DISTILLATION("w_kd", 0.0, "Weight of distillation on retain images while recovering.", title="Retain distillation"),
    DISTILLATION(
        "w_fd",
        0.0,
        "Weight of keeping retain features where the original had them, for encoders without a head, which learn from "
        "nothing else while recovering.",
        title="Feature distillation",
    ),
    SAMPLES(
        "w_match",
        1.0,
        "Weight of matching losses of single forget images to those of unseen ones.",
        title="Loss matching",
    ),
    *optimiser_parameters(lr=0.03, schedule="cosine", batch=64, clip=1.0),
    OPTIMISER(
        "recover_lr_factor",
        1.0,
        "Step size of the recover phase, relative to the forget phase.",
        high=100,
        title="Recover step size",
    ),
    OPTIMISER.choice(
        "batch_norm",
        ("frozen", "train"),
        "frozen",
        "Whether forget batches move batch-norm statistics.",
        title="Batch norm while forgetting",
    ),
    OPTIMISER("last_blocks", 0, "Train only the last blocks of the network; 0: all.", title="Last blocks only"),
)
