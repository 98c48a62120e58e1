"""Other programs' files and quantised weights are refused in one sentence that names them and one that leads on."""

from __future__ import annotations

import sys
import types
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from core.errors import InputError
from core.models.checkpoint import read_model
from core.models.trust import NO_TRUST, Trust

ALL = Trust(pickle=True, code=True)


def refused(path, words, leads):
    """Hold that a file is refused with these words, whatever is trusted; returns the text."""
    for trust in (NO_TRUST, ALL):
        with pytest.raises(InputError, match=words) as caught:
            read_model(path, trust).opened()
        assert leads in caught.value.hint and "\n" not in caught.value.text
        assert caught.value.message.count(". ") == 0  # one sentence says what it is
    return caught.value.text


STARTS = {
    "net.onnx": (b"\x08\x07\x12\x07pytorch", r"net\.onnx is an ONNX file", "onnx2torch.convert('net.onnx')"),
    "net.h5": (b"\x89HDF\r\n\x1a\n....", r"net\.h5 is an HDF5 file, as Keras writes models", "format='onnx'"),
    "named.pt": (b"\x89HDF\r\n\x1a\n....", r"named\.pt is an HDF5 file", "model.export("),
    "net.gguf": (b"GGUF\x03\0\0\0\0\0", r"is a GGUF file, quantised for llama\.cpp", "it was converted from"),
    "gguf.bin": (b"GGUF\x03\0\0\0\0\0", r"is a GGUF file", "it was converted from"),
    "net.msgpack": (b"\x81\xa6params\x81", r"is a msgpack file of Flax", "copy its arrays"),
    "checkpoint": (b"\x82\xa6params\x81", r"is a msgpack file of Flax", "copy its arrays"),
    "net.pdparams": (b"\x80\x02}q\x00.", r"is a PaddlePaddle model", "paddle2onnx"),
    "net.tflite": (b"\x1c\0\0\0TFL3\0\0", r"is a TensorFlow Lite model", "tf2onnx"),
    "saved_model.pb": (b"\x08\x01\x12\x05", r"is a TensorFlow model", "tf2onnx"),
    "model.ckpt-10.index": (b"\0\0\0\0\0\0", r"is part of a TensorFlow checkpoint", "tf2onnx"),
    "net.mlmodel": (b"\x08\x04\x12\x05", r"is a Core ML model", "it was converted from"),
    "net.engine": (b"ftrt\0\0\0\0\0", r"is a TensorRT engine", "it was built from"),
    "model.safetensors": (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS", "git lfs pull"),
    "net.pth": (b"version https://git-lfs.github.com/spec/v1", "is a pointer of Git LFS", "git lfs pull"),
    "model.safetensors.index.json": (b'{"weight_map": {}}', r"only says in which files", "load_file"),
}


@pytest.mark.parametrize("name", STARTS)
def test_files_of_other_programs(tmp_path, name):
    content, words, leads = STARTS[name]
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, words, leads)


def test_a_keras_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, "{}")
    refused(tmp_path / "net.zip", r"net\.zip is a Keras model", "model.export('net.onnx', format='onnx')")
    (tmp_path / "net.zip").rename(tmp_path / "net.keras")
    refused(tmp_path / "net.keras", r"net\.keras is a Keras model", "onnx2torch")


@pytest.mark.parametrize(
    ("inside", "words"),
    [("saved_model.pb", "is a TensorFlow model"), ("_CHECKPOINT_METADATA", r"is a checkpoint of Orbax \(JAX\)")],
)
def test_folders_of_other_programs(tmp_path, inside, words):
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / inside).write_bytes(b"x")
    refused(folder, f"saved {words}", "")


def test_shards_can_be_joined_as_it_is_said(tmp_path):
    """The command in the message makes one file with all tensors."""
    import subprocess

    folder = tmp_path / "parts"
    folder.mkdir()
    save_file({"a": torch.ones(2, 2)}, folder / "model-00001-of-00002.safetensors")
    save_file({"b": torch.zeros(2, 2)}, folder / "model-00002-of-00002.safetensors")
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    text = refused(folder / "model.safetensors.index.json", "only says in which files", "Join it")
    command = text.partition("python -c ")[2].removesuffix(".").strip()
    subprocess.run(f"{sys.executable} -c {command}", shell=True, check=True, cwd=tmp_path)
    assert read_model(tmp_path / "net.safetensors").weights.shapes == {"a": (2, 2), "b": (2, 2)}


