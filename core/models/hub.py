"""Hugging Face's folders: what config.json says of a network, as a card, and the networks it names by `hf/…` ids."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from torch import nn

from core.errors import AppError, InputError, unknown_name
from core.files import WEIGHTS_NAME, convert
from core.models import timm_models
from core.models.architectures import HF_PREFIX, Architecture, Size, read_patches, settings_in
from core.models.timm_models import Number, text_of
from core.models.user_code import FACTORY_OPTION

HUB_CONFIG = "config.json"
HUB_WEIGHTS = (WEIGHTS_NAME, "pytorch_model.bin")  # what transformers and timm call the weights of a folder

_VIT = {
    "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
    "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-12,
    "patch_size": 16, "qkv_bias": True,
}  # fmt: skip
_CONVNEXT = {
    "hidden_sizes": (96, 192, 384, 768), "depths": (3, 3, 9, 3), "hidden_act": "gelu", "layer_norm_eps": 1e-12,
    "layer_scale_init_value": 1e-6, "drop_path_rate": 0.0, "patch_size": 4,
}  # fmt: skip


@dataclass(frozen=True)
class _Family:
    """One kind of network; `name` is that of its class in hf_networks."""

    name: str
    settings: Mapping[str, Any]  # that change outputs, as config.json calls them, and what is meant where it is silent
    sized: bool = False  # weights are made for one input size


_CLASSIFIER = "ForImageClassification"  # what the names of classes in transformers end with

# By config.json's model_type. Settings and their defaults are those of transformers' configuration classes.
_FAMILIES = {
    "vit": _Family("ViT", _VIT, sized=True),
    "deit": _Family("DeiT", _VIT, sized=True),
    "dinov2": _Family("Dinov2", {
        "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "mlp_ratio": 4.0, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "layer_norm_eps": 1e-6, "image_size": 224,
        "patch_size": 14, "qkv_bias": True, "layerscale_value": 1.0, "drop_path_rate": 0.0, "use_mask_token": True,
    }),
    "swin": _Family("Swin", {
        "embed_dim": 96, "depths": (2, 2, 6, 2), "num_heads": (3, 6, 12, 24), "window_size": 7, "mlp_ratio": 4.0,
        "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.1,
        "layer_norm_eps": 1e-5, "patch_size": 4, "qkv_bias": True,
    }),
    "resnet": _Family("ResNet", {
        "embedding_size": 64, "hidden_sizes": (256, 512, 1024, 2048), "depths": (3, 4, 6, 3),
        "layer_type": "bottleneck", "hidden_act": "relu", "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
    }),
    "convnext": _Family("ConvNext", _CONVNEXT),
    "convnextv2": _Family("ConvNextV2", {
        name: value for name, value in _CONVNEXT.items() if name != "layer_scale_init_value"
    }),
}  # fmt: skip

# Entries of config.json that change no output of these networks: notes, sizes that follow from others, what only
# training from nothing, pretraining heads or detectors use, and what the card takes (`config_card`).
_IDLE = {
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "_num_labels",
    "apply_layernorm", "architectures", "chunk_size_feed_forward", "custom_pipelines", "dtype", "encoder_stride",
    "finetuning_task", "id2label", "image_size", "initializer_range", "label2id", "model_type", "num_channels",
    "num_labels", "num_layers", "num_stages", "out_features", "out_indices", "output_attentions",
    "output_hidden_states", "path_norm", "pooler_act", "pooler_output_size", "problem_type", "reshape_hidden_states",
    "return_dict", "stage_names", "task_specific_params", "torch_dtype", "torchscript", "transformers_version",
    "use_cache",
}  # fmt: skip
# What is known only in this state.
_OFF = {"use_absolute_embeddings": False, "pruned_heads": {}, "use_swiglu_ffn": False}
_DERIVED = {"swin": {"hidden_size"}}  # what follows from other settings in one family only

# What a class of transformers is, by a part of its name; the first that fits.
_OTHERS = (
    ("ForImageClassificationWithTeacher", "a model with two heads, whose mean is its answer"),
    ("CLIP", "a model of images and text"), ("Siglip", "a model of images and text"),
    ("VisionTextDualEncoder", "a model of images and text"), ("Blip", "a model of images and text"),
    ("ForObjectDetection", "an object detection model"), ("Segmentation", "a segmentation model"),
    ("ForDepthEstimation", "a model that estimates depth"), ("ForVideoClassification", "a model of videos"),
    ("ForAudioClassification", "a model of sound"),
    ("ForMaskedImageModeling", "a model from pretraining, without a head"),
    ("ForPreTraining", "a model from pretraining, without a head"),
    ("Backbone", "a network without a classifier head"),
    ("For", "no image classifier"),
    ("Model", "a network without a classifier head"),
)  # fmt: skip
_HEADED = "Open one that was saved by AutoModelForImageClassification"
_FACTORY = (
    "Save AutoModelForImageClassification.from_pretrained(FOLDER).state_dict() with torch.save and open that file with "
    f"{FACTORY_OPTION}, where FACTORY returns "
    "AutoModelForImageClassification.from_config(AutoConfig.from_pretrained(FOLDER))"
)


class _Config(msgspec.Struct):
    """The entries of transformers' config.json that say what a card says."""

    architectures: list[str] | None = None
    model_type: str | None = None
    num_channels: int | None = None
    num_labels: int | None = None
    problem_type: str | None = None
    id2label: dict[Number, str | int | float] | None = None
    image_size: int | list[int] | None = None


