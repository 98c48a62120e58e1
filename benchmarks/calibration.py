"""How often a verdict is right by chance: many draws of models whose verdict is known.

    python -m benchmarks.calibration [--data digits|fashion-mnist] [--quick] [--json]

Trains small networks on all images (originals) and without a class or without random single images (retrained). A draw
takes an original, k = 1, 2 or 3 retrained models to hold against, and judges a further retrained model, the original
itself, and its head-only edit. "Close" is right for the first and wrong for the others. Classes are judged twice: with
all measures, and without alignment, as for methods that were trained on it. Outputs of the networks are kept under
bench-results/calibration, so that a second run trains nothing.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, cast

from benchmarks.common import report

ROOT = Path(__file__).resolve().parents[1] / "bench-results" / "calibration"
KINDS = ("held out", "original", "head-only")
WITHOUT_ALIGNMENT = frozenset({"dimensional_alignment"})
BATCH, STEP_SIZE, MOMENTUM, DECAY = 64, 0.05, 0.9, 5e-4


@dataclass(frozen=True)
class ForgetSet:
    """Whole classes, or so many random training images drawn with a seed."""

    classes: tuple[int, ...] = ()
    images: int = 0
    seed: int = 0

    @property
    def name(self) -> str:
        """How the table calls it."""
        if self.classes:
            return "class " + " and ".join(map(str, self.classes))
        return f"{self.images} images, draw {self.seed + 1}"


@dataclass(frozen=True)
class Plan:
    """What is trained, how much of it, and how often is drawn."""

    data: str
    architecture: str
    epochs: int
    images: int  # of the training and of the test part, at most
    sets: tuple[ForgetSet, ...]
    originals: int = 8
    retrained: int = 10
    draws: int = 60  # for each number of retrained models


DIGITS = Plan("digits", "small-cnn", 12, 2000, (
    ForgetSet((3,)), ForgetSet((8,)), ForgetSet(images=120), ForgetSet(images=120, seed=1),
))  # fmt: skip
FASHION = Plan("fashion-mnist", "mlp", 15, 2000, (
    ForgetSet((5,)), ForgetSet((2,)), ForgetSet(images=200), ForgetSet(images=200, seed=1),
))  # fmt: skip
PLANS = {"digits": DIGITS, "fashion-mnist": FASHION}


def quick(plan: Plan) -> Plan:
    """The first class and the first draw of images, fewer models, fewer draws."""
    first = next(i for i, forget in enumerate(plan.sets) if not forget.classes)
    return replace(plan, sets=(plan.sets[0], plan.sets[first]), originals=4, retrained=6, draws=20)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", choices=PLANS, default="digits")
    parser.add_argument("--quick", action="store_true", help="fewer networks and draws; shares are rougher")
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    plan = quick(PLANS[options.data]) if options.quick else PLANS[options.data]
    cells = [cell for forget in plan.sets for cell in cells_of(Pool(plan, forget, ROOT), plan.draws)]
    title = f"Calibration of the verdict, {plan.data}, {plan.architecture}, {plan.draws} draws a line"
    report(title, {"cells": [cell.as_dict() for cell in cells], "shares": shares(cells)}, table(cells), options)


# --- networks ---------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Pool:
    """The networks on one forget set: their outputs, and what was measured of them."""

    plan: Plan
    forget: ForgetSet
    root: Path | None = None  # where outputs are kept
    _distances: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def originals(self) -> list[str]:
        """Names of networks trained on everything."""
        return [f"original {i}" for i in range(self.plan.originals)]

    @property
    def retrained(self) -> list[str]:
        """Names of networks that never saw the forget set."""
        return [f"retrained {i}" for i in range(self.plan.retrained)]

    @cached_property
    def dataset(self) -> Any:
        """At most `plan.images` images of either part, drawn once."""
        from core.data.sources import open_dataset

        dataset, most = open_dataset(self.plan.data), self.plan.images
        return replace(dataset, train=_part(dataset.train, most), test=_part(dataset.test, most))

    @cached_property
    def splits(self) -> Any:
        """What is forgotten."""
        import torch

        from core.data.splits import Splits

        labels = self.dataset.train.labels
        mask = torch.isin(labels, torch.tensor(self.forget.classes, dtype=torch.int64))
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(100 + self.forget.seed))
        mask[order[: self.forget.images]] = True
        return Splits.of(self.dataset, mask)

    @cached_property
    def outputs(self) -> dict[str, Any]:
        """Outputs of every network and of every original's head-only edit, by name."""
        import torch

        from core.verify.suite import head_only

        nothing = torch.zeros_like(self.splits.forget)
        made = {name: self._outputs(name, nothing, seed) for seed, name in enumerate(self.originals)}
        if self.forget.classes:
            made |= {f"edit of {name}": head_only(made[name], self.splits.forget_classes) for name in self.originals}
        own = {name: self._outputs(name, self.splits.forget, 1000 + i) for i, name in enumerate(self.retrained)}
        return made | own

    @cached_property
    def measured(self) -> dict[str, Any]:
        """The quick suite's measures of every network, distances left out."""
        from core.verify.suite import Subject, take

        first, found = self.outputs[self.originals[0]], {}
        for name, full in self.outputs.items():
            source = name.removeprefix("edit of ")
            known = (self.outputs[source], found[source]) if source != name else None
            found[name] = take(Subject(full, self.splits, first), features_of=known)
        return found

    def held_against(self, name: str, references: Sequence[str]) -> Any:
        """Return a network's measures with its distances to the references, itself left out."""
        import numpy as np

        from core.verify.measure_log import Measured

        pairs = [self._distance(name, other) for other in references if other != name]
        if not pairs:
            return self.measured[name]
        sets = pairs[0].values["distances"]
        key = "js_to_retrained"
        means = {part: {key: float(np.mean([pair.values["distances"][part][key] for pair in pairs]))} for part in sets}
        samples = np.mean([pair.samples["output_distance"] for pair in pairs], axis=0).tolist()
        own = self.measured[name]
        return Measured({**own.values, "distances": means}, {**own.samples, "output_distance": samples})

    def _distance(self, one: str, other: str) -> Any:
        from core.verify.relations import Others, distances

        names = cast("tuple[str, str]", tuple(sorted((one, other))))
        if names not in self._distances:
            full = self.outputs
            self._distances[names] = distances(full[names[0]], Others(None, [full[names[1]]]), self.splits)
        return self._distances[names]

    def _outputs(self, name: str, left_out: Any, seed: int) -> Any:
        from safetensors.torch import load_file, save_file

        from core.engine.outputs import FullOutputs
        from core.models.tap import SetOutputs

        labels = (self.dataset.train.labels, self.dataset.test.labels)
        kept = None
        if self.root is not None:
            plan, part = self.plan, "all" if name.startswith("original") else self.forget.name
            folder = self.root / f"{plan.data}-{plan.images}-{plan.architecture}-{plan.epochs}" / part.replace(",", "")
            kept = folder / f"{seed}.safetensors"
            if kept.is_file():
                tensors = load_file(kept)
                sets = [SetOutputs(tensors[f"logits{i}"], tensors[f"features{i}"], labels[i]) for i in (0, 1)]
                return FullOutputs(*sets)
        full = _train(self.dataset, self.plan, left_out, seed)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            parts = list(enumerate((full.train, full.test)))
            save_file({f"{what}{i}": getattr(part, what) for i, part in parts for what in ("logits", "features")}, kept)
        return full


