"""Fine-tuning and SCRUB by a public unlearning library and by the engine: the same network, images and passes.

`python -m benchmarks.speed --library` makes an environment for it in a temporary folder, because the library is no
dependency, and runs this module there: both sides take turns in one process with one PyTorch, the program's. The
library pins another one; it is installed without its pins, which is said beside the figures.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

LIBRARY = "supreme-unlearning==0.1.5"
"""The one of the package index's that has both methods for image classifiers and can be called without its own data
sets (looked for in November 2026; the wheel of torchunlearn 0.1.0 lacks its trainers)."""

NEEDED = ("lightning", "wandb", "transformers", "seaborn", "debugpy", "python-dotenv", "psutil", "requests", "datetime")
"""What it imports beside PyTorch, NumPy and scikit-learn, which are the program's."""

FINE_TUNING = {"epochs": 5, "lr": 0.02, "weight_decay": 5e-4, "schedule": "constant", "min_steps": 0}
"""What its fine-tuning does, whatever it is asked for; it also tests after each pass."""

PASSES, MAX_PASSES = 4, 2
SCRUB = {
    "epochs": PASSES, "max_epochs": MAX_PASSES, "optimiser": "adamw", "lr": 0.0005, "weight_decay": 0.1,
    "ce_weight": 1.0, "kl_weight": 0.5, "temperature": 2.0, "forget_batch": 128, "clip": 0.0,
}  # fmt: skip
"""Its defaults but for the passes, of which it takes ten. It adds the distance of the weights, and takes Adam."""


def compared(quick: bool) -> dict[str, Any]:
    """Return what both sides came to, or under "missing" why the library could not be had."""
    with tempfile.TemporaryDirectory(prefix="unlearning-library-") as folder:
        environment = Path(folder) / "environment"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        own = [path for path in sys.path if path.endswith("site-packages")]
        (site,) = [*environment.glob("lib/python*/site-packages"), *environment.glob("Lib/site-packages")][:1]
        site.joinpath("program.pth").write_text("\n".join([*own, str(ROOT)]))
        for what in (["--no-deps", LIBRARY], list(NEEDED)):
            done = subprocess.run(
                [python, "-m", "pip", "install", "--quiet", *what], capture_output=True, text=True, check=False
            )
            if done.returncode:
                said = (done.stderr.strip() or done.stdout.strip()).splitlines()
                return {"missing": f"{what[-1]} does not install: {said[-1] if said else 'no reason given'}"}
        given = [python, "-m", "benchmarks.library", *(["--quick"] if quick else [])]
        done = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            return {"missing": f"{LIBRARY} does not run here: {said[-1] if said else 'no reason given'}"}
        return dict(json.loads(done.stdout.splitlines()[-1]))


def main(quick: bool) -> None:
    """Run in the library's environment: print one JSON document with seconds and accuracies of both sides."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    from benchmarks.plain import FORGET, Images, as_images, digits, timed
    from benchmarks.speed import CPU, experiment
    from core.devices import choose_precision
    from core.engine.control import Control
    from core.engine.engine import Engine
    from core.engine.monitor import Unwatched
    from core.engine.outputs import collect
    from core.methods.common import classification, training
    from core.metrics.accuracy import accuracy
    from core.models.architectures import ModelSpec, build_model

    with contextlib.redirect_stdout(sys.stderr):
        fabric_of = importlib.import_module("lightning.fabric").Fabric
        methods = "supreme.methods.unlearning_methods"
        theirs = {name: getattr(importlib.import_module(f"{methods}.{name}"), name) for name in ("finetune", "scrub")}

    class Triples(Dataset):  # type: ignore[type-arg]
        """Images as the library reads them: with the position and the label."""

        def __init__(self, images: Images) -> None:
            self.images = images

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int, int]:
            image, label = self.images[index]
            return image, index, label

    torch.set_num_threads(1)
    name, data = "small-cnn", digits(28, 1)
    spec = ModelSpec(name, 10, data.channels, data.image_size)
    learn_all = lambda values, facts: [training("train", "train", "all", classification, values)]  # noqa: E731
    start = experiment(data, name, "finetune", 128, "float32", learn_all, epochs=6, min_steps=0, lr=0.05)
    for _ in Engine(start, Control(), Unwatched()).run():
        pass
    state = {key: value.clone() for key, value in start.model.module.state_dict().items()}
    stay = data.train.labels != FORGET
    unseen = data.test.labels != FORGET

    def accuracies(module: torch.nn.Module) -> tuple[float, float]:
        """Accuracy on unseen images of the classes that stay, and of the one that goes."""
        made = experiment(data, name, "finetune", 128, "float32")
        made.model.module.load_state_dict(module.state_dict())
        both = (collect(made.model, made.test, torch.nonzero(part).flatten()) for part in (unseen, ~unseen))
        kept, gone = (accuracy(one.logits, one.labels) or 0.0 for one in both)
        return kept, gone

    def library(method: str) -> torch.nn.Module:
        torch.manual_seed(0)
        net = build_model(spec)
        net.load_state_dict(state)
        fabric = fabric_of(accelerator="cpu", devices=1, precision="32-true")
        retain, forget, test = (
            Triples(as_images(part, keep, data.preprocessing))
            for part, keep in ((data.train, stay), (data.train, ~stay), (data.test, unseen))
        )
        train = fabric.setup_dataloaders(DataLoader(retain, batch_size=128, shuffle=True))
        given = {"retain_train_dataloader": train}
        if method == "finetune":
            given["retain_test_dataloader"] = fabric.setup_dataloaders(DataLoader(test, batch_size=128))
        else:
            loader = fabric.setup_dataloaders(DataLoader(forget, batch_size=128, shuffle=True))
            given |= {"forget_train_dataloader": loader, "sgda_epochs": PASSES, "msteps": MAX_PASSES}
        done = theirs[method](fabric=fabric, num_gpus=0, wandb_logging_flag=False, model=net, **given)
        module: torch.nn.Module = getattr(done, "module", done)
        return module

    def engine(method: str, precision: str) -> torch.nn.Module:
        made = experiment(data, name, method, 128, precision, **(FINE_TUNING if method == "finetune" else SCRUB))
        made.model.module.load_state_dict(state)
        for _ in Engine(made, Control(), Unwatched()).run():
            pass
        return made.model.module

    figures: dict[str, Any] = {"library": LIBRARY, "torch": torch.__version__}
    precision = choose_precision("auto", CPU, convolutional=True)
    figures["precision"] = precision
    for method in theirs:
        turns = []
        for _ in range(1 if quick else 3):
            with contextlib.redirect_stdout(sys.stderr):
                turns.append((timed(partial(library, method)), timed(partial(engine, method, precision))))
        ours, its = turns[-1][1][1], turns[-1][0][1]
        figures[method] = {
            "library_seconds": statistics.median(turn[0][0] for turn in turns),
            "engine_seconds": statistics.median(turn[1][0] for turn in turns),
            "speedup": statistics.median(turn[0][0] / turn[1][0] for turn in turns),
            "library_accuracies": accuracies(its), "engine_accuracies": accuracies(ours),
        }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main("--quick" in sys.argv)
