"""What speaks against a model being used as it was trained."""

import json

import pytest

from core.engine.control import Control
from core.errors import UnprovenError
from core.session.bench import Bench, DataOptions
from core.session.checking import check
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


def test_a_report_says_what_is_doubtful_of_a_job_that_was_made_without_proof(overruled, three, tmp_path):
    job = make_unlearn_job(overruled, three, "head-only")
    folder = create_run(tmp_path / "run", job, three, overruled.dataset)
    run(folder, Control(), lambda event: None, overruled)
    assert POOR in folder.report()["warnings"][0]
    assert POOR in check(folder, Control(), lambda event: None, overruled)["warnings"][0]
