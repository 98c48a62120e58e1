"""Valid files that damaged ones begin as: what two small real runs left, shortened, and what small writers write."""

from __future__ import annotations

import functools
import gzip
import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

KEPT = Path(__file__).with_name("fuzz_samples.json")
RUNS = ("classes", "images")  # two runs: whole classes with the full suite, single images with the quick one
SHORT = 3  # entries of a list that stay
MOST_LINES = 24  # of a log
SHARED_MEASURE = "0.json"  # see `make_shared_measure`
CHECKPOINT = "checkpoints/step-000000004.pt"
RECORD = "home/data/batches/0.json"

Contents = list[bytes]


# --- run folders ----------------------------------------------------------------------------------------------------


@functools.cache
def _kept() -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = json.loads(KEPT.read_bytes())
    return kept


def make_run(file: str, folder: Path) -> Contents:
    """Write a run folder, and two beside it to compare it with; return what the runs have under the name of a file."""
    for place in (folder, folder / "others" / "a", folder / "others" / "b"):
        place.mkdir(parents=True, exist_ok=True)
        for name, text in _kept()[RUNS[0]].items():
            (place / name).write_text(text)
        (place / "model.safetensors").write_bytes(b"")
        (place / "report.json").write_bytes(_about(place, _kept()[RUNS[0]]["report.json"]))
    contents = [_kept()[run][file].encode() for run in RUNS if file in _kept()[run]]
    return [_about(folder, content) for content in contents] if file == "report.json" else contents


def _about(folder: Path, report: str | bytes) -> bytes:
    """Return a report that states the hashes of the files beside it."""
    from core.files import file_sha256

    content = json.loads(report)
    there = (folder / name for name in content["files"])
    return json.dumps(content | {"files": {file.name: file_sha256(file) for file in there if file.is_file()}}).encode()


def run_samples() -> None:
    """Make the two runs and write what they leave, shortened, into the file that samples are taken from."""
    import os

    from core import api
    from core.engine.control import Control
    from core.session.training import train

    kept: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        os.environ["UNLEARN_STUDIO_HOME"] = str(home)
        data = write_npz(home / "images.npz", 90)
        bench = api.open_data(data).on("cpu", "float32", 1)
        train(home / "model", bench, "small-cnn", Control(), lambda event: None, recipe={"epochs": 8})
        bench = api.open_data(data, api.open_model(home / "model", device="cpu"))
        what: tuple[dict[str, Any], ...] = ({"classes": ["1"]}, {"samples": [1, 2, 3]})
        for name, forget, suite in zip(RUNS, what, ("full", "quick"), strict=True):
            folder = api.unlearn(bench, home / name, method="finetune", accept_accuracy=True, **forget)
            api.check(folder, bench, seeds=(1, 2) if suite == "full" else (), suite=suite)
            kept[name] = {
                file.name: _shortened(file).replace(str(home), "/mnt/runs")
                for file in sorted(folder.path.iterdir())
                if file.suffix in (".json", ".jsonl", ".csv") and not file.name.startswith(".")
            }
            note = {"sha256": "0" * 64, "removed": "2026-01-01T00:00:00+00:00"}
            kept[name]["removed.json"] = json.dumps({"model.pt": note, "cache/outputs/a.safetensors": note})
    KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")


def _shortened(file: Path) -> str:
    if file.suffix == ".csv":
        return file.read_text()
    if file.suffix == ".json":
        return msgspec.json.encode(_short(msgspec.json.decode(file.read_bytes()))).decode()
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    few: dict[str, list[Any]] = {}
    for line in lines:
        few.setdefault(line.get("type") or f"{line.get('measure')} {line.get('model')}", []).append(line)
    last = [line for line in lines if any(line is kept for kind in few.values() for kept in (*kind[:1], *kind[-1:]))]
    return "".join(msgspec.json.encode(_short(line)).decode() + "\n" for line in last[:MOST_LINES])


