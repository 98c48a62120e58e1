"""Stated steps against torchvision's own transforms on PIL images: the same to the last bit, from files and arrays."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode as Mode

from core.data.preprocessing import Preprocessing
from core.data.sources import open_dataset
from core.errors import InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIZES = [(96, 144), (97, 143), (61, 40), (33, 33), (40, 200)]  # (H, W)

# What an owner's transforms do before ToTensor, and the same as it is stated here.
PIPELINES = {
    "exact": ([T.Resize((32, 32))], {"resize": [32, 32]}),
    "exact, not square": ([T.Resize((24, 37), Mode.BICUBIC)], {"resize": [24, 37], "interpolation": "bicubic"}),
    "short side and crop": ([T.Resize(36), T.CenterCrop(32)], {"resize": 36, "crop": 32}),
    "imagenet": ([T.Resize(256), T.CenterCrop(224)], {"steps": [{"Resize": 256}, {"CenterCrop": 224}]}),
    "odd crop": ([T.Resize(35), T.CenterCrop((31, 30))], {"resize": 35, "crop": [31, 30]}),
    "crop alone": ([T.CenterCrop(30)], {"crop": 30}),
    "crop of smaller ones": ([T.CenterCrop((101, 64))], {"crop": [101, 64]}),
    "lanczos": ([T.Resize((20, 21), Mode.LANCZOS)], {"resize": [20, 21], "interpolation": "lanczos"}),
    "box": ([T.Resize((20, 21), Mode.BOX)], {"resize": [20, 21], "interpolation": "box"}),
    "hamming": ([T.Resize((20, 21), Mode.HAMMING)], {"resize": [20, 21], "interpolation": "hamming"}),
    "nearest": ([T.Resize((20, 21), Mode.NEAREST)], {"resize": [20, 21], "interpolation": "nearest"}),
    "nearest-exact": (
        [T.Resize((20, 21), Mode.NEAREST_EXACT)], {"steps": [{"Resize": {"size": [20, 21],
                                                                         "interpolation": "nearest-exact"}}]}),
    "pad": ([T.Resize((28, 28)), T.Pad(2)], {"resize": 28 and [28, 28], "pad": 2}),
    "pad first": (
        [T.Pad((1, 2, 3, 4), fill=255), T.Resize((32, 32))],
        {"steps": [{"Pad": {"padding": [1, 2, 3, 4], "fill": 255}}, {"Resize": [32, 32]}]}),
    "pad by reflection": (
        [T.Resize((28, 28)), T.Pad([3, 5], padding_mode="reflect")],
        {"steps": [{"Resize": [28, 28]}, {"Pad": {"padding": [3, 5], "padding_mode": "reflect"}}]}),
    "grey": ([T.Grayscale(), T.Resize((32, 32))], {"steps": [{"Grayscale": 1}, {"Resize": [32, 32]}]}),
    "grey after resizing": ([T.Resize((32, 32)), T.Grayscale(3)], {"resize": [32, 32], "grey": 3}),
    "long side": (
        [T.Resize(40, max_size=50), T.CenterCrop(32)],
        {"steps": [{"Resize": {"size": 40, "max_size": 50}}, {"CenterCrop": 32}]}),
    "as stored": ([T.CenterCrop((20, 20)), T.Resize(20)], {"steps": [{"CenterCrop": 20}]}),
}  # fmt: skip


def photo(size, seed=0):
    """A picture with edges and gradients, no noise alone: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    rough = Image.fromarray(rng.integers(0, 256, (9, 11, 3), dtype=np.uint8))
    smooth = np.asarray(rough.resize(size[::-1], Image.Resampling.BICUBIC)).astype(int)
    return (smooth + rng.integers(-20, 20, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of photos of five sizes, PNG and JPEG, with a test part."""
    root = tmp_path_factory.mktemp("photos")
    for part in ("train", "test"):
        for number, size in enumerate(SIZES):
            for kind in ("png", "jpg"):
                place = root / part / f"class{number % 2}"
                place.mkdir(parents=True, exist_ok=True)
                Image.fromarray(photo(size, number)).save(place / f"{number}.{kind}")
    return root


def owners(folder, dataset, steps, mean=MEAN, std=STD):
    """What an owner's own pipeline gives for the training images: (n, C, H, W) float32."""
    pipeline = T.Compose([*steps, T.ToTensor(), T.Normalize(mean, std)])
    return torch.stack([pipeline(Image.open(folder / path).convert("RGB")) for path in dataset.train.paths])


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("streamed", [False, True])
def test_files_are_prepared_as_torchvision_does(folder, tmp_path, name, streamed):
    steps, stated = PIPELINES[name]
    grey = name == "grey"
    mean, std = ((0.4,), (0.3,)) if grey else (MEAN, STD)
    file = tmp_path / "said.json"
    file.write_text(json.dumps({**stated, "mean": mean, "std": std}))
    data = open_dataset(str(folder), preprocess_file=file, memory_budget=0 if streamed else None)
    wanted = owners(folder, data, steps, mean, std)
    assert torch.equal(data.preprocessing.apply(data.train.images[:]), wanted)
    assert data.preprocessing.size == tuple(wanted.shape[2:]) == data.image_size
    assert torch.equal(data.prepared(np.arange(len(data.train)), data.preprocessing), wanted)
    assert Preprocessing.from_dict(json.loads(json.dumps(data.preprocessing.to_dict()))) == data.preprocessing


@pytest.mark.parametrize("name", PIPELINES)
def test_arrays_are_prepared_as_torchvision_does(tmp_path, name):
    steps, stated = PIPELINES[name]
    mean, std = ((0.4,), (0.3,)) if name == "grey" else (MEAN, STD)
    images = np.stack([photo((61, 90), seed) for seed in range(4)])
    np.savez(tmp_path / "d.npz", x_train=images, y_train=[0, 1, 0, 1], x_test=images, y_test=[0, 1, 0, 1])
    plain = open_dataset(str(tmp_path / "d.npz"))
    file = tmp_path / "said.json"
    file.write_text(json.dumps({**stated, "mean": mean, "std": std}))
    pipeline = T.Compose([*steps, T.ToTensor(), T.Normalize(mean, std)])
    wanted = torch.stack([pipeline(Image.fromarray(image)) for image in images])
    for budget in (None, 0):
        data = open_dataset(str(tmp_path / "d.npz"), preprocess_file=file, memory_budget=budget)
        assert torch.equal(data.preprocessing.apply(data.train.images[:]), wanted)
        assert data.fingerprint == plain.fingerprint
        assert torch.equal(plain.prepared(np.arange(4), data.preprocessing), wanted)
    back = data.prepared(np.arange(4), plain.preprocessing)  # what is open may be prepared by steps itself
    assert torch.equal(back, plain.preprocessing.apply(plain.train.images))


def test_arrays_of_more_channels_are_prepared_channel_by_channel(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 31, 40, 5), dtype=np.uint8)
    np.savez(tmp_path / "d.npz", x_train=images, y_train=[0, 1, 0, 1], x_test=images, y_test=[0, 1, 0, 1])
    (tmp_path / "said.json").write_text(json.dumps({"resize": 20, "crop": 18, "mean": [0.5] * 5, "std": [0.5] * 5}))
    data = open_dataset(str(tmp_path / "d.npz"), preprocess_file=tmp_path / "said.json")
    pipeline = T.Compose([T.Resize(20), T.CenterCrop(18), T.ToTensor(), T.Normalize([0.5], [0.5])])
    planes = [torch.cat([pipeline(Image.fromarray(image[..., c].copy())) for c in range(5)]) for image in images]
    assert torch.equal(data.preprocessing.apply(data.train.images), torch.stack(planes))
    assert data.preview(0, data.preprocessing)[1].shape == (18, 18, 5)


def test_without_antialiasing_as_torchvision_resizes_tensors():
    image = Image.fromarray(photo((96, 144)))
    step = Preprocessing.from_dict({"resize": [32, 40], "antialias": False, "mean": 0, "std": 1}).steps[0]
    tensor = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)
    wanted = T.functional.resize(tensor.float(), [32, 40], antialias=False).round().permute(1, 2, 0)
    assert np.array_equal(np.asarray(step.done(image)), wanted.numpy())
    smooth = Preprocessing.from_dict({"resize": [32, 40], "mean": 0, "std": 1}).steps[0]
    assert np.abs(np.asarray(smooth.done(image)).astype(int) - wanted.numpy()).mean() > 2  # it is no detail


