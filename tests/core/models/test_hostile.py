"""Model files from strangers: what asks for more than it holds, or is of another shape, is refused in words."""

from __future__ import annotations

import json
import tracemalloc
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from core.data.stated import of_hugging_face, of_timm
from core.errors import InputError, UnknownNetworkError
from core.models import recognise
from core.models.architectures import ModelSpec, anchored, build_on_meta, get_architecture
from core.models.card import stated_preprocessing
from core.models.checkpoint import read_model
from core.models.class_lists import own_classes
from core.models.weights import CheckpointForm
from tests.core.models.hub_models import write_folder
from tests.core.models.opened import open_model

WEIGHTS = {"hidden.weight": torch.ones(8, 4), "hidden.bias": torch.ones(8)}


def repacked(source, target, change=lambda name, data: (name, data), **how):
    """Write a zip archive's entries into another one."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **how) as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))


def test_an_archive_that_unpacks_to_far_more_is_refused_with_both_numbers(tmp_path):
    torch.save({"zeros.weight": torch.zeros(20_000_000)}, tmp_path / "plain.pt")
    repacked(tmp_path / "plain.pt", tmp_path / "bomb.pt", compression=zipfile.ZIP_DEFLATED)
    size = (tmp_path / "bomb.pt").stat().st_size
    with pytest.raises(
        InputError, match=rf"bomb\.pt has {size:,} bytes and unpacks to 80,0\d\d,\d\d\d: at most 4 times"
    ):
        read_model(tmp_path / "bomb.pt")


def test_a_small_archive_may_be_compressed(tmp_path):
    torch.save({"hidden.weight": torch.zeros(8, 4)}, tmp_path / "plain.pt")
    repacked(tmp_path / "plain.pt", tmp_path / "small.pt", compression=zipfile.ZIP_DEFLATED)
    assert read_model(tmp_path / "small.pt").weights.shapes == {"hidden.weight": (8, 4)}


def test_a_tensor_that_says_one_value_over_and_over_is_not_spread_out(tmp_path):
    torch.save({"hidden.weight": torch.ones(1).expand(50_000, 50_000)}, tmp_path / "wide.pt")
    with pytest.raises(InputError, match=r"wide\.pt has [\d,]+ bytes and says it holds 2,500,000,000 values"):
        read_model(tmp_path / "wide.pt")


@pytest.mark.parametrize("damage", ["name", "method"])
def test_a_table_of_contents_that_no_zip_has_is_damage(tmp_path, damage):
    torch.save(WEIGHTS, tmp_path / "net.pt")
    data = bytearray((tmp_path / "net.pt").read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    if damage == "name":
        data[entry + 8 : entry + 10] = (0x800).to_bytes(2, "little")  # names are in UTF-8 …
        data[entry + 46] = 0xFF  # … and this byte is in none
    else:
        data[entry + 6 : entry + 8] = (99).to_bytes(2, "little")  # wants a version of zip that there is not
    (tmp_path / "net.pt").write_bytes(data)
    with pytest.raises(InputError, match=r"net\.pt is damaged, incomplete or no model file"):
        read_model(tmp_path / "net.pt")


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b'{"a": 1}',
        b'{"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 16]}}',
        b'{"a": {"dtype": "F4", "shape": [4], "data_offsets": [0, 16]}}',
        b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}',
        b'{"__metadata__": {"x": 1}, "a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}',
        b'{"a": {"dtype": "F32", "shape": [0, 0], "data_offsets": [0, 0]}}' + b" " * 4096,
        b"[" * 5000,
    ],
)
def test_a_header_of_safetensors_may_say_anything(tmp_path, header):
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    with pytest.raises(InputError, match=r"net\.safetensors"):
        read_model(path).opened()


def test_a_network_of_endless_layers_is_given_up():
    with pytest.raises(InputError, match="more than 5,000 weights and biases"):
        build_on_meta(ModelSpec("hf/vit:num_hidden_layers=2147483648,hidden_size=12", 10, 3, (224, 224)))


def test_a_network_that_cannot_be_built_is_tried_once_however_many_parts_a_file_has(monkeypatch):
    tried = []
    real = recognise.signature
    monkeypatch.setattr(recognise, "signature", lambda spec: tried.append(spec) or real(spec))
    network = get_architecture("hf/resnet:embedding_size=4,hidden_sizes=4-8,depths=1-99999")
    for _ in range(3):
        with pytest.raises(InputError, match="more than 5,000 weights and biases"):
            recognise.compare(network, {"a": (4, 4)})
    assert len(tried) == 1


def test_a_width_that_no_tensor_has_is_a_sentence():
    with pytest.raises(InputError, match=r"hf/resnet:embedding_size=\d+ cannot be built for input 32x32: .{1,200}$"):
        build_on_meta(ModelSpec(f"hf/resnet:embedding_size={2**70}", 10, 3, (32, 32)))


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("id2label", {"x": "a"}, "damaged: expected str matching regex .* at key in id2label"),
        ("id2label", ["a"], "damaged: expected object.*, got array at id2label"),
        ("id2label", {"0": None}, "at id2label"),
        ("num_channels", "3", "damaged: expected int.*, got str at num_channels"),
        ("architectures", [1], r"damaged: expected str, got int at architectures\[0\]"),
        ("image_size", {"height": 32}, "at image_size"),
        ("model_type", 5, "model_type"),
    ],
)
def test_a_configuration_of_another_shape_is_named_with_its_place(tmp_path, entry, value, said):
    write_folder(tmp_path, "vit")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), entry: value}))
    with pytest.raises(InputError, match=rf"config\.json.*{said}"):
        open_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"), [("config.json", "{"), ("config.json", "[]"), ("config.json", "[" * 9999)]
)
def test_a_damaged_configuration_is_not_taken_for_none(tmp_path, name, content):
    write_folder(tmp_path, "vit")
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=r"config\.json is (not valid JSON|damaged)"):
        open_model(tmp_path)


def test_a_damaged_preparation_beside_weights_is_not_taken_for_none(tmp_path):
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    (tmp_path / "preprocessor_config.json").write_text('{"do_resize": ')
    with pytest.raises(InputError, match=r"preprocessor_config\.json is not valid JSON"):
        stated_preprocessing(tmp_path / "model.safetensors", None, "")


HUGGING_FACE = {
    "image_processor_type": "ConvNextImageProcessor", "do_resize": True, "resample": 3, "size": {"shortest_edge": 32},
    "crop_pct": 0.875, "do_normalize": True, "image_mean": [0.5], "image_std": [0.5], "rescale_factor": 1 / 255,
}  # fmt: skip
TIMM = {"input_size": [3, 32, 32], "mean": [0.5], "std": [0.5], "crop_pct": 0.9, "interpolation": "bicubic"}
ODD = ["x", -1, 0, {}, [], [None], {"a": "b"}, True, 1e300, [[1]]]


@pytest.mark.parametrize(("read", "good"), [(of_hugging_face, HUGGING_FACE), (of_timm, TIMM)])
def test_every_entry_of_a_preparation_may_be_of_another_kind(read, good):
    assert read(good, "The file")["mean"]
    for entry in good:
        for value in ODD:
            try:
                read({**good, entry: value}, "The file")
            except InputError as error:
                assert error.message.startswith("The file"), (entry, value)


def test_a_size_that_has_no_side_is_named():
    with pytest.raises(InputError, match=r"The file: the size .*'longest_edge': 30.* is not known"):
        of_hugging_face({**HUGGING_FACE, "size": {"longest_edge": 30}}, "The file")


def test_a_list_of_classes_in_the_metadata_that_is_nested_without_end_is_none(tmp_path):
    save_file(WEIGHTS, tmp_path / "net.safetensors", metadata={"classes": "[" * 9999})
    with pytest.raises(UnknownNetworkError):
        own_classes(read_model(tmp_path / "net.safetensors").opened())


@pytest.mark.parametrize("place", ["scalars", "foreign"])
@pytest.mark.parametrize(
    "packed",
    [
        {"tensor()": ["float32"]}, {"tensor()": ["load", 1]}, {"tensor()": ["float32", [1, 2], [3, 4]]},
        {"numpy()": 5}, {"numpy()": ["none", 1]}, {"float()": "x"}, {"dict()": [[[], 1]]}, {"namespace()": [1]},
    ],
)  # fmt: skip
def test_a_job_may_say_anything_of_what_stood_beside_its_weights(place, packed):
    with pytest.raises(InputError, match="The job's note of how its model file was saved is damaged: "):
        CheckpointForm.from_dict({"format": "pt", place: {"x": packed}})


def test_a_length_in_an_old_file_sets_no_memory_aside(tmp_path):
    """A text that says it has 4 GB, in a pickle of thirty bytes."""
    torch.save(WEIGHTS, tmp_path / "net.pt", _use_new_zipfile_serialization=False)
    data = (tmp_path / "net.pt").read_bytes()
    place = data.index(b"X\x0d\x00\x00\x00little_endian")
    (tmp_path / "net.pt").write_bytes(data[: place + 1] + b"\xf0\xff\xff\xff" + data[place + 5 :])
    tracemalloc.start()
    with pytest.raises(InputError, match=r"net\.pt is damaged"):
        read_model(tmp_path / "net.pt")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_the_home_of_nobody_is_a_folder_that_is_not_there(tmp_path):
    assert anchored("~nobody-of-this-name/net.py:make", tmp_path) == f"{tmp_path}/~nobody-of-this-name/net.py:make"
