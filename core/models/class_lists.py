"""A model's own list of classes, and the data's classes brought to the model's outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.data.classes import arrange, goes_by_number, places_among, some
from core.data.dataset import Dataset
from core.data.sources import fingerprint
from core.errors import MismatchError, first_few
from core.files import composed, loads, read_object
from core.models.hub import HUB_CONFIG

if TYPE_CHECKING:
    from core.models.checkpoint import OpenedModel

KEYS = ("classes", "class_names", "label_names", "labels", "class_to_idx", "idx_to_class", "id2label", "label2id")
"""What programs call the list of classes that they save beside weights."""

_NAMES_SHOWN = 12
_ALPHABETICAL = 10  # numbered folders, up to which the order of names is that of numbers


@dataclass(frozen=True)
class ClassList:
    """The names of all outputs, in their order, and where they stand, in words."""

    names: tuple[str, ...]
    where: str


def own_classes(model: OpenedModel) -> ClassList | None:
    """Return the list of classes in a model's card, else beside its weights or in config.json; None where none fits.

    A list fits that names every output once.
    """
    if model.classes:
        return ClassList(model.classes, "the model card" if is_binding(model) else f"'id2label' in {HUB_CONFIG}")
    for found in _beside(model):
        if len(found.names) == model.spec.num_classes:
            return found
    return None


def _beside(model: OpenedModel) -> Iterator[ClassList]:
    """Yield the lists among plain values, in the metadata, and in the configuration beside the file."""
    path, form = model.path, model.form
    described = read_object(path.with_name(HUB_CONFIG))
    metadata = {key: _parsed(form.metadata[key]) for key in KEYS if key in form.metadata}
    for values, where in ((form.scalars, path.name), (metadata, path.name), (described, HUB_CONFIG)):
        for level in (values, *(value for value in values.values() if isinstance(value, Mapping))):
            for key in KEYS:
                if names := _names(level.get(key)):
                    yield ClassList(names, f"{key!r} in {where}")


def _parsed(text: str) -> Any:
    """Return what a text of metadata holds: JSON, else names between commas."""
    try:
        return loads(text)
    except ValueError:
        return [part.strip() for part in text.split(",")]


def _names(value: Any) -> tuple[str, ...]:
    """Return the names, in the order of outputs, in a list, or in a mapping of names to numbers or the other way round.

    Empty where they are none, or name nothing ("LABEL_0").
    """
    if isinstance(value, Mapping):
        if all(isinstance(number, int) for number in value.values()):
            value = {number: name for name, number in value.items()}
        by_number = {int(key): name for key, name in value.items() if str(key).isdecimal()}
        value = [by_number.get(number) for number in range(len(value))]
    if not isinstance(value, list | tuple):
        return ()
    if not all(isinstance(name, str) and name.strip() and "\n" not in name for name in value):
        return ()
    names = tuple(name.strip() for name in value)
    says_nothing = all(name == f"LABEL_{number}" for number, name in enumerate(names))
    return () if says_nothing or len(set(names)) < len(names) else names


def settle_classes(model: OpenedModel, dataset: Dataset) -> Dataset:
    """Return the data with a class for each output of the model, where that follows from the two; else as it is.

    In this order: the model's own list, where it names all classes of the data; the data's class folders, those without
    an image included; the numbers that label the data. The result says what was decided, and knows the data as it was
    read. A model card that has the data's own names in another order is left for `check_fit` to refuse.
    """
    listed, outputs = own_classes(model), model.spec.num_classes
    if not outputs:  # an encoder: classes are the data's alone
        return dataset
    if listed is not None:
        if is_binding(model) and same_names(listed.names, dataset.classes):
            return dataset
        certain = _order_is_certain(dataset) or not goes_by_number(dataset.classes, listed.names)
        if certain and places_among(dataset.classes, listed.names) is not None:
            return _by_list(dataset, listed)
    if outputs > dataset.num_classes and listed is None:
        if len(dataset.found.every) == outputs:
            said = f"The model has {outputs} outputs, one for each class that the data names."
            return _settled(dataset, dataset.found.every, said)
        if _only_numbers(dataset) and _order_is_certain(dataset):
            numbers = tuple(str(number) for number in range(outputs))
            said = f"The model has {outputs} outputs: each label of the data is taken for its output's number."
            return _settled(dataset, numbers, said)
    return _without_use(dataset, listed) if listed is not None else dataset


def is_binding(model: OpenedModel) -> bool:
    """Whether a model card lists the classes: data that lists others is refused. Other lists give way to the data's."""
    return bool(model.classes) and model.file.where != HUB_CONFIG


