"""Damaged files of every kind are answered or refused in words, and the fuzzer tells what is neither."""

import json
import os
import random
import signal
import subprocess
import sys

import pytest

from benchmarks import fuzz
from benchmarks.fuzz_mutations import KINDS, damaged
from benchmarks.fuzz_readers import READERS, Reader
from benchmarks.fuzz_samples import make_card, make_forget_lists, make_idx_gz, make_npz, make_run, make_shard
from core.errors import InputError
from tests.quality.repository import ROOT

SECONDS = 25


@pytest.mark.slow
def test_a_sample_of_damaged_files_for_every_reader(tmp_path):
    """Always the same ones: others are drawn by hand, so that a change is not held up by what it did not do."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "--json", "--seconds", str(SECONDS), "--seed", "0"],
        cwd=ROOT, capture_output=True, text=True, env=os.environ | {"UNLEARN_STUDIO_HOME": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert not figures["found"], json.dumps(figures["found"], indent=1)
    assert figures["readers"] == len(READERS) and min(figures["by_reader"].values()) > 0


def test_a_case_follows_from_its_seed_and_number(tmp_path):
    reader = next(reader for reader in READERS if reader.name == "report")
    samples = reader.make(tmp_path)
    cases = [fuzz.case_of(reader, samples, seeds, number) for seeds in (["1"], ["1"], ["2"]) for number in range(40)]
    assert cases[:40] == cases[40:80] != cases[80:] and len(set(cases)) > 70
    # Of two seeds, each has its turn with each sample.
    both = [fuzz.case_of(reader, samples, ["1", "2"], number) for number in range(4)]
    assert both == [*cases[:2], *cases[82:84]]


@pytest.mark.parametrize("kind", KINDS)
def test_most_damage_changes_a_file_and_none_is_the_same(kind, tmp_path):
    sample = {
        "table": make_forget_lists, "zip": make_npz, "gzip": make_idx_gz, "tar": make_shard,
        "toml": lambda folder: [b'a = 1\n[[b]]\nc = "x"\n'], "safetensors": lambda folder: [b"\2\0\0\0\0\0\0\0{}"],
        "lines": lambda folder: make_run("events.jsonl", folder),
    }.get(kind, make_card)(tmp_path)[0]  # fmt: skip
    cases = {damaged(sample, kind, random.Random(number)) for number in range(60)}
    assert len(cases - {sample}) > 25


def test_the_fuzzer_tells_an_answer_from_a_refusal_a_fault_and_a_hang(tmp_path, monkeypatch):
    def read(folder):
        match (folder / "file").read_bytes():
            case b"refused":
                raise InputError("No.")
            case b"memory":
                raise InputError("No.") from MemoryError()
            case b"fault":
                return {}[0]
            case b"hang":
                while True:
                    pass

    def said(content):
        return fuzz.judge(Reader("test", "file", "bytes", read, lambda folder: []), tmp_path, content)[0]

    monkeypatch.setattr(fuzz, "LIMIT_SECONDS", 0.02)
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(tmp_path))
    before = signal.signal(signal.SIGPROF, fuzz._interrupt)
    try:
        assert [said(word) for word in (b"answer", b"refused", b"memory")] == ["answer", "", "memory"]
        assert said(b"fault").startswith("KeyError tests/quality/test_fuzz.py")
        assert said(b"hang").startswith("hang ")
    finally:
        signal.signal(signal.SIGPROF, before)
