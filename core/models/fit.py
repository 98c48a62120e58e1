"""Whether a model can be used on a data set."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from core.data.preprocessing import count_channels
from core.errors import InputError, MismatchError
from core.files import composed
from core.models.architectures import Size, get_architecture, signature, times
from core.models.class_lists import is_binding, refuse_other_outputs, same_names
from core.models.hub import HUB_CONFIG

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel

_CHANGED = "or state that images are made grey or colour with --preprocess"


def check_fit(model: OpenedModel, dataset: Dataset) -> None:
    """Raise MismatchError, naming both values and what to do, where a model cannot be used on a data set.

    Without a model card only structure binds: number of outputs, channels, and the size where weights are made for
    one. With a card its image size and class list bind as well.
    """
    if model.spec.num_classes:
        refuse_other_outputs(model, dataset)
    check_channels(model.spec.in_channels, dataset.channels)
    _check_card_channels(model, dataset)
    _check_card_size(model, dataset)
    _check_structure(model, dataset)
    _check_class_list(model, dataset)


def check_channels(takes: int, given: int) -> None:
    """Raise MismatchError where a network takes images of another number of channels than it is given."""
    if takes != given:
        raise MismatchError(
            f"The model takes images of {count_channels(takes)}, the data set's have {count_channels(given)}",
            f"Open the data the model was trained on, {_CHANGED}"
            if takes in (1, 3)
            else "Open the data the model was trained on: such images are read from arrays (.npz or .npy)",
        )


def _check_card_channels(model: OpenedModel, dataset: Dataset) -> None:
    card = model.card or {}
    stated = card.get("image_channels") or card.get("in_channels")
    # Hugging Face's processors convert images, and a preprocessing file is the user's word that they are to be.
    if model.file.where == HUB_CONFIG or not stated or dataset.preprocessing.source == "file":
        return
    if stated != dataset.stored_channels:
        raise MismatchError(
            f"The model card says images of {count_channels(stated)}, "
            f"the data set's have {count_channels(dataset.stored_channels)}",
            f"Open the data the model was trained on, {_CHANGED}",
        )


def _check_card_size(model: OpenedModel, dataset: Dataset) -> None:
    card = model.card or {}
    resized = "Open the data the model was trained on, or state how images are resized with --preprocess"
    if card.get("input_size") and tuple(card["input_size"]) != dataset.preprocessing.size:
        raise MismatchError(
            f"The model card says images of {pixels(card['input_size'])}, "
            f"the data set is prepared to {pixels(dataset.preprocessing.size)}",
            resized,
        )
    images = card.get("image_size") or card.get("input_size")
    # A preprocessing file is the user's word that these images are meant to be resized.
    if images and tuple(images) != dataset.image_size and dataset.preprocessing.source != "file":
        raise MismatchError(
            f"The model card says images of {pixels(images)}, the data set has {pixels(dataset.image_size)}", resized
        )


def _check_structure(model: OpenedModel, dataset: Dataset) -> None:
    size = dataset.preprocessing.size
    if model.spec.user_code:
        return  # nothing is known of its structure; the first forward pass checks it
    architecture = get_architecture(model.spec.architecture)
    if min(size) < architecture.min_size:
        least = (architecture.min_size, architecture.min_size)
        raise MismatchError(
            f"{architecture.id} needs images of at least {pixels(least)}, the data set is prepared to {pixels(size)}",
            "State a larger size with --preprocess, or use another model",
        )
    if not architecture.size_is_structural:
        return
    try:
        fits = signature(dataclasses.replace(model.spec, input_size=size)) == signature(model.spec)
    except InputError as error:
        raise MismatchError(error.message, "State another size with --preprocess, or use another model") from error
    if not fits:
        raise MismatchError(
            f"The weights are made for images of {pixels(model.spec.input_size)}, "
            f"the data set is prepared to {pixels(size)}",
            "Open the data the model was trained on, or state the size with --preprocess",
        )


def _check_class_list(model: OpenedModel, dataset: Dataset) -> None:
    pairs = list(zip(model.classes or (), dataset.classes, strict=True)) if is_binding(model) else []
    differing = (i for i, (ours, theirs) in enumerate(pairs) if composed(ours) != composed(theirs))
    output = next(differing, None)
    if output is None:
        return
    same = same_names(model.classes or (), dataset.classes)
    what = "lists the classes in another order" if same else "lists other classes"
    ours, theirs = pairs[output]
    raise MismatchError(
        f"The model card {what} than the data set: output {output} is {ours!r} in the card, {theirs!r} in the data",
        "Give the order of the model's outputs with --classes" if same else "Open the data the model was trained on",
    )


def pixels(size: Size | list[int]) -> str:
    """Return a size of images in words."""
    return f"{times(size)} pixels"
