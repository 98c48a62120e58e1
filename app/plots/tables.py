"""The data of a figure as a table, for CSV."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Cell = float | str | None
Table = tuple[list[str], list[list[Cell]]]
Curve = tuple[str, NDArray[np.float64], NDArray[np.float64]]  # title, x (n,), y (n,) with NaN as a gap


def table_of(x_title: str, curves: Sequence[Curve]) -> Table:
    """Return curves as a table: one column of x, one for each curve, None where a curve has no point."""
    xs = np.unique(np.concatenate([x for _, x, _ in curves])) if curves else np.empty(0)
    columns = [dict(zip(x.tolist(), y.tolist(), strict=True)) for _, x, y in curves]
    rows: list[list[Cell]] = [[x, *(_known(column.get(x)) for column in columns)] for x in xs.tolist()]
    return [x_title, *(title for title, *_ in curves)], rows


def written(cell: Cell) -> str:
    """Write a cell: numbers with nine digits, nothing where there is no value."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else f"{cell:.9g}"


def _known(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
