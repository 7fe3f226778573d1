"""`adorym inspect`."""

from __future__ import annotations

import argparse

SUMMARY = "inspect"
DESCRIPTION = "inspect"
EXAMPLES = "examples:"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    return 0
