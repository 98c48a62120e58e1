"""The Unlearn page: choose a method, start, watch, stop; and look back at any run."""

from app.pages.unlearn.page import UnlearnPage

__all__ = ["UnlearnPage"]