def test_a_large_jpeg_is_decoded_whole(tmp_path):
    """A JPEG decoder can give a smaller picture for less work; its pixels would be others."""
    for part in ("train/a", "train/b", "test/a"):
        (tmp_path / "d" / part).mkdir(parents=True)
        Image.fromarray(photo((700, 900))).save(tmp_path / "d" / part / "0.jpg", quality=95)
    (tmp_path / "said.json").write_text('{"resize": 36, "crop": 32, "mean": 0.5, "std": 0.5}')
    data = open_dataset(str(tmp_path / "d"), preprocess_file=tmp_path / "said.json")
    wanted = owners(tmp_path / "d", data, [T.Resize(36), T.CenterCrop(32)], (0.5,) * 3, (0.5,) * 3)
    assert torch.equal(data.preprocessing.apply(data.train.images), wanted)


@pytest.fixture
def turned(tmp_path):
    """Photos that lie on their side, as phones store them, one of them upright, one transparent."""
    root = tmp_path / "turned"
    for part in ("train/a", "train/b", "test/a"):
        (root / part).mkdir(parents=True)
        for orientation in (1, 3, 6):
            exif = Image.Exif()
            exif[0x0112] = orientation
            stored = photo((40, 60) if orientation < 6 else (60, 40), orientation)
            Image.fromarray(stored).save(root / part / f"{orientation}.jpg", exif=exif, quality=95)
        layer = np.dstack([photo((40, 60), 9), np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)])
        Image.fromarray(layer).save(root / part / "clear.png")
    return root


