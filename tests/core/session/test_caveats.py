"""What a result has to be read with: each sentence where it is due, and silence where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.data.dataset import ImageSet
from core.data.splits import Splits
from core.engine.control import Control
from core.engine.experiment import facts_of
from core.errors import ForgetSetError
from core.methods import get_method
from core.parameters import resolve
from core.selection import Selection, mode_of
from core.session.bench import Bench
from core.session.caveats import caveats, is_unchanged
from core.session.jobs import make_unlearn_job, require_data
from core.session.planning import estimate
from core.session.running import run
from tests.core.toy import DATA, forget_mask


def measured(forget=1.0, retain_test=0.95, moved=0.5, k=3, features=10):
    return {
        "forget_accuracy": forget,
        "retain_test_accuracy": retain_test,
        "distances": {"forget": {"tv_to_original": moved}, "retain_test": {"tv_to_original": 0.0}},
        "dimensional_alignment": {"k": k, "profile": [0.5] * features},
    }


def found(method="finetune", mode="class", data=DATA, before=None, retrained=None, settings=None, purpose="", **after):
    splits = Splits.of(data, forget_mask(mode, data))
    models = {"original": {**measured(), **(before or {})}, "unlearned": measured(**after)}
    models |= {"retrained": retrained} if retrained else {}
    chosen = get_method(method)
    values = resolve(chosen.parameters, settings or {})
    told = {each.code: each for each in caveats(models, splits, chosen, values, facts_of(splits, purpose))}
    assert ("unchanged" in told) is is_unchanged(models, splits)
    return told


def test_retrained_models_that_learnt_nothing_are_no_reference():
    good, poor = {"retain_accuracy": 0.95, "retain_test_accuracy": 0.95}, {"retain_accuracy": 0.34}
    assert "reference" not in found(forget=0.0, before={"retain_accuracy": 1.0}, retrained=good)
    told = found(forget=0.0, before={"retain_accuracy": 1.0}, retrained=poor)["reference"]
    assert "right on 34.0 % of its training images, the original on 100 %" in told.message


def only_test_images(kept: np.ndarray | torch.Tensor):
    """The toy data with some of its test images."""
    return replace(DATA, test=ImageSet(DATA.test.images[kept], DATA.test.labels[kept]))


def test_a_method_that_aims_at_unseen_images_is_said_to_serve_no_correction():
    for method, serves in (("muda", False), ("ssd", True), ("lotus", True), ("scrub", True)):
        told = found(method, mode="sample", purpose="labels")
        assert ("correction" in told) is not serves, method
    assert "correction" not in found("muda", mode="sample")


def test_nothing_is_said_of_a_class_that_was_forgotten():
    assert found(forget=0.0) == {}


def test_a_class_is_unchanged_where_its_accuracy_is():
    told = found(forget=0.996)["unchanged"]
    assert told.level == "warning"
    assert told.message == (
        "The model is unchanged: forget accuracy 100 % before, 99.6 % after. Try a larger step size, or search for one."
    )
    assert "unchanged" not in found(forget=0.99)
    assert "unchanged" not in found(forget=1.0, before={"forget_accuracy": 0.99})


def test_a_class_that_was_never_recognised_is_judged_by_outputs():
    assert "unchanged" not in found(forget=0.0, before={"forget_accuracy": 0.0}, moved=0.3)
    assert "unchanged" in found(forget=0.0, before={"forget_accuracy": 0.0}, moved=0.001)


def test_single_images_are_judged_by_outputs_because_their_accuracy_may_stay():
    assert "unchanged" not in found(mode="sample", forget=1.0, moved=0.02)
    told = found(mode="sample", forget=1.0, moved=0.004)["unchanged"].message
    assert told.startswith("The model is nearly unchanged: ") and "differ from the original's by 0.40 %" in told
    assert "The model is unchanged: its outputs" in found(mode="sample", moved=0.0)["unchanged"].message


def test_the_advice_fits_the_method():
    assert "max_drop" in found("ssd", forget=1.0)["unchanged"].message
    assert "larger step size" in found("finetune", forget=1.0)["unchanged"].message
    assert found("esc", forget=1.0)["unchanged"].message.endswith("Try other settings or another method.")


def test_damage_is_held_against_retraining_where_that_is_known():
    assert "damage" not in found(forget=0.0, retain_test=0.93)
    told = found(forget=0.0, retain_test=0.9)["damage"].message
    assert told == "Retain accuracy fell by 5.0 points. How much retraining would lose was not measured."
    known = found(forget=0.0, retain_test=0.9, retrained={"retain_test_accuracy": 0.94})["damage"].message
    assert known.endswith("That is more than forgetting needs: retraining loses 1.0.")
    better = found(forget=0.0, retain_test=0.9, retrained={"retain_test_accuracy": 0.97})["damage"].message
    assert better.endswith("That is more than forgetting needs: retraining loses none.")
    worse = found(forget=0.0, retain_test=0.9, retrained={"retain_test_accuracy": 0.88})["damage"].message
    assert worse.endswith("Retraining loses 7.0, so forgetting these images may need that.")


def test_alignment_says_nothing_for_single_images_and_for_as_many_directions_as_features():
    single = found(mode="sample")["alignment"]
    assert single.level == "info" and "the classes of its images stay" in single.message
    assert "alignment" not in found(forget=0.0, mode="mixed")
    assert "as many directions as features (10)" in found(forget=0.0, k=10)["alignment"].message


def test_unseen_images_that_a_method_and_the_numbers_share_are_named():
    few = only_test_images(torch.arange(39))  # too few to be halved
    told = found("muda", "sample", data=few)["unseen"].message
    assert "looked at the unseen images that results are shown for" in told
    assert "unseen" not in found("muda", "sample")
    assert "unseen" not in found("muda", data=few, forget=0.0)
    assert "unseen" not in found("finetune", "sample", data=few)
    assert "unseen" in found("ssd", "sample", data=few)
    assert "unseen" not in found("ssd", "sample", data=few, settings={"search": False})


@pytest.mark.parametrize(
    ("method", "settings"),
    [("muda", {}), ("ssd", {}), ("gradient-ascent", {"goal": "unseen accuracy"})],
    ids=["muda", "ssd", "gradient-ascent"],
)
def test_a_method_that_looks_at_unseen_images_is_refused_where_there_are_none(method, settings):
    """Class 1 goes as a whole, with single images; the test part has no other class."""
    chosen = get_method(method)
    values = resolve(chosen.parameters, settings)
    labels = DATA.train.labels.numpy()
    mode = "sample" if method == "ssd" else "mixed"
    selection = Selection(forget_mask(mode).numpy(), labels, DATA.classes)
    kept = torch.zeros(len(DATA.test), dtype=torch.bool) if mode == "sample" else DATA.test.labels == 1
    with pytest.raises(ForgetSetError) as caught:
        require_data(chosen, values, selection, only_test_images(kept))
    assert "the test part of Toy has none" in str(caught.value) and chosen.title in str(caught.value)
    assert mode_of(require_data(chosen, values, selection, DATA).kinds) == mode


def test_jobs_and_plans_refuse_alike(bench, three):
    """Before a folder is made, on the command line and in the window."""
    dataset = bench.dataset
    single = three.with_samples([0, 1, 2, 3])
    threes = dataset.test.labels == 3
    few = ImageSet(dataset.test.images[threes], dataset.test.labels[threes])
    short = Bench(bench.model, replace(dataset, test=few)).on("cpu")
    values = resolve(get_method("muda").parameters)
    for refused in (
        lambda: make_unlearn_job(short.on("cpu"), single, "muda"),
        lambda: estimate(short, single, "muda", values, measure=False),
        lambda: make_unlearn_job(bench.on("cpu"), single, "head-only"),
        lambda: make_unlearn_job(bench.on("cpu"), three.with_classes(range(10)), "finetune"),  # nothing stays
    ):
        with pytest.raises(ForgetSetError):
            refused()
    assert make_unlearn_job(short.on("cpu"), three, "muda").method == "muda"


def test_dampening_single_images_is_called_nearly_unchanged_in_report_and_log(new_run, bench, digits):
    selection = Selection.empty(digits.train.labels.numpy(), digits.classes).with_samples(range(0, 1000, 9))
    folder = new_run("ssd", selection=selection, settings={"search": False, "alpha": 1e6})
    run(folder, Control(), lambda event: None, bench=bench)
    report, logs = folder.report(), [e for e in folder.events() if e["type"] == "log"]
    assert report["unchanged"] is True
    assert report["warnings"][0].startswith("The model is unchanged: ")
    assert "Dimensional alignment says nothing about this forget set" in report["warnings"][1]
    levels = {e["code"]: e["level"] for e in logs}
    assert levels["unchanged"] == "warning" and levels["alignment"] == "info" and levels["method"] == "info"
