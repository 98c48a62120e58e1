"""The Project page: opens a model and its data and shows whether they fit."""

from app.pages.project.page import ProjectPage

__all__ = ["ProjectPage"]
