"""Whether a model and a data set belong together: outputs, channels, size and what the model card binds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from core.errors import InputError, MismatchError
from core.models.architectures import ModelSpec, Size, get_architecture, signature
from core.models.checkpoint import OpenedModel, same_shapes

if TYPE_CHECKING:
    from core.data.dataset import Dataset


def check_fit(model: OpenedModel, dataset: Dataset) -> None:
    """Raise MismatchError, naming both values and what to do, where a model cannot be used on a data set.

    Without a model card only structure binds: number of outputs, channels, and the size where weights are made for
    one. With a card its image size and class list bind as well.
    """
    _check_outputs(model, dataset)
    _check_channels(model, dataset)
    _check_card_size(model, dataset)
    _check_structure(model, dataset)
    _check_class_list(model, dataset)


def spec_for(model: OpenedModel, dataset: Dataset) -> ModelSpec:
    """The model's spec with the input size the data set is prepared to; both must fit (`check_fit`)."""
    return dataclasses.replace(model.spec, input_size=dataset.preprocessing.size)


def _check_outputs(model: OpenedModel, dataset: Dataset) -> None:
    if model.spec.num_classes != dataset.num_classes:
        raise MismatchError(
            f"The model has {model.spec.num_classes} outputs, the data set {dataset.num_classes} classes",
            "Open the data the model was trained on, or list the classes of all outputs with --classes",
        )


def _check_channels(model: OpenedModel, dataset: Dataset) -> None:
    if model.spec.in_channels != dataset.channels:
        raise MismatchError(
            f"The model takes images of {_channels(model.spec.in_channels)}, "
            f"the data set's have {_channels(dataset.channels)}",
            "Open the data the model was trained on, or convert the images",
        )


def _check_card_size(model: OpenedModel, dataset: Dataset) -> None:
    card = model.card or {}
    resized = "Open the data the model was trained on, or state how images are resized with --preprocess"
    if card.get("input_size") and tuple(card["input_size"]) != dataset.preprocessing.size:
        raise MismatchError(
            f"The model card says images of {_size(card['input_size'])}, "
            f"the data set is prepared to {_size(dataset.preprocessing.size)}",
            resized,
        )
    images = card.get("image_size") or card.get("input_size")
    # A preprocessing file is the user's word that these images are meant to be resized.
    if images and tuple(images) != dataset.image_size and dataset.preprocessing.source != "file":
        raise MismatchError(
            f"The model card says images of {_size(images)}, the data set has {_size(dataset.image_size)}", resized
        )


def _check_structure(model: OpenedModel, dataset: Dataset) -> None:
    size = dataset.preprocessing.size
    if model.spec.user_code:
        return  # nothing is known of its structure; a first forward pass tells
    architecture = get_architecture(model.spec.architecture)
    if min(size) < architecture.min_size:
        least = (architecture.min_size, architecture.min_size)
        raise MismatchError(
            f"{architecture.id} needs images of at least {_size(least)}, the data set is prepared to {_size(size)}",
            "State a larger size with --preprocess, or use another model",
        )
    if not architecture.size_is_structural:
        return
    try:
        signature(spec_for(model, dataset))
    except InputError as error:
        raise MismatchError(error.message, "State another size with --preprocess, or use another model") from error
    if not same_shapes(spec_for(model, dataset), model.spec):
        raise MismatchError(
            f"The weights are made for images of {_size(model.spec.input_size)}, "
            f"the data set is prepared to {_size(size)}",
            "Open the data the model was trained on, or state the size with --preprocess",
        )


def _check_class_list(model: OpenedModel, dataset: Dataset) -> None:
    if model.classes is None or model.classes == dataset.classes:
        return
    output, (ours, theirs) = next(
        (i, pair) for i, pair in enumerate(zip(model.classes, dataset.classes, strict=True)) if pair[0] != pair[1]
    )
    same_names = sorted(model.classes) == sorted(dataset.classes)
    what = "lists the classes in another order" if same_names else "lists other classes"
    raise MismatchError(
        f"The model card {what} than the data set: output {output} is {ours!r} in the card, {theirs!r} in the data",
        "Give the order of the model's outputs with --classes"
        if same_names
        else "Open the data the model was trained on",
    )


def _channels(count: int) -> str:
    return f"{count} channel{'s' if count != 1 else ''}"


def _size(size: Size | list[int]) -> str:
    return f"{size[0]}x{size[1]} pixels"
