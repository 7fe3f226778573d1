"""Traces made up by hand: XLA's messages, written as protocol buffers."""

from __future__ import annotations

import itertools

# XPlane and XEventMetadata number things; any number does.
STATS = {name: number for number, name in enumerate(
    ("hlo_op", "hlo_module", "program_id", "device_ordinal", "tf_op", "Hlo Proto", "kernel_details"), 1
)}  # fmt: skip


def varint(value: int) -> bytes:
    parts = []
    while True:
        parts.append((value & 127) | (128 if value > 127 else 0))
        value >>= 7
        if not value:
            return bytes(parts)


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def shape(*sizes: int) -> bytes:
    return field(2, 11) + field(3, b"".join(varint(size) for size in sizes))


def instruction(number, name, opcode, *, names="", size=(8,), operands=(), called=()) -> bytes:
    """One operation of a program; `names` is its stack of names."""
    parts = [field(1, name), field(2, opcode), field(3, shape(*size)), field(7, field(2, names)), field(35, number)]
    parts += [field(36, b"".join(map(varint, operands)))] if operands else []
    parts += [field(38, b"".join(map(varint, called)))] if called else []
    return b"".join(parts)


def computation(number, *instructions) -> bytes:
    return field(1, f"region_{number}") + field(5, number) + b"".join(field(2, one) for one in instructions)


def program(name, *computations) -> bytes:
    """An HloProto."""
    return field(1, field(1, name) + b"".join(field(3, one) for one in computations))


def stat(name, value) -> bytes:
    kind = 4 if isinstance(value, int) else 6 if isinstance(value, bytes) else 5
    return field(1, STATS[name]) + field(kind, value)


def metadata_plane(programs: dict[int, tuple[str, bytes]]) -> bytes:
    """The plane that holds the programs, by number."""
    parts = [field(2, "/host:metadata")]
    for key, (number, (name, proto)) in enumerate(programs.items(), 1):
        event = field(1, key) + field(2, f"{name}({number})") + field(5, stat("Hlo Proto", proto))
        parts.append(field(4, field(1, key) + field(2, event)))
    return b"".join(parts) + _stat_names()


def plane(name, lines: dict[str, list[tuple]]) -> bytes:
    """A plane of lines of events (name, start in ns, length in ns, stats)."""
    known: dict[str, int] = {}
    parts = [field(2, name)]
    for number, (title, events) in enumerate(lines.items(), 1):
        line = [field(1, number), field(2, title), field(3, 0)]
        for label, start, length, *stats in events:
            key = known.setdefault(label, len(known) + 1)
            told = dict(itertools.chain(*(one.items() for one in stats)))
            inner = b"".join(field(4, stat(*one)) for one in told.items())
            line.append(field(4, field(1, key) + field(2, 1000 * start) + field(3, 1000 * length) + inner))
        parts.append(field(3, b"".join(line)))
    parts += [field(4, field(1, key) + field(2, field(1, key) + field(2, label))) for label, key in known.items()]
    return b"".join(parts) + _stat_names()


def space(*planes: bytes) -> bytes:
    return b"".join(field(1, one) for one in planes)


def _stat_names() -> bytes:
    return b"".join(
        field(5, field(1, number) + field(2, field(1, number) + field(2, name))) for name, number in STATS.items()
    )
