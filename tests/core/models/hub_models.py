"""Folders as transformers writes them, made without it: hub_models.json has their settings, keys, shapes and logits.

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


def images_of(config: dict[str, Any]) -> torch.Tensor:
    """Return four images of the size and channels in a config.json; 40 pixels where it says no size."""
    size = config["image_size"] if config["model_type"] in ("vit", "deit", "swin") else 40
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
    """Return config, shapes and logits of every model, by its name in MODELS."""
    return json.loads(STORED.read_text(encoding="utf-8"))


def write_folder(folder: Path, name: str, *, half: bool = False, **changed: Any) -> tuple[dict[str, torch.Tensor], Any]:
    """Write a model's folder; return its weights and the logits that transformers gives for `images_of`.

    half: weights in float16; changed: entries of config.json that are added or replaced.
    """
    model = stored()[name]
    weights = weights_of(model["shapes"])
    if half:
        weights = {key: value.half() if value.is_floating_point() else value for key, value in weights.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**model["config"], **changed}), encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return weights, torch.tensor(model["logits"])


def built_by_transformers(name: str) -> dict[str, Any]:
    """Return config, shapes and logits of a model as transformers builds, writes and runs it."""
    import tempfile

    import transformers
    from safetensors import safe_open

    family, settings = MODELS[name]
    labels = {"id2label": dict(enumerate(CLASSES)), "label2id": {label: at for at, label in enumerate(CLASSES)}}
    model = getattr(transformers, f"{family}ForImageClassification")(
        getattr(transformers, f"{family}Config")(**settings, **labels)
    )
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            metadata, shapes = file.metadata(), {key: list(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        save_file(weights_of(shapes), Path(folder) / "model.safetensors", metadata=metadata)
        loaded = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = loaded(images_of(config)).logits
    return {"config": config, "shapes": shapes, "logits": logits.tolist()}


if __name__ == "__main__":
    models = {name: built_by_transformers(name) for name in MODELS}
    STORED.write_text(json.dumps(models, ensure_ascii=False) + "\n", encoding="utf-8")
