"""Pickled networks: what is read is written under its own names, what is gone is named, no look runs anything."""

from __future__ import annotations

import io
import os
import pickle
import sys
import warnings
import zipfile
from contextlib import contextmanager
from fractions import Fraction
from types import ModuleType

import pytest
import torch
from torch import nn

from core.errors import InputError
from core.models.architectures import reinitialise
from core.models.pickles import (
    _FILES_LOOKED_AT,
    LARGEST,
    Bounded,
    Pickles,
    called,
    cannot_run,
    fresh_network,
    networks_in,
    pickled_network,
)

SOURCE = """
from torch import nn

def shape(x):
    return x.flatten(1)

class Part(nn.Module):
    def __reduce__(self):
        return Part, ()

class Plain:
    pass

class Slots:
    __slots__ = ("rate",)

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.part, self.shape = nn.Linear(4, 3), Part(), shape
"""


class Named:
    """Is pickled by a call of what it is given."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@contextmanager
def importable(name: str):
    """Let SOURCE be a module of that name for as long as the block takes."""
    parts = name.split(".")
    names = [".".join(parts[: n + 1]) for n in range(len(parts))]
    made = {each: ModuleType(each) for each in names}
    exec(SOURCE, vars(made[name]))
    sys.modules.update(made)
    try:
        yield made[name]
    finally:
        for each in made:
            del sys.modules[each]


def saved(path, module: str, as_: object = None):
    """Write a network of class Own of a module that is gone when this returns; `as_` is put around it."""
    with importable(module) as own:
        torch.manual_seed(7)
        network = own.Own()
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        torch.save(as_(network) if as_ else network, path)
    return path


def test_what_was_read_is_written_under_its_own_names_and_what_was_added_under_its_usual_one(tmp_path):
    path = saved(tmp_path / "net.pt", "own")
    (tmp_path / "own.py").write_text(SOURCE)
    pickles, file = Pickles(path), io.BytesIO()
    network = pickles.read()
    assert type(network).__module__ != "own" and pickles.named(type(network)) == "own.Own"
    assert pickles.named(Fraction) == "fractions.Fraction"
    pickles.write({"net": network, "kind": Fraction}, file)
    with importable("own") as own:
        back = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
        assert type(back["net"]) is own.Own and back["net"].shape is own.shape and back["kind"] is Fraction
    assert torch.equal(back["net"].head.weight, network.head.weight)


def test_a_class_is_named_once_in_what_is_written(tmp_path):
    pickles, file = Pickles(saved(tmp_path / "net.pt", "gone")), io.BytesIO()
    network = pickles.read()
    pickles.write([type(network), type(network)], file)
    assert file.getvalue().count(b"gone\nOwn\n") == 1


def test_what_an_object_held_whose_class_is_gone_is_kept(tmp_path):
    with importable("gone") as own:
        plain, slots, module = own.Plain(), own.Slots(), own.Own()
        plain.rate, slots.rate = 0.5, 0.25
        del module.__dict__["_forward_pre_hooks"]  # as torch of old wrote modules
        torch.save([plain, slots, module], tmp_path / "objects.pt")
    plain, slots, module = Pickles(tmp_path / "objects.pt").read()
    assert plain.rate == 0.5 and type(slots).__name__ == "Slots"
    assert module._forward_pre_hooks == {} and module.head.out_features == 3


def test_what_is_read_comes_to_the_processor_and_warns_of_nothing(tmp_path, monkeypatch, recwarn):
    with monkeypatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save([torch.ones(2), Named(warnings.warn, "written by another program")], tmp_path / "net.pt")
    assert Pickles(tmp_path / "net.pt").read()[0].device == torch.device("cpu")
    assert not recwarn


def test_what_is_looked_at_is_bounded(tmp_path):
    assert (LARGEST, _FILES_LOOKED_AT) == (2**40, 200)
    (tmp_path / "file").write_bytes(b"0123456789")
    for asked, read in (
        (None, b"3456789"),
        (-1, b"3456789"),
        (0, b""),
        (1, b"3"),
        (7, b"3456789"),
        (2**62, b"3456789"),
    ):
        with Bounded(io.FileIO(tmp_path / "file")) as file:
            assert file.read(3) == b"012" and file.read(asked) == read
    with Bounded(io.FileIO(tmp_path / "file")) as file:
        assert file.read() == b"0123456789"


def test_a_part_whose_class_is_gone_is_kept_and_named(tmp_path):
    with importable("elsewhere") as other:
        part = other.Part()

        def with_others(network):
            network._modules = {"other": part, **network._modules}
            network.last = other.shape
            return network

        path = saved(tmp_path / "net.pt", "lab.nets", with_others)
    network = Pickles(path).read()
    assert cannot_run(network.part) and cannot_run(network) and not cannot_run(network.head)
    with pytest.raises(InputError, match="The class Part was not found"):
        network.part(torch.zeros(1))
    with pytest.raises(InputError) as refused:
        pickled_network(path, "Own")
    assert refused.value.message.endswith("whose class Own was not found: it was defined in 'lab.nets'.")
    assert refused.value.hint == (
        "Give its code with --arch FILE.py:Own --trust-code, set PYTHONPATH to the folder of its code, or install its "
        "package."
    )
    file = tmp_path / "other.py"
    file.write_text(f"{SOURCE}\nSIZES: list = [1]\n'about it'\nif __name__ == '__main__':\n    print()\n")
    with pytest.raises(InputError, match=r"\(its module is 'lab.nets'\)") as found:
        pickled_network(path, "Own")
    assert found.value.hint == f"Give its code with --arch {file}:Own --trust-code."


@pytest.mark.parametrize("more", ["SIZE = max(1, 2)", "SIZE: int = max(1, 2)", "print()", "for i in (): pass"])
def test_a_file_that_does_more_than_define_the_class_is_not_to_be_imported(tmp_path, more):
    path = saved(tmp_path / "net.pt", "gone")
    (tmp_path / "train.py").write_text(f"{SOURCE}\n{more}\n")
    with pytest.raises(InputError) as refused:
        pickled_network(path, "Own")
    assert refused.value.hint.startswith(f"Move it from {tmp_path / 'train.py'}, which does more than define it")


def test_a_network_comes_out_of_what_is_around_it_trainable_and_in_float32(tmp_path):
    (tmp_path / "own.py").write_text(SOURCE)

    def wrapped(network):
        network.head.bias.data = network.head.bias.data.half()
        return {"epoch": 3, "nets": {"a": nn.DataParallel(nn.DataParallel(network)), "b": nn.Linear(2, 2)}}

    path = saved(tmp_path / "net.pt", "own", wrapped)
    assert [type(each).__name__ for each in networks_in(Pickles(path).read())] == ["Own", "Linear"]
    network = pickled_network(path, "Own")
    assert {(p.dtype, p.requires_grad) for p in network.parameters()} == {(torch.float32, True)}


def test_fresh_weights_are_drawn_from_the_global_generator(tmp_path):
    (tmp_path / "own.py").write_text(SOURCE)
    path = saved(tmp_path / "net.pt", "own")
    for seed in range(4):
        torch.manual_seed(seed)
        first, second = fresh_network(path, "Own"), fresh_network(path, "Own")
        torch.manual_seed(seed)
        expected = pickled_network(path, "Own")
        assert not torch.equal(first.head.weight, expected.head.weight)  # those that the file holds
        reinitialise(expected, int(torch.randint(0x4000_0000_0000_0000, ())))
        assert torch.equal(first.head.weight, expected.head.weight)
        assert not torch.equal(first.head.weight, second.head.weight)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_what_a_pickle_calls_is_read_without_running_it(tmp_path, protocol):
    made, path = tmp_path / "made", tmp_path / "file.pt"
    named = Named(os.mkdir, str(made), Named(Fraction, 1))
    path.write_bytes(pickle.dumps(named, protocol))
    assert called(path) == ([f"{os.mkdir.__module__} mkdir", "fractions Fraction"], True)
    for around in ([named], {"x": named}, [1, {"x": named}]):
        path.write_bytes(pickle.dumps(around, protocol))
        assert called(path) == ([f"{os.mkdir.__module__} mkdir", "fractions Fraction"], False)
        torch.save(around, path, pickle_protocol=protocol)
        assert called(path) == ([f"{os.mkdir.__module__} mkdir", "fractions Fraction"], False)
    path.write_bytes(pickle.dumps(1, protocol) + pickle.dumps(Named(Fraction), protocol) + b"rest")
    assert called(path) == (["fractions Fraction"], True)
    path.write_bytes(pickle.dumps(1, protocol))
    assert called(path) == ([], False)
    path.write_bytes(pickle.dumps(Named(Fraction), protocol)[:-1])
    assert called(path) == ([], False)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/version", "3")  # and no pickle
    assert called(path) == ([], False)
    assert not made.exists()
