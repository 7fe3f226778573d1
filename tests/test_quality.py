"""The evidence that nothing needs tuning: its cases, its sweeps, its criteria, its tables and its page."""

from __future__ import annotations

import json

import pytest
from benchmarks.quality.cases import HERE, load_cases, load_plan
from benchmarks.quality.criteria import adams_mark, oracle, verdicts
from benchmarks.quality.figures import curves
from benchmarks.quality.page import page
from benchmarks.quality.run import asked, swept_job
from benchmarks.quality.runs import thinned
from benchmarks.quality.sweeps import SWEEPS, complete, pending, stage_tables
from benchmarks.quality.tables import Site, load_results, load_table, result_of, save_result, save_table

from adorym.cli._prepare import checked
from adorym.config import Job, Section, entries, load_job, resolve
from adorym.phantoms import PHANTOMS
from adorym.physics import depth_of_focus, wavelength

FILES = sorted((HERE / "cases").glob("*.toml"))
CASES = {case.name: case for case in load_cases()}
PLAN = load_plan()
MACHINE = {"processor": "a", "cores": 2, "load": [0.0, 2.0], "versions": {"jax": "1"}, "date": "2026-01-01"}
TUNING = {
    "weight", "rate", "epochs", "iterations", "steps", "tolerance", "memory", "damping", "held_out", "evaluations",
    "views_per_batch", "frames_per_batch", "binning", "scale",
}  # fmt: skip


def keys_of(value):
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_of(inner)


def load_sample(table):
    """A phantom's numbers, with their units applied."""
    job = resolve(Job({"version": 1, "phantom": table}, HERE), {"phantom": Section(kinds=PHANTOMS)})
    return entries(job, {"phantom": Section(kinds=PHANTOMS)}, "phantom")[0].arguments


def row(sweep, curve, **setting):
    best = min(curve, key=lambda point: point[1], default=None)
    return {"sweep": sweep, "setting": setting, "budget": 600, "best": best, "curve": curve, "machine": MACHINE}


# --- cases ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_case_says_what_is_measured_and_nothing_else(file):
    job = load_job(file)
    assert set(job.tables) <= {"version", "phantom", "scan", "simulate", "experiment"}
    assert not TUNING & set(keys_of(job.tables))
    assert set(job.tables.get("experiment", {})) <= {"kind", "object_size"}
    checked(job)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith(("siemens", "quick-siemens", "stall"))])
def test_the_samples_are_thicker_than_the_depth_of_focus(name):
    table = CASES[name].tables["phantom"]
    sample = load_sample(table)
    assert table["size"] * sample["voxel"] > depth_of_focus(2 * sample["voxel"], wavelength(sample["energy"]))


def test_the_cases_are_those_that_were_promised():
    photons = {name: case.tables["scan"]["photons"] for name, case in CASES.items()}
    assert (photons["holography-1e3"], photons["holography-1e5"]) == (1e3, 1e5)
    assert (photons["siemens-1e5"], photons["siemens-1e8"]) == (1e5, 1e8)
    assert len(CASES["dendrite"].tables["scan"]["distances"]) == 2
    free = [name for name, case in CASES.items() if case.noise_free and not case.quick]
    assert free == ["holography-noise-free", "ptychotomography-noise-free", "stall"]
    assert CASES["stall"].tables["scan"]["views"] == 90


def test_data_are_told_apart_by_what_they_are_made_of():
    (changed,) = load_cases(only=["stall"], sets=["phantom.seed=1"])
    assert changed.data != CASES["stall"].data
    assert changed.seeds == {"sample": 1, "noise": 0, "order": 0}
    (other,) = load_cases(only=["stall"], sets=["experiment.slab_voxels=8"])
    assert other.data == CASES["stall"].data


def test_a_case_that_is_not_there():
    with pytest.raises(SystemExit, match="No case teapot; there are dendrite"):
        load_cases(only=["teapot"])


def test_trials_leave_the_tables_alone(capsys):
    with pytest.raises(SystemExit):
        asked(["oracle", "--set", "phantom.size=16"])
    assert "--results" in capsys.readouterr().err


# --- sweeps -----------------------------------------------------------------------------------------------------------


