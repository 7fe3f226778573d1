"""Where results are kept, and where they are shown."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.quality.cases import ROOT

from adorym.io._atomic import write_atomic

HERE = Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Place:
    """Files of the benchmarks.

    Attributes:
        results: what was measured, by benchmark.
        page: that shows it.
        images: folder of its pictures.
    """

    results: Path
    page: Path
    images: Path

    @classmethod
    def of(cls, folder: Path | None) -> Place:
        """The project's own places, or for a trial a folder that holds all."""
        if folder is None:
            return cls(HERE / "results.json", ROOT / "docs" / "speed.md", ROOT / "docs" / "images")
        return cls(folder / "results.json", folder / "speed.md", folder / "images")


def load_results(place: Place) -> dict[str, dict[str, Any]]:
    """What was measured, by the name of the benchmark."""
    return json.loads(place.results.read_text(encoding="utf-8")) if place.results.exists() else {}


def save_result(place: Place, name: str, result: dict[str, Any]) -> None:
    """Put one among the others."""
    results = {**load_results(place), name: result}
    place.results.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(place.results, (json.dumps(results, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode())
