"""What each model of a run makes of the single images that were forgotten, image by image, and of unseen ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from core.errors import InputError
from core.runs.folder import MODEL, RunFolder
from core.session.bench import Bench
from core.session.forget_sets import run_selection
from core.session.references import trained_references

MOST_IMAGES = 500
"""Images listed: whoever forgets more looks at the losses."""


@dataclass(frozen=True, eq=False)
class SingleImages:
    """The images by their place in the training part, and by model what it calls them, how surely, and at which loss.

    `losses` and `unseen_losses`: cross-entropy of every forget image, and of as many unseen ones as there are.
    """

    ids: np.ndarray  # (n,) int64
    names: tuple[str, ...]  # of their files, "" where they have none
    labels: tuple[str, ...]  # their classes
    called: Mapping[str, tuple[str, ...]]  # model -> class it names
    confidence: Mapping[str, np.ndarray]  # model -> (n,) probability of the image's own class
    losses: Mapping[str, np.ndarray]  # model -> (m,)
    unseen_losses: Mapping[str, np.ndarray]  # model -> (k,)


def single_images(folder: RunFolder, bench: Bench | None = None, *, retrained: Path | None = None) -> SingleImages:
    """Return what original, unlearned and (where there is one) retrained model make of a run's forget images.

    `bench` says what is trusted and whom to tell; the run's model and data are opened where it does not hold them.
    Raises InputError where the run has no result.
    """
    job = folder.job()
    if job.kind != "unlearn" or not folder.has_result:
        raise InputError(f"{folder.path} holds no unlearned model", "Finish or resume the run first")
    bench = (bench or Bench()).for_job(job)
    if retrained is None:
        retrained = next((run.file(MODEL) for run in trained_references(job).values()), None)
    models = {
        "original": bench.first_model(job), "unlearned": bench.open_beside(folder.file(MODEL), arch=job.model.builder)
    }
    if retrained is not None:
        models["retrained"] = bench.open_beside(retrained)
    images, splits = bench.laid_out(run_selection(folder, bench.dataset))
    train, classes = bench.dataset.train, bench.dataset.classes
    ids = splits.forget_train
    listed = ids[:MOST_IMAGES]
    called, confidence, losses, unseen_losses = {}, {}, {}, {}
    for name, model in models.items():
        outputs = bench.outputs(model, f"Measuring the {name} model", images)
        logits, labels = outputs.train.logits[ids], splits.labels[ids]
        shares = logits[: len(listed)].softmax(1)
        called[name] = tuple(classes[int(place)] for place in shares.argmax(1))
        confidence[name] = shares.gather(1, labels[: len(listed), None])[:, 0].numpy()
        losses[name] = _losses(logits, labels)
        unseen_losses[name] = _losses(outputs.test.logits[splits.unseen], splits.test_labels[splits.unseen])
    names = tuple(Path(train.paths[int(i)]).name if train.paths else "" for i in listed)
    return SingleImages(
        listed.numpy(), names, tuple(classes[int(label)] for label in splits.labels[listed]), called, confidence,
        losses, unseen_losses,
    )  # fmt: skip


def _losses(logits: torch.Tensor, labels: torch.Tensor) -> np.ndarray:
    taken: np.ndarray = F.cross_entropy(logits.float(), labels, reduction="none").numpy()
    return taken
