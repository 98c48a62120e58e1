"""A user's own network runs only with trust, and its errors are told in one line."""

import copy
import importlib
import json
import os
import pickle
import sys
import threading

import pytest
import torch

import core.errors
from core.errors import InputError, NotFoundError, UnsafeFileError
from core.models.architectures import ModelSpec, build_model, is_user_code, network_key
from core.models.user_code import source_files
from tests.core.models.opened import open_model

CODE = """
from pathlib import Path
from torch import nn

Path(__file__).with_name("executed").touch()

def net(num_classes):
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))

def fixed():
    return net(3)

def options(**kwargs):
    return net(**kwargs)

def fails():
    raise RuntimeError("no such\\nlayer")

def number():
    return 3

def two_sizes(width, depth):
    return net(width)

constant = 3
"""


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.py:net", True), ("dir/a.py:Net", True), ("resnet18", False), ("a.py", False), ("a.py:", False)],
)
def test_what_counts_as_user_code(text, expected):
    assert is_user_code(text) is expected


@pytest.mark.parametrize(("factory", "outputs"), [("net", 6), ("options", 6), ("fixed", 3)])
def test_factories_with_and_without_class_count(code, factory, outputs):
    spec = ModelSpec(f"{code}:{factory}", 6, 2, (8, 8), user_code=f"{code}:{factory}")
    assert build_model(spec, trust_code=True)(torch.rand(1, 2, 8, 8)).shape == (1, outputs)


def test_nothing_runs_without_trust(code):
    with pytest.raises(UnsafeFileError, match=r"mine\.py is program code, so it was not run.*--trust-code"):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{code}:net"))
    assert not code.with_name("executed").exists()


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        ("fails", r"fails\(\) of .* failed: RuntimeError: no such layer"),
        ("number", "gave int, not a torch.nn.Module"),
        ("constant", "is no function or class"),
        ("nets", "no factory in mine.py called 'nets'. Did you mean net"),
        ("other", r"called 'other'. Choose one of net, fixed, options, fails, number, two_sizes\.$"),
        ("two_sizes", "missing 2 required .* and nothing else: give its other arguments defaults"),
    ],
)
def test_errors_of_the_code(code, factory, words):
    with pytest.raises(InputError, match=words):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{code}:{factory}"), trust_code=True)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(NotFoundError, match="There is no file"):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{tmp_path}/no.py:net"), trust_code=True)
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(InputError, match=r"bad\.py cannot be run: ZeroDivisionError: division by zero"):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{tmp_path}/bad.py:net"), trust_code=True)


def test_a_card_that_names_a_program_is_told_by_name_and_nothing_runs(code, tmp_path, monkeypatch):
    module = build_model(ModelSpec("x", 6, 2, (8, 8), user_code=f"{code}:net"), trust_code=True)
    code.with_name("executed").unlink()
    torch.save(module.state_dict(), tmp_path / "brought.pt")
    monkeypatch.chdir(code.parent)  # the file is named in full, also where the card does not
    card = {"schema_version": 1, "architecture": f"{code.name}:net", "num_classes": 6, "input_size": [8, 8]}
    (tmp_path / "brought.json").write_text(json.dumps(card))
    with pytest.raises(UnsafeFileError) as caught:
        open_model(tmp_path / "brought.pt")
    assert f"brought.json names the program {code.resolve()} for the network, so it was not run" in str(caught.value)
    assert "--trust-code" in str(caught.value) and not code.with_name("executed").exists()
    open_model(tmp_path / "brought.pt", trust_code=True)
    assert code.with_name("executed").exists()


