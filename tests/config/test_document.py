"""The documentation that comes out of the signatures."""

from __future__ import annotations

import pytest

from adorym._core import JobError
from adorym.config import explain, schema_markdown


def test_every_section_kind_and_key_is_documented(registries):
    text = schema_markdown(registries)
    lines = text.splitlines()
    for name, section in registries.items():
        assert f"## `{section.head(name)}`" in lines
        for kind in section.kinds:
            assert any(line.startswith(f'### `{section.selector} = "{kind}"`') for line in lines)
    assert "| `slab_voxels` | a whole number | required | voxels that share one slab \\| thickness. |" in lines
    assert '| `voxel` | a length such as "2 nm" or a number of metres | `"1 nm"` | edge of a voxel. |' in lines
    assert "| `probe.count` | a whole number | required | how many modes. |" in lines
    assert '| `chunk` | "auto" or a whole number | `"auto"` |  |' in lines
    assert "| `truth` | a file path in quotes |  |  |" in lines
    assert "| `precision` | 32 or 64 | `32` | bits of a real number in the computation. |" in lines
    assert '### `kind = "poisson"` (taken if none is named)' in lines
    assert "Terms added to the misfit." in lines
    assert "`data`" not in text.split("## `[experiment]`")[1]


def test_kinds_and_sections_are_explained(registries):
    assert explain(registries, "holography").splitlines()[:2] == [
        '[experiment] kind = "holography": Full-field holography.',
        "  slab_voxels = required: a whole number; voxels that share one slab | thickness.",
    ]
    assert explain(registries, "stages").splitlines() == [
        "[[stages]]: One stage of a reconstruction.",
        "  free = required: a list, each item text in quotes; the leaves to refine.",
        "  steps = 10: a whole number; how many steps.",
        '  solver = "adam": First order.',
        '  solver = "newton": Second order.',
    ]
    assert "truth = (not set): a file path" in explain(registries, "output")


def test_what_is_not_known_is_said(registries):
    with pytest.raises(JobError, match=r'"holografy" is neither .* did you mean holography\?'):
        explain(registries, "holografy")
