"""Protocol buffers as they lie in a file: numbered fields, read without their schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Message = dict[int, list[Any]]
"""Values of the fields by their number: integers, and the bytes of everything else, in their order."""


def message(data: memoryview) -> Message:
    """The fields of a message; those within its own messages are left as bytes.

    Raises:
        ValueError: these are not the bytes of a message.
    """
    found: Message = {}
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        kind, number = key & 7, key >> 3
        if kind == 0:
            value, at = _varint(data, at)
        else:
            if kind == 2:
                size, at = _varint(data, at)
            elif kind in (1, 5):
                size = 8 if kind == 1 else 4
            else:
                raise ValueError(f"field {number} is of the kind {kind}")
            value, at = data[at : at + size], at + size
            if at > end:
                raise ValueError(f"field {number} is cut off")
        found.setdefault(number, []).append(value)
    return found


def walk(data: memoryview, *path: int) -> Iterator[memoryview]:
    """The values of fields within fields."""
    if not path:
        yield data
        return
    for inner in message(data).get(path[0], ()):
        yield from walk(inner, *path[1:])


def text(found: Message, number: int) -> str:
    """The value of a field of text; empty where there is none."""
    return bytes(found[number][0]).decode("utf-8", "replace") if number in found else ""


def numbers(found: Message, number: int) -> list[int]:
    """The values of a repeated field of integers, packed or not."""
    values = []
    for value in found.get(number, ()):
        if isinstance(value, int):
            values.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = _varint(value, at)
            values.append(one)
    return values


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7
