"""From a job as written to a job with nothing left open, checked against the constructors it will call."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from adorym._core import JobError, Memory, parse_quantity
from adorym.config._job import Job, Tables, set_values
from adorym.config._schema import Constructor, describe
from adorym.config._toml import document
from adorym.config._types import Field, Place, read_fields, shown, suggest, write_fields


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """One table of a job, or one list of tables: which constructors it may name and which keys it always has.

    Attributes:
        kinds: the constructors by name; empty where there is nothing to choose.
        common: a function, or several, whose parameters are keys beside the constructor's own (a stage's `free`,
            `steps`), or all there is where `kinds` is empty.
        selector: the key that names the constructor.
        default: the kind taken when the table names none.
        many: whether it is a list, `[[name]]`.
        absent: what to do when the job lacks it: leave it out, fill it with defaults, or refuse the job.
        given: parameters that the program supplies, which are no keys.
        about: a sentence for the documentation.

    Example:
        >>> def poisson(*, background: float = 0.0) -> None: ...
        >>> Section(kinds={"poisson": poisson}, default="poisson", absent="fill").selector
        'kind'
    """

    kinds: Mapping[str, Constructor] = dataclasses.field(default_factory=dict)
    common: Constructor | tuple[Constructor, ...] | None = None
    selector: str = "kind"
    default: str | None = None
    many: bool = False
    absent: Literal["skip", "fill", "refuse"] = "skip"
    given: tuple[str, ...] = ()
    about: str = ""

    def fields(self, constructor: Constructor | tuple[Constructor, ...] | None) -> tuple[Field, ...]:
        """The keys that one of the constructors (or `common`) may be given."""
        constructors = constructor if isinstance(constructor, tuple) else (constructor,)
        return tuple(field for one in constructors if one is not None for field in describe(one, self.given))

    def head(self, name: str) -> str:
        """How the table's head is written."""
        return f"[[{name}]]" if self.many else f"[{name}]"


Registries: TypeAlias = Mapping[str, Section]


def header(
    *,
    version: int,
    seed: int = 0,
    precision: Literal[32, 64] = 32,
    devices: int = 0,
    memory: Literal["auto"] | Memory = "auto",
    folder: Path | None = None,
) -> None:
    """The keys before the first table.

    Args:
        version: the version of the job's format.
        seed: the seed of everything random.
        precision: bits of a real number in the computation.
        devices: number of devices that share the work; 0 takes all there are (on a CPU one for each core).
        memory: the most that the run may take, such as "4 GB": of the device where that has a memory of its own, else
            of the whole process; "auto" takes what is free, less a tenth.
        folder: what file paths are relative to; the job file's folder if left out.
    """


@dataclasses.dataclass(frozen=True)
class ResolvedJob:
    """A job with every default filled in and every value checked, in TOML values written one way ("2000 pm" is "2 nm").

    Attributes:
        tables: the TOML values by section.

    Example:
        >>> ResolvedJob({"version": 1, "seed": 0, "precision": 32, "folder": "."}).precision
        32
    """

    tables: Tables

    @property
    def folder(self) -> Path:
        """What file paths in the job are relative to."""
        return Path(self.tables["folder"])

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        return self.tables["seed"]

    @property
    def precision(self) -> int:
        """Bits of a real number in the computation: 32 or 64."""
        return self.tables["precision"]

    @property
    def memory(self) -> float | None:
        """The most bytes that a run may take; `None` for what is free."""
        told = self.tables["memory"]
        return None if told == "auto" else parse_quantity(told, "memory")

    def decided(self, values: Mapping[str, object]) -> ResolvedJob:
        """The job with automatic decisions put in, TOML values by dotted path ("experiment.slab_voxels": 4)."""
        return ResolvedJob(set_values(self.tables, values.items()))


@dataclasses.dataclass(frozen=True)
class Entry:
    """One table of a resolved job, ready to be built.

    Attributes:
        path: its place in the job ("stages[1]").
        kind: the constructor's name, "" where there is nothing to choose.
        constructor: the constructor of that kind (or the section's `common`).
        arguments: what the job gives to it, as Python values; file paths are joined to the job's folder.
        settings: the section's common keys, as Python values.

    Example:
        >>> Entry("phantom", "dict", dict, {"size": 8}, {}).build()
        {'size': 8}
    """

    path: str
    kind: str
    constructor: Constructor
    arguments: dict[str, Any]
    settings: dict[str, Any]

    def build(self, given: Mapping[str, object] = MappingProxyType({})) -> Any:
        """Call the constructor; of what the program has to give it gets the parameters it knows."""
        takes = inspect.signature(self.constructor).parameters if given else ()
        return self.constructor(**{name: value for name, value in given.items() if name in takes}, **self.arguments)


