"""Models are written back as they came in, whole or not at all, and read back to be compared."""

import zipfile
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from core.errors import InputError
from core.models.formats import PLAIN, compare_export, export_onnx, export_pt2, write_safetensors, write_same
from core.models.user_code import build_from_user_code
from tests.core.models.opened import open_model


def load(path):
    return torch.load(path, weights_only=True)


def names(folder):
    return [path.name for path in folder.iterdir()]


def described(state):
    return {key: (value.dtype, value.shape) for key, value in state.items()}


CONTAINERS = [None, "state_dict", "model", "model_state_dict"]


@pytest.mark.parametrize(
    ("container", "dtype", "prefix"),
    [
        *((container, torch.float32, "") for container in CONTAINERS),
        *((None, dtype, "module.") for dtype in (torch.float16, torch.bfloat16, torch.float64)),
        *(("state_dict", torch.float16, prefix) for prefix in ("", "module.", "_orig_mod.", "model.")),
    ],
)
def test_same_form_round_trip(tmp_path, make_model, container, dtype, prefix):
    state = {prefix + k: v.to(dtype) if v.is_floating_point() else v for k, v in make_model().state_dict().items()}
    content = {"epoch": 3, "name": "x", "optimizer": {"lr": 1}, container: state} if container else state
    torch.save(content, tmp_path / "in.pt")
    model = open_model(tmp_path / "in.pt")
    write_same(tmp_path / "out.pt", model.state_dict, model.form)
    written = load(tmp_path / "out.pt")
    if container:
        assert {k: v for k, v in written.items() if k != container} == {"epoch": 3, "name": "x"}
        written = written[container]
    assert described(written) == described(state)
    assert list(written) == list(state)
    assert all(torch.equal(written[key], state[key]) for key in state)
    check = compare_export(tmp_path / "out.pt", "same", model.build(), torch.rand(3, 1, 8, 8), model.form)
    assert (check.keys, check.same_form, check.largest_difference) == (len(state), True, 0.0)


def test_safetensors_round_trip_keeps_metadata_and_types(tmp_path, make_model):
    state = {key: v.half() if v.is_floating_point() else v for key, v in make_model().state_dict().items()}
    save_file(state, tmp_path / "in.safetensors", metadata={"note": "mine"})
    model = open_model(tmp_path / "in.safetensors")
    write_same(tmp_path / "out.safetensors", model.state_dict, model.form)
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert file.metadata() == {"note": "mine"}
        assert described({k: file.get_tensor(k) for k in file.keys()}) == described(state)  # noqa: SIM118


def test_keys_the_file_did_not_have_are_left_out(tmp_path, make_model):
    state = {k: v for k, v in make_model().state_dict().items() if not k.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "in.pt")
    model = open_model(tmp_path / "in.pt")
    write_same(tmp_path / "out.pt", model.build().state_dict(), model.form)
    assert list(load(tmp_path / "out.pt")) == list(state)


def test_same_form_works_without_the_file_that_came_in(tmp_path, make_model):
    from core.models.weights import CheckpointForm

    torch.save({"state_dict": make_model().state_dict()}, tmp_path / "in.pt")
    model = open_model(tmp_path / "in.pt")
    noted = model.form.to_dict()
    (tmp_path / "in.pt").unlink()
    write_same(tmp_path / "out.pt", model.state_dict, CheckpointForm.from_dict(noted))
    assert list(load(tmp_path / "out.pt")["state_dict"]) == list(model.state_dict)


def test_a_missing_key_is_an_error(tmp_path, make_model):
    torch.save(make_model().state_dict(), tmp_path / "in.pt")
    model = open_model(tmp_path / "in.pt")
    state = dict(model.state_dict)
    del state["head.bias"]
    with pytest.raises(InputError, match=r"lacks 1 keys of the file that came in, the first is head\.bias"):
        write_same(tmp_path / "out.pt", state, model.form)
    assert names(tmp_path) == ["in.pt"]


def test_values_that_do_not_fit_the_type_are_not_turned_infinite(tmp_path, make_model):
    state = {key: v.half() if v.is_floating_point() else v for key, v in make_model().state_dict().items()}
    torch.save(state, tmp_path / "in.pt")
    model = open_model(tmp_path / "in.pt")
    changed = {**model.state_dict, "head.bias": torch.full((5,), 1e5)}
    with pytest.raises(InputError, match=r"A value of head\.bias does not fit float16"):
        write_same(tmp_path / "out.pt", changed, model.form)


