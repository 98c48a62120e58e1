"""Settings in an architecture's id build what people write by hand, and every network that fits the keys is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision import models

from core.errors import InputError, NotFoundError
from core.models.architectures import ModelSpec, build_model, build_on_meta, get_architecture
from core.models.architectures import shapes_of as shapes
from core.models.recognise import around, fitting, told_apart
from core.models.settings import SETTINGS
from core.models.variants import settings_of
from tests.core.models.opened import open_model

STEMS = [(3, 1, False), (7, 1, True), (7, 2, False), (3, 2, True)]  # the size of a kernel shows in the file


def hand_made(side=7, stride=2, pool=True, name="resnet18", seed=0):
    """Change torchvision's ResNet as people do for small images."""
    torch.manual_seed(seed)
    net = models.get_model(name, num_classes=5)
    net.conv1 = nn.Conv2d(3, 64, side, stride, side // 2, bias=False)
    if not pool:
        net.maxpool = nn.Identity()
    for key, buffer in net.named_buffers():
        if key.endswith("running_mean"):
            buffer.normal_()
    return net.eval()


def replaced(net, old, make):
    """Put another layer in the place of all of one class."""
    for name, child in net.named_children():
        setattr(net, name, make()) if isinstance(child, old) else replaced(child, old, make)
    return net


@pytest.mark.parametrize(("side", "stride", "pool"), STEMS)
def test_each_stem_of_a_resnet_is_among_the_four_that_fit(tmp_path, side, stride, pool):
    net, images = hand_made(side, stride, pool), torch.randn(2, 3, 32, 32)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    model = open_model(tmp_path / "net.pt")
    specs = (model.spec, *model.alternatives)
    assert len({spec.architecture for spec in specs}) == 4 and model.proof == ""
    agree = []
    for spec in specs:
        opened = open_model(tmp_path / "net.pt", arch=spec.architecture)
        assert (opened.proof, opened.alternatives, opened.spec.architecture) == ("stated", (), spec.architecture)
        with torch.no_grad():
            if torch.equal(opened.build()(images), net(images)):
                agree.append(spec.architecture)
    pooled = "max" if pool else "none"
    wanted = f"resnet18:stem={side},stride={stride},pool={pooled}"
    assert agree == [get_architecture(wanted).id]


def test_the_canonical_networks_come_first():
    assert [s.architecture for s in fitting(shapes(hand_made(7).state_dict()))][:1] == ["resnet18"]
    assert [s.architecture for s in fitting(shapes(hand_made(3).state_dict()))][:1] == ["resnet18-cifar"]
    found = fitting(shapes(hand_made(3, name="resnext50_32x4d").state_dict()))
    assert found[0].architecture == "resnext50_32x4d:stem=3,stride=1,pool=none" and len(found) == 4


@pytest.mark.parametrize(
    ("asked", "id"),
    [
        ("resnet18:stem=7,stride=2,pool=max", "resnet18"),
        ("resnet18:pool=none, stem=3, stride=1", "resnet18-cifar"),
        ("resnet18:stem=3", "resnet18:stem=3,stride=2,pool=max"),
        ("resnet18-cifar:pool=max", "resnet18:stem=3,stride=1,pool=max"),
        ("resnet18-cifar:stem=7,stride=2,pool=max", "resnet18"),
        ("resnet18-cifar:act=gelu,stem=3", "resnet18-cifar:act=gelu"),
        ("resnet50:eps=0.00001", "resnet50"),
        ("resnet50:eps=0.000001,bottleneck=v1", "resnet50:eps=1e-6,bottleneck=v1"),
    ],
)
def test_the_same_network_has_one_id(asked, id):
    assert get_architecture(asked).id == id == get_architecture(id).id
    assert get_architecture(asked) is get_architecture(asked)  # worked out once, by building and running it


def test_forms_that_have_a_name_are_built_as_ever():
    """Bit for bit, so that runs made before settings were there come out as they did."""
    for channels in (1, 3):
        torch.manual_seed(0)
        net = models.resnet18(num_classes=5)
        net.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        torch.manual_seed(0)
        ours = build_model(ModelSpec("resnet18-cifar", 5, channels, (32, 32)))
        assert all(torch.equal(value, ours.state_dict()[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("id", "error", "words"),
    [
        ("resnet18:stam=3", NotFoundError, "no setting of resnet18 called 'stam'. Did you mean stem?"),
        ("resnet18:bottleneck=v1", NotFoundError, "no setting of resnet18 called 'bottleneck'"),
        ("mlp:stem=3", NotFoundError, "no setting of mlp called 'stem'. Choose one of act"),
        ("resnet18:pool=maxx", InputError, "pool of resnet18 must be one of max, none.*not 'maxx'. Did you mean max?"),
        ("resnet18:stride=0", InputError, "stride of resnet18 must be a whole number from 1 to 16, not '0'"),
        ("resnet18:stride", InputError, "stride of resnet18 must be a whole number"),
        ("resnet18:eps=2", InputError, "eps of resnet18 must be a number like 1e-5 or 0.001"),
        ("resnet19:stem=3", NotFoundError, "no architecture called 'resnet19'"),
    ],
)
def test_unknown_settings_are_refused_by_name(id, error, words):
    with pytest.raises(error, match=words):
        get_architecture(id)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(InputError, match="7 heads do not divide its width of 768"):
        build_on_meta(ModelSpec("vit_b_16:heads=7", 5, 3, (224, 224)))


def first_version(net):
    for part in net.modules():
        if isinstance(part, models.resnet.Bottleneck) and part.conv2.stride == (2, 2):
            part.conv1.stride, part.conv2.stride = (2, 2), (1, 1)
    return net


def wide_last(net):
    net.layer4[0].conv1.stride = net.layer4[0].downsample[0].stride = (1, 1)
    return net


def other_eps(net):
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 1e-3
    return net


def dilated(stages):
    return lambda net: models.resnet50(num_classes=5, replace_stride_with_dilation=[False, *stages])


HIDDEN = [
    ("resnet18", lambda net: replaced(net, nn.ReLU, nn.GELU), "resnet18:act=gelu"),
    ("resnet18", lambda net: replaced(net, nn.ReLU, lambda: nn.LeakyReLU(0.1)), "resnet18:act=leaky_relu0.1"),
    ("mobilenet_v2", lambda net: replaced(net, nn.ReLU6, nn.ReLU), "mobilenet_v2:act=relu"),
    ("resnet18", other_eps, "resnet18:eps=0.001"),
    ("resnet18", wide_last, "resnet18:last_stride=1"),
    ("resnet50", first_version, "resnet50:bottleneck=v1"),
    ("resnet50", dilated([False, True]), "resnet50:dilate=layer4"),
    ("resnet50", dilated([True, True]), "resnet50:dilate=layer3-4"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "id"), HIDDEN, ids=[id for *_, id in HIDDEN])
def test_what_shapes_do_not_tell_is_found_in_the_wider_circle(name, change, id):
    torch.manual_seed(0)
    net = change(models.get_model(name, num_classes=5)).eval()
    state, images = net.state_dict(), torch.randn(2, 3, 64, 64)
    first = fitting(shapes(state))
    assert id not in [spec.architecture for spec in first]
    spec = next(spec for spec in around(first[0]) if spec.architecture == id)
    ours = build_model(spec).eval()
    ours.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), net(images))
    assert told_apart([first[0], spec])[1][0] == id


def test_networks_are_told_apart_in_words_of_their_own():
    stems = [f"resnet18:stem=3,stride={stride},pool={pool}" for stride in (1, 2) for pool in ("max", "none")]
    told = told_apart([ModelSpec(id, 5, 3, (32, 32)) for id in stems])
    assert [id for id, _ in told] == stems and len({words for _, words in told}) == len(stems)
    assert told[2][1] == "conv1 is Conv2d with stride=(2, 2)" and "maxpool" in told[1][1] and "maxpool" in told[3][1]


def test_stems_of_other_families_are_known_by_their_kernel():
    torch.manual_seed(0)
    net = models.densenet121(num_classes=5)
    net.features.conv0, net.features.pool0 = nn.Conv2d(1, 64, 3, padding=1, bias=False), nn.Identity()
    found = fitting(shapes(net.state_dict()))
    assert found[0].architecture == "densenet121:stem=3,stride=1,pool=none" and len(found) == 4
    assert found[0].in_channels == 1
    ours = build_model(ModelSpec(found[0].architecture, 5, 1, (16, 16))).eval()  # smaller than the published form takes
    ours.load_state_dict(net.state_dict())
    images = torch.randn(2, 1, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), net.eval()(images))
    usual = fitting(shapes(models.densenet121(num_classes=5).state_dict()))
    assert [spec.architecture for spec in usual] == ["densenet121"]
    others = [spec.architecture for spec in around(usual[0])]
    assert others[0] == "densenet121:stem=7,stride=1,pool=none" and "densenet121:stem=7,stride=2,pool=none" in others


