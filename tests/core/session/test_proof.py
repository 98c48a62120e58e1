"""What speaks against a model being used as it was trained."""

import json

import pytest

from core.errors import UnprovenError
from core.session.bench import Bench, DataOptions
from core.session.proof import proven


def test_a_model_trained_here_is_asked_about_where_its_card_is_overruled_to_its_harm(digits_model, bench, tmp_path):
    assert proven(bench).proof.doubts == ()
    (tmp_path / "otherwise.json").write_text(json.dumps({"size": 8, "mean": 0.95, "std": 0.05}))
    options = DataOptions(preprocess_file=str(tmp_path / "otherwise.json"))
    other = Bench(device="cpu", threads=1).open(digits_model, "digits", options)
    with pytest.raises(UnprovenError, match="of its own training images, where a linear probe"):
        proven(other)
