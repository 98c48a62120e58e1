"""Checks methods and measures as the program's own are checked: `python -m unlearn_studio.conformance NAME`."""

import sys

from core.conformance.__main__ import main, outcomes_of_measure, outcomes_of_method

__all__ = ["main", "outcomes_of_measure", "outcomes_of_method"]

if __name__ == "__main__":
    sys.exit(main())
