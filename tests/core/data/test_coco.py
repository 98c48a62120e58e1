"""COCO files of images with one category each, and data of other kinds, refused by name."""

import json

import numpy as np
import pytest
from PIL import Image

from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError
from core.session.inspecting import inspect, kind_of

NAMES = {7: "dog", 3: "cat", 9: "nobody"}


def coco(file, folder, count=8, names=NAMES, more=(), value=0):
    """Write a COCO file and its images into `folder`; image i has category 3 or 7."""
    folder.mkdir(parents=True, exist_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(count):
        Image.fromarray(np.full((6, 5), value + number, np.uint8)).save(folder / f"{number}.png")
        images.append({"id": 100 + number, "file_name": f"{number}.png", "width": 5, "height": 6})
        category = 7 if number % 2 else 3
        annotations += [{"id": number, "image_id": 100 + number, "category_id": category, "bbox": [0, 0, 1, 1]}] * 2
    images.append({"id": 999, "file_name": "unlabelled.png"})
    categories = [{"id": number, "name": name} for number, name in names.items()]
    content = {"info": {}, "images": images, "annotations": [*annotations, *more], "categories": categories}
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("folder", [".", "images"])
def test_a_file_beside_its_images(tmp_path, folder):
    file = coco(tmp_path / "labels.json", tmp_path / folder)
    assert recognise_dataset(file) == "coco" and kind_of(file) == "dataset"
    data = open_dataset(str(file), test_fraction=0.25)
    assert data.classes == ("cat", "dog")  # in the order of the numbers 3 and 7
    values = [*data.train.images[:, 0, 0, 0].tolist(), *data.test.images[:, 0, 0, 0].tolist()]
    labels = [*data.train.labels.tolist(), *data.test.labels.tolist()]
    assert sorted(zip(values, labels, strict=True)) == [(number, number % 2) for number in range(8)]
    assert [file.reason for file in data.unreadable] == ["no annotation gives it a category"]
    assert data.files == {"used": 8, "no annotation gives it a category": 1}
    assert data.found.every == ("cat", "dog", "nobody")  # an output may belong to the third


@pytest.mark.parametrize(
    ("annotations", "images"),
    [
        ("{}/_annotations.coco.json", ("train", "valid")),
        ("annotations/instances_{}2017.json", ("images/train2017", "images/val2017")),
    ],
)
def test_a_folder_of_two_parts(tmp_path, annotations, images):
    train, test = ("train", "valid") if annotations.startswith("{") else ("train", "val")
    coco(tmp_path / annotations.format(train), tmp_path / images[0])
    coco(tmp_path / annotations.format(test), tmp_path / images[1], count=4, value=50)
    data = open_dataset(str(tmp_path))
    assert data.classes == ("cat", "dog") and len(data.train) == 8 and data.test_origin == "own"
    assert data.test.images[:, 0, 0, 0].tolist() == [50, 51, 52, 53] and data.test.labels.tolist() == [0, 1, 0, 1]


def test_files_with_captions_beside_those_with_categories_are_not_taken_for_them(tmp_path):
    for part, count in (("train2017", 8), ("val2017", 4)):
        coco(tmp_path / f"annotations/instances_{part}.json", tmp_path / "images" / part, count=count)
        captions = {"images": [], "annotations": [{"id": 1, "image_id": 100, "caption": "a dog"}]}
        (tmp_path / f"annotations/captions_{part}.json").write_text(json.dumps(captions))
    data = open_dataset(str(tmp_path))
    assert data.classes == ("cat", "dog") and (len(data.train), len(data.test)) == (8, 4)


def test_several_categories_of_one_image_are_refused_by_name(tmp_path):
    file = coco(tmp_path / "c.json", tmp_path, more=[{"image_id": 100, "category_id": 7}])
    with pytest.raises(
        InputError, match=r"c\.json: 0\.png has several categories \('cat', 'dog'\): this is multi-label data"
    ):
        open_dataset(str(file), test_fraction=0.5)


WHOLE = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [{"image_id": 1, "category_id": 3}],
         "categories": [{"id": 3, "name": "cat"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": [{"id": 1}]}, "object missing required field file_name at images"),
        ({"images": [{"id": [], "file_name": "a.png"}]}, "at images"),
        ({"images": [{"id": 1, "file_name": 3}]}, "expected str, got int at images"),
        ({"images": {}}, "expected array, got object at images"),
        ({"categories": [{"id": "é", "name": "cat"}]}, "expected int, got str at categories"),
        ({"annotations": [{"image_id": {}, "category_id": 3}]}, "at annotations"),
        ({"annotations": [{"image_id": 1, "category_id": []}]}, "expected int, got array at annotations"),
        ({"annotations": [[[]]]}, "expected object, got array at annotations"),
        ({"categories": None}, "at categories"),
    ],
)
def test_files_that_are_damaged(tmp_path, change, words):
    (tmp_path / "a.json").write_text(json.dumps(WHOLE | change))
    with pytest.raises(InputError, match=rf"a\.json is no COCO file of images with categories: .*{words}"):
        open_dataset(str(tmp_path / "a.json"), test_fraction=0.5)


def test_names_that_no_file_can_have(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "x" * 5000}, {"id": 2, "file_name": "a\0"}],
        "annotations": [{"image_id": i, "category_id": i} for i in (1, 2)],
        "categories": [{"id": i, "name": str(i)} for i in (1, 2)],
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="None of the 2 images"):
        open_dataset(str(tmp_path / "a.json"), test_fraction=0.5)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("images.lmdb", "an LMDB database, which is not read as data. Write its images into class folders"),
        ("folder/data.mdb", "an LMDB database"),
        ("train.tfrecord", "a TFRecord file"),
        ("images.zip", "an archive, which is not read as data. Unpack it"),
        ("table.xlsx", "a spreadsheet, which is not read as data. Save it as CSV"),
    ],
)
def test_data_of_other_kinds_is_named(tmp_path, name, words):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x")
    path = file.parent if "/" in name else file
    for opening in (open_dataset, inspect):
        with pytest.raises(InputError) as caught:
            opening(str(path))
        assert words in str(caught.value)


def test_images_straight_in_train_and_test_are_no_two_classes(tmp_path, class_folders):
    root = class_folders(tmp_path, {"train": 3, "test": 2})
    with pytest.raises(InputError, match=r"holds images in t\w+/, t\w+/ without class folders"):
        open_dataset(str(root))
