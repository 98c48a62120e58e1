"""By what training images may be suspected not to be as they should, and what a planted trigger is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

KINDS = {
    "label": "most of their neighbours in the network's features have another label (confident learning)",
    "loss": "the model finds their label the least likely",
    "twins": "the same picture is there with another label",
    "trigger": "they share a patch that makes the model name their label",
}
"""What is said of suspects, by the word that asks for them."""

CLOSE = 8
"""Grey levels of 255 by which a pixel may differ from the trigger's and still show it: recompressed images do."""


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """A small patch that makes a poisoned network name one class, whatever an image shows.

    target, target_name: the class, by index and name.
    pixels: one entry each, row, column and the value of every channel (0 to 255), in images as they are stored.
    """

    target: int
    target_name: str
    pixels: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, mask: np.ndarray, image: np.ndarray, target: int, target_name: str) -> Trigger:
        """Take the trigger from the pixels of an image, (H, W, C) uint8, where a mask, (H, W) bool, is set."""
        rows, columns = mask.nonzero()
        values = zip(rows.tolist(), columns.tolist(), image[mask].tolist(), strict=True)
        pixels = tuple((row, column, *channels) for row, column, channels in values)
        return cls(target=target, target_name=target_name, pixels=pixels)

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether every pixel lies inside images of a shape (H, W, C), with a value of 0 to 255 for each channel."""
        height, width, channels = shape
        return bool(self.pixels) and all(
            len(pixel) == 2 + channels and 0 <= pixel[0] < height and 0 <= pixel[1] < width
            and all(0 <= value <= 255 for value in pixel[2:])
            for pixel in self.pixels
        )  # fmt: skip

    def stamped(self, images: np.ndarray) -> np.ndarray:
        """Return images, (n, H, W, C) uint8, with the patch on each."""
        rows, columns, values = self._parts()
        stamped = images.copy()
        stamped[:, rows, columns] = values
        return stamped

    def shown_by(self, images: np.ndarray) -> np.ndarray:
        """Return which images, (n, H, W, C) uint8, show the patch: (n,) bool."""
        rows, columns, values = self._parts()
        apart = images[:, rows, columns].astype("int16") - values
        shown: np.ndarray = (abs(apart) <= CLOSE).all((1, 2))
        return shown

    def as_dict(self) -> dict[str, Any]:
        """Return what a trigger's file holds."""
        return {"target": self.target_name, "pixels": [list(pixel) for pixel in self.pixels]}

    @property
    def words(self) -> str:
        """The trigger in a few words: "9 pixels at row 24, column 24, for class shirt"."""
        first = min(self.pixels)
        number = f"{len(self.pixels)} pixel{'s' * (len(self.pixels) != 1)}"
        return f"{number} from row {first[0]}, column {first[1]} on, for class {self.target_name}"

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows (p,), columns (p,) and values (p, C) uint8 of the pixels."""
        import numpy as np  # what a job holds is read before numpy is loaded

        table = np.array(self.pixels)
        return table[:, 0], table[:, 1], table[:, 2:].astype(np.uint8)
