"""Forget lists: every way to name a sample, what is not found, and a round trip through the file."""

import csv
import difflib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.dataset import ImageSet
from core.errors import InputError, MismatchError
from core.selection import Selection
from core.session.forget_lists import (
    match_forget_list,
    read_forget_csv,
    read_list_text,
    summarise_forget_list,
    write_forget_list,
)
from core.session.naming import Names
from core.text import from_cell

NAMES = ("apron", "bag")
PATHS = ("train/apron/a.png", "train/apron/b.png", "train/bag/a.png", "train/bag/c 1.jpeg", "train/bag/d,e.png")
LABELS = np.array([0, 0, 1, 1, 1])
TEST_PATHS = ("test/apron/a.png", "test/bag/t.png")


def parse(text, paths=PATHS, test_paths=TEST_PATHS, labels=LABELS, class_names=NAMES, root=None, columns=None):
    def part(labels, paths, columns=None):
        kept = {name: np.array(values, dtype=object) for name, values in (columns or {}).items()}
        return ImageSet.of(np.zeros((len(labels), 1, 1, 1), np.uint8), labels, paths, columns=kept)

    test = part(np.zeros(len(test_paths), int), test_paths)
    train, root = part(labels, paths, columns), root and Path(root)
    data = SimpleNamespace(train=train, test=test, classes=tuple(class_names), root=root, title="photos")
    return match_forget_list(text, data)


# Positions, and the lists that name them.
NAMED = {
    (0, 3): ("0\n3\n", "3\r\n0\r\n\r\n3"),
    (1,): (
        "\ufeff1", "b.png", "apron/b.png", "1,apron,train/apron/b.png,1", "1,apron", ",,b.png",
        "path,class\nb.png,apron", "ticket,filename,requested by\n17,b.png,somebody", "path\n b.png ",
        "b",  # a sample id: the name without its ending
    ),
    (2,): (
        "train/bag/a.png", "./train/bag/a.png", "train\\bag\\a.png", "/data/2024/train/bag/a.png", "index\n2",
    ),
    (1, 2): ("path\nb.png\nbag/a.png",),
    (3,): ("c 1.jpeg", '"c 1.jpeg"'),
    (4,): (
        "d,e.png", "train/bag/d,e.png", "Weight; Index\n1;4",
        'index,class,path,weight\n4,bag,"train/bag/d,e.png",1\n',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [(text, list(ids)) for ids, texts in NAMED.items() for text in texts])
def test_ways_to_name_a_sample(text, expected):
    match = parse(text)
    assert match.matched.tolist() == expected and match.matched.dtype == np.int64
    assert match.weights is None
    assert match.unmatched == match.in_test == match.several == ()


def test_a_name_in_several_folders_is_not_guessed():
    match = parse("a.png\nb.png\na")
    assert match.several == ("a.png", "a") and match.matched.tolist() == [1] and match.entries == 3


def test_the_end_of_a_path_must_be_whole_folders():
    assert parse("rain/apron/b.png").unmatched[0].text == "rain/apron/b.png"
    assert parse("/data/valid/bag/a.png").unmatched and parse("/x/test/apron/a.png").in_test


def test_test_images_are_named_as_such():
    match = parse("t.png\ntest/apron/a.png\nb.png\nt.png")
    assert match.in_test == ("t.png", "test/apron/a.png") and match.matched.tolist() == [1] and not match.unmatched


def test_what_is_not_found_has_its_line_and_the_nearest_names():
    match = parse("b.png\n\nB.jpeg\n5\n-1\nqqqqqq.xyz\nbag/b.png")
    assert [(u.line, u.text) for u in match.unmatched] == [
        (3, "B.jpeg"),
        (4, "5"),
        (5, "-1"),
        (6, "qqqqqq.xyz"),
        (7, "bag/b.png"),
    ]
    assert match.unmatched[0].nearest[0] == "train/apron/b.png"
    assert match.unmatched[1].reason == match.unmatched[2].reason == "samples are 0 to 4"
    assert match.unmatched[3].nearest == ()
    assert match.unmatched[4].nearest[0] == "train/apron/b.png"


def test_other_unusable_lines():
    match = parse("index,class\nx,bag\n,bag")
    assert [u.reason for u in match.unmatched] == ["the index is not a whole number", "neither index nor path"]
    assert parse("999999999999999999999999999").unmatched
    assert parse("b.png", paths=None).unmatched[0].reason == "the samples of this data have no file names"


@pytest.mark.parametrize("text", ["--5\n", "+-5\n", "index\n--3\n"])
def test_two_signs_are_no_number(text):
    match = parse(text)
    assert not len(match.matched) and [each.line for each in match.unmatched] == [len(text.splitlines())]
    assert summarise_forget_list(text).by_index == 0


@pytest.mark.parametrize(
    "text, entries, by_name",
    [
        ("customer\n47\n48\n", 2, 0),  # no file is called "customer" beside numbers
        ("customer,file\n47,a.png\n48,b.png\n", 2, 2),
        ("a.png\n3\n", 2, 1), ("ant\nbee\n", 2, 2), ("47\n48\n", 2, 0), ("customer\n", 1, 1),
    ],
)  # fmt: skip
def test_a_first_line_that_names_a_column_is_no_entry(text, entries, by_name):
    found = summarise_forget_list(text)
    assert (found.entries, found.by_name) == (entries, by_name)


def test_weights():
    match = parse("index,weight\n3,0.5\n1,\n2,2e0")
    assert match.matched.tolist() == [1, 2, 3] and match.weights.tolist() == [1, 2, 0.5]
    assert parse("1,apron,,1.0\n2,,,1").weights is None
    assert parse("index,weight\n3,0\n1,").weights.tolist() == [1, 0]


@pytest.mark.parametrize("weight", ["-0.1", "nan", "inf", "1e7", "much"])
def test_wrong_weights(weight):
    message = rf"Line 2 of the forget list: weight must be a number from 0 to 1,000,000, got '{weight}'\. 1 counts as"
    with pytest.raises(InputError, match=message):
        parse(f"index,weight\n1,{weight}")


@pytest.mark.parametrize("text", ["", "\n \n", "index,class,path,weight\n", "path"])
def test_an_empty_list(text):
    with pytest.raises(InputError, match=r"The forget list is empty: it holds no entries\. Write one index, path"):
        parse(text)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("index,wieght", r"column 'wieght'\. Did you mean weight\?"),
        ("path,clas", r"column 'clas'\. Did you mean class\?"),
        ("path,file", "two columns for"),
        ("index,index", "two columns for 'index'"),
    ],
)
def test_a_wrong_header(header, words):
    with pytest.raises(InputError, match=words):
        parse(f"{header}\n1,1")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,bag", "line 1 says sample 0 is 'bag', the data says 'apron'"),
        ("index,path\n0,train/bag/a.png", "line 2 says sample 0 is train/bag/a.png, the data says train/apron/a.png"),
        ("path,class\nb.png,bag", "line 2 says sample 1 is 'bag'"),
        ("\n".join(f"{i},x" for i in range(5)), "; 2 more. Open the data the list was made for"),
    ],
)
def test_a_list_of_other_data_is_refused(text, words):
    with pytest.raises(MismatchError, match=rf"does not belong to this data.*{words}"):
        parse(text)


