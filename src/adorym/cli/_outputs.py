"""Where a command may write a file: never over what it reads, and over something else only when told to."""

from __future__ import annotations

from pathlib import Path

from adorym._core import JobError
from adorym.io import check_writable


def check_output(path: Path, *, overwrite: bool, inputs: tuple[Path, ...] = (), suffix: str | None = None) -> None:
    """Refuse a place for a file, before any work is done for it.

    Args:
        path: where the file is to be.
        overwrite: whether a file there may be replaced.
        inputs: files the command reads, which are never replaced.
        suffix: the ending that the file needs, such as ".png".

    Raises:
        JobError: the place is taken, is no place for a file, or has another ending.
        AdorymError: its folder cannot be written to.
    """
    if suffix is not None and path.suffix.lower() != suffix:
        raise JobError(f"{path} would be a {suffix[1:].upper()} file: give it a name that ends in {suffix}.")
    if path.is_dir():
        raise JobError(f"{path} is a folder: give the name of a file in it.")
    if any(path.exists() and one.exists() and path.samefile(one) for one in inputs):
        raise JobError(f"{path} is what the command reads: choose another place.")
    if path.exists() and not overwrite:
        raise JobError(f"{path} exists already: choose another place, or replace it with --overwrite.")
    if not path.parent.is_dir():
        raise JobError(f"{path.parent} is no folder: create it first, or choose another place.")
    check_writable(path.parent)
