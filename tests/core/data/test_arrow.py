"""Arrow tables: folders that Hugging Face's `datasets` saved, and parquet files; written by pyarrow."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from core.data.sources import open_dataset, recognise_dataset
from core.errors import InputError, NoTestPartError


def png(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


# --- Hugging Face -------------------------------------------------------------------------------------------------


def save_part(folder, cells, labels, names=("cat", "dog"), feature="ClassLabel", files=2, **state):
    """Write what `Dataset.save_to_disk` writes: Arrow streams, the features and the state."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    listed = []
    for number, rows in enumerate(np.array_split(np.arange(len(cells)), files)):
        pictures = pa.array([cells[i] for i in rows], type=image)
        table = pa.table({"image": pictures, "label": pa.array([labels[i] for i in rows], pa.int64())})
        name = f"data-{number:05d}-of-{files:05d}.arrow"
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
        listed.append({"filename": name})
    label = (
        {"names": list(names), "_type": "ClassLabel"}
        if feature == "ClassLabel"
        else {"dtype": "int64", "_type": "Value"}
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"image": {"_type": "Image"}, "label": label}}))
    (folder / "state.json").write_text(json.dumps({"_data_files": listed, "_indices_data_files": None, **state}))


def cells(first, count):
    return [{"bytes": png(i), "path": f"{i}.png"} for i in range(first, first + count)]


