"""One image as a model sees it: what it is called, how surely, and which training images lie nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from core.devices import set_threads
from core.engine.outputs import FullOutputs
from core.errors import InputError, MismatchError
from core.metrics.accuracy import names_classes
from core.metrics.rows import ROWS_PER_CHUNK
from core.models.checkpoint import OpenedModel
from core.runs.folder import MODEL, RunFolder
from core.session.bench import Bench
from core.session.references import trained_references

Part = Literal["train", "test"]
Which = Literal["original", "unlearned", "retrained"]
NEIGHBOURS = 6


@dataclass(frozen=True)
class Answer:
    """Which class a model names and how surely, and how likely it finds the image's own class: 0..1, and its loss."""

    predicted: int
    confidence: float
    own: float
    loss: float


@dataclass(frozen=True, eq=False)
class SeenImage:
    """What a model says of one image.

    `neighbours` (m,) int64 are positions of training images, nearest first, without the image itself; `likeness` (m,)
    float32 the cosines of their features to the image's; `answer` is None of an encoder. Values that are not finite
    stay so.
    """

    neighbours: np.ndarray
    likeness: np.ndarray
    answer: Answer | None


def inspect_image(
    bench: Bench, part: Part, index: int, which: Which = "original", run: RunFolder | None = None,
    most: int = NEIGHBOURS,
) -> SeenImage:
    """Return what a model says of the image at `index` of a part of the data on the bench.

    The original is the model on the bench, the unlearned one the result of `run`, the retrained one the first reference
    on disk for it. Outputs that are kept are used again; else they are taken once, and kept. Raises InputError where
    there is no such model, MismatchError where the run is of another model or other data, and the AppErrors of opening.
    """
    set_threads(bench.threads)
    return seen(bench.outputs(_model(bench, which, run), f"Measuring the {which} model"), part, index, most)


def seen(outputs: FullOutputs, part: Part, index: int, most: int = NEIGHBOURS) -> SeenImage:
    """Return what the model with these outputs says of the image at `index` of a part."""
    own = outputs.train if part == "train" else outputs.test
    likeness = _likeness(outputs.train.features, own.features[index])
    if part == "train":
        likeness[index] = -torch.inf
    count = max(0, min(most, len(likeness) - (part == "train")))
    best = likeness.nan_to_num(-2.0, neginf=-torch.inf).topk(count).indices
    answer = _answer(own.logits[index], int(own.labels[index])) if names_classes(own.logits) else None
    return SeenImage(best.numpy(), likeness[best].numpy(), answer)


def _answer(logits: torch.Tensor, label: int) -> Answer:
    log_probabilities = F.log_softmax(logits.double(), dim=0)
    probabilities = log_probabilities.exp()
    predicted = int(probabilities.argmax())
    return Answer(
        predicted, float(probabilities[predicted]), float(probabilities[label]), float(-log_probabilities[label])
    )


def _likeness(features: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cosine of each row of `features` (n, C) to `target` (C,), (n,) float32."""
    direction = F.normalize(target.float(), dim=0)
    pieces = [F.normalize(rows.float(), dim=1) @ direction for rows in features.split(ROWS_PER_CHUNK)]
    return torch.cat(pieces) if pieces else torch.zeros(0)


def _model(bench: Bench, which: Which, run: RunFolder | None) -> OpenedModel:
    """Open the model to ask, beside the one on the bench."""
    if which == "original":
        return bench.model
    if run is None:
        raise InputError("No run is in view", "Start or open one")
    job = run.job()
    if not bench.holds_model_of(job) or bench.other_data_than(job):
        raise MismatchError("The run in view is of another model or other data", "Open those it was made with")
    if which == "unlearned":
        if not run.has_result:
            raise InputError("The run in view has no result yet", "Let it end")
        return bench.open_beside(run.file(MODEL), arch=job.model.builder)
    reference = next(iter(trained_references(job).values()), None)
    if reference is None:
        raise InputError("No retrained model is on disk for this run", "Check the run on Verify, which trains one")
    return bench.open_beside(reference.file(MODEL))
