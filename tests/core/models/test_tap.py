"""The tap finds the head, gives what it receives, lets gradients through and leaves the network as it was."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from core.errors import InputError, MismatchError
from core.models.architectures import ModelSpec, build_model, build_on_meta
from core.models.tap import TappedModel, main_logits, pool
from tests.core.models.cosine import Cosine


def tapped(architecture, size, num_classes=5, channels=3, layers=1):
    torch.manual_seed(0)
    module = build_model(ModelSpec(architecture, num_classes, channels, size))
    return TappedModel(module, num_classes, layers, input_shape=(channels, *size))


@pytest.mark.parametrize(
    ("architecture", "size", "head", "features"),
    [
        ("small-cnn", (8, 8), "head", 128),
        ("mlp", (8, 8), "head", 64),
        ("resnet18-cifar", (16, 16), "fc", 512),
        ("vgg11", (32, 32), "classifier.6", 4096),
        ("mobilenet_v2", (32, 32), "classifier.1", 1280),
        ("densenet121", (32, 32), "classifier", 1024),
        ("vit_b_32", (32, 32), "heads.head", 768),
        ("swin_t", (32, 32), "head", 768),
        ("convnext_tiny", (32, 32), "classifier.2", 768),
        ("googlenet", (32, 32), "fc", 1024),
    ],
)
def test_features_times_head_are_the_logits(architecture, size, head, features):
    model = tapped(architecture, size)
    model.module.eval()
    out = model(torch.rand(3, 3, *size))
    assert (model.head_name, model.feature_dim) == (head, features)
    assert out.features.shape == (3, features)
    torch.testing.assert_close(model.head(out.features), out.logits)


def test_convolutional_head_gets_pooled_features():
    model = tapped("squeezenet1_1", (64, 64))
    seen = []
    model.head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    model.module.eval()
    out = model(torch.rand(2, 3, 64, 64))
    assert model.head_name == "classifier.1"
    torch.testing.assert_close(out.features, seen[0].mean(dim=(2, 3)))


def test_nothing_about_the_network_changes():
    model = tapped("resnet18-cifar", (16, 16), layers=3)
    keys = list(model.module.state_dict())
    before = copy.deepcopy(model.module.state_dict())
    assert model.blocks
    assert model.module.training
    model.module.eval()
    model(torch.rand(2, 3, 16, 16))
    after = model.module.state_dict()
    assert list(after) == keys
    assert all(torch.equal(before[key], after[key]) for key in keys)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.module.modules())


def test_hooks_go_even_when_the_pass_fails():
    model = tapped("small-cnn", (8, 8))
    with pytest.raises(RuntimeError):
        model(torch.rand(2, 7, 8, 8))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.module.modules())


def test_gradients_flow_through_features_to_the_stem():
    model = tapped("small-cnn", (8, 8), layers=2)
    out = model(torch.rand(4, 3, 8, 8))
    (out.features.square().sum() + out.layers[0].sum()).backward()
    assert model.module.block1.conv.weight.grad.abs().sum() > 0
    assert model.head.weight.grad is None


def test_train_mode_keeps_dropout_and_batch_statistics_at_work():
    model = tapped("mobilenet_v2", (32, 32))
    model.module.train()
    before = model.module.features[0][1].running_mean.clone()
    torch.manual_seed(1)
    out = model(torch.rand(8, 3, 32, 32))
    assert not torch.equal(before, model.module.features[0][1].running_mean)
    torch.testing.assert_close(model.head(out.features), out.logits)
    assert (out.features == 0).float().mean() > 0.1  # features are what the head receives: after dropout


def test_autocast_gives_half_precision_logits_and_features():
    model = tapped("small-cnn", (8, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.rand(2, 3, 8, 8))
    assert out.logits.dtype == torch.bfloat16
    assert torch.isfinite(out.features).all()


def test_named_tuples_of_training_mode_give_the_main_logits():
    model = tapped("googlenet", (32, 32))
    model.module.train()
    out = model(torch.rand(2, 3, 32, 32))
    torch.testing.assert_close(model.head(out.features), out.logits)


class WithHead(nn.Module):
    """A body of two layers and a given head; the head is defined first, or a layer of K outputs follows it."""

    def __init__(self, head, head_first=False, hidden=6):
        super().__init__()
        if head_first:
            self.head = head
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, hidden), nn.ReLU(), nn.Linear(hidden, 4))
        if not head_first:
            self.head = head

    def forward(self, x):
        return self.head(self.body(x))


def test_cosine_head():
    model = TappedModel(WithHead(Cosine(4, 3)), 3)
    x = torch.rand(2, 1, 4, 4)
    out = model(x)
    assert (model.head_name, model.feature_dim) == ("head", 4)
    torch.testing.assert_close(out.features, model.module.body(x))


def test_head_without_bias_and_with_weight_norm():
    plain = TappedModel(WithHead(nn.Linear(4, 3, bias=False)), 3)
    normed = TappedModel(WithHead(nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))), 3)
    assert (plain.head_name, plain.feature_dim) == ("head", 4)
    assert (normed.head_name, normed.feature_dim) == ("head", 4)
    assert normed(torch.rand(2, 1, 4, 4)).features.shape == (2, 4)


def test_hidden_layers_as_wide_as_the_head_are_told_apart_by_running():
    module = WithHead(nn.Linear(4, 6), head_first=True, hidden=6)  # body.1 has 6 outputs too, and is defined later
    model = TappedModel(module, 6, input_shape=(1, 4, 4))
    assert model.head_name == "head"
    assert TappedModel(module, 6).head_name == "head"  # the input is guessed from the first layer


@pytest.mark.parametrize("needs_values", [False, True])
def test_a_layer_that_gets_constants_is_no_head(needs_values):
    class Filled(nn.Module):
        """A network of two inputs whose second one its factory fills in."""

        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(6, 3)
            self.of_meta = nn.Linear(4, 3)

        def forward(self, x):
            if needs_values:
                float(self.fc.bias[0])
            x = x.sub_(0.5)
            return self.fc(x.mean((2, 3)).repeat(1, 2)) + self.of_meta(torch.zeros(len(x), 4, device=x.device))

    assert TappedModel(Filled(), 3, input_shape=(3, 8, 8)).head_name == "fc"


def test_a_network_that_needs_values_is_run_on_zeros():
    class Picky(WithHead):
        def forward(self, x):
            return super().forward(x) + torch.tensor(float(x.sum()) * 0)

    module = Picky(nn.Linear(4, 6), head_first=True, hidden=6)
    assert TappedModel(module, 6, input_shape=(1, 4, 4)).head_name == "head"


def test_a_network_without_such_a_layer_is_refused():
    with pytest.raises(InputError, match="No layer of the model makes 9 outputs"):
        TappedModel(WithHead(nn.Linear(4, 3)), 9)


def test_another_number_of_outputs_is_a_mismatch():
    model = TappedModel(WithHead(nn.Linear(4, 3)), 6)  # body.1 has six outputs, but is not the head
    with pytest.raises(MismatchError, match="gives 3 outputs for an image, not 6"):
        model(torch.rand(2, 1, 4, 4))


def test_token_features_are_averaged():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Conv2d(1, 8, 2, 2)
            self.norm = nn.LayerNorm(8)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.norm(self.embed(x).flatten(2).mT)).mean(1)

    model = TappedModel(Tokens(), 3, layers=2)
    out = model(torch.rand(2, 1, 4, 4))
    assert out.features.shape == (2, 8)
    torch.testing.assert_close(model.head(out.features), out.logits)
    torch.testing.assert_close(out.layers[0], out.features)


def test_extra_layers_are_the_pooled_outputs_of_the_last_blocks():
    model = tapped("resnet18-cifar", (16, 16), layers=3)
    model.module.eval()
    seen = {}
    for name in ("layer4.0", "layer4.1"):
        block = model.module.get_submodule(name)
        block.register_forward_hook(lambda m, i, o, name=name: seen.update({name: o.mean(dim=(2, 3))}))
    out = model(torch.rand(2, 3, 16, 16))
    torch.testing.assert_close(out.layers[0], seen["layer4.0"])
    torch.testing.assert_close(out.layers[1], seen["layer4.1"])
    torch.testing.assert_close(out.layers[1], out.features)


def test_extra_layers_of_swin_have_channels_last():
    model = tapped("swin_t", (32, 32), layers=4)
    out = model(torch.rand(2, 3, 32, 32))
    assert [layer.shape for layer in out.layers] == [(2, 768)] * 3


def test_blocks_run_from_input_to_output_and_end_with_the_head():
    names = [name for name, _ in tapped("resnet18-cifar", (16, 16)).blocks]
    assert names == [
        "conv1", "bn1", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0",
        "layer4.1", "fc",
    ]  # fmt: skip
    assert [n for n, _ in tapped("small-cnn", (8, 8)).blocks] == ["block1", "block2", "block3", "hidden", "head"]
    assert [n for n, _ in tapped("mlp", (8, 8)).blocks] == ["hidden1", "hidden2", "hidden3", "head"]


def test_blocks_leave_out_auxiliary_heads_and_take_bodies_apart():
    names = [name for name, _ in tapped("googlenet", (32, 32)).blocks]
    assert "aux1" not in names
    assert names[-2:] == ["inception5b", "fc"]
    vit = [name for name, _ in tapped("vit_b_32", (32, 32)).blocks]
    assert sum("encoder_layer" in name for name in vit) == 12
    assert (vit[0], vit[-1]) == ("conv_proj", "heads.head")


@pytest.mark.parametrize("architecture", ["resnet18-cifar", "mobilenet_v2", "swin_t", "squeezenet1_1", "densenet121"])
def test_blocks_cover_all_parameters_once(architecture):
    model = tapped(architecture, (32, 32))
    covered = [id(p) for _, block in model.blocks for p in block.parameters()]
    assert len(covered) == len(set(covered))
    assert set(covered) == {id(p) for p in model.module.parameters()}


@pytest.mark.parametrize(
    ("architecture", "tail"),
    [
        ("efficientnet_b0", ["features.7.0", "features.8", "classifier.1"]),  # a stage of one block is that block
        ("regnet_y_400mf", ["trunk_output.block4.block4-4", "trunk_output.block4.block4-5", "fc"]),
        ("convnext_tiny", ["features.7.1", "features.7.2", "classifier.0", "classifier.2"]),
        ("shufflenet_v2_x0_5", ["stage4.3", "conv5.0", "conv5.1", "fc"]),
        ("swin_t", ["features.7.0", "features.7.1", "norm", "head"]),
    ],
)
def test_last_blocks_are_residual_blocks_not_parts_of_them_nor_whole_stages(architecture, tail):
    module = build_on_meta(ModelSpec(architecture, 5, 3, (32, 32))).to("meta")
    model = TappedModel(module, 5, input_shape=(3, 32, 32))
    assert [name for name, block in model.blocks if block in model.tuned_modules("last-3")] == tail


def test_blocks_follow_the_data_not_the_order_of_definition():
    module = WithHead(nn.Linear(4, 3), head_first=True)
    assert [name for name, _ in TappedModel(module, 3).blocks] == ["body.1", "body.3", "head"]


def test_tapping_can_be_copied():
    model = tapped("small-cnn", (8, 8), layers=2)
    x = torch.rand(2, 3, 8, 8)
    model.module.eval()
    teacher = TappedModel(copy.deepcopy(model.module), 5, 2)
    torch.testing.assert_close(model(x).layers[0], teacher(x).layers[0])
    assert teacher.head is not model.head


@pytest.mark.parametrize(
    ("output", "ok"), [((torch.ones(1, 2), None), True), ({"logits": torch.ones(1, 2)}, True), ("text", False)]
)
def test_main_logits(output, ok):
    if ok:
        assert main_logits(output).shape == (1, 2)
    else:
        with pytest.raises(InputError, match="returned str, not logits"):
            main_logits(output)


@pytest.mark.parametrize("output", [{"logits": None}, SimpleNamespace(logits=None)])
def test_an_output_without_a_tensor_for_its_logits_is_called_what_it_is(output):
    with pytest.raises(InputError, match=f"returned {type(output).__name__}, not logits"):
        main_logits(output)


def test_pool_averages_all_but_batch_and_channels():
    x = torch.arange(24.0).reshape(2, 3, 2, 2)
    torch.testing.assert_close(pool(x, 1), x.mean(dim=(2, 3)))
    torch.testing.assert_close(pool(x, -1), x.mean(dim=(1, 2)))
    assert pool(x[:, :, 0, 0], 1) is not None
    assert torch.equal(pool(x[:, :, 0, 0], 1), x[:, :, 0, 0])
