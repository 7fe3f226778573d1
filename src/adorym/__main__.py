"""`python -m adorym` is the command `adorym`."""

from __future__ import annotations

import sys

from adorym.cli import main

if __name__ == "__main__":
    sys.exit(main())
