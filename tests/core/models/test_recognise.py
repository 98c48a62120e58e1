"""An architecture is recognised from keys and shapes alone; what does not fit is named."""

import time

import pytest

from core.errors import InputError
from core.models import recognise as recognising
from core.models.architectures import ModelSpec, architectures, get_architecture, signature
from core.models.recognise import FAMILY_KEYS, compare, fitting

REPRESENTATIVE = (
    "small-cnn", "mlp", "resnet18-cifar", "resnet18", "resnet50", "wide_resnet50_2", "vgg11_bn", "alexnet",
    "densenet121", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "googlenet", "googlenet-no-aux",
    "inception_v3", "vit_b_16", "swin_t", "convnext_tiny", "efficientnet_b0", "regnet_y_400mf",
)  # fmt: skip


def shapes_of(architecture, num_classes=7, in_channels=1, size=None):
    known = get_architecture(architecture)
    return signature(ModelSpec(architecture, num_classes, in_channels, size or known.default_size))


@pytest.mark.parametrize("architecture", REPRESENTATIVE)
@pytest.mark.parametrize(("num_classes", "in_channels"), [(7, 1), (1000, 3)])
def test_recognised_with_class_count_and_channels(architecture, num_classes, in_channels):
    spec = fitting(shapes_of(architecture, num_classes, in_channels))[0]
    assert (spec.architecture, spec.num_classes, spec.in_channels) == (architecture, num_classes, in_channels)


def test_every_family_has_its_key():
    assert {a.family for a in architectures()} == set(FAMILY_KEYS)


@pytest.mark.parametrize("architecture", ["resnet50", "efficientnet_b0", "densenet121"])
def test_recognising_is_quick(architecture):
    shapes = shapes_of(architecture)
    recognising._tried.cache_clear()
    start = time.process_time()
    fitting(shapes)
    assert time.process_time() - start < 2  # measured: under 0.2 s


@pytest.mark.parametrize(
    ("architecture", "channels", "size"),
    [
        ("small-cnn", 1, (8, 8)),
        ("small-cnn", 1, (28, 28)),
        ("small-cnn", 3, (32, 32)),
        ("mlp", 1, (28, 28)),
        ("mlp", 3, (32, 32)),
        ("vit_b_16", 3, (32, 32)),
        ("vit_b_32", 3, (224, 224)),
    ],
)
def test_input_is_read_where_weights_tell_it(architecture, channels, size):
    found = fitting(shapes_of(architecture, in_channels=channels, size=size))[0]
    assert (found.in_channels, found.input_size) == (channels, size)


def test_missing_batch_counters_are_tolerated():
    shapes = {key: shape for key, shape in shapes_of("resnet18").items() if not key.endswith("num_batches_tracked")}
    assert fitting(shapes)[0].architecture == "resnet18"


def test_near_misses_are_listed_with_reasons():
    shapes = shapes_of("resnet18")
    del shapes["layer3.0.bn1.bias"]
    shapes["fc.weight"] = (7, 100)
    shapes["extra.weight"] = (3,)
    with pytest.raises(InputError) as caught:
        fitting(shapes)
    text = caught.value.text
    assert "resnet18: 1 missing (layer3.0.bn1.bias); 1 unexpected (extra.weight)" in text
    assert "fc.weight is 7x100, not 7x512" in text
    assert text.count("resnet") >= 3  # a short list
    assert "--arch" in caught.value.hint


def test_long_lists_of_keys_are_cut_and_counted():
    shapes = {key: shape for key, shape in shapes_of("resnet18").items() if not key.startswith("layer4")}
    reason = compare(get_architecture("resnet18"), shapes).reason
    assert "25 missing (layer4.0.conv1.weight, layer4.0.bn1.weight, layer4.0.bn1.bias, …)" in reason


def test_foreign_keys_are_not_recognised():
    with pytest.raises(InputError, match=r"not recognised: its 2 keys begin with 0.weight, 0.bias"):
        fitting({"0.weight": (3, 4), "0.bias": (3,)})


def test_heads_of_different_widths_do_not_pass_as_one_class_count():
    shapes = shapes_of("resnet18")
    shapes["fc.bias"] = (9,)
    assert not compare(get_architecture("resnet18"), shapes).fits
