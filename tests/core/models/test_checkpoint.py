"""Model files of all forms open to the same weights; every file that cannot be used is refused in one clear line."""

from __future__ import annotations

import argparse
import math
import os
import pickle
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import AppError, InputError, MismatchError, NotFoundError, UnsafeFileError
from core.files import dumps, file_sha256, loads
from core.models.checkpoint import read_model
from core.models.formats import write_same
from core.models.weights import CheckpointForm
from tests.core.models.opened import open_model


@pytest.fixture
def weights(make_model):
    return make_model().state_dict()


def names(folder):
    return [path.name for path in folder.iterdir()]


def under(name, **beside):
    return lambda state: {**beside, name: state}


def prefixed(prefix):
    return lambda state: {prefix + key: value for key, value in state.items()}


FORMS = {
    "bare": (lambda state: state, None, ""),
    "state_dict": (under("state_dict"), "state_dict", ""),
    "model": (under("model"), "model", ""),
    "model_state_dict": (under("model_state_dict"), "model_state_dict", ""),
    "parallel": (prefixed("module."), None, "module."),
    "compiled": (prefixed("_orig_mod."), None, "_orig_mod."),
    "both": (prefixed("module._orig_mod."), None, "module._orig_mod."),
    "lightning": (lambda state: {"state_dict": prefixed("model.")(state)}, "state_dict", "model."),
    "wrapped parallel": (lambda state: {"state_dict": prefixed("module.")(state)}, "state_dict", "module."),
}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_weights(tmp_path, weights, form, suffix):
    wrap, container, prefix = FORMS[form]
    path = tmp_path / f"net{suffix}"
    torch.save(wrap(weights), path)
    model = open_model(path)
    assert (model.form.container, model.form.prefix) == (container, prefix)
    assert list(model.state_dict) == list(weights)
    assert all(torch.equal(model.state_dict[key], weights[key]) for key in weights)
    assert (model.spec.architecture, model.spec.num_classes, model.spec.in_channels) == ("small-cnn", 5, 1)
    assert model.spec.input_size == (8, 8)


