"""`adorym formats`: which files can be read, and what a job may say about them."""

from __future__ import annotations

import argparse

SUMMARY = "list the file formats that can be read"
DESCRIPTION = """\
List the formats of measurements that can be read. With a name, list the keys that a job's [data] may hold for it.
"""
EXAMPLES = """\
examples:
  adorym formats
  adorym formats cxi
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="one format, to see its keys")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from adorym.cli._console import say, show_table
    from adorym.config import describe
    from adorym.io import FORMATS, Overrides, find_format

    if arguments.name is None:
        show_table({name: one.description for name, one in FORMATS.items()})
        return 0
    found = find_format("", arguments.name)
    say(f'{found.description}: [data] format = "{found.name}"')
    fields = [*describe(found.read, ("path", "overrides")), *describe(Overrides)]
    show_table({f"  {field.name}": f"{field.doc} ({field.type.name})" for field in fields})
    return 0
