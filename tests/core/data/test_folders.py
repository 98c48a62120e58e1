"""Class folders: both layouts, what is a class, links that go round in circles, and the words for wrong folders."""

import os

import numpy as np
import pytest
from PIL import Image

from core.data.images import NEEDS_HEIF
from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError, NotFoundError, StoppedError


def test_train_and_test(tmp_path, class_folders):
    root = class_folders(tmp_path / "pets", {"train/dog": 3, "train/cat": 2, "test/cat": 1, "test/dog": 1})
    assert recognise_dataset(root) == "class folders"
    data = open_dataset(str(root))
    assert data.classes == ("cat", "dog") and data.title == "pets" and data.root == root
    assert data.train.paths == ("train/cat/00.png", "train/cat/01.png", *(f"train/dog/0{i}.png" for i in range(3)))
    assert data.train.labels.tolist() == [0, 0, 1, 1, 1]
    assert data.test.paths == ("test/cat/00.png", "test/dog/00.png") and data.test_origin == "own"
    for path, image in zip(data.train.paths, data.train.images, strict=True):
        assert np.array_equal(np.asarray(Image.open(root / path)), image.numpy())


@pytest.mark.parametrize("name", ["test", "val", "valid", "Validation", "TEST"])
def test_other_names_of_the_test_part(tmp_path, class_folders, name):
    root = class_folders(tmp_path, {"Train/a": 2, "Train/b": 2, f"{name}/a": 1})
    assert open_dataset(str(root)).test.paths == (f"{name}/a/00.png",)


def test_test_comes_before_validation(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 1, "train/b": 1, "val/a": 2, "test/a": 1})
    assert len(open_dataset(str(root)).test) == 1


def test_one_level(tmp_path, class_folders):
    root = class_folders(tmp_path / "one", {"a": 10, "b": 10})
    with pytest.raises(InputError, match=r"one has no test images\. Set some aside with --test-fraction"):
        open_dataset(str(root))
    data = open_dataset(str(root), test_fraction=0.2)
    assert (len(data.train), len(data.test), data.test_origin) == (16, 4, "set aside")
    assert not set(data.train.paths) & set(data.test.paths)
    assert open_dataset(str(root), test_fraction=0.2).test.paths == data.test.paths


def test_a_class_called_train(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train": 4, "plane": 4})
    assert open_dataset(str(root), test_fraction=0.25).classes == ("plane", "train")


def test_grey_files_give_one_channel_unless_the_model_wants_three(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1}, mode="L")
    data = open_dataset(str(root))
    assert data.channels == 1 and data.preprocessing.source == "data set"
    card = data.preprocessing.from_dict({"size": 8, "mean": [0.5] * 3, "std": [0.2] * 3, "source": "model card"})
    wanted = open_dataset(str(root), preprocessing=card)
    assert wanted.channels == 3 and wanted.image_size == (8, 8) and wanted.preprocessing == card
    assert wanted.fingerprint == data.fingerprint  # of the files, not of the size they are decoded at


def test_photographs_get_imagenets_preprocessing_as_an_assumption(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 1, "train/b": 1, "test/a": 1}, size=(64, 80))
    p = open_dataset(str(root)).preprocessing
    assert (p.source, p.mean, p.size) == ("assumed", (0.485, 0.456, 0.406), (64, 80))


def test_small_colour_images_get_measured_preprocessing(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1}, size=(63, 80))
    data = open_dataset(str(root))
    assert data.preprocessing.source == "data set"
    np.testing.assert_allclose(data.preprocessing.mean, (data.train.images / 255.0).mean((0, 1, 2)), atol=6e-5)


def test_what_is_not_an_image_or_a_class_is_left_alone(tmp_path, class_folders):
    root = class_folders(tmp_path, {"a": 4, "b": 4, ".hidden": 2, "__MACOSX": 1})
    (root / "a" / "Thumbs.db").write_bytes(b"x")
    (root / "a" / "._00.png").write_bytes(b"x")
    (root / "readme.txt").write_text("x")
    (root / "empty").mkdir()
    data = open_dataset(str(root), test_fraction=0.25)
    assert data.classes == ("a", "b")
    assert [(u.path, u.reason) for u in data.unreadable] == [("empty", "a folder without images")]
    assert data.files == {
        "used": 8, "no image (.db)": 1, "hidden, or in a hidden folder": 4, "no image (.txt)": 1
    }  # fmt: skip


