"""Reading a job: TOML text, its version, and the settings of the command line on top."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from adorym._core import JobError
from adorym.config._types import shown

Tables: TypeAlias = dict[str, Any]

MIGRATIONS: Mapping[int, Callable[[Tables], Tables]] = MappingProxyType({})
"""For each older version of the job's format, what turns its tables into the next version's."""

VERSION = 1 + len(MIGRATIONS)
"""The version of jobs that this program writes."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A job as it was written, with the settings of the command line applied and brought to this version.

    Attributes:
        tables: the TOML values; file paths are as written.
        folder: what those paths are relative to: the job file's folder, or the `folder` that the job names.
        source: the file's name, for messages.

    Example:
        >>> parse_job('version = 1').tables
        {'version': 1}
    """

    tables: Tables
    folder: Path
    source: str = "job"


def load_job(path: str | Path, sets: Iterable[str] = ()) -> Job:
    """Read a job file.

    Args:
        path: the TOML file.
        sets: settings "dotted.key=value" that override it.

    Raises:
        JobError: no such file, not TOML (with the line), a version this program does not know, a bad setting.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder, "job.toml")
        ...     _ = file.write_text("version = 1")
        ...     load_job(file, ["seed=7"]).tables
        {'version': 1, 'seed': 7}
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise JobError(f"{path}: cannot read the job ({error.strerror}); give the path of a TOML file.") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: not a text file in UTF-8 (byte {error.start}); give a job in TOML.") from None
    return parse_job(text, sets, folder=path.resolve().parent, source=str(path))


def parse_job(
    text: str,
    sets: Iterable[str] = (),
    *,
    folder: Path | None = None,
    source: str = "job",
    migrations: Mapping[int, Callable[[Tables], Tables]] = MIGRATIONS,
) -> Job:
    """Read a job from text; see `load_job`.

    Args:
        text: the TOML.
        sets: settings "dotted.key=value" that override it.
        folder: what file paths are relative to (the working directory if left out).
        source: the name used in messages.
        migrations: for each older version, what brings its tables to the next.

    Raises:
        JobError: not TOML (with the line), a version this program does not know, a bad setting.

    Example:
        >>> parse_job('version = 1', ["experiment.voxel=2 nm"]).tables["experiment"]
        {'voxel': '2 nm'}
    """
    try:
        tables = tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # also for numbers of thousands of digits, tables in thousands of tables
        raise JobError(f"{source}: not valid TOML: {error}") from None
    try:
        upgraded = _upgraded(tables, migrations)
        tables = apply_sets(upgraded, sets)
        if tables["version"] != upgraded["version"]:
            raise JobError("version: it is that of the job's text and cannot be set; edit the job")
    except JobError as error:
        raise JobError(f"{source}: {error}") from None
    base = (folder or Path()).resolve()
    named = tables.get("folder", "")
    return Job(tables, base / named if isinstance(named, str) else base, source)


def apply_sets(tables: Tables, sets: Iterable[str]) -> Tables:
    """Tables with settings of the form "dotted.key=value" applied; the tables given are left as they are.

    List entries go by number ("stages.0.steps=20" or "stages[0].steps=20"); the first may be new. A value is TOML, and
    text where it is not ("experiment.voxel=2 nm" needs no quotes).

    Args:
        tables: a job's TOML values.
        sets: the settings, applied in order.

    Raises:
        JobError: no "=", or a path that the job does not have.

    Example:
        >>> apply_sets({"stages": [{"steps": 5}]}, ["stages.0.steps=20", "output.frames=3"])
        {'stages': [{'steps': 20}], 'output': {'frames': 3}}
    """
    values = []
    for setting in sets:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            raise JobError(f'--set "{setting}": write it as key=value, for example stages.0.steps=20')
        values.append((path.strip(), _parse_value(text.strip())))
    return set_values(tables, values)


def set_values(tables: Tables, values: Iterable[tuple[str, object]]) -> Tables:
    """A copy of the tables with values put at dotted paths.

    Tables on the way appear as needed, and the first of a list of tables that is not there; others of a list do not.
    """
    tables = copy.deepcopy(tables)
    for path, value in values:
        steps = re.sub(r"\[(\d+)\]", r".\1", path).split(".")
        node: Any = tables
        for step, following in itertools.pairwise(steps):
            key, absent = _key(node, step, path), [{}] * (following == "0") if following.isdecimal() else {}
            node = node.setdefault(key, absent) if isinstance(key, str) else node[key]
        node[_key(node, steps[-1], path)] = value
    return tables


def _key(node: object, step: str, path: str) -> str | int:
    """What a step of a dotted path is to the table or list that it is taken from."""
    if isinstance(node, dict) and step:
        return step
    if isinstance(node, list) and step.isdecimal() and int(step) < len(node):
        return int(step)
    if isinstance(node, list):
        raise JobError(f'{path}: "{step}" is no entry of the list; it has {len(node)}, counted from 0')
    raise JobError(f'{path}: "{step}" has no table to stand in')


def _parse_value(text: str) -> object:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _upgraded(tables: Tables, migrations: Mapping[int, Callable[[Tables], Tables]]) -> Tables:
    newest = 1 + len(migrations)
    if "version" not in tables:
        raise JobError(f"version: missing; begin the job with version = {newest}")
    version = tables["version"]
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise JobError(f"version: expected a whole number from 1 to {newest}, got {shown(version)}")
    if version > newest:
        raise JobError(
            f"version: this job is of version {version}, and this adorym reads jobs up to version {newest}; "
            "update adorym, or write the job anew"
        )
    for step in range(version, newest):
        tables = migrations[step](tables)
    return {**tables, "version": newest}