def swept(case, error):
    """A sweep from its start to its end, the error of a setting as invented."""
    rows = []
    for sweep in SWEEPS:
        while (setting := pending(case, PLAN, rows, sweep)) is not None:
            rows.append(row(sweep, [(1.0, error(setting))], **setting))
            assert len(rows) < 60
    return rows


def invented(setting):
    """Best at a rate of 1 and a weight of 0.1, longer runs and L-BFGS better, the leaves apart better still."""
    from math import log10

    error = 0.3 + 0.05 * abs(log10(setting.get("rate", 1.0))) - 0.01 * setting.get("horizon", 0)
    error += 0.1 * abs(log10(setting.get("weight", 1e3)) + 1) - 0.01 * setting.get("apart", False)
    return error - 0.1 * (setting["solver"] == "l-bfgs")


def test_a_sweep_finds_the_best_beyond_its_first_values():
    case = CASES["holography-1e3"]
    rows = swept(case, invented)
    adam = [one["setting"] for one in rows if one["sweep"] == "adam"]
    assert [(one["rate"], one["horizon"]) for one in adam] == [
        (0.1, 0.1), (0.32, 0.1), (1.0, 0.1), (3.2, 0.1), (1.0, 0.3), (1.0, 1.0)
    ]  # fmt: skip
    weights = [one["setting"]["weight"] for one in rows if one["setting"]["solver"] == "l-bfgs"]
    assert weights == [3.0, 10.0, 0.95, 0.3, 0.095, 0.03, 0.095]
    assert oracle(rows)[1] == {"solver": "l-bfgs", "weight": 0.095, "apart": True}
    last = [one["setting"] for one in rows if one["sweep"] == "oracle" and one["setting"]["solver"] == "first order"]
    assert last == [{"solver": "first order", "rate": 1.0, "horizon": 0.3, "weight": 0.095}]
    assert all(complete(case, PLAN, rows, sweep) for sweep in SWEEPS)


def test_longer_runs_of_adam_are_tried_while_they_help():
    rows = []
    while (setting := pending(CASES["holography-1e3"], PLAN, rows, "adam")) is not None:
        rows.append(row("adam", [(1.0, invented({**setting, "horizon": -setting["horizon"]}))], **setting))
    assert [one["setting"]["horizon"] for one in rows][-2:] == [0.1, 0.3]  # no better, so no more


def test_without_noise_no_weight_is_tried_too_and_without_weights_only_adam():
    rows = swept(CASES["holography-noise-free"], invented)
    assert next(one["setting"] for one in rows if one["sweep"] == "oracle") == {"solver": "l-bfgs"}
    assert {one["sweep"] for one in swept(CASES["stall"], invented)} == {"adam"}


def test_a_sweep_goes_on_where_it_stood():
    case = CASES["siemens-1e5"]
    rows = swept(case, invented)
    for done in (0, 3, 7):
        sweep = rows[done]["sweep"]
        assert pending(case, PLAN, rows[:done], sweep) == rows[done]["setting"]
        assert not complete(case, PLAN, rows[:done], sweep)
    longer = {**PLAN, "full": {**PLAN["full"], "adam": 900}}
    assert pending(case, longer, rows, "adam") == rows[0]["setting"]  # another budget is another sweep


def test_runs_that_failed_are_not_run_again():
    case = CASES["stall"]
    rows = [row("adam", [], solver="first order", rate=rate, horizon=0.1) for rate in (0.1, 0.32)]
    assert pending(case, PLAN, rows, "adam")["rate"] == 0.032
    assert pending(case, PLAN, [], "oracle") is None
    assert not complete(case, PLAN, [], "oracle")


