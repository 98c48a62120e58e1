"""Where searches keep their tries, and when a job is the one a search was for."""

from __future__ import annotations

import dataclasses

from core.runs.folder import TUNING, RunFolder
from core.session.jobs import make_unlearn_job
from core.session.searches import keep_tries, same_asked, tries_file


def test_a_file_for_what_determines_the_tries(bench, three):
    made = make_unlearn_job(bench, three, "finetune", device="cpu", threads=1)
    again = make_unlearn_job(bench, three, "finetune", device="cpu", threads=1, monitoring_budget=0.3)
    assert tries_file(made) == tries_file(again) and tries_file(made).suffix == ".json"
    others = [
        tries_file(made, ["lr"]),
        tries_file(dataclasses.replace(made, seed=1)),
        tries_file(dataclasses.replace(made, parameters={**made.parameters, "epochs": 7.0})),
        tries_file(make_unlearn_job(bench, three, "muda", device="cpu", threads=1)),
    ]
    assert len({tries_file(made), *others}) == 5


def test_the_same_is_asked_whatever_the_seed_and_the_way_the_settings_were_found(bench, three):
    made = make_unlearn_job(bench, three, "finetune", device="cpu", threads=1)
    assert same_asked(dataclasses.replace(made, seed=3, device="auto"), made)
    assert not same_asked(dataclasses.replace(made, parameters={**made.parameters, "epochs": 7.0}), made)
    assert not same_asked(make_unlearn_job(bench, three.with_classes([4]), "finetune", threads=1), made)


def test_tries_go_into_the_folder_of_the_run(tmp_path):
    tries = tmp_path / "tries.json"
    tries.write_text('{"tries": []}')
    folder = RunFolder(tmp_path / "runs" / "r")
    keep_tries(tries, folder)
    assert folder.file(TUNING).read_bytes() == tries.read_bytes()