def _short(value: Any) -> Any:
    """Return a document with few entries in each list, numbers of few digits, and short packed texts."""
    if isinstance(value, dict):  # a map's lists belong to its packed points
        return value if value.get("type") == "feature_map" else {key: _short(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value[:SHORT]]
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value


# --- other files of runs and of the window --------------------------------------------------------------------------


def make_shared_measure(folder: Path) -> Contents:
    """Return a measure that all runs share."""
    record = {"measure": "accuracy", "model": "original", "key": "", "suite": 5, "values": {"retain_accuracy": 0.5},
              "samples": {"forget": [0.1, 0.2]}, "time": 0.5, "seconds": 0.1}  # fmt: skip
    return [json.dumps(record).encode()]


def make_tuning(folder: Path) -> Contents:
    """Return a search's tries."""
    tries = [
        {"number": number, "values": {"lr": 0.1, "epochs": 2}, "seconds": 0.5, "steps": 4, "retain": 0.9, "score": None}
        for number in (1, 2)
    ]
    return [json.dumps({"job": "a", "references": [], "tries": tries, "best": 1, "asked": 2}).encode()]


def make_checkpoint(folder: Path) -> Contents:
    """Return a checkpoint of a run, and the same as earlier versions wrote it, without a seal."""
    import torch

    from core.runs.folder import RunFolder
    from core.runs.recorder import save_checkpoint

    make_run("job.json", folder)
    run, target = RunFolder(folder), io.BytesIO()
    state = {"step": 4, "model": _tensors()}
    save_checkpoint(run, state, run.job_sha256())
    torch.save({"schema_version": 1, "job_sha256": run.job_sha256(), **state}, target)
    return [run.file(CHECKPOINT).read_bytes(), target.getvalue()]


def make_settings(folder: Path) -> Contents:
    """Return the preferences' file."""
    from app.services.settings import Preferences
    from core.files import dumps

    return [dumps(Preferences())]


def make_pairings(folder: Path) -> Contents:
    """Return the file of pairs that are taken as they are."""
    return [b'{"a b": {"accepted": ["one", "two"]}}']


def make_waiting(folder: Path) -> Contents:
    """Return what waits in the queue: a run, and the check of one."""
    make_run("job.json", folder)
    check = {"seeds": [1, 2], "retrained": {"a": "a.pt"}, "which": "quick"}
    entries = ({"folder": str(folder), "place": 1.0, "check": given} for given in (None, check))
    return [json.dumps(entry).encode() for entry in entries]


def make_record(folder: Path) -> Contents:
    """Return what is recorded of a batch."""
    run = {"run": "a", "forget": "1", "method": "finetune", "seed": 0, "folder": "/nowhere"}
    return [json.dumps({"schema_version": 1, "file": "/b.toml", "queued": 0.5, "runs": [run, run]}).encode()]


# --- models ---------------------------------------------------------------------------------------------------------


def _tensors() -> dict[str, Any]:
    import torch

    torch.manual_seed(0)
    return {"fc.weight": torch.randn(3, 4), "fc.bias": torch.zeros(3), "count": torch.tensor(2)}


def make_pt(folder: Path) -> Contents:
    """Return files of torch.save: a state dict, one wrapped in a training's, and one of the old form."""
    import torch

    contents = []
    wrapped = {"epoch": 3, "state_dict": _tensors(), "class_to_idx": {"a": 0, "b": 1}}
    for content, zipped in ((_tensors(), True), (wrapped, True), (_tensors(), False)):
        target = io.BytesIO()
        torch.save(content, target, _use_new_zipfile_serialization=zipped)
        contents.append(target.getvalue())
    return contents


def make_safetensors(folder: Path) -> Contents:
    """Return a file of safetensors with metadata."""
    from safetensors.torch import save

    return [save(_tensors(), {"classes": '["a", "b", "c"]'}), save(_tensors())]


def _card() -> dict[str, Any]:
    card: dict[str, Any] = json.loads(_kept()[RUNS[0]]["model.json"])
    return card


def _network() -> dict[str, Any]:
    import torch

    from core.models.architectures import ModelSpec, build_model

    torch.manual_seed(0)
    return build_model(ModelSpec("small-cnn", 3, 1, (8, 8))).state_dict()


def make_card(folder: Path) -> Contents:
    """Return a model card; its weights lie beside it."""
    from safetensors.torch import save_file

    save_file(_network(), folder / "model.safetensors")
    return [json.dumps({**_card(), "files": {}}).encode()]


def make_metadata(folder: Path) -> Contents:
    """Return a model with its card in the metadata."""
    from safetensors.torch import save

    from core.models.card import card_to_metadata

    return [save(_network(), card_to_metadata(_card()))]


def make_hub(folder: Path) -> Contents:
    """Return Hugging Face's configuration; the weights of one of the networks lie beside it."""
    import torch

    from core.models.architectures import ModelSpec, build_model
    from core.models.hub import config_card

    labels = {str(number): name for number, name in enumerate("abc")}
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    vit = {
        "architectures": ["ViTForImageClassification"], "model_type": "vit", **small, "hidden_act": "gelu",
        "image_size": 8, "patch_size": 4, "num_channels": 1, "id2label": labels, "layer_norm_eps": 1e-6,
        "problem_type": "single_label_classification", "torch_dtype": "float32",
    }  # fmt: skip
    others = [
        {"architectures": ["ResNetForImageClassification"], "model_type": "resnet", "embedding_size": 4,
         "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic", "num_channels": 1, "id2label": labels},
        {"architectures": ["SwinForImageClassification"], "model_type": "swin", "embed_dim": 4, "depths": [1, 1],
         "num_heads": [1, 2], "window_size": 2, "image_size": 8, "patch_size": 2, "id2label": labels},
        {"architectures": ["ConvNextForImageClassification"], "model_type": "convnext", "hidden_sizes": [4, 8],
         "depths": [1, 1], "patch_size": 2, "num_channels": 1, "num_labels": 3},
    ]  # fmt: skip
    card = config_card(vit) or {}
    spec = ModelSpec(card["architecture"], 3, 1, (8, 8))
    torch.save(build_model(spec).state_dict(), folder / "pytorch_model.bin")
    return [json.dumps(config).encode() for config in (vit, *others)]


def make_timm(folder: Path) -> Contents:
    """Return timm's configuration."""
    make_hub(folder)
    config = {
        "architecture": "resnet18", "num_classes": 3, "num_features": 512, "global_pool": "avg",
        "model_args": {"in_chans": 1, "img_size": 32}, "label_names": ["a", "b", "c"],
        "pretrained_cfg": {"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 0.9,
                           "interpolation": "bicubic", "crop_mode": "center", "first_conv": "conv1"},
    }  # fmt: skip
    return [json.dumps(config).encode()]


_PROCESSOR = {
    "image_processor_type": "ViTImageProcessor", "do_normalize": True, "do_rescale": True, "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "rescale_factor": 0.00392156862745098,
    "size": {"height": 8, "width": 8}, "do_center_crop": True, "crop_size": {"height": 8, "width": 8},
}  # fmt: skip


def make_hub_images(folder: Path) -> Contents:
    """Return Hugging Face's configuration of images, beside that of a network."""
    (folder / "config.json").write_bytes(make_hub(folder)[0])
    short = {**_PROCESSOR, "image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 8}}
    return [json.dumps(given).encode() for given in (_PROCESSOR, short)]


# --- data -----------------------------------------------------------------------------------------------------------


def _arrays(count: int = 12) -> dict[str, np.ndarray]:
    labels = np.arange(count) % 3
    images = np.random.default_rng(0).integers(0, 60, (count, 8, 8, 1)).astype(np.uint8)
    images[np.arange(count), labels * 2] += 150
    two_thirds = 2 * count // 3
    return {
        "x_train": images[:two_thirds], "y_train": labels[:two_thirds], "x_test": images[two_thirds:],
        "y_test": labels[two_thirds:],
    }  # fmt: skip


def write_npz(path: Path, count: int) -> Path:
    """Write data of three classes with so many images that a small network can learn, and return its path."""
    np.savez(path, **_arrays(count))  # type: ignore[arg-type]
    return path


def make_npz(folder: Path) -> Contents:
    """Return arrays in one file, with names of classes and without."""
    contents = []
    for more in ({}, {"classes": np.array(["a", "b", "c"])}):
        target = io.BytesIO()
        np.savez(target, **_arrays(), **more)  # type: ignore[arg-type]
        contents.append(target.getvalue())
    return contents


def make_npy(folder: Path) -> Contents:
    """Return an array of images; its labels lie beside it."""
    (folder / "npy").mkdir()
    arrays = _arrays()
    np.save(folder / "npy" / "y_train.npy", arrays["y_train"])
    target = io.BytesIO()
    np.save(target, arrays["x_train"])
    return [target.getvalue()]


def make_idx(folder: Path) -> Contents:
    """Return images as MNIST's files hold them."""
    images = _arrays()["x_train"][..., 0]
    return [bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes() + images.tobytes()]


def make_idx_gz(folder: Path) -> Contents:
    """Return the same, compressed."""
    return [gzip.compress(content, mtime=0) for content in make_idx(folder)]


def _png(value: int, kind: str = "PNG") -> bytes:
    from PIL import Image

    target = io.BytesIO()
    pixels = np.full((8, 8, 3), value, np.uint8)
    pixels[2:4] = 255 - value
    Image.fromarray(pixels).save(target, kind)
    return target.getvalue()


def _images(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate("abcdef"):
        (folder / f"{name}.png").write_bytes(_png(20 * number))


def make_table(folder: Path) -> Contents:
    """Return a table of images, which lie beside it."""
    _images(folder)
    rows = [f"{name}.png,{'xy'[number % 2]},{'train' if number < 4 else 'test'},{number}" for number, name in
            enumerate("abcdef")]  # fmt: skip
    return ["\n".join(["path,label,split,customer", *rows, ""]).encode()]


def make_metadata_csv(folder: Path) -> Contents:
    """Return what is said of images in a folder."""
    _images(folder)
    return [b"file_name,customer,day\na.png,1,monday\nb.png,2,tuesday\n"]


def make_class_names(folder: Path) -> Contents:
    """Return names of classes: a name a line, and JSON."""
    return [b"apron\nbag\nshoe\n", b'["apron", "bag", "shoe"]', b'{"0": "apron", "1": "bag"}']


def make_coco(folder: Path) -> Contents:
    """Return annotations of images, which lie beside them."""
    _images(folder)
    images = [
        {"id": number, "file_name": f"{name}.png", "width": 8, "height": 8} for number, name in enumerate("abcdef")
    ]
    notes = [{"id": 10 + number, "image_id": number, "category_id": 1 + number % 2} for number in range(6)]
    categories = [{"id": 1, "name": "x"}, {"id": 2, "name": "y", "supercategory": "z"}]
    return [json.dumps({"images": images, "annotations": notes, "categories": categories}).encode()]


def make_shard(folder: Path) -> Contents:
    """Return a shard of images with their classes."""
    import tarfile

    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for number in range(4):
            for ending, data in ((".png", _png(9 * number)), (".cls", b"%d" % (number % 2)), (".json", b'{"a": 1}')):
                info = tarfile.TarInfo(f"s/{number}{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return [target.getvalue()]


def make_parquet(folder: Path) -> Contents:
    """Return a parquet file of images and labels."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": _png(number), "path": None} for number in range(4)]
    target = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array(cells, kind), "label": [0, 1, 0, 1]}), target)
    return [target.getvalue()]


def make_saved_info(folder: Path) -> Contents:
    """Return what describes data that Hugging Face's library saved, which lie beside it."""
    import pyarrow as pa

    saved = folder / "saved"
    saved.mkdir(exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": _png(number), "path": None} for number in range(4)]
    table = pa.table({"image": pa.array(cells, kind), "label": [0, 1, 0, 1]})
    file = str(saved / "data-00000-of-00001.arrow")
    with pa.OSFile(file, "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    listed = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_indices_data_files": None}
    (saved / "state.json").write_text(json.dumps(listed))
    label = {"names": ["a", "b"], "_type": "ClassLabel"}
    return [json.dumps({"features": {"image": {"_type": "Image"}, "label": label}}).encode()]


def make_saved_table(folder: Path) -> Contents:
    """Return the table of such data in both layouts, and compressed; what describes it lies beside it."""
    import pyarrow as pa

    (folder / "saved" / "dataset_info.json").write_bytes(*make_saved_info(folder))
    stream = (folder / "saved" / "data-00000-of-00001.arrow").read_bytes()
    table, others = pa.ipc.open_stream(stream).read_all(), [io.BytesIO(), io.BytesIO()]
    for target, compression in zip(others, (None, "lz4"), strict=True):
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.ipc.new_file(target, table.schema, options=options) as out:
            out.write_table(table)
    return [stream, *(target.getvalue() for target in others)]


def make_images(folder: Path) -> Contents:
    """Return an image in each of the usual formats."""
    from PIL import Image

    target = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert("P").save(target, "PNG")
    kinds = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
    return [*(_png(40, kind) for kind in kinds), target.getvalue()]


def make_preparations(folder: Path) -> Contents:
    """Return how images are prepared, in each form of JSON that is known."""
    steps = [{"Resize": {"size": 8}}, {"CenterCrop": [8, 8]}]
    own = {"size": [8, 8], "mean": [0.5] * 3, "std": [0.5] * 3, "steps": steps}
    timm = {"pretrained_cfg": {"input_size": [3, 8, 8], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.9}}
    listed = [{"Resize": {"size": [8, 8]}}, {"ToTensor": {}}, {"Normalize": {"mean": [0.5] * 3, "std": [0.5] * 3}}]
    return [json.dumps(given).encode() for given in (own, timm, _PROCESSOR, listed, {"preprocessing": own})]


def make_preparation_texts(folder: Path) -> Contents:
    """Return how images are prepared, as programs write it."""
    steps = "Resize(8), CenterCrop((8, 8)), ToTensor(), Normalize((0.5, 0.5, 0.5), std=[0.5, 0.5, 1 / 2])"
    return [f"Compose([{steps}])".encode(), b"transforms.Resize(8)\ntransforms.CenterCrop(8)\ntransforms.ToTensor()\n"]


def make_index_cache(folder: Path) -> Contents:
    """Return what is remembered of the files of a data set."""
    from core.data import index
    from core.data.sources import open_dataset

    for name in ("x", "y"):
        _images(folder / "images" / name)
    open_dataset(str(folder / "images"), test_fraction=0.5)
    place = index.cache_file(folder / "images", index.FILES)
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.write_bytes(msgspec.json.encode(index._Remembered()))
    return [place.read_bytes()]


def make_forget_lists(folder: Path) -> Contents:
    """Return lists of what is to be forgotten, in each of their forms; the data lie beside them."""
    for name in ("x", "y"):
        _images(folder / "images" / name)
    return [
        b"index,class,path,weight\n0,x,x/a.png,1\n3,y,y/b.png,0.5\n", b"x/a.png\ny/b.png\n# a note\n", b"0\n1\n2-4\n",
        b"x/*.png\n", b"path;weight\nx/a.png;0.5\n", b"0,1\n1,0.5\n",
    ]  # fmt: skip


@functools.cache
def dataset_in(folder: Path) -> Any:
    """Return the data that lie in a reader's folder, opened."""
    from core.data.sources import open_dataset

    return open_dataset(str(folder / "images"), test_fraction=0.5)


def make_batch(folder: Path) -> Contents:
    """Return a batch file."""
    shutil.copyfile(KEPT, folder / "model")
    write_npz(folder / "images.npz", 12)
    return [
        b'model = "model"\ndataset = "images.npz"\nseeds = "1-3"\nmethods = ["muda", "finetune"]\ndevice = "cpu"\n'
        b'\n[[forget]]\nname = "three"\nclasses = ["3"]\n\n[[forget]]\nrandom = 0.01\n\n[[method]]\nid = "scrub"\n'
        b'preset = "default"\nset = { epochs = 2 }\n',
        b'model = "model"\ndataset = "images.npz"\nseeds = [1, 2]\narch = "mlp"\ntest_fraction = 0.2\nthreads = 1\n'
        b'[[forget]]\nsamples = "list.csv"\nwhere = ["a=1*"]\nfolders = ["x"]\nallow_missing = true\n'
        b'[[method]]\nid = "finetune"\nname = "fine"\n',
    ]  # fmt: skip
