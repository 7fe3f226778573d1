"""A TOML writer for plain values (the standard library only reads). Floats read back exactly."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def inline(value: object) -> str:
    """One value as TOML on one line; a `TypeError` for what TOML cannot hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(int(value) if isinstance(value, int) else float(value))
    if isinstance(value, str):
        # JSON's escapes are TOML's but for DEL, which TOML does not allow bare.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(inline(item) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(name)} = {inline(item)}" for name, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    raise TypeError(f"TOML cannot hold a {type(value).__name__}: {value!r}")


def document(tables: Mapping[str, Any]) -> str:
    """A whole document: bare keys first, then one `[table]` or `[[table]]` each; deeper tables are written inline."""
    bare, headed = [], []
    for name, value in tables.items():
        if isinstance(value, Mapping):
            headed.append(_block(f"[{_key(name)}]", value))
        elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
            headed.extend(_block(f"[[{_key(name)}]]", item) for item in value)
        else:
            bare.append(f"{_key(name)} = {inline(value)}")
    return "\n\n".join(["\n".join(bare), *headed] if bare else headed) + "\n"


def _block(head: str, table: Mapping[str, Any]) -> str:
    return "\n".join([head, *(f"{_key(name)} = {inline(value)}" for name, value in table.items())])


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else inline(name)
