"""The checks that every method must pass, those of other packages as well: `python -m … NAME` runs them on one."""
