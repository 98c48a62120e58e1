"""What the machine is the reason of is told in a sentence, and no bug of the program."""

from __future__ import annotations

import errno
import os

import pytest

from core.errors import InputError, OutOfMemoryError, RunError, UsageError, is_out_of_memory, of_system


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("can't start new thread"),
        ImportError("/lib/_fblas.so: failed to map segment from shared object"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_that_runs_out_in_a_library_is_told_as_such(error):
    assert is_out_of_memory(error) and isinstance(of_system(error), OutOfMemoryError)


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ImportError("no"), ValueError("out of memory")])
def test_other_errors_are_faults(error):
    assert not is_out_of_memory(error) and of_system(error) is None


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.EMFILE, RunError, "Too many files are open. Allow more with `ulimit -n`, or close other programs."),
        (errno.ENFILE, RunError, "Too many files are open."),
        (errno.ENOSPC, RunError, "/d/f: No space left on device. Check the disk and its permissions, then try again."),
        (errno.EIO, RunError, "/d/f: Input/output error. Check the disk"),
        (errno.EACCES, RunError, "/d/f: Permission denied. Check the disk and its permissions"),
        (errno.ENOENT, RunError, "/d/f: No such file or directory."),
        (errno.ENOTDIR, InputError, "/d/f: Not a directory. Check the path."),
        (errno.EISDIR, InputError, "/d/f: Is a directory. Check the path."),
    ],
)
def test_an_error_of_the_system_names_the_file(code, kind, words):
    said = of_system(OSError(code, os.strerror(code), "/d/f"))
    assert type(said) is kind and said.text.startswith(words)


def test_a_library_that_finds_no_handle_and_an_error_of_ours():
    said = of_system(ImportError("libz.so: cannot open shared object file: Too many open files"))
    assert "Too many files" in said.text
    ours = UsageError("x")
    assert of_system(ours) is ours
