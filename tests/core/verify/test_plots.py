"""What the plots of a report draw: which numbers, from which rows of the log, under which names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from core.verify import plots
from tests.core.verify.sample_report import full_report


def evaluation(step: int, retain: float, scope: str = "full", count: int = 0, **forget: float) -> dict:
    return {"type": "evaluation", "step": step, "scope": scope, "retain_test_accuracy": retain,
            "counts": {"retain_test": count}, **forget}  # fmt: skip


def model(**measures) -> dict:
    return {"models": {"unlearned": measures}, "retrained": {}, "forget_mode": "class", "forget_classes": ["b"],
            "dataset": {"classes": ["a", "b", "c"]}}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """Draw the plots of a report; what was asked of the drawing, by title of the plot."""

    def draw(report: dict, events: list) -> dict[str, SimpleNamespace]:
        asked: list[tuple] = []

        def noting(*parts, **options):
            asked.append((parts, options))
            return f"picture {len(asked) - 1}"

        for name in ("line_chart", "bar_chart"):
            monkeypatch.setattr(plots, name, noting)
        found = {}
        for plot in plots.plots(report, events):
            parts, options = asked[int(plot.svg.removeprefix("picture "))]
            found[plot.title] = SimpleNamespace(parts=parts, caption=plot.caption, **options)
        return found

    return draw


def curves(plot: SimpleNamespace) -> dict[str, list]:
    return {series.name: [(x, pytest.approx(y)) for x, y in series.points] for series in plot.parts[0]}


def test_accuracies_of_all_images_come_before_those_of_a_sample_and_end_in_words(drawn):
    events = [
        evaluation(0, 0.98, count=400, forget_test_accuracy=0.9, forget_accuracy=1.0),
        evaluation(5, 0.95, "subset", 100, forget_test_accuracy=0.5),
        evaluation(7, 0.92),  # nothing is known of the forget classes there
        evaluation(10, 0.9, count=400, forget_test_accuracy=0.125),
        evaluation(10, 0.1, "subset", 100, forget_test_accuracy=0.7),  # of a step that was measured in full
        {"type": "alignment", "step": 7, "retain_test_accuracy": 0.3},
    ]
    report = {
        **model(),
        "retrained": {
            "seed 1": {"retain_test_accuracy": 0.9, "forget_test_accuracy": 0.0},
            "seed 2": {"retain_test_accuracy": 0.94, "forget_test_accuracy": 0.02},
        },
    }
    plot = drawn(report, events)["Accuracy while it ran"]
    assert curves(plot) == {"Retain": [(0, 98), (5, 95), (7, 92), (10, 90)], "Forget": [(0, 90), (5, 50), (10, 12.5)]}
    assert [series.label for series in plot.parts[0]] == ["Retain 90.0", "Forget 12.5"] and plot.y_range == (0, 100)
    assert [(each.value, each.token) for each in plot.references] == [
        (pytest.approx(92), "retain"), (pytest.approx(1), "forget"),
    ]  # fmt: skip
    assert [each.label for each in plot.references] == ["Retrained 92.0", "Retrained 1.0"]
    assert "retain on a fixed sample of 100 of 400" in plot.caption and "◆" in plot.caption


def test_for_single_images_the_forget_images_themselves_are_drawn(drawn):
    events = [evaluation(0, 0.98, count=400, forget_accuracy=1.0), evaluation(4, 0.97, "subset", 400,
                                                                             forget_accuracy=0.75)]  # fmt: skip
    plot = drawn({**model(), "forget_mode": "sample", "forget_classes": []}, events)["Accuracy while it ran"]
    assert curves(plot)["Forget"] == [(0, 100), (4, 75)]
    assert "fixed sample" not in plot.caption and "◆" not in plot.caption  # the sample holds all of them
    assert plot.caption.endswith("forget on the forget images.")


def test_losses_are_histograms_of_the_last_look_with_one_bin_for_all_larger_ones(drawn):
    first = evaluation(0, 0.9, forget_losses=[9.0], unseen_losses=[9.0])
    last = evaluation(8, 0.9, forget_losses=[0.0] * 30 + [0.5] * 8 + [1.0, 9.0], unseen_losses=[0.5] * 59 + [50.0])
    plot = drawn({**model(), "forget_mode": "sample"}, [first, last])["Loss on forget images and on unseen images"]
    forget, unseen = (dict(series.points) for series in plot.parts[0])
    assert max(forget) == max(unseen) == 1.0  # 98 of 100 losses are no larger
    assert len(forget) == plots.HISTOGRAM_BINS + 1 and forget[0.0] == pytest.approx(75) and forget[1.0] == 5
    assert unseen[0.5] == pytest.approx(100 * 59 / 60) and unseen[1.0] == pytest.approx(100 / 60)


def test_classes_that_changed_most_are_drawn_in_their_order(drawn, monkeypatch):
    monkeypatch.setattr(plots, "MOST_CLASSES", 2)
    report = model(per_class=[0.5, 0.0, None])
    report["models"]["original"] = {"per_class": [0.75, 1.0, 0.9]}
    report["retrained"] = {"s1": {"per_class": [0.7, 0.0, 0.8]}, "s2": {"per_class": [0.8, 0.2, 0.9]}}
    plot = drawn(report, [])["Change by class"]
    names, (own, goal) = plot.parts
    assert names == ["a", "b"] and own.values == [pytest.approx(-25), pytest.approx(-100)]
    assert own.tokens == ["retain", "forget"] and goal.values == [pytest.approx(0), pytest.approx(-90)]
    assert "others" not in plot.caption and "◆" in plot.caption
    monkeypatch.setattr(plots, "MOST_CLASSES", 1)
    plot = drawn(report, [])["Change by class"]
    assert plot.parts[0] == ["b"] and "The 1 classes that changed most; 1 others are not drawn" in plot.caption


def test_forget_images_go_where_any_of_the_models_calls_them(drawn):
    report = model(forget_predictions=[0.004, 0.996, 0.0])
    report["retrained"] = {"s1": {"forget_predictions": [0.5, 0.0, 0.5]}, "s2": {"forget_predictions": [0.3, 0.7, 0.0]}}
    names, (own, goal) = drawn(report, [])["What forget images are called now"].parts
    assert names == ["a", "b", "c"] and own.values == pytest.approx([0.4, 99.6, 0.0])
    assert goal.values == pytest.approx([40.0, 35.0, 25.0])
    names, _ = drawn(model(forget_predictions=[0.004, 0.996, 0.0]), [])["What forget images are called now"].parts
    assert names == ["b"]  # a share of 0.5 % at least


def test_curves_of_the_full_suite_are_those_of_the_report(drawn):
    report = full_report()
    found = drawn(report, [{"type": "alignment", "step": 3, "value": None}, {"type": "alignment", "step": 4,
                           "value": 0.9, "k": 2, "layer": 0, "centred": False, "energy": 0.95}])  # fmt: skip
    own, original = report["models"]["unlearned"], report["models"]["original"]
    assert found["Alignment while it ran"].parts[0][0].points == [(4, 0.9)]
    ends = {each.token: each.value for each in found["Alignment while it ran"].references}
    retrained = [each["dimensional_alignment"]["value"] for each in report["retrained"].values()]
    assert ends == {"original": 0.78, "retrained": pytest.approx(sum(retrained) / 3)}
    spectra = found["Eigenspectra before and after"]
    assert curves(spectra)["Retain, before"] == list(enumerate(original["spectra"]["retain"], 1)) and spectra.log
    assert "before 1.4, after 1.4" in spectra.caption
    profile = found["Alignment by number of directions"]
    assert profile.parts[0][1].points == list(enumerate(own["dimensional_alignment"]["profile"], 1))
    assert "at k = 2. At k = 8, all directions" in profile.caption and "Not centred." in profile.caption
    relearning = curves(found["Relearning"])
    assert len(relearning) == 5 and [y for _, y in found["Relearning"].parts[0][1].points] == pytest.approx([0, 30, 54])
    attack = found["Reference attack (RMIA): curve"]
    points = attack.parts[0][1].points
    assert points == [(100 * x, pytest.approx(100 * x**0.7)) for x in (0.0, 0.01, 0.1, 0.5, 1.0)]
    assert [series.final for series in attack.parts[0]][:2] == ["0.750", "0.650"]
    assert "0.600 to 0.700" in attack.caption and "500 forget images against 490" in attack.caption
    assert "Of the retrained models the first is drawn." in found["Relearning"].caption
