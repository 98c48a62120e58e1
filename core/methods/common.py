"""Parameters and losses that the training-like methods share, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F

from core.data.batches import Batch
from core.methods.base import Aux, Context, Facts, Length, Loss, Optimiser, Reads, StageOutput, Terms, Train
from core.parameters import Parameter, Values

OPTIMISERS = ("sgd", "nesterov", "adamw")
SCHEDULES = ("constant", "cosine", "one-cycle")


@dataclass(frozen=True)
class Group:
    """Parameters under one heading of the form. Further options of each are those of `Parameter`."""

    heading: str

    def __call__(
        self, name: str, default: int | float, help: str, *, low: float = 0, high: float = 1000, **options: Any
    ) -> Parameter:
        """Return a number within bounds, whole where its default is, or a switch where that is true or false."""
        if isinstance(default, bool):
            return Parameter(name, "bool", default, help, group=self.heading, **options)
        kind: Literal["int", "float"] = "int" if isinstance(default, int) else "float"
        return Parameter(name, kind, default, help, low, high, group=self.heading, **options)

    def choice(self, name: str, choices: tuple[str, ...], default: str, help: str, **options: Any) -> Parameter:
        """Return one of several words."""
        return Parameter(name, "choice", default, help, choices=choices, group=self.heading, **options)

    def share(self, name: str, default: float, help: str, **options: Any) -> Parameter:
        """Return a number from 0 to 1."""
        return self(name, default, help, high=1, **options)

    def images(self, name: str, default: int, help: str, **options: Any) -> Parameter:
        """Return a number of images, of any size of data."""
        return self(name, default, help, high=10**8, unit="images", **options)

    def passes(self, default: float, help: str, **options: Any) -> Parameter:
        """Return `epochs`, how often a set is passed over."""
        return self("epochs", default, help, unit="passes", **options)

    def temperature(self, default: float, help: str) -> Parameter:
        """Return the temperature of a distillation."""
        return self("temperature", default, help, low=0.01, log=True)

    def most_steps(self, what: str) -> Parameter:
        """Return `max_steps`, which keeps a large forget set from taking more steps than forgetting needs."""
        return self(
            "max_steps",
            0,
            f"Most steps in {what}, however large the forget set is; 0: no limit, as published.",
            high=10**6,
            unit="steps",
            title="Most forget steps",
        )

    def fewest_steps(self, what: str) -> Parameter:
        """Return `min_steps`, with which few images are visited more often."""
        return self(
            "min_steps",
            0,
            f"Fewest steps: {what} is visited again until they are reached; 0: as many as the passes have.",
            high=10**6,
            unit="steps",
            title="Fewest steps",
        )


OPTIMISER = Group("Optimiser")


def optimiser_parameters(
    lr: float,
    schedule: str = "constant",
    weight_decay: float = 0.0,
    batch: int = 128,
    momentum: float = 0.9,
    clip: float = 0.0,
) -> tuple[Parameter, ...]:
    """Return the parameters of an optimiser with a method's own defaults."""
    group = OPTIMISER
    return (
        group("lr", lr, "How far one step moves the weights.", high=10, log=True, title="Step size"),
        group("batch", batch, "Images in one step.", low=1, high=65536, log=True, unit="images", title="Batch size"),
        group.choice(
            "optimiser", OPTIMISERS, "sgd", "How gradients become steps; nesterov is SGD that looks one step ahead."
        ),
        group("momentum", momentum, "Share of the last step carried on (SGD).", high=0.999),
        group.share("weight_decay", weight_decay, "Pull of the weights toward zero.", log=True),
        group.choice(
            "schedule", SCHEDULES, schedule, "How the step size changes over the run.", title="Step size schedule"
        ),
        group("clip", clip, "Largest gradient norm; 0 does not clip.", high=1e6, title="Gradient clip"),
    )


def optimiser_of(values: Values, *, lr: float | None = None, span: str = "stage") -> Optimiser:
    """Return the optimiser that the values of `optimiser_parameters` describe; `lr` replaces the declared step size."""
    return Optimiser(
        values.optimiser,
        values.lr if lr is None else lr,
        values.momentum,
        values.weight_decay,
        values.clip,
        values.schedule,
        span,
    )


def in_shapes(flat: torch.Tensor, like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the vector `flat`, (d,), cut into tensors by name in the order and the shapes of `like`."""
    parts = flat.split([value.numel() for value in like.values()])
    return {name: part.reshape(value.shape) for (name, value), part in zip(like.items(), parts, strict=True)}


def classification(out: StageOutput, batch: Batch, aux: Aux, values: Values) -> Terms:
    """Return the cross-entropy on the batch's labels."""
    return {"loss": F.cross_entropy(out.logits, batch.labels)}


def share_of_mixture(facts: Facts, retain_share: float = 1.0) -> float:
    """Return the share of forget images, 0..1, in a shuffled mixture with that share of the retain set."""
    return facts.forget / (facts.forget + retain_share * facts.retain)


def forgotten_classes(context: Context) -> Aux:
    """Return the classes that are forgotten as a whole, as a constant of a stage: "forget_classes", (f,) int64."""
    return {"forget_classes": torch.tensor(context.forget_classes, dtype=torch.int64, device=context.device)}


def training(name: str, phase: str, reads: Reads, loss: Loss, values: Values, **own: Any) -> Train:
    """Return a stage with the length, batch size and optimiser that a method's parameters say.

    Its length is `epochs` passes over the set it reads, within `min_steps` and `max_steps` where a method declares
    these. `own` are further fields of the stage, and replacements of the three.
    """
    least, most = int(values.get("min_steps", 0)), int(values.get("max_steps", 0))
    length = Length(float(values.get("epochs", 0)), least=least, most=most)
    usual = {"length": length, "batch": values.batch, "optimiser": optimiser_of(values)}
    return Train(name, phase, reads, loss, **{**usual, **own})


def forgetting(name: str, loss: Loss, values: Values, reads: Reads = "forget", **own: Any) -> Train:
    """Return a stage that forgets. Batch norm keeps its statistics, and images are not augmented, unless `own` says so.

    Statistics stay because they would drift to the images to forget where only these pass.
    """
    return training(name, "forget", reads, loss, values, **{"batch_norm": "frozen", "augment": False, **own})


def contrasting(name: str, loss: Loss, values: Values, **own: Any) -> Train:
    """Return passes over the retain set with a batch of the forget set beside each batch, augmented."""
    return forgetting(name, loss, values, "retain", beside="forget", augment=True, **own)


def keeping(name: str, values: Values, loss: Loss = classification, phase: str = "recover", **own: Any) -> Train:
    """Return passes over the retain set, in the one order that original, retrained and fine-tuned models share."""
    return training(name, phase, "retain", loss, values, stream="train", **own)