def test_files_may_be_taken_as_pillow_opens_them(turned, tmp_path):
    """torchvision's loader neither turns photos nor lays them over white: what a network was trained on may lie."""
    steps = [T.Resize(36), T.CenterCrop(32)]
    for upright in (True, False):
        stated = {"resize": 36, "crop": 32, "mean": MEAN, "std": STD, "upright": upright}
        (tmp_path / "said.json").write_text(json.dumps(stated))
        data = open_dataset(str(turned), preprocess_file=tmp_path / "said.json", memory_budget=0)
        found = data.preprocessing.apply(data.train.images[:])
        assert torch.equal(found, owners(turned, data, steps)) == (not upright)
        assert torch.equal(data.prepared(np.arange(8), data.preprocessing), found)
        assert Preprocessing.from_dict(data.preprocessing.to_dict()) == data.preprocessing
        words = "9 files turned upright or laid over white" if upright else "files as Pillow opens them"
        assert data.preparation.startswith(words)
    assert data.stored_sizes == {(40, 60): 12}  # upright
    (tmp_path / "said.json").write_text(json.dumps({"resize": None, "mean": MEAN, "std": STD, "upright": False}))
    with pytest.raises(InputError, match=r"2 different sizes: 40×60 \(9 images\), 60×40 \(3 images\)"):
        open_dataset(str(turned), preprocess_file=tmp_path / "said.json")


def test_both_ways_of_opening_files_are_tried_where_they_differ(turned, folder):
    from core.data.candidates import usual_candidates

    data = open_dataset(str(turned), undecided=True)
    candidates = usual_candidates(data, size=(32, 32))
    assert {c.upright for c in candidates} == {True, False}
    owner = owners(turned, data, [T.Resize((32, 32))])
    assert any(torch.equal(data.prepared(np.arange(8), c), owner) for c in candidates)
    plain = open_dataset(str(folder), undecided=True)
    assert {c.upright for c in usual_candidates(plain)} == {True}


def test_steps_that_lead_to_several_sizes_are_refused_in_one_sentence(folder, tmp_path):
    (tmp_path / "said.json").write_text(json.dumps({"resize": 32, "mean": MEAN, "std": STD}))
    with pytest.raises(InputError, match=r"The steps Resize\(32, bilinear\) leave images of 5 different sizes: "
                                         r"32×48 \(4 images\), .*Add a crop to one size"):  # fmt: skip
        open_dataset(str(folder), preprocess_file=tmp_path / "said.json")