def _part(images: Any, most: int) -> Any:
    import numpy as np

    chosen = np.random.default_rng(0).permutation(len(images))[:most]
    return images.take(np.sort(chosen))


def _train(dataset: Any, plan: Plan, left_out: Any, seed: int) -> Any:
    """Train a network from scratch by a plain loop and return its outputs."""
    import torch

    from core.data.batches import ImageStore
    from core.engine.outputs import collect_full
    from core.models.architectures import ModelSpec, build_model
    from core.models.tap import TappedModel

    torch.manual_seed(seed)
    classes = len(dataset.classes)
    network = build_model(ModelSpec(plan.architecture, classes, dataset.channels, dataset.preprocessing.size))
    parts = (dataset.train, dataset.test)
    train, test = (ImageStore(part, dataset.preprocessing, torch.device("cpu")) for part in parts)
    images = torch.cat([batch.images for batch in train.chunks(torch.arange(len(train)), 500)])
    kept, generator = torch.nonzero(~left_out).flatten(), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.SGD(network.parameters(), lr=STEP_SIZE, momentum=MOMENTUM, weight_decay=DECAY)
    steps = plan.epochs * -(-len(kept) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, STEP_SIZE, total_steps=steps)
    network.train()
    for _ in range(plan.epochs):
        for ids in kept[torch.randperm(len(kept), generator=generator)].split(BATCH):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(images[ids]), dataset.train.labels[ids]).backward()
            optimiser.step()
            schedule.step()
    return collect_full(TappedModel(network, classes), train, test)