def resolve(job: Job, registries: Registries) -> ResolvedJob:
    r"""Check a job against its constructors and fill in every default.

    Args:
        job: what `load_job` read.
        registries: the sections a job may have.

    Raises:
        JobError: an unknown section, kind or key, a missing one, or a value of the wrong type, with the file and the
            key's path.

    Example:
        >>> from adorym.config import parse_job
        >>> def tv(*, weight: float, where: str = "object") -> None: ...
        >>> job = parse_job('version = 1\n[[regularizers]]\nkind = "tv"\nweight = 1')
        >>> resolve(job, {"regularizers": Section(kinds={"tv": tv}, many=True)}).tables["regularizers"]
        [{'kind': 'tv', 'weight': 1.0, 'where': 'object'}]
    """
    try:
        heads = describe(header)
        first = {name: value for name, value in job.tables.items() if name not in registries}
        known = [*(field.name for field in heads), *registries]
        for name in first:
            if name not in known:
                raise JobError(f"{name}: unknown key; {suggest(name, known)}")
        values = read_fields(heads, first, Place(""))
        _check_header(values)
        tables = write_fields(heads, {**values, "folder": job.folder})
        for name, section in registries.items():
            if name in job.tables:
                tables[name] = _resolve_section(job.tables[name], section, name)
            elif section.absent == "refuse":
                raise JobError(f"{name}: missing; add {section.head(name)}{_choose(section)}")
            elif section.absent == "fill":
                tables[name] = [] if section.many else _resolve_table({}, section, Place(name))
    except JobError as error:
        raise JobError(f"{job.source}: {error}") from None
    return ResolvedJob(tables)


def entries(job: ResolvedJob, registries: Registries, name: str) -> tuple[Entry, ...]:
    """The tables of one section, in Python values: none, one, or as many as the list has.

    Args:
        job: a resolved job.
        registries: the sections it was resolved with.
        name: the section.

    Raises:
        JobError: where a decision put into the job does not fit.

    Example:
        >>> def tv(*, weight: float) -> float: return weight
        >>> registries = {"regularizers": Section(kinds={"tv": tv}, many=True)}
        >>> job = ResolvedJob({"folder": ".", "regularizers": [{"kind": "tv", "weight": 2.0}]})
        >>> [entry.build() for entry in entries(job, registries, "regularizers")]
        [2.0]
    """
    if name not in job.tables:
        return ()
    section, value, place = registries[name], job.tables[name], Place(name, job.folder)
    tables = [(place.index(i), table) for i, table in enumerate(value)] if section.many else [(place, value)]
    return tuple(_entry(table, section, where) for where, table in tables)


def dumps(job: ResolvedJob) -> str:
    """A resolved job as TOML; reading and resolving it again gives an equal job.

    Example:
        >>> print(dumps(ResolvedJob({"version": 1, "likelihood": {"kind": "poisson"}})), end="")
        version = 1
        <BLANKLINE>
        [likelihood]
        kind = "poisson"
    """
    return document(job.tables)


def _check_header(values: Mapping[str, Any]) -> None:
    for name in ("seed", "devices"):
        if values.get(name, 0) < 0:
            raise Place(name).error(f"expected zero or a positive whole number, got {values[name]}")
    memory = values.get("memory", "auto")
    if memory != "auto" and not 0 < memory < math.inf:
        raise Place("memory").error(f'expected "auto" or more than nothing, got {memory:g}')


def _resolve_section(value: object, section: Section, name: str) -> object:
    place = Place(name)
    if not section.many:
        if not isinstance(value, dict):
            raise place.error(f"expected one table, written [{name}]")
        return _resolve_table(value, section, place)
    if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
        raise place.error(f"expected a list of tables, each written [[{name}]]")
    return [_resolve_table(table, section, place.index(i)) for i, table in enumerate(value)]


def _resolve_table(table: Mapping[str, Any], section: Section, place: Place) -> Tables:
    entry = _entry(table, section, place)
    written = {section.selector: entry.kind} if section.kinds else {}
    if section.kinds:
        written |= write_fields(section.fields(section.common), entry.settings)
    return written | write_fields(section.fields(entry.constructor), entry.arguments)


def _entry(table: Mapping[str, Any], section: Section, place: Place) -> Entry:
    if not section.kinds:
        if section.common is None or isinstance(section.common, tuple):
            raise TypeError(f"section {place.path} has no kinds, so it needs one function in common")
        return Entry(place.path, "", section.common, read_fields(section.fields(section.common), table, place), {})
    kind = table.get(section.selector, section.default)
    if kind is None:
        raise place.key(section.selector).error(f"missing{_choose(section)}")
    if not isinstance(kind, str) or kind not in section.kinds:
        raise place.key(section.selector).error(
            f"unknown {section.selector} {shown(kind)}; {suggest(str(kind), section.kinds)}"
        )
    own, common = section.fields(section.kinds[kind]), section.fields(section.common)
    shared = {field.name for field in common}
    clash = shared & {field.name for field in own} | {section.selector} & (shared | {field.name for field in own})
    if clash:
        raise TypeError(f"{section.kinds[kind]!r} has parameters that [{place.path}] uses itself: {sorted(clash)}")
    values = read_fields([*common, *own], {n: v for n, v in table.items() if n != section.selector}, place)
    settings = {name: value for name, value in values.items() if name in shared}
    arguments = {name: value for name, value in values.items() if name not in shared}
    return Entry(place.path, kind, section.kinds[kind], arguments, settings)


def _choose(section: Section) -> str:
    return f"; choose {section.selector} from {', '.join(section.kinds)}" if section.kinds else ""
