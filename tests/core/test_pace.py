"""Time left is said once the steps say it."""

import pytest

from core.pace import LEAST_SECONDS, LEAST_STEPS, Pace


def test_a_slow_start_is_left_out():
    pace = Pace()
    assert pace.left(0, 2000, 0.0) is None
    pace.look(1, 0.36)  # by the first step alone it would be twelve minutes
    assert pace.left(1, 2000, 0.36) is None
    pace.look(2, 0.4)
    assert pace.left(LEAST_STEPS, 2000, 10.0) is None
    assert pace.left(200, 2000, 0.36 + 0.9 * LEAST_SECONDS) is None
    assert pace.left(400, 2000, 0.36 + 399 * 0.0035) == pytest.approx(1600 * 0.0035)


def test_a_run_that_begins_again_is_counted_anew():
    pace = Pace()
    pace.look(500, 9.0)
    pace.look(0, 10.0)
    assert pace.left(100, 200, 12.0) == pytest.approx(2.0)
