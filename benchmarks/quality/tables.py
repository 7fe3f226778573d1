"""Tables of results that are written as soon as a run is done, so that a sweep can be stopped and gone on with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.quality.cases import HERE, ROOT, Case

from adorym.io._atomic import write_atomic

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Site:
    """Where results are kept, and where they are shown.

    Attributes:
        tables: folder of the oracles' tables.
        results: what the defaults reached.
        page: the page that shows both.
        images: folder of its pictures.
    """

    tables: Path
    results: Path
    page: Path
    images: Path

    @classmethod
    def of(cls, folder: Path | None) -> Site:
        """The project's own places, or for a trial a folder that holds all."""
        if folder is None:
            docs = ROOT / "docs"
            return cls(HERE / "tables", HERE / "results.json", docs / "quality.md", docs / "images")
        return cls(folder / "tables", folder / "results.json", folder / "quality.md", folder / "images")


def load_table(site: Site, case: Case) -> dict[str, Any]:
    """The table of a case: `rows`, and the `pace` of first-order steps; only what was made of the same data."""
    file = site.tables / f"{case.name}.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    table = found if found.get("data") == case.data else {}
    return {"case": case.name, "data": case.data, "seeds": case.seeds, "pace": None, "rows": [], **table}


def save_table(site: Site, case: Case, table: dict[str, Any]) -> None:
    """Write the table, a run on a line."""
    head = {name: value for name, value in table.items() if name != "rows"}
    lines = [f'"{name}": {json.dumps(value, ensure_ascii=False)},' for name, value in head.items()]
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in table["rows"])
    text = "\n".join(["{", *lines, '"rows": [', rows, "]", "}", ""])
    site.tables.mkdir(parents=True, exist_ok=True)
    write_atomic(site.tables / f"{case.name}.json", text.encode())


def load_results(site: Site) -> dict[str, Row]:
    """What the default job of each case reached, by the case's name."""
    return json.loads(site.results.read_text(encoding="utf-8")) if site.results.exists() else {}


def save_result(site: Site, case: Case, result: Row) -> None:
    """Put the result of one case among the others."""
    results = {**load_results(site), case.name: {"data": case.data, "seeds": case.seeds, **result}}
    lines = ",\n".join(f'"{name}": {json.dumps(results[name], ensure_ascii=False)}' for name in sorted(results))
    site.results.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(site.results, f"{{\n{lines}\n}}\n".encode())


def result_of(results: dict[str, Row], case: Case) -> Row | None:
    """The default's result, if it is of the same data."""
    found = results.get(case.name)
    return found if found is not None and found["data"] == case.data else None
