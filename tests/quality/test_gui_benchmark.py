"""The benchmark of the window's lateness: what of a delay is the window's own, and how long it waited for a core."""

from __future__ import annotations

import sys
import threading

import pytest

from benchmarks.gui import own_part, percentile, waited_for_a_core


def test_waiting_for_a_core_is_not_the_windows_own_lateness():
    assert own_part(50.0, 45.0) == 5.0 and own_part(3.0, 8.0) == 0.0


def test_percentiles():
    values = [float(number) for number in range(100, 0, -1)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [51.0, 100.0, 100.0]
    assert percentile([], 0.5) == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts it")
def test_how_long_a_thread_waited_for_a_core_only_grows():
    thread = threading.get_native_id()
    first = waited_for_a_core(thread)
    assert first is not None and waited_for_a_core(thread) >= first
    assert waited_for_a_core(-1) is None
