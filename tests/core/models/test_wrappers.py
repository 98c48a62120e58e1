"""Wrappers of any name: the network is found where there is one, asked for where there are several, and given back."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
import torch
from safetensors.torch import load_model, save_file, save_model
from torch import nn

from core.errors import AmbiguousEntryError, InputError, NotFoundError
from core.files import dumps, loads
from core.models.checkpoint import read_model
from core.models.formats import compare_export, write_same
from core.models.trust import NO_TRUST, Trust
from core.models.weights import CheckpointForm

LINEAR = 0.25  # added to every floating tensor of the network: what unlearning stands for


@pytest.fixture
def net(make_model):
    return make_model()


def opened(path, key=None, trust=NO_TRUST, **stated):
    return read_model(path, trust, key).opened(**stated)


def given_back(path, model):
    """Write changed weights in the form that came in, as a job keeps it; return what plain torch reads."""
    form = CheckpointForm.from_dict(loads(dumps(model.form.to_dict())))
    module = model.build()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += LINEAR
    write_same(path, module.state_dict(), form)
    check = compare_export(path, "same", module, torch.rand(3, model.spec.in_channels, 8, 8), form)
    assert check.same_form and check.largest_difference == 0
    return torch.load(path, weights_only=False)


def shifted(state):
    return {key: value + LINEAR if key.endswith(("weight", "bias")) else value for key, value in state.items()}


def same(found, wanted):
    return set(found) == set(wanted) and all(torch.equal(found[key], wanted[key]) for key in wanted)


def at(content, place):
    for name in place:
        content = content[name]
    return content


WRAPPED = {
    "net": (lambda s: {"net": s, "epoch": 3}, ("net",)),
    "weights": (lambda s: {"weights": s}, ("weights",)),
    "nested": (lambda s: {"model": {"state_dict": s, "arch": "mine"}, "epoch": 3}, ("model", "state_dict")),
    "deep": (lambda s: {"run": {"trainer": {"best": s}}, "log": [1.0, 2.0]}, ("run", "trainer", "best")),
    "beside a matrix": (lambda s: {"net": s, "confusion": torch.zeros(5, 5)}, ("net",)),
    "beside an optimiser": (
        lambda s: {"net": s, "opt": {"state": {0: {"exp_avg": torch.rand(4, 4)}}, "param_groups": [{"lr": 0.1}]}},
        ("net",),
    ),
    "beside averaged ones": (lambda s: {"net": s, "net_ema": s}, ("net",)),
    "averaged only": (lambda s: {"ema": s, "epoch": 2}, ("ema",)),
    "a dot in its name": (lambda s: {"my.net": s, "epoch": 2}, ("my.net",)),
}


@pytest.mark.parametrize("case", WRAPPED)
def test_any_wrapper_is_found_and_given_back(tmp_path, net, case):
    wrap, place = WRAPPED[case]
    content = wrap(net.state_dict())
    torch.save(content, tmp_path / "in.pt")
    model = opened(tmp_path / "in.pt")
    assert same(model.state_dict, net.state_dict())
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(model.build()(images), net(images))
    again = given_back(tmp_path / "out.pt", model)
    assert same(at(again, place), shifted(net.state_dict()))
    for name in ("epoch", "log"):
        assert again.get(name) == content.get(name)
    if case == "nested":
        assert again["model"]["arch"] == "mine"
    assert same(opened(tmp_path / "in.pt", model.form.key).state_dict, net.state_dict())


def test_several_are_asked_about_with_their_keys(tmp_path, make_model):
    first, second = make_model(seed=1), make_model(seed=2)
    torch.save({"a": first.state_dict(), "more": {"b": second.state_dict()}}, tmp_path / "two.pt")
    with pytest.raises(AmbiguousEntryError) as caught:
        opened(tmp_path / "two.pt")
    assert caught.value.text == (
        "two.pt holds 2 state dicts. Choose the network with --key: a (22 keys); more.b (22 keys); "
        "parts of one network together: a+more.b."
    )
    assert caught.value.candidates == (("a", "22 keys"), ("more.b", "22 keys"))
    assert same(opened(tmp_path / "two.pt", "more.b").state_dict, second.state_dict())
    assert same(opened(tmp_path / "two.pt", "more").state_dict, second.state_dict())
    model = opened(tmp_path / "two.pt", "a")
    again = given_back(tmp_path / "out.pt", model)
    assert same(again["a"], shifted(first.state_dict())) and "more" not in again
    assert model.form.dropped == ("more",) and model.form.key == "a"


PARTS = {
    "side by side": (lambda a, b: {"body": a, "head": b, "epoch": 1}, "body+head", ("body",), ("head",)),
    "nested": (lambda a, b: {"nets": {"body": a, "head": b, "lr": 0.1}}, "nets.body+nets.head",
               ("nets", "body"), ("nets", "head")),
    "a plus in a name": (lambda a, b: {"body": a, "x+y": b}, r"body+x\+y", ("body",), ("x+y",)),
}  # fmt: skip


@pytest.mark.parametrize("case", PARTS)
def test_a_network_in_parts_opens_as_one(tmp_path, case):
    wrap, key, *places = PARTS[case]
    torch.manual_seed(0)
    body, head = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU()), nn.Linear(12, 5)
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.body = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU())\n"
        f"        self.add_module({places[1][-1]!r}, nn.Linear(12, 5))\n\n"
        f"    def forward(self, x):\n        return self.get_submodule({places[1][-1]!r})(self.body(x))\n"
    )
    content = wrap(body.state_dict(), head.state_dict())
    torch.save(content, tmp_path / "in.pt")
    arch = f"{tmp_path / 'mine.py'}:Net"
    with pytest.raises(AmbiguousEntryError, match=r"parts of one network together: body\+|nets\.body\+"):
        opened(tmp_path / "in.pt")
    stated = {"trust": Trust(code=True), "arch": arch, "in_channels": 1, "input_size": (8, 8)}
    model = opened(tmp_path / "in.pt", key, **stated)
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(model.build()(images), head(body(images)))
    assert (model.form.key, model.form.dropped) == (key, ())
    again = given_back(tmp_path / "out.pt", model)
    assert same(at(again, places[0]), shifted(body.state_dict()))
    assert same(at(again, places[1]), shifted(head.state_dict()))
    assert again.get("epoch") == content.get("epoch")
    assert again.get("nets", {}).get("lr") == content.get("nets", {}).get("lr")


def test_a_key_that_names_nothing_says_what_there_is(tmp_path, net):
    torch.save({"net": net.state_dict(), "epoch": 1}, tmp_path / "net.pt")
    with pytest.raises(NotFoundError, match=r"net\.pt has no weights under 'nett'\. Did you mean net\?"):
        opened(tmp_path / "net.pt", "nett")
    with pytest.raises(NotFoundError, match=r"has no weights under 'epoch'\. --key may be net \(22 keys\)\."):
        opened(tmp_path / "net.pt", "epoch")
    torch.save(net.state_dict(), tmp_path / "bare.pt")
    with pytest.raises(NotFoundError, match=r"no weights under 'net'\. Leave out --key\."):
        opened(tmp_path / "bare.pt", "net")


def test_the_model_is_taken_and_averaged_weights_can_be_chosen(tmp_path, make_model):
    plain, averaged = make_model(seed=1), make_model(seed=2)
    torch.save({"model": plain.state_dict(), "model_ema": averaged.state_dict()}, tmp_path / "net.pt")
    file = read_model(tmp_path / "net.pt")
    assert same(file.weights.tensors, plain.state_dict())
    assert file.weights.entries == {"model": 22, "model_ema": 22}
    model = opened(tmp_path / "net.pt", "model_ema")
    assert same(model.state_dict, averaged.state_dict()) and model.form.dropped == ("model",)
    assert model.weights_id != file.opened().weights_id and model.sha256 == file.sha256
    assert same(given_back(tmp_path / "out.pt", model)["model_ema"], shifted(averaged.state_dict()))


def test_an_averaged_model_opens_and_keeps_its_counter(tmp_path, net):
    averaged = torch.optim.swa_utils.AveragedModel(net)
    averaged.update_parameters(net)
    averaged.update_parameters(net)
    torch.save(averaged.state_dict(), tmp_path / "ema.pt")
    model = opened(tmp_path / "ema.pt")
    assert (model.spec.architecture, model.form.prefix) == ("small-cnn", "module.")
    again = given_back(tmp_path / "out.pt", model)
    averaged.load_state_dict(again)  # strict
    assert int(averaged.n_averaged) == 2 and model.form.dropped == ()
    assert same(averaged.module.state_dict(), shifted(net.state_dict()))
    torch.save({"ema_state_dict": averaged.state_dict(), "epoch": 1}, tmp_path / "under.pt")
    assert same(opened(tmp_path / "under.pt").state_dict, averaged.module.state_dict())


# --- Lightning, and networks inside modules of any name -----------------------------------------------------------


def lightning(state, prefix="model.", **beside):
    """A checkpoint with the keys that Lightning writes."""
    state = {**{prefix + key: value for key, value in state.items()}, **beside}
    return {
        "epoch": 4, "global_step": 100, "pytorch-lightning_version": "2.4.0", "state_dict": state,
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 5}}}},
        "callbacks": {"ModelCheckpoint{'monitor': None}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.rand(3, 3)}}, "param_groups": []}], "lr_schedulers": [],
        "hparams_name": "kwargs", "hyper_parameters": {"lr": 0.1, "widths": (16, 32)},
    }  # fmt: skip


def beside_the_network():
    return {
        "criterion.weight": torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0]),
        "train_acc.tp": torch.tensor([3, 4, 5, 6, 7]),
        "confusion.matrix": torch.arange(25).reshape(5, 5),
        "best.value": torch.tensor(float("-inf")),
        "loss.margin": torch.tensor([0.5, 0.25], dtype=torch.float16),
    }


@pytest.mark.parametrize("prefix", ["model.", "net.", "backbone.", "my_net.encoder.", "classifier_module.net.inner."])
def test_a_lightning_checkpoint_opens_without_a_factory(tmp_path, net, prefix):
    content = lightning(net.state_dict(), prefix, **beside_the_network())
    torch.save(content, tmp_path / "in.ckpt")
    model = opened(tmp_path / "in.ckpt")
    assert (model.spec.architecture, model.spec.num_classes, model.form.prefix) == ("small-cnn", 5, prefix)
    assert same(model.state_dict, net.state_dict())
    again = given_back(tmp_path / "out.ckpt", model)
    wanted = {prefix + key: value for key, value in shifted(net.state_dict()).items()} | beside_the_network()
    assert same(again["state_dict"], wanted)
    assert all(again["state_dict"][key].dtype == wanted[key].dtype for key in wanted)
    kept = ("epoch", "global_step", "pytorch-lightning_version", "hyper_parameters", "callbacks", "loops")
    assert {name: again[name] for name in kept} == {name: content[name] for name in kept}
    assert model.form.dropped == ("optimizer_states",)
    assert same(opened(tmp_path / "in.ckpt", model.form.key).state_dict, net.state_dict())


def test_a_teacher_is_not_given_back_and_two_like_networks_are_asked_about(tmp_path, make_model):
    student, teacher = make_model(seed=1), make_model("resnet18-cifar", seed=2)
    state = {f"net.{key}": value for key, value in student.state_dict().items()}
    others = {f"teacher.{key}": value for key, value in teacher.state_dict().items() if not key.startswith("layer1.0")}
    torch.save({"state_dict": {**state, **others}}, tmp_path / "in.ckpt")
    model = opened(tmp_path / "in.ckpt")
    assert (model.form.prefix, model.form.dropped) == ("net.", ("teacher",))
    assert set(given_back(tmp_path / "out.ckpt", model)["state_dict"]) == set(state)

    like = {f"teacher.{key}": value for key, value in make_model(seed=3).state_dict().items()}
    torch.save({"state_dict": {**state, **like}}, tmp_path / "two.ckpt")
    with pytest.raises(AmbiguousEntryError, match=r"state_dict\.net \(22 keys\); state_dict\.teacher \(22 keys\)"):
        opened(tmp_path / "two.ckpt")
    assert same(opened(tmp_path / "two.ckpt", "state_dict.net").state_dict, student.state_dict())
    whole = {f"teacher.{key}": value for key, value in teacher.state_dict().items()}
    torch.save({"state_dict": {**state, **whole}}, tmp_path / "other.ckpt")
    assert opened(tmp_path / "other.ckpt", arch="small-cnn").form.prefix == "net."  # what it is named tells which
    with pytest.raises(InputError, match="do not fit mlp"):
        opened(tmp_path / "other.ckpt", arch="mlp")

    averaged = {f"ema_net.{key}": value for key, value in make_model(seed=3).state_dict().items()}
    torch.save({"state_dict": {**averaged, **state}}, tmp_path / "ema.ckpt")
    model = opened(tmp_path / "ema.ckpt")
    assert same(model.state_dict, student.state_dict()) and model.form.dropped == ("ema_net",)
    assert opened(tmp_path / "ema.ckpt", "state_dict.ema_net").form.prefix == "ema_net."


@pytest.mark.parametrize("head", ["head.weight", "criterion.weight", "mlp.0.weight"])
def test_a_network_with_layers_behind_it_is_not_taken_for_the_whole(tmp_path, make_model, head):
    """A backbone with a head of its own, or with the classes' directions in the loss."""
    state = {f"backbone.{key}": value for key, value in make_model(num_classes=12).state_dict().items()}
    torch.save({"state_dict": {**state, head: torch.rand(5, 12)}}, tmp_path / "in.ckpt")
    with pytest.raises(InputError, match=rf"small-cnn under 'backbone\.', and layers behind its 12 outputs: {head}"):
        opened(tmp_path / "in.ckpt")


