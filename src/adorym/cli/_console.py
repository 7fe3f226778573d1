"""Words for the terminal: results go to the standard output, progress and errors to the standard error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, errors: bool = False) -> Console:
    """A console that prints text as it is: square brackets are keys of jobs, not markup."""
    from rich.console import Console

    return Console(stderr=errors, markup=False, highlight=False, emoji=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of a result."""
    console().print(text)


def note(text: str) -> None:
    """One line about what is going on."""
    console(errors=True).print(text)


def show_table(rows: Mapping[str, str]) -> None:
    """Names and what they are, in two columns."""
    width = max(map(len, rows), default=0)
    for name, text in rows.items():
        first, *rest = text.splitlines() or [""]
        say(f"{name:<{width}}  {first}".rstrip())
        for line in rest:
            say(f"{'':<{width}}  {line}")
