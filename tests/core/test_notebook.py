"""For notebooks: what the bar shows, what a frame holds, and that a figure is a whole drawing with its caption."""

from __future__ import annotations

import math
import re
import sys
import types
import xml.etree.ElementTree as ET

import pytest

from core import events
from core.errors import InputError
from core.notebook import Figure, Figures, Progress, figures, frame
from core.runs.folder import RunFolder
from core.verify.plots import plots
from core.verify.table import measure_rows
from tests.core.verify.sample_report import sample_events, sample_report

RUN = {"run": "r", "time": 1.0}


def started(steps: int) -> events.RunStarted:
    return events.RunStarted(
        **RUN, step=0, method="muda", steps=steps, stages=[], forget_mode="class", counts={"forget_train": 10},
        device="cpu", precision="float32", threads=1,
    )  # fmt: skip


def trained(*steps: int) -> events.StepMetrics:
    return events.StepMetrics(
        **RUN, step=steps[-1], phase="forget", steps=list(steps), terms={"loss": [1.0] * len(steps)},
        learning_rate=0.1, samples_per_second=1.0,
    )  # fmt: skip


@pytest.fixture
def notebook(monkeypatch):
    """A kernel with ipywidgets, as far as the bar asks for them; what it displays."""
    displayed: list[types.SimpleNamespace] = []

    def widget(**given):
        return types.SimpleNamespace(value="", bar_style="", **given)

    widgets = types.ModuleType("ipywidgets")
    widgets.IntProgress, widgets.Label = widget, widget
    widgets.HBox = lambda parts: types.SimpleNamespace(bar=parts[0], line=parts[1])
    python, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    python.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display.display = displayed.append
    for name, module in (("ipywidgets", widgets), ("IPython", python), ("IPython.display", display)):
        monkeypatch.setitem(sys.modules, name, module)
    return displayed


def test_a_bar_follows_the_run_and_leaves_the_last_line(notebook):
    progress = Progress()
    (box,) = notebook
    progress(events.Progress(**RUN, step=0, what="Reading", done=3, total=4))
    assert (box.bar.value, box.bar.max) == (3, 4) and box.line.value == "Reading 75 %"
    progress(started(200))
    progress(trained(48, 49))
    assert (box.bar.value, box.bar.max) == (50, 200)
    progress(events.Progress(**RUN, step=50, what="a\x1b[2Jb", done=0, total=0))
    assert "\x1b" not in box.line.value and (box.bar.value, box.bar.max) == (50, 200)
    progress(trained(199))
    progress(events.RunFinished(**RUN, step=200, state="finished", seconds=3.0))
    assert box.line.value.startswith("step 200 of 200") and box.bar.bar_style == "success"


def test_a_run_that_fails_leaves_a_red_bar(notebook):
    progress = Progress()
    progress(started(10))
    progress(events.RunFailed(**RUN, step=3, error="gone"))
    assert notebook[0].bar.bar_style == "danger"


@pytest.mark.parametrize("why", ["no widgets", "no kernel"])
def test_without_a_bar_progress_is_plain_lines(notebook, why, monkeypatch, capsys):
    if why == "no widgets":
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
    else:
        monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    progress = Progress()
    progress(events.Progress(**RUN, step=0, what="Reading", done=3, total=4))
    progress(started(200))
    assert capsys.readouterr().out.splitlines() == ["Reading …", "200 steps (cpu, 1 thread, float32)"]
    assert notebook == []


def test_a_frame_holds_every_measure_of_the_table_as_a_number():
    pandas = pytest.importorskip("pandas")
    report = sample_report()
    table = frame(report)
    assert list(table.columns) == [
        "Original", "Head-only edit", "Unlearned", "Retrained", "gap closed", "unit", "note"
    ]  # fmt: skip
    rows = {(row.group, row.title.removesuffix(", %")): row for row in measure_rows(report)}
    assert set(rows) <= set(table.index) and table.index.is_unique
    assert all(pandas.api.types.is_float_dtype(table[name]) for name in table.columns[:5])
    assert table.loc[("Outputs", "Forget accuracy, unseen")].tolist()[:4] == [0.98, 0.0, 0.0, 0.0]
    assert table.loc[("Outputs", "Forget accuracy, unseen"), "unit"] == "share" and "percent" not in set(table["unit"])
    for place, row in rows.items():
        for name, column in (("original", "Original"), ("unlearned", "Unlearned"), ("retrained", "Retrained")):
            value = table.loc[place, column]
            assert value == row.values[name] or (math.isnan(value) and row.values[name] is None)
    alignment = table[table["note"].str.contains("not centred")]
    assert len(alignment) == 1 and alignment["gap closed"].item() == pytest.approx(
        next(row.verdict["closure"] for row in rows.values() if row.key == "dimensional_alignment")
    )


def test_a_frame_without_pandas_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match=r'needs the package pandas\. Install it: pip install "unlearn-studio\[noteb'):
        frame(sample_report())


def test_figures_are_whole_drawings_with_their_captions():
    report = sample_report(dataset=sample_report()["dataset"] | {"title": "<Shoes> & more"})
    drawn = plots(report, sample_events())
    shown = Figures(Figure(plot) for plot in drawn)
    assert [figure.title for figure in shown] == [plot.title for plot in drawn] and len(shown) >= 4
    for figure in shown:
        root = ET.fromstring(figure.svg)
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and root.get("viewBox")
        style = root[0].text
        assert set(re.findall(r"var\(--([\w-]+)\)", figure.svg)) <= set(re.findall(r"--([\w-]+):", style))
        assert ":root" not in style  # where it stands within a page, it leaves that page's colours alone
        html = figure._repr_html_()
        assert figure.svg in html and ET.fromstring(html).find("figcaption").text == str(figure.caption)
    assert shown._repr_html_() == "".join(figure._repr_html_() for figure in shown)


def test_figures_of_a_run_without_a_report_say_to_check_it(tmp_path):
    with pytest.raises(InputError, match=r"has no report\. Check the run first"):
        figures(RunFolder(tmp_path))
