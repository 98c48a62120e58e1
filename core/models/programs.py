"""The program that a model file may carry, which computes what the network computes: pickled, TorchScript or .pt2.

A network that is rebuilt from the weights is held against it on random images.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from core.errors import InputError
from core.models.architectures import ModelSpec, Size
from core.models.pickles import cannot_run
from core.models.tap import evaluating, main_logits
from core.models.tasks import FILL_IN, needed_inputs

Build = Callable[[ModelSpec], nn.Module]

_IMAGES = 3  # in a pass, where the program does not say how many
_LOOKS = 2  # sizes that networks are compared on, where the program takes several
_SIZES = (32, 64, 224, 96, 28, 128, 299, 384, 256, 48, 16, 8)
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-4}  # as a share of the largest output
_COARSE = 5e-2  # for programs that compute in 16 bits


@dataclass(frozen=True, eq=False)
class Program:
    """A program: `run(images)` gives what it gives for (n, c, h, w).

    shape: what it takes, None where any number will do, empty where it does not say. differences: by the name of a
    network, how far its outputs were from the program's, as a share of the largest.
    """

    kind: Literal["pickled", "TorchScript", "torch.export"]
    run: Callable[[Tensor], Any]
    shape: tuple[int | None, ...] = ()
    dtype: torch.dtype = torch.float32
    name: str = ""  # of the class, of pickled ones
    missing: InputError | None = None  # why a pickled one cannot run
    inputs: int = 1  # that must be given
    called: str = ""  # these inputs in words, of pickled ones
    differences: dict[str, float] = field(default_factory=dict)

    def agrees(self, spec: ModelSpec, build: Build, sizes: Sequence[Size]) -> bool:
        """Whether a network's outputs are the program's on random images; not where it takes no image that was tried.

        build: returns a network with the file's weights, in evaluation mode. sizes: of images to try first.
        """
        if spec.architecture not in self.differences:  # a file is opened several times, for other data
            self.differences[spec.architecture] = self._difference(spec, build(spec), sizes)
        return self.differences[spec.architecture] <= self._tolerance

    def require_one_input(self, file: str) -> None:
        """Raise InputError, naming the file, where the program takes something beside images."""
        if self.inputs != 1:
            raise InputError(
                f"The {self.kind} program in {file} takes {self.inputs} inputs{self.called}, not images alone", FILL_IN
            )

    def takes(self, channels: int, sizes: Iterable[Size]) -> bool:
        """Whether the program runs on images of one of these sizes, or one of the usual ones."""
        return next(self._answers(channels, sizes), None) is not None

    @property
    def _tolerance(self) -> float:
        return _TOLERANCE.get(self.dtype, _COARSE)

    def _difference(self, spec: ModelSpec, network: nn.Module, sizes: Iterable[Size]) -> float:
        """Return how far a network's outputs are from the program's; infinite where it takes no image."""
        difference = math.inf
        for _, (images, wanted) in zip(range(_LOOKS), self._answers(spec.in_channels, sizes), strict=False):
            modes = (False, True) if self.kind == "torch.export" else (False,)  # the others are put into evaluation
            difference = min(_difference(network, images, wanted, training) for training in modes)
            if not difference <= self._tolerance:
                break
        return difference

    def _answers(self, channels: int, sizes: Iterable[Size]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield random images (n, c, h, w) of each size that the program takes, and its outputs (n, K) for them."""
        number, stated = self.shape[0] if self.shape else None, (*self.shape[2:], None, None)[:2]
        generator = torch.Generator().manual_seed(0)
        for size in dict.fromkeys([*sizes, *((side, side) for side in _SIZES)]):
            height, width = (fixed or side for fixed, side in zip(stated, size, strict=True))
            images = torch.randn(number or _IMAGES, channels, height, width, generator=generator)
            try:
                with torch.no_grad(), torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    yield images, main_logits(self.run(images.to(self.dtype))).float()
            except Exception:  # a foreign program may raise anything on a shape it was not made for
                continue
            if None not in stated:
                return


def pickled_program(network: nn.Module, explain: Callable[[], InputError]) -> Program:
    """Return the program of a pickled network; `explain` gives the error where a class of it was not found."""
    if cannot_run(network):
        return Program("pickled", network, name=type(network).__name__, missing=explain())

    tensors = [value for value in network.state_dict().values() if isinstance(value, Tensor)]
    single = all(value.dtype in (torch.float32, torch.int64) for value in tensors)

    def run(images: Tensor) -> Any:
        module = network if single else copy.deepcopy(network).float()
        with evaluating(module):
            return module(images)

    needed = needed_inputs(network)
    if len(needed) < 2:
        return Program("pickled", run, name=type(network).__name__)
    called = f" ({', '.join(needed)})"
    return Program("pickled", run, name=type(network).__name__, inputs=len(needed), called=called)


def scripted_program(module: Any) -> Program:
    """Return the program of a TorchScript module."""
    dtypes = [value.dtype for value in module.parameters() if value.is_floating_point()]
    given = [argument for argument in module.forward.schema.arguments[1:] if not argument.has_default_value()]
    return Program("TorchScript", module.eval(), dtype=dtypes[0] if dtypes else torch.float32, inputs=len(given))


def exported_program(exported: Any) -> Program:
    """Return that of torch.export, with the shape of the images it takes."""
    inputs = set(exported.graph_signature.user_inputs)
    found = [node.meta["val"] for node in exported.graph.nodes if node.op == "placeholder" and node.name in inputs]
    if len(found) != 1 or not isinstance(found[0], Tensor) or found[0].ndim != 4:
        return Program("torch.export", exported.module(), inputs=len(found))
    shape = tuple(side if isinstance(side, int) else None for side in found[0].shape)
    return Program("torch.export", exported.module(), shape, found[0].dtype)


def _difference(network: nn.Module, images: Tensor, wanted: Tensor, training: bool) -> float:
    """Return how far a network's outputs are from those wanted, as a share of the largest; infinite where it fails.

    training: in the mode of training, in which programs are exported by mistake.
    """
    if training:
        network = copy.deepcopy(network)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            given = main_logits(network.train(training)(images))
    except Exception:  # what a network raises on images too small for it
        return math.inf
    if given.shape != wanted.shape:
        return math.inf
    scale = max(float(wanted.abs().max()), 1e-6)
    return float((given - wanted).abs().max()) / scale
