"""Each measure of each model is told before it begins, and a check can be interrupted between two of them."""

from __future__ import annotations

import pytest
import torch

from core.data.splits import Splits
from core.engine.outputs import FullOutputs, SetOutputs
from core.session.measuring import Progress
from core.verify import suite
from tests.core.toy import toy_dataset

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def measured() -> tuple[FullOutputs, Splits]:
    dataset = toy_dataset()
    generator = torch.Generator().manual_seed(0)

    def outputs(labels: torch.Tensor) -> SetOutputs:
        features = torch.randn(len(labels), 8, generator=generator)
        return SetOutputs(torch.randn(len(labels), 4, generator=generator), features, labels)

    full = FullOutputs(outputs(dataset.train.labels), outputs(dataset.test.labels))
    return full, Splits.of(dataset, dataset.train.labels == 1)


def test_every_measure_is_said_in_order(measured):
    said: list[str] = []
    suite.take(suite.Subject(*measured), say=said.append)
    assert said == [step.title for step in suite.steps_of("quick")]


def test_a_measure_can_be_interrupted(measured):
    def stop(what: str) -> None:
        if what == "clustering":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        suite.take(suite.Subject(*measured), say=stop)


def test_measures_do_not_depend_on_whether_anyone_listens(measured):
    silent, heard = (suite.take(suite.Subject(*measured), say=say) for say in (None, lambda what: None))
    assert silent == heard


def test_progress_counts_over_all_models():
    told: list[tuple[str, int, int]] = []
    progress = Progress(lambda *what: told.append(what), ["original", "head_only"], ["accuracies", "linear probe"])
    progress.of("original")("accuracies")
    progress.of("head_only")("linear probe")
    assert told == [("Measuring accuracies, original", 0, 4), ("Measuring linear probe, head-only edit", 3, 4)]
    Progress(None, ["original"], ["accuracies"]).of("original")("accuracies")  # nobody listens


def test_what_comes_after_all_models_is_counted_and_told():
    told = []
    progress = Progress(lambda *args: told.append(args), ["original", "unlearned"], ["a", "b"], "relearning, untrained")
    progress.of("unlearned")("b")
    progress.at_last()
    assert told == [("Measuring b, unlearned", 3, 5), ("Measuring relearning, untrained", 4, 5)]
