"""Folders that do not fit memory: indexing, decoding, what is kept of it, memory, and an epoch that never waits.

    python -m benchmarks.scaling [--quick] [--json]

A folder of 100,000 small JPEGs is made up (with --quick 5,000) and opened with a memory budget of nothing, so that all
images are streamed. An epoch reads all training images in random order; its first time decodes them, its second time
takes them from the file of decoded images. Then a small CNN is trained for an epoch on a fresh stream and for one more.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import arguments, peak_of, report

IMAGES, QUICK_IMAGES = 100_000, 5_000
CLASSES = 10
SIDE = 64
BATCH = 128
TEST_SHARE = 10  # every tenth image is for testing
SINGLES = 300  # images read one by one, as thumbnails are


def main() -> None:
    options = arguments(__doc__ or "")
    count = QUICK_IMAGES if options.quick else IMAGES
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["UNLEARN_STUDIO_HOME"] = str(Path(temporary) / "home")
        root = Path(temporary) / "images"
        size = make_up(root, count)
        figures, rows = _measure(root, Path(temporary) / "home")
    figures["images"], figures["folder_megabytes"] = count, round(size / 2**20, 1)
    title = f"{count:,} JPEGs of {SIDE}×{SIDE}, {figures['folder_megabytes']} MB, streamed"
    report(title, figures, [["", "first", "again"], *rows], options)


def make_up(root: Path, count: int) -> int:
    """Write JPEGs of smooth noise, a folder a class; return their bytes."""
    import numpy as np
    from PIL import Image

    generator, size = np.random.default_rng(0), 0
    for number in range(count):
        part = "train" if number % TEST_SHARE else "test"
        folder = root / part / f"class{number // TEST_SHARE % CLASSES}"
        if number < TEST_SHARE * CLASSES:
            folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        path = folder / f"{number:06d}.jpg"
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, quality=90)
        if not number % 1000:  # as after a download; files changed just now are looked at again
            size += path.stat().st_size * min(1000, count - number)
        os.utime(path, (1.7e9, 1.7e9))
    return size


def _measure(root: Path, home: Path) -> tuple[dict[str, Any], list[list[str]]]:
    import numpy as np
    import torch

    from core.data.sources import open_dataset

    torch.set_num_threads(1)
    found: dict[str, Any] = {}

    def opened() -> None:
        began, worked = time.perf_counter(), time.process_time()
        found["dataset"] = open_dataset(str(root), memory_budget=0)
        found["seconds"], found["cpu"] = time.perf_counter() - began, time.process_time() - worked

    index_memory = peak_of(opened)
    figures: dict[str, Any] = {
        "index_first_seconds": round(found["seconds"], 2),
        "index_first_cpu_seconds": round(found["cpu"], 2),
    }
    again = []
    for _ in range(5):
        opened()
        again.append((found["seconds"], found["cpu"]))
    figures["index_again_seconds"] = round(statistics.median(s for s, _ in again), 3)
    figures["index_again_cpu_seconds"] = round(statistics.median(c for _, c in again), 3)
    figures["index_megabytes"] = round(index_memory / 2**20, 1)
    dataset = found.pop("dataset")
    figures["decoded_megabytes"] = round(dataset.train.images.shape.numel() / 2**20, 1)

    singles = np.random.default_rng(1).integers(0, len(dataset.train), SINGLES)
    took = []
    for number in singles.tolist():
        began = time.perf_counter()
        dataset.train.images[number]
        took.append(time.perf_counter() - began)
    figures["one_image_p99_ms"] = round(1000 * float(np.quantile(took, 0.99)), 2)

    decode, decode_memory = _epoch_rate(dataset, 0)
    cached, cached_memory = _epoch_rate(dataset, 1)
    figures |= {
        "decode_images_per_second": round(decode),
        "cached_images_per_second": round(cached),
        "second_epoch_ratio": round(cached / decode, 1),
        "epoch_megabytes": round(max(decode_memory, cached_memory) / 2**20, 1),
    }
    del dataset
    shutil.rmtree(home / "cache" / "decoded")
    first, second = _trained(open_dataset(str(root), memory_budget=0))
    figures |= {
        "train_first_epoch_seconds": round(first[0], 1),
        "train_second_epoch_seconds": round(second[0], 1),
        "train_first_wait_share": round(first[1], 4),
        "train_second_wait_share": round(second[1], 4),
    }
    rows = [
        ["index, seconds", f"{figures['index_first_seconds']:.1f}", f"{figures['index_again_seconds']:.2f}"],
        ["– processor time", f"{figures['index_first_cpu_seconds']:.1f}", f"{figures['index_again_cpu_seconds']:.2f}"],
        ["– memory, MB", f"{figures['index_megabytes']:.0f}", ""],
        ["images a second", f"{decode:,.0f}", f"{cached:,.0f}"],
        [
            "– memory, MB (all decoded: {:.0f})".format(figures["decoded_megabytes"]),
            f"{figures['epoch_megabytes']:.0f}",
            "",
        ],
        ["one image, p99 ms", f"{figures['one_image_p99_ms']:.1f}", ""],
        ["epoch of a small CNN, seconds", f"{first[0]:.1f}", f"{second[0]:.1f}"],
        ["– of it waiting for images", f"{first[1]:.1%}", f"{second[1]:.1%}"],
    ]
    return figures, rows


def _epoch_rate(dataset: Any, epoch: int) -> tuple[float, float]:
    """Read all training images in random order, ahead of need; return images a second and bytes of memory it took."""
    import torch

    from core.data.batches import AHEAD, ImageStore, Order

    store = ImageStore(dataset.train, dataset.preprocessing, torch.device("cpu"))
    order = Order(torch.arange(len(store)), len(store), BATCH, 0, "bench")
    first, last = epoch * order.per_epoch, (epoch + 1) * order.per_epoch
    seconds = 0.0

    def read() -> None:
        nonlocal seconds
        began = time.perf_counter()
        for position in range(first, last):
            store.raw(order.ids(position)[0])
            for further in range(position + 1, min(last, position + 1 + AHEAD)):
                store.prefetch(order.ids(further)[0])
        seconds = time.perf_counter() - began

    memory = peak_of(read)
    return len(store) / seconds, memory


def _trained(dataset: Any) -> list[tuple[float, float]]:
    """Train a small CNN for two epochs; return for each its seconds and the share of them spent waiting for images."""
    from benchmarks.speed import experiment
    from core.engine.control import Control
    from core.engine.engine import Engine
    from core.engine.monitor import Monitor

    made = experiment(dataset, "small-cnn", "finetune", BATCH, "float32", epochs=2, lr=1e-3)
    engine = Engine(made, Control(), Monitor(made, 0.0))
    stream = dataset.train.images.stream
    read, waited = stream.read, 0.0

    def timed(rows: Any) -> Any:
        nonlocal waited
        began = time.perf_counter()
        images = read(rows)
        waited += time.perf_counter() - began
        return images

    stream.read = timed
    steps, found = -(-len(made.splits.retain_train) // BATCH), []
    for _ in range(2):
        waited, began = 0.0, time.perf_counter()
        for _ in range(steps):
            engine.advance()
        seconds = time.perf_counter() - began
        found.append((seconds, waited / seconds))
    return found


if __name__ == "__main__":
    main()
