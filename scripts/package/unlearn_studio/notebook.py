"""For notebooks: progress as a bar or a line, reports as pandas frames, the report's plots as SVG."""

from core.notebook import Progress, figures, frame

__all__ = ["Progress", "figures", "frame"]
