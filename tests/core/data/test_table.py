"""CSV tables of path, label and split."""

import os

import pytest
from PIL import Image

from core.data import tables
from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError


@pytest.fixture
def table(tmp_path, class_folders):
    class_folders(tmp_path, {"i": 6})

    def write(text, name="list.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def rows(*labels, header="", separator=",", splits=()):
    lines = [header] if header else []
    for i, label in enumerate(labels):
        lines.append(separator.join([f"i/{i:02d}.png", label, *splits[i : i + 1]]))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("header", "separator"),
    [("", ","), ("path,label,split", ","), ("\ufeffFile;Class;Part", ";"), ("filename\tcategory\tsubset", "\t")],
)
def test_headers_and_separators(table, header, separator):
    path = table(rows(*"bbaaab", header=header, separator=separator, splits=["train"] * 4 + ["test", "VAL"]))
    assert recognise_dataset(path) == "csv"
    data = open_dataset(str(path))
    assert data.classes == ("a", "b") and data.title == "list" and data.root == path.parent
    assert data.train.paths == ("i/00.png", "i/01.png", "i/02.png", "i/03.png")
    assert data.train.labels.tolist() == [1, 1, 0, 0]
    assert data.test.paths == ("i/04.png", "i/05.png") and data.test.labels.tolist() == [0, 1]


def test_test_rows_may_stand_between_training_rows(table):
    path = table(rows(*"abab", header="path,label,split", splits=["test", "train", "train", "test"]))
    data = open_dataset(str(path))
    assert data.train.paths == ("i/01.png", "i/02.png") and data.train.labels.tolist() == [1, 0]
    assert data.test.paths == ("i/00.png", "i/03.png") and data.test.labels.tolist() == [0, 1]


def test_images_stand_in_the_order_of_the_file(table):
    path = table("i/03.png,a\ni/00.png,b\ni/02.png,a\ni/01.png,b\ni/05.png,a,test")
    data = open_dataset(str(path))
    assert data.train.paths == ("i/03.png", "i/00.png", "i/02.png", "i/01.png")


def test_columns_in_another_order_and_more_of_them(table):
    path = table("who,label,path\nme,x,i/00.png\nme,y,i/01.png\nme,x,i/02.png\nme,y,i/03.png")
    data = open_dataset(str(path), test_fraction=0.5)
    assert data.classes == ("x", "y") and len(data.test) == 2


def test_numbers_are_sorted_as_numbers(table):
    data = open_dataset(str(table(rows("10", "9", "2", "10", "9", "2"))), test_fraction=0.5)
    assert data.classes == ("2", "9", "10")


def test_whole_paths_of_files_elsewhere(table, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for number in range(4):
        Image.new("L", (4, 4), 60 * number).save(elsewhere / f"{number}.png")
    listed = "".join(f"{elsewhere}/{number}.png,{'ab'[number % 2]}\n" for number in range(4))
    data = open_dataset(str(table(f"path,label\n{listed}")), test_fraction=0.5)
    assert not data.unreadable and {len(data.train), len(data.test)} == {2}
    assert all(path.startswith(f"{elsewhere}/") for path in data.train.paths)


def test_a_quoted_name_and_a_missing_file(table):
    path = table('path,label\n"i/00.png",a\ni/01.png,b\ni/none.png,b\n.\\i\\02.png,a\ni/03.png,b\n')
    data = open_dataset(str(path), test_fraction=0.5)
    assert [(u.path, u.reason) for u in data.unreadable] == [("i/none.png", "no such file")]
    assert set(data.train.paths) | set(data.test.paths) == {f"i/0{i}.png" for i in range(4)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\n", "lists no images. Its columns are path, label"),
        ("path,label\ni/00.png,a\ni/01.png,\n", "line 3 lacks a path or a label"),
        ("path,label\ni/00.png,a\ni/01.png\n", "line 3 lacks a path or a label"),
        ("path,label,split\ni/00.png,a,later\n", "line 2: split must be train or test, got 'later'"),
        ("path,label\ni/00.png,a\ni/00.png,a\n", r"line 3: i/00\.png stands already in line 2\."),
        (
            "path,label\ni/00.png,a\ni/00.png,b\n",
            r"line 3: i/00\.png stands already in line 2 with another label \('a', 'b'\): this is multi-label data",
        ),
        ("path,label\ni/00.png,a\ni/01.png,b\ni/02.png,a|b\n", r"line 4: i/02\.png has several labels \('a\|b'\)"),
        ("path,label\ni/00.png,a\ni/01.png,b\ni/02.png,a; b\n", r"has several labels \('a; b'\): this is multi-label"),
        ("path,label\ni/00.png,\"['a', 'b']\"\ni/01.png,b\n", "line 2: .* several labels"),
        ("path,a,b\ni/00.png,1,0\ni/01.png,1,1\n", r"line 3: i/01\.png has several labels \(a, b\)"),
        ("path,a,b\ni/00.png,1,0\ni/01.png,0,0\n", "line 3: .* has no label: no column holds a 1"),
        ("path,label\ni/00.png,a\ni/01.png,a\n", r"lists one class only \('a'\)"),
        (rows(*"ab", header="path,label,split", splits=["test", "test"]), "None of the training images in list can"),
    ],
)
def test_wrong_tables(table, text, words):
    with pytest.raises(InputError, match=words):
        open_dataset(str(table(text)), test_fraction=0.5)


