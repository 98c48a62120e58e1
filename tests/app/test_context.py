"""What is open: swapping model and data takes along what belongs to them, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from app.services.project import ProjectState
from tests.core.session import conftest as runs_of_digits

digits = runs_of_digits.digits


@pytest.fixture
def project(qapp, digits) -> ProjectState:
    made = ProjectState()
    made.set_opened(SimpleNamespace(name="first"), digits)
    made.set_selection(made.selection.with_classes([3]))
    made.evaluation["baseline"] = "accuracies of the first model"
    return made


def test_another_model_has_accuracies_of_its_own_and_the_same_forget_set(project):
    heard: list[dict] = []
    project.evaluation_changed.connect(lambda: heard.append(dict(project.evaluation)))
    chosen = project.selection
    project.set_opened(SimpleNamespace(name="second"), project.dataset, project.data_options)
    assert project.evaluation == {} and heard == [{}]
    assert project.selection is chosen


def test_the_same_model_and_data_keep_what_was_measured(project):
    project.set_opened(project.opened_model, project.dataset)
    assert project.evaluation


def test_the_forget_set_stays_where_the_content_is_the_same_and_goes_with_other_data_of_the_same_size(project, digits):
    project.set_opened(project.opened_model, replace(digits, title="opened again"))
    assert project.selection.count and project.evaluation == {}
    project.set_opened(project.opened_model, replace(digits, fingerprint="e" * 64))
    assert project.selection.count == 0 and len(project.selection.mask) == len(digits.train)
