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
from core.models.architectures import ENCODER_PREFIX, HF_PREFIX, Architecture, Size, read_patches, settings_in
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
_VIT_PLACES = ("embeddings.patch_embeddings.projection.weight", "embeddings.position_embeddings")


@dataclass(frozen=True)
class _Family:
    """One kind of network; `name` is that of its class in hf_networks."""

    name: str
    settings: Mapping[str, Any]  # that change outputs, as config.json calls them, and what is meant where it is silent
    places: tuple[str, str] | None = None  # keys that tell the input size, where weights are made for one
    headed: bool = True  # there are classifiers of this kind


_CLASSIFIER, _MODEL = "ForImageClassification", "Model"  # what the names of classes in transformers end with
_PROJECTED = "ModelWithProjection"
_WHOLE_CLIP, _CLIP = "clip", "clip_vision_model"  # of images and text; its image half

# By config.json's model_type. Settings and their defaults are those of transformers' configuration classes.
_FAMILIES = {
    "vit": _Family("ViT", _VIT, _VIT_PLACES),
    "deit": _Family("DeiT", _VIT, _VIT_PLACES),
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
    _CLIP: _Family("CLIPVision", {
        "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
        "hidden_act": "quick_gelu", "attention_dropout": 0.0, "layer_norm_eps": 1e-5, "patch_size": 32,
    }, ("embeddings.patch_embedding.weight", "embeddings.position_embedding.weight"), headed=False),
}  # fmt: skip

# Entries of config.json that change no output of these networks: notes, sizes that follow from others, what only
# training from nothing, pretraining heads, detectors or generated text use, and what the card takes (`config_card`).
_IDLE = {
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "_num_labels",
    "apply_layernorm", "architectures", "chunk_size_feed_forward", "custom_pipelines", "dtype", "encoder_stride",
    "finetuning_task", "id2label", "image_size", "initializer_range", "label2id", "model_type", "num_channels",
    "num_labels", "num_layers", "num_stages", "out_features", "out_indices", "output_attentions",
    "output_hidden_states", "path_norm", "pooler_act", "pooler_output_size", "problem_type", "reshape_hidden_states",
    "return_dict", "stage_names", "task_specific_params", "torch_dtype", "torchscript", "transformers_version",
    "use_cache",
    # Written beside every network until 2023.
    "add_cross_attention", "bad_words_ids", "begin_suppress_tokens", "bos_token_id", "cross_attention_hidden_size",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size",
    "eos_token_id", "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "is_decoder",
    "is_encoder_decoder", "length_penalty", "max_length", "min_length", "no_repeat_ngram_size", "num_beam_groups",
    "num_beams", "num_return_sequences", "output_scores", "pad_token_id", "prefix", "remove_invalid_values",
    "repetition_penalty", "return_dict_in_generate", "sep_token_id", "suppress_tokens", "temperature",
    "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings", "tokenizer_class", "top_k", "top_p", "typical_p",
    "use_bfloat16",
}  # fmt: skip
# What is known only in this state.
_OFF = {"use_absolute_embeddings": False, "pruned_heads": {}, "use_swiglu_ffn": False}
# What follows from other settings, or is not used, in one family only.
_IDLE_IN = {"swin": {"hidden_size"}, _CLIP: {"dropout", "initializer_factor", "projection_dim"}}

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
    (_MODEL, "a network without a classifier head, and none of the encoders built here"),
)  # fmt: skip
_HEADED = "Open one that was saved by AutoModelForImageClassification, or an encoder: CLIPModel or " + ", ".join(
    f"{family.name}{_MODEL}" for family in _FAMILIES.values()
)
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
    vision_config: dict[str, Any] | None = None
    vision_config_dict: dict[str, Any] | None = None  # goes before the other, as in transformers


