"""Before a run, with the example's model: cards, drafts, the plan, groups of seeds, and the start."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from PySide6.QtWidgets import QTabWidget

from app.pages.unlearn import UnlearnPage
from app.services.run_words import UNWEIGHTED
from app.services.theme import theme
from app.workers.live_run import LiveRun
from core.devices import DeviceInfo
from core.events import State
from core.job import Job, PluginPart
from core.methods import METHODS
from tests.app.scripted import Stepped, job, write_run


@pytest.fixture
def page(opened, qtbot) -> UnlearnPage:
    made = UnlearnPage(opened)
    qtbot.addWidget(made)
    made.resize(1096, 644)
    made.show()
    made.entered()
    return made


@pytest.fixture
def started(opened, monkeypatch) -> list[Job]:
    """Jobs that were started, each with the forget set it names; their runs do nothing until told."""
    found: list[Job] = []
    controller = opened.run_controller

    def start(job, bench, selection, tries=None):
        assert selection.digest() == job.forget.sha256 and selection.count == job.forget.count
        assert bench is not None and bench.dataset.fingerprint == job.data.fingerprint
        found.append(job)
        work = Stepped()
        work.end(State.FINISHED)
        return controller.start_work(controller._place(None, f"{job.method}-s{job.seed}"), "unlearn", "", work, job)

    monkeypatch.setattr(controller, "start", start)
    return found


def planned(page: UnlearnPage, qtbot) -> None:
    qtbot.waitUntil(lambda: page.presenter.setup.plan is not None, timeout=20_000)


def test_a_job_of_a_package_that_is_gone_says_so_and_leaves_a_method_that_is_there(page, opened):
    gone = PluginPart(distribution="forget-flat", version="0.1")
    page.presenter.load_job(job("class", "flat-outputs", plugin=gone))
    said = [one.text for one in opened.notifications.history]
    assert "The method flat-outputs comes from the package forget-flat 0.1, which is not installed here." in said
    assert page.setup.methods.shown == page.setup.methods.ticked()[0] != "flat-outputs"


def choose_plain(page: UnlearnPage) -> None:
    """The plain reconstruction: four rounds of ten forget and ten recover steps on this data."""
    choose_preset(page, "reconstruction")


def choose_preset(page: UnlearnPage, name: str) -> None:
    preset = page.setup.parameters.preset
    preset.setCurrentIndex(preset.findData(name))
    preset.activated.emit(preset.currentIndex())


def test_without_model_and_data_it_says_what_is_missing(context, qtbot):
    page = UnlearnPage(context)
    qtbot.addWidget(page)
    page.show()
    assert page.view == "empty"
    assert page.empty.text() == "Curves appear here while a run goes. First choose what to forget."
    page.empty.button.click()
    assert context.shown_pages == ["project"]


def test_settings_of_a_job_stay_when_the_devices_become_known(opened, qtbot, monkeypatch):
    """They are listed in a worker, and come after a job that is started again was shown."""
    go = threading.Event()

    def devices() -> list[DeviceInfo]:
        go.wait(60)
        return [DeviceInfo("cpu", "Processor"), DeviceInfo("cuda:0", "A card")]

    monkeypatch.setattr("core.devices.list_devices", devices)
    page = UnlearnPage(opened)
    qtbot.addWidget(page)
    page.presenter.load_job(job("class", "finetune", monitoring_budget=0.2, device="cuda:0"))
    parameters = page.setup.parameters
    go.set()
    qtbot.waitUntil(lambda: parameters.device.count() == 3)
    assert parameters.common()["monitoring_budget"] == 0.2
    assert parameters.common()["device"] == "cuda:0"
    qtbot.waitUntil(lambda: opened.device_jobs.active() == 0, timeout=20_000)


def test_what_is_typed_counts_after_settings_were_loaded_of_a_method_that_does_not_suit(page, opened, qtbot, started):
    opened.project.set_selection(opened.project.selection.cleared().with_samples([1, 2, 3]))
    page.presenter.load_job(job("class", "delete"))
    assert page.setup.methods.shown == "muda"
    page.setup.parameters.form.row("lr").field.setValue(0.0123)
    planned(page, qtbot)
    page.setup.start.click()
    qtbot.waitUntil(lambda: bool(started), timeout=20_000)
    assert started[0].parameters["lr"] == 0.0123


def test_without_a_forget_set_it_leads_to_where_one_is_chosen(page, opened):
    opened.project.set_selection(opened.project.selection.cleared())
    assert page.view == "empty"
    page.empty.button.click()
    assert opened.shown_pages == ["forget"]


def test_methods_stand_in_order_and_the_first_is_ticked(page):
    methods = page.setup.methods
    assert next(iter(methods._cards)) == "muda" and methods.ticked() == ["muda"] and methods.shown == "muda"
    assert page.setup.parameters.title.text() == "MUDA (reconstruction)"


def test_what_does_not_suit_comes_last_with_its_reason_and_cannot_be_ticked(page, opened):
    opened.project.set_selection(opened.project.selection.cleared().with_samples([1, 2, 3]))
    methods = page.setup.methods
    last = list(methods._cards)[-1]
    assert last == "head-only" and not methods._cards[last].isEnabled()
    assert "Works on whole classes only." in methods._cards[last].accessibleDescription()
    methods.tick("head-only")
    assert "head-only" not in methods.ticked()


def test_the_plan_gives_steps_time_memory_and_disk(page, qtbot):
    choose_plain(page)
    planned(page, qtbot)
    facts = page.setup.plan.facts.values()
    assert facts["steps"] == "80"
    assert facts["time"].startswith(("under", "about"))
    assert facts["memory"].startswith("about") and "free" in facts["disk"]
    assert page.setup.start.isEnabled() and page.setup.missing.text() == ""


def test_the_plan_says_which_parts_act(page, qtbot):
    planned(page, qtbot)
    text = page.setup.plan.lines.text()
    assert "The last 3 blocks begin anew" in text and "Alignment (weight 0.05)" in text


def test_a_changed_value_changes_the_plan(page, qtbot):
    choose_plain(page)
    planned(page, qtbot)
    page.setup.parameters.form.set_values({"rounds": 8})
    assert page.presenter.setup.plan is None
    planned(page, qtbot)
    assert page.setup.plan.facts.values()["steps"] == "160"
    assert page.setup.parameters.form.changed_names() == ["rounds"]


def test_a_wrong_value_keeps_the_start_away_and_says_why(page, qtbot):
    planned(page, qtbot)
    row = page.setup.parameters.form.row("rounds")
    row.field.lineEdit().setText("-3")
    assert not page.setup.start.isEnabled()
    assert page.setup.missing.text().startswith("Rounds: Must be a whole number")
    page.presenter.start()
    assert page.context.run_controller.current is None


def test_the_parameters_of_the_preset_are_folded_away(page):
    parameters = page.setup.parameters
    number = len(page.setup.methods.choice("muda").method.parameters)
    assert parameters.fold.head.text() == f"{number} parameters" and not parameters.fold.head.isChecked()
    assert parameters.fold.summary.text() == "as the preset sets them" and parameters.reset.isHidden()
    assert not parameters.form.row("rounds").isVisible() and parameters.reason.text()


def test_changed_values_are_counted_beside_the_fold_and_can_be_reset(page):
    parameters = page.setup.parameters
    parameters.form.set_values({"rounds": 3, "lr": 0.007})
    assert parameters.fold.summary.text() == "2 changed"
    parameters.fold.head.click()
    assert parameters.form.row("rounds").isVisible()
    parameters.reset.click()
    assert parameters.form.changed_names() == [] and parameters.fold.summary.text() == "as the preset sets them"


def test_what_is_wrong_opens_the_fold(page):
    page.setup.parameters.form.row("rounds").field.lineEdit().setText("-3")
    assert page.setup.parameters.fold.head.isChecked()


def test_the_card_says_where_a_method_comes_from_and_what_is_ours(page):
    parameters, method = page.setup.parameters, page.setup.methods.choice("muda").method
    assert method.citation in page.setup.methods._cards["muda"].accessibleDescription()
    assert all(note in parameters.notes.text() for note in method.notes)


def test_cards_say_what_methods_cost_beside_retraining(page, qtbot):
    cards = page.setup.methods._cards
    qtbot.waitUntil(lambda: "retraining" in cards["finetune"].accessibleDescription(), timeout=20_000)
    assert page.setup.plan.facts.values()["cost"] in cards["muda"].accessibleDescription()
    assert "What all costs are compared with" in cards["retrain"].accessibleDescription()
    planned(page, qtbot)
    before = page.setup.plan.facts.values()["cost"]
    page.setup.parameters.form.set_values({"rounds": 200})
    planned(page, qtbot)
    after = page.setup.plan.facts.values()["cost"]
    assert after != before and after in cards["muda"].accessibleDescription()


def test_a_weighted_forget_set_says_so(page, opened, qtbot):
    selection = opened.project.selection.cleared()
    opened.project.set_selection(selection.with_samples(range(37), weights=np.linspace(0.5, 2, 37)))
    assert page.setup.plan.facts.values()["forget"] == "37 images, weighted"
    page.setup.methods.tick("finetune", only=True)
    planned(page, qtbot)
    assert UNWEIGHTED in page.setup.plan.lines.text()
    opened.project.set_selection(selection.with_samples(range(37)))
    assert page.setup.plan.facts.values()["forget"] == "37 images"
    planned(page, qtbot)
    assert UNWEIGHTED not in page.setup.plan.lines.text()


def test_several_methods_and_seeds_make_a_group_with_one_estimate(page, qtbot, started):
    page.setup.methods.tick("finetune")
    page.setup.parameters.seeds.setText("1-3")
    precision = page.setup.parameters.precision
    precision.setCurrentIndex(precision.findData("float32"))
    page.context.settings.change(monitoring_budget=0.3, checkpoint_seconds=90.0)  # from the next run on
    planned(page, qtbot)
    assert page.setup.summary.text().startswith("2 methods × 3 seeds = 6 runs · ")
    page.presenter.start()
    qtbot.waitUntil(lambda: len(started) == 6)
    assert [(job.method, job.seed) for job in started] == [
        (method, seed) for method in ("muda", "finetune") for seed in (1, 2, 3)
    ]
    assert {(job.monitoring_budget, job.checkpoint_seconds, job.precision) for job in started} == {
        (0.3, 90.0, "float32")
    }
    qtbot.waitUntil(lambda: not page.context.run_controller.busy)


@pytest.mark.parametrize("text", ["", "x", "3-1", "1,,2", "1-1000", "-1"])
def test_seeds_that_are_none_are_refused_beside_the_field(page, text):
    page.setup.parameters.seeds.setText(text)
    assert page.setup.parameters.seeds_problem.isVisible()
    assert not page.setup.start.isEnabled() and page.setup.missing.text()


def test_each_method_keeps_what_was_set_for_it(page, qtbot, started):
    planned(page, qtbot)
    page.setup.parameters.form.set_values({"rounds": 2})
    page.setup.methods.tick("finetune")
    assert page.setup.parameters.title.text() == "Fine-tuning"
    page.setup.parameters.form.set_values({"epochs": 1})
    page.setup.methods.tick("muda")
    assert page.setup.parameters.form.values()["rounds"] == 2
    planned(page, qtbot)
    page.presenter.start()
    qtbot.waitUntil(lambda: len(started) == 2)
    assert started[0].parameters["rounds"] == 2 and started[1].parameters["epochs"] == 1
    qtbot.waitUntil(lambda: not page.context.run_controller.busy)


def test_a_preset_sets_its_values_and_gives_its_reason(page, qtbot, started):
    parameters = page.setup.parameters
    choose_preset(page, "slow-motion")
    assert parameters.reason.text() and parameters.form.changed_names() == []
    planned(page, qtbot)
    page.presenter.start()
    qtbot.waitUntil(lambda: bool(started))
    assert started[0].preset == "slow-motion" and started[0].parameters["rounds"] == parameters.form.values()["rounds"]
    qtbot.waitUntil(lambda: not page.context.run_controller.busy)


def test_ctrl_return_starts_what_is_set_up(page, opened, qtbot, started):
    planned(page, qtbot)
    opened.run_controller.start_wanted.emit()
    qtbot.waitUntil(lambda: bool(started))
    assert page.view == "run"
    qtbot.waitUntil(lambda: not opened.run_controller.busy)


def test_with_a_large_font_the_plan_is_a_tab_and_nothing_is_cut(opened, qtbot, monkeypatch):
    monkeypatch.setattr(theme, "px", lambda size: round(1.5 * size))
    made = UnlearnPage(opened)
    qtbot.addWidget(made)
    made.entered()
    tabs = next(tabs for tabs in made.findChildren(QTabWidget) if tabs.accessibleName() == "Parameters and plan")
    assert tabs.widget(0).isAncestorOf(made.setup.parameters.form) and tabs.widget(1) is made.setup.plan
    assert made.setup.minimumSizeHint().width() <= 1280 - 1.5 * 184 - 2 * 1.5 * 16


def test_no_room_on_disk_is_said_before_the_start(page, qtbot, monkeypatch):
    monkeypatch.setattr("core.session.planning.free_disk", lambda folder: 1000)
    page.presenter.setup.refresh()
    planned(page, qtbot)
    assert "on disk" in page.setup.missing.text() and not page.setup.start.isEnabled()


def test_a_job_of_before_can_be_shown_again(page, opened, qtbot):
    before = job(method="finetune", seed=7, parameters={"epochs": 3}, device="cpu")
    opened.run_controller.setup_wanted.emit(before)
    assert page.view == "setup"
    assert page.setup.methods.ticked() == ["finetune"]
    assert page.setup.parameters.form.values()["epochs"] == 3
    assert page.setup.parameters.seeds.text() == "7"
    qtbot.waitUntil(lambda: page.presenter.setup.plan is not None, timeout=20_000)


def test_while_a_run_goes_the_set_up_says_so_and_queues(page, opened, qtbot, tmp_path):
    from core.runs.folder import RunFolder

    work = Stepped()
    run = opened.run_controller.start_work(RunFolder(tmp_path / "r"), "unlearn", "", work, job())
    planned(page, qtbot)
    assert page.setup.start.text() == "Queue run"
    opened.project.set_run(LiveRun.from_folder(write_run(tmp_path / "other", job(), [])))
    page.presenter.set_up_another()
    page.setup.back.click()
    assert page.view == "run" and opened.project.run is run
    work.end()
    qtbot.waitUntil(lambda: not opened.run_controller.busy)


def test_the_name_of_a_preset_is_shown_whole(page, qtbot):
    combo = page.setup.parameters.preset
    combo.clear()
    combo.addItems([preset.title for method in METHODS.values() for preset in method.presets])
    qtbot.wait(100)  # before the layout is done the name has more room than it keeps
    assert combo.width() >= combo.sizeHint().width()


def test_nothing_starts_while_it_is_in_doubt_how_the_model_was_trained(page, opened, started, qtbot):
    import dataclasses

    from core.session.proof import proven

    planned(page, qtbot)
    bench = proven(opened.project.bench)
    doubtful = dataclasses.replace(bench.proof, doubts=("It is right on 3 % of its own training images.",))
    opened.project.set_evaluation(proof=doubtful)
    assert opened.project.bench.proof is None
    assert page.setup.missing.text() == "First say on Project whether this is your network and your preprocessing."
    assert not page.setup.start.isEnabled()
    shown = []
    opened.show_page = shown.append
    page.setup.answer.click()
    assert shown == ["project"]
    opened.project.set_evaluation(proof=dataclasses.replace(doubtful, accepted=True))
    assert page.setup.start.isEnabled() and page.setup.answer.isHidden()
    page.setup.start.click()
    qtbot.waitUntil(lambda: len(started) == 1)
    assert started[0].model.proof["accepted"] and started[0].model.proof["doubts"] == list(doubtful.doubts)


def test_jobs_carry_the_proof_also_where_it_was_not_measured_yet(page, opened, started, qtbot):
    planned(page, qtbot)
    opened.project.evaluation = {}
    assert opened.project.bench.proof is None
    page.setup.start.click()
    qtbot.waitUntil(lambda: len(started) == 1)
    assert started[0].model.proof["doubts"] == [] and started[0].model.proof["accuracy"] > 0.8
