"""How images are prepared for a model: what stands beside its file, else what its architecture was published with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core import jsonio
from core.data.preprocessing import INTERPOLATIONS, Preprocessing
from core.errors import InputError
from core.models.architectures import TIMM_PREFIX, ModelSpec, get_architecture
from core.models.card import find_card, read_card
from core.models.checkpoint import weights_file

HUB_CONFIG = "config.json"  # what timm writes beside weights it saves for a hub

# torchvision's pretrained networks of these families turn ImageNet's mean and std into these values themselves
# (`transform_input`). The switch is no weight, so the network built here has it off and gets its input like this.
_TURNED = {"googlenet": (0.5, 0.5, 0.5), "inception_v3": (0.5, 0.5, 0.5)}


def stated_preprocessing(path: Path | str) -> Preprocessing | None:
    """Return the preprocessing in a model's card, or in timm's config.json beside it; None where neither says it.

    Raises InputError where it is damaged.
    """
    weights = weights_file(Path(path))
    said = (read_card(weights) or {}).get("preprocessing")
    if said:
        card = find_card(weights)
        where = card.name if card is not None else f"the metadata of {weights.name}"
        return Preprocessing.from_dict(said, source="model card", where=f"The preprocessing in {where}")
    config = hub_config(weights)
    return _of_timm(config["pretrained_cfg"], "timm config") if config else None


def hub_config(weights: Path) -> Mapping[str, Any] | None:
    """Return timm's config.json beside a weights file; None where there is none, or it is another program's."""
    file = weights.with_name(HUB_CONFIG)
    if not file.is_file():
        return None
    try:
        content = jsonio.read_json(file)
    except InputError:
        return None
    mine = isinstance(content, dict) and isinstance(content.get("architecture"), str)
    return content if mine and isinstance(content.get("pretrained_cfg"), dict) else None


def usual_preprocessing(spec: ModelSpec) -> Preprocessing | None:
    """Return what the published weights of an architecture were trained with, at `spec`'s size where that is fixed.

    None for architectures without published weights, and for networks of other than three input channels.
    """
    if spec.in_channels != 3 or spec.user_code:
        return None
    if spec.architecture.startswith(TIMM_PREFIX):
        from core.models.timm_models import published_config

        found = _of_timm(published_config(spec.architecture), "weights")
    else:
        found = _of_torchvision(spec.architecture.removesuffix("-no-aux"))
    if found is None or not _fixed_size(spec):
        return found
    return Preprocessing(spec.input_size, found.mean, found.std, found.interpolation, found.source)


def _of_torchvision(name: str) -> Preprocessing | None:
    from torchvision import models

    try:
        prepared = models.get_model_weights(name).DEFAULT.transforms()
    except ValueError:  # ours, or the small-image form of one of theirs
        return None
    size = int(prepared.crop_size[0])
    mean, std = _TURNED.get(name, tuple(prepared.mean)), _TURNED.get(name, tuple(prepared.std))
    return Preprocessing((size, size), mean, std, _interpolation(prepared.interpolation.value), "weights")


def _of_timm(config: Mapping[str, Any], source: str) -> Preprocessing | None:
    size, mean, std = config.get("input_size"), config.get("mean"), config.get("std")
    if not (size and mean and std):
        return None
    values: dict[str, Any] = {"size": list(size[1:]), "mean": list(mean), "std": list(std)}
    values["interpolation"] = _interpolation(config.get("interpolation"))
    return Preprocessing.from_dict(values, source=source, where=f"The preprocessing in timm's {HUB_CONFIG}")


def _interpolation(name: Any) -> str:
    return str(name) if name in INTERPOLATIONS else "bilinear"  # "random", "lanczos", …: the nearest there is


def _fixed_size(spec: ModelSpec) -> bool:
    return get_architecture(spec.architecture).size_is_structural