def config_card(config: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what transformers' or timm's config.json says of the model beside it, as a card; None for another file.

    The card's architecture is an `hf/…` id, that of a network without a head, or of the image half of a whole CLIP, an
    `encoder/hf/…` id. What is not known of it is said by `hub_architecture` when it is used, so that a network whose
    code is given opens nevertheless. Raises InputError for an entry of another type than it has.
    """
    if (card := timm_models.config_card(config)) is not None:
        return card
    if not isinstance(config.get("model_type"), str) and not config.get("architectures"):
        return None
    stated = convert(config, _Config, HUB_CONFIG)
    kind, name = str(stated.model_type), next(iter(stated.architectures or ()), "")
    if kind == _WHOLE_CLIP and name in ("", "CLIPModel"):
        half = stated.vision_config if stated.vision_config_dict is None else stated.vision_config_dict
        kind, name, config = _CLIP, "", half or {}
        stated = convert(config, _Config, HUB_CONFIG)
    family = _FAMILIES.get(kind)
    headed = family is not None and family.headed and name in ("", family.name + _CLASSIFIER)
    headless = family is not None and not headed and name in ("", family.name + _MODEL, family.name + _PROJECTED)
    known, front = headed or headless, ENCODER_PREFIX if headless else ""
    said: dict[str, Any] = {
        "architecture": f"{front}{_id(kind, config)}" if known else f"{HF_PREFIX}{name or kind}",
        "in_channels": 3 if known and "num_channels" not in config else stated.num_channels,
    }
    if not headless:
        said |= {"num_classes": stated.num_labels, "problem_type": stated.problem_type}
    if not headless and (labels := stated.id2label):
        ordered = [str(labels[key]) for key in sorted(labels, key=int)]
        said["num_classes"] = len(ordered)
        if ordered != [f"LABEL_{number}" for number in range(len(ordered))]:
            said["classes"] = ordered
    if known and family is not None and family.places:
        size = 224 if "image_size" not in config else stated.image_size
        said["input_size"] = [size, size] if isinstance(size, int) else size
    return {name: value for name, value in said.items() if value is not None}


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
    known = _IDLE | _IDLE_IN.get(kind, set[str]())
    return name in known or (name in _OFF and value == _OFF[name])


def hub_architecture(id: str) -> Architecture:
    """Return `hf/KIND:name=value,…`, or `encoder/hf/KIND:…`, the same without a head and under the keys of that alone.

    Raises InputError for what is neither an image classifier nor an encoder, or has unknown settings.
    """
    headless = id.startswith(ENCODER_PREFIX)
    kind, text = settings_in(id.removeprefix(ENCODER_PREFIX).removeprefix(HF_PREFIX))
    family = _FAMILIES.get(kind)
    if family is None:
        raise _refused(kind)
    name = f"{family.name}{_MODEL if headless else _CLASSIFIER}"
    if not headless and not family.headed:
        raise InputError(f"Hugging Face's {family.name}{_MODEL} has no head", f"Name it {ENCODER_PREFIX}{id}")
    settings = {**family.settings, **_settings(kind, text)}
    patch, stages = settings.get("patch_size", 1), len(settings.get("depths", ()))
    least = {
        # Windows that are larger than a stage's map do not work in transformers either.
        "swin": patch * (settings.get("window_size", 1) - 1) * 2 ** max(stages - 1, 0) + 1,
        "resnet": 8,
        "convnext": patch * 2 ** max(stages - 1, 0),
        "convnextv2": patch * 2 ** max(stages - 1, 0),
    }.get(kind, patch)
    read = None
    if family.places is not None:
        stem, places = (key if headless else f"{kind}.{key}" for key in family.places)
        read = functools.partial(read_patches, stem, places, (1 + (kind == "deit"),), oblong=True)
    return Architecture(
        id, f"{name} (Hugging Face)", f"Hugging Face's {name}", "hf",
        functools.partial(_build, family.name, settings, headless), (224, 224), least,
        size_is_structural=read is not None, read_input=read,
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


def _build(
    network: str, settings: Mapping[str, Any], headless: bool, num_classes: int, channels: int, size: Size
) -> nn.Module:
    from core.models.hf_networks import NETWORKS

    return NETWORKS[network](settings, 0 if headless else num_classes, channels, size)
