"""Forget sets by column, folder, class and list together, on images listed in a table; names in any Unicode form."""

import numpy as np
import pytest
from PIL import Image

from core.data.dataset import ImageSet
from core.data.sources import open_dataset
from core.errors import InputError, MismatchError, NotFoundError, UsageError
from core.selection import resolve_classes
from core.session.batch_file import read_batch
from core.session.forget_sets import named_selection

COMPOSED, DECOMPOSED = "Pull\u00f6ver", "Pullo\u0308ver"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A CSV with two columns of its own: twelve images of three customers in two classes, two of them for testing."""
    folder = tmp_path_factory.mktemp("table")
    lines = ["path;label;split;Customer;taken"]
    for number in range(12):
        customer = ("4711", "4712", "48")[number % 3]
        name = f"customers/{customer}/{number}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), number * 20, np.uint8)).save(folder / name)
        split = "test" if number > 9 else "train"
        lines.append(f"{name};{'ab'[number % 2]};{split};{customer if number != 11 else 50};2023-0{number % 2 + 1}")
    (folder / "customers/48/2.png").write_bytes(b"damaged")
    (folder / "images.csv").write_text("\n".join(lines))
    return folder / "images.csv"


@pytest.fixture(scope="module")
def dataset(table):
    return open_dataset(str(table))


def numbers(dataset, selection):
    return sorted(int(dataset.train.paths[index].rpartition("/")[2][:-4]) for index in selection.indices)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"where": ["customer=4711"]}, [0, 3, 6, 9]),
        ({"where": ["Customer = 47*"]}, [0, 1, 3, 4, 6, 7, 9]),
        ({"where": ["customer=471[!1]", "taken=2023-01"]}, [0, 1, 4, 6, 7, 8]),
        ({"folders": ["customers/4711"]}, [0, 3, 6, 9]),
        ({"folders": ["4712/"]}, [1, 4, 7]),
        ({"folders": ["customers/4*8", "/elsewhere/customers/4711"]}, [0, 3, 5, 6, 8, 9]),
        ({"folders": ["{root}/customers/48"]}, [5, 8]),
        ({"folders": ["customers/48"], "where": ["customer=4712"], "classes": ["a"]}, [0, 1, 4, 5, 6, 7, 8]),
    ],
)
def test_people_are_named_by_column_and_folder(table, dataset, chosen, expected):
    said = []
    chosen = {key: [text.format(root=table.parent) for text in texts] for key, texts in chosen.items()}
    assert numbers(dataset, named_selection(dataset, notice=said.append, **chosen)) == expected
    assert len(said) == sum(len(texts) for key, texts in chosen.items() if key != "classes")


def test_what_was_chosen_is_said_with_its_folders(dataset):
    said = []
    named_selection(dataset, where=["customer=48"], folders=["customers"], notice=said.append)
    assert said == [
        "customer=48: 2 images in customers/48.",
        "customers: 9 images in customers/4711, customers/4712, customers/48.",
    ]


@pytest.mark.parametrize(
    ("chosen", "kind", "words"),
    [
        ({"where": ["customer=4713"]}, InputError, "has Customer '4713'. Did you mean '471[12]' or '471[12]'"),
        ({"where": ["customer=471?3*"]}, InputError, "Did you mean '471"),
        ({"where": ["customer=50"]}, InputError, "Only test images of images have Customer '50'"),
        ({"where": ["costumer=1"]}, NotFoundError, "no column called 'costumer'. Did you mean Customer"),
        ({"where": ["label=a"]}, NotFoundError, "Choose one of Customer, taken"),
        ({"where": ["4711"]}, UsageError, "COLUMN=VALUE, got '4711'"),
        ({"folders": ["customers/4713"]}, InputError, r"folder 'customers/4713'. Did you mean customers/471\d/ or"),
        ({"folders": ["xyz"]}, InputError, "Their paths begin like customers/"),
    ],
)
def test_what_fits_nothing_names_the_nearest(dataset, chosen, kind, words):
    with pytest.raises(kind, match=words):
        named_selection(dataset, **chosen)


def test_what_fits_nothing_can_be_passed_over(dataset):
    said = []
    chosen = {"where": ["customer=4713", "customer=4711"], "folders": ["xyz"], "allow_missing": True}
    assert named_selection(dataset, notice=said.append, **chosen).count == 4 and len(said) == 3
    with pytest.raises(InputError, match="No training image of images was named"):
        named_selection(dataset, where=["customer=4713"], allow_missing=True)


def test_data_without_columns_or_names_says_so():
    digits = open_dataset("digits")
    with pytest.raises(InputError, match=r"have no columns to choose by\. List them in a table"):
        named_selection(digits, where=["customer=1"])
    with pytest.raises(InputError, match="lie in no folder"):
        named_selection(digits, folders=["a"])


def test_columns_follow_their_images(dataset):
    part = dataset.train
    assert [path.split("/")[1] for path in part.paths] == part.columns["Customer"].tolist()
    assert part.take(np.array([3, 1])).columns["taken"].tolist() == part.columns["taken"][[3, 1]].tolist()
    assert isinstance(part, ImageSet) and len(part) == 9 and set(part.columns) == {"Customer", "taken"}


def test_columns_are_no_part_of_the_fingerprint(table, dataset):
    lines = table.read_text().replace("2023", "2024").splitlines()
    (table.parent / "other.csv").write_text("\n".join(lines))
    other = open_dataset(str(table.parent / "other.csv"))
    assert other.fingerprint == dataset.fingerprint and "2024-01" in other.train.columns["taken"]


def test_an_empty_list_is_named(dataset, tmp_path):
    (tmp_path / "gone.txt").write_text("\n \n")
    with pytest.raises(InputError, match=r"gone\.txt is empty: it holds no entries"):
        named_selection(dataset, file=tmp_path / "gone.txt")


def test_batch_files_know_columns_and_folders(table, dataset, tmp_path):
    head = f'model = "m.pt"\ndataset = "{table}"\nmethods = ["finetune"]\n'
    (tmp_path / "b.toml").write_text(f'{head}[[forget]]\nwhere = ["customer=4711"]\nfolders = "customers/48"\n')
    (entry,) = read_batch(tmp_path / "b.toml").forgets
    assert entry.name == "customer-4711-customers-48"
    assert numbers(dataset, entry.selection(dataset)) == [0, 3, 5, 6, 8, 9]
    (tmp_path / "b.toml").write_text(f'{head}[[forget]]\nwhere = ["customer=4711"]\nrandom = 0.5\n')
    with pytest.raises(InputError, match="random cannot be combined with classes, samples, where or folders"):
        read_batch(tmp_path / "b.toml")


@pytest.mark.parametrize("where", ["", "train"])
def test_metadata_beside_class_folders_has_columns(tmp_path, where):
    lines = ["file_name,customer"]
    for part in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(4):
                Image.fromarray(np.full((8, 8), number * 40, np.uint8)).save(tmp_path / part / label / f"{number}.png")
                if part == "train" and (label, number) != ("b", 3):
                    lines.append(f"{'' if where else 'train/'}{label}/{number}.png,{4710 + number // 2}")
    (tmp_path / where / "metadata.csv").write_text("\n".join(lines))
    data = open_dataset(str(tmp_path))
    assert data.train.columns["customer"].tolist() == ["4710", "4710", "4711", "4711", "4710", "4710", "4711", ""]
    assert named_selection(data, where=["customer=4711"]).indices.tolist() == [2, 3, 6]
    (tmp_path / where / "metadata.csv").write_bytes(b"file_name,customer\n\xff\xfe")
    data = open_dataset(str(tmp_path))
    assert not data.train.columns and "is not a text file in UTF-8" in data.notices[0]


# --- names in any form of Unicode ---------------------------------------------------------------------------------


def test_classes_are_found_in_any_form_of_unicode():
    for stored, wanted in ((COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)):
        assert resolve_classes([wanted, stored], ("Hemd", stored)) == (1,)
    assert resolve_classes([DECOMPOSED], (COMPOSED, DECOMPOSED)) == (1,)


@pytest.mark.parametrize(("train", "test"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_folders_lists_and_class_files_agree_in_any_form_of_unicode(tmp_path, train, test):
    for part, name in (("train", train), ("test", test)):
        for label in (name, "Hemd"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(2):
                pixels = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / label / f"{number}.png")
    (tmp_path / "order.txt").write_text(f"{test}\nHemd\n", encoding="utf-8")
    data = open_dataset(str(tmp_path), classes_file=tmp_path / "order.txt")
    assert data.classes == (train, "Hemd") and data.test.labels.tolist().count(0) == 2
    assert named_selection(data, [test]).count == 2
    (tmp_path / "order.txt").write_text("Hemd\nRock\n", encoding="utf-8")
    with pytest.raises(MismatchError, match="names 'Rock', which the data has not"):
        open_dataset(str(tmp_path), classes_file=tmp_path / "order.txt")


def test_tables_find_their_files_in_any_form_of_unicode(tmp_path):
    for number, name in enumerate((f"{DECOMPOSED}.png", "b.png", "c.png")):
        Image.fromarray(np.full((8, 8), number * 50, np.uint8)).save(tmp_path / name)
    rows = ["path,label", f"{COMPOSED}.png,x", "b.png,y", "c.png,x"]
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    data = open_dataset(str(tmp_path / "t.csv"), test_fraction=0.4)
    assert not data.unreadable and len(data.train) + len(data.test) == 3