def test_old_serialisation_opens(tmp_path, weights):
    torch.save(weights, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert list(open_model(tmp_path / "old.pt").state_dict) == list(weights)


def test_safetensors_with_metadata(tmp_path, weights):
    save_file(weights, tmp_path / "net.safetensors", metadata={"note": "mine"})
    model = open_model(tmp_path / "net.safetensors")
    assert model.form.format == "safetensors"
    assert model.form.metadata == {"note": "mine"}
    assert model.card is None
    assert set(model.state_dict) == set(weights)


def test_opened_weights_do_not_depend_on_the_file(tmp_path, weights):
    path = tmp_path / "net.safetensors"
    save_file(weights, path)
    model = open_model(path)
    path.write_bytes(b"\0" * path.stat().st_size)
    assert torch.equal(model.state_dict["head.weight"], weights["head.weight"])


def test_what_stands_beside_the_weights_is_kept_or_named(tmp_path, weights):
    content = {
        "epoch": 3, "best": 0.5, "arch": "x", "done": True, "state_dict": weights,
        "optimizer": {"state": {}}, "ema_state_dict": weights, "model_ema": None, "args": argparse.Namespace(lr=0.1),
    }  # fmt: skip
    torch.save(content, tmp_path / "net.pt")
    form = open_model(tmp_path / "net.pt", trust_pickle=True).form
    assert form.scalars == {"epoch": 3, "best": 0.5, "arch": "x", "done": True, "args": argparse.Namespace(lr=0.1)}
    assert form.dropped == ("optimizer", "ema_state_dict", "model_ema")


def test_what_is_plain_comes_back_as_it_was(tmp_path, weights):
    beside = {
        "best_loss": float("inf"), "nan": float("nan"), "classes": ["a", "b"], "class_to_idx": {"a": 0, "b": 1},
        "idx_to_class": {0: "a", 1: "b"}, "size": (8, 8), "best": torch.tensor(0.25), "none": None,
        "args": {"lr": 0.1, "milestones": (3, 6), "tuple()": 1},
    }  # fmt: skip
    torch.save({**beside, "state_dict": weights}, tmp_path / "net.pt")
    form = open_model(tmp_path / "net.pt").form
    assert form.dropped == ()
    again = CheckpointForm.from_dict(loads(dumps(form.to_dict())))
    write_same(tmp_path / "back.pt", weights, again)
    found = torch.load(tmp_path / "back.pt", weights_only=True)
    assert math.isnan(found.pop("nan")) and found.pop("best").equal(beside.pop("best"))
    del found["state_dict"], beside["nan"]
    assert found == beside and isinstance(found["size"], tuple)


def test_a_long_list_beside_the_weights_is_left_out(tmp_path, weights):
    torch.save({"losses": [0.1] * 30_000, "deep": weights, "state_dict": weights}, tmp_path / "net.pt")
    assert open_model(tmp_path / "net.pt").form.dropped == ("losses", "deep")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_are_remembered(tmp_path, weights, dtype):
    cast = {key: value.to(dtype) if value.is_floating_point() else value for key, value in weights.items()}
    torch.save(cast, tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    assert model.state_dict["head.weight"].dtype == torch.float32
    assert model.form.dtypes["head.weight"] == str(dtype).removeprefix("torch.")
    assert model.form.dtypes["block1.norm.num_batches_tracked"] == "int64"


def test_missing_batch_counters_are_tolerated(tmp_path, weights):
    torch.save({k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}, tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    assert model.build()(torch.rand(1, 1, 8, 8)).shape == (1, 5)


def test_form_survives_json(tmp_path, weights):
    torch.save({"epoch": 1, "model": prefixed("module.")(weights), "optim": [1]}, tmp_path / "net.pt")
    form = open_model(tmp_path / "net.pt").form
    assert CheckpointForm.from_dict(form.to_dict()) == form
    with pytest.raises(InputError, match="note of how its model file was saved is damaged"):
        CheckpointForm.from_dict({})


def test_built_network_gives_the_originals_logits_and_leaves_the_generator(tmp_path, make_model):
    original = make_model("resnet18-cifar", 4, 3, (16, 16))
    torch.save(original.state_dict(), tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    before = torch.get_rng_state()
    module = model.build()
    assert torch.equal(before, torch.get_rng_state())
    x = torch.rand(2, 3, 16, 16)
    assert torch.equal(module(x), original(x))
    assert model.parameters == sum(p.numel() for p in original.parameters())
    assert not model.size_known


def test_sha256_is_that_of_the_file(tmp_path, weights):
    import hashlib

    path = tmp_path / "net.pt"
    torch.save(weights, path)
    assert open_model(path).sha256 == file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_opening_changes_nothing(tmp_path, weights):
    path = tmp_path / "net.pt"
    torch.save(weights, path)
    before = path.read_bytes(), path.stat().st_mtime_ns
    open_model(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert names(tmp_path) == ["net.pt"]


# --- code in files ----------------------------------------------------------------------------------------------


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.system, (f"touch '{self.flag}'",)


def write_pickle(protocol):
    return lambda content, path: path.write_bytes(pickle.dumps(content, protocol=protocol))


@pytest.mark.parametrize(
    "write",
    [
        torch.save,
        lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
        *(write_pickle(protocol) for protocol in range(6)),
    ],
)
@pytest.mark.parametrize("suffix", [".pt", ".ckpt"])
def test_hostile_pickles_run_nothing(tmp_path, write, suffix):
    flag = tmp_path / "executed"
    path = tmp_path / f"hostile{suffix}"
    write({"state_dict": Hostile(flag)}, path)
    with pytest.raises(InputError) as caught:
        open_model(path)
    assert not flag.exists()
    if path.read_bytes()[:1] in (b"\x80", b"P"):  # protocols 0 and 1 are text and told apart from models at once
        assert isinstance(caught.value, UnsafeFileError)
        assert caught.value.message == "This file can run program code when opened, so it was not opened."
        assert "--trust-pickle" in caught.value.hint


def test_the_hostile_file_would_have_run(tmp_path):
    flag = tmp_path / "executed"
    torch.save({"state_dict": Hostile(flag)}, tmp_path / "hostile.pt")
    with pytest.raises(InputError):
        open_model(tmp_path / "hostile.pt", trust_pickle=True)
    assert flag.exists()


@pytest.mark.parametrize("wrap", [lambda m: m, lambda m: {"model": m}])
def test_whole_modules_need_trust(tmp_path, make_model, wrap):
    torch.save(wrap(make_model()), tmp_path / "module.pt")
    with pytest.raises(UnsafeFileError, match="can run program code"):
        open_model(tmp_path / "module.pt")
    assert open_model(tmp_path / "module.pt", trust_pickle=True).spec.architecture == "small-cnn"


def test_harmless_objects_beside_the_weights_need_trust_too(tmp_path, weights):
    torch.save({"state_dict": weights, "args": argparse.Namespace(lr=1)}, tmp_path / "net.pt")
    with pytest.raises(UnsafeFileError):
        open_model(tmp_path / "net.pt")
    assert open_model(tmp_path / "net.pt", trust_pickle=True).form.dropped == ()


def test_torchscript_needs_trust_and_is_for_evaluation_only(tmp_path, make_model):
    torch.jit.script(make_model()).save(str(tmp_path / "net.pt"))
    with pytest.raises(UnsafeFileError, match=r"net\.pt carries a program, so it was not opened"):
        open_model(tmp_path / "net.pt", trust_pickle=True)
    model = open_model(tmp_path / "net.pt", trust_code=True)
    assert model.spec.architecture == "small-cnn"
    assert model.evaluation_only
    with pytest.raises(InputError, match="can be evaluated but not unlearned"):
        model.require_trainable()


def test_exported_program_needs_trust_and_can_be_unlearned(tmp_path, make_model):
    module = make_model()
    torch.export.save(torch.export.export(module, (torch.rand(2, 1, 8, 8),)), tmp_path / "net.pt2")
    with pytest.raises(UnsafeFileError, match="carries a program"):
        open_model(tmp_path / "net.pt2")
    model = open_model(tmp_path / "net.pt2", trust_code=True)
    model.require_trainable()
    assert model.form.format == "pt2"
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(model.build()(x), module(x))


# --- files that cannot be used ------------------------------------------------------------------------------------


def damaged(tmp_path, weights, case):
    """Write one file of each unusable kind and return its path."""
    path = tmp_path / "net.pt"
    head = weights["head.weight"]
    contents = {
        "no state dict": [1, 2, 3],
        "no tensors": {"a": 1},
        "empty dict": {},
        "nan": {**weights, "head.weight": torch.full_like(head, torch.nan)},
        "infinite": {**weights, "head.bias": torch.full((5,), torch.inf)},
        "complex": {**weights, "head.weight": head.to(torch.complex64)},
        "sparse": {**weights, "head.weight": head.to_sparse()},
        "meta": {**weights, "head.weight": head.to("meta")},
        "mixed": {"state_dict": {**weights, "note": "text"}},
    }
    if case in contents:
        torch.save(contents[case], path)
        return path
    if case == "safetensors":
        path = tmp_path / "net.safetensors"
        save_file(weights, path)
        path.write_bytes(path.read_bytes()[:-10])
        return path
    torch.save(weights, path, _use_new_zipfile_serialization=case != "truncated old")
    raw = path.read_bytes()
    pieces = {
        "empty": b"", "truncated": raw[:-400], "truncated old": raw[:-5], "truncated early": raw[:40],
        "text": b"hello, world\n" * 9, "random": bytes(range(1, 256)) * 9, "not a torch pickle": pickle.dumps([1, 2]),
    }  # fmt: skip
    path.write_bytes(pieces[case])
    return path


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("empty", r"net\.pt is empty"),
        ("truncated", r"net\.pt is damaged, incomplete or no model file"),
        ("truncated old", r"net\.pt is damaged, incomplete or no model file"),
        ("truncated early", r"net\.pt is damaged, incomplete or no model file"),
        ("safetensors", r"net\.safetensors is damaged, incomplete or no model file"),
        ("text", r"net\.pt is not a model file"),
        ("random", r"net\.pt is not a model file"),
        ("not a torch pickle", r"net\.pt is damaged, incomplete or no model file"),
        ("no state dict", r"net\.pt holds a list, not a state dict"),
        ("no tensors", r"net\.pt holds no state dict: no tensors were found.*its entries are a"),
        ("empty dict", r"net\.pt holds no state dict"),
        ("nan", r"not finite in 1 of 22 tensors \(head\.weight\)"),
        ("infinite", r"not finite in 1 of 22 tensors \(head\.bias\)"),
        ("complex", r"holds complex numbers \(head\.weight\)"),
        ("sparse", r"holds a tensor without plain values \(head\.weight\)"),
        ("meta", r"holds a tensor without plain values \(head\.weight\)"),
        ("mixed", r"1 entries are no tensors \(note\)"),
    ],
)
def test_unusable_files_are_refused_in_one_line(tmp_path, weights, case, words):
    path = damaged(tmp_path, weights, case)
    for trust in (False, True):
        with pytest.raises(InputError, match=words) as caught:
            open_model(path, trust_pickle=trust, trust_code=trust)
        assert "\n" not in caught.value.text
        assert len(caught.value.text) < 250


@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_refused(tmp_path, weights):
    quantised = torch.quantize_per_tensor(weights["head.weight"], 0.1, 0, torch.qint8)
    torch.save({**weights, "head.weight": quantised}, tmp_path / "net.pt")
    with pytest.raises(InputError, match="is quantised"):
        open_model(tmp_path / "net.pt")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(NotFoundError, match="There is no file"):
        open_model(tmp_path / "none.pt")
    with pytest.raises(NotFoundError, match=r"holds no model\.safetensors"):
        open_model(tmp_path)


# --- what the caller states ---------------------------------------------------------------------------------------


def test_named_architecture_must_fit(tmp_path, weights):
    torch.save(weights, tmp_path / "net.pt")
    assert open_model(tmp_path / "net.pt", arch="small-cnn").spec.architecture == "small-cnn"
    with pytest.raises(InputError, match=r"do not fit mlp: 6 missing \(hidden1\.weight, .*…\); 20 unexpected"):
        open_model(tmp_path / "net.pt", arch="mlp")
    with pytest.raises(NotFoundError, match="no architecture called 'small-cn'"):
        open_model(tmp_path / "net.pt", arch="small-cn")


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"num_classes": 9}, "The model has 5 outputs, not 9"),
        ({"in_channels": 3}, "The model has 1 input channel, not 3"),
        ({"input_size": (28, 28)}, "made for 8x8 pixels of 1 channel, not 28x28 pixels of 1 channel"),
    ],
)
def test_contradictions_name_both_values(tmp_path, weights, stated, words):
    torch.save(weights, tmp_path / "net.pt")
    with pytest.raises(MismatchError, match=words):
        open_model(tmp_path / "net.pt", **stated)


