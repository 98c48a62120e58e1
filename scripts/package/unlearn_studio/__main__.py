"""What `unlearn-studio`, `unlearn-studio-gui` and `python -m unlearn_studio` start."""

import sys

from main import main

if __name__ == "__main__":
    sys.exit(main())