def test_a_bias_of_the_stem_shows():
    net = models.resnet18(num_classes=5)
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3)  # nn.Conv2d has one where nobody says otherwise
    spec = fitting(shapes(net.state_dict()))[0]
    assert (spec.architecture, spec.in_channels) == ("resnet18:bias=yes", 1)
    net.conv1 = nn.Conv2d(3, 64, 3, 1, 1)
    assert fitting(shapes(net.state_dict()))[0].architecture == "resnet18-cifar:bias=yes"


def test_a_transformer_with_norms_after_the_sums_computes_as_the_first_ones_did():
    torch.manual_seed(0)
    net = models.VisionTransformer(32, 16, 2, 4, 16, 32, num_classes=5).eval()
    block, x = net.encoder.layers[0], torch.randn(2, 5, 16)
    want = block.ln_1(x + block.self_attention(x, x, x)[0])
    want = block.ln_2(want + block.mlp(want))
    SETTINGS["norm_first"].write(net, "vision_transformer", "no", 3)
    torch.testing.assert_close(block(x), want)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet50", "vit_b_32", "squeezenet1_1", "mobilenet_v3_small", "googlenet"])
def test_every_setting_can_be_built(architecture, norms_that_only_check):
    known = get_architecture(architecture)
    keys = build_on_meta(ModelSpec(architecture, 5, 3, known.default_size)).state_dict().keys()
    found = around(ModelSpec(architecture, 5, 3, known.default_size))
    for spec in (spec for spec in found if not spec.architecture.startswith("timm/")):
        module = build_on_meta(spec).to("meta").eval()
        assert module.state_dict().keys() == keys
        output = module(torch.empty(1, 3, *known.default_size, device="meta"))
        assert output.shape == (1, 5)
        name = spec.architecture.partition(":")[2]
        changed = dict(part.split("=") for part in name.split(","))
        assert changed.items() <= settings_read(module, known.family).items()
    assert settings_of(architecture).keys() <= SETTINGS.keys()


def settings_read(module, family):
    return {name: setting.read(module, family) for name, setting in SETTINGS.items()}
