"""What speaks against a model being used as it was trained."""

import json

import pytest

from core.engine.control import Control
from core.errors import UnprovenError
from core.session.bench import Bench, DataOptions
from core.session.checking import check
from core.session.exporting import export
from core.session.jobs import create_run, make_unlearn_job
from core.session.proof import proven
from core.session.running import run

POOR = "of its own training images, where a linear probe"


@pytest.fixture
def overruled(digits_model, tmp_path):
    """A model trained here, with images prepared otherwise than its card says."""
    (tmp_path / "otherwise.json").write_text(json.dumps({"size": 8, "mean": 0.95, "std": 0.05}))
    options = DataOptions(preprocess_file=str(tmp_path / "otherwise.json"))
    return Bench(device="cpu", precision="float32", threads=1).open(digits_model, "digits", options)


def test_a_model_trained_here_is_asked_about_where_its_card_is_overruled_to_its_harm(bench, overruled):
    assert proven(bench).proof.doubts == ()
    with pytest.raises(UnprovenError, match=POOR):
        proven(overruled)


@pytest.mark.parametrize("made", ["with proof", "without"])
def test_report_and_export_say_what_was_doubtful_when_a_run_was_made(overruled, three, tmp_path, made):
    bench = proven(overruled, accept=True) if made == "with proof" else overruled
    job = make_unlearn_job(bench, three, "head-only")
    folder = create_run(tmp_path / "run", job, three, bench.dataset)
    run(folder, Control(), lambda event: None, bench)
    assert POOR in folder.report()["warnings"][0]
    assert POOR in check(folder, Control(), lambda event: None, bench)["warnings"][0]
    if made == "with proof":
        assert POOR in export(folder.path, "same", tmp_path / "out.pt").notes[-1]
