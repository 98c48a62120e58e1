"""Folders as transformers writes them, made without it: hub_models.json has their settings, keys, shapes and outputs.

`python tests/core/models/hub_models.py` writes that file anew; it needs transformers.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

STORED = Path(__file__).with_suffix(".json")
CLASSES = ("Ameise", "Biene", "Käfer", "Libelle", "Motte", "Wespe", "Zikade")  # as many as nothing else is wide
_TOKENS = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 40}
_DINO = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "mlp_ratio": 2}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViT", {**_TOKENS, "image_size": 32, "patch_size": 8}),
    "vit-of-other-settings": (
        "ViT",
        {**_TOKENS, "image_size": [32, 48], "patch_size": 16, "hidden_act": "quick_gelu", "qkv_bias": False,
         "layer_norm_eps": 1e-3, "num_channels": 1},
    ),
    "deit": ("DeiT", {**_TOKENS, "image_size": 32, "patch_size": 8}),
    "dinov2": ("Dinov2", {**_DINO, "image_size": 42}),
    "dinov2-at-another-size": ("Dinov2", {**_DINO, "image_size": 70, "use_mask_token": False, "patch_size": 10}),
    "resnet": ("ResNet", {"embedding_size": 8, "hidden_sizes": [16, 24], "depths": [2, 1]}),
    "resnet-of-other-settings": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 24], "depths": [1, 2], "layer_type": "basic", "hidden_act": "silu",
         "downsample_in_first_stage": True},
    ),
    "resnet-strides-first": (
        "ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "downsample_in_bottleneck": True},
    ),
    "convnext": ("ConvNext", {"hidden_sizes": [8, 12], "depths": [2, 1], "num_stages": 2}),
    "convnextv2": ("ConvNextV2", {"hidden_sizes": [8, 12], "depths": [2, 1], "num_stages": 2, "patch_size": 2}),
    "swin": ("Swin", {"embed_dim": 12, "depths": [2, 2], "num_heads": [2, 4], "window_size": 3, "image_size": 32}),
    "swin-of-other-settings": (
        "Swin",
        {"embed_dim": 8, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4, "patch_size": 2, "mlp_ratio": 2.0,
         "qkv_bias": False, "hidden_act": "gelu_new", "image_size": 30},
    ),
}  # fmt: skip

_CLIP = {**_TOKENS, "image_size": 32, "patch_size": 8, "projection_dim": 8}
# More values than stand beside a network in a job, so that the text half is left out.
_TEXT = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 20,
         "max_position_embeddings": 6, "vocab_size": 1400, "bos_token_id": 1, "eos_token_id": 2}  # fmt: skip
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vit-encoder": ("ViTModel", MODELS["vit-of-other-settings"][1]),
    "vit-without-pooler": ("ViTModel", MODELS["vit"][1]),
    "deit-encoder": ("DeiTModel", MODELS["deit"][1]),
    "dinov2-encoder": ("Dinov2Model", MODELS["dinov2"][1]),
    "swin-encoder": ("SwinModel", MODELS["swin"][1]),
    "resnet-encoder": ("ResNetModel", MODELS["resnet"][1]),
    "convnext-encoder": ("ConvNextModel", MODELS["convnext"][1]),
    "convnextv2-encoder": ("ConvNextV2Model", MODELS["convnextv2"][1]),
    "clip-image-half": ("CLIPVisionModel", _CLIP),
    "clip-of-other-settings": (
        "CLIPVisionModel", {**_CLIP, "hidden_act": "gelu", "layer_norm_eps": 1e-3, "image_size": 48, "patch_size": 16},
    ),
    "clip-with-projection": ("CLIPVisionModelWithProjection", _CLIP),
    "clip": ("CLIPModel", {"vision_config": _CLIP, "text_config": _TEXT, "projection_dim": 8}),
}  # fmt: skip


def images_of(config: dict[str, Any]) -> torch.Tensor:
    """Return four images of the size and channels in a config.json; 40 pixels where it says no size."""
    config = config.get("vision_config", config)
    size = config["image_size"] if config["model_type"] in ("vit", "deit", "swin", "clip_vision_model") else 40
    height, width = (size, size) if isinstance(size, int) else size
    generator = torch.Generator().manual_seed(7)
    return torch.randn((4, config.get("num_channels", 3), height, width), generator=generator)


def weights_of(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Return the same weights for the same keys and shapes, whoever asks: fit to let every one show in the logits."""
    weights = {}
    for key, shape in shapes.items():
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        if key.endswith("num_batches_tracked"):
            weights[key] = torch.tensor(3)
        elif len(shape) == 1 and not key.endswith(("bias", "mean")):
            weights[key] = 0.5 + torch.rand(shape, generator=generator)
        else:
            weights[key] = 0.2 * torch.randn(shape, generator=generator)
    return weights


def stored() -> dict[str, Any]:
    """Return config, shapes and outputs of every model, by its name in MODELS or ENCODERS."""
    return json.loads(STORED.read_text(encoding="utf-8"))


def write_folder(folder: Path, name: str, *, half: bool = False, **changed: Any) -> tuple[dict[str, torch.Tensor], Any]:
    """Write a model's folder; return its weights and the outputs that transformers gives for `images_of`.

    half: weights in float16; changed: entries of config.json that are added or replaced.
    """
    model = stored()[name]
    weights = weights_of(model["shapes"])
    if half:
        weights = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**model["config"], **changed}), encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return weights, torch.tensor(model["outputs"])


def built_by_transformers(name: str) -> dict[str, Any]:
    """Return config, shapes and outputs of a model as transformers builds, writes and runs it."""
    import tempfile

    import transformers
    from safetensors import safe_open

    if name in MODELS:
        family, settings = MODELS[name]
        labels = {"id2label": dict(enumerate(CLASSES)), "label2id": {label: at for at, label in enumerate(CLASSES)}}
        kind, settings = f"{family}ForImageClassification", {**settings, **labels}
    else:
        kind, settings = ENCODERS[name]
    network: Any = getattr(transformers, kind)
    options = {"add_pooling_layer": False} if name == "vit-without-pooler" else {}
    model = network(network.config_class(**settings), **options)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            metadata, shapes = file.metadata(), {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        save_file(weights_of(shapes), Path(folder) / "model.safetensors", metadata=metadata)
        loaded = network.from_pretrained(folder, **options).eval()
    with torch.no_grad():
        outputs = said_by(loaded, images_of(config))
    return {"config": config, "shapes": shapes, "outputs": outputs.tolist()}


def said_by(model: Any, images: torch.Tensor) -> torch.Tensor:
    """Return the logits of a classifier of transformers, of another network what a classifier's head would receive."""
    kind = model.config.model_type
    if type(model).__name__.endswith("ForImageClassification"):
        return model(images).logits
    if kind.startswith("clip"):
        return getattr(model, "vision_model", model)(images).pooler_output
    if kind in ("vit", "deit", "dinov2"):
        tokens = model(images).last_hidden_state
        means = [tokens[:, 1:].mean(1)] if kind == "dinov2" else []
        return torch.cat([tokens[:, 0], *means], dim=1)
    return model(images).pooler_output.flatten(1)


if __name__ == "__main__":
    models = {name: built_by_transformers(name) for name in (*MODELS, *ENCODERS)}
    STORED.write_text(json.dumps(models, ensure_ascii=False) + "\n", encoding="utf-8")
