"""The command `adorym`, also as `python -m adorym`."""

from __future__ import annotations

import sys

from adorym.cli import main
from adorym.cli._huge_pages import ask_for_huge_pages


def run() -> int:
    """The command as a program of its own.

    Example:
        >>> run.__module__
        'adorym.__main__'
    """
    ask_for_huge_pages()
    return main()


if __name__ == "__main__":
    sys.exit(run())