def test_images_of_a_kind_that_is_not_read_are_named(tmp_path, class_folders, monkeypatch):
    root = class_folders(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 1})
    for name in ("train/b/IMG_1.HEIC", "train/a/raw.nef", "test/a/.hidden.heic"):
        (root / name).write_bytes(b"x")
    monkeypatch.setattr("core.data.images.reads_heif", lambda: False)
    data = open_dataset(str(root))
    assert [(u.path, u.reason) for u in data.unreadable] == [
        ("train/a/raw.nef", "NEF images are not read; save it as PNG or JPEG"), ("train/b/IMG_1.HEIC", NEEDS_HEIF),
    ]  # fmt: skip
    assert data.files[NEEDS_HEIF] == 1 and data.files["hidden, or in a hidden folder"] == 1


def test_deeper_folders_belong_to_their_class(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 1, "train/a/z/deep": 1, "train/a/b": 1, "train/c": 1, "test/a": 1})
    assert open_dataset(str(root)).train.paths == (
        "train/a/00.png",
        "train/a/b/00.png",
        "train/a/z/deep/00.png",
        "train/c/00.png",
    )


def test_links_in_circles_are_followed_once(tmp_path, class_folders):
    root = class_folders(tmp_path / "data", {"train/a": 2, "train/b": 2, "test/a": 1})
    class_folders(tmp_path / "elsewhere", {"more": 3})
    for name, target in {"up": "..", "root": str(root), "above": str(tmp_path), "self": "self"}.items():
        (root / "train" / "a" / name).symlink_to(target)
    class_folders(root, {"train/b/deep": 1})
    (root / "train" / "b" / "deep" / "again").symlink_to("../deep")
    (root / "train" / "b" / "twice").symlink_to("deep")
    (root / "train" / "b" / "more").symlink_to(tmp_path / "elsewhere" / "more")
    data = open_dataset(str(root))
    assert len(data.train) == 8 and data.classes == ("a", "b")
    upward, nowhere = "a link to a folder that holds it, not followed", "a link that leads nowhere"
    assert {u.path: u.reason for u in data.unreadable} == {
        "train/a/up": upward, "train/a/root": upward, "train/a/above": upward, "train/a/self": nowhere,
        "train/b/deep/again": "a link to a folder of its class, which is read once",
        "train/b/twice": "a link to a folder of its class, which is read once",
    }  # fmt: skip


@pytest.mark.parametrize("part", ["train", "test", ""])
def test_a_link_in_a_circle_is_no_class(tmp_path, class_folders, part):
    folders = {"a": 4, "b": 4} if not part else {"train/a": 2, "train/b": 2, "test/a": 1}
    root = class_folders(tmp_path / "data", folders)
    for name, target in {"here": ".", "up": "..", "root": str(root), "self": "self", "gone": "nowhere"}.items():
        (root / part / name).symlink_to(target)
    data = open_dataset(str(root), test_fraction=0.25)
    assert data.classes == ("a", "b") and len(data.train) == (6 if not part else 4)
    prefix = f"{part}/" if part else ""
    assert {u.path for u in data.unreadable} == {f"{prefix}{name}" for name in ("here", "up", "root", "self", "gone")}


def test_what_is_left_out_is_told_on_one_line(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 1, "train/b": 1, "test/a": 1})
    (root / "train" / "a" / "two\nlines\x1b[2J ü.png").write_bytes(b"?")
    (file,) = open_dataset(str(root)).listed
    assert file.text == r"train/a/two\nlines\x1b[2J ü.png: not an image, or of an unknown kind"


def test_names_in_other_scripts_and_names_that_are_none(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/äpfel": 1, "train/梨": 1, "test/梨": 1})
    (root / "train" / "梨" / "b\udcff.png").write_bytes((root / "train" / "梨" / "00.png").read_bytes())
    data = open_dataset(str(root))
    assert data.classes == ("äpfel", "梨") and len(data.train) == 2
    assert data.unreadable[0].reason == "the file name is not valid Unicode"
    assert data.unreadable[0].path.encode("ascii")


def test_unreadable_files_are_listed(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 2, "train/b": 2, "test/a": 2})
    (root / "train" / "b" / "00.png").write_bytes(b"?")
    (root / "test" / "a" / "01.png").write_bytes(b"")
    data = open_dataset(str(root))
    assert [u.path for u in data.unreadable] == ["train/b/00.png", "test/a/01.png"]
    assert data.train.paths == ("train/a/00.png", "train/a/01.png", "train/b/01.png")
    assert data.train.labels.tolist() == [0, 0, 1] and data.test.paths == ("test/a/00.png",)


def test_no_training_image_readable(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 1, "train/b": 1, "test/a": 1})
    for path in (root / "train").rglob("*.png"):
        path.write_bytes(b"?")
    with pytest.raises(InputError, match=r"None of the training images in .* can be read"):
        open_dataset(str(root))


