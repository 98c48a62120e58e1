"""Fixtures of tests about what is open."""

from tests.app.opened import context, digits, digits_file, idle, insects, open_digits, window

__all__ = ["context", "digits", "digits_file", "idle", "insects", "open_digits", "window"]