# --- draws ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One line of the table: codes by what was judged."""

    forget: ForgetSet
    references: int
    alignment: bool  # whether alignment decided, too
    codes: Mapping[str, Counter[str]]

    def close(self, kind: str) -> tuple[int, int]:
        """Return how often the verdict was "close", and how often there was anything to tell."""
        codes = self.codes[kind]
        return codes["close"], codes.total() - codes["nothing"]

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "forget": self.forget.name, "references": self.references, "alignment": self.alignment,
            "codes": {kind: dict(codes) for kind, codes in self.codes.items()},
        }


def cells_of(pool: Pool, draws: int, seed: int = 0) -> Iterator[Cell]:
    """Yield the lines of one forget set."""
    for references in (1, 2, 3):
        judges = [judge for _, judge in zip(range(draws), _draws(pool, references, seed), strict=False)]
        for trained_on in (frozenset(), WITHOUT_ALIGNMENT) if pool.forget.classes else (frozenset(),):
            codes: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
            for judge, kind in product(judges, KINDS if pool.forget.classes else KINDS[:2]):
                codes[kind][judge(kind, trained_on)] += 1
            yield Cell(pool.forget, references, not trained_on, codes)


def _draws(pool: Pool, references: int, seed: int) -> Iterator[Callable[[str, frozenset[str]], str]]:
    """Draw models without end; yield what judges one of KINDS."""
    from core.verify.relations import half_widths
    from core.verify.verdict import decide

    generator = random.Random(seed)
    while True:
        held_out, *others = generator.sample(pool.retrained, references + 1)
        original = generator.choice(pool.originals)
        found = {"held out": pool.held_against(held_out, others), "original": pool.held_against(original, others)}
        if pool.forget.classes:
            found["head-only"] = pool.held_against(f"edit of {original}", others)
        retrained = [pool.held_against(name, others) for name in others]
        widths = {kind: half_widths(each, retrained) for kind, each in found.items()}

        def judge(
            kind: str, trained_on: frozenset[str], found: Any = found, retrained: Any = retrained, widths: Any = widths
        ) -> str:
            roles = {"original": "original", "unlearned": kind, "head_only": "head-only"}
            roles = {role: name for role, name in roles.items() if name in found}
            return decide(
                {role: found[name].values for role, name in roles.items()}, [each.values for each in retrained],
                trained_on, half_widths={role: widths[name] for role, name in roles.items()},
            ).code  # fmt: skip

        yield judge


def shares(cells: Sequence[Cell]) -> dict[str, dict[str, float | None]]:
    """Return the share of "close" where anything could be told, by what was judged, for classes and for images."""
    found: dict[str, dict[str, float | None]] = {}
    for name, wanted in (("classes", True), ("images", False)):
        chosen = [cell for cell in cells if bool(cell.forget.classes) is wanted]
        found[name] = {}
        for kind in KINDS:
            told = sum(cell.close(kind)[1] for cell in chosen)
            found[name][kind] = sum(cell.close(kind)[0] for cell in chosen) / told if told else None
    return found


def table(cells: Sequence[Cell]) -> list[list[str]]:
    """Return the lines of the table, and the shares over all of them."""
    rows = [["forgotten", "retrained", "without", "told", *(f"{kind} close" for kind in KINDS)]]
    for cell in cells:
        written = [_share(*cell.close(kind)) for kind in KINDS]
        told, total = cell.close("held out")[1], cell.codes["held out"].total()
        without = "" if cell.alignment else "alignment"
        rows.append([cell.forget.name, str(cell.references), without, f"{told} of {total}", *written])
    for name, found in shares(cells).items():
        written = ["–" if (share := found[kind]) is None else f"{100 * share:.1f} %" for kind in KINDS]
        rows.append([f"all {name}", "", "", "", *written])
    return rows


def _share(close: int, told: int) -> str:
    return f"{close} of {told}" if told else "–"


if __name__ == "__main__":
    main()
