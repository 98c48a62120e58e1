"""The proof of a report: what its hashes and its signature cover, and what is refused."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from core.errors import InputError, MismatchError
from core.files import file_sha256, write_json
from core.job import DataPart, ForgetPart, Job, ModelPart
from core.runs.folder import (
    FORGET,
    JOB,
    MODEL,
    REMOVED,
    REMOVED_SIGNATURE,
    REPORT_HTML,
    REPORT_JSON,
    SIGNATURE,
    RunFolder,
)
from core.session import report_files, results
from core.session.kept import remove_kept
from core.session.report_files import check_report_files, check_signature, sign_removals, sign_report

needs_ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")


@pytest.fixture
def folder(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path / "home"))
    job = Job(
        model=ModelPart(path="/m.pt", sha256="ab" * 32, architecture="mlp", num_classes=3, in_channels=1,
                        input_size=(8, 8)),
        data=DataPart(spec="digits", fingerprint="f" * 64), forget=ForgetPart(mode="class"), method="muda",
    )  # fmt: skip
    folder = RunFolder.create(tmp_path / "run", job)
    folder.file(FORGET).write_text("index\n1\n")
    folder.file(MODEL).write_bytes(b"weights")
    results.write_report(folder, {"run": "run", "verdict": {"code": "not", "sentence": "Not forgotten."}})
    return folder


def new_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


@pytest.fixture
def key(tmp_path):
    return new_key(tmp_path / "key")


@pytest.fixture
def signers(tmp_path, key):
    kind, public = key.with_name("key.pub").read_text().split()[:2]
    (tmp_path / "signers").write_text(f"auditor@example.org {kind} {public}\n")
    return tmp_path / "signers"


def falsify(folder):
    page = folder.file(REPORT_HTML).read_text()
    assert "Not forgotten." in page
    folder.file(REPORT_HTML).write_text(page.replace("Not forgotten.", "All forgotten."))


def test_the_page_is_one_of_the_files_a_report_names(folder):
    checked = check_report_files(folder.path)
    assert checked.hashes[REPORT_HTML] == file_sha256(folder.file(REPORT_HTML))
    assert set(checked.hashes) == {MODEL, JOB, FORGET, REPORT_HTML} and not checked.unchecked
    assert checked.hashes[REPORT_HTML] not in folder.file(REPORT_HTML).read_text()  # no page can state its own
    assert checked.hashes[MODEL] in folder.file(REPORT_HTML).read_text()


@pytest.mark.parametrize("name", [REPORT_HTML, REPORT_JSON, "."])
def test_a_falsified_page_is_refused_however_the_report_is_named(folder, name):
    falsify(folder)
    with pytest.raises(MismatchError, match=r"report\.html is not what the report was written about"):
        check_report_files(folder.file(name))


@needs_ssh
def test_a_signature_covers_the_page_and_says_what_it_does_not_cover(folder, key, signers):
    folder.file("checkpoints").mkdir()
    sign_report(folder, key)
    signature = check_signature(check_report_files(folder.path), signers)
    assert signature.signer == "auditor@example.org"
    assert signature.covers == (REPORT_JSON, MODEL, JOB, FORGET, REPORT_HTML)
    assert signature.not_covered == ("checkpoints/", "status.json")
    falsify(folder)
    report = folder.report()
    report["files"][REPORT_HTML] = file_sha256(folder.file(REPORT_HTML))  # the hash is made to fit
    write_json(folder.file(REPORT_JSON), report)
    with pytest.raises(MismatchError, match="does not hold"):
        check_signature(check_report_files(folder.path), signers)


def test_the_page_of_an_earlier_version_is_said_to_be_unchecked(folder):
    report = folder.report()
    del report["files"][REPORT_HTML]
    write_json(folder.file(REPORT_JSON), report)
    assert check_report_files(folder.file(REPORT_JSON)).unchecked == (REPORT_HTML,)
    with pytest.raises(InputError, match=r"report\.html cannot be checked: report\.json states no hash of it"):
        check_report_files(folder.file(REPORT_HTML))
    folder.file(REPORT_HTML).unlink()
    assert check_report_files(folder.path).unchecked == ()


def test_a_note_excuses_the_forget_list_and_nothing_else(folder):
    """A forged removed.json made every named file absent, and all 0 files were what the report said."""
    stated = folder.report()["files"]
    for name in stated:
        folder.file(name).unlink()
    write_json(folder.file(REMOVED), {name: {"sha256": digest, "removed": "today"} for name, digest in stated.items()})
    with pytest.raises(MismatchError) as error:
        check_report_files(folder.path)
    for name in (MODEL, JOB, REPORT_HTML):
        assert f"{name} is missing" in error.value.message
    assert FORGET not in error.value.message


def test_a_report_of_which_no_file_is_there_does_not_hold(folder):
    digest = file_sha256(folder.file(FORGET))
    remove_kept(folder, {"forget_list"})
    write_json(folder.file(REPORT_JSON), {"files": {FORGET: digest}})
    with pytest.raises(MismatchError, match="none of the files it names is there"):
        check_report_files(folder.path)


@pytest.mark.parametrize(
    "note", ["[]", '{"forget.csv": 1}', '{"forget.csv": {}}', '{"forget.csv": {"sha256": "00"}}', "{"]
)
def test_a_note_of_another_shape_excuses_nothing(folder, note):
    folder.file(FORGET).unlink()
    folder.file(REMOVED).write_text(note)
    with pytest.raises(MismatchError, match=r"forget\.csv is missing"):
        check_report_files(folder.path)


def test_a_removal_is_told_with_its_time(folder):
    remove_kept(folder, {"forget_list"})
    checked = check_report_files(folder.path)
    assert checked.absent == {FORGET: folder.removed()[FORGET]["removed"]} and FORGET not in checked.hashes
    assert check_signature(checked) is None


@needs_ssh
def test_a_key_that_is_none_is_refused_in_the_words_of_ssh_keygen(folder, tmp_path):
    (tmp_path / "key").write_text("no key")
    with pytest.raises(InputError, match=r"was not signed: (?!ssh-keygen said)\S"):
        sign_report(folder, tmp_path / "key")


@needs_ssh
def test_whose_key_it_is_counts_and_what_it_is_allowed_for(folder, key, signers, tmp_path):
    sign_report(folder, key)
    checked, allowed = check_report_files(folder.path), signers.read_text()
    signers.write_text(allowed.replace(" ssh-", ' namespaces="git" ssh-'))
    with pytest.raises(MismatchError, match="does not hold"):
        check_signature(checked, signers)
    public = new_key(tmp_path / "other").with_name("other.pub").read_text()
    signers.write_text(f"auditor@example.org {public}")
    with pytest.raises(MismatchError, match="was not signed by anyone in"):
        check_signature(checked, signers)
    assert check_signature(checked).signer == ""  # without a list a person has to compare the key


@needs_ssh
def test_in_a_signed_check_the_note_must_be_signed_by_the_same_key(folder, key, signers, tmp_path):
    sign_report(folder, key)
    remove_kept(folder, {"forget_list"})
    checked = check_report_files(folder.path)
    unsigned = check_signature(checked)
    assert REMOVED in unsigned.not_covered  # a person is told so
    with pytest.raises(MismatchError, match=r"forget\.csv is gone, and removed\.json.* is unsigned"):
        check_signature(checked, signers)
    sign_removals(folder, key)
    signed = check_signature(check_report_files(folder.path), signers)
    assert REMOVED in signed.covers and FORGET not in signed.covers
    sign_removals(folder, new_key(tmp_path / "other"))
    with pytest.raises(MismatchError, match=r"removed\.json was not signed by anyone"):
        check_signature(check_report_files(folder.path), signers)
    with pytest.raises(MismatchError, match=r"removed\.json was signed with another key than report\.json"):
        check_signature(check_report_files(folder.path))


@needs_ssh
def test_a_later_removal_drops_the_signature_of_the_note(folder, key):
    remove_kept(folder, {"forget_list"})
    sign_removals(folder, key)
    folder.file("checkpoints").mkdir()
    folder.file("checkpoints").joinpath("step-000000010.pt").write_bytes(b"x")
    remove_kept(folder, {"checkpoints"})
    assert not folder.file(REMOVED_SIGNATURE).exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_file_that_is_a_link_is_not_read(folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(folder.file(MODEL).read_bytes())
    folder.file(MODEL).unlink()
    folder.file(MODEL).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="it is a link"):
        check_report_files(folder.path)


@pytest.mark.parametrize(("code", "written"), [(1, True), (0, False), (1, False), (0, True)])
def test_a_signature_counts_where_the_program_says_so_and_it_is_there(folder, key, monkeypatch, code, written):
    def signed(command):
        if written:
            folder.file(SIGNATURE).write_text("of somebody")
        return subprocess.CompletedProcess(command, code, b"", b"one line\nthe last line\n")

    monkeypatch.setattr(report_files, "_run", signed)
    if code == 0 and written:
        assert sign_report(folder, key) == folder.file(SIGNATURE)
        return
    with pytest.raises(InputError, match=r"report.json was not signed: the last line"):
        sign_report(folder, key)
