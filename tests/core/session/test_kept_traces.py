"""After everything was removed, nothing of the forget images is found anywhere in the application's folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.engine.control import Control
from core.files import cache_home, data_home, queue_home, runs_home
from core.runs.folder import FORGET as LIST
from core.runs.folder import MODEL, RunFolder
from core.runs.waiting import Waiting, write_waiting
from core.selection import Selection
from core.session.bench import Bench
from core.session.checking import check
from core.session.jobs import create_run, forget_list, make_unlearn_job
from core.session.kept import remove_kept, what_is_kept
from core.session.near import image_looks, similar_images
from core.session.running import run
from core.session.training import train

SIDE, EACH, FORGET = 12, 14, (3, 5, 17)
FAST = {"monitoring_budget": 0.0, "checkpoint_seconds": 0.0}


@pytest.fixture
def traced(tmp_path, monkeypatch):
    """A run that forgot three named photos, with all that the application keeps around it."""
    torch.set_num_threads(1)
    root = tmp_path
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(root / "home"))
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for label in ("ant", "bee"):
            folder = root / "photos" / part / label
            folder.mkdir(parents=True)
            for number in range(EACH):
                level = 60 if label == "ant" else 160
                pixels = np.clip(generator.normal(level, 40, (SIDE, SIDE)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"person-{part}-{label}-{number:03}.png")
    data = Bench().with_data(str(root / "photos")).dataset
    original, _ = train(
        root / "original", Bench(None, data).on("cpu", threads=1), "mlp", Control(), lambda event: None,
        recipe={"epochs": 2},
    )  # fmt: skip
    bench = Bench().open(original.path, str(root / "photos"))
    chosen = Selection.empty(data.train.labels.numpy(), data.classes).with_samples(np.array(FORGET))
    job = make_unlearn_job(
        bench.on("cpu", "float32", threads=1), chosen, "finetune", settings={"epochs": 3, "batch": 8}, **FAST
    )
    folder = create_run(runs_home() / "forgotten", job, chosen, data)
    run(folder, Control(), lambda event: None, bench=bench)
    check(folder, Control(), lambda event: None, bench=bench, seeds=(1,))
    similar_images(data, chosen.mask)
    later = Waiting(queue_home() / "program" / "run", job, runs_home() / "later", 0.0)
    write_waiting(later, {LIST: forget_list(job, chosen, data)})
    return folder, traces_of(bench, folder)


def traces_of(bench, folder: RunFolder) -> dict[str, list[bytes]]:
    """What would give the forget images away, as bytes: names, pixels, features of both models, hashes."""
    data, ids = bench.dataset, list(FORGET)
    features = []
    for path in (bench.model.path, folder.file(MODEL)):
        outputs = Bench(None, data, device="cpu").outputs(bench.open_beside(path))
        features += [outputs.train.features[index].numpy().tobytes() for index in ids]
        features += [outputs.train.logits[index].numpy().tobytes() for index in ids]
    looks = image_looks(data)
    return {
        "names": [Path(data.train.paths[index]).name.encode() for index in ids],
        "pixels": [data.train.images[index].numpy().tobytes() for index in ids],
        "outputs": features,
        "hashes": [held[index].tobytes() for held in (looks.cells, looks.digests) for index in ids],
    }


def found_in(folder: RunFolder, traces: dict[str, list[bytes]]) -> dict[str, set[str]]:
    """Which files of the application's folders hold which traces."""
    found: dict[str, set[str]] = {name: set() for name in traces}
    for home in {folder.path, cache_home(), data_home()}:
        for path in (path for path in home.rglob("*") if path.is_file()):
            content = path.read_bytes()
            for name, pieces in traces.items():
                if any(piece in content for piece in pieces):
                    found[name].add(path.name)
    return found


def test_nothing_is_found_after_all_was_removed(traced):
    folder, traces = traced
    before = found_in(folder, traces)
    # The search sees what there is: without this, finding nothing afterwards would say nothing.
    assert "forget.csv" in before["names"] and len(before["outputs"]) >= 2 and len(before["hashes"]) >= 1
    kinds = {kind.id: kind for kind in what_is_kept(folder).kinds}
    for name in ("outputs", "similar", "measures", "checkpoints", "forget_list", "waiting", "fingerprints"):
        assert kinds[name].count, f"nothing of {name} was made, so its removal is not tested"
    report = folder.report()["verdict"]

    removed = remove_kept(folder, [kind.id for kind in what_is_kept(folder).removable])
    assert not removed.failed and removed.files
    after = found_in(folder, traces)
    assert after == {name: set() for name in traces}
    assert not what_is_kept(folder).removable
    # What was to stay is there: the model, the report and its verdict.
    assert folder.has_result and folder.report()["verdict"] == report
