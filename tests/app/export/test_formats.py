"""Forms of export: the words, endings and names that a file which came in leads to."""

from __future__ import annotations

import pytest

from app.pages.export import file_card as module
from app.pages.export.file_card import INSTALL_ONNX, formats, same_suffix, suggested_name


def test_all_forms_of_core_are_offered_in_its_order():
    from core.files import EXPORT_FORMATS

    assert tuple(choice.id for choice in formats(None, "")) == EXPORT_FORMATS


def test_onnx_says_how_to_install_it_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    missing = {choice.id: choice.missing for choice in formats(None, "")}
    assert missing["onnx"] == INSTALL_ONNX
    assert not any(missing[key] for key in missing if key != "onnx")


@pytest.mark.parametrize(
    ("form", "original", "suffix"),
    [
        ({"format": "pt"}, "/m/net.pth", ".pth"),
        ({"format": "pt"}, "/m/net", ".pt"),
        ({"format": "safetensors"}, "/m/net.pt", ".safetensors"),
        ({"format": "torchscript"}, "/m/net.ts", ".pt"),
        ({"format": "pt2"}, "/m/net.pt2", ".pt2"),
    ],
)
def test_the_ending_is_that_of_the_file_that_came_in(form, original, suffix):
    assert same_suffix(form, original) == suffix


def test_files_are_named_after_the_original():
    assert suggested_name("/m/birds.pt", "/data/birds", "resnet18") == "birds-unlearned"
    assert suggested_name("/m/model.safetensors", "digits", "small-cnn") == "digits-small-cnn-unlearned"