def test_many_wrong_names_among_a_hundred_thousand_are_compared_with_few(monkeypatch):
    paths = [f"train/c{i % 100}/img_{i:06d}.png" for i in range(100_000)]
    wrong = [f"img_{i:06d}.jpeg" for i in range(1_000)]
    right = [path.rpartition("/")[2] for path in paths[5_000:]]
    compared = []
    close = difflib.get_close_matches

    def counted(word, known, **options):
        compared.append(len(known))
        return close(word, known, **options)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    names = [f"c{i}" for i in range(100)]
    match = parse("\n".join(wrong + right), paths, labels=np.arange(100_000) % 100, class_names=names)
    assert len(match.matched) == 95_000 and len(match.unmatched) == 1_000
    assert match.unmatched[7].nearest[0] == "train/c7/img_000007.png"
    assert 0 < sum(compared) < 50_000


# --- files --------------------------------------------------------------------------------------------------------


def test_the_file_is_as_documented(tmp_path):
    s = Selection.empty(LABELS, NAMES).with_samples([0, 4]).with_samples([1], weights=np.array([0.1]))
    write_forget_list(tmp_path / "forget.csv", s, PATHS)
    assert (tmp_path / "forget.csv").read_text() == (
        "index,class,path,weight\n"
        "0,apron,train/apron/a.png,1\n"
        "1,apron,train/apron/b.png,0.1\n"
        '4,bag,"train/bag/d,e.png",1\n'
    )
    write_forget_list(tmp_path / "forget.csv", Selection.empty(LABELS, NAMES).with_samples([2]))
    assert (tmp_path / "forget.csv").read_text() == "index,class,path,weight\n2,bag,,1\n"


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)