def test_a_short_side_is_enough_where_all_photos_have_one_shape(tmp_path, class_folders):
    root = class_folders(tmp_path / "d", {"train/a": 2, "train/b": 2, "test/a": 1}, size=(48, 72))
    (tmp_path / "said.json").write_text(json.dumps({"resize": 32, "mean": MEAN, "std": STD}))
    data = open_dataset(str(root), preprocess_file=tmp_path / "said.json")
    assert data.preprocessing.size == data.image_size == (32, 48)
    assert torch.equal(data.preprocessing.apply(data.train.images), owners(root, data, [T.Resize(32)]))


@pytest.mark.parametrize("files", [True, False])
def test_images_get_the_networks_channels(tmp_path, class_folders, files):
    """A grey network and colour images, and the other way round: converted, not refused."""
    for mode, channels in (("L", 3), ("RGB", 1)):
        root = class_folders(tmp_path / mode, {"train/a": 2, "train/b": 2, "test/a": 1}, size=(20, 20), mode=mode)
        plain = open_dataset(str(root))
        if not files:
            arrays = {"x_train": plain.train.images.numpy(), "y_train": plain.train.labels.numpy(),
                      "x_test": plain.test.images.numpy(), "y_test": plain.test.labels.numpy()}  # fmt: skip
            np.savez(tmp_path / f"{mode}.npz", **arrays)
            root = tmp_path / f"{mode}.npz"
        data = open_dataset(str(root), channels=channels)
        assert data.channels == data.preprocessing.channels == channels and data.stored_channels == 4 - channels
        wanted = [np.asarray(Image.fromarray(i.squeeze()).convert("L" if channels == 1 else "RGB"))
                  for i in plain.train.images.numpy()]  # fmt: skip
        assert np.array_equal(data.train.images.numpy().squeeze(), np.stack(wanted))
        assert data.fingerprint == open_dataset(str(root)).fingerprint


def test_decoded_images_that_are_kept_depend_on_the_steps(folder, tmp_path):
    seen = []
    for number, stated in enumerate(({"resize": [20, 20]}, {"resize": 25, "crop": 20}, {"crop": 20}, {"size": 20})):
        (tmp_path / f"{number}.json").write_text(json.dumps({**stated, "mean": 0.5, "std": 0.5}))
        data = open_dataset(str(folder), preprocess_file=tmp_path / f"{number}.json", memory_budget=0)
        seen.append(data.train.images[:].clone())
    assert not any(torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])


def test_values_of_other_ranges():
    image = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    for stated, low, high in (("0..1", 0, 1), (255, 0, 255), ("-1..1", -1, 1), ([0, 255], 0, 255)):
        p = Preprocessing.from_dict({"resize": None, "range": stated}).of_size((16, 16))
        wanted = torch.linspace(low, high, 256).reshape(1, 1, 16, 16)
        torch.testing.assert_close(p.apply(image), wanted, atol=1e-5 * (high - low), rtol=0)
    p = Preprocessing.from_dict({"resize": None, "range": 255, "mean": 33.3, "std": 78.6}).of_size((16, 16))
    torch.testing.assert_close(p.apply(image), (image.permute(0, 3, 1, 2).float() - 33.3) / 78.6)


def test_a_preparation_says_itself_as_torchvision_is_written():
    p = Preprocessing.from_dict({"resize": 36, "crop": 32, "grey": 3, "mean": MEAN, "std": STD})
    assert p.words == (
        "Resize(36, bilinear) → CenterCrop(32) → Grayscale(3) → RGB, Normalize(mean 0.485, 0.456, 0.406; "
        "std 0.229, 0.224, 0.225) (ImageNet's); stated with --preprocess"
    )
    assert "values -1..1" in Preprocessing.from_dict({"resize": None, "mean": 0.5, "std": 0.5}).words


def test_bytes_of_a_jpeg_are_decoded_as_pillow_does(folder):
    path = next((folder / "train" / "class0").glob("*.jpg"))
    step = Preprocessing.from_dict({"resize": [32, 32], "mean": 0, "std": 1}).steps[0]
    opened = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
    assert np.array_equal(np.asarray(step.done(opened)), np.asarray(opened.resize((32, 32), Image.Resampling.BILINEAR)))
