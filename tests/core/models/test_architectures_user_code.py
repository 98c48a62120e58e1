"""A user's own network runs only with trust, and its errors are told in one line."""

import json
import os
import sys

import pytest
import torch

from core.errors import InputError, NotFoundError, UnsafeFileError
from core.models.architectures import ModelSpec, build_model, is_user_code
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
    ],
)
def test_errors_of_the_code(code, factory, words):
    with pytest.raises(InputError, match=words):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{code}:{factory}"), trust_code=True)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(NotFoundError, match="There is no file"):
        build_model(ModelSpec("x", 3, 2, (8, 8), user_code=f"{tmp_path}/no.py:net"), trust_code=True)
    (tmp_path / "bad.py").write_text("import nothing_of_that_name")
    with pytest.raises(InputError, match=r"bad\.py cannot be run: ModuleNotFoundError"):
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
