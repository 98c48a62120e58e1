"""Which images the gallery shows in which order, and the grid it shows them in."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt

from app.models import gallery
from app.models.gallery import Cell, GalleryModel, Images, Wanted
from core.data.dataset import Dataset, ImageSet
from core.data.duplicates import Twins
from core.data.preprocessing import Preprocessing
from core.session.baseline import Answers, SetBaseline


def part(labels, names) -> ImageSet:
    return ImageSet(torch.zeros(len(labels), 4, 4, 1, dtype=torch.uint8), torch.tensor(labels), names)


@pytest.fixture
def images() -> Images:
    train = part([0, 1, 0, 1, 2], tuple(f"Folder/{n}.PNG" for n in ("Ant", "bee", "antler", "cat", "dog")))
    dataset = Dataset(
        spec="x",
        title="X",
        classes=("a", "b", "c"),
        train=train,
        test=part([2, 0], None),
        preprocessing=Preprocessing((4, 4), (0.0,), (1.0,)),
        fingerprint="f",
    )
    return Images(dataset)


def known(**values) -> SetBaseline:
    count = 5
    base = {"loss": np.zeros(count), "confidence": np.ones(count), "distance": np.zeros(count),
            "margin": np.zeros(count), "predicted": np.zeros(count, int), "correct": np.ones(count, bool)}  # fmt: skip
    made = {**base, **{k: np.array(v) for k, v in values.items()}}
    return SetBaseline(made.pop("distance"), Answers(**made))


def test_filters(images):
    assert images.arrange(Wanted()).tolist() == [0, 1, 2, 3, 4]
    assert images.arrange(Wanted(label=1)).tolist() == [1, 3]
    assert images.arrange(Wanted(part="test")).tolist() == [0, 1]
    assert images.arrange(Wanted(part="test", label=1)).tolist() == []
    assert images.arrange(Wanted(text=" ANT ")).tolist() == [0, 2]
    assert images.arrange(Wanted(text="folder/b")).tolist() == [1]
    assert images.arrange(Wanted(part="test", text="ant")).tolist() == [0, 1]  # no names to search in
    assert images.arrange(Wanted(answer="wrong")).tolist() == [0, 1, 2, 3, 4]  # not measured yet


def test_a_search_knows_patterns_columns_and_any_form_of_unicode(images):
    assert images.arrange(Wanted(text="Folder/*t*")).tolist() == [0, 2, 3]
    train = part([0, 1, 0], ("4711/pu\u0308.png", "4712/p\u00fc[1].png", "x=y/c.png"))
    named = dataclasses.replace(train, columns={"Customer": np.array(["1", "2", "22"], dtype=object)})
    images = Images(dataclasses.replace(images.dataset, train=named))
    found = {"P\u00dc": [0, 1], "[1]": [1], "customer=2*": [1, 2], "customer=9": [], "x=y": [2]}
    assert {text: images.arrange(Wanted(text=text)).tolist() for text in found} == found


def test_right_and_wrong_answers(images):
    images.baseline = SimpleNamespace(train=known(correct=[True, False, True, False, True]), test=known())
    assert images.arrange(Wanted(answer="wrong")).tolist() == [1, 3]
    assert images.arrange(Wanted(answer="right", label=0)).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("loss", [4, 2, 0, 3, 1]), ("confidence", [3, 1, 0, 2, 4]), ("distance", [1, 0, 2, 3, 4]),
        ("margin", [2, 0, 4, 3, 1]),
    ],
)
def test_orders(images, sort, order):
    images.baseline = SimpleNamespace(
        train=known(
            loss=[1.0, np.nan, 2.0, 0.5, 3.0], confidence=[0.5, 0.4, 0.6, 0.3, 0.9], distance=[1, 5, 1, 1, 0],
            margin=[0.0, np.nan, -1.0, 4.0, 0.5],
        ),
        test=known(),
    )
    assert images.arrange(Wanted(sort=sort)).tolist() == order  # what is not finite comes last
    assert images.arrange(Wanted(sort=sort, reverse=True)).tolist() == order[::-1]


def test_bounds_on_what_the_model_says(images):
    wanted = Wanted(ranges=(("loss", 1.0, 2.0), ("confidence", 0.5, np.inf)))
    assert images.arrange(wanted).tolist() == [0, 1, 2, 3, 4]  # not measured yet
    assert images.limits("train", "loss") is None
    images.baseline = SimpleNamespace(
        train=known(loss=[1.0, np.nan, 2.0, 0.5, 1.5], confidence=[0.5, 0.9, 0.4, 0.8, 0.7]), test=known()
    )
    assert images.arrange(wanted).tolist() == [0, 4]
    assert images.arrange(Wanted(ranges=(("loss", -np.inf, 1.0),))).tolist() == [0, 3]
    assert images.arrange(Wanted(ranges=(("loss", -np.inf, 1.0),), sort="confidence")).tolist() == [0, 3]
    assert images.limits("train", "loss") == (0.5, 2.0)


def test_by_file_name_over_all_folders(qapp):
    names = ("b/2.png", "a/3.png", "c/1.PNG", "a/2.png")
    plain = Preprocessing((4, 4), (0.0,), (1.0,))
    dataset = Dataset(
        spec="x",
        title="X",
        classes=("a",),
        train=part([0] * 4, names),
        test=part([0], None),
        preprocessing=plain,
        fingerprint="f",
    )
    images = Images(dataset)
    assert images.arrange(Wanted(sort="name")).tolist() == [2, 3, 0, 1]
    assert images.arrange(Wanted(sort="name", part="test")).tolist() == [0]


def test_many_file_names_are_sorted_in_slices(monkeypatch):
    monkeypatch.setattr(gallery, "_SLICE", 7)
    names = [f"{i * 37 % 11}/{i * 53 % 101}.png" for i in range(100)]
    expected = sorted(range(100), key=lambda i: names[i].split("/")[::-1])
    assert gallery._by_name(names).tolist() == expected


def test_images_with_a_duplicate(images):
    wanted = Wanted(twins=True, sort="twins")
    assert wanted.needs_twins and not Wanted(twins=True, part="test").needs_twins
    images.twins = Twins(np.array([-1, 1, 2, 2, 1]))
    assert images.arrange(wanted).tolist() == [1, 4, 2, 3]
    assert images.arrange(Wanted(sort="twins")).tolist() == [1, 4, 2, 3, 0]
    assert images.arrange(Wanted(twins=True, part="test")).tolist() == [0, 1]


def test_orders_are_kept_until_the_images_are_measured_again(images):
    images.baseline = SimpleNamespace(train=known(loss=[1, 2, 3, 4, 5]), test=known())
    assert images.arrange(Wanted(sort="loss")).tolist() == [4, 3, 2, 1, 0]
    images.baseline = SimpleNamespace(train=known(loss=[5, 4, 3, 2, 1]), test=known())
    assert images.arrange(Wanted(sort="loss")).tolist() == [0, 1, 2, 3, 4]


def test_the_forget_set_first(images):
    mask = np.array([False, False, True, False, True])
    assert images.arrange(Wanted(sort="forget"), mask).tolist() == [2, 4, 0, 1, 3]
    assert images.arrange(Wanted(sort="forget", part="test"), mask).tolist() == [0, 1]


def test_one_image_in_words(images):
    assert images.describe("train", 3) == "Folder/cat.PNG\nClass b"
    assert images.describe("test", 1) == "Image 1\nClass a"
    images.baseline = SimpleNamespace(train=known(predicted=[2] * 5, confidence=[0.913] * 5, loss=[1.5] * 5), test=None)
    assert images.describe("train", 3).splitlines()[2:] == [
        "Model says c, 91.3 % sure", "Loss 1.500", "Margin 0.000",
    ]


@pytest.fixture
def model(qapp, images) -> GalleryModel:
    made = GalleryModel()
    made.set_columns(2)
    made.show(images, "train", np.array([4, 3, 2, 1, 0]))
    made.mask = np.array([True, False, False, False, False])
    return made


def test_the_grid_keeps_qts_rules(model, qtmodeltester, images):
    qtmodeltester.check(model)
    model.set_columns(3)
    qtmodeltester.check(model)
    model.show(images, "train", np.zeros(0, np.int64))
    qtmodeltester.check(model)


def test_cells_are_filled_row_by_row(model):
    assert (model.rowCount(), model.columnCount(), model.count) == (3, 2, 5)
    cells = [model.cell(model.index(r, c)) for r, c in ((0, 0), (0, 1), (2, 0), (2, 1))]
    assert [cell and cell.key for cell in cells] == [("train", 4), ("train", 3), ("train", 0), None]
    assert model.place(model.index(2, 0)) == 4 and model.place(model.index(2, 1)) == -1
    assert model.flags(model.index(2, 1)) == Qt.ItemFlag.NoItemFlags
    assert model.index_of(3).row() == 1 and model.cell_of(1) == 3 and model.cell_of(99) == -1
    assert model.ids(1, 3).tolist() == [3, 2, 1]


def test_cells_tell_what_is_drawn(model, images):
    assert model.cell(model.index(2, 0)) == Cell(("train", 0), label=0, forget=True)
    assert model.cell(model.index(0, 0)) == Cell(("train", 4), label=2)
    assert model.index(2, 0).data(Qt.ItemDataRole.AccessibleTextRole).startswith("To be forgotten\nFolder/Ant.PNG")
    images.baseline = SimpleNamespace(train=known(correct=[False] * 5), test=None)
    assert model.cell(model.index(0, 0)).wrong


def test_test_images_are_never_in_the_forget_set(model, images):
    model.show(images, "test", np.array([0, 1]))
    model.mask = np.ones(5, bool)
    assert not model.cell(model.index(0, 0)).forget


def test_a_million_images_are_a_grid_at_once(qapp):
    many = 1_000_000
    labels = torch.zeros(many, dtype=torch.int64)
    dataset = SimpleNamespace(train=SimpleNamespace(labels=labels, paths=None), classes=("a",))
    model = GalleryModel()
    model.set_columns(7)
    model.show(Images(dataset), "train", np.arange(many))
    assert model.rowCount() == 142_858
    assert model.cell(model.index(142_857, 0)).key == ("train", 999_999)
