from __future__ import annotations

import html
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.verify import pages
from core.verify.pages import (
    BOTTOM,
    HEIGHT,
    LABEL_GAP,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Bars,
    Reference,
    Series,
    gap_bar,
    template,
)
from core.verify.pages import bar_chart as draw_bars
from core.verify.pages import line_chart as draw_lines
from core.verify.plots import plots
from tests.core.verify.sample_report import full_report, sample_events, sample_report


def line_chart(series, **options) -> str:
    return str(draw_lines(series, label="l", x_title="x", y_title="y", **options))


def curve(svg: str, number: int = 0) -> list[tuple[float, float]]:
    path = re.findall(r'<path class="curve" d="M([^"]*)"', svg)[number]
    return [tuple(map(float, point.split())) for point in path.split("L")]


def test_points_lie_where_their_values_say():
    svg = line_chart([Series("a", "retain", [(0, 0.0), (5, 50.0), (10, 100.0)])], y_range=(0, 100))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    assert curve(svg) == [
        pytest.approx((LEFT, bottom)),
        pytest.approx(((LEFT + right) / 2, (TOP + bottom) / 2)),
        pytest.approx((right, TOP)),
    ]


def test_a_logarithmic_axis_has_equal_decades_and_drops_what_it_cannot_show():
    svg = line_chart([Series("a", "retain", [(1, 100.0), (2, 10.0), (3, 1.0), (4, 0.0), (5, 1e-30)])], log=True)
    ys = [y for _, y in curve(svg)]
    assert len(ys) == 3
    assert ys[1] - ys[0] == pytest.approx(ys[2] - ys[1], abs=0.11)
    decade = line_chart([Series("a", "retain", [(1, 100.0), (2, 10.0)])], log=True)
    assert [y for _, y in curve(decade)] == [pytest.approx(TOP), pytest.approx(HEIGHT - BOTTOM)]
    one = line_chart([Series("a", "retain", [(1, 100.0)])], log=True)  # a single value has a decade above it
    assert [y for _, y in curve(one)] == [pytest.approx(HEIGHT - BOTTOM)]


def test_nothing_to_draw_is_no_plot():
    assert line_chart([]) == "" and line_chart([Series("a", "retain", [(0, float("nan"))])]) == ""
    assert str(draw_bars([], [Bars("a", [], "retain")], label="l", x_title="x")) == ""
    assert str(draw_bars(["a"], [Bars("a", [None], "retain")], label="l", x_title="x")) == ""


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_labels_never_cover_each_other_and_stay_in_the_picture(values):
    references = [Reference("Retrained", "retain", "diamond", value, "1.0") for value in values]
    svg = line_chart([Series("Retain", "retain", [(0, 50.0), (1, 50.0)])], y_range=(0, 100), references=references)
    ys = [float(y) for y in re.findall(r'<text class="name" x="[\d.]+" y="([-\d.]+)"', svg)]
    assert len(ys) == len(values) + 1
    assert all(b - a >= LABEL_GAP - 0.11 for a, b in pairwise(ys))
    assert min(ys) > 0 and max(ys) < HEIGHT


@pytest.mark.parametrize("final", ["", "0.500", "> 0.999"])
def test_the_longest_label_is_not_cut_off(final):
    svg = line_chart([Series("Head-only edit", "head_only", [(0, 50.0), (1, 50.0)], final=final)])
    x, text = re.search(r'<text class="name" x="([-\d.]+)"[^>]*>([^<]*)', svg).groups()
    assert float(x) + 6.1 * len(html.unescape(text)) <= WIDTH  # 6.1: DejaVu Sans, the widest of the fonts asked for


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=20), st.booleans())
def test_any_numbers_give_finite_coordinates(points, steps):
    svg = line_chart([Series("a", "retain", sorted(points), steps=steps)])
    assert "nan" not in svg and "inf" not in svg
    assert svg.startswith("<svg") and svg.endswith("</svg>")


