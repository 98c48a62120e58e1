"""What is still kept of forget images: every kind is counted in files and bytes, and goes when told to."""

from __future__ import annotations

import os
import re
import shutil

import numpy as np
import pytest

from core.data.images import Form
from core.data.index import SHARDS, cache_file
from core.data.streamed import DecodedCache
from core.engine.outputs import cache_name
from core.errors import InputError, MismatchError
from core.files import cache_home, file_sha256, read_json, references_home, runs_home, write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.leftovers import temporary_name
from core.runs.folder import CHECKPOINTS, EVENTS, FORGET, MODEL, REMOVED, REPORT_HTML, REPORT_JSON, RunFolder, Status
from core.selection import Selection
from core.session.forget_lists import read_forget_csv, write_forget_list
from core.session.kept import Kept, remove_kept, what_is_kept
from core.session.report_files import check_report_files

LABELS = np.repeat(np.arange(3), 4)
FORGET_LIST = "forget_list"
CHOSEN = Selection.empty(LABELS, ("a", "b", "c")).with_classes([1])


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def job(**changes) -> Job:
    known = {
        "model": ModelPart(
            path="/models/net.pt",
            sha256="ab" * 32,
            architecture="mlp",
            num_classes=3,
            in_channels=1,
            input_size=(8, 8),
            preprocessing={"size": [8, 8], "source": "data set"},
        ),
        "data": DataPart(spec="digits", fingerprint="f" * 64),
        "forget": ForgetPart(mode="class", classes=(1,), class_names=("b",), count=4, total=12, sha256=CHOSEN.digest()),
        "method": "muda",
    }
    return Job(**{**known, **changes})


def made(path, a_job: Job, model: bytes = b"weights") -> RunFolder:
    folder = RunFolder.create(path, a_job)
    write_forget_list(folder.file(FORGET), CHOSEN)
    folder.file(MODEL).write_bytes(model)
    return folder


@pytest.fixture
def folder() -> RunFolder:
    run = made(runs_home() / "run-1", job())
    for name in (REPORT_HTML, REPORT_JSON, EVENTS):
        run.file(name).write_bytes(b"{}")
    run.file(CHECKPOINTS).mkdir()
    run.file(CHECKPOINTS).joinpath("step-000000010.pt").write_bytes(b"x" * 100)
    run.file(CHECKPOINTS).joinpath("step-000000020.pt").write_bytes(b"x" * 150)
    return run


def kind(folder: RunFolder, name: str) -> Kept:
    return next(kind for kind in what_is_kept(folder).kinds if kind.id == name)


def cached(digest: str, size: int, fingerprint: str = "f" * 64):
    name = cache_name(digest, "mlp", fingerprint, {"size": [8, 8]})
    path = cache_home() / "outputs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"y" * size)
    return path


def test_checkpoints_list_and_report_are_counted(folder):
    assert (kind(folder, "checkpoints").count, kind(folder, "checkpoints").bytes) == (2, 250)
    assert kind(folder, "forget_list").count == 1
    assert kind(folder, "forget_list").bytes == folder.file(FORGET).stat().st_size
    assert (kind(folder, "report").count, kind(folder, "report").bytes) == (3, 6)
    assert kind(folder, "thumbnails").count == 0
    assert not kind(folder, "report").removable


def test_cached_outputs_of_all_models_on_the_data_are_found_and_no_others(folder):
    for digest in ("ab" * 32, file_sha256(folder.file(MODEL)), "cd" * 32):  # the last one a model that was brought
        half = cached(digest, 10)
    half.with_name(f".{half.name}.x.tmp").write_bytes(b"y" * 5)  # of a process that was killed
    other = cached("ab" * 32, 999, fingerprint="e" * 64)
    found = kind(folder, "outputs")
    assert (found.count, found.bytes) == (4, 35)
    assert other not in found.files


