"""Features drawn in a plane: a t-SNE map of training images, a run's images as each of its models places them, and what
retrained models make of the images that the map of a run follows.
"""  # noqa: D205

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from core.data.batches import ImageStore
from core.data.dataset import Dataset
from core.data.splits import Splits, stratified
from core.devices import set_threads
from core.engine.outputs import FullOutputs, collect, kept_features, outputs_path
from core.errors import AppError, InputError
from core.events import FeatureMap, Tell, untold
from core.files import file_sha256
from core.job import Job
from core.metrics.accuracy import names_classes
from core.metrics.geometry import Projection, principal_plane, turned_projection
from core.metrics.spaces import one_blas_thread
from core.models.architectures import network_key
from core.runs.folder import FORGET, MODEL, RunFolder
from core.session.bench import Bench
from core.session.forget_sets import run_selection
from core.session.references import trained_references

MOST_POINTS = 5000
"""Points of one picture: more hide each other, and a scatter of this size draws in a few milliseconds."""
LARGEST = 2500  # samples on a map: about ten seconds on one core, and more would not be told apart
_ROUND = 250  # steps between two calls of `progress`; the fewest scikit-learn allows
_ROUNDS = 3
_PERPLEXITY = 30.0
_SEED = 0
_BETWEEN = 5  # shown samples that one not shown is placed between
_PLACED_AT_ONCE = 4096
_EXACT_UP_TO = 100  # samples: the approximation gains nothing there


@dataclass(frozen=True, eq=False)
class Embeddings:
    """The same n samples in the plane of several models, each turned onto the first; retain samples come first.

    Coordinates are in units of the root mean square distance of a model's own points from their centre: two networks
    have no common scale.
    """

    points: dict[str, np.ndarray]  # model -> (n, 2) float32, the original first
    explained: dict[str, float]  # model -> share of its variance that the plane shows
    predictions: dict[str, np.ndarray]  # model -> (n,) int64, the class it names; not of encoders, which name none
    labels: np.ndarray  # (n,) int64
    forget: np.ndarray  # (n,) bool
    unseen: np.ndarray  # (n,) bool: from the test part
    ids: np.ndarray  # (n,) int64: position in the training or the test part
    class_names: tuple[str, ...]
    dataset: Dataset

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, position: int) -> np.ndarray:
        """Return the image of a point, (H, W, C) uint8."""
        part = self.dataset.test if self.unseen[position] else self.dataset.train
        pixels: np.ndarray = part.images[int(self.ids[position])].numpy()
        return pixels


def embeddings(
    folder: RunFolder,
    bench: Bench | None = None,
    *,
    retrained: Path | None = None,
) -> Embeddings:
    """Return where a finished run's images lie for each model: original, unlearned, retrained where there is one.

    Shown are unseen images and, where single images are forgotten, the forget images themselves. `bench` says what is
    trusted and whom to tell; the run's model and data are opened where it does not hold them. `retrained` names a model
    file, by default the run's first trained reference. Raises InputError where the run has no result, and MismatchError
    where model or data are not what it was made with.
    """
    job = folder.job()
    if job.kind != "unlearn" or not folder.has_result:
        raise InputError(f"{folder.path} holds no unlearned model", "Finish or resume the run first")

    bench = (bench or Bench()).for_job(job)
    dataset = bench.dataset
    if retrained is None:
        retrained = next((run.file(MODEL) for run in trained_references(job).values()), None)
    models = {
        "original": bench.first_model(job),
        "unlearned": bench.open_beside(folder.file(MODEL), arch=job.model.builder),
    }
    if retrained is not None:
        models["retrained"] = bench.open_beside(retrained)
    mask = _forget_mask(folder, job, dataset)
    images = bench.images(mask)
    outputs = {name: bench.outputs(model, f"Measuring the {name} model", images) for name, model in models.items()}
    return picture(outputs, dataset, Splits.of(dataset, mask))


