"""What is told about an opened model and data set, as rows of facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.services import format as fmt
from app.services.translation import tr

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.models.checkpoint import OpenedModel

SHORT_HASH = 12


@dataclass(frozen=True)
class Fact:
    """One row. `hint` is its tool tip; `change` names what the button of the row opens, as it says on it."""

    key: str
    label: str
    value: str
    hint: str = ""
    fixed: bool = False
    change: str = ""


def model_facts(model: OpenedModel, dataset: Dataset | None) -> list[Fact]:
    """Facts of a model; how images are prepared for it is known once the data is open."""
    spec = model.spec
    size = times(*spec.input_size)
    known = model.size_known or dataset is not None
    listed = "names in the file" if model.names else "no names in the file"
    names = "names in the model card" if model.classes else listed
    facts = [
        Fact("file", "File", model.path.name, str(model.path)),
        Fact("architecture", "Architecture", f"{spec.architecture} · {fmt.short_number(model.parameters)} parameters",
             change="Change…" if model.alternatives and dataset is not None else ""),
        Fact("input", "Input", f"{size if known else size + ' (usual)'} · {fmt.plural(spec.in_channels, 'channel')}",
             "" if known else "The file does not tell its input size; it follows from the data."),
        Fact("classes", "Outputs", f"{fmt.plural(spec.num_classes, 'class', 'classes')} · {names}"),
    ]  # fmt: skip
    if others := [name for name in model.file.weights.entries if name not in entry(model).split("+")]:
        facts.insert(1, Fact("entry", "Entry", f"{entry(model)} · beside it {', '.join(others)}", change="Change…"))
    if dataset is not None:
        from core.data.preprocessing import SOURCES

        said = dataset.preparation.replace(SOURCES["file"], "set by hand")
        done, _, who = said.rpartition("; ")
        facts.append(Fact("preprocessing", "Preprocessing", done, said, change="Change…"))
        facts.append(Fact("stated", "", who, said))
    if model.evaluation_only:
        facts.append(Fact("limit", "Use", "can be measured, not unlearned", "TorchScript is a program, not weights."))
    facts.append(Fact("sha256", "SHA-256", model.sha256[:SHORT_HASH], model.sha256, fixed=True))
    return facts


def entry(model: OpenedModel) -> str:
    """Return which entry of its file a model is, as --key takes it; "" where the file holds nothing beside it."""
    name = model.form.key or model.form.container or ""  # may lead into the entry, to the network in it
    return max((one for one in model.file.weights.entries if f"{name}.".startswith(f"{one}.")), key=len, default=name)


def data_facts(dataset: Dataset, own_size: tuple[int, int] | None = None) -> list[Fact]:
    """Facts of a data set; `own_size` is that of its first file, before the images were prepared."""
    own = dataset.test_origin == "own"
    place = str(dataset.root) if dataset.root is not None else dataset.spec
    train, test = fmt.count(len(dataset.train)), fmt.count(len(dataset.test))
    facts = [
        Fact("source", "Data", dataset.title, place),
        Fact("images", "Images", f"{train} to train on · {test} to test"),
        Fact("test", "Test images", "separate test split" if own else "set aside · seen before",
             "" if own else "Taken out of the training images, so the model has already seen them."),
        Fact("classes", "Classes", fmt.count(dataset.num_classes), ", ".join(dataset.classes[:50])),
        Fact("size", "Image size", " · ".join((_sizes(dataset.image_size, own_size),
                                               fmt.plural(dataset.channels, "channel")))),
    ]  # fmt: skip
    if dataset.notices:
        facts.append(Fact("notice", "Note", " ".join(dataset.notices), "\n".join(dataset.notices), change="Show…"))
    if dataset.listed:
        facts.append(Fact("unreadable", "Left out", _left_out(dataset), change="Show…"))
    facts.append(Fact("fingerprint", "Fingerprint", dataset.fingerprint[:SHORT_HASH], dataset.fingerprint, fixed=True))
    return facts


def _left_out(dataset: Dataset) -> str:
    black = len(dataset.undecoded)
    said = [f"{fmt.plural(len(dataset.unreadable), 'file')} could not be read"] if dataset.unreadable else []
    if black:
        said.append(f"{fmt.count(black)} {'counts' if black == 1 else 'count'} as black")
    return " · ".join(said)


def _sizes(prepared: tuple[int, int], own: tuple[int, int] | None) -> str:
    if own is None or own == prepared:
        return times(*prepared)
    return tr("{own}, prepared to {prepared}", own=times(*own), prepared=times(*prepared))


def size_of_first(dataset: Dataset) -> tuple[int, int] | None:
    """Return height and width of the first image as its file has it; None where it is no file. Runs in a worker."""
    from PIL import Image

    if dataset.root is None or not dataset.train.paths:
        return None
    try:
        with Image.open(dataset.root / dataset.train.paths[0]) as image:
            return image.height, image.width
    except OSError:
        return None


def times(height: int, width: int) -> str:
    """"28 × 28"."""
    return f"{height} × {width}"
