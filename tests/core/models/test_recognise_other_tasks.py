"""Models that are no image classifiers are refused by the name of what they are."""

from __future__ import annotations

import json
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torchvision import models

from core.errors import InputError
from core.models.architectures import meta_building
from core.models.recognise import fitting
from core.models.tasks import refuse_stated_task, try_out
from tests.core.models.opened import open_model


def shapes_of(name):
    options = {} if name == "raft_small" else {"weights_backbone": None}
    with nullcontext() if name.startswith("ssd") else meta_building():  # an SSD runs while it is built
        module = models.get_model(name, weights=None, **options)
    return {key: tuple(value.shape) for key, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("maskrcnn_resnet50_fpn", "a Mask R-CNN, an instance segmentation model"),
        ("keypointrcnn_resnet50_fpn", "a Keypoint R-CNN"),
        ("fasterrcnn_mobilenet_v3_large_fpn", "a Faster R-CNN, an object detection model"),
        ("fcos_resnet50_fpn", "an FCOS"),
        ("retinanet_resnet50_fpn", "a RetinaNet"),
        ("ssdlite320_mobilenet_v3_large", "an SSD"),
        ("deeplabv3_resnet50", "a DeepLabV3, a segmentation model"),
        ("lraspp_mobilenet_v3_large", "an LR-ASPP"),
        ("fcn_resnet50", "an FCN"),
        ("raft_small", "a RAFT"),
    ],
)
def test_torchvisions_models_for_other_tasks(name, words):
    with pytest.raises(InputError, match=f"The weights are those of {words}.*image classifiers"):
        fitting(shapes_of(name))


def test_models_of_videos_are_known_by_their_convolutions():
    with pytest.raises(InputError, match="videos or volumes"):
        fitting({"stem.weight": (8, 3, 3, 3, 3), "fc.weight": (7, 8)})


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"problem_type": "multi_label_classification"}, "a multi-label model"),
        ({"task": "Multi-Label"}, "a multi-label model"),
        ({"task": "regression"}, "a regression model"),
        ({"task_type": "object-detection"}, "an object detection model"),
        ({"task": "semantic segmentation"}, "a segmentation model"),
    ],
)
def test_a_stated_task_is_believed(said, words):
    with pytest.raises(InputError, match=words):
        refuse_stated_task(said, "model.json")


def test_a_stated_classifier_is_one():
    refuse_stated_task({"task": "image classification", "problem_type": None}, "model.json")


def test_a_card_a_checkpoint_and_a_head_of_one_output_say_it(tmp_path, make_model):
    weights = make_model().state_dict()
    torch.save({"state_dict": weights, "task": "multi-label"}, tmp_path / "said.pt")
    with pytest.raises(InputError, match=r"said\.pt says task 'multi-label': this is a multi-label model"):
        open_model(tmp_path / "said.pt")
    torch.save(weights, tmp_path / "card.pt")
    card = {"schema_version": 1, "architecture": "small-cnn", "problem_type": "regression"}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=r"card\.json says problem_type 'regression'"):
        open_model(tmp_path / "card.pt")
    torch.save(make_model(num_classes=1).state_dict(), tmp_path / "one.pt")
    with pytest.raises(InputError, match="one output: a number"):
        open_model(tmp_path / "one.pt")


class Ends(nn.Module):
    """One layer of features, and what `end` makes of them."""

    def __init__(self, end):
        super().__init__()
        self.body, self.one, self.two, self.end = nn.Conv2d(3, 4, 3), nn.Linear(4, 5), nn.Linear(4, 2), end

    def forward(self, x):
        features = self.body(x).relu().mean((2, 3))
        return self.end(self, features, x)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (lambda net, f, x: net.one(f).sigmoid(), "ends in a sigmoid: this is a multi-label model"),
        (lambda net, f, x: torch.softmax(net.one(f), 1), "ends in a softmax: it gives probabilities"),
        (lambda net, f, x: (net.one(f), net.two(f)), "several heads, with 5 and 2 outputs"),
        (lambda net, f, x: {"kind": net.one(f), "place": net.two(f)}, "several heads"),
        (lambda net, f, x: net.body(x), "a segmentation model"),
        (lambda net, f, x: net.one(f)[:, 0], "a regression model"),
        (lambda net, f, x: [{"boxes": f}] * 2, "an object detection model"),
    ],
)
def test_a_network_of_unknown_code_is_judged_by_what_it_gives(end, words):
    with pytest.raises(InputError, match=words):
        try_out(Ends(end), [3], [(8, 8)], "The network").refuse("The network of net.py:make")


@pytest.mark.parametrize(
    "end",
    [
        lambda net, f, x: net.one(f),
        lambda net, f, x: (net.one(f), f),  # logits with features
        lambda net, f, x: {"logits": net.one(f), "box": net.two(f)},  # says which are the logits
        lambda net, f, x: net.one(f).log_softmax(1),  # cross-entropy of it is that of the logits
        lambda net, f, x: net.one(f.sigmoid()),
        lambda net, f, x: net.one(x),  # cannot run on this size
    ],
)
def test_classifiers_pass(end):
    module = Ends(end).train()
    trial = try_out(module, [3], [(8, 8)], "The network")
    if trial is not None:
        trial.refuse("The network")
        assert trial.num_outputs == 5
    assert module.training
