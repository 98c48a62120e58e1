"""The Export page: the checkpoint in the form it came in or another, and what is still kept of the forget images."""

from app.pages.export.page import ExportPage

__all__ = ["ExportPage"]
