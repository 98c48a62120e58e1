"""Twelve outputs and ten classes with images: unlearned, measured against retraining, reported, exported."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from core.models.architectures import ModelSpec, build_model

NAMES = ("Anorak", "Hemd", "Hose", "Hut", "Jacke", "Kleid", "Mantel", "Mütze", "Rock", "Schal", "Schuh", "Socke")
WITHOUT = ("Anorak", "Mantel")
SIDE = 8


def images_of(labels, rng):
    """Return images (n, 8, 8) uint8: noise, and a bright bar whose place and direction tell the class."""
    pixels = rng.integers(0, 90, (len(labels), SIDE, SIDE))
    for row, label in enumerate(labels):
        along = pixels[row] if label < SIDE else pixels[row].T
        along[label % SIDE] += 150
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Class folders of the ten classes that have images; those of the two others are empty in no way that shows."""
    root, rng = tmp_path_factory.mktemp("clothes"), np.random.default_rng(0)
    for part, each in (("train", 24), ("test", 10)):
        for label, name in enumerate(NAMES):
            if name in WITHOUT:
                continue
            (root / part / name).mkdir(parents=True)
            for number, image in enumerate(images_of([label] * each, rng)):
                Image.fromarray(image).save(root / part / name / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network of twelve outputs, trained by plain torch on the ten classes; its file lists all twelve."""
    rng = np.random.default_rng(1)
    labels = np.array([label for label, name in enumerate(NAMES) if name not in WITHOUT] * 40)
    x = torch.from_numpy(images_of(labels, rng)).float()[:, None] / 255
    x, y = (x - x.mean()) / x.std(), torch.from_numpy(labels)
    torch.manual_seed(0)
    network = build_model(ModelSpec("small-cnn", len(NAMES), 1, (SIDE, SIDE))).train()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimiser.step()
    path = tmp_path_factory.mktemp("model") / "clothes.pt"
    torch.save({"state_dict": network.eval().state_dict(), "classes": list(NAMES)}, path)
    return path


@pytest.fixture(scope="module")
def run(cli, model, folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "without-hose"
    done = cli("unlearn", "--model", model, "--dataset", folders, "--forget-class", "Hose", "--method", "muda",
               "--set", "rounds=2", "relearn_min_steps=10", "--out", out, "--threads", 1)  # fmt: skip
    assert done.code == 0, done.err
    assert "The classes stand in the order of 'classes' in clothes.pt" in done.err
    assert "2 classes have no training image, only an output: 'Anorak', 'Mantel'." in done.err
    return out


def test_the_order_is_recorded_and_accuracies_are_those_of_plain_torch(run, folders):
    job = json.loads((run / "job.json").read_text())
    assert job["model"]["classes"] == list(NAMES) and job["model"]["num_classes"] == 12
    assert Path(job["data"]["classes_file"]).read_text(encoding="utf-8").split() == list(NAMES)
    report = json.loads((run / "report.json").read_text())
    said = "2 classes have no training image, only an output: 'Anorak', 'Mantel'."
    assert said in job["data"]["notices"] and report["dataset"]["notices"] == job["data"]["notices"]
    assert said.split(":")[0] in (run / "report.html").read_text()
    network = build_model(ModelSpec("small-cnn", 12, 1, (SIDE, SIDE)))
    network.load_state_dict(load_file(run / "model.safetensors"))
    prepared = job["model"]["preprocessing"]
    right = []
    for label, name in enumerate(NAMES):
        if name in (*WITHOUT, "Hose"):
            continue
        files = sorted((folders / "train" / name).iterdir())
        x = torch.stack([torch.tensor(np.asarray(Image.open(file))).float() for file in files])[:, None] / 255
        logits = network.eval()((x - prepared["mean"][0]) / prepared["std"][0])
        right += (logits.argmax(1) == label).tolist()
    assert report["models"]["unlearned"]["retain_accuracy"] == pytest.approx(np.mean(right), abs=1e-3)
    assert report["models"]["original"]["retain_accuracy"] > 0.9
    per_class = report["models"]["unlearned"]["per_class"]
    assert [per_class[NAMES.index(name)] for name in WITHOUT] == [None, None] and len(per_class) == 12
    assert not [warning for warning in report["warnings"] if "order" in str(warning)]
    # As many directions as classes that stay and have images.
    assert report["models"]["unlearned"]["dimensional_alignment"]["k"] == 9


def test_it_is_verified_against_retraining(cli, run):
    done = cli("verify", run, "--retrained", "train")
    assert done.code in (0, 6), done.err
    report = json.loads((run / "report.json").read_text())
    assert report["verdict"]["code"] != "no_reference"
    assert len(report["models"]["retrained"]["per_class"]) == 12
    html = (run / "report.html").read_text(encoding="utf-8")
    assert "Mütze" in html and ">nan" not in html.lower()


@pytest.mark.parametrize(
    ("method", "short"),
    [("random-labels", ()), ("finetune", ("epochs=1",)), ("boundary-shrink", ("min_steps=20",)), ("scrub", ())],
)
def test_other_methods_take_it(cli, model, folders, tmp_path, method, short):
    done = cli("unlearn", "--model", model, "--dataset", folders, "--forget-class", "Hose", "--method", method,
               "--out", tmp_path / method, "--threads", 1, *(["--set", *short] if short else []))  # fmt: skip
    assert done.code == 0, done.err


def test_a_class_without_images_cannot_be_forgotten(cli, model, folders, tmp_path):
    done = cli("unlearn", "--model", model, "--dataset", folders, "--forget-class", "Mantel", "--method", "muda",
               "--out", tmp_path / "out")  # fmt: skip
    assert done.code == 3
    assert done.error == "error: The class 'Mantel' has no training image to forget. Choose another class."
    assert not (tmp_path / "out").exists()


def test_exported_it_has_all_outputs(cli, run, tmp_path):
    done = cli("export", run, "--format", "same", "--out", tmp_path / "again.pt")
    assert done.code == 0, done.err
    content = torch.load(tmp_path / "again.pt", weights_only=True)
    assert content["classes"] == list(NAMES)
    assert [v.shape[0] for v in content["state_dict"].values() if v.ndim == 2][-1] == 12