def test_names_are_escaped_and_long_ones_elided_with_a_tool_tip():
    svg = line_chart([Series("<b>&", "retain", [(0, 1.0)])])
    assert "<b>" not in svg and "&lt;b&gt;&amp;" in svg
    name = "a class with a really long name <i>"
    bars = str(draw_bars([name], [Bars("one", [1.0], "retain")], label="l", x_title="x"))
    assert "a class w… name &lt;i&gt;" in bars and "really long name &lt;i&gt;</title>" in bars


def test_bars_start_at_zero_and_point_to_their_sign():
    svg = str(draw_bars(["a", "b"], [Bars("one", [-10.0, 10.0], "retain")], label="l", x_title="x"))
    zero = float(re.search(r'<line class="zero" x1="([\d.]+)"', svg)[1])
    bar = re.compile(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*><title>')
    rects = [(float(x), float(width)) for x, width in bar.findall(svg)]
    assert rects[0][0] + rects[0][1] == pytest.approx(zero, abs=0.2)
    assert rects[1][0] == pytest.approx(zero, abs=0.2)
    assert rects[0][1] == pytest.approx(rects[1][1], abs=0.2)


def filled(svg: str) -> float:
    found = re.search(r'<rect x="[\d.]+" y="6" width="([\d.]+)"', svg)
    return float(found[1]) if found else 0.0


def test_gap_bar():
    whole = filled(str(gap_bar(1.0, label="100 %")))
    assert filled(str(gap_bar(0.5, label="50 %"))) == pytest.approx(whole / 2)
    assert filled(str(gap_bar(0.0, label="0 %"))) == 0.0
    beyond, far = str(gap_bar(1.2, label="")), str(gap_bar(9.0, label=""))
    assert filled(beyond) == pytest.approx(1.2 * whole) and "Z" not in beyond
    assert filled(far) == pytest.approx(1.25 * whole) and "Z" in far
    assert filled(str(gap_bar(-9.0, label=""))) == pytest.approx(0.25 * whole)
    assert "#hatch" in str(gap_bar(None, label="not informative here"))
    assert "whisker" in str(gap_bar(0.5, 0.1, label="")) and "whisker" not in beyond
    assert 'aria-label="&lt;"' in str(gap_bar(0.5, label="<"))


@pytest.mark.parametrize("kind", ["square", "diamond", "triangle", "cross", "ring", "circle", "of a later version"])
def test_markers_take_their_colour_from_the_page(kind):
    macros = template("charts.html.j2").module
    assert "var(--forget)" in macros.mark(kind, 1, 2, "forget", 3)
    assert "var(--unlearned)" in macros.marker(kind, "unlearned")


@pytest.mark.parametrize(("value", "shown"), [(-0.05, "−0.05"), (0.05, "0.05")])
def test_ticks_keep_their_sign(value, shown):
    assert f">{shown}</text>" in line_chart([Series("a", "retain", [(0, 0.0), (1, value)])], y_range=(-0.1, 0.1))


def test_every_caption_ends_as_a_sentence():
    for report in (sample_report(), full_report(), sample_report(forget_mode="sample")):
        assert [plot.title for plot in plots(report, sample_events()) if not plot.caption.endswith(".")] == []


def titles(report, events) -> list[str]:
    return [plot.title for plot in plots(report, events)]


def test_a_full_report_has_all_plots_and_their_captions():
    found = {plot.title: plot for plot in plots(sample_report(), sample_events())}
    assert list(found) == [
        "Accuracy while it ran",
        "Alignment while it ran",
        "Eigenspectra before and after",
        "Alignment by number of directions",
        "Change by class",
        "What forget images are called now",
    ]
    assert found["Alignment while it ran"].caption == (
        "k = 2 · 96 % of retain energy · not centred · higher = forget features lie more inside the retain space; the "
        "goal is the retrained value, not 1."
    )
    assert "Unlearned 0.960" in found["Alignment while it ran"].svg
    assert "Retrained 93.0" in found["Accuracy while it ran"].svg and "Forget 0.0" in found["Accuracy while it ran"].svg
    assert "before 1.4, after 1.4" in found["Eigenspectra before and after"].caption
    change = found["Change by class"].svg
    assert "sandal, Unlearned: −98.0" in change and "boot, Unlearned: −1.0" in change
    assert "boot, Unlearned: 100.0" in found["What forget images are called now"].svg


def test_full_evaluations_win_over_the_monitored_subset():
    rows = [*sample_events(), {"type": "evaluation", "step": 920, "scope": "full", "retain_test_accuracy": 0.5}]
    assert "Retain 50.0" in plots(sample_report(), rows)[0].svg


def test_plots_without_data_are_left_out():
    assert titles({}, []) == []
    assert titles({}, sample_events()) == ["Accuracy while it ran", "Alignment while it ran"]
    report = sample_report(models={}, retrained={})
    assert "Retrained" not in plots(report, sample_events())[0].svg
    assert "where retraining" not in plots(report, sample_events())[0].caption


def test_of_many_classes_the_most_changed_are_drawn():
    report = sample_report()
    names = [f"c{i}" for i in range(100)]
    report["dataset"]["classes"] = names
    report["retrained"] = {}
    del report["models"]["retrained"]
    report["models"]["original"]["per_class"] = [0.9] * 100
    report["models"]["unlearned"] |= {"per_class": [0.9 - i / 200 for i in range(100)], "forget_predictions": None}
    plot = next(plot for plot in plots(report, []) if plot.title == "Change by class")
    assert "c99, Unlearned" in plot.svg and "c76, Unlearned" in plot.svg and "c75, Unlearned" not in plot.svg
    assert "The 24 classes that changed most; 76 others are not drawn." in plot.caption


def test_the_plot_says_of_which_images_its_numbers_are():
    rows = [{**row, "counts": {"retain_test": 2_000}} for row in sample_events()]
    whole = {"scope": "full", "retain_test_accuracy": 0.5, "counts": {"retain_test": 4_991}}
    rows.append({"type": "evaluation", "step": 920, **whole})
    assert "retain on a fixed sample of 2,000 of 4,991" in plots(sample_report(), rows)[0].caption
    assert "sample" not in plots(sample_report(), sample_events())[0].caption
    assert "sample" not in plots(sample_report(), [{"type": "evaluation", "step": 920, **whole}])[0].caption


def test_the_measures_of_a_drawing():
    """Names are as wide as their letters in the widest font, and lines of them as far apart as they are high."""
    assert (WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM) == (440, 250, 40, 136, 28, 40)
    assert (pages.LABEL_START, pages.LETTER, LABEL_GAP) == (37, 6.2, 14)


def test_names_of_a_legend_stand_beside_each_other_and_those_coloured_by_category_have_none():
    bars = [Bars("Original", [1.0], "retain", "square"), Bars("each", [1.0], "", tokens=["forget"]),
            Bars("New", [1.0], "forget")]  # fmt: skip
    placed = pages._legend(bars)
    assert [series.name for _, series in placed] == ["Original", "New"]
    assert [x for x, _ in placed] == [4.0, pytest.approx(4 + 34 + 8 * 6.2)]


@pytest.mark.parametrize(("longest", "left"), [("seven77", 16 + 7 * 6.6), ("x" * 60, 140)])
def test_bars_begin_behind_the_longest_name(longest, left):
    svg = str(draw_bars(["a", longest], [Bars("b", [0.0, 1.0], "retain")], label="l", x_title="x"))
    ends = [float(x) for x in re.findall(r'<text class="name" x="([^"]*)" y="[^"]*" text-anchor="end"', svg)]
    assert ends == [pytest.approx(left - 8, abs=0.06)] * 2


@pytest.mark.parametrize(("value", "ends"), [(5.0, (5.0, 10.0)), (0.0, (0.0, 1.0)), (-3.0, (-3.0, 0.0))])
def test_one_value_has_a_scale_above_it(value, ends):
    assert pages._apart(value, value) == ends
    assert pages._apart(value, value + 1e-3) == (value, value + 1e-3)
