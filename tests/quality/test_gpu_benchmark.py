"""The page of a GPU: a dry run on the processor goes through its code, and what it should notice is noticed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from benchmarks import gpu
from core.devices import choose_device, choose_precision
from core.methods import METHODS

GPU = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
PLACE = gpu.Place(torch.device("cpu"), quick=True)


def only(monkeypatch, *names: str) -> None:
    monkeypatch.setattr(gpu, "METHODS", {name: METHODS[name] for name in names})


def test_a_dry_run_goes_through_all_of_it(monkeypatch, tmp_path, capsys):
    only(monkeypatch, "muda", "scrub", "ssd", "lipschitz")
    out = tmp_path / "page.md"
    assert gpu.main(["--device", "cpu", "--quick", "--json", "--out", str(out)]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert set(figures) == {*gpu.PARTS, "broken"} and figures["broken"] == []
    assert figures["methods"] == dict.fromkeys(gpu.METHODS, 0.0)  # the processor against itself
    assert figures["waits"] == {"muda": 0.0, "scrub": 0.0, "lipschitz": 0.0}  # an edit takes no steps
    assert [said == "finished" for said in figures["oom"].values()] == [False, False, True]
    page = out.read_text(encoding="utf-8")
    assert page.startswith("# A dry run on a processor") and "says nothing of any GPU" in page
    assert "Try again with --set batch=32" in page and "All that was tried holds." in page


def test_other_weights_than_the_processors_are_noticed(monkeypatch):
    only(monkeypatch, "finetune")
    whole, calls = gpu.flat, []

    def other(module):
        calls.append(module)
        return whole(module) + (0.01 if len(calls) == 2 else 0.0)  # the second run is the one on the device

    monkeypatch.setattr(gpu, "flat", other)
    assert gpu.methods(PLACE).broken[0].startswith("finetune comes to other weights")


def test_a_loss_that_waits_is_noticed(monkeypatch):
    plan = METHODS["finetune"].plan

    def waiting(values, facts):
        (stage,) = plan(values, facts)

        def loss(*given):
            terms = stage.loss(*given)
            return terms if terms["loss"].item() > -1 else {}

        return [replace(stage, loss=loss)]

    monkeypatch.setattr(gpu, "METHODS", {"finetune": replace(METHODS["finetune"], plan=waiting)})
    assert gpu.waits(PLACE).broken == ["finetune waits 1.00 times a step"]


@pytest.mark.skipif(bool(GPU), reason="this machine has a GPU")
def test_without_a_gpu_it_ends_with_a_sentence(capsys):
    assert gpu.main(["--quick"]) == 3
    assert "This machine has no GPU" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="this machine has no CUDA or MPS device")
def test_all_of_it_holds_on_the_gpu(tmp_path):
    device = choose_device("auto")
    assert device.type == GPU
    assert choose_precision("auto", device, convolutional=True) in ("float32", "bfloat16")
    assert gpu.main(["--quick", "--out", str(tmp_path / "page.md")]) == 0
