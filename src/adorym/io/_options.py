"""The keys of a job's [data] table, held against the signature of what takes them."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np

from adorym._core import JobError, Quantity, expected_quantity, parse_quantity

_WORDS: Mapping[object, str] = types.MappingProxyType(
    {float: "a number", int: "a whole number", bool: "true or false", str: "text", Path: "a path"}
)


def accepted_keys(target: Callable[..., Any]) -> dict[str, Any]:
    """Keyword-only parameters of a function, or fields of a dataclass, with their annotations."""
    hints = typing.get_type_hints(target, include_extras=True)
    if inspect.isclass(target) and dataclasses.is_dataclass(target):
        return {field.name: hints[field.name] for field in dataclasses.fields(target)}
    parameters = inspect.signature(target).parameters.values()
    return {one.name: hints[one.name] for one in parameters if one.kind is one.KEYWORD_ONLY}


def take(options: Mapping[str, object], keys: Mapping[str, Any]) -> dict[str, Any]:
    """The options named in `keys`, converted to their annotations.

    Raises:
        JobError: a value that its annotation does not allow, with the key's path.
    """
    return {name: _convert(value, keys[name], f"data.{name}") for name, value in options.items() if name in keys}


def refuse_unknown(options: Iterable[str], keys: Iterable[str], owner: str) -> None:
    """Raise for the first option that nobody takes.

    Raises:
        JobError: an unknown key, with the nearest known one.
    """
    known = sorted(keys)
    for name in options:
        if name not in known:
            raise JobError(f"data.{name} is no key of {owner}: {suggestion(name, known)}")


def suggestion(name: str, known: Iterable[str]) -> str:
    """What to do about an unknown word: the nearest known one, or all of them."""
    known = list(known)
    near = [word for word in known if name and word.startswith(name)][:1]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"use one of {', '.join(known)}."


def _convert(value: object, hint: Any, key: str) -> Any:
    """The value as its annotation wants it; quantities may come as text with a unit or as SI numbers."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated and isinstance(arguments[1], Quantity):
        return _quantity(value, arguments[1], key)
    if origin in (Union, types.UnionType):
        return _first(value, hint, key)
    if origin is Literal:
        if value in arguments:
            return value
        raise JobError(f"{key} is {value!r}: {suggestion(str(value), map(str, arguments))}")
    if origin is tuple and isinstance(value, (list, tuple, np.ndarray)):
        return tuple(_convert(item, arguments[0], key) for item in value)
    if origin is dict and isinstance(value, Mapping):
        return {str(name): _convert(item, arguments[1], key) for name, item in value.items()}
    if hint is Path and isinstance(value, (str, os.PathLike)):
        return Path(value)
    if hint is float and isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)  # pyright: ignore[reportArgumentType]
    if hint is int and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    if hint in (bool, str, types.NoneType) and isinstance(value, hint):
        return value
    raise JobError(f"{key} is {value!r}: give {_describe(hint)}.")


def _quantity(value: object, quantity: Quantity, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, np.number)):
        raise JobError(f"{key} is {value!r}: give {expected_quantity(quantity.kind)}.")
    try:
        return parse_quantity(value if isinstance(value, str) else float(value), quantity.kind)
    except JobError as error:
        raise JobError(f"{key}: {error}.") from error


def _first(value: object, hint: Any, key: str) -> Any:
    """The value by the first member of a union that takes it; text is a path or plain text only as a last resort."""
    order = sorted(get_args(hint), key=lambda member: member in (str, Path))
    failures: list[JobError] = []
    for member in order:
        try:
            return _convert(value, member, key)
        except JobError as error:
            failures.append(error)
    telling = [error for error, member in zip(failures, order, strict=True) if _alike(value, member)]
    raise telling[0] if telling else JobError(f"{key} is {value!r}: give {_describe(hint)}.")


def _alike(value: object, member: Any) -> bool:
    """Whether a member of a union is plainly the one meant, so that its own message says most."""
    origin = get_origin(member)
    if isinstance(value, (list, tuple, np.ndarray)):
        return origin is tuple
    return origin in (Annotated, Literal) and isinstance(value, (str, int, float))


def _describe(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return expected_quantity(arguments[1].kind)
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(member) for member in arguments if member is not types.NoneType)
    if origin is Literal:
        return " or ".join(repr(word) for word in arguments)
    if origin is tuple:
        return f"a list ({_describe(arguments[0])} each)"
    if origin is dict:
        return "a table"
    return _WORDS.get(hint, str(hint))