def test_class_weights_alone_are_no_network(tmp_path):
    torch.save({"state_dict": {"criterion.weight": torch.rand(10), "model.x": torch.rand(3)}}, tmp_path / "in.ckpt")
    with pytest.raises(InputError, match="not recognised"):
        opened(tmp_path / "in.ckpt")


def test_a_network_of_ones_own_is_found_in_a_lightning_module(tmp_path):
    factory = tmp_path / "mine.py"
    factory.write_text(
        "from torch import nn\n"
        "def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 5))\n"
    )
    torch.manual_seed(0)
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 5))
    torch.save(lightning(own.state_dict(), **beside_the_network()), tmp_path / "in.ckpt")
    arch = f"{factory}:make"
    model = opened(tmp_path / "in.ckpt", trust=Trust(code=True), arch=arch, in_channels=1, input_size=(8, 8))
    images = torch.rand(4, 1, 8, 8)
    assert torch.equal(model.build()(images), own(images))
    assert "criterion.weight" in given_back(tmp_path / "out.ckpt", model)["state_dict"]


# --- tied weights ---------------------------------------------------------------------------------------------------

TIED = """
from torch import nn

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten, self.first, self.second = nn.Flatten(), nn.Linear(64, 64), nn.Linear(64, 64)
        self.head = nn.Linear(64, 5)
        self.second.weight = self.first.weight

    def forward(self, x):
        x = self.first(self.flatten(x)).relu()
        return self.head(self.second(x).relu())
"""


