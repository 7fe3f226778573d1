"""Resolving: everything filled in, everything checked, and the same again after writing and reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adorym._core import JobError
from adorym.config import Section, dumps, entries, load_job, parse_job, resolve


def test_everything_is_filled_in(job_text, registries):
    resolved = resolve(parse_job(job_text, folder=Path("/jobs")), registries)
    assert (resolved.seed, resolved.precision, resolved.folder) == (3, 32, Path("/jobs"))
    assert resolved.tables == {
        "version": 1,
        "seed": 3,
        "precision": 32,
        "devices": 0,
        "memory": "auto",
        "folder": "/jobs",
        "data": {"path": "scans/cone.h5", "energy": "5 keV", "flip": False},
        "experiment": {
            "kind": "holography",
            "slab_voxels": 4,
            "voxel": "2 nm",
            "distances": ["1 um"],
            "tilt": "3 deg",
            "boundary": "vacuum",
        },
        "likelihood": {"kind": "poisson", "background": 0.0},
        "regularizers": [{"kind": "total_variation", "weight": 1.0, "where": "object", "axes": [0, 1]}],
        "stages": [
            {"solver": "adam", "free": ["object.delta"], "steps": 10, "rates": {"object.delta": 0.5}},
            {"solver": "newton", "free": ["object.delta", "probe"], "steps": 3, "damping": "none", "log": False},
        ],
        "output": {"frames": 3},
    }


def test_entries_are_ready_to_build(job_text, registries):
    resolved = resolve(parse_job(job_text, folder=Path("/jobs")), registries)
    (experiment,) = entries(resolved, registries, "experiment")
    assert experiment.build({"data": [1, 2], "not taken": 1}) == {
        "frames": 2,
        "slab_voxels": 4,
        "voxel": 2e-9,
        "distances": (1e-6,),
        "tilt": pytest.approx(0.05235987755982989, rel=1e-15),
    }
    assert [entry.build() for entry in entries(resolved, registries, "stages")] == [{"object.delta": 0.5}, None]
    assert entries(resolved, registries, "stages")[1].settings == {"free": ("object.delta", "probe"), "steps": 3}
    assert [(entry.path, entry.kind) for entry in entries(resolved, registries, "stages")] == [
        ("stages[0]", "adam"),
        ("stages[1]", "newton"),
    ]
    (data,) = entries(resolved, registries, "data")
    assert data.build() == Path("/jobs/scans/cone.h5")
    assert data.arguments["energy"] == 5000.0
    assert entries(resolve(parse_job(MINIMAL), registries), registries, "data") == ()


MINIMAL = 'version = 1\n[experiment]\nkind = "ptychography"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[experimnt]", "experimnt: unknown key; did you mean experiment?"),
        ('precision = "double"', 'precision: expected 32 or 64, got "double"'),
        ("seed = 1.5", "seed: expected a whole number, got 1.5"),
        ("seed = -1", "seed: expected zero or a positive whole number, got -1"),
        ("devices = -1", "devices: expected zero or a positive whole number, got -1"),
        ("folder = 3", "folder: expected a file path in quotes, got 3"),
        ("experiment.slab_voxls = 1", "experiment.slab_voxls: unknown key; did you mean slab_voxels?"),
        ("experiment = 3", "experiment: expected one table, written [experiment]"),
        ("stages = {solver = 'adam'}", "stages: expected a list of tables, each written [[stages]]"),
        ('stages = [{solver="adma"}]', 'stages[0].solver: unknown solver "adma"; did you mean adam?'),
        ("likelihood.kind = 3", "likelihood.kind: unknown kind 3; known: poisson, amplitude"),
        ("likelihood.where = 3", "likelihood.where: unknown key; known: background"),
        ("regularizers = [{}]", "regularizers[0].kind: missing; choose kind from total_variation"),
        ("regularizers = [{kind='total_variation'}]", "regularizers[0].weight: missing; give a number"),
        ('stages = [{solver="adam", free=[], steps="ten"}]', 'stages[0].steps: expected a whole number, got "ten"'),
        ('stages = [{solver="adam"}]', "stages[0].free: missing; give a list, each item text in quotes (the leaves"),
    ],
)
def test_what_does_not_fit_is_said_with_file_and_path(text, message, registries):
    experiment = (
        "" if text.startswith("experiment ") else "experiment.kind = 'holography'\nexperiment.slab_voxels = 1\n"
    )
    job = parse_job(f"version = 1\n{experiment}{text}", source="my/job.toml")
    with pytest.raises(JobError) as caught:
        resolve(job, registries)
    assert str(caught.value).startswith(f"my/job.toml: {message}")
    assert "\n" not in str(caught.value)


def test_a_section_that_must_be_there(registries):
    with pytest.raises(JobError, match=r"experiment: missing; add \[experiment\]; choose kind from holography, ptycho"):
        resolve(parse_job("version = 1"), registries)


def test_a_parameter_that_clashes_with_the_sections_keys_is_the_programmers_error():
    def first(*, kind: int = 1) -> None:
        pass

    with pytest.raises(TypeError, match=r"uses itself: \['kind'\]"):
        resolve(parse_job("version = 1\na.kind = 'first'"), {"a": Section(kinds={"first": first})})


def test_decisions_are_written_into_the_job(registries):
    resolved = resolve(parse_job(MINIMAL), registries)
    decided = resolved.decided({"experiment.chunk": 16, "experiment.probe.width": "7 nm"})
    assert resolved.tables["experiment"]["chunk"] == "auto"
    again = resolve(parse_job(dumps(decided)), registries)
    assert again == decided
    assert entries(again, registries, "experiment")[0].arguments["chunk"] == 16
    assert entries(again, registries, "experiment")[0].build().width == 7e-9


def test_a_resolved_job_may_move(job_text, registries, tmp_path):
    resolved = resolve(parse_job(job_text, folder=Path("/jobs")), registries)
    (tmp_path / "job.toml").write_text(dumps(resolved), encoding="utf-8")
    assert resolve(load_job(tmp_path / "job.toml"), registries) == resolved


def jobs():
    """Jobs for the dummy constructors, each key given or left out."""
    finite = st.floats(allow_nan=False, allow_infinity=False)
    lengths = finite | finite.map(lambda x: f"{x!r} nm").filter(lambda text: abs(float(text[:-3])) < 1e300)
    some = st.fixed_dictionaries
    holography = some(
        {"kind": st.just("holography"), "slab_voxels": st.integers()},
        optional={
            "voxel": lengths,
            "distances": st.lists(lengths, max_size=3),
            "tilt": st.floats(-6, 6) | st.just("none"),
            "boundary": st.sampled_from(["vacuum", "periodic"]),
        },
    )
    modes = some({"count": st.integers()}, optional={"width": lengths, "powers": st.lists(finite, max_size=2)})
    ptychography = some(
        {"kind": st.just("ptychography")}, optional={"probe": modes, "chunk": st.integers() | st.just("auto")}
    )
    free = {"free": st.lists(st.text(), max_size=2)}
    adam = some({"solver": st.just("adam"), **free}, optional={"rates": finite | st.dictionaries(st.text(), finite)})
    newton = some({"solver": st.just("newton"), **free}, optional={"damping": finite | st.just("none")})
    file = st.text(min_size=1)
    data = some({"path": file}, optional={"energy": st.just("5 keV") | finite, "flip": st.booleans()})
    return some(
        {"version": st.just(1), "experiment": holography | ptychography},
        optional={
            "seed": st.integers(min_value=0),
            "precision": st.sampled_from([32, 64]),
            "folder": file,
            "data": data,
            "stages": st.lists(adam | newton, max_size=3),
            "output": some({}, optional={"truth": file, "frames": st.integers()}),
        },
    )


@given(jobs())
def test_what_is_written_resolves_to_the_same_job(registries, tables):
    from adorym.config._toml import document

    resolved = resolve(parse_job(document(tables)), registries)
    again = resolve(parse_job(dumps(resolved), folder=Path("/elsewhere")), registries)
    assert again == resolved
    for name in registries:
        assert entries(again, registries, name) == entries(resolved, registries, name)