def test_a_column_a_class_with_a_one_for_the_own_is_told(table):
    text = "file,who,b,a,split\ni/00.png,me,1,0,train\ni/01.png,you,0,1,train\ni/02.png,me,0,1,test\n"
    data = open_dataset(str(table(text)))
    assert data.classes == ("b", "a") and data.train.labels.tolist() == [0, 1] and data.test.labels.tolist() == [1]
    assert data.notices == ("list.csv is one-hot: of the columns b, a the one with a 1 is the label.",)


def test_commas_within_names_are_no_several_labels(table):
    text = 'path,label\ni/00.png,"tench, Tinca"\ni/01.png,"crane, bird"\ni/02.png,crane\ni/03.png,"tench, Tinca"\n'
    data = open_dataset(str(table(text)), test_fraction=0.5)
    assert data.classes == ("crane", "crane, bird", "tench, Tinca")


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "index,class,path,weight\n1,a,i/00.png,1\n", "i/00.png\n", "\x00,"])
def test_other_files_are_not_taken_for_data(table, text):
    path = table(text)
    assert recognise_dataset(path) is None
    with pytest.raises(InputError, match=r"is not a data set\. Open a folder of class folders"):
        open_dataset(str(path))


def test_a_file_that_is_no_text(table):
    path = table(rows("a", "b"))
    path.write_bytes(b"i/00.png,a\n\xff\xfe,b\n")
    with pytest.raises(InputError, match="is not a text file in UTF-8"):
        open_dataset(str(path))


def test_a_column_of_part_names_tells_the_parts_whatever_it_is_called(table):
    path = table(rows(*"abab", header="path,label,fold", splits=["Train", "train", "test", "test"]))
    data = open_dataset(str(path))
    assert (len(data.train), len(data.test), dict(data.train.columns)) == (2, 2, {})
    assert data.found.notices == ("The column fold says which images are for testing.",)


def test_test_images_of_two_parts_are_said(table):
    path = table(rows(*"ababa", header="path,label,split", splits=["train", "train", "val", "test", "test"]))
    data = open_dataset(str(path))
    assert len(data.test) == 3 and data.found.notices == ("Test images are those of val (1) and test (2).",)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Dateiname;Klasse;Teil", "which of the columns Dateiname, Klasse, Teil are the images and their labels"),
        ("id;path;number", "which of the columns id, number is the label"),
    ],
)
def test_columns_of_unknown_names_are_named(table, header, message):
    columns = ["0;i/00.png;0", "7;i/01.png;5"] if header.startswith("id") else ["i/00.png;a;train", "i/01.png;b;test"]
    with pytest.raises(InputError, match=message) as error:
        open_dataset(str(table("\n".join([header, *columns]))))
    assert error.value.hint == "Call them path, label and, for a test part, split."


def test_numbers_of_classes_are_labels(table):
    path = table("id,filename,class_id\n0,i/00.png,0\n1,i/01.png,1\n2,i/02.png,0\n3,i/03.png,1")
    assert open_dataset(str(path), test_fraction=0.5).classes == ("0", "1")


# --- foreign content ----------------------------------------------------------------------------------------------


def test_lines_may_end_as_on_an_old_mac(table):
    path = table(rows(*"abab", header="path,label").replace("\n", "\r"))
    assert open_dataset(str(path), test_fraction=0.5).classes == ("a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"path\tcat\tdog\na.png\t1\t0', "is not a data set"),
        (f"path,label\na.png,{'x' * 200_000}\nb.png,b", r"line 2: field larger than field limit"),
        (f"{'x' * 200_000},label\na.png,b\n", "is not a data set"),
        (f"path,label\n{'i/' * 4000},a\nb.png,b", "None of the 2 images"),
        ("path,label\nä" + "x" * 300 + ".png,a\nb\0.png,b", "None of the 2 images"),
    ],
)
def test_content_of_another_shape_is_refused(table, text, words):
    path = table(text)
    recognise_dataset(path)
    with pytest.raises(InputError, match=words):
        open_dataset(str(path), test_fraction=0.5)


def test_a_class_may_be_a_number_of_any_length(table):
    long = "7" * 5000  # Python converts no number of so many digits
    assert open_dataset(str(table(rows("2", long, "10", long))), test_fraction=0.4).classes == ("2", "10", long)


def test_cells_that_are_left_out_are_counted(table, monkeypatch):
    monkeypatch.setattr(tables, "_MOST_MISSING", 16)
    path = table(rows(*"abab", header="path,label,a,b,c,d"))
    assert len(open_dataset(str(path), test_fraction=0.5).train) == 2
    path.write_text(rows(*"ababa", header="path,label,a,b,c,d"))
    with pytest.raises(InputError, match="line 6: its rows lack more than 16 cells of its 6 columns"):
        open_dataset(str(path), test_fraction=0.5)


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(InputError, match="is not a data set"):
        open_dataset(str(tmp_path / "list.csv"))