@pytest.mark.parametrize(
    ("folders", "words"),
    [
        ({}, "holds no class folders with images. Make a sub-folder for each class"),
        ({"a": 2}, r"holds images of one class only \('a'\)"),
        ({"train/a": 1, "train/b": 1, "test/c": 1}, "test holds the class 'c', which .*train does not"),
        ({"pets/a": 1, "pets/b": 1}, r"one class only.*The class folders seem to be in .*pets; open that folder"),
    ],
)
def test_wrong_folders(tmp_path, class_folders, folders, words):
    root = class_folders(tmp_path / "x", folders)
    root.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=words):
        open_dataset(str(root))


def test_a_missing_folder():
    with pytest.raises(NotFoundError, match=r"There is no file or folder /no/where\. Check the path\."):
        open_dataset("/no/where")


def test_progress_and_cancel(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train/a": 3, "train/b": 3, "test/a": 1})
    seen = []
    open_dataset(str(root), progress=lambda *report: seen.append(report))
    assert ("Reading images", 7, 7) in seen
    assert all(done <= total or not total for _, done, total in seen)
    with pytest.raises(StoppedError):
        open_dataset(str(root), cancelled=lambda: True)


def test_set_aside_before_opening_is_said_without_decoding(tmp_path, class_folders, monkeypatch):
    root = class_folders(tmp_path, {"a": 3, "b": 3})
    monkeypatch.setattr("core.data.reading.open_index", lambda *a, **k: pytest.fail("images were read"))
    with pytest.raises(InputError, match="no test images"):
        open_dataset(str(root))


def test_every_file_is_counted_by_what_became_of_it(tmp_path, class_folders, monkeypatch):
    """Used, damaged, of a kind that is not read, no image, hidden, outside of class folders: together all there are."""
    monkeypatch.setattr("core.data.images.reads_heif", lambda: False)
    counts = {"train/a": 20, "train/b": 20, "train/b/deep": 3, "test/a": 5, "test/b": 5, "val/a": 7, "train/.git/x": 2}
    root = class_folders(tmp_path / "data", counts)
    for number in range(10):
        (root / "train" / "a" / f"IMG_{number}.HEIC").write_bytes(b"\0\0\0\x18ftypheic....")
    for name in ("train/a/broken.jpg", "train/a/notes.txt", "train/loose.png", "train/b/Thumbs.db", "labels.csv",
                 "README", "loose.jpg", "train/b/.DS_Store", "test/a/two.txt"):  # fmt: skip
        (root / name).write_bytes(b"x")
    (root / "train" / "b" / "gone.png").symlink_to("nowhere.png")
    (root / "train" / "b" / "again").symlink_to("deep")
    (root / "train" / "c").mkdir()
    data = open_dataset(str(root))
    there = sum(len(names) for _, _, names in os.walk(root))
    assert sum(data.files.values()) == there
    assert data.files == {
        "used": 53,
        NEEDS_HEIF: 10,
        "not an image, or of an unknown kind": 1,
        "no such file": 1,
        "no image (.txt)": 2,
        "no image (.db)": 1,
        "no image (.csv)": 1,
        "no image (no ending)": 1,
        "in no class folder": 2,
        "hidden, or in a hidden folder": 3,
        "in val/, which is not used beside test/": 7,
    }
    assert "a link to a folder of its class, which is read once" not in data.files  # a folder is no file
    assert data.left_out.startswith(f"12 of 65 images are left out: 10 × {NEEDS_HEIF}; 1 × ")


def test_folders_of_heic_images_say_so(tmp_path, monkeypatch):
    monkeypatch.setattr("core.data.images.reads_heif", lambda: False)
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic....")
    with pytest.raises(InputError, match=r"no images that can be read \(.*IMG_1\.HEIC: HEIC images are read with"):
        open_dataset(str(tmp_path))


def test_images_straight_in_train_beside_class_folders_in_training(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train": 3, "training/a": 2, "training/b": 2, "test/a": 1})
    with pytest.raises(InputError, match=r"train holds images without class folders, while training/ has"):
        open_dataset(str(root))


def test_folders_within_folders_are_entered_to_a_depth(tmp_path, class_folders):
    root = class_folders(tmp_path / "d", {"a": 3, "b": 3, "a/one/two": 1})
    here = root / "b"
    for _ in range(700):
        here = here / "d"
        here.mkdir()
    data = open_dataset(str(root), test_fraction=0.3)
    assert len(data.train) + len(data.test) == 7
    (left,) = data.unreadable
    assert left.reason == "more than 100 folders deep" and left.path.count("/d") == 101
