"""What is told about opened models and data: other networks of the file, files left out, and what counts as black."""

import dataclasses

import pytest
import torch

from app.pages.project.open_card import data_facts, model_facts
from core.data.dataset import Unreadable
from core.data.sources import open_dataset
from core.models.architectures import ModelSpec, build_model
from core.session.bench import Bench


def left_out(dataset):
    return [fact.value for fact in data_facts(dataset) if fact.key == "unreadable"]


def with_faults(images, faults):
    """Return the images as files, the first of which did not decode."""
    names = [file.path for file in faults] + [f"{number}.png" for number in range(len(faults), len(images))]
    reasons = {file.path: file.reason for file in faults}
    return dataclasses.replace(images, paths=tuple(names), faults=reasons)


def test_files_left_out_and_files_that_count_as_black():
    digits = open_dataset("digits")
    assert left_out(digits) == []
    two = (Unreadable("a.png", "no such file"), Unreadable("b.png", "the file is empty"))
    assert left_out(dataclasses.replace(digits, unreadable=two)) == ["2 files could not be read"]
    black = dataclasses.replace(digits, test=with_faults(digits.test, two[:1]))
    assert left_out(black) == ["1 counts as black"]
    both = dataclasses.replace(black, unreadable=two[:1], train=with_faults(digits.train, two))
    assert left_out(both) == ["1 file could not be read · 3 count as black"]


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (lambda state: state, []),
        (lambda state: {"ema": {"model": state}}, []),
        (lambda state: {"state_dict": {f"net.{key}": value for key, value in state.items()}}, []),
        (lambda state: {"state_dict": state, "state_dict_ema": state}, ["state_dict · beside it state_dict_ema"]),
        (
            lambda state: {
                "model": {f"module.{key}": value for key, value in state.items()}, "ema": {"module": state},
            },
            ["model · beside it ema.module"],
        ),
    ],
)  # fmt: skip
def test_other_networks_of_the_file_are_named(tmp_path, wrap, said):
    state = build_model(ModelSpec("mlp", 10, 1, (8, 8))).state_dict()
    torch.save(wrap(state), tmp_path / "net.pt")
    model = Bench().with_model(tmp_path / "net.pt").model
    assert [fact.value for fact in model_facts(model, None) if fact.key == "entry"] == said
