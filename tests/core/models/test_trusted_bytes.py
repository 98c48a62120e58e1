"""What is trusted is what runs and what is hashed: a file that is swapped in between is refused."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import torch

from core.errors import InputError, UnsafeFileError
from core.files import file_sha256, hashed
from core.models import checkpoint, pickles, user_code, weights
from core.models.architectures import ModelSpec, build_model
from core.models.checkpoint import read_model
from core.models.trust import Trust

CODE = "import torch\n\ndef net(num_classes):\n    return torch.nn.Linear(4, num_classes)\n"


class Evil:
    """Runs code when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def pickled(tmp_path):
    """A pickled network that was allowed, and one that runs code, of the same size and times."""
    good, evil, ran = tmp_path / "net.pt", tmp_path / "evil.pt", tmp_path / "ran"
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 3)), good)
    torch.save({"net": torch.nn.Linear(4, 3), "x": Evil(ran)}, evil)
    return good, evil, ran


def only(*files: Path) -> frozenset[str]:
    return frozenset(map(file_sha256, files))


def test_a_refused_pickle_is_named_by_its_content(pickled):
    good, _, _ = pickled
    with pytest.raises(UnsafeFileError) as refused:
        read_model(good)
    assert file_sha256(good) in refused.value.digests


def test_a_pickle_swapped_after_it_was_allowed_does_not_run(pickled):
    good, evil, ran = pickled
    trust = Trust(pickle=True, only=only(good))
    evil.replace(good)
    with pytest.raises(UnsafeFileError, match="is not the code that was allowed") as refused:
        read_model(good, trust)
    assert not ran.exists() and refused.value.digests == (file_sha256(good),)


def test_a_pickle_swapped_between_the_look_and_the_load_does_not_run(pickled, monkeypatch):
    good, evil, ran = pickled
    allowed, require = only(good), user_code.Room.require

    def looked_at(room, data, path):
        require(room, data, path)
        if Path(path) == good and evil.exists():
            evil.replace(good)  # what is loaded now is what was looked at, whatever lies at the path

    monkeypatch.setattr(user_code.Room, "require", looked_at)
    with pytest.raises(InputError, match="was changed while it was read"):
        read_model(good, Trust(pickle=True, only=allowed))
    assert not evil.exists() and not ran.exists()


@pytest.mark.parametrize("in_place", [False, True])
def test_weights_swapped_while_they_are_read_are_not_taken_for_those_that_were_hashed(tmp_path, monkeypatch, in_place):
    path, other, read = tmp_path / "a.pt", tmp_path / "b.pt", checkpoint.read_weights
    for seed, file in enumerate((path, other)):
        torch.manual_seed(seed)
        torch.save(torch.nn.Linear(4, 3).state_dict(), file)

    def swapped(*given):
        times = path.stat()
        if in_place:
            path.write_bytes(other.read_bytes())
        else:
            other.replace(path)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        return read(*given)

    monkeypatch.setattr(checkpoint, "read_weights", swapped)
    with pytest.raises(InputError, match="was changed while it was read"):
        read_model(path)


def test_the_hash_is_that_of_what_is_there(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with hashed(tmp_path / "a") as sha256:
        assert sha256 == hashlib.sha256(b"abc").hexdigest()


@pytest.fixture
def factory(tmp_path):
    (tmp_path / "mine.py").write_text("from beside import layer\n" + CODE)
    (tmp_path / "beside.py").write_text("layer = 1\n")
    spec = ModelSpec(f"{tmp_path / 'mine.py'}:net", 3, 1, (2, 2), user_code=f"{tmp_path / 'mine.py'}:net")
    return tmp_path / "mine.py", tmp_path / "beside.py", spec


def test_code_runs_as_it_was_allowed_and_so_does_what_it_imports(factory):
    mine, beside, spec = factory
    with pytest.raises(UnsafeFileError) as refused:
        build_model(spec)
    allowed = frozenset(refused.value.digests)
    assert allowed == only(mine, beside)
    assert build_model(spec, trust_code=True, only=allowed).out_features == 3
    beside.write_text(f"import os\nos.mkdir({str(mine.with_name('ran'))!r})\nlayer = 1\n")
    with pytest.raises(UnsafeFileError, match=r"beside\.py is not the code that was allowed"):
        build_model(spec, trust_code=True, only=allowed)
    assert not mine.with_name("ran").exists()
    assert build_model(spec, trust_code=True).out_features == 3  # on the command line its name is what is allowed


def test_code_swapped_between_the_look_and_its_run_does_not_run(factory, monkeypatch):
    mine, beside, spec = factory
    allowed, require = only(mine, beside), user_code.Room.require
    evil = f"import os\nos.mkdir({str(mine.with_name('ran'))!r})\n{CODE}"

    def looked_at(room, data, path):
        require(room, data, path)
        Path(path).write_text(evil)

    monkeypatch.setattr(user_code.Room, "require", looked_at)
    assert build_model(spec, trust_code=True, only=allowed).out_features == 3
    assert mine.read_text() == evil and not mine.with_name("ran").exists()


def test_what_a_function_imports_later_and_compiled_code_must_be_allowed_as_well(factory):
    import py_compile

    mine, beside, spec = factory
    mine.write_text(CODE.replace("    return", "    import beside\n    return"))
    with pytest.raises(UnsafeFileError, match=r"beside\.py is not"):
        build_model(spec, trust_code=True, only=only(mine))
    py_compile.compile(str(beside), str(beside.with_suffix(".pyc")))
    beside.unlink()
    with pytest.raises(UnsafeFileError, match=r"beside\.pyc is not"):
        build_model(spec, trust_code=True, only=only(mine))


def test_a_program_in_a_file_is_held_against_what_was_allowed(tmp_path):
    path = tmp_path / "net.pt"
    torch.jit.script(torch.nn.Linear(4, 3)).save(str(path))
    with pytest.raises(UnsafeFileError) as refused:
        weights.read_weights(path)
    assert refused.value.digests == (file_sha256(path),)
    assert weights.read_weights(path, Trust(code=True, only=only(path))).tensors
    with pytest.raises(UnsafeFileError, match="is not the code that was allowed"):
        weights.read_weights(path, Trust(code=True, only=frozenset()))


def test_a_network_rebuilt_from_a_pickle_is_held_against_it_too(pickled):
    good, evil, ran = pickled
    allowed = only(good)
    assert pickles.fresh_network(good, "Sequential", allowed)[0].out_features == 3
    evil.replace(good)
    with pytest.raises(UnsafeFileError, match="is not the code that was allowed"):
        pickles.fresh_network(good, "Sequential", allowed)
    assert not ran.exists()
