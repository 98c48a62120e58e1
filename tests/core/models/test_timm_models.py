"""timm's networks are recognised among all of them; those that fit and compute differently are all named."""

from __future__ import annotations

import pytest
import torch

from core.models import recognise as recognising
from core.models import timm_models
from core.models.architectures import ModelSpec, build_model, get_architecture, signature
from core.models.recognise import around, fitting, told_apart
from core.models.split import split_for
from core.models.tap import TappedModel

timm = pytest.importorskip("timm", reason="timm is an extra: pip install unlearn-studio[timm]")

SOME = (
    "convnext_atto", "deit_base_patch16_224", "efficientnet_b0", "resnet50", "resnetaa50", "tf_efficientnet_b0",
    "vit_base_patch16_224", "vit_base_patch16_clip_quickgelu_224", "vit_base_patch16_clip_224",
    "vit_tiny_patch16_224", "resnet18d",
)  # fmt: skip


@pytest.fixture(autouse=True)
def some_of_timm(monkeypatch):
    """Looking at all thousand takes seconds; these hold every case."""
    monkeypatch.setattr(timm, "list_models", lambda *args, **options: list(SOME))
    timm_models._made_of.cache_clear()
    yield
    timm_models._made_of.cache_clear()


def shapes_of(name, size=None):
    architecture = get_architecture(f"timm/{name}")
    return signature(ModelSpec(architecture.id, 7, 3, size or architecture.default_size))


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_patch16_224", "resnet18d"])
def test_recognised_among_the_others(name):
    found = fitting(shapes_of(name))
    assert [(spec.architecture, spec.num_classes, spec.in_channels) for spec in found] == [(f"timm/{name}", 7, 3)]


def test_the_size_of_a_patch_transformers_input_is_read():
    found = fitting(shapes_of("vit_tiny_patch16_224", (64, 64)))[0]
    assert (found.architecture, found.input_size) == ("timm/vit_tiny_patch16_224", (64, 64))
    assert build_model(found)(torch.zeros(1, 3, 64, 64)).shape == (1, 7)


def test_networks_that_compute_the_same_are_one():
    first, *_ = fitting(shapes_of("deit_base_patch16_224"))
    assert first.architecture == "timm/vit_base_patch16_224"


def test_torchvisions_own_come_first():
    assert fitting(shapes_of("resnet50"))[0].architecture == "resnet50"


def test_those_that_blur_where_torchvisions_halve_are_among_what_is_seldom():
    found = fitting(shapes_of("resnetaa50"))[0]
    twins = [spec for spec in around(found) if spec.architecture.startswith("timm/")]
    assert [twin.architecture for twin in twins] == ["timm/resnetaa50", "timm/resnetblur50"]
    assert all(signature(twin) == signature(found) for twin in twins)


@pytest.mark.parametrize(
    ("name", "candidates", "reason"),
    [
        ("tf_efficientnet_b0", ["timm/efficientnet_b0", "timm/tf_efficientnet_b0"], "Conv2dSame"),
        (
            "vit_base_patch16_clip_224",
            ["timm/vit_base_patch16_clip_224", "timm/vit_base_patch16_clip_quickgelu_224"],
            "QuickGELU",
        ),
    ],
)
def test_networks_that_compute_differently_are_all_named_with_the_reason(name, candidates, reason):
    found = fitting(shapes_of(name))
    assert [spec.architecture for spec in found] == candidates
    words = told_apart(found)
    assert [each for each, _ in words] == candidates and reason in words[1][1]


def test_wrong_candidates_are_given_up_while_they_are_built(monkeypatch):
    shapes, layers = shapes_of("convnext_atto"), {}
    count = {"n": 0}
    real = timm.create_model

    def create(name, **options):
        count["n"] = 0
        try:
            return real(name, **options)
        finally:
            layers[name] = count["n"]

    def one_more(module, name, parameter):
        count["n"] += 1

    monkeypatch.setattr(timm, "create_model", create)
    handle = timm_models.register_module_parameter_registration_hook(one_more)
    try:
        found = timm_models.fitting_timm(shapes, shapes)
    finally:
        handle.remove()
    assert [architecture.id for architecture in found] == ["timm/convnext_atto"]
    others = [layers[name] for name in SOME if name != "convnext_atto"]
    assert len(layers) == len(SOME) and max(others) < 40 < layers["convnext_atto"]


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_patch16_224"])
def test_head_blocks_and_cut(name):
    torch.manual_seed(0)
    module = build_model(ModelSpec(f"timm/{name}", 5, 3, (64, 64))).eval()
    tap, images = TappedModel(module, 5, input_shape=(3, 64, 64)), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        out = tap(images)
        torch.testing.assert_close(tap.head(out.features), out.logits)
    last = [name for name, block in tap.blocks if block in tap.tuned_modules("last-3")]
    assert last[-1] == tap.head_name
    assert sum("blocks." in each for each in last) == 2
    split = split_for(tap, "last-3")
    assert split is not None and split.holds(images)


def test_nothing_is_asked_of_timm_where_torchvision_knows(monkeypatch):
    monkeypatch.setattr(recognising.timm_models, "fitting_timm", lambda shapes: pytest.fail("asked"))
    assert fitting(signature(ModelSpec("resnet18", 7, 3, (224, 224))))[0].architecture == "resnet18"