@pytest.mark.parametrize("metadata", [True, False])
def test_tied_weights_open_where_the_network_ties_them(tmp_path, metadata):
    (tmp_path / "mine.py").write_text(TIED)
    names: dict = {}
    exec(TIED, names)
    torch.manual_seed(0)
    own = names["Tied"]().eval()
    path = tmp_path / "tied.safetensors"
    save_model(own, str(path))
    if not metadata:  # as others write it, who leave the keys out and say nothing
        state = {key: value for key, value in own.state_dict().items() if key != "second.weight"}
        save_file(state, path)
    arch = f"{tmp_path / 'mine.py'}:Tied"
    model = opened(path, trust=Trust(code=True), arch=arch, in_channels=1, input_size=(8, 8))
    images = torch.rand(4, 1, 8, 8)
    module = model.build()
    assert torch.equal(module(images), own(images)) and module.first.weight is module.second.weight
    with torch.no_grad():
        module.first.weight += LINEAR
    write_same(tmp_path / "out.safetensors", module.state_dict(), model.form)
    check = compare_export(tmp_path / "out.safetensors", "same", module, images, model.form)
    assert check.same_form and check.largest_difference == 0
    load_model(own, str(tmp_path / "out.safetensors"))  # strict
    assert torch.equal(own(images), module(images))


