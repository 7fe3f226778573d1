"""The schema of a job is the signature of the constructors it names: no option classes beside the code.

`describe` lists a constructor's keys; `build_arguments` reads a table into its arguments. Parameters whose annotation
TOML cannot express (data sets, arrays, callables) are no keys: the program supplies them when it calls.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import os
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from adorym._core import Quantity
from adorym.config._types import (
    Choice,
    Field,
    File,
    Measure,
    Nested,
    OneOf,
    Place,
    Plain,
    Row,
    Table,
    TomlType,
    read_fields,
)

Constructor: TypeAlias = Callable[..., Any]

_CONTAINERS: Mapping[Any, type] = types.MappingProxyType(
    {
        list: list,
        tuple: tuple,
        collections.abc.Sequence: tuple,
        dict: dict,
        collections.abc.Mapping: dict,
    }
)


def describe(constructor: Constructor, given: Collection[str] = ()) -> tuple[Field, ...]:
    """The keys that a job may give to a constructor, in the order of its signature.

    Args:
        constructor: a function or dataclass with annotated parameters and a Google-style docstring.
        given: names that the program supplies itself, which are no keys.

    Raises:
        TypeError: a default that its own annotation does not allow.

    Example:
        >>> from adorym._core import Length
        >>> def plane(*, photons: float, pixel: Length = 2e-9) -> None: ...
        >>> [(field.name, field.type.name) for field in describe(plane)]
        [('photons', 'a number'), ('pixel', 'a length such as "2 nm" or a number of metres')]
    """
    return tuple(field for field in _fields(constructor) if field.name not in given)


def build_arguments(
    constructor: Constructor,
    table: Mapping[str, object],
    path: str = "experiment",
    *,
    folder: Path | None = None,
    given: Collection[str] = (),
) -> dict[str, Any]:
    """The arguments that a table of a job gives to a constructor, as Python values.

    Args:
        constructor: whose signature is the schema.
        table: TOML values by key.
        path: the table's place in the job, for messages.
        folder: what file paths are relative to; `None` leaves them as written.
        given: names that the program supplies itself, which are no keys.

    Raises:
        JobError: an unknown key, a missing one or a value of the wrong type, with the key's path.

    Example:
        >>> def slabs(*, thickness: tuple[float, ...], taper: bool = False) -> None: ...
        >>> build_arguments(slabs, {"thickness": [1, 2.5]})
        {'thickness': (1.0, 2.5)}
        >>> build_arguments(slabs, {"thicknes": [1]})
        Traceback (most recent call last):
        ...
        adorym._core.errors.JobError: experiment.thicknes: unknown key; did you mean thickness?
    """
    return read_fields(describe(constructor, given), table, Place(path, folder))


def _fields(constructor: Constructor) -> tuple[Field, ...]:
    hints, docs, factories = _hints(constructor), document_arguments(constructor), _factories(constructor)
    fields = []
    for name, parameter in inspect.signature(constructor).parameters.items():
        expressible = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) and name in hints
        kind = toml_type(hints[name]) if expressible else None
        if kind is not None:
            default = factories[name]() if name in factories else parameter.default
            if default is not parameter.empty and default is not None:
                kind.write(default)
            fields.append(Field(name, kind, default, docs.get(name, "")))
    return tuple(fields)


def toml_type(annotation: Any) -> TomlType | None:
    """How values of an annotation are written in a job; `None` where TOML cannot express them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        marks = [mark for mark in arguments[1:] if isinstance(mark, Quantity)]
        return Measure(marks[0].kind) if marks else toml_type(arguments[0])
    if origin is Literal:
        return Choice(arguments)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if arguments and origin in _CONTAINERS:
        return _container(origin, arguments)
    return _class(origin or annotation)


def _class(python: Any) -> TomlType | None:
    if python in (bool, int, float, str):
        return Plain(python)
    if python is os.PathLike or (inspect.isclass(python) and issubclass(python, PurePath)):
        return File()
    return _nested(python) if inspect.isclass(python) and dataclasses.is_dataclass(python) else None


def _container(origin: Any, arguments: tuple[Any, ...]) -> TomlType | None:
    python = _CONTAINERS[origin]
    if python is dict:
        item = toml_type(arguments[1]) if arguments[0] is str else None
        return Table(item) if item else None
    repeat = origin is not tuple or arguments[-1] is Ellipsis
    items = [toml_type(argument) for argument in (arguments[:1] if repeat else arguments)]
    known = tuple(item for item in items if item)
    return Row(known, python, repeat) if len(known) == len(items) else None


def _union(arguments: tuple[Any, ...]) -> TomlType | None:
    members = [member for member in map(toml_type, arguments) if member is not None]
    if any(isinstance(member, File) for member in members):  # `str | Path`: a path, so that it follows the job's folder
        members = [member for member in members if member != Plain(str)]
    members.sort(key=_breadth)
    return OneOf(tuple(members), types.NoneType in arguments) if members else None


def _breadth(member: TomlType) -> int:
    """The narrowest is tried first: one of a few words, or a number with a unit, is not kept as text."""
    if isinstance(member, Choice):
        return 0
    if isinstance(
        member, (Row, Table, Nested)
    ):  # told apart by their brackets, and last in words: "a or a list, each a"
        return 3
    return 2 if member in (Plain(str), File()) else 1


def _nested(python: type) -> TomlType | None:
    """A dataclass is a table if TOML can express all that its constructor needs."""
    fields, parameters = _fields(python), inspect.signature(python).parameters.values()
    needed = {one.name for one in parameters if one.default is one.empty}
    whole = needed <= {field.name for field in fields} and not inspect.isabstract(python)
    return Nested(python, fields) if whole else None


def _hints(constructor: Constructor) -> dict[str, Any]:
    if inspect.isclass(constructor) and not (
        dataclasses.is_dataclass(constructor) and constructor.__dataclass_params__.init  # type: ignore[attr-defined]
    ):
        constructor = constructor.__init__
    return typing.get_type_hints(constructor, include_extras=True)


def _factories(constructor: Constructor) -> dict[str, Callable[[], Any]]:
    if not (inspect.isclass(constructor) and dataclasses.is_dataclass(constructor)):
        return {}
    found = dataclasses.fields(constructor)
    return {field.name: field.default_factory for field in found if field.default_factory is not dataclasses.MISSING}


def document_arguments(constructor: Constructor) -> dict[str, str]:
    """The text of each parameter in the `Args:` (or `Attributes:`) section of a Google-style docstring."""
    text = inspect.getdoc(constructor) or ""
    section = re.search(r"^(?:Args|Attributes):\n((?:[ \t]+.*(?:\n|$)|\n)+)", text, re.MULTILINE)
    if section is None:
        return {}
    docs: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section.group(1).rstrip()):
        names, _, meaning = entry.strip().partition(":")
        for name in re.sub(r"\(.*?\)", "", names).split(","):
            docs[name.strip()] = " ".join(meaning.split())
    return docs