@given(
    st.dictionaries(st.integers(0, 19), st.floats(0, 1e6), max_size=20),
    st.lists(texts, min_size=3, max_size=3, unique=True),
    st.one_of(st.none(), st.lists(texts, min_size=20, max_size=20, unique=True)),
)
def test_round_trip(tmp_path_factory, chosen, names, paths):
    labels = np.arange(20) % 3
    rows = np.array(sorted(chosen), dtype=np.int64)
    s = Selection.empty(labels, names).with_samples(rows, weights=np.array([chosen[i] for i in rows.tolist()]))
    path = tmp_path_factory.mktemp("list") / "forget.csv"
    write_forget_list(path, s, paths)
    mask, weights, _ = read_forget_csv(path, 20)
    assert np.array_equal(mask, s.mask)
    with path.open(encoding="utf-8", newline="") as file:
        cells = list(csv.reader(file))[1:]
    assert [from_cell(row[1]) for row in cells] == [names[labels[i]] for i in rows]
    assert [from_cell(row[2]) for row in cells] == [paths[i] if paths else "" for i in rows]
    assert (weights is None) == (s.weights is None)
    if s.weights is not None:
        assert np.array_equal(weights, s.weights)
    if chosen:
        match = parse(read_list_text(path), paths, labels=labels, class_names=names)
        assert match.matched.tolist() == rows.tolist() and not match.unmatched


def test_an_empty_file_of_a_run_is_an_empty_set(tmp_path):
    write_forget_list(tmp_path / "f.csv", Selection.empty(LABELS, NAMES))
    assert not read_forget_csv(tmp_path / "f.csv", 5)[0].any()


@pytest.mark.parametrize("text", ["index,class\nx,bag\n", "a.png\n", "-3\n"])
def test_a_run_list_without_an_index_is_damaged(tmp_path, text):
    (tmp_path / "forget.csv").write_text(text)
    with pytest.raises(InputError, match=r"forget\.csv, line \d: .* is no sample index"):
        read_forget_csv(tmp_path / "forget.csv", 5)


def test_a_run_list_for_more_samples(tmp_path):
    (tmp_path / "forget.csv").write_text("index\n7\n")
    with pytest.raises(MismatchError, match="The forget list names sample 7, the data has 5"):
        read_forget_csv(tmp_path / "forget.csv", 5)


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "x"
    with pytest.raises(InputError, match="x cannot be read: No such file"):
        read_list_text(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a text file in UTF-8"):
        read_list_text(path)
    path.write_bytes(b"1\n\x002\n")
    with pytest.raises(InputError, match="is not a text file"):
        read_list_text(path)


# --- patterns, folders, columns, Unicode ----------------------------------------------------------------------------

PEOPLE = (
    "customers/4711/a.png", "customers/4711/2023/b.png", "customers/4712/a.png", "customers/48/a[1].png",
    "train/shop/4711/c.png", "train/shop/9/d*e.png",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customers/4711/*", [0, 1]),
        ("customers/4711/", [0, 1]),
        ("customers\\4711\\", [0, 1]),
        ("customers/47*", [0, 1, 2]),
        ("customers/47*/*.png", [0, 2]),
        ("customers/47*/**.png", [0, 1, 2]),
        ("customers/471[12]/a.png", [0, 2]),
        ("customers/471[!2]", [0, 1]),
        ("customers/???1/a.png", [0]),
        ("customers/????/?", [0, 2]),  # "?" fits a sample id, or a folder of one character
        ("4711/*", [0, 1, 4]),
        ("4711/", [0, 1, 4]),
        ("/photos/customers/47*", [0, 1, 2]),
        ("a[1].png", [3]),
        ("a?1?.png", [3]),
        ("d*e.png", [5]),
        ("customers/[z-a]*\n0", [0]),
        ("customers/47*\n5\n0", [0, 1, 2, 5]),
    ],
)
def test_patterns_and_folders(text, expected):
    match = parse(text, paths=PEOPLE, labels=np.zeros(6, int), root="/photos")
    assert match.matched.tolist() == expected
    assert len(match.unmatched) == ("z-a" in text) and not match.several


def test_a_pattern_takes_the_weight_and_class_of_its_row():
    labels = np.array([0, 1, 0, 0, 0, 0])
    match = parse("path,class,weight\ncustomers/4711/*,apron,2\ncustomers/48/*,bag,1", paths=PEOPLE, labels=labels)
    assert match.matched.tolist() == [0] and match.weights.tolist() == [2]
    assert match.unmatched[0].reason == "its images are of other classes"


def test_patterns_that_fit_nothing_name_the_nearest_folders():
    text = "customers/4713/*\ncustomers/4711\nxyz/*\ncustomers/4713/\na?b"
    match = parse(text, paths=PEOPLE, labels=np.zeros(6, int))
    nearest = [line.nearest for line in match.unmatched]
    assert set(nearest[0]) >= {"customers/4711/", "customers/4712/"} and nearest[0] == nearest[3]
    assert nearest[1] == ("customers/4711/",) and nearest[2] == () and not len(match.matched)
    assert parse("test/apron/*").in_test == ("test/apron/*",)
    (line,) = parse("*.png", paths=None, test_paths=()).unmatched
    assert line.reason == "the samples of this data have no file names"


