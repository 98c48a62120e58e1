"""What a package of methods or measures builds on; docs/plugins.md tells how."""

from core.plugin import *  # noqa: F403
from core.plugin import __all__ as __all__