def test_weights_open_with_user_code(code, tmp_path):
    spec = ModelSpec("x", 6, 2, (8, 8), user_code=f"{code}:net")
    module = build_model(spec, trust_code=True).eval()
    torch.save(module.state_dict(), tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt", arch=f"{code}:net", trust_code=True)
    assert (model.spec.num_classes, model.spec.in_channels, model.spec.user_code) == (6, 2, f"{code}:net")
    x = torch.rand(2, 2, 8, 8)
    assert torch.equal(model.build()(x), module(x))
    with pytest.raises(UnsafeFileError):
        open_model(tmp_path / "net.pt", arch=f"{code}:net")
    with pytest.raises(InputError, match=r"do not fit the network of .*fixed: 2 other|do not fit .*3\.weight is 6x4"):
        open_model(tmp_path / "net.pt", arch=f"{code}:fixed", trust_code=True)


def test_user_code_is_loaded_as_it_is_now_and_nothing_is_written_beside_it(tmp_path, monkeypatch):
    """Python takes its compiled form for a file that was changed within the same second and kept its length."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    code, spec = tmp_path / "net.py", "from torch import nn\n\ndef make():\n    return nn.Linear(4, {})\n"
    widths = []
    for width in (2, 3):
        code.write_text(spec.format(width))
        os.utime(code, (1e9, 1e9))
        module = build_model(ModelSpec("x", width, 4, (1, 1), user_code=f"{code}:make"), trust_code=True)
        widths.append(module.out_features)
    assert widths == [2, 3] and [path.name for path in tmp_path.iterdir()] == ["net.py"]


# --- what the file imports -----------------------------------------------------------------------------------------

LAYER = """
from torch import nn

class Layer(nn.Linear):
    def __init__(self):
        super().__init__({width}, 2)
"""


def project(folder, files, width=3):
    """Write files (path to text) of a user's project; `layers` in their names get a layer of that width."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("LAYER", LAYER.format(width=width)))
    return folder


def make(file, name="make"):
    return build_model(ModelSpec("x", 2, 1, (1, 1), user_code=f"{file}:{name}"), trust_code=True)


PROJECTS = {
    "a file beside it": ("net.py", "from layers import Layer as make", {"layers.py": "LAYER"}),
    "a file beside it, as a module": (
        "net.py", "import layers\ndef make():\n    return layers.Layer()", {"layers.py": "LAYER"},
    ),
    "a package called core": ("net.py", "from core.layers import Layer as make", {"core/layers.py": "LAYER"}),
    "a package called core with its first file": (
        "net.py", "import core.layers as own\nmake = own.Layer",
        {"core/layers.py": "LAYER", "core/__init__.py": "from core.layers import Layer"},
    ),
    "a package called app": (
        "net.py", "from app import nets\nmake = nets.small.Layer",
        {"app/nets/__init__.py": "from app.nets import small", "app/nets/small.py": "LAYER"},
    ),
    "a package below it": (
        "net.py", "import parts.deep.layers\nmake = parts.deep.layers.Layer",
        {"parts/deep/layers.py": "from ..base import Layer", "parts/base.py": "LAYER"},
    ),
    "relative, in a package": (
        "nets/net.py", "from .layers import Layer as make", {"nets/__init__.py": "", "nets/layers.py": "LAYER"},
    ),
    "relative, in a folder": ("nets/net.py", "from .layers import Layer as make", {"nets/layers.py": "LAYER"}),
    "relative, two packages up": (
        "core/nets/net.py", "from ..layers import Layer as make",
        {"core/__init__.py": "", "core/nets/__init__.py": "", "core/layers.py": "LAYER"},
    ),
    "its package by name": (
        "core/net.py", "from core.layers import Layer as make", {"core/__init__.py": "", "core/layers.py": "LAYER"},
    ),
    "in a package, a file beside it": (
        "nets/net.py", "from layers import Layer as make", {"nets/__init__.py": "", "nets/layers.py": "LAYER"},
    ),
    "inside a function": (
        "net.py", "def make():\n    from core.layers import Layer\n    return Layer()", {"core/layers.py": "LAYER"},
    ),
    "by name, when the program says so": (
        "net.py", "import importlib\ndef make():\n    return importlib.import_module('core.layers').Layer()",
        {"core/layers.py": "LAYER"},
    ),
    "from a folder that it names itself": (
        "nets/net.py",
        "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parents[1] / 'lib'))\n"
        "from core.layers import Layer as make\nimport more",
        {"lib/core/layers.py": "LAYER", "lib/more.py": ""},
    ),
    "a file with the name of one of Python's": (
        "net.py", "from profile import Layer as make", {"profile.py": "LAYER"},
    ),
    "a name that is no Python name": ("my-net.v2.py", "from layers import Layer as make", {"layers.py": "LAYER"}),
}  # fmt: skip


@pytest.mark.parametrize(("file", "text", "files"), PROJECTS.values(), ids=PROJECTS)
def test_a_factory_imports_what_is_its_own(tmp_path, file, text, files):
    before, path = dict(sys.modules), list(sys.path)
    for width in (3, 5):  # two projects of one shape do not mix, and each stays as it is
        root = project(tmp_path / str(width), {file: text, **files}, width)
        assert make(root / file).in_features == width
    assert make(tmp_path / "3" / file).in_features == 3
    assert sys.path == path and not list(tmp_path.rglob("__pycache__"))
    assert importlib.import_module("core.errors") is core.errors
    ours = {name: module for name, module in sys.modules.items() if not name.startswith("unlearn_studio_user_")}
    assert {name for name in ours.keys() - before.keys() if name.startswith(("core.", "app", "layers"))} == set()
    assert all(sys.modules[name] is module for name, module in before.items() if name in ("core", "app", "core.errors"))


LATE = """
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)
    def forward(self, x):
        from core.scale import SCALE
        from core import scale
        return self.head(x.flatten(1)) * SCALE * scale.SCALE
"""


def test_imports_made_when_the_network_runs_are_the_users_in_any_thread(tmp_path):
    nets = []
    for scale in (2, 3):
        folder = project(tmp_path / str(scale), {"net.py": LATE, "core/scale.py": f"SCALE = {scale}"})
        nets.append(make(folder / "net.py", "Net"))
    x, found = torch.rand(1, 1, 2, 2), {}
    for net in nets:
        thread = threading.Thread(target=lambda net=net: found.update({net: net(x)}))
        thread.start()
        thread.join()
    for net, scale in zip(nets, (2, 3), strict=True):
        assert torch.equal(found[net], net.head(x.flatten(1)) * scale * scale)


def test_networks_of_own_code_are_copied_and_pickled(tmp_path):
    folder = project(tmp_path, {"net.py": "from core.layers import Layer as make", "core/layers.py": "LAYER"})
    module = make(folder / "net.py")
    x = torch.rand(1, 3)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert type(twin) is type(module) and torch.equal(twin(x), module(x))


def test_own_code_may_use_libraries_and_extend_the_programs_networks(tmp_path):
    text = (
        "from core.models.architectures import SmallCNN\nimport torchvision.ops as ops\n"
        "def make():\n    ops.MLP\n    return SmallCNN(2, 1, (8, 8))\n"
    )
    (tmp_path / "torch").mkdir()  # a folder of that name beside it is no package
    from core.models.architectures import SmallCNN

    assert type(make(project(tmp_path, {"net.py": text}) / "net.py")) is SmallCNN


def test_a_module_on_pythonpath_is_found_where_the_program_has_one_of_that_name(tmp_path, monkeypatch):
    project(tmp_path / "lib", {"core/layers.py": "LAYER"})
    folder = project(tmp_path / "nets", {"net.py": "from core.layers import Layer as make"})
    with pytest.raises(InputError, match=r"imports 'core\.layers'"):
        make(folder / "net.py")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    assert make(folder / "net.py").in_features == 3


@pytest.mark.parametrize("text", ["from layers.own import Block", "def make():\n    import layers.own"])
def test_a_module_that_is_missing_is_told_with_where_it_was_sought(tmp_path, monkeypatch, text):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(InputError) as caught:
        make(project(tmp_path, {"net.py": text}) / "net.py")
    assert f"it imports 'layers', which is neither in {tmp_path} nor on PYTHONPATH (not set) nor installed" in str(
        caught.value
    )
    assert "Put it beside net.py, set PYTHONPATH to the folder that holds 'layers', or install it." in str(caught.value)


def test_errors_of_what_is_imported_name_it_as_the_user_does(tmp_path):
    folder = project(
        tmp_path, {"net.py": "from core.layers import Block", "core/layers.py": "", "up.py": "from ..layers import A"}
    )
    with pytest.raises(InputError, match=r"ImportError: cannot import name 'Block' from 'core\.layers'"):
        make(folder / "net.py")
    with pytest.raises(InputError, match=r"relative import.* Put an __init__\.py into every folder of the package"):
        make(folder / "up.py")


def test_a_changed_file_beside_it_is_another_network(tmp_path):
    files = {
        "net.py": "from core.layers import Layer as make\nimport torch\nfrom . import more",
        "core/layers.py": "LAYER", "more.py": "def late():\n    import core.deep", "core/deep.py": "A = 1", "no.py": "",
    }  # fmt: skip
    folder = project(tmp_path / "one", files)
    code = f"{folder}/net.py:make"
    names = {path.relative_to(folder).as_posix() for path in source_files(code)}
    assert names == files.keys() - {"no.py"}
    keys = {network_key(ModelSpec(code, 2, 1, (1, 1), code))}
    assert network_key(ModelSpec("x", 2, 1, (1, 1), f"{project(tmp_path / 'two', files)}/net.py:make")) in keys
    for name in ("core/deep.py", "core/layers.py", "net.py"):
        (folder / name).write_text((folder / name).read_text() + "\n")
        keys.add(network_key(ModelSpec(code, 2, 1, (1, 1), code)))
    assert len(keys) == 4
    (folder / "no.py").write_text("B = 1")
    assert network_key(ModelSpec(code, 2, 1, (1, 1), code)) in keys


def test_changed_siblings_are_taken_as_they_are_now(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    files = {"net.py": "from core.layers import Layer as make", "core/layers.py": "LAYER"}
    for width in (3, 5):
        folder = project(tmp_path, files, width)
        os.utime(folder / "core/layers.py", (1e9, 1e9))
        assert make(folder / "net.py").in_features == width
    assert not list(tmp_path.rglob("__pycache__"))


def test_the_key_of_a_lone_file_stays_what_it_was(code):
    from core.files import file_sha256

    assert network_key(ModelSpec("x", 2, 1, (1, 1), f"{code}:net")) == f"{file_sha256(code)}:net"
