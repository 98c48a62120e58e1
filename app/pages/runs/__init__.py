"""The Runs page: all runs known, and those that wait."""

from app.pages.runs.page import RunsPage

__all__ = ["RunsPage"]
