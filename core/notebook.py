"""For notebooks: a run's progress as a bar or a line, a report as a pandas frame, and its plots as SVG.

All of it is what the command line and the report show, put where a notebook shows things. pandas and ipywidgets are
the extra `notebook` and are loaded when they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import events
from core.cli.output import RunProgress, Screen
from core.errors import InputError
from core.runs.folder import RunFolder
from core.text import visible

if TYPE_CHECKING:
    import pandas as pd

    from core.verify.pages import Plot

_LONGEST_LINE = 200  # characters beside a bar


class Progress:
    """Shows how far a run or a check is; give one as `emit`. A bar where ipywidgets is installed, else plain lines."""

    def __init__(self) -> None:
        self._bar = _Bar.shown()
        self._progress = RunProgress(self._bar or Screen())

    def __call__(self, event: events.Event) -> None:
        """Take one event."""
        self._progress(event)
        if self._bar is None:
            return
        if isinstance(event, events.Progress) and event.total > 0:  # loading, checking
            self._bar.move(event.done, event.total)
        else:
            self._bar.move(*self._progress.done)
        if isinstance(event, events.RunFinished | events.RunFailed):
            self._bar.end(self._progress.line(), failed=isinstance(event, events.RunFailed))


class _Bar(Screen):
    """A bar, and the line that a terminal writes over beside it."""

    def __init__(self, bar: Any, line: Any) -> None:
        super().__init__()
        self._bar, self._line = bar, line

    @classmethod
    def shown(cls) -> _Bar | None:
        """Show a bar below the cell that runs; None outside a notebook and without ipywidgets."""
        try:
            import ipywidgets
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            return None
        if getattr(get_ipython(), "kernel", None) is None:  # a script, or a terminal, which has a line of its own
            return None
        bar, line = ipywidgets.IntProgress(max=1), ipywidgets.Label()
        display(ipywidgets.HBox([bar, line]))
        return cls(bar, line)

    @property
    def live(self) -> bool:
        """The line can be written over."""
        return True

    @property
    def width(self) -> int:
        """Characters of the line."""
        return _LONGEST_LINE

    def over(self, text: str) -> None:
        """Write the line."""
        self._line.value = visible(text)

    def move(self, done: int, steps: int) -> None:
        """Move the bar."""
        self._bar.max, self._bar.value = max(1, steps), done

    def end(self, line: str, *, failed: bool) -> None:
        """Leave the last line, and the bar in the colour of how it ended."""
        self._bar.bar_style = "danger" if failed else "success"
        self.over(line)


def frame(report: Mapping[str, Any]) -> pd.DataFrame:
    """Return the measures of a report, as `check` gives it, as a frame: a row a measure, a column a model.

    Accuracies and shares are 0..1, where `unit` says "share"; a value that could not be taken is NaN. `gap closed` is
    how far the unlearned model has come from the original (0) to the retrained one (1), NaN of a correction. `note` is
    what must stand beside the numbers, such as k and energy of an alignment. Frames of several runs are one with
    `pandas.concat({"name": frame(report), …})`.

    Raises InputError where pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        hint = 'Install it: pip install "unlearn-studio[notebook]"'
        raise InputError("A frame needs the package pandas", hint) from error
    from core.verify.table import COLUMNS, MODELS, gaps_shown, measure_rows, published_rows

    gaps = gaps_shown(report)
    rows = [
        {"group": row.group, "measure": row.title.removesuffix(", %")}
        | {MODELS[name]: row.values[name] for name in COLUMNS}
        | {"gap closed": (row.standing or {}).get("closure") if gaps else None, "note": row.note}
        | {"unit": "share" if row.unit == "percent" else row.unit}
        for row in (*measure_rows(report), *published_rows(report))
    ]
    columns = ["group", "measure", *(MODELS[name] for name in COLUMNS), "gap closed", "unit", "note"]
    numbers = dict.fromkeys(columns[2:-2], float)
    return pd.DataFrame(rows, columns=columns).astype(numbers).set_index(["group", "measure"])


def figures(run: RunFolder | Path | str) -> Figures:
    """Return the plots of a run that was checked, in the order of its report's page; a notebook draws them.

    Raises InputError where the run has no report, or one that is damaged.
    """
    from core.verify.plots import plots

    folder = run if isinstance(run, RunFolder) else RunFolder.open(Path(run))
    report = folder.report()
    if report is None:
        raise InputError(f"{folder.path} has no report", "Check the run first")
    return Figures(Figure(plot) for plot in plots(report, folder.events()))


class Figure:
    """A plot with its `title`, its `caption`, and `svg`: the drawing as the content of a file of its own."""

    def __init__(self, plot: Plot) -> None:
        from core.verify.pages import standalone

        self.title, self.caption = plot.title, plot.caption
        self.svg = standalone(plot.svg)

    def _repr_html_(self) -> str:
        """Return what a notebook shows; the caption stands with the drawing."""
        title, caption = f"<b>{escape(self.title)}</b>", f"<figcaption>{escape(self.caption)}</figcaption>"
        return f'<figure style="margin:0 0 16px;max-width:560px">{title}{self.svg}{caption}</figure>'

    def __repr__(self) -> str:
        return f"<Figure {self.title!r}>"


class Figures(tuple[Figure, ...]):
    """Several figures; a notebook shows them below one another."""

    def _repr_html_(self) -> str:
        return "".join(figure._repr_html_() for figure in self)