def test_stated_size_is_used_where_the_weights_allow_it(tmp_path, weights, make_model):
    torch.save(make_model(size=(28, 28), in_channels=3).state_dict(), tmp_path / "net.pt")
    assert open_model(tmp_path / "net.pt").spec.input_size == (32, 32)
    assert open_model(tmp_path / "net.pt", input_size=(28, 28)).spec.input_size == (28, 28)
    with pytest.raises(MismatchError):
        open_model(tmp_path / "net.pt", input_size=(40, 40))


def test_mlp_channels_and_size_follow_from_what_is_stated(tmp_path, make_model):
    torch.save(make_model("mlp", in_channels=3, size=(6, 4)).state_dict(), tmp_path / "net.pt")
    spec = open_model(tmp_path / "net.pt", in_channels=3, input_size=(6, 4)).spec
    assert (spec.in_channels, spec.input_size) == (3, (6, 4))
    with pytest.raises(MismatchError):
        open_model(tmp_path / "net.pt", in_channels=3, input_size=(6, 6))


def test_a_foreign_state_dict_is_not_recognised(tmp_path):
    torch.save(OrderedDict(nn.Linear(3, 2).state_dict()), tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"not recognised.*--arch"):
        open_model(tmp_path / "net.pt")


def test_all_refusals_end_the_command_line_with_three(tmp_path, weights):
    for case in ("empty", "nan", "no state dict"):
        with pytest.raises(AppError) as caught:
            open_model(damaged(tmp_path, weights, case))
        assert caught.value.exit_code == 3


def test_a_file_is_read_and_hashed_once_however_often_it_is_opened(tmp_path, make_model):
    torch.save(make_model("resnet18-cifar", 5, 3, (16, 16)).state_dict(), tmp_path / "net.pt")
    file = read_model(tmp_path / "net.pt")
    (tmp_path / "net.pt").unlink()
    first, second = file.opened(input_size=(16, 16)), file.opened(input_size=(32, 32))
    assert (first.spec.input_size, second.spec.input_size) == ((16, 16), (32, 32))
    assert first.sha256 == second.sha256 == file.sha256 and first.state_dict is second.state_dict