def test_the_list_of_a_retrained_reference_is_a_copy_that_counts(folder):
    reference = made(references_home() / "ref", job(kind="train", method="retrain"))
    elsewhere = made(references_home() / "other", job(kind="train", data=DataPart(spec="digits", fingerprint="0" * 64)))
    assert reference.file(FORGET) in kind(folder, "forget_list").files
    assert elsewhere.file(FORGET) not in kind(folder, "forget_list").files


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_what_links_in_a_run_folder_lead_to_is_neither_counted_nor_removed(folder, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("step-000000001.pt", "list.csv"):
        (mine / name).write_text("mine")
    shutil.rmtree(folder.file("checkpoints"), ignore_errors=True)
    folder.file("checkpoints").symlink_to(mine)
    folder.file("forget.csv").unlink()
    folder.file("forget.csv").symlink_to(mine / "list.csv")
    kinds = {kind.id: kind.count for kind in what_is_kept(folder).kinds}
    assert kinds["checkpoints"] == kinds["forget_list"] == 0
    remove_kept(folder, ["checkpoints", "forget_list"])
    assert sorted(path.name for path in mine.iterdir()) == ["list.csv", "step-000000001.pt"]


def test_removing_checkpoints_of_a_run_that_lacks_a_file_keeps_its_state(folder):
    folder.write_status(Status("finished", 0, 0.0, 3, 3, "checkpoints/step-000000003.pt"))
    folder.file("report.html").unlink(missing_ok=True)
    remove_kept(folder, ["checkpoints"])
    status = read_json(folder.file("status.json"))
    assert (status["state"], status["checkpoint"], status["error"]) == ("finished", None, None)


def test_runs_on_the_same_forget_set_are_named(folder):
    made(runs_home() / "run-2", job(method="finetune"))
    made(runs_home() / "run-3", job(forget=ForgetPart(mode="class", sha256="00" * 32)))
    assert what_is_kept(folder).other_runs == ("run-2",)


def test_removing_keeps_model_report_and_job_and_notes_the_hashes(folder):
    listed = file_sha256(folder.file(FORGET))
    cached("ab" * 32, 10)
    expected = sum(kind(folder, name).bytes for name in ("checkpoints", "forget_list", "outputs"))
    removed = remove_kept(folder, {"checkpoints", "forget_list", "outputs"})
    assert (removed.files, removed.bytes, removed.failed) == (4, expected, ())
    assert not folder.file(FORGET).exists()
    assert not folder.file(CHECKPOINTS).exists()
    assert folder.has_result and folder.report() == {} and folder.job().method == "muda"
    assert folder.removed()[FORGET]["sha256"] == listed
    assert set(folder.removed()) == {
        FORGET, "checkpoints/step-000000010.pt", "checkpoints/step-000000020.pt",
    }  # fmt: skip
    assert not any(kind.count for kind in what_is_kept(folder).kinds if kind.removable)
    assert what_is_kept(folder).removable == ()


def test_what_was_not_chosen_stays(folder):
    remove_kept(folder, {"checkpoints"})
    assert folder.file(FORGET).is_file()
    assert read_forget_csv(folder.file(FORGET), 12)[0].sum() == 4
    assert folder.status().checkpoint is None


def test_a_second_removal_adds_to_the_note(folder):
    remove_kept(folder, {"checkpoints"})
    remove_kept(folder, {"forget_list"})
    assert FORGET in folder.removed()
    assert "checkpoints/step-000000010.pt" in folder.removed()


def test_a_second_removal_takes_what_the_first_left_when_it_was_killed(folder):
    saved = folder.file(CHECKPOINTS)
    saved.mkdir(exist_ok=True)
    for path in saved.glob("*"):
        path.unlink()
    left = temporary_name(folder.file(REMOVED))
    left = left.with_name(re.sub(r"-\d+-", "-2147483647-", left.name))  # of a process that is not there
    left.touch()
    remove_kept(folder, {FORGET_LIST})
    assert not saved.exists() and not left.exists()


def test_a_run_that_goes_while_its_files_are_removed_is_not_made_anew(folder, monkeypatch):
    moved = folder.path.with_name("moved")
    monkeypatch.setattr("core.session.kept._note", lambda run, files: run.path.rename(moved))
    with pytest.raises(FileNotFoundError):
        remove_kept(folder, {"checkpoints", FORGET_LIST})
    assert moved.exists() and not folder.path.exists()


def test_the_report_cannot_be_removed(folder):
    with pytest.raises(InputError, match="report cannot be removed"):
        remove_kept(folder, {"report", "forget_list"})
    assert folder.file(FORGET).is_file()


def test_nothing_is_removed_while_a_process_works_on_the_run(folder):
    with folder.lock(), pytest.raises(InputError, match="in use"):
        remove_kept(folder, {"forget_list"})
    assert folder.file(FORGET).is_file()


def test_what_is_remembered_of_shards_is_counted_and_goes(tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    run = made(runs_home() / "run-4", job(data=DataPart(spec=str(shards), fingerprint="f" * 64)))
    path = cache_file(shards, SHARDS)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"places")
    assert kind(run, "fingerprints").files == (path,)
    remove_kept(run, {"fingerprints"})
    assert not path.exists()


def test_every_kind_says_what_it_holds_and_what_is_lost(folder):
    for each in what_is_kept(folder).kinds:
        assert each.title and each.holds
        assert bool(each.consequence) == each.removable


def test_a_damaged_run_beside_it_does_not_stop_the_count(folder):
    broken = runs_home() / "broken"
    broken.mkdir()
    (broken / "job.json").write_text("{")
    assert what_is_kept(folder).other_runs == ()


def test_a_run_that_gave_files_up_can_still_be_deleted_whole(folder):
    remove_kept(folder, {"forget_list"})
    folder.delete()
    assert not folder.path.exists()


def test_hashes_of_a_report_are_still_checked_and_the_removal_is_named(folder):
    stated = {name: file_sha256(folder.file(name)) for name in (FORGET, MODEL)}
    write_json(folder.file(REPORT_JSON), {"files": stated})
    remove_kept(folder, {"forget_list"})
    hashes = check_report_files(folder.path).hashes
    assert set(hashes) == {MODEL}
    folder.file(REMOVED).unlink()
    with pytest.raises(MismatchError, match=r"forget\.csv is missing"):
        check_report_files(folder.path)


def test_a_removal_of_other_content_is_no_excuse(folder):
    write_json(folder.file(REPORT_JSON), {"files": {FORGET: "0" * 64, MODEL: file_sha256(folder.file(MODEL))}})
    remove_kept(folder, {"forget_list"})
    with pytest.raises(MismatchError, match=r"forget\.csv is missing"):
        check_report_files(folder.path)


def test_decoded_images_of_a_stream_are_counted_and_go_while_they_are_in_use(folder):
    cache = DecodedCache.open(np.zeros((100, 32), dtype=np.uint8), Form((64, 64), 1))
    cache.write(3, np.full((64, 64, 1), 7, dtype=np.uint8))
    cache.flush()
    found = kind(folder, "decoded")
    assert found.count == 2 and 64 * 64 <= found.bytes < 100 * 64 * 64  # the rows not written yet take no place
    remove_kept(folder, {"decoded"})
    assert (cache.read(np.array([3]))[0] == 7).all()
    cache.write(4, np.zeros((64, 64, 1), dtype=np.uint8))
    cache.flush()
    assert kind(folder, "decoded").count == 0
