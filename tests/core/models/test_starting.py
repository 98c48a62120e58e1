"""A training that begins with a file's weights has them, tensor for tensor, whatever names that file gives them."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn

from core.errors import AmbiguousEntryError, MismatchError
from core.models.architectures import ENCODER_PREFIX, ModelSpec, build_model
from core.models.checkpoint import read_model
from core.models.starting import begin_from
from core.models.tap import TappedModel
from tests.core.models.hub_models import write_folder

CLASSES, PRETRAINED = 5, 11


def network(architecture: str = "small-cnn", seed: int = 0) -> TappedModel:
    torch.manual_seed(seed)
    return TappedModel(build_model(ModelSpec(architecture, CLASSES, 3, (32, 32))), CLASSES, input_shape=(3, 32, 32))


def pretrained(architecture: str = "small-cnn", classes: int = PRETRAINED) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return build_model(ModelSpec(architecture, classes, 3, (32, 32))).state_dict()


def written(tmp_path, content, name: str = "weights.pt"):
    torch.save(content, tmp_path / name)
    return read_model(tmp_path / name)


def assert_begins(model: TappedModel, weights, fresh: dict[str, torch.Tensor]) -> None:
    """The body is the file's, the head as it was drawn."""
    for name, value in model.module.state_dict().items():
        wanted = fresh[name] if name.startswith("head.") else weights[name]
        assert torch.equal(value, wanted), name


def test_the_body_is_the_file_s_and_a_head_of_another_size_stays_as_it_was_drawn(tmp_path):
    weights, fresh = pretrained(), network().module.state_dict()
    model = network()
    begun = begin_from(model, written(tmp_path, weights))
    assert_begins(model, weights, fresh)
    assert begun.fresh == ("head.weight", "head.bias") and begun.unused == ("head.weight", "head.bias")
    assert "weights.pt, but for head.weight, head.bias, which are fresh" in begun.sentence


def test_a_head_of_the_same_size_comes_along(tmp_path):
    weights, model = pretrained(classes=CLASSES), network()
    begun = begin_from(model, written(tmp_path, weights))
    assert all(torch.equal(value, weights[name]) for name, value in model.module.state_dict().items())
    assert begun.fresh == begun.unused == () and begun.sentence == "It begins with the weights of weights.pt."


def test_hugging_face_s_encoder_goes_into_its_classifier_without_the_table_that_follows_from_the_windows(tmp_path):
    weights, _ = write_folder(tmp_path, "swin-encoder")
    file = read_model(tmp_path)
    opened = file.opened().spec
    torch.manual_seed(0)
    module = build_model(ModelSpec(opened.architecture.removeprefix(ENCODER_PREFIX), CLASSES, 3, (32, 32)))
    begun = begin_from(TappedModel(module, CLASSES, input_shape=(3, 32, 32)), file)
    assert begun.fresh == ("classifier.weight", "classifier.bias") and begun.unused == ()
    assert all(torch.equal(module.swin.state_dict()[name], value) for name, value in weights.items())


@pytest.mark.parametrize("prefix", ["backbone.", "module.encoder.", "encoder_q."])
def test_an_encoder_with_a_projection_head_beside_it_is_found(tmp_path, prefix):
    weights, fresh = pretrained(), network().module.state_dict()
    body = {f"{prefix}{name}": value for name, value in weights.items() if not name.startswith("head.")}
    head = {f"{prefix.rpartition('.')[0].rpartition('.')[0]}projection_head.0.weight": torch.zeros(128, 512)}
    model = network()
    begun = begin_from(model, written(tmp_path, {"state_dict": body | head}))
    assert_begins(model, weights, fresh)
    assert begun.fresh == ("head.weight", "head.bias")


def test_one_that_holds_two_encoders_asks_which(tmp_path):
    body = {name: value for name, value in pretrained().items() if not name.startswith("head.")}
    both = {f"{part}.{name}": value for part in ("teacher", "student") for name, value in body.items()}
    with pytest.raises(AmbiguousEntryError, match="--start-key: "):
        begin_from(network(), written(tmp_path, both))


def test_a_body_saved_alone_is_put_where_the_network_has_it(tmp_path):
    class Wrapped(nn.Module):
        """As transformers names them: the body in an attribute of the classifier."""

        def __init__(self) -> None:
            super().__init__()
            self.vit = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU())
            self.classifier = nn.Linear(7, 3)

        def forward(self, x):
            return self.classifier(self.vit(x))

    model, body = Wrapped(), nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU())
    begun = begin_from(TappedModel(model, 3, input_shape=(3, 2, 2)), written(tmp_path, body.state_dict()))
    assert torch.equal(model.vit[1].weight, body[1].weight) and torch.equal(model.vit[1].bias, body[1].bias)
    assert begun.fresh == ("classifier.weight", "classifier.bias")


def test_torchvision_s_without_its_head_is_taken(tmp_path):
    torch.manual_seed(3)
    encoder = torchvision.models.resnet18()
    encoder.fc = nn.Identity()
    model = TappedModel(build_model(ModelSpec("resnet18", CLASSES, 3, (64, 64))), CLASSES, input_shape=(3, 64, 64))
    begun = begin_from(model, written(tmp_path, encoder.state_dict()))
    assert begun.fresh == ("fc.weight", "fc.bias")
    images = torch.rand(2, 3, 64, 64)
    assert torch.equal(model.module.eval()(images), model.module.fc(encoder.eval()(images)))


def test_another_network_s_weights_are_refused_with_what_is_missing(tmp_path):
    model = network()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    weights = pretrained()
    del weights["block2.conv.weight"]
    with pytest.raises(MismatchError, match=r"does not hold the weights of this network.*block2\.conv\.weight"):
        begin_from(model, written(tmp_path, weights))
    assert all(torch.equal(value, before[name]) for name, value in model.module.state_dict().items())