def test_a_key_that_no_tie_gives_is_still_missing(tmp_path):
    (tmp_path / "mine.py").write_text(TIED)
    names: dict = {}
    exec(TIED, names)
    state = names["Tied"]().state_dict()
    save_file({key: value.clone() for key, value in state.items() if "weight" not in key or "head" in key},
              tmp_path / "net.safetensors")  # fmt: skip
    with pytest.raises(InputError, match=r"do not fit the network of .*: 2 missing \(first\.weight, second\.weight\)"):
        opened(tmp_path / "net.safetensors", trust=Trust(code=True), arch=f"{tmp_path / 'mine.py'}:Tied")


# --- namespaces -----------------------------------------------------------------------------------------------------


def test_arguments_come_back_as_the_namespace_they_were(tmp_path, net):
    arguments = argparse.Namespace(lr=0.1, milestones=(3, 6), name="x", nested=argparse.Namespace(a=[1, None]))
    torch.save({"state_dict": net.state_dict(), "args": arguments}, tmp_path / "in.pt")
    model = opened(tmp_path / "in.pt", trust=Trust(pickle=True))
    assert model.form.scalars == {"args": arguments} and model.form.dropped == ()
    again = given_back(tmp_path / "out.pt", model)
    assert again["args"] == arguments and type(again["args"].nested) is argparse.Namespace


