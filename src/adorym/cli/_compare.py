"""`adorym compare`."""

from __future__ import annotations

import argparse

SUMMARY = "compare"
DESCRIPTION = "compare"
EXAMPLES = "examples:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return 0