@pytest.mark.parametrize("budget", [0, float("inf")])
def test_a_saved_dictionary_of_parts(tmp_path, budget):
    root = tmp_path / "pets"
    save_part(root / "train", cells(0, 10), [i % 2 for i in range(10)])
    save_part(root / "test", cells(50, 5), [0, 1, -1, None, 2])
    (root / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert recognise_dataset(root) == "hugging face"
    data = open_dataset(str(root), memory_budget=budget)
    assert data.classes == ("cat", "dog") and data.train.labels.tolist() == [i % 2 for i in range(10)]
    assert data.train.images[:][:, 0, 0, 0].tolist() == list(range(10))
    assert data.test.paths == ("test/0", "test/1") and data.test.images[1][0, 0, 0] == 51
    assert [(u.path, u.reason) for u in data.unreadable] == [
        ("test/2", "its label is -1"),
        ("test/3", "its label is None"),
        ("test/4", "its label is 2"),
    ]


def test_one_saved_part_with_numbered_labels_and_images_beside_it(tmp_path):
    root = tmp_path / "one"
    own = [*cells(0, 8), {"bytes": None, "path": "there.png"}, {"bytes": None, "path": None}, None, {"bytes": b"?"}]
    save_part(root, own, [i % 2 for i in range(12)], feature="Value")
    (root / "there.png").write_bytes(png(77))
    with pytest.raises(NoTestPartError):
        open_dataset(str(root))
    data = open_dataset(str(root), test_fraction=0.3)
    assert data.classes == ("0", "1") and len(data.train) + len(data.test) == 9
    assert 77 in [*data.train.images[:, 0, 0, 0].tolist(), *data.test.images[:, 0, 0, 0].tolist()]
    assert [u.reason for u in data.unreadable] == ["the cell is empty"] * 2 + ["not an image, or of an unknown kind"]


def test_saved_data_that_cannot_be_used(tmp_path, monkeypatch):
    save_part(tmp_path / "a", cells(0, 4), [0, 1, 0, 1], _indices_data_files=[{"filename": "i.arrow"}])
    with pytest.raises(InputError, match=r"is a selection of rows\. Call flatten_indices"):
        open_dataset(str(tmp_path / "a"), test_fraction=0.5)
    save_part(tmp_path / "b", cells(0, 4), [0, 1, 0, 3], feature="Value")
    with pytest.raises(InputError, match="labels must be 0 to K-1 without a gap; they reach 3"):
        open_dataset(str(tmp_path / "b"), test_fraction=0.5)
    save_part(tmp_path / "c", cells(0, 4), [0, 1, 0, 1])
    (tmp_path / "c" / "data-00001-of-00002.arrow").write_bytes(b"short")
    with pytest.raises(InputError, match="is damaged"):
        open_dataset(str(tmp_path / "c"), test_fraction=0.5)
    (tmp_path / "c" / "dataset_info.json").write_text('{"features": {"text": {"_type": "Value"}}}')
    with pytest.raises(InputError, match="has no image column; its columns are text"):
        open_dataset(str(tmp_path / "c"), test_fraction=0.5)
    monkeypatch.setattr("core.data.arrow.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'needs the package pyarrow\. Install it: pip install "unlearn-studio\[hf\]"'):
        open_dataset(str(tmp_path / "b"), test_fraction=0.5)


# --- parquet ------------------------------------------------------------------------------------------------------


def parquet(path, images, labels, group=3, image="image", label="label", names=None):
    """Write a parquet file; with `names` also what `Dataset.to_parquet` notes of its columns."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    dicts = isinstance(images[0], dict)
    table = pa.table({image: pa.array(images, kind if dicts else None), label: labels, "text": ["x"] * len(labels)})
    if names is not None:
        features = {image: {"_type": "Image"}, label: {"names": list(names), "_type": "ClassLabel"}}
        noted = {"huggingface": json.dumps({"info": {"features": features}})}
        table = table.replace_schema_metadata(noted)
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize("budget", [0, float("inf")])
@pytest.mark.parametrize("layout", ["{}-00000-of-00001.parquet", "data/{}-00000-of-00001.parquet", "{}/0000.parquet"])
def test_parquet_files_in_a_folder(tmp_path, layout, budget):
    parquet(tmp_path / layout.format("train"), cells(0, 10), [i % 2 for i in range(10)], names=("cat", "dog"))
    parquet(tmp_path / layout.format("test"), cells(50, 4), [0, 1, 1, 0], names=("cat", "dog"))
    assert recognise_dataset(tmp_path) == "parquet"
    data = open_dataset(str(tmp_path), memory_budget=budget)
    assert data.classes == ("cat", "dog") and data.train.labels.tolist() == [i % 2 for i in range(10)]
    assert data.train.images[:][:, 0, 0, 0].tolist() == list(range(10))
    assert data.test.images[:][:, 0, 0, 0].tolist() == [50, 51, 52, 53] and data.test_origin == "own"
    assert data.train.columns["text"].tolist() == ["x"] * 10


def test_one_parquet_file_of_bytes_or_paths_with_names_or_numbers(tmp_path):
    raw = [png(i) for i in range(8)]
    numbered = parquet(tmp_path / "a.parquet", raw, [i % 4 for i in range(8)], image="img", label="fine_label")
    data = open_dataset(str(numbered), test_fraction=0.25)
    assert data.classes == ("0", "1", "2", "3") and data.found.numbered
    for number, image in enumerate(raw):
        (tmp_path / f"{number}.png").write_bytes(image)
    paths = [f"{number}.png" for number in range(8)]
    named = parquet(tmp_path / "b.parquet", paths, ["dog", "cat"] * 4, image="file_name", label="category")
    data = open_dataset(str(named), test_fraction=0.25)
    assert data.classes == ("cat", "dog")
    values = [*data.train.images[:, 0, 0, 0].tolist(), *data.test.images[:, 0, 0, 0].tolist()]
    labels = [*data.train.labels.tolist(), *data.test.labels.tolist()]
    assert sorted(zip(values, labels, strict=True)) == [(i, 1 - i % 2) for i in range(8)]


def test_a_second_column_of_classes_is_told(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(cells(0, 4), kind), "fine_label": [0, 1, 0, 1], "coarse_label": [0, 0, 0, 0]})
    names = {"fine_label": ["cat", "dog"], "coarse_label": ["pet"]}
    features = {name: {"names": given, "_type": "ClassLabel"} for name, given in names.items()}
    features["img"] = {"_type": "Image"}
    pq.write_table(
        table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}),
        tmp_path / "a.parquet",
    )
    data = open_dataset(str(tmp_path / "a.parquet"), test_fraction=0.5)
    assert data.notices == ("The label is the column fine_label; not used: coarse_label.",)


def test_parquet_files_that_cannot_be_used(tmp_path):
    lists = parquet(tmp_path / "lists.parquet", cells(0, 4), [[0], [1], [0, 1], [1]])
    with pytest.raises(InputError, match="lists gives an image a list of labels: this is multi-label data"):
        open_dataset(str(lists), test_fraction=0.5)
    without = parquet(tmp_path / "without.parquet", cells(0, 4), [0, 1, 0, 1], label="caption")
    with pytest.raises(InputError, match=r"without\.parquet has no label column; its columns are image, caption, text"):
        open_dataset(str(without), test_fraction=0.5)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 broken")
    with pytest.raises(InputError, match=r"broken\.parquet is damaged or no parquet file"):
        open_dataset(str(tmp_path / "broken.parquet"), test_fraction=0.5)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("core.data.arrow.find_spec", lambda name: None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError) as caught:
        open_dataset(str(tmp_path / "a.parquet"))
    assert caught.value.message == "a is kept in parquet files; reading it needs the package pyarrow."
    assert caught.value.hint == 'Install it: pip install "unlearn-studio[hf]".'


def test_further_columns_are_kept_as_texts(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    labels = [0, 1, None, 1, 0, 1]
    more = {
        "customer": pa.array([4711, 4712, 4713, None, 4711, 4712]), "city": ["Köln", None, "x", "y", "z", "z"],
        "split_of": [0, 1, 1, 0, 0, 0], "score": [0.5] * 6, "vector": [[1.0]] * 6,
    }  # fmt: skip
    table = pa.table({"image": pa.array(cells(0, 6), kind), "label": labels, **more})
    features = {
        "image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]},
        "split_of": {"_type": "ClassLabel", "names": ["left", "right"]},
    }  # fmt: skip
    noted = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(noted, tmp_path / "t.parquet", row_group_size=2)
    saved = tmp_path / "saved"
    saved.mkdir()
    with pa.OSFile(str(saved / "d.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    (saved / "dataset_info.json").write_text(json.dumps({"features": features}))
    (saved / "state.json").write_text(json.dumps({"_data_files": [{"filename": "d.arrow"}]}))
    for path in (tmp_path / "t.parquet", saved):
        data = open_dataset(str(path), test_fraction=0.3)
        rows = sorted(
            (int(path.rpartition("/")[2]), {name: values[i] for name, values in part.columns.items()})
            for part in (data.train, data.test) for i, path in enumerate(part.paths)
        )  # fmt: skip
        assert [number for number, _ in rows] == [0, 1, 3, 4, 5]
        assert [row["customer"] for _, row in rows] == ["4711", "4712", "", "4711", "4712"]
        assert [row["city"] for _, row in rows] == ["Köln", "", "y", "z", "z"]
        assert [row["split_of"] for _, row in rows] == ["left", "right", "left", "left", "left"]
        assert set(rows[0][1]) == {"customer", "city", "split_of"}


# --- foreign content ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("dataset_info.json", [], "dataset_info.json is damaged: expected object, got array"),
        ("dataset_info.json", {"features": {"label": {"_type": []}}}, "What train of d notes of label is damaged"),
        ("dataset_info.json", {"features": {"label": {"names": 3}}}, "What train of d notes of label is damaged"),
        ("state.json", {"_data_files": [3]}, r"state\.json is damaged: expected object, got int at _data_files"),
        ("state.json", {"_data_files": [{"filename": "../x"}]}, "x cannot be read: No such file"),
    ],
)
def test_notes_of_another_shape_are_refused(tmp_path, file, content, words):
    save_part(tmp_path / "d" / "train", [{"bytes": png(i), "path": None} for i in range(4)], [0, 1, 0, 1])
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    (tmp_path / "d" / "train" / file).write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        open_dataset(str(tmp_path / "d"), test_fraction=0.5)


def test_both_layouts_of_arrow_are_read_also_with_a_dictionary(tmp_path):
    pa = pytest.importorskip("pyarrow")
    save_part(tmp_path / "a", cells(0, 6), [0, 1] * 3, files=1)
    file = tmp_path / "a" / "data-00000-of-00001.arrow"
    table = pa.ipc.open_stream(file.read_bytes()).read_all()
    table = table.append_column("kind", pa.array(["x", "y"] * 3).dictionary_encode())
    found = []
    for new in (pa.ipc.new_stream, pa.ipc.new_file):
        with pa.OSFile(str(file), "wb") as sink, new(sink, table.schema) as writer:
            writer.write_table(table)
        found.append(open_dataset(str(tmp_path / "a"), test_fraction=0.5))
    assert len(found[0].train) == 2 and found[0].fingerprint == found[1].fingerprint


def test_a_table_that_unpacks_to_many_times_its_bytes_is_refused(tmp_path, monkeypatch):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("core.data.arrow._AT_LEAST", 1000)
    zeros = [{"bytes": bytes(500_000), "path": None}] * 4
    texts = pa.table({"text": ["x" * 10_000] * 400, "image": [png(1)] * 400, "label": [0, 1] * 200})
    pq.write_table(texts, tmp_path / "texts.parquet")  # the text stands there once
    save_part(tmp_path / "saved", zeros, [0, 1, 0, 1], files=1)
    table = pa.ipc.open_stream(str(tmp_path / "saved" / "data-00000-of-00001.arrow")).read_all()
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    for number, new in enumerate((pa.ipc.new_stream, pa.ipc.new_file)):
        folder = tmp_path / f"packed {number}"
        shutil.copytree(tmp_path / "saved", folder)
        file = folder / "data-00000-of-00001.arrow"
        with pa.OSFile(str(file), "wb") as sink, new(sink, table.schema, options=packed) as writer:
            writer.write_table(table)
    with pytest.raises(InputError, match=r"unpacks from [\d,]+ bytes to more than 100 times as many"):
        open_dataset(str(tmp_path / "texts.parquet"), test_fraction=0.5)
    for name in ("packed 0", "packed 1"):
        with pytest.raises(InputError, match=r"data-00000-of-00001\.arrow is compressed inside"):
            open_dataset(str(tmp_path / name), test_fraction=0.5)
    with pytest.raises(InputError, match="None of the 4 images in"):
        open_dataset(str(tmp_path / "saved"), test_fraction=0.5)  # as large as it is
    pq.write_table(texts.slice(0, 8), tmp_path / "texts.parquet")
    assert len(open_dataset(str(tmp_path / "texts.parquet"), test_fraction=0.5).train) == 4
    pq.write_table(texts.slice(0, 0), tmp_path / "texts.parquet")
    with pytest.raises(InputError, match=r"texts\.parquet holds no rows"):
        open_dataset(str(tmp_path / "texts.parquet"), test_fraction=0.5)


def test_tables_of_any_content_are_refused_in_a_sentence(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for column in (pa.array([2**31 - 1] * 4, pa.date32()), pa.array([{"a": 1}] * 4), pa.array([[1], [], None, [2]])):
        pq.write_table(pa.table({"image": pa.array([png(1)] * 4), "label": column}), tmp_path / "t.parquet")
        with pytest.raises(InputError):
            open_dataset(str(tmp_path / "t.parquet"), test_fraction=0.5)
    pq.write_table(pa.table({"image": pa.nulls(10**6), "label": pa.nulls(10**6)}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet promises 1,000,000 rows in"):
        open_dataset(str(tmp_path / "t.parquet"), test_fraction=0.5)