# --- pickles of other libraries -----------------------------------------------------------------------------------


@pytest.fixture
def library(monkeypatch):
    """Makes a class that pickles as another library's, whose modules are gone again when the file is opened."""

    def make(module, name, base=object):
        made = types.ModuleType(module)
        kind = type(name, (base,), {"__module__": module})
        setattr(made, name, kind)
        with monkeypatch.context() as during:
            parts = module.split(".")
            for level in range(1, len(parts)):
                during.setitem(sys.modules, ".".join(parts[:level]), types.ModuleType(".".join(parts[:level])))
            during.setitem(sys.modules, module, made)
            yield kind

    return make


@pytest.mark.parametrize(
    ("module", "name", "words", "leads"),
    [
        ("fastai.learner", "Learner", r"export\.pkl is a fastai learner", "load_learner('export.pkl').model"),
        ("sklearn.svm", "SVC", r"export\.pkl is a scikit-learn model", "PyTorch network"),
    ],
)
def test_a_library_that_is_the_whole_pickle_is_named(tmp_path, library, module, name, words, leads):
    for kind in library(module, name):
        thing = kind()
        thing.model = nn.Linear(3, 2).state_dict()
        torch.save(thing, tmp_path / "export.pkl")
    refused(tmp_path / "export.pkl", words, leads)


def test_such_an_object_beside_the_weights_is_no_reason(tmp_path, library, make_model):
    for kind in library("sklearn.preprocessing", "LabelEncoder"):
        torch.save({"state_dict": make_model().state_dict(), "encoder": kind()}, tmp_path / "net.pt")
        with pytest.raises(InputError, match="can run program code"):
            read_model(tmp_path / "net.pt")
        assert read_model(tmp_path / "net.pt", ALL).weights.form.dropped == ("encoder",)


FASTAI = """
import torchvision
from torch import nn

class Pool(nn.Module):
    def forward(self, x):
        import torch
        return torch.cat([nn.functional.adaptive_max_pool2d(x, 1), nn.functional.adaptive_avg_pool2d(x, 1)], 1)

def make():
    body = nn.Sequential(*list(torchvision.models.resnet18().children())[:-2])
    head = nn.Sequential(Pool(), nn.Flatten(), nn.BatchNorm1d(1024), nn.Dropout(0.25), nn.Linear(1024, 512, bias=False),
                         nn.ReLU(), nn.BatchNorm1d(512), nn.Dropout(0.5), nn.Linear(512, 5, bias=False))
    return nn.Sequential(body, head)
"""


def test_what_fastais_learn_save_writes_is_named_and_opens_with_a_factory(tmp_path):
    (tmp_path / "net.py").write_text(FASTAI)
    names: dict = {}
    exec(FASTAI, names)
    torch.manual_seed(0)
    learner = names["make"]().eval()
    torch.save({"model": learner.state_dict(), "opt": {"state": [], "hypers": []}}, tmp_path / "net.pth")
    refused(tmp_path / "net.pth", r"net\.pth holds a vision_learner of fastai", "create_vision_model")
    model = read_model(tmp_path / "net.pth", ALL).opened(arch=f"{tmp_path / 'net.py'}:make", input_size=(32, 32))
    images = torch.rand(2, 3, 32, 32)
    assert torch.equal(model.build()(images), learner(images)) and model.spec.num_classes == 5


@pytest.mark.parametrize(
    ("module", "by"), [("torchao.dtypes.affine", "torchao"), ("bitsandbytes.nn.modules", "bitsandbytes")]
)
def test_weights_of_a_quantising_library(tmp_path, library, module, by):
    for kind in library(module, "Quantised", torch.Tensor):
        state = {"fc.weight": torch.rand(3, 2).as_subclass(kind), "fc.bias": torch.rand(3)}
        torch.save(state, tmp_path / "net.pt")
    refused(tmp_path / "net.pt", rf"net\.pt is quantised with {by}\.", "Open the checkpoint from before that")


# --- quantised state dicts ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"model": state, "epoch": 1}])
def test_dynamically_quantised(tmp_path, make_model, wrap):
    quantised = torch.ao.quantization.quantize_dynamic(make_model(), {nn.Linear}, dtype=torch.qint8)
    torch.save(wrap(quantised.state_dict()), tmp_path / "net.pt")
    refused(tmp_path / "net.pt", r"net\.pt is quantised \(hidden\._packed_params\.", "floating-point weights")