def test_safetensors_are_written_even_where_keys_share_memory(tmp_path):
    shared = torch.arange(6.0)
    write_safetensors(tmp_path / "x.safetensors", {"a": shared, "b": shared[::2]}, {"classes": "[]"})
    with safe_open(tmp_path / "x.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt", "classes": "[]"}
        assert torch.equal(file.get_tensor("b"), shared[::2])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, make_model, monkeypatch):
    target = tmp_path / "out.pt"
    target.write_bytes(b"old")

    def full(content, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_same(target, make_model().state_dict(), PLAIN)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["out.pt"]


@pytest.fixture
def full_disk():
    """No file may grow beyond 8 kB, which writing meets as it meets a full disk."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("name", ["out.safetensors", "out.pt", "out.pt2"])
def test_a_full_disk_is_an_error_and_leaves_the_old_file(tmp_path, name):
    target = tmp_path / name
    target.write_bytes(b"old")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 300), torch.nn.Linear(300, 10))
    with pytest.raises(InputError, match=r"cannot be written"):
        if name.endswith("pt2"):
            export_pt2(target, module, (8, 8), 1)
        elif name.endswith("pt"):
            write_same(target, module.state_dict(), PLAIN)
        else:
            write_safetensors(target, module.state_dict(), {})
    assert target.read_bytes() == b"old" and names(tmp_path) == [name]


def test_folders_that_cannot_be_made_are_an_error(tmp_path, make_model):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_same(tmp_path / "file" / "out.pt", make_model().state_dict(), PLAIN)


def test_files_are_readable_by_others_as_usual(tmp_path, make_model):
    write_same(tmp_path / "out.pt", make_model().state_dict(), PLAIN)
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "out.pt").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize(
    ("change", "same_form", "difference"),
    [
        (lambda s: {**s, "head.bias": s["head.bias"] + 1}, True, 1),
        (lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()}, False, None),
        (lambda s: {k: v for k, v in s.items() if not k.endswith("tracked")}, False, None),
    ],
)
def test_comparison_sees_what_differs(tmp_path, make_model, change, same_form, difference):
    module = make_model()
    write_same(tmp_path / "out.pt", change(module.state_dict()), PLAIN)
    check = compare_export(tmp_path / "out.pt", "pt", module, torch.rand(4, 1, 8, 8))
    assert check.same_form is same_form
    if difference is not None:
        assert check.largest_difference == pytest.approx(difference, abs=1e-5)


def test_comparison_refuses_a_file_of_another_network(tmp_path, make_model):
    write_same(tmp_path / "out.pt", make_model("mlp").state_dict(), PLAIN)
    with pytest.raises(InputError, match="its weights do not load"):
        compare_export(tmp_path / "out.pt", "pt", make_model(), torch.rand(2, 1, 8, 8))


def test_comparison_leaves_the_network_in_its_mode(tmp_path, make_model):
    module = make_model().train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    write_same(tmp_path / "out.pt", module.state_dict(), PLAIN)
    assert compare_export(tmp_path / "out.pt", "pt", module, torch.rand(70, 1, 8, 8)).largest_difference == 0
    assert module.training
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


@pytest.mark.parametrize("architecture", ["small-cnn", pytest.param("resnet18-cifar", marks=pytest.mark.slow)])
def test_exported_program_agrees_for_any_batch(tmp_path, make_model, architecture):
    module = make_model(architecture, size=(16, 16))
    export_pt2(tmp_path / "net.pt2", module, (16, 16), 1)
    check = compare_export(tmp_path / "net.pt2", "pt2", module, torch.rand(67, 1, 16, 16))
    assert check.same_form
    assert check.keys == len(module.state_dict())
    assert check.largest_difference < 1e-5
    assert names(tmp_path) == ["net.pt2"]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["small-cnn", "mlp"])
def test_onnx_agrees_for_any_batch_in_one_file(tmp_path, make_model, architecture):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    module = make_model(architecture, size=(16, 16))
    export_onnx(tmp_path / "net.onnx", module, (16, 16), 1)
    check = compare_export(tmp_path / "net.onnx", "onnx", module, torch.rand(67, 1, 16, 16))
    assert check.largest_difference < 1e-4
    assert (check.keys, check.same_form) == (0, True)
    assert names(tmp_path) == ["net.onnx"]


@pytest.mark.parametrize("format", ["pt2", pytest.param("onnx", marks=pytest.mark.slow)])
def test_a_program_names_no_file_of_this_machine(tmp_path, format):
    """Neither of the program nor of the user's own code, which may lie in a home folder."""
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.fc = nn.Linear(64, 5)\n\n    def forward(self, x):\n        return self.fc(x.flatten(1))\n"
    )
    module = build_from_user_code(f"{tmp_path / 'mine.py'}:Net", 5, trust_code=True)
    path = tmp_path / f"net.{format}"
    if format == "onnx":
        pytest.importorskip("onnxscript")
        export_onnx(path, module, (8, 8), 1)
        contents = [path.read_bytes()]
    else:
        export_pt2(path, module, (8, 8), 1)
        with zipfile.ZipFile(path) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
    places = [str(place).encode() for place in (tmp_path, Path(torch.__file__).parent, Path(__file__).parents[3])]
    named = (*places, b".py\\", b'File "', b"site-packages")
    assert not any(place in content for content in contents for place in named)
    assert compare_export(path, format, module, torch.rand(5, 1, 8, 8)).largest_difference < 1e-5


@pytest.mark.parametrize(
    ("missing", "words"), [("onnx", "needs the package onnx"), ("both", "packages onnx and onnxs")]
)
def test_onnx_packages_are_named_when_missing(tmp_path, make_model, monkeypatch, missing, words):
    absent = {"onnx", "onnxscript"} if missing == "both" else {"onnx"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in absent else object())
    with pytest.raises(InputError, match=words) as caught:
        export_onnx(tmp_path / "net.onnx", make_model(), (8, 8), 1)
    assert 'pip install "unlearn-studio[onnx]"' in caught.value.hint
    assert not names(tmp_path)


def test_a_network_that_cannot_be_exported_is_an_input_error(tmp_path):
    class Branching(torch.nn.Module):
        def forward(self, x):
            return x.flatten(1) if float(x.sum()) > 0 else x.flatten(1) * 2

    with pytest.raises(InputError, match=r"cannot be written with torch\.export") as caught:
        export_pt2(tmp_path / "net.pt2", Branching(), (8, 8), 1)
    assert "\n" not in caught.value.text
    assert not names(tmp_path)
