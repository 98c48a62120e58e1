from __future__ import annotations

import copy
import html
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.verify.plots import plots
from core.verify.report import render_report
from core.verify.table import MODELS, catalogue, measure_rows
from tests.core.verify.sample_report import full_report, sample_events, sample_report

PROOF = "These are measurements, not proof. They show what the attacks tried here could find, on this data."
PARTLY = "The model moved towards one that was trained without these images. Measurable traces remain."
CONTROL = (
    "The head-only edit is a control: it changes only the last layer so that a forgotten class is never named. Its "
    "outputs forget, its features don't. A result that looks like it has hidden, not forgotten."
)
RECONSTRUCTION = (
    "MUDA (reconstruction): the measure and the losses follow the paper; schedule and settings are ours. No number "
    "here is the paper's."
)
NECESSARY = (
    "Dimensional alignment near the retrained value is necessary, not sufficient: collapsed features reach it as well. "
    "It depends on k, and on whether features are centred."
)
SAMPLES = "Alignment compares whole classes. For single images it says nothing."
NO_REFERENCE = "There was no retrained model, so nothing says which value each measure should have."
ONE_REFERENCE = "There was one retrained model. How far two retrained models differ was not measured."
SEEN_BEFORE = (
    "The test images were set aside from the training images. The original has already seen them, so results on them "
    "look better than they are."
)
FEW = "12 forget images are few: values on them can move by several points by chance."
NO_ATTACK = "No membership attack was run."
BOTH_MODELS = (
    "Anyone who has both the original and this model can compare them and may learn what was removed. Withdraw the "
    "original where you can."
)
PRESET_RECIPE = (
    "How the original was trained is not known, so retraining followed a preset of this program. Part of what they "
    "differ by may come from that."
)

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """Reads a page: its text outside the style sheet, its tags, and whether they are balanced."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.parts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())


def page(report=None, events=None) -> Page:
    report = sample_report() if report is None else report
    return Page(render_report(report, sample_events() if events is None else events))


def limits(report) -> list[str]:
    """The limits as they stand on the page."""
    listed = re.search(r'<ul class="limits">(.*?)</ul>', render_report(report, []), re.S)[1]
    return [html.unescape(limit) for limit in re.findall(r"<li>(.*?)</li>", listed)]


def test_the_page_says_what_was_asked_on_what_and_what_came_out():
    report = sample_report()
    text = page(report).text
    for expected in (
        "Forgetting class “sandal”", "Remove the class “sandal” from the model: 500 of 1,500 training images (33.3 %).",
        "4 March 2026, 09:05 UTC", "run run-17", report["verdict"]["sentence"], PARTLY,
        PROOF, "Shoes", "shoes.safetensors · small-cnn", "MUDA (reconstruction)", "1 min 40 s",
        "50.2 % of its time", "60,000", "Retain accuracy fell by 12.4 points.", "rounds", "Ours: the schedule.", "2.4",
    ):  # fmt: skip
        assert expected in text
    for found in (report["dataset"]["fingerprint"], report["model"]["sha256"], *report["files"].values()):
        assert found in text


def test_it_is_one_file_that_loads_and_runs_nothing():
    found = page()
    html = render_report(sample_report(), sample_events())
    assert not found.open
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    assert not {"src", "href"} & {name for name, _ in found.attributes}
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "http:" not in html and "https:" not in html and "@import" not in html
    assert [url for url in re.findall(r"url\(([^)]*)\)", html) if url != "#hatch"] == []


def test_names_and_sentences_are_escaped_everywhere():
    hostile = "<script>alert('x')</script>&\""
    report = sample_report(
        forget_classes=[hostile],
        warnings=[hostile],
        run=hostile,
        files={hostile: hostile},
        machine={hostile: hostile},
        method_details={"title": hostile, "parameters": {hostile: hostile}, "notes": [hostile], "citation": hostile},
        dataset={"title": hostile, "classes": [hostile, "sandal", "bag"], "fingerprint": hostile},
    )
    report["verdict"]["sentence"] = hostile
    found = page(report)
    assert "script" not in found.tags
    assert found.text.count("alert('x')") > 10


def test_every_model_stands_in_the_table_with_its_name_and_numbers():
    text = page().text
    for name in ("Original", "Unlearned", "Head-only edit (control)", "Retrained mean of 3"):
        assert name in text
    assert "Forget accuracy, unseen, % 98.0 0.0 0.0 0.0" in text
    assert "Linear probe, recall, % 98.0 93.0 98.0 80.0" in text
    assert "Dimensional alignment k = 2 · 96 % of retain energy · not centred · trained on: shown, not counted" in text
    assert "Membership attack, AUC 0.696 0.500 0.500 0.500" in text
    assert CONTROL in text


def test_the_first_numbers_stand_beside_original_and_retrained():
    assert "93.0 % of them are found again" in page().text
    assert "original 98.0 % · retrained 80.0 %" in page().text
    report = sample_report(retrained={})
    del report["models"]["retrained"]
    assert "original 98.0 % · no retrained model yet" in page(report).text


def test_limits_follow_from_the_report():
    shown = limits(sample_report())
    assert shown[0] == PROOF and shown[-1] == BOTH_MODELS
    assert RECONSTRUCTION in shown and NECESSARY in shown and BOTH_MODELS in shown
    assert "The method was trained on alignment. That measure is shown and does not count in the verdict." in shown
    assert not {NO_REFERENCE, ONE_REFERENCE, SEEN_BEFORE, SAMPLES, NO_ATTACK} & set(shown)
    other = sample_report(
        retrained={}, method="finetune", forget_mode="sample", forget_count=12, verdict={},
        dataset={"test_origin": "set aside"},
    )  # fmt: skip
    del other["models"]["retrained"]
    refused = {"auc": None, "reason": "12 forget images are too few."}
    other["models"]["unlearned"]["membership"] = {"population": refused}
    shown = limits(other)
    assert RECONSTRUCTION not in shown and NECESSARY not in shown
    for expected in (NO_REFERENCE, SEEN_BEFORE, SAMPLES, "12 forget images are too few.", FEW):
        assert expected in shown
    assert all(limit in page(other).text for limit in shown)


def test_one_reference_is_a_limit_and_none_is_another():
    one = sample_report()
    one["retrained"] = {"seed 1": one["retrained"]["seed 1"]}
    assert ONE_REFERENCE in limits(one)
    assert "Retrained mean of" not in page(one).text
    assert NO_ATTACK in limits({})


@pytest.mark.parametrize(
    ("notes", "fact", "limit"),
    [
        ({"recipe": "the original's model card"}, "3 models, trained as the original's model card says", False),
        ({"recipe": "the preset of this application: …"}, "3 models, trained with a preset of this program", True),
        ({"recipe": None, "brought": ["a", "b", "c"]}, "3 models, brought along", False),
        ({"recipe": "the original's model card", "brought": ["a"]},
         "3 models, trained as the original's model card says, 1 of them brought along", False),
    ],
)  # fmt: skip
def test_the_page_says_whose_recipe_retraining_followed(notes, fact, limit):
    text = page(sample_report(retrained_notes=notes)).text
    assert f"Retrained {fact} " in text
    assert (PRESET_RECIPE in text) is limit


def test_the_page_says_when_a_measure_matches_retraining():
    assert (
        "A measure matches retraining when 90 % of its gap is closed, or when what is left is within that interval "
        "and less than half the gap. The head-only edit"
    ) in page(sample_report()).text


def test_a_measure_that_no_model_has_says_why():
    assert (
        "Membership attack, TPR at 1 % FPR, % Too few test images: at this rate the threshold would rest on a "
        "handful of them. – – – –"
    ) in page().text


def test_a_value_that_matches_by_chance_says_so():
    report = sample_report()
    probe = next(row for row in report["verdict"]["measures"] if row["key"] == "probe")
    assert "within chance" not in page(report).text
    probe |= {"closed": True, "closure": 0.82, "informative": True}
    assert "Linear probe, recall, % 98.0 93.0 98.0 80.0 82 % within chance" in page(report).text


def test_set_aside_images_are_called_seen_before():
    report = sample_report()
    report["dataset"]["test_origin"] = "set aside"
    text = page(report).text
    assert "Forget accuracy, seen before, %" in text and "On images seen before." in text
    assert "unseen" not in text.replace("Unseen images set aside", "").lower()


def test_it_says_on_how_many_of_the_test_images_numbers_are_taken():
    report = sample_report()
    report["models"]["original"]["confusion"] = {"counts": [[60, 2], [1, 74]]}
    assert "Numbers on" not in page(report).text
    report["dataset"]["test_images"] = 300
    assert "Numbers on 137 of 300 test images; the others serve stop rules" in page(report).text


@pytest.mark.parametrize("key", sorted(sample_report()))
def test_a_report_without_a_part_still_renders(key):
    report = sample_report()
    del report[key]
    check(page(report))
    check(page(sample_report(**{key: None})))


@pytest.mark.parametrize("key", ["dimensional_alignment", "spectra", "probe", "nmi", "per_class", "forget_predictions"])
def test_a_model_without_a_measure_still_renders(key):
    for name in ("original", "unlearned", "retrained"):
        report = copy.deepcopy(sample_report())
        report["models"][name][key] = None
        for references in report["retrained"].values():
            references[key] = None
        check(page(report))


def test_an_empty_report_renders():
    found = page({}, [])
    check(found)
    assert "This result was not checked." in found.text


def check(found: Page) -> None:
    assert not found.open
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", found.text)
    assert not [value for _, value in found.attributes if re.search(r"\b(nan|inf|None)\b", value)]


def test_sample_forgetting_has_no_alignment_plot():
    rows = [
        *sample_events(),
        {"type": "evaluation", "step": 920, "scope": "full", "retain_test_accuracy": 0.9, "forget_accuracy": 0.9,
         "forget_losses": [0.1, 0.4, 2.0], "unseen_losses": [0.2, 0.3, 0.9]},
    ]  # fmt: skip
    report = sample_report(forget_mode="sample", forget_classes=[], forget_count=37)
    text = page(report, rows).text
    assert "Forgetting 37 images" in text
    assert "the class" not in text and "find the class again" not in text
    assert "Loss on forget images and on unseen images" in text and "Alignment while it ran" not in text
    assert "Alignment compares whole classes. For single images it says nothing, so losses are shown instead." in text


def test_losses_that_are_no_number_are_left_out_of_the_plot():
    report = {"forget_mode": "sample"}
    taken = {"type": "evaluation", "scope": "full", "step": 0, "unseen_losses": [0.2, None, 0.9]}
    drawn = [each.title for each in plots(report, [{**taken, "forget_losses": [0.1, None, 2.0]}])]
    assert drawn == ["Loss on forget images and on unseen images"]
    assert plots(report, [{**taken, "forget_losses": [None]}]) == []


def test_of_many_classes_those_that_forget_images_are_called_most_are_drawn():
    names = [f"class {i}" for i in range(40)]
    shares = [0.01] * 39 + [0.61]
    report = {"dataset": {"classes": names}, "models": {"unlearned": {"forget_predictions": shares}}}
    (plot,) = plots(report, [])
    assert "class 39" in plot.svg and "class 30" not in plot.svg
    assert plot.caption.startswith("The 24 classes named most; 16 others are not drawn.")


def cells(html: str) -> dict[str, list[str]]:
    """The rows of the page's tables: title -> the texts of its cells."""
    found = {}
    for row in re.findall(r"<tr>(.*?)</tr>", html, re.S):
        title = re.search(r'<th scope="row"[^>]*>([^<]*)', row)
        if title:
            texts = [re.sub(r"<small>.*?</small>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)]
            found[title.group(1)] = [re.sub(r"<[^>]+>", "", text).strip() for text in texts]
    return found


@pytest.mark.parametrize("report", [sample_report(), full_report()], ids=["quick", "full"])
def test_every_number_of_the_table_is_the_report_files(report):
    shown = cells(render_report(report, sample_events()))
    columns = [name for name in MODELS if name in report["models"] and name != "fresh"]
    rows = [row for row in measure_rows(report) if row.group != "Cost"]
    assert len(rows) > 15
    for row in rows:
        for name, text in zip(columns, shown[row.title], strict=False):
            value = row.values[name]
            if value is None:
                assert text == "–", row.title
            else:
                scale = 100 if row.unit == "percent" else 1
                places = {"percent": 1, "ratio": 3, "number": 1}.get(row.unit, 0)
                assert float(text.replace(",", "").replace("−", "-")) == pytest.approx(
                    scale * value, abs=0.51 * 10**-places
                ), row.title


def test_the_published_measures_stand_in_a_table_of_their_own_with_each_retrained_model():
    report = full_report()
    html = render_report(report, sample_events())
    shown = cells(html)
    for key in ("ua", "average_gap", "tow", "zrf"):
        entry = next(entry for entry in catalogue("published") if entry.key == f"published_{key}")
        scale = 100 if entry.unit == "percent" else 1
        names = ("original", "unlearned", "head_only", "retrained")
        expected = [scale * report["published"][name][key] for name in names]
        places = 0.06 if entry.unit == "percent" else 6e-4
        assert [float(text) for text in shown[entry.title]] == pytest.approx(expected, abs=places)
        assert entry.explanation in page(report).text
    assert "single ones: 51.2, 53.2, 55.2" in page(report).text
    assert "As the field publishes them" in html and "As the field publishes them" not in render_report(
        sample_report(), sample_events()
    )


def test_attacks_are_drawn_with_their_anchors():
    found = page(full_report())
    text = found.text
    assert "Relearning" in text and "Untrained" in text and "Head-only edit" in text
    assert "Reference attack (RMIA): curve" in text and "Unlearned 0.600 to 0.700" in text
    assert "With 2 models that never saw the forget set" in text
    columns = re.findall(r'<span class="model">.*?</svg>([^<]*)', render_report(full_report(), sample_events()))
    assert "Untrained" not in columns  # nothing but relearning measures it
    assert "Relearning" not in page().text


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def opened(html: str, folder: Path) -> tuple[str, set[str], int]:
    """Open a page in a browser: what it logged, which hosts were asked for anything, and the picture's bytes."""
    page, log, picture = folder / "page.html", folder / "net.json", folder / "page.png"
    page.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--log-net-log={log}",
         "--disable-background-networking", "--disable-component-update", "--no-first-run", "--window-size=1000,4000",
         f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}", page.as_uri()],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    hosts = set(re.findall(r'"url":"https?://([^/":]+)', log.read_text(errors="replace")))
    own = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com")  # the browser's, whatever it shows
    return done.stderr, {host for host in hosts if not host.endswith(own)}, picture.stat().st_size


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page with")
def test_a_browser_opens_it_without_an_error_or_a_request(tmp_path):
    for name in ("report", "control"):
        (tmp_path / name).mkdir()
    errors, hosts, size = opened(render_report(full_report(), sample_events()), tmp_path / "report")
    assert "CONSOLE" not in errors and hosts == set() and size > 50_000
    bad = "<img src='http://127.0.0.1:9/a.png'><script>console.error('heard')</script>"
    errors, hosts, _ = opened(bad, tmp_path / "control")
    assert "CONSOLE" in errors and hosts == {"127.0.0.1"}  # both would be seen


@pytest.mark.parametrize("code", ["close", "partly", "hidden", "not", "nothing", "no_reference"])
@pytest.mark.parametrize("mode", ["class", "sample", "mixed"])
def test_what_a_verdict_means_is_said_of_what_was_forgotten(code, mode):
    report = sample_report(forget_mode=mode)
    report["verdict"]["code"] = code
    meaning = re.search(r'<p class="meaning">(.*?)</p>', render_report(report, []))[1]
    assert "class" not in meaning
    assert ("may still name many of them rightly" in meaning) == (code == "close" and mode == "sample")