COLUMNS = {"Customer": ["4711", "4712", "47", "Müller", "4711"], "day": ["mo", "mo", "tu", "tu", "tu"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("customer\n4711", [0, 4]),
        ("Customer\n471*\n47", [0, 1, 2, 4]),
        ("customer;day\n4711;tu", [4]),
        ("customer,weight\n4711,2\nM\u0075\u0308ller,1", [0, 3, 4]),
        ("customer,class\n4711,bag", [4]),
        ("path,customer\ntrain/bag/a.png,4711", [2]),  # the path is what names the sample
    ],
)
def test_a_list_names_the_columns_of_a_table(text, expected):
    match = parse(text, columns=COLUMNS)
    assert match.matched.tolist() == expected and not match.unmatched


def test_values_that_no_image_has_are_named_with_the_nearest():
    match = parse("customer,day\n4713,mo\n4711,we\n4712,tu", columns=COLUMNS)
    assert match.unmatched[0].reason == "no image has Customer '4713' and day 'mo'"
    assert set(match.unmatched[0].nearest) >= {"4711", "4712"} and match.unmatched[2].nearest == ()


DECOMPOSED = "train/pu\u0308/o\u0308.png"


@pytest.mark.parametrize("text", ["train/p\u00fc/\u00f6.png", "\u00f6.png", "o\u0308", "p\u00fc/*", "train/p\u00fc/"])
def test_names_fit_in_any_form_of_unicode(text):
    for path in (DECOMPOSED, "train/p\u00fc/\u00f6.png"):
        match = parse(text, paths=(path, "train/x/y.png"), labels=np.array([0, 1]), class_names=("pu\u0308", "x"))
        assert match.matched.tolist() == [0]
    row = f"index,class,path\n0,p\u00fc,{text}" if text.endswith("png") else "index,class\n0,p\u00fc"
    assert parse(row, paths=(DECOMPOSED,), labels=np.array([0]), class_names=("pu\u0308",)).matched.tolist() == [0]


def test_paths_that_differ_by_their_form_of_unicode_alone_are_told_apart():
    paths = (DECOMPOSED, "train/p\u00fc/\u00f6.png", "train/x/y.png")
    for index, path in enumerate(paths):
        assert parse(path, paths=paths, labels=np.array([0, 0, 1])).matched.tolist() == [index]


# --- foreign content ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"index,class\n0,{'x' * 200_000}", "cannot be read: line 2: field larger than field limit"),
        ("," * 200_000, "has 200,001 columns, and at most 100,000 are read"),
        (" \n" * 100_000, "is empty"),
    ],
)
def test_content_of_another_shape_is_refused(text, words):
    with pytest.raises(InputError, match=words):
        parse(text)


@pytest.mark.parametrize("line", ["x" * 200_000, f'"{"x" * 200_000}",1', "a/" * 100_000, "[" * 50_000, "**" * 3000])
def test_a_long_line_names_nothing(line):
    match = parse(f"{line}\nb.png")
    assert match.matched.tolist() == [1] and match.unmatched[0].line == 1


def test_lines_may_end_in_any_way():
    assert parse("b.png\rbag/a.png\r\nd,e.png\n\r0").matched.tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize("pattern", ["*a*" * 9 + "X", "**a" * 9 + "X", "*?" * 12 + "/X", "**[ab]" * 9])
def test_a_pattern_of_many_stars_takes_no_time(pattern):
    long = "a" * 60 + "/" + "a" * 60 + ".png"  # all ways to share it among the stars were tried
    assert parse(pattern, paths=(long, *PATHS[1:])).matched.tolist() in ([], [0])


@pytest.mark.parametrize("pattern", ["*a*b", "**b/*a?", "a**b*c", "**a/**b", "*", "***a*", "?*[ab]**", "a*/**/c*"])
def test_stars_fit_what_they_did_when_all_ways_were_tried(pattern):
    tried = re.compile(
        "(?:.*/)?" + re.sub(r"\*\*|\*|\?", lambda m: {"**": ".*", "*": "[^/]*", "?": "[^/]"}[m[0]], pattern)
        + r"(?:\.[^/.]+)?(?:/.*)?", re.DOTALL,
    )  # fmt: skip
    letters = ["a", "b", "c", "/"]
    paths = tuple("".join(letters[i // 4**k % 4] for k in range(5)) for i in range(4**5))
    found = Names(paths).matching(pattern)
    assert found == [i for i, path in enumerate(paths) if tried.fullmatch(path)]
