"""Cells of the quality benchmark: one method with one preset and seed on one task, run once and found again.

A cell is a run folder below bench-results/quality/, named by what it was made of: the job without paths and versions,
and the source of its method. Beside the cells of a network lie its original, the scores of how well it knows each
image by heart, and what per-sample attacks need.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.common import finish, quiet

if TYPE_CHECKING:
    from core.runs.folder import RunFolder
    from core.selection import Selection
    from core.session.bench import Bench

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "quality"
REFERENCE_SEEDS = (1, 2, 3)
FIRST_ATTACKER = 501  # seed of the first model of the attack, far from those of references and of the program's attacks
TEST_IMAGES = 2500  # of a part of a data set, whatever its training images are
DRAWS = 2  # halvings of the training images, behind the scores of what is known by heart
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Task:
    """What is forgotten: whole classes by their place, or a share or number of images, drawn or the most telling.

    `by`: "" draws images; "hardest" takes those that the network knows by heart most, "easiest" those that networks
    which never saw them are surest of.
    """

    name: str
    classes: tuple[int, ...] = ()
    share: float = 0.0
    count: int = 0
    by: str = ""


@dataclass(frozen=True)
class Network:
    """A network with the data it learns and its recipe. `images`: of the training part, evenly by class; 0: all.

    `attackers`: so many models that never saw the single images of any task attack each result.
    """

    name: str
    architecture: str
    images: int
    recipe: dict[str, Any] = field(hash=False)
    attackers: int = 0


@dataclass(frozen=True)
class Cell:
    """One run. `preset` "": the one that suits the task. Tier A is run on more tasks and seeds than tier B."""

    tier: str
    method: str
    preset: str
    task: Task
    seed: int

    @property
    def title(self) -> str:
        """Method and, where it is not the default one, preset."""
        return f"{self.method}/{self.preset}" if self.preset else self.method


def single_tasks(cells: Iterable[Cell]) -> list[Task]:
    """Return the tasks of single images, which the models of the attack are trained without."""
    return [task for task in dict.fromkeys(cell.task for cell in cells) if not task.classes]


@dataclass(frozen=True)
class Made:
    """A cell with the content of its report, the per-sample attack on each model, and the hash of its weights."""

    cell: Cell
    report: dict[str, Any]
    attacks: dict[str, Any]
    weights: str


@dataclass(frozen=True)
class Place:
    """Where the cells of a network on a data set are made, and on what device. `cells`: the name of their folder."""

    network: Network
    data: str
    device: str = "cpu"
    cells: str = "cells"
    root: Path = ROOT
    tell: Tell = print

    @property
    def folder(self) -> Path:
        """Where everything of the network lies."""
        return self.root / self.source_name / self.network.name

    @property
    def source_name(self) -> str:
        """The data set's name, with the number of images where not all are taken."""
        return f"{self.data}-{self.network.images}" if self.network.images else self.data

    @cached_property
    def bench(self) -> Bench:
        """The network's original, trained where it is missing, on its data."""
        from core.engine.control import Control
        from core.runs.folder import RunFolder
        from core.session.bench import Bench
        from core.session.training import train

        os.environ["UNLEARN_STUDIO_HOME"] = str(self.root / "home")  # where references and outputs are kept
        source = str(self._subset()) if self.network.images else self.data
        bench = Bench().with_data(source)
        original = RunFolder(self.folder / "original")
        if not original.has_result:
            self.tell(f"training the original {self.network.name} on {self.source_name}")
            train(
                original.path, bench.on(self.device, threads=1), self.network.architecture, Control(), quiet,
                recipe=self.network.recipe,
            )  # fmt: skip
        return Bench().open(original.path, source).on(self.device, threads=1)

    @cached_property
    def labels(self) -> np.ndarray:
        """The training images' classes, (n,) int64."""
        labels: np.ndarray = self.bench.dataset.train.labels.numpy()
        return labels

    def selection(self, task: Task) -> Selection:
        """Return what a task forgets."""
        from core.selection import Selection
        from core.session.forget_sets import random_selection

        empty = Selection.empty(self.labels, self.bench.dataset.classes)
        if task.classes:
            return empty.with_classes(task.classes)
        if task.by:
            known, unseen = self.memory
            order = np.argsort(-(known - unseen) if task.by == "hardest" else -unseen, kind="stable")
            return empty.with_samples(np.sort(order[: max(1, round(task.share * len(order)))]))
        if task.count:
            drawn = np.random.default_rng(task.count).choice(len(self.labels), task.count, replace=False)
            return empty.with_samples(np.sort(drawn))
        return random_selection(self.bench.dataset, task.share, 0)

    @cached_property
    def memory(self) -> tuple[np.ndarray, np.ndarray]:
        """How sure networks are of each training image, (n,) in 0..1: those that saw it, and those that did not.

        Means over networks trained on one half of the images each (memorisation of Feldman and Zhang 2020, arXiv
        2008.03703, is the difference).
        """
        file = self.folder / "memory.npz"
        if not file.exists():
            sure = np.zeros((2, len(self.labels)))
            for draw in range(DRAWS):
                order = np.random.default_rng(draw).permutation(len(self.labels))
                for left_out in np.array_split(order, 2):
                    hidden = np.zeros(len(order), bool)
                    hidden[left_out] = True
                    taken = self._own_class(self.reference(self._images(left_out), 1))
                    sure += np.stack([np.where(hidden, 0, taken), np.where(hidden, taken, 0)]) / DRAWS
            np.savez(file, known=sure[0], unseen=sure[1])
        with np.load(file) as kept:
            return kept["known"], kept["unseen"]

    def reference(self, left_out: Selection, seed: int) -> RunFolder:
        """Return a network trained as the original was, without some images; trained where it is missing."""
        from core.engine.control import Control
        from core.models.card import read_card
        from core.session.jobs import create_run, make_train_job, recipe_for
        from core.session.references import reference_folder
        from core.session.running import run

        recipe, _ = recipe_for(read_card(self.folder / "original"), len(self.labels))
        job = make_train_job(self.bench, self.network.architecture, exclude=left_out, recipe=recipe, seed=seed)
        place = reference_folder(job, seed)
        if not place.finished:
            self.tell(f"training without {left_out.count:,} images, seed {seed}")
            begun = place.exists and not place.never_started
            if not begun:
                create_run(place.path, job, left_out, self.bench.dataset)
            run(place, Control(), quiet, self.bench, resume=begun)
        return place

    def attackers(self, tasks: Iterable[Task]) -> list[Any]:
        """Return what the models of the attack say of all images: none of them saw a single image of any task."""
        left_out = np.unique(np.concatenate([np.flatnonzero(self.selection(task).mask) for task in tasks]))
        return [
            self._outputs(self.reference(self._images(left_out), FIRST_ATTACKER + number))
            for number in range(self.network.attackers)
        ]

    def make(self, cells: Sequence[Cell], *, single: Sequence[Task] = (), only_found: bool = False) -> list[Made]:
        """Run what is missing, or with `only_found` leave it out; return the cells with what was measured.

        single: the tasks of single images, whose images no model of the attack saw.
        """
        from core.engine.control import Control
        from core.errors import AppError
        from core.runs.folder import MODEL
        from core.session.checking import check

        made: list[Made] = []
        for number, cell in enumerate(cells, 1):
            chosen, job, folder = self.described(cell)
            report = folder.report() if folder.exists else None
            complete = report is not None and len(report["retrained"]) >= len(REFERENCE_SEEDS)
            attacked = folder.file("attacks.json")
            if not complete or (self._is_attacked(cell) and not attacked.exists()):
                if only_found:
                    continue
                self.tell(f"{number} of {len(cells)}: {self.network.name}, {cell.title}, {cell.task.name}, {cell.seed}")
                try:
                    finish(folder, job, chosen, self.bench)
                    report = check(folder, Control(), quiet, bench=self.bench, seeds=REFERENCE_SEEDS)
                except AppError as error:
                    self.tell(f"  failed: {error}")  # a method that breaks down is missing from the table, and said so
                    continue
                if self._is_attacked(cell):
                    attacked.write_text(json.dumps(self._attack(folder, single), indent=1))
            assert report is not None
            attacks = json.loads(attacked.read_text()) if attacked.exists() else {}
            made.append(Made(cell, report, attacks, weights_hash(folder.file(MODEL))))
        return made

    def described(self, cell: Cell) -> tuple[Selection, Any, RunFolder]:
        """Return what a cell forgets, its job and its run folder, whether or not it was made."""
        from core.runs.folder import RunFolder
        from core.session.jobs import make_unlearn_job

        chosen = self.selection(cell.task)
        job = make_unlearn_job(
            self.bench, chosen, cell.method, preset=cell.preset, seed=cell.seed, checkpoint_seconds=60
        )
        name = f"{cell.method}-{cell.preset or 'preset'}-{cell.task.name}-{cell.seed}-{key_of(job)}"
        return chosen, job, RunFolder(self.folder / self.cells / name)

    def _is_attacked(self, cell: Cell) -> bool:
        return self.network.attackers > 0 and not cell.task.classes

    def _attack(self, folder: RunFolder, single: Sequence[Task]) -> dict[str, Any]:
        """Return per-sample attacks by all models of the attack, on original, unlearned and retrained models."""
        from core.engine.control import Control
        from core.runs.folder import MODEL
        from core.session.checking import train_reference
        from core.session.forget_sets import run_selection
        from core.verify.reference_attacks import reference_attack, sample_attacks

        _, splits = self.bench.laid_out(run_selection(folder, self.bench.dataset))
        attackers = self.attackers(single)
        references = {seed: train_reference(folder, self.bench, seed, Control(), quiet) for seed in REFERENCE_SEEDS}
        models = {
            "original": self.bench.model, "unlearned": self.bench.open_beside(folder.file(MODEL)),
            **{f"seed {s}": self.bench.open_beside(place.file(MODEL)) for s, place in references.items()},
        }  # fmt: skip
        found = {}
        for name, model in models.items():
            outputs = self._of_model(model)
            found[name] = {"rmia": reference_attack(outputs, attackers, splits)}
            found[name] |= sample_attacks(outputs, attackers, splits)
        return found

    def _images(self, ids: np.ndarray) -> Selection:
        from core.selection import Selection

        return Selection.empty(self.labels, self.bench.dataset.classes).with_samples(np.sort(ids))

    def _own_class(self, folder: RunFolder) -> np.ndarray:
        """Return how sure a model is of each training image's class, (n,)."""
        from core.metrics.membership import true_probability

        outputs = self._outputs(folder)
        sure: np.ndarray = true_probability(outputs.train.logits, self.bench.dataset.train.labels)
        return sure

    def _outputs(self, folder: RunFolder) -> Any:
        from core.runs.folder import MODEL

        return self._of_model(self.bench.open_beside(folder.file(MODEL)))

    def _of_model(self, model: Any) -> Any:
        images, _ = self.bench.laid_out(self._images(np.array([0])))
        return self.bench.outputs(model, "Looking", images)

    def _subset(self) -> Path:
        """Return a file with some training images and TEST_IMAGES test images of the data, evenly by class."""
        file = self.root / "data" / f"{self.source_name}.npz"
        if not file.exists():
            from core.session.bench import Bench

            dataset = Bench().with_data(self.data).dataset
            arrays: dict[str, Any] = {"classes": np.array(dataset.classes)}
            parts = (("train", dataset.train, self.network.images), ("test", dataset.test, TEST_IMAGES))
            for part, images, most in parts:
                labels = images.labels.numpy()
                ids = _evenly(labels, most)
                arrays |= {f"x_{part}": images.images[ids].numpy(), f"y_{part}": labels[ids]}
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(file, **arrays)
        return file


