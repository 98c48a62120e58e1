"""What every test gets: folders of its own, one compute thread, and a check that no thread is left behind."""

from __future__ import annotations

import copy
import functools
import gc
import itertools
import os
import signal
import sys
import threading
import time
from pathlib import Path

# Before anything imports numpy or torch: two cores are shared, and small tensors are slower with more threads.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LANGUAGE"] = "en"  # the window under test is in English, whatever the system is in

# A test outlives no loss of power, and a disk that is asked for one takes milliseconds each of some ten thousand times.
os.fsync = lambda handle: None

# A shell starts what runs in the background with Ctrl+C ignored, which the programs under test would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest  # noqa: E402

HOMES = itertools.count()
GRACE_S = 15.0  # for a thread that is on its way out; only one that stays takes as long
_OWN = ("pytest_timeout", "pydevd", "execnet")  # threads of test tools


def pytest_addoption(parser):
    parser.addoption(
        "--late", type=int, default=0, metavar="MS",
        help="look that much later in each wait for the window: finds tests that wait for a state which passes",
    )  # fmt: skip
    parser.addoption(
        "--slow", type=int, default=0, metavar="MS",
        help="begin each job of the window's workers that much later: finds tests that do not wait for what it does",
    )  # fmt: skip


def pytest_collection_modifyitems(items):
    """Put files with slow tests first: one that comes last keeps one process at work while the others have none."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish():
    """Digits are parsed once by a process: from text, which takes as long as many a test that opens them."""
    named = sys.modules.get("core.data.named")
    if named is not None:
        parsed = functools.cache(named.load_digits)
        named.load_digits = lambda: copy.deepcopy(parsed())  # tests change images


@pytest.fixture(autouse=True)
def isolated_folders(tmp_path_factory, monkeypatch):
    """Settings, data, caches and logs of a test go into folders of its own."""
    home = tmp_path_factory.getbasetemp() / "homes" / str(next(HOMES))  # numbered here: pytest would list all each time
    home.mkdir(parents=True)
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(home / "studio"))
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    return home


@pytest.fixture(autouse=True)
def one_compute_thread():
    """Hold torch to one thread, without importing it for tests that do not use it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


def _threads() -> set[threading.Thread]:
    return {
        thread
        for thread in threading.enumerate()
        if not isinstance(thread, threading._DummyThread)  # threads of Qt's pool, seen once by Python
        and not thread.name.startswith(_OWN)
    }


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    before = _threads()
    yield
    if item.session.stash.get(FROZEN_FOR, None) != item.path:
        # After a file's first test, what it imports and shares is there: a million objects with torch, through which
        # neither the collector nor a search for what a test left behind has to go again and again.
        item.session.stash[FROZEN_FOR] = item.path
        gc.collect()
        gc.freeze()
    until = time.monotonic() + GRACE_S
    left = _threads() - before
    while left and time.monotonic() < until:
        time.sleep(0.01)
        left = {thread for thread in left if thread.is_alive()}
    item.session.stash.setdefault(LEFT_THREADS, []).extend(
        f"{item.nodeid}: {thread.name}" for thread in left if not thread.daemon
    )


LEFT_THREADS = pytest.StashKey[list]()
FROZEN_FOR = pytest.StashKey[Path]()


def pytest_sessionfinish(session, exitstatus):
    left = session.stash.get(LEFT_THREADS, [])
    if left and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    left = terminalreporter._session.stash.get(LEFT_THREADS, []) if terminalreporter._session else []
    for line in left:
        terminalreporter.write_line(f"ERROR thread left behind by {line}", red=True)