def same_names(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two lists hold the same names, in whatever order."""
    return sorted(map(composed, one)) == sorted(map(composed, other))


def _only_numbers(dataset: Dataset) -> bool:
    return dataset.classes == tuple(str(number) for number in range(dataset.num_classes))


def _order_is_certain(dataset: Dataset) -> bool:
    """Whether classes that are called by numbers can only have been numbered like this.

    A folder "10" stands before "2" in the alphabet: a network may have been trained on either order.
    """
    numbers = {str(number) for number in range(dataset.num_classes)}
    return dataset.found.numbered or set(dataset.classes) != numbers or dataset.num_classes <= _ALPHABETICAL


def _by_list(dataset: Dataset, listed: ClassList) -> Dataset:
    """Return the data in the order of the model's own list; where that changes anything it is said."""
    names = arrange(dataset, listed.names, listed.where).classes
    if names == dataset.classes:
        return dataset
    if _only_numbers(dataset):
        said = f"The data only numbers its classes; {listed.where} names them: {_shown(names)}."
        return _settled(dataset, names, said)
    said = f"The classes stand in the order of {listed.where}: {_shown(names)}."
    return _settled(dataset, names, said)


def _settled(dataset: Dataset, names: tuple[str, ...], said: str) -> Dataset:
    """Return the data with these classes, as the model settles them; `said` tells people."""
    data = arrange(dataset, names, "The model's list")
    return dataclasses.replace(
        data,
        fingerprint=fingerprint(data.classes, data.train, data.test),
        found=dataclasses.replace(data.found, notices=(*data.found.notices, said)),
        as_read=dataset,
    )


def _without_use(dataset: Dataset, listed: ClassList) -> Dataset:
    """Return the data with the word that the model's own list names other classes."""
    if same_names(listed.names, dataset.classes):
        return dataset
    said = (
        f"By {listed.where} the model's outputs are {_shown(listed.names)}, the data has other names: output 0 "
        f"({listed.names[0]}) is taken for {dataset.classes[0]!r}, and so on; if that is wrong, give the order with "
        "--classes."
    )
    found = dataclasses.replace(dataset.found, notices=(*dataset.found.notices, said))
    return dataclasses.replace(dataset, found=found)


def _shown(names: tuple[str, ...]) -> str:
    return first_few(names, _NAMES_SHOWN)


class MoreOutputsError(MismatchError):
    """A model has more outputs than the data has classes, and nothing names the others; `outputs` is their number."""

    def __init__(self, message: str, hint: str, outputs: int) -> None:
        self.outputs = outputs
        super().__init__(message, hint)


def refuse_other_outputs(model: OpenedModel, dataset: Dataset) -> None:
    """Raise MismatchError where a model has not one output for each class, MoreOutputsError where it has more."""
    outputs, classes = model.spec.num_classes, dataset.num_classes
    if outputs == classes:
        return
    said = f"The model has {outputs} outputs, the data set {classes} classes"
    listed = own_classes(model)
    known = set() if listed is None else set(map(composed, listed.names))
    unknown = [name for name in dataset.classes if composed(name) not in known]
    if listed is not None and unknown:
        said += f"; {some(unknown)} {'is' if len(unknown) == 1 else 'are'} not among the names in {listed.where}"
    if outputs < classes:
        raise MismatchError(said, "Open the data the model was trained on, or take out what else is there")
    if listed is not None and not unknown:
        raise MismatchError(said, f"Leave out --classes: {listed.where} names all {outputs} outputs")
    raise MoreOutputsError(
        said,
        f"List the names of all {outputs} outputs, one a line in their order, in a file and give it with --classes: "
        "the data's own names where it has images, any other name for an output without",
        outputs,
    )
