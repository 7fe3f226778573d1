"""Protocol buffers as they lie in a file: numbered fields, read without their schema."""

from __future__ import annotations

from collections.abc import Iterator

Bytes = memoryview


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7


def fields(data: Bytes) -> Iterator[tuple[int, int | Bytes]]:
    """Number and value of every field of a message: integers, and the bytes of everything else.

    Raises:
        ValueError: these are not the bytes of a message.
    """
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind, number = key & 7, key >> 3
        if kind == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"field {number} is of the kind {kind}")
        if at + size > len(data):
            raise ValueError(f"field {number} is cut off")
        yield number, data[at : at + size]
        at += size


def messages(data: Bytes, number: int) -> Iterator[Bytes]:
    """The values of a repeated field of messages, texts or bytes."""
    for found, value in fields(data):
        if found == number and not isinstance(value, int):
            yield value


def walk(data: Bytes, *path: int) -> Iterator[Bytes]:
    """The values of repeated fields within repeated fields."""
    if not path:
        yield data
        return
    for inner in messages(data, path[0]):
        yield from walk(inner, *path[1:])


def text(data: Bytes, number: int) -> str:
    """The value of a field of text; empty where there is none."""
    return next((bytes(value).decode("utf-8", "replace") for value in messages(data, number)), "")


def number(data: Bytes, field: int) -> int:
    """The value of a field of integers; 0 where there is none."""
    return next((value for found, value in fields(data) if found == field and isinstance(value, int)), 0)


def numbers(data: Bytes, field: int) -> list[int]:
    """The values of a repeated field of integers, packed or not."""
    found = []
    for which, value in fields(data):
        if which != field:
            continue
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            one, at = varint(value, at)
            found.append(one)
    return found