def picture(outputs: dict[str, FullOutputs], dataset: Dataset, splits: Splits, most: int = MOST_POINTS) -> Embeddings:
    """Project the same samples with every model; the first of `outputs` is the one the others are turned onto."""
    from_test, from_train = _chosen(splits, most)

    def chosen(train: torch.Tensor, test: torch.Tensor) -> torch.Tensor:
        return torch.cat([train[from_train], test[from_test]])

    forget = chosen(splits.forget, torch.isin(splits.test_labels, _tensor(splits.forget_classes)))
    order = forget.to(torch.int64).argsort(stable=True)  # forget images last, so that they are drawn on top

    def ordered(train: torch.Tensor, test: torch.Tensor) -> torch.Tensor:
        return chosen(train, test)[order]

    labels = ordered(splits.labels, splits.test_labels)
    points: dict[str, np.ndarray] = {}
    explained: dict[str, float] = {}
    predictions: dict[str, np.ndarray] = {}
    first: Projection | None = None
    for name, full in outputs.items():
        features = ordered(full.train.features, full.test.features)
        plane = turned_projection(features, labels, splits.retain_classes, onto=first)
        first = first or plane
        points[name] = _scaled(plane.points)
        explained[name] = plane.explained
        if names_classes(full.train.logits):
            predictions[name] = ordered(full.train.logits, full.test.logits).argmax(1).numpy()
    train_ids, test_ids = torch.arange(len(splits.labels)), torch.arange(len(splits.test_labels))
    return Embeddings(
        points=points,
        explained=explained,
        predictions=predictions,
        labels=labels.numpy(),
        forget=forget[order].numpy(),
        unseen=ordered(torch.zeros_like(train_ids), torch.ones_like(test_ids)).bool().numpy(),
        ids=ordered(train_ids, test_ids).numpy(),
        class_names=dataset.classes,
        dataset=dataset,
    )


