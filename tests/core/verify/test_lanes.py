"""Lanes read a report as it stands, retrained models as their mean, and what is missing from elsewhere."""

from __future__ import annotations

from core.verify.lanes import LANES, Lane, contradicted, lanes_of, lanes_of_report, lanes_so_far, merged

SAMPLES = [0, 32, 64, 128]


def measures(accuracy, probe=None, curve=None):
    values = {"forget_test_accuracy": accuracy}
    if probe is not None:
        values["probe"] = {"forget": probe}
    if curve is not None:
        values["relearn"] = {"samples": SAMPLES, "forget": curve}
    return values


ORIGINAL = measures(0.9, 0.95, [0.1, 0.8, 0.9, 0.9])
CONTROL = measures(0.0, 0.95, [0.1, 0.8, 0.9, 0.9])
UNLEARNED = measures(0.0, 0.85, [0.0, 0.1, 0.5, 0.75])
RETRAINED = {"seed 1": measures(0.0, 0.8, [0, 0.2, 0.7, 0.9]), "seed 2": measures(0.0, 0.9, [0, 0, 0.1, 0.5])}


def test_a_report_gives_each_model_its_lane():
    models = {"original": ORIGINAL, "head_only": CONTROL, "unlearned": UNLEARNED, "retrained": RETRAINED["seed 1"]}
    lanes = lanes_of_report({"models": models, "retrained": RETRAINED})
    assert [lane.model for lane in lanes] == list(LANES)
    control, unlearned, retrained = lanes
    assert (control.accuracy, control.probe, control.images) == (0.0, 0.95, 32)
    assert (unlearned.images, unlearned.most_images) == (128, 128)  # 0.75 is over 80 % of 0.9
    # Means over the retrained models; the mean curve ends at 0.7, below 80 % of the original's 0.9.
    assert abs(retrained.probe - 0.85) < 1e-9 and retrained.models == 2
    assert retrained.images is None and retrained.most_images == 128
    assert contradicted(lanes)


def test_what_was_not_measured_is_not_there():
    head_only, unlearned, retrained = lanes_of({"original": ORIGINAL, "unlearned": measures(0.4)})
    assert head_only == Lane("head_only") and retrained == Lane("retrained")
    assert (unlearned.accuracy, unlearned.probe, unlearned.images, unlearned.most_images) == (0.4, None, None, None)
    assert not contradicted((head_only, unlearned, retrained))
    assert lanes_of_report({})[0] == Lane("head_only")


def test_a_check_under_way_takes_what_it_lacks_from_what_was_known():
    taken = {"original": ORIGINAL, "unlearned": measures(0.0, 0.85), "seed 1": RETRAINED["seed 1"]}
    known = (Lane("head_only", 0.0, 0.95, 32, 128, 1), Lane("unlearned", 1.0, 0.95), Lane("retrained", 0.0, 0.7))
    head_only, unlearned, retrained = merged(lanes_so_far(taken), known)
    assert head_only == known[0]
    assert (unlearned.accuracy, unlearned.probe) == (0.0, 0.85)
    assert (retrained.probe, retrained.images) == (0.8, 128)


def test_a_class_that_is_still_named_or_not_found_contradicts_nothing():
    assert not contradicted((Lane("head_only", 0.5, 0.95),))
    assert not contradicted((Lane("head_only", 0.0, 0.2),))
    assert not contradicted((Lane("head_only"),))
