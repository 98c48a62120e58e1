"""Each measure that has to be taken is told before it begins, and a check can be interrupted between two of them."""

from __future__ import annotations

import pytest
import torch

from core.data.splits import Splits
from core.engine.outputs import FullOutputs
from core.models.tap import SetOutputs
from core.session.measuring import FULL, RECOVERIES, Candidate, Measuring, Progress
from core.verify import suite
from core.verify.measure_log import MeasureLog
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


def keeping(tell):
    """Return what takes a measure after its name was told."""

    def keep(measure, depends_on, compute):
        tell(measure)
        return compute()

    return keep


def test_every_measure_is_taken_under_its_name_and_in_order(measured):
    said: list[str] = []
    suite.take(suite.Subject(*measured), keep=keeping(said.append))
    assert said == [step.title for step in suite.steps_of("quick")]


def test_a_measure_can_be_interrupted(measured):
    def stop(what: str) -> None:
        if what == "clustering":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        suite.take(suite.Subject(*measured), keep=keeping(stop))


def test_only_measures_that_are_not_kept_are_told(measured, tmp_path):
    told: list[str] = []

    def run(sha256: str) -> list[str]:
        full, splits = measured
        log = MeasureLog(tmp_path / "verify.jsonl", ("data",))
        told.clear()
        Measuring(None, Candidate("unlearned", sha256, lambda: full), (), splits, log=log,
                  tell=lambda what, done, total: told.append(what)).run()  # fmt: skip
        return list(told)

    first = run("a")
    assert first[0] == "Measuring accuracies, unlearned" and len(first) == len(suite.steps_of("quick"))
    assert run("a") == [] and run("b") == first


def test_the_measures_of_a_full_check_are_counted_and_told(measured):
    told: list[tuple[int, int]] = []
    full, splits = measured
    original, unlearned = (Candidate(name, name, lambda: full) for name in ("original", "unlearned"))
    Measuring(original, unlearned, (), splits, which=FULL, tell=lambda what, *place: told.append(place)).run()
    every = len(suite.steps_of(FULL)) + 2 + len(RECOVERIES)  # of three models; distances and relearning come with them
    assert {of for _, of in told} == {3 * every}
    assert {done // every for done, _ in told} == {0, 1, 2} and len(set(told)) == len(told)
    again = [done for done, _ in told if done % every == every - 1]
    assert again == [every - 1, 2 * every - 1, 3 * every - 1]  # the last measure of each is told, too


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
    progress.of("fresh")("relearning")
    assert told == [("Measuring b, unlearned", 3, 5), ("Measuring relearning, untrained", 4, 5)]


def test_all_of_the_result_is_measured_before_the_retrained_models(measured):
    told: list[str] = []
    full, splits = measured
    original, unlearned, seed = (Candidate(name, name, lambda: full) for name in ("original", "unlearned", "seed 1"))
    Measuring(original, unlearned, (seed,), splits, which=FULL, tell=lambda what, *_: told.append(what)).run()
    first = next(place for place, what in enumerate(told) if what.endswith(", seed 1"))
    relearned = [told.index(f"Measuring relearning, {name}") for name in ("original", "unlearned", "head-only edit")]
    assert relearned == sorted(relearned) and relearned[-1] < first
