"""Whether this is the user's network and preprocessing: what is asked, what waits for the answer, what it changes."""

from __future__ import annotations

import pytest
import torch
from PySide6.QtWidgets import QApplication, QLabel

from app.dialogs.opening import ArchitectureDialog
from app.pages.project import questions
from app.pages.project.proof_card import listed
from app.services.doubts import doubt_words
from app.services.project import UNANSWERED, UNORDERED
from app.services.settings import Pairings
from app.workers.opening_job import Request
from core.data.preprocessing import Preprocessing
from core.errors import UnprovenError
from core.models.architectures import ModelSpec, build_model
from core.session.attempts import Attempt, Trial
from core.session.proof import Proof
from tests.app.helpers import assert_accessible, assert_fits
from tests.app.opened import dialog_of
from tests.app.project.test_page import press


@pytest.fixture
def page(window):
    return window.page("project")


@pytest.fixture
def unproven(context, page, insects, tmp_path, idle):
    """A network that knows nothing of its images, and says nowhere how they are prepared; it is open with them."""
    torch.manual_seed(0)
    torch.save(build_model(ModelSpec("mlp", 3, 1, (12, 12))).state_dict(), tmp_path / "vague.pt")
    context.opening.open_data(str(insects))
    context.opening.open_model(tmp_path / "vague.pt")
    idle()
    return page