def config_card(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what transformers' or timm's config.json says of the model beside it, as a card; None for another file.

    The card's architecture is an `hf/…` id. What is not known of it is said by `hub_architecture` when it is used, so
    that a network whose code is given opens nevertheless. Raises InputError for an entry of another type than it has.
    """
    if (card := timm_models.config_card(config)) is not None:
        return card
    if not isinstance(config.get("model_type"), str) and not config.get("architectures"):
        return None
    stated = convert(config, _Config, HUB_CONFIG)
    kind, name = str(stated.model_type), next(iter(stated.architectures or ()), "")
    family = _FAMILIES.get(kind)
    known = family is not None and name in ("", family.name + _CLASSIFIER)
    card = {
        "architecture": _id(kind, config) if known else f"{HF_PREFIX}{name or kind}",
        "in_channels": 3 if known and "num_channels" not in config else stated.num_channels,
        "num_classes": stated.num_labels,
        "problem_type": stated.problem_type,
    }
    if labels := stated.id2label:
        ordered = [str(labels[key]) for key in sorted(labels, key=int)]
        card["num_classes"] = len(ordered)
        if ordered != [f"LABEL_{number}" for number in range(len(ordered))]:
            card["classes"] = ordered
    if known and family is not None and family.sized:
        size = 224 if "image_size" not in config else stated.image_size
        card["input_size"] = [size, size] if isinstance(size, int) else size
    return {name: value for name, value in card.items() if value is not None}


def _id(kind: str, config: Mapping[str, Any]) -> str:
    """Return the id of a network with all settings that are not the usual ones, in the order of the family's."""
    usual = _FAMILIES[kind].settings
    given = {name: value for name, value in config.items() if value is not None}
    texts = {name: (_text(given.get(name, value), value), text_of(value)) for name, value in usual.items()}
    own = {name: stated for name, (stated, silent) in texts.items() if stated != silent}
    own |= {name: "" for name in sorted(given.keys() - usual.keys()) if not _is_idle(kind, name, given[name])}
    return f"{HF_PREFIX}{kind}" + (":" + ",".join(f"{name}={text}" for name, text in own.items()) if own else "")


def _text(value: Any, usual: Any) -> str:
    """Return a setting as it stands in an id; a whole number where others are usual is one of these."""
    return text_of(float(value) if type(usual) is float and type(value) is int else value)


def _is_idle(kind: str, name: str, value: Any) -> bool:
    known = _IDLE | _DERIVED.get(kind, set[str]())
    return name in known or (name in _OFF and value == _OFF[name])


def hub_architecture(id: str) -> Architecture:
    """Return `hf/KIND:name=value,…`. Raises InputError for what is no image classifier, or has unknown settings."""
    kind, text = settings_in(id.removeprefix(HF_PREFIX))
    family = _FAMILIES.get(kind)
    if family is None:
        raise _refused(kind)
    settings = {**family.settings, **_settings(kind, text)}
    patch, stages = settings.get("patch_size", 1), len(settings.get("depths", ()))
    least = {
        # Windows that are larger than a stage's map do not work in transformers either.
        "swin": patch * (settings.get("window_size", 1) - 1) * 2 ** max(stages - 1, 0) + 1,
        "resnet": 8,
        "convnext": patch * 2 ** max(stages - 1, 0),
        "convnextv2": patch * 2 ** max(stages - 1, 0),
    }.get(kind, patch)
    return Architecture(
        id, f"{family.name}{_CLASSIFIER} (Hugging Face)", f"Hugging Face's {family.name}{_CLASSIFIER}", "hf",
        functools.partial(_build, family.name, settings), (224, 224), least, size_is_structural=family.sized,
        read_input=functools.partial(
            read_patches, f"{kind}.embeddings.patch_embeddings.projection.weight",
            f"{kind}.embeddings.position_embeddings", (1 + (kind == "deit"),), oblong=True,
        ) if family.sized else None,
    )  # fmt: skip


def _settings(kind: str, text: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings in an id, each of the type that the family's has."""
    from core.models.activations import HF_ACTIVATIONS

    usual, found = _FAMILIES[kind].settings, {}
    for name, value in text.items():
        if name not in usual:
            raise _unknown_setting(kind, name)
        found[name] = _value(name, value, usual[name])
    act = found.get("hidden_act", "gelu")
    if act not in HF_ACTIVATIONS:
        raise unknown_name("activation", act, HF_ACTIVATIONS)
    if found.get("layer_type", "basic") not in ("basic", "bottleneck"):
        raise InputError(f"There is no layer_type {found['layer_type']!r}: it is basic or bottleneck")
    return found


def _value(name: str, text: str, usual: Any) -> Any:
    try:
        if isinstance(usual, bool):
            return {"true": True, "false": False}[text]
        if isinstance(usual, tuple):
            return tuple(int(part) for part in text.split("-"))
        if name == "patch_size":  # a number, or twice the same
            (side,) = set(text.split("-"))
            return int(side)
        return type(usual)(text)
    except (ValueError, KeyError) as error:
        raise InputError(f"{name} cannot be {text!r} in a network of this program", _FACTORY) from error


def _unknown_setting(kind: str, name: str) -> AppError:
    if name == "quantization_config":
        return InputError(
            "The weights are quantised (config.json has a quantization_config); unlearning needs the original's",
            "Open the model it was made from",
        )
    return InputError(f"config.json has the setting {name}, which is not known of Hugging Face's {kind}", _FACTORY)


def _refused(name: str) -> InputError:
    """Return the error for a class of transformers, or a model type, that is none of the networks known here."""
    if name.endswith(_CLASSIFIER):
        return InputError(f"{name} of Hugging Face is not among the networks built here", _FACTORY)
    what = next((what for part, what in _OTHERS if part in name), None)
    if what is None:
        return InputError(f"Hugging Face's model type {name} is not among the networks built here", _FACTORY)
    return InputError(f"The weights are those of Hugging Face's {name}: {what}", _HEADED)


def _build(network: str, settings: Mapping[str, Any], num_classes: int, channels: int, size: Size) -> nn.Module:
    from core.models.hf_networks import NETWORKS

    return NETWORKS[network](settings, num_classes, channels, size)