def _chosen(splits: Splits, most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose test ids and training ids: unseen images, and the forget images where they are single ones."""
    test = torch.arange(len(splits.test_labels))
    train = splits.forget_train if splits.has_singles else torch.empty(0, dtype=torch.int64)
    if len(test) + len(train) <= most:
        return test, train
    train = stratified(splits.labels, train, most // 2, seed=0) if len(train) else train
    return stratified(splits.test_labels, test, most - len(train), seed=0), train


def _scaled(points: torch.Tensor) -> np.ndarray:
    """Scale points (n, 2) to a root mean square distance of 1 from the origin."""
    radius = float(points.square().sum(1).mean().sqrt())
    scaled: np.ndarray = (points / radius if radius > 0 else points).float().numpy()
    return scaled


def _forget_mask(folder: RunFolder, job: Job, dataset: Dataset) -> torch.Tensor:
    """Return the training images that the run forgot, (n,) bool; whole classes are known without the list."""
    if job.forget.mode == "class" and not folder.file(FORGET).is_file():
        return torch.isin(dataset.train.labels, _tensor(job.forget.classes))  # removed on request, but known without it
    return torch.from_numpy(run_selection(folder, dataset).mask.copy())


def _tensor(classes: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(classes, dtype=torch.int64)


# --- retrained models on the map of a run --------------------------------------------------------------------------

MOST_CLOUDS = 3  # retrained models on one map: with more, the cloud hides the points it is compared with


@dataclass(frozen=True, eq=False)
class Clouds:
    """Where retrained models place the images of a run's map, by name ("seed 1"): (n, 2) float32; why there is none."""

    points: Mapping[str, np.ndarray] = field(default_factory=dict)
    why: str = ""


def retrained_clouds(job: Job, laid: FeatureMap, bench: Bench | None = None) -> Clouds:
    """Return where the retrained models on disk place the images that a run's map follows.

    They are turned onto the start as the run's own network is (`Plane.seen`). Features come from kept outputs; where
    there are none, and `bench` holds the job's data, the few images are passed through the network.
    """
    trained = list(trained_references(job).items())[:MOST_CLOUDS]
    if not trained:
        return Clouds(why="No retrained model yet.")
    why = "The outputs of the retrained models are not kept: open the run's model and data to see them here."
    plane, found = None, {}
    with contextlib.suppress(AppError, OSError):
        start = _features_on_map(Path(job.model.path), job.model.weights_id, job, laid, bench)
        plane = None if start is None else principal_plane(start, laid.forget_from)
    for seed, run in trained if plane is not None else ():
        with contextlib.suppress(AppError, OSError):
            path = run.file(MODEL)
            features = _features_on_map(path, file_sha256(path), run.job(), laid, bench)
            if features is not None and plane is not None:
                found[f"seed {seed}"] = plane.seen(features)[0].float().numpy()
    return Clouds(found, "" if found else why)


def _features_on_map(path: Path, weights: str, job: Job, laid: FeatureMap, bench: Bench | None) -> torch.Tensor | None:
    """Return the features (n, C) of a map's images of the model in a file; None where they cannot be had.

    `weights` names them, and `job` says for which network and data they are.
    """
    file = outputs_path(weights, network_key(job.model), job.data.fingerprint, job.model.preprocessing)
    places = ["train" if name.endswith("train") else "test" for name in laid.counts]
    sizes = list(laid.counts.values())
    parts = list(zip(places, torch.tensor(laid.ids, dtype=torch.int64).split(sizes), strict=True))
    rows = [kept_features(file, part, ids) for part, ids in parts]
    if bench is not None and any(row is None for row in rows) and not bench.other_data_than(job):
        data = bench.dataset
        key = job.model.key or None
        network = bench.network(bench.open_beside(path, arch=job.model.builder, key=key))
        rows = []
        for part, ids in parts:
            images = getattr(data, part).take(ids.numpy())
            store = ImageStore(images, data.preprocessing, bench.place)
            rows.append(collect(network, store, torch.arange(len(images))).features)
    known = [row for row in rows if row is not None and len(row)]
    return torch.cat(known) if known and sum(map(len, known)) == len(laid.ids) else None


def tsne_map(
    compact: np.ndarray, labels: np.ndarray, *, size: int = LARGEST, progress: Tell = untold
) -> tuple[np.ndarray, np.ndarray]:
    """Return (m,) int64 ids and their places (m, 2) float32 on a t-SNE map (van der Maaten and Hinton 2008).

    compact: (n, d) float features in their leading directions; labels: (n,) int. Where there are more than `size`
    samples, about as many are taken, the same share of every class. `progress(what, done, total)` may raise to
    interrupt; raises ValueError where features are not finite. The same features give the same map.
    """
    from sklearn.manifold import TSNE

    set_threads(1)
    if not np.isfinite(compact).all():
        raise ValueError("the features hold values that are not finite")
    everything = torch.arange(len(labels))
    ids = stratified(torch.from_numpy(np.asarray(labels, dtype=np.int64)), everything, size, _SEED).numpy()
    points = np.ascontiguousarray(compact[ids], dtype=np.float32)
    if len(ids) < 3:
        return ids, np.zeros((len(ids), 2), np.float32)
    perplexity = min(_PERPLEXITY, (len(ids) - 1) / 3)
    places = _start(points)
    # In rounds, each from where the last one ended, so that it can be interrupted.
    for done in range(_ROUNDS):
        progress("Arranging the map", done, _ROUNDS)
        with one_blas_thread():
            arranged = TSNE(
                init=places,
                perplexity=perplexity,
                early_exaggeration=12.0 if done == 0 else 1.0,
                max_iter=_ROUND,
                random_state=_SEED,
                method="barnes_hut" if len(ids) > _EXACT_UP_TO else "exact",
            ).fit_transform(points)
        if not np.isfinite(arranged).all():
            break
        places = np.ascontiguousarray(arranged, dtype=np.float32)
    return ids, places


def place_by_neighbours(compact: np.ndarray, ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return places (n, 2) float32 for all samples of a map that shows only those at `ids` (m,), at `places` (m, 2).

    compact: (n, d) float features. A sample that is not on the map stands between the _BETWEEN shown ones nearest to it
    in `compact`, weighted by the inverse of their distance.
    """
    everywhere = np.empty((len(compact), 2), np.float32)
    features = torch.from_numpy(np.ascontiguousarray(compact, dtype=np.float32))
    shown, at = features[torch.from_numpy(ids)], torch.from_numpy(places.astype(np.float32))
    first = 0
    for rows in features.split(_PLACED_AT_ONCE):
        nearest = torch.cdist(rows, shown).topk(min(_BETWEEN, len(ids)), largest=False)
        weights = 1 / nearest.values.clamp_min(1e-6)
        mixed = (weights[..., None] * at[nearest.indices]).sum(1) / weights.sum(1, keepdim=True)
        everywhere[first : first + len(rows)] = mixed.numpy()
        first += len(rows)
    everywhere[ids] = places
    return everywhere


def _start(points: np.ndarray) -> np.ndarray:
    """Return where samples begin, (m, 2) float32: their two leading directions, scaled as t-SNE wants it.

    Not scikit-learn's own start: that divides by the spread, and a map that starts at NaN ends the whole process.
    The jitter parts samples that are the same.
    """
    start = np.random.default_rng(_SEED).normal(scale=1e-6, size=(len(points), 2))
    width = min(2, points.shape[1])
    spread = float(points[:, :1].std()) or 1.0
    start[:, :width] += 1e-4 * (points[:, :width] / spread)
    return start.astype(np.float32)
