"""Outputs in a mapped file: the same as taken in one go, readable by others, and gone when damaged or unfinished."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.data.preprocessing import Preprocessing
from core.engine import outputs
from core.engine.control import Control
from core.engine.outputs import (
    cache_name,
    chunk_size,
    collect,
    collect_full,
    mapped_outputs,
    names_begin,
    stream_outputs,
)
from core.metrics.rows import Rows
from core.models.architectures import ModelSpec, build_model
from core.models.tap import TappedModel
from core.session.bench import Bench, DataOptions
from core.session.training import train
from tests.core.toy import make_experiment, toy_dataset, trained_net

torch.set_num_threads(1)


@pytest.fixture
def toy():
    return make_experiment("finetune", trained_net(), data=toy_dataset(train=1300, test=700))


def equal(one, other) -> bool:
    pairs = [(one.train, other.train), (one.test, other.test)]
    return all(torch.equal(getattr(a, what), getattr(b, what)) for a, b in pairs for what in ("logits", "features"))


@pytest.mark.parametrize(
    ("channels", "size", "images"),
    [(1, (28, 28), 500), (1, (1, 20_000), 500), (1, (100, 1000), 100), (1, (1, 909_091), 10), (3, (224, 224), 66),
     (4, (5000, 5000), 1)],
)  # fmt: skip
def test_a_chunk_holds_500_images_and_ten_million_values_at_most(channels, size, images):
    assert chunk_size(SimpleNamespace(preprocessing=SimpleNamespace(channels=channels, size=size))) == images


def test_of_no_images_there_is_nothing_of_the_kinds_that_images_have(toy):
    none, one = (collect(toy.model, toy.train, torch.arange(count)) for count in (0, 1))
    assert len(none.labels) == len(none.logits) == len(none.features) == 0
    assert none.labels.dtype == one.labels.dtype and none.logits.dtype == one.logits.dtype


def test_a_network_that_cannot_take_a_batch_of_none_says_nothing_of_no_images(toy):
    spec = ModelSpec("hf/vit:hidden_size=8,num_hidden_layers=1,num_attention_heads=2,intermediate_size=8,patch_size=3",
                     3, 1, (6, 6))  # fmt: skip
    model = TappedModel(build_model(spec), 3, input_shape=(1, 6, 6))
    none, one = (collect(model, toy.train, torch.arange(count)) for count in (0, 1))
    assert none.logits.shape == (0, 3) and none.features.shape == (0, 8) and one.features.shape == (1, 8)


@pytest.mark.parametrize("piece", [1, 2, 8])
def test_they_are_those_of_one_pass_and_stay_so_on_disk(toy, tmp_path, monkeypatch, piece):
    monkeypatch.setattr(outputs, "PIECE", piece)
    path, told = tmp_path / "a.safetensors", []
    written = stream_outputs(toy.model, toy.train, toy.test, path, lambda done, total: told.append((done, total)))
    whole = collect_full(toy.model, toy.train, toy.test)
    assert equal(written, whole) and equal(mapped_outputs(path, toy.train, toy.test), whole)
    assert told[-1] == (2000, 2000) and len(told) == 5
    assert torch.equal(load_file(path)["test_features"], whole.test.features)
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_damaged_file_is_removed_and_one_of_other_data_is_not_used(toy, tmp_path):
    path = tmp_path / "a.safetensors"
    stream_outputs(toy.model, toy.train, toy.test, path, lambda done, total: None)
    other = make_experiment("finetune", trained_net(), data=toy_dataset(train=1200, test=700))
    assert mapped_outputs(path, other.train, other.test) is None and path.exists()
    path.write_bytes(path.read_bytes()[:5000])
    assert mapped_outputs(path, toy.train, toy.test) is None and not path.exists()
    assert mapped_outputs(path, toy.train, toy.test) is None


def _kept(toy, path):
    outputs.keep_outputs(path, collect_full(toy.model, toy.train, toy.test))


def _streamed(toy, path):
    stream_outputs(toy.model, toy.train, toy.test, path, lambda done, total: None)


@pytest.mark.parametrize("write", [_kept, _streamed])
def test_a_flipped_bit_or_zeros_anywhere_are_noticed_and_the_outputs_made_again(tmp_path, write):
    toy = make_experiment("finetune", trained_net(), data=toy_dataset(train=40, test=20))
    path = tmp_path / "a.safetensors"
    write(toy, path)
    whole, data = collect_full(toy.model, toy.train, toy.test), path.read_bytes()
    ids = torch.arange(20)
    for place in [*range(0, len(data), 61), len(data) - 1]:
        path.write_bytes(data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :])
        found, features = mapped_outputs(path, toy.train, toy.test), None
        if found is None:
            write(toy, path) if not path.exists() else path.write_bytes(data)
            found = mapped_outputs(path, toy.train, toy.test)
        features = outputs.kept_features(path, "test", ids)
        assert equal(found, whole) and torch.equal(features, whole.test.features), place
    path.write_bytes(data[:1000] + bytes(len(data) - 1000))
    assert outputs.kept_features(path, "test", ids) is None and not path.exists()


def test_a_file_is_hashed_once_by_a_process(toy, tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    _streamed(toy, path)
    monkeypatch.setattr(outputs, "_sha256", lambda *given: pytest.fail("hashed again"))
    assert mapped_outputs(path, toy.train, toy.test) is not None
    assert outputs.kept_features(path, "train", torch.tensor([3])) is not None


def test_a_file_of_an_earlier_version_has_no_hashes_and_is_made_again(toy, tmp_path):
    path = tmp_path / "a.safetensors"
    _streamed(toy, path)
    save_file(load_file(path), path)
    assert mapped_outputs(path, toy.train, toy.test) is None and not path.exists()


def test_a_file_is_named_by_what_its_outputs_follow_from():
    prepared = {"size": [8, 8], "mean": [0.5], "std": [0.5], "source": "data set"}
    base = ("a" * 64, "network", "f" * 64, prepared)
    others = [
        ("b" * 64, *base[1:]), (base[0], "another", *base[2:]), (*base[:2], "0" * 64, prepared),
        *((*base[:3], {**prepared, **changed}) for changed in ({"size": [9, 9]}, {"mean": [0.4]}, {"std": [0.4]})),
    ]  # fmt: skip
    assert len({cache_name(*parts) for parts in (base, *others)}) == 7
    assert cache_name(*base) == cache_name(*base[:3], {**prepared, "source": "model card"})
    ours = [cache_name(*parts).startswith(names_begin(base[2])) for parts in (base, *others)]
    assert ours == [True, True, True, False, True, True, True]


def test_an_interrupted_pass_leaves_nothing(toy, tmp_path):
    def stop(done, total):
        if done > 800:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        stream_outputs(toy.model, toy.train, toy.test, tmp_path / "a.safetensors", stop)
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be_kept_are_taken_all_the_same(toy, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(outputs, "stream_outputs", full)
    told, images = [], (toy.train, toy.test)
    taken = outputs.kept_outputs(tmp_path / "a.safetensors", lambda: toy.model, images, lambda *at: told.append(at))
    assert equal(taken, collect_full(toy.model, *images)) and told[-1] == (2000, 2000)
    assert not list(tmp_path.iterdir())


def test_outputs_too_large_to_keep_are_not_kept(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "LARGEST_CACHE", 1000)
    written = stream_outputs(toy.model, toy.train, toy.test, tmp_path / "a.safetensors", lambda done, total: None)
    assert equal(written, collect_full(toy.model, toy.train, toy.test))
    assert list(tmp_path.iterdir()) == []


def test_rows_read_as_the_tensor_they_stand_for():
    table = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    ids = torch.tensor([3, 9, 9, 41, 0])
    rows = Rows(table, ids)
    assert len(rows) == 5 and rows.shape == (5, 4)
    assert torch.equal(torch.cat(list(rows.split(2))), table[ids])
    assert torch.equal(rows[torch.tensor([4, 1])], table[[0, 9]])
    silenced = Rows(Rows(table, silenced=(1, 3), value=-7.0), ids)
    expected = table[ids].clone()
    expected[:, [1, 3]] = -7
    assert torch.equal(silenced[:], expected) and torch.equal(table[ids][:, 0], silenced[:][:, 0])
    before = table.clone()
    assert bool((Rows(table, silenced=(0,), value=5.0)[2:4][:, 0] == 5).all())
    assert torch.equal(table, before)  # an edited view never writes into the table


@pytest.mark.parametrize(("side", "images"), [(8, 500), (64, 500), (224, 66), (2000, 1)])
def test_large_images_go_through_in_smaller_chunks(toy, side, images):
    store = copy.copy(toy.train)
    store.preprocessing = Preprocessing((side, side), (0.5,) * 3, (0.2,) * 3)
    assert chunk_size(store) == images


def test_outputs_taken_by_a_training_are_found_by_who_opens_its_model(tmp_path, monkeypatch):
    """One pass for each model hash: the training's own measures and a later check read the same outputs."""
    bench, folder = Bench().with_data("digits", DataOptions()), tmp_path / "trained"
    train(folder, bench.on(precision="float32"), "mlp", Control(), lambda event: None, recipe={"epochs": 1})
    opened = Bench().open(folder, "digits")
    anew = collect_full(opened.network(opened.model), *opened.images())
    monkeypatch.setattr(outputs, "stream_outputs", lambda *given: pytest.fail("a second pass"))
    assert equal(opened.outputs(opened.model), anew)
