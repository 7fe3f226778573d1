"""What a job's value may be: one small class for each kind of annotation, which reads TOML values and writes them.

To teach jobs a new annotation, write one more `TomlType` here and one line in `_schema.toml_type`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import inspect
import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from adorym._core import JobError, QuantityKind, expected_quantity, format_quantity, parse_quantity
from adorym.config._toml import inline


@dataclasses.dataclass(frozen=True)
class Place:
    """Where in the job a value stands, and the folder its paths are relative to (`None`: leave them as written)."""

    path: str
    folder: Path | None = None

    def key(self, name: str) -> Place:
        return dataclasses.replace(self, path=f"{self.path}.{name}" if self.path else name)

    def index(self, number: int) -> Place:
        return dataclasses.replace(self, path=f"{self.path}[{number}]")

    def error(self, text: str) -> JobError:
        return JobError(f"{self.path}: {text}" if self.path else text)


def suggest(name: str, known: Iterable[str]) -> str:
    """The closest known name as a question, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"


def shown(value: object) -> str:
    """A value as the job has it, cut short."""
    text = inline(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class TomlType(ABC):
    """A type of value in a job: `read` and `write` are inverse to each other."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What is expected, in words, as in "expected {name}, got ..."."""

    @abstractmethod
    def write(self, value: Any) -> Any:
        """The TOML value that reads back as this Python value; `TypeError` where it is not of this type."""

    def read(self, value: object, place: Place) -> Any:
        """The Python value; `JobError` with the place where it does not fit."""
        try:
            return self.write(value)
        except TypeError:
            raise self.refuse(value, place) from None

    def refuse(self, value: object, place: Place) -> JobError:
        return place.error(f"expected {self.name}, got {shown(value)}")

    def require(self, fits: bool, value: object) -> None:
        if not fits:
            raise TypeError(f"{value!r} is not {self.name}")


_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "text in quotes"}


@dataclasses.dataclass(frozen=True)
class Plain(TomlType):
    """`bool`, `int`, `float` or `str`: a whole number will do for a float, nothing else for anything else."""

    python: type

    @property
    def name(self) -> str:
        return _PLAIN[self.python]

    def write(self, value: Any) -> Any:
        allowed = (int, float) if self.python is float else self.python
        self.require(isinstance(value, allowed) and isinstance(value, bool) == (self.python is bool), value)
        if self.python is float:  # NaN is no setting, and 10**400 no float
            self.require(abs(value) <= sys.float_info.max or abs(value) == math.inf, value)
        return self.python(value)


@dataclasses.dataclass(frozen=True)
class Measure(TomlType):
    """A float with a physical kind."""

    kind: QuantityKind

    @property
    def name(self) -> str:
        return expected_quantity(self.kind)

    def read(self, value: object, place: Place) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise self.refuse(value, place)
        try:
            return parse_quantity(value, self.kind)
        except JobError as error:
            raise place.error(str(error)) from None

    def write(self, value: Any) -> Any:
        return format_quantity(Plain(float).write(value), self.kind)


@dataclasses.dataclass(frozen=True)
class File(TomlType):
    """A path, relative to the job's folder."""

    @property
    def name(self) -> str:
        return "a file path in quotes"

    def read(self, value: object, place: Place) -> Path:
        if not isinstance(value, str) or not value:
            raise self.refuse(value, place)
        return Path(value) if place.folder is None else place.folder / value

    def write(self, value: Any) -> str:
        self.require(isinstance(value, os.PathLike), value)
        return str(os.fspath(value))


@dataclasses.dataclass(frozen=True)
class Choice(TomlType):
    """One of a few values (`Literal`)."""

    options: tuple[Any, ...]

    @property
    def name(self) -> str:
        return " or ".join(inline(option) for option in self.options)

    def refuse(self, value: object, place: Place) -> JobError:
        words = [option for option in self.options if isinstance(option, str)]
        close = difflib.get_close_matches(value, words, n=1) if isinstance(value, str) else []
        hint = f"; did you mean {inline(close[0])}?" if close else ""
        return place.error(f"expected {self.name}, got {shown(value)}{hint}")

    def write(self, value: Any) -> Any:
        self.require(any(type(option) is type(value) and option == value for option in self.options), value)
        return value


