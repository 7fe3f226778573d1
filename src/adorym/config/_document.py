"""The job's documentation, out of the same signatures that read it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

from adorym._core import JobError
from adorym.config._resolve import Registries, Section, header
from adorym.config._schema import Constructor, describe
from adorym.config._toml import inline
from adorym.config._types import REQUIRED, Field, Nested, OneOf, suggest


def schema_markdown(registries: Registries) -> str:
    """All keys a job may have, as tables in Markdown.

    Args:
        registries: the sections a job may have.

    Example:
        >>> from adorym.config import Section
        >>> def output(*, frames: int = 3) -> None: ...
        >>> print(schema_markdown({"output": Section(common=output)}).splitlines()[-1])
        | `frames` | a whole number | `3` |  |
    """
    parts = ["## Before the first table", _table(describe(header))]
    for name, section in registries.items():
        parts.append(f"## `{section.head(name)}`")
        if section.about:
            parts.append(section.about)
        if section.common is not None:
            about = "" if isinstance(section.common, tuple) else _summary(section.common)
            parts.extend(part for part in (about, _table(section.fields(section.common))) if part)
        for kind, constructor in section.kinds.items():
            default = " (taken if none is named)" if kind == section.default else ""
            parts.append(f'### `{section.selector} = "{kind}"`{default}')
            parts.extend(part for part in (_summary(constructor), _table(section.fields(constructor))) if part)
    return "\n\n".join(parts) + "\n"


def explain(registries: Registries, kind: str) -> str:
    """The keys of one kind, or of one section and the names of its kinds, as plain text for a terminal.

    Args:
        registries: the sections a job may have.
        kind: a kind's or a section's name.

    Raises:
        JobError: neither is known by that name.

    Example:
        >>> from adorym.config import Section
        >>> def poisson(*, background: float = 0.0) -> None:
        ...     "Photon counts."
        >>> print(explain({"likelihood": Section(kinds={"poisson": poisson})}, "poisson"))
        [likelihood] kind = "poisson": Photon counts.
          background = 0.0: a number
    """
    found = []
    for name, section in registries.items():
        if kind == name:
            found.append(_lines(section.head(name), section.common, section))
            found.extend(f'  {section.selector} = "{one}": {_summary(made)}' for one, made in section.kinds.items())
        elif kind in section.kinds:
            title = f'{section.head(name)} {section.selector} = "{kind}"'
            found.append(_lines(title, section.kinds[kind], section))
    if not found:
        known = [*registries, *(one for section in registries.values() for one in section.kinds)]
        raise JobError(f'"{kind}" is neither a section of a job nor a kind; {suggest(kind, known)}')
    return "\n".join(found)


def _lines(title: str, constructor: Constructor | tuple[Constructor, ...] | None, section: Section) -> str:
    about = section.about
    if constructor is not None and not isinstance(constructor, tuple):
        about = _summary(constructor) or section.about
    lines = [f"{title}: {about}" if about else title]
    for name, field in _rows(section.fields(constructor)):
        meaning = f"; {field.doc}" if field.doc else ""
        lines.append(f"  {name} = {_default(field) or '(not set)'}: {field.type.name}{meaning}")
    return "\n".join(lines)


def _table(fields: Iterable[Field]) -> str:
    rows = []
    for name, field in _rows(fields):
        default = _default(field)
        shown = f"`{default}`" if default not in ("", "required") else default
        cells = (cell.replace("|", r"\|") for cell in (f"`{name}`", field.type.name, shown, field.doc))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows]) if rows else ""


def _rows(fields: Iterable[Field], prefix: str = "") -> Iterator[tuple[str, Field]]:
    """All keys, those of nested tables after the key that holds them."""
    for field in fields:
        yield prefix + field.name, field
        members = field.type.members if isinstance(field.type, OneOf) else (field.type,)
        for member in members:
            if isinstance(member, Nested):
                yield from _rows(member.fields, f"{prefix}{field.name}.")


def _default(field: Field) -> str:
    if field.default is REQUIRED:
        return "required"
    return "" if field.default is None else inline(field.type.write(field.default))


def _summary(constructor: Constructor) -> str:
    return " ".join((inspect.getdoc(constructor) or "").split("\n\n")[0].split())
