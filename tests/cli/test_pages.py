"""The pages made from the code are those that the code makes now."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from adorym.config import Job, registries, resolve

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["job", "command_line"])
def test_the_page_is_up_to_date(generate, page):
    file = DOCS / f"{page.replace('_', '-')}.md"
    made = getattr(generate, f"{page}_page")()
    assert file.read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_the_pages_name_everything(generate):
    job, commands = generate.job_page(), generate.command_line_page()
    for word in ("`[data]`", "`[[stages]]`", "`checkpoint_seconds`", "`probe.sigma`", 'kind = "total variation"'):
        assert word in job
    for word in ("## resume", "--overwrite", "adorym compare runs/cone"):
        assert word in commands


def test_the_job_on_the_page_is_one(generate):
    text = generate.JOB.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(text)["stages"][0]["free"][1:] == ["probe", "geometry.position_offset"]


FORMATS = {".cxi": "cxi", ".npz.bz2": "numpy", ".tif": "tiff", ".h5": "nexus", "tiffs": "tiff"}
"""What the files that the pages speak of would be found to be."""


def jobs():
    """Every job that a page or an example shows."""
    pages = [*DOCS.glob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md"))]
    for page in pages:
        for number, block in enumerate(
            re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        ):
            yield pytest.param(block, id=f"{page.name}-{number}")
    for file in (DOCS.parent / "examples").glob("*.toml"):
        yield pytest.param(file.read_text(encoding="utf-8"), id=file.name)


@pytest.mark.parametrize("text", list(jobs()))
def test_a_job_that_is_shown_has_no_unknown_key(text):
    tables = tomllib.loads(text)
    data = tables.get("data", {})
    if "file" in data:
        data.setdefault("format", next((one for end, one in FORMATS.items() if data["file"].endswith(end)), None))
    kinds = {"experiment": "holography", "likelihood": "poisson"}  # those left out are those of the data
    for name in kinds.keys() & tables.keys():
        tables[name].setdefault("kind", kinds[name])
    resolved = resolve(Job({"version": 1, **tables}, Path(), "page"), registries())
    assert resolved.tables.keys() >= tables.keys()