def _evenly(labels: np.ndarray, most: int) -> np.ndarray:
    """Return the places of about so many images, the same number of every class, in ascending order."""
    generator = np.random.default_rng(0)
    each = max(1, most // len(np.unique(labels)))
    chosen = [generator.permutation(np.flatnonzero(labels == label))[:each] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def weights_hash(file: Path) -> str:
    """Return the SHA-256 of a safetensors file's tensors, by name; its metadata name a job, and so a time."""
    from safetensors.numpy import load_file

    digest = hashlib.sha256()
    for name, tensor in sorted(load_file(file).items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def key_of(job: Any) -> str:
    """What determines a cell: the job without what the machine adds, and the source of the method.

    What methods share (losses, the engine, torch) is not in it: whoever changes that has rows run again (`--check`).
    """
    kept = asdict(replace(job, libraries={}, app_version=""))
    for part, place in (("model", "path"), ("data", "spec")):  # hashes of both say what they hold
        del kept[part][place]
    text = json.dumps(kept, sort_keys=True, default=str)  # a file's metadata come in another order every time
    return hashlib.sha256((text + _source(job.method)).encode()).hexdigest()[:10]


def _source(method_id: str) -> str:
    """Return the source of the module that declares a method and, where its plan stands elsewhere, of that one."""
    from core.methods import get_method

    method = get_method(method_id)
    declaring = [name for name, module in sorted(sys.modules.items())
                 if name.startswith("core.methods.") and any(value is method for value in vars(module).values())]
    return "".join(inspect.getsource(sys.modules[name]) for name in dict.fromkeys([*declaring, method.plan.__module__]))