@pytest.mark.parametrize("name", ["holography-1e3", "siemens-1e8"])
def test_settings_are_jobs(name, tmp_path, monkeypatch):
    case = CASES[name]
    monkeypatch.setattr("benchmarks.quality.cases.RUNS", tmp_path)
    for setting, epochs in (
        ({"solver": "l-bfgs", "weight": 10.0, "apart": True}, 1000),
        ({"solver": "l-bfgs", "weight": 10.0}, 1000),
        ({"solver": "first order", "rate": 0.3, "horizon": 0.5}, 23),
    ):
        tables = {**case.tables, **stage_tables(case, setting, epochs=epochs)}
        job, _ = checked(Job(tables, tmp_path))
        assert len(job.tables["regularizers"]) == ("weight" in setting) + setting.get("apart", False)
    assert (name == "holography-1e3") == (
        job.tables.get("experiment", {}).get("start") == "vacuum"
    )  # of first-order steps
    file = tmp_path / name / f"data-{case.data}.h5"
    file.parent.mkdir()
    file.touch()
    job = swept_job(case, setting, {"start": 10.0, "epoch": 2.0}, budget=110.0, looks=60)
    assert job["stages"] == [{"solver": "first order", "free": case.family["free"], "epochs": 23, "rate": 0.3}]
    assert job["data"] == {"file": str(file)}
    assert not {"phantom", "scan", "simulate"} & job.keys()
    assert job["output"]["evaluations"] == 60


# --- criteria ---------------------------------------------------------------------------------------------------------

ADAM = [
    row("adam", [(10, 0.9), (100, 0.5), (400, 0.404), (600, 0.4)], solver="first order", rate=0.3),
    row("adam", [(10, 0.8), (200, 0.6), (600, 1.9)], solver="first order", rate=1.0),
]
ORACLE = [
    row("oracle", [(50, 0.5), (300, 0.2), (600, 0.3)], solver="gauss-newton", weight=10.0),
    row("oracle", [(50, 0.3), (600, 0.25)], solver="gauss-newton", weight=1.0),
    row("oracle", [], solver="gauss-newton", weight=100.0),
]
DEFAULT = {
    "error": 0.22, "seconds": 120.0, "curve": [(20, 0.6), (90, 0.39), (120, 0.22)], "ended": "finished",
    "machine": MACHINE,
}  # fmt: skip


def judged(result, *, noise_free=False, rows=(*ADAM, *ORACLE), below=None):
    return {one.criterion: one for one in verdicts(list(rows), result, noise_free=noise_free, below=below)}


def test_the_oracle_stops_at_the_best_moment():
    assert oracle(ORACLE) == (0.2, {"solver": "gauss-newton", "weight": 10.0})
    assert oracle(ORACLE, within=120) == (0.3, {"solver": "gauss-newton", "weight": 1.0})
    assert oracle(ORACLE, within=1) is None


def test_adams_mark_is_not_helped_by_a_flat_end():
    assert adams_mark([*ADAM, *ORACLE]) == (0.4, 400)
    assert adams_mark(ORACLE) is None


def test_no_tuning():
    found = judged(DEFAULT)["no tuning"]
    assert found.value == pytest.approx(1.1)
    assert found.met is True
    assert found.told == "gauss-newton, weight 10"
    assert judged({**DEFAULT, "error": 0.24})["no tuning"].met is False
    free = judged({**DEFAULT, "error": 0.34}, noise_free=True)["no tuning"]  # only 0.3 was reached in the same time
    assert (free.value, free.met) == (pytest.approx(0.34 / 0.3), True)
    assert judged({**DEFAULT, "seconds": 5.0}, noise_free=True)["no tuning"].met is True
    assert judged(DEFAULT, rows=ADAM)["no tuning"].met is None
    assert judged(None)["no tuning"].met is None


def test_time_to_quality():
    found = judged(DEFAULT)["time to quality"]
    assert found.value == pytest.approx(90 / 400)
    assert found.met is True
    assert judged({**DEFAULT, "curve": [(20, 0.6), (140, 0.39)]})["time to quality"].met is False
    never = judged({**DEFAULT, "curve": [(20, 0.6)]})["time to quality"]
    assert (never.value, never.met) == (float("inf"), False)
    assert judged(DEFAULT, rows=ORACLE)["time to quality"].met is None


def test_seconds_are_compared_on_machines_alike_only():
    elsewhere = [{**one, "machine": {**MACHINE, "processor": "b"}} for one in [*ADAM, *ORACLE]]
    found = judged(DEFAULT, rows=elsewhere)
    assert found["time to quality"].met is None
    assert found["time to quality"].told == "Adam was not at its mark on a machine like the default's"
    assert found["no tuning"].value == pytest.approx(1.1)  # errors are
    assert judged({**DEFAULT, "error": 0.34}, rows=elsewhere, noise_free=True)["no tuning"].met is None
    both = judged(DEFAULT, rows=[*ADAM, *ORACLE, *elsewhere])
    assert both["time to quality"].value == pytest.approx(90 / 400)