def test_nothing_is_asked_of_a_model_that_does_well(page, context, idle, digits, tmp_path):
    torch.manual_seed(0)
    model = build_model(ModelSpec("small-cnn", 10, 1, (8, 8)))  # the statistics of its norms tell the spread of images
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    images, labels = (digits.train.images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5, digits.train.labels
    for _ in range(60):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    torch.save(model.state_dict(), tmp_path / "good.pt")
    context.opening.open_data("digits")
    context.opening.open_model(tmp_path / "good.pt")
    idle()
    assert page.proof_card.isHidden()
    assert context.project.bench.proof is context.project.proof and context.project.proof.doubts == ()
    found = page.fit_card.found.text()
    assert found.startswith("Found by trying on training images: preparation ") and "; the next, " in found


def test_what_was_tried_is_listed_where_it_is_in_doubt(unproven, window, context):
    card, trial = unproven.proof_card, context.project.trial
    assert card.isVisible() and not trial.sure and context.project.bench.proof is None
    assert card.title.text() == "Is this your network and your preprocessing?"
    assert card.text.text().startswith("Nothing says how images are prepared")
    assert len(card.rows) == min(8, len(trial.attempts))
    assert tuple(label.text() for label in card.rows[0][:2]) == (trial.best.words, f"{100 * trial.best.accuracy:.1f} %")
    full = [attempt.shown is not None for attempt in listed(trial)]
    assert [attempt.rival for attempt in listed(trial)][1:] == sorted(one.rival for one in listed(trial)[1:])[::-1]
    assert [share.text().endswith("%") for _, share, _ in card.rows] == full
    assert unproven.fit_card.found.text() == ""
    assert not unproven.fit_card.banner.isVisible()
    window.resize(1280, 720)
    assert unproven.fit_card.isHidden()
    assert_fits(window)
    assert "the first is open now" in card.tried.text()


def test_a_question_without_a_list_stands_in_the_place_of_the_classes(page, context, open_digits, idle, window):
    open_digits()
    context.opening.change(preprocessing={"size": [8, 8], "mean": 1.0, "std": 8.0}, prepares=True)
    idle()
    card = page.proof_card
    assert card.isVisible() and card.rows == [] and "of its own training images" in card.text.text()
    assert page.fit_card.isHidden()
    page.banner.show_message("Something was not opened.", "error")
    QApplication.processEvents()
    assert_fits(window)


@pytest.mark.parametrize(
    ("networks", "rivals", "said"),
    [
        (1, ["a"], "how images are prepared. The training images do not tell 2 of those tried apart."),
        (3, ["a"], "how images are prepared. The training"),  # the network is clear
        (3, ["b"], "which network it is and how images are prepared. The training"),
        (3, [], "which network it is and how images are prepared. None of what was tried"),
    ],
)
def test_it_is_said_what_nothing_tells(networks, rivals, said):
    def attempt(name: str, rival: bool) -> Attempt:
        prepared = Preprocessing((8, 8), (0.5,), (0.5,), source="tried")
        return Attempt(ModelSpec(name, 3, 1, (8, 8)), prepared, 0.4, 80, 0.4, rival)

    trial = Trial((attempt("a", False), *(attempt(name, True) for name in rivals)), 80, networks, 10)
    proof = Proof("", "tried", None, trial, doubts=("It is in doubt.",))
    assert doubt_words(proof).startswith(f"Nothing says {said}")


def test_the_rail_says_that_there_is_a_question(unproven, context):
    assert context.page_states.get("project") == ("problem", "Has a question")
    context.opening.accept()
    assert context.page_states.get("project") == ("ready", "mlp · 3 classes")


def test_one_click_opens_what_was_tried_as_if_the_user_had_stated_it(unproven, context, idle):
    chosen = listed(context.project.trial)[2]
    unproven.proof_card.rows[2][2].click()
    idle()
    project = context.project
    assert project.dataset.preprocessing.source == "file" and project.trial is None
    assert project.dataset.preprocessing.transforms == chosen.preprocessing.transforms
    assert unproven.proof_card.isHidden() or "Nothing says" not in unproven.proof_card.text.text()


def test_it_goes_on_as_it_is_and_is_not_asked_about_again(unproven, context, idle):
    doubts = context.project.proof.doubts
    press(unproven.proof_card, "Go on as it is")
    assert unproven.proof_card.isHidden()
    proof = context.project.bench.proof
    assert proof.accepted and proof.doubts == doubts
    model, data = context.project.opened_model.path, context.project.dataset.spec
    context.opening.open_data("digits")  # of other classes: it does not fit, and nothing changes
    idle()
    context.project.set_opened(None, None)
    context.opening.open_data(data)
    context.opening.open_model(model)
    idle()
    assert unproven.proof_card.isHidden() and context.project.bench.proof.accepted


def test_an_answer_holds_for_what_was_doubtful_then(unproven, context, idle):
    press(unproven.proof_card, "Go on as it is")
    context.opening.change(preprocessing={"size": [12, 12], "mean": 0.9, "std": 0.1}, prepares=True)
    idle()
    if context.project.proof.doubts:
        assert unproven.proof_card.isVisible() and context.project.bench.proof is None


def architectures(page, qtbot) -> ArchitectureDialog:
    """Press the button and wait for the dialog."""
    press(page.proof_card, "Choose architecture…")
    qtbot.waitUntil(lambda: any(d.isVisible() for d in page.window().findChildren(ArchitectureDialog)))
    return dialog_of(page.window(), ArchitectureDialog)


def test_another_architecture_is_chosen_of_those_that_fit(unproven, context, idle, qtbot):
    dialog = architectures(unproven, qtbot)
    model = context.project.opened_model
    texts = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "vague.pt" in texts and "of training images" in texts
    assert_accessible(dialog)
    dialog.another.setChecked(True)
    assert dialog.reason() == "Type the name of an architecture, or FILE.py:FACTORY."
    dialog.choose(model.spec.architecture)
    press(dialog, "Open as this")
    idle()
    assert context.project.opened_model.spec == model.spec and context.project.opened_model.proof == "stated"


def test_an_architecture_that_does_not_fit_changes_nothing(unproven, context, idle, qtbot, monkeypatch):
    before = context.project.opened_model
    with monkeypatch.context() as patched:
        patched.setattr(questions, "_told_apart", lambda model: 1 / 0)
        press(unproven.proof_card, "Choose architecture…")
        qtbot.waitUntil(lambda: bool(context.notifications.history))
    said = context.notifications.history[-1].text
    assert said.startswith("The networks that fit were not found: ZeroDivisionError")
    dialog = architectures(unproven, qtbot)
    qtbot.keyClicks(dialog.field, "resnet18")
    press(dialog, "Open as this")
    idle()
    assert context.project.opened_model is before and "was not opened" in unproven.banner.text()


def test_no_run_starts_while_it_is_in_doubt(unproven, context):
    from app.pages.unlearn.setup_presenter import _make_jobs

    common = {"device": "cpu", "precision": "auto", "threads": 0, "monitoring_budget": 0.1, "launcher": "thread"}
    with pytest.raises(UnprovenError):
        _make_jobs(context.project.bench, context.project.selection, {}, [0], common)


def test_what_the_user_takes_as_it_is_is_kept(tmp_path):
    pairings = Pairings(tmp_path / "pairings.json")
    pairings.accept("a", "data", ["This is odd."])
    assert pairings.accepted("a", "data") == ("This is odd.",)
    assert pairings.accepted("b", "data") == ()
    pairings.path.write_text("{")
    assert pairings.accepted("a", "data") == ()


def test_a_wrong_class_order_waits_for_an_answer_as_well(page, context, open_digits, idle):
    open_digits()
    context.opening.change(order=tuple("1234567890"))
    idle()
    from app.services.project import what_first

    assert what_first(context.project.proof) == UNORDERED != UNANSWERED
    assert page.proof_card.isHidden() and context.project.bench.proof is None
    press(page.fit_card.banner, "Keep mine")
    assert what_first(context.project.proof) == "" and context.project.bench.proof.accepted


def test_what_was_left_out_can_be_chosen_again(context, page, idle, insects, tmp_path, qtbot):
    torch.manual_seed(0)
    torch.save(build_model(ModelSpec("resnet18-cifar", 3, 1, (12, 12))).state_dict(), tmp_path / "stem.pt")
    context.opening.open_model(tmp_path / "stem.pt")
    idle()
    fitting = [context.project.opened_model.spec, *context.project.opened_model.alternatives]
    context.opening.put(Request("model", "stem.pt", model=str(tmp_path / "stem.pt"), arch=fitting[1].architecture))
    idle()
    assert context.project.opened_model.alternatives == ()
    page.presenter.questions.ask_architecture()
    qtbot.waitUntil(lambda: any(d.isVisible() for d in page.window().findChildren(ArchitectureDialog)))
    dialog = dialog_of(page.window(), ArchitectureDialog)
    assert set(dialog._names) == {spec.architecture for spec in fitting} and dialog.answer() == fitting[1].architecture
    dialog.reject()