@dataclasses.dataclass(frozen=True)
class Row(TomlType):
    """A list: of any length and one type (`repeat`), or of a fixed length with a type for each item."""

    items: tuple[TomlType, ...]
    python: Callable[[Iterable[Any]], Any]
    repeat: bool

    @property
    def name(self) -> str:
        names = ", ".join(item.name for item in self.items)
        return f"a list, each item {names}" if self.repeat else f"a list of {len(self.items)} ({names})"

    def _types(self, value: Any) -> tuple[TomlType, ...]:
        return self.items * len(value) if self.repeat else self.items

    def read(self, value: object, place: Place) -> Any:
        if not isinstance(value, list) or len(value) != len(self._types(value)):
            raise self.refuse(value, place)
        pairs = zip(self._types(value), value, strict=True)
        return self.python(item.read(one, place.index(i)) for i, (item, one) in enumerate(pairs))

    def write(self, value: Any) -> list[Any]:
        self.require(isinstance(value, (list, tuple)) and len(value) == len(self._types(value)), value)
        return [item.write(one) for item, one in zip(self._types(value), value, strict=True)]


@dataclasses.dataclass(frozen=True)
class Table(TomlType):
    """A table with free keys (`dict[str, X]`)."""

    item: TomlType

    @property
    def name(self) -> str:
        return f"a table, each value {self.item.name}"

    def read(self, value: object, place: Place) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refuse(value, place)
        return {name: self.item.read(item, place.key(name)) for name, item in value.items()}

    def write(self, value: Any) -> dict[str, Any]:
        self.require(isinstance(value, dict), value)
        return {name: self.item.write(item) for name, item in value.items()}


REQUIRED = inspect.Parameter.empty
"""The default of a key that has none."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One key of a job: a parameter of the constructor that reads it.

    Attributes:
        name: the key.
        type: what its value may be; `type.name` says it in words.
        default: the parameter's default, or `REQUIRED`.
        doc: what it means, from the constructor's docstring.

    Example:
        >>> from adorym.config import describe
        >>> def cone(*, size: int = 64) -> None: ...
        >>> [(field.name, field.type.name, field.default) for field in describe(cone)]
        [('size', 'a whole number', 64)]
    """

    name: str
    type: TomlType
    default: object
    doc: str


def read_fields(fields: Iterable[Field], table: Mapping[str, object], place: Place) -> dict[str, Any]:
    """The values that `table` gives, as Python values; `JobError` for unknown, missing and unfitting ones."""
    known = {field.name: field for field in fields}
    for name in table:
        if name not in known:
            raise place.key(name).error(f"unknown key; {suggest(name, known)}")
    for name, field in known.items():
        if field.default is REQUIRED and name not in table:
            raise place.key(name).error(f"missing; give {field.type.name}{f' ({field.doc})' if field.doc else ''}")
    return {name: known[name].type.read(value, place.key(name)) for name, value in table.items()}


def write_fields(fields: Iterable[Field], values: Mapping[str, object]) -> dict[str, Any]:
    """All fields as TOML values, the defaults filled in; a default of None is left out, for TOML has no word for it."""
    written = {}
    for field in fields:
        value = values.get(field.name, field.default)
        if value is not None or field.default is not None:
            written[field.name] = field.type.write(value)
    return written


@dataclasses.dataclass(frozen=True)
class Nested(TomlType):
    """A table whose keys are a dataclass's fields."""

    python: type
    fields: tuple[Field, ...]

    @property
    def name(self) -> str:
        return f"a table of {', '.join(field.name for field in self.fields)}"

    def read(self, value: object, place: Place) -> Any:
        if not isinstance(value, dict):
            raise self.refuse(value, place)
        return self.python(**read_fields(self.fields, value, place))

    def write(self, value: Any) -> dict[str, Any]:
        self.require(isinstance(value, self.python), value)
        return write_fields(self.fields, {field.name: getattr(value, field.name) for field in self.fields})


@dataclasses.dataclass(frozen=True)
class OneOf(TomlType):
    """A union. With `optional`, "none" stands for None, which TOML lacks."""

    members: tuple[TomlType, ...]
    optional: bool

    @property
    def name(self) -> str:
        return " or ".join(member.name for member in self.members)

    def read(self, value: object, place: Place) -> Any:
        if self.optional and value == "none":
            return None
        containers = {list: (Row,), dict: (Table, Nested)}.get(type(value), ())
        fitting = [member for member in self.members if isinstance(member, containers)]
        if len(self.members) == 1 or len(fitting) == 1:  # one that can tell which part is wrong
            return (fitting or self.members)[0].read(value, place)
        for member in self.members:
            with contextlib.suppress(JobError):
                return member.read(value, place)
        raise self.refuse(value, place)

    def write(self, value: Any) -> Any:
        if value is None and self.optional:
            return "none"
        for member in self.members:
            with contextlib.suppress(TypeError):
                return member.write(value)
        raise TypeError(f"{value!r} is not {self.name}")