def test_numbers_of_numpy_come_back_as_they_were(tmp_path, net):
    beside = {"best": np.float64(0.875), "epoch": np.int64(3), "half": np.float16(0.1), "done": np.bool_(True),
              "worst": {"loss": np.float32("inf")}}  # fmt: skip
    torch.save({"state_dict": net.state_dict(), **beside}, tmp_path / "in.pt")
    model = opened(tmp_path / "in.pt", trust=Trust(pickle=True))
    assert model.form.dropped == ()
    again = given_back(tmp_path / "out.pt", model)
    assert {name: again[name] for name in beside} == beside
    assert all(type(again[name]) is type(value) for name, value in beside.items())
    assert type(again["worst"]["loss"]) is np.float32


def test_a_namespace_with_more_than_plain_values_is_named(tmp_path, net):
    arguments = argparse.Namespace(weights=torch.rand(3))
    torch.save({"state_dict": net.state_dict(), "args": arguments}, tmp_path / "in.pt")
    assert opened(tmp_path / "in.pt", trust=Trust(pickle=True)).form.dropped == ("args",)


def test_a_file_that_lightning_wrote_goes_back_to_lightning(tmp_path, make_model):
    lightning = pytest.importorskip("lightning")
    torchmetrics = pytest.importorskip("torchmetrics")

    class Lit(lightning.LightningModule):
        def __init__(self, rate=0.1):
            super().__init__()
            self.save_hyperparameters()
            self.net, self.criterion = make_model(), nn.CrossEntropyLoss(weight=torch.rand(5))
            self.best = torchmetrics.MaxMetric()
            self.best.persistent(True)

        def training_step(self, batch, _):
            return self.criterion(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), self.hparams.rate, momentum=0.9)

    data = torch.utils.data.TensorDataset(torch.rand(8, 1, 8, 8), torch.randint(0, 5, (8,)))
    trainer = lightning.Trainer(max_epochs=1, logger=False, accelerator="cpu", enable_progress_bar=False,
                                enable_checkpointing=False, enable_model_summary=False)  # fmt: skip
    module = Lit(rate=0.01)
    trainer.fit(module, torch.utils.data.DataLoader(data, 4))
    trainer.save_checkpoint(tmp_path / "in.ckpt")
    model = opened(tmp_path / "in.ckpt")
    assert (model.form.prefix, model.form.dropped) == ("net.", ("optimizer_states",))
    given_back(tmp_path / "out.ckpt", model)
    again = Lit.load_from_checkpoint(tmp_path / "out.ckpt", map_location="cpu")
    assert again.hparams.rate == 0.01 and torch.equal(again.criterion.weight, module.criterion.weight)
    assert same(again.net.state_dict(), shifted(module.net.state_dict()))
