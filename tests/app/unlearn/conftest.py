"""Fixtures of tests about runs."""

from tests.app.runner import context, example, example_home, home, opened

__all__ = ["context", "example", "example_home", "home", "opened"]
