"""`adorym demo`."""

from __future__ import annotations

import argparse

SUMMARY = "demo"
DESCRIPTION = "demo"
EXAMPLES = "examples:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return 0