def test_comparing_counts_in_both_or_in_none():
    without = [{**one, "compared": 5.0} for one in ADAM]
    assert judged({**DEFAULT, "compared": 2.0}, rows=ADAM)["time to quality"].met is None
    assert judged(DEFAULT, rows=without)["time to quality"].met is None
    assert judged({**DEFAULT, "compared": 2.0}, rows=without)["time to quality"].value == pytest.approx(90 / 400)


def test_below_the_stall():
    assert judged({**DEFAULT, "error": 0.11}, below=0.12)["below the stall"].met is True
    found = judged(DEFAULT, below=0.12)
    assert list(found) == ["below the stall"]
    assert found["below the stall"].met is False
    assert judged(None, below=0.12)["below the stall"].met is None


# --- tables and page --------------------------------------------------------------------------------------------------


def test_tables_hold_what_was_written_and_only_of_the_same_data(tmp_path):
    site, case = Site.of(tmp_path), CASES["stall"]
    table = load_table(site, case)
    assert (table["rows"], table["pace"], table["seeds"]["noise"]) == ([], None, 0)
    table["rows"] += ADAM
    save_table(site, case, table)
    again = load_table(site, case)
    assert again["rows"] == json.loads(json.dumps(ADAM))
    assert len((site.tables / "stall.json").read_text().splitlines()) < 15
    (other,) = load_cases(only=["stall"], sets=["scan.photons=7"])
    assert load_table(site, other)["rows"] == []
    save_result(site, case, DEFAULT)
    save_result(site, CASES["dendrite"], DEFAULT)
    results = load_results(site)
    assert result_of(results, case)["error"] == 0.22
    assert result_of(results, other) is None
    assert [path.name for path in tmp_path.rglob("*.part")] == []


def test_a_curve_keeps_its_best_and_its_end():
    curve = [(float(i), abs(i - 777) + 1.23456) for i in range(1000)]
    thin = thinned(curve, 60)
    assert len(thin) <= 62
    assert (777.0, 1.235) in thin
    assert thin[-1] == (999.0, 223.2)
    assert thinned([]) == []
    assert thinned(curve[:3]) == [(0.0, 778.2), (1.0, 777.2), (2.0, 776.2)]


def test_the_page_says_plainly_what_is_not_met(tmp_path):
    site = Site.of(tmp_path)
    cases = [CASES[name] for name in ("quick-siemens", "dendrite", "siemens-1e5", "stall")]
    for case in cases[1:]:
        save_table(site, case, {**load_table(site, case), "rows": [*ADAM, *ORACLE]})
    save_result(site, cases[1], DEFAULT)
    save_result(site, cases[2], {**DEFAULT, "error": 0.5, "machine": {**MACHINE, "load": [9.0]}})
    save_result(site, cases[3], {**DEFAULT, "ended": "out of time"})
    told = page(cases, PLAN, site)
    assert "- **Met**:\n    - no tuning: `dendrite`\n    - time to quality: `dendrite`, `siemens-1e5`\n" in told
    assert "- **Not met**:\n    - no tuning: `siemens-1e5`\n    - below the stall: `stall`\n" in told
    assert "| `siemens-1e5` | 0.5 | 120 † | 0.2 | gauss-newton, weight 10 | 2.5 | **not met** |" in told
    assert "| `quick-siemens` | – | – | – | the default has not been run | – | *not measured* |" in told
    assert "`stall`: δ error 0.22, limit 0.12: **not met**; Adam's lowest error is 0.4." in told
    assert "other programs kept the machine busy" in told
    assert "Adam's sweep has not come to its end" in told


def test_the_picture_of_curves():
    png = curves(CASES["stall"], json.loads(json.dumps([*ADAM, *ORACLE])), DEFAULT)
    assert png.startswith(b"\x89PNG")


def test_the_published_page_is_up_to_date():
    site = Site.of(None)
    made = page(load_cases(), PLAN, site)
    assert site.page.read_text(encoding="utf-8") == made, "run: python -m benchmarks.quality.run page"