@pytest.mark.filterwarnings("ignore")
def test_a_whole_network_that_is_dynamically_quantised(tmp_path, make_model):
    quantised = torch.ao.quantization.quantize_dynamic(make_model(), {nn.Linear}, dtype=torch.qint8)
    torch.save(quantised, tmp_path / "net.pt")
    with pytest.raises(InputError, match=r"net\.pt is quantised \(hidden\._packed_params\..*floating-point weights"):
        read_model(tmp_path / "net.pt", ALL)


@pytest.mark.filterwarnings("ignore")
def test_quantised_tensors(tmp_path, make_model):
    state = make_model().state_dict()
    state["head.weight"] = torch.quantize_per_tensor(state["head.weight"], 0.1, 0, torch.qint8)
    torch.save(state, tmp_path / "net.pt")
    refused(tmp_path / "net.pt", r"net\.pt is quantised \(head\.weight\)", "floating-point weights")


@pytest.mark.parametrize("safetensors", [True, False])
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8])
def test_plain_whole_numbers(tmp_path, make_model, safetensors, dtype):
    state = {**make_model().state_dict()}
    state["head.weight"] = (state["head.weight"] * 10).to(dtype)
    path = tmp_path / ("net.safetensors" if safetensors else "net.pt")
    (save_file if safetensors else torch.save)(state, path)
    refused(path, r"is quantised to whole numbers \(head\.weight\)", "floating-point weights")


@pytest.mark.parametrize("key", ["head.bias", "block1.norm.running_mean"])
def test_whole_numbers_where_the_network_has_others(tmp_path, make_model, key):
    state = {**make_model().state_dict()}
    state[key] = state[key].to(torch.int32)
    torch.save(state, tmp_path / "net.pt")
    refused(tmp_path / "net.pt", rf"net\.pt holds whole numbers as weights \({key}\)", "floating-point weights")


@pytest.mark.parametrize(
    ("more", "by"),
    [
        ({"fc.weight": torch.zeros(8, 1, dtype=torch.uint8), "fc.weight.absmax": torch.rand(2)}, "bitsandbytes"),
        ({"fc.weight": torch.zeros(8, 8, dtype=torch.int8), "fc.SCB": torch.rand(8)}, "bitsandbytes"),
        ({"fc.qweight": torch.zeros(8, 8, dtype=torch.int32), "fc.qzeros": torch.zeros(1)}, "GPTQ or AWQ"),
    ],
)
def test_quantised_by_others(tmp_path, more, by):
    save_file(more, tmp_path / "net.safetensors")
    refused(tmp_path / "net.safetensors", rf"is quantised with {by}", "floating-point weights")


# --- no network at all ----------------------------------------------------------------------------------------------


def test_an_optimiser_alone(tmp_path):
    layer = nn.Linear(3, 2)
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.rand(4, 3)).sum().backward()
    optimiser.step()
    for content in (optimiser.state_dict(), {"optimizer": optimiser.state_dict(), "epoch": 3}):
        torch.save(content, tmp_path / "opt.pt")
        refused(tmp_path / "opt.pt", r"opt\.pt holds the state of an optimiser and no weights", "the network itself")


# --- model cards --------------------------------------------------------------------------------------------------


def test_a_card_opens_the_weights_it_describes(tmp_path, make_model):
    state = make_model().state_dict()
    torch.save(state, tmp_path / "net.pt")
    card = '{"schema_version": 1, "architecture": "small-cnn", "num_classes": 5, "in_channels": 1'
    (tmp_path / "net.json").write_text(card + "}")
    assert read_model(tmp_path / "net.json").path == tmp_path / "net.pt"
    (tmp_path / "net.json").unlink()
    (tmp_path / "model.json").write_text(card + ', "files": {"net.pt": ""}}')
    assert read_model(tmp_path / "model.json").path == tmp_path / "net.pt"
    (tmp_path / "net.pt").unlink()
    with pytest.raises(InputError, match=r"model\.json describes net\.pt, which is not beside it"):
        read_model(tmp_path / "model.json")
    (tmp_path / "other.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"other\.json is no model card"):
        read_model(tmp_path / "other.json")
