"""The pages made from the code are those that the code makes now."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

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
    import tomllib

    text = generate.JOB.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(text)["stages"][1]["epochs"] == 90
