"""The benchmarks' own logic: times in turn, laws, bytes, what is met, the page. No time is ever tested."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks.speed import paper
from benchmarks.speed.clock import alternate, quickest, ratio, rounded
from benchmarks.speed.figures import curves
from benchmarks.speed.floor import WORKER, Ffts, calls_in
from benchmarks.speed.laws import fit
from benchmarks.speed.limits import FLOOR, verdicts
from benchmarks.speed.page import page, write_page
from benchmarks.speed.run import BENCHMARKS, asked, measured
from benchmarks.speed.settings import Settings
from benchmarks.speed.tables import Place, load_results, save_result
from benchmarks.speed.traffic import chain_bytes, far_field_bytes, fraction, view_bytes

from adorym.cli._prepare import checked
from adorym.config import Job

MACHINE = {
    "processor": "a", "cores": 2, "device": "2 x cpu", "load": [0.0, 1.0], "versions": {"jax": "1"},
    "date": "2026-01-01",
}  # fmt: skip


def settled(**result):
    return {**result, "machine": MACHINE, "took": 12.3}


# --- times ------------------------------------------------------------------------------------------------------------


def test_what_is_compared_runs_in_turn_after_a_warm_up():
    order = []

    def run(name):
        def once():
            order.append(name)
            return float(len(order))

        return once

    times = alternate({"a": run("a"), "b": run("b")}, 3)
    assert "".join(order) == "ab" * 4
    assert times == {"a": [3.0, 5.0, 7.0], "b": [4.0, 6.0, 8.0]}


def test_a_comparison_that_takes_long_has_fewer_rounds():
    assert len(alternate({"a": lambda: 1.0}, 9, patience=0.0)["a"]) == 2


def test_ratios_of_least_times_and_of_rounds():
    times = {"a": [6.0, 4.0, 9.0], "b": [1.0, 2.0, 3.0]}
    assert ratio(times, "a", "b") == {"ratio": 4.0, "median": 3.0}
    assert ratio(times, "a", "b", times_other=2) == {"ratio": 2.0, "median": 1.5}
    assert quickest(times) == "b"
    assert quickest(times, ["a"]) == "a"
    assert rounded(1.23456) == 1.235


# --- laws -------------------------------------------------------------------------------------------------------------


def test_a_law_is_found_with_what_does_not_grow():
    sizes = (8, 16, 32, 64)
    found = fit("n", sizes, [5 + 2 * n for n in sizes])
    assert (found.fixed, found.slope) == pytest.approx((5, 2))
    assert found.deviation < 1e-9
    assert found.met
    assert found(10) == pytest.approx(25)


def test_a_wrong_law_deviates():
    sizes = (8, 16, 32, 64, 128)
    assert not fit("n", sizes, [n**2 for n in sizes]).met
    assert not fit("constant", sizes, [float(n) for n in sizes]).met
    assert fit("constant", sizes, [3.0, 3.1, 3.0, 2.9, 3.0]).met
    assert fit("√n", sizes, [7 * n**0.5 for n in sizes]).slope == pytest.approx(7)


def test_no_part_of_a_law_is_negative():
    found = fit("n", (1, 2, 3, 4), [0.5, 2.0, 3.5, 5.0])  # a line through -1
    assert found.fixed == 0
    assert found.slope > 0


def test_large_and_small_values_count_alike():
    sizes = (1, 10, 100, 1000)
    found = fit("n", sizes, [1.0, 10.0, 130.0, 1000.0])
    assert found.slope == pytest.approx(1.05, abs=0.03)
    assert found.deviation == pytest.approx(0.24, abs=0.05)


# --- bytes ------------------------------------------------------------------------------------------------------------


def test_bytes_of_a_chain_by_hand():
    # one wave of 10 pixels, one step: 4 FFTs of two passes, each read and written, one wave kept and read; 2 slabs
    assert chain_bytes(1, 10, 2) == 10 * (4 * 4 * 8 + 2 * 8) + 2 * 10 * 2 * 4 * 3
    assert chain_bytes(3, 10, 1) == 10 * 2 * 4 * 3  # a single slab needs no step
    assert chain_bytes(1, 10, 2, slab_pixels=100) - chain_bytes(1, 10, 2) == 90 * 2 * 2 * 4 * 3


def test_bytes_grow_as_the_waves_do():
    one, two = (chain_bytes(waves, 256**2, 16) for waves in (1, 2))
    assert chain_bytes(3, 256**2, 16) - two == two - one
    assert far_field_bytes(2, 100) == 2 * 100 * (2 * 32 + 4)
    assert view_bytes(1000, 100) == 8 * 1100 + 8 * 2100


def test_the_part_of_the_bandwidth():
    assert fraction(6_000, 2.0, 4_000.0) == 0.75


# --- FFTs -------------------------------------------------------------------------------------------------------------


def test_libraries_are_timed_by_a_process_of_their_own():
    libraries = Ffts([Path(sys.executable), Path("/there/is/no/python"), Path(sys.executable)])
    try:
        assert {"NumPy", "SciPy"} <= set(libraries.versions)
        assert len(libraries._processes) == 1
        runs = libraries.runs((1, 8, 8), 400, most=4)
        assert set(runs) <= set(libraries.names)
        assert all(run() > 0 for run in runs.values())
    finally:
        libraries.close()
    assert libraries._processes[0].returncode == 0


def test_a_worker_that_dies_is_noticed():
    libraries = Ffts([Path(sys.executable)])
    for process in libraries._processes:
        process.kill()
    with pytest.raises(SystemExit, match="ended early, with code -9"):
        libraries.seconds(libraries.names[0], (1, 8, 8), 2)
    libraries.close()


def test_the_worker_needs_nothing_of_the_project():
    assert "adorym" not in WORKER.read_text(encoding="utf-8").replace("benchmarks", "")


def test_calls_come_in_pairs():
    assert [calls_in(1.0, once) for once in (0.1, 0.3, 10.0)] == [10, 4, 2]


# --- what is met ------------------------------------------------------------------------------------------------------

RESULTS = {
    "floor": settled(
        libraries={"SciPy": "1.0"},
        rows=[
            {
                "shape": list(shape), "ratio": value, "median": value + 0.1, "by": "stored, one device",
                "floor by": "SciPy, 1 thread", "rounds": 5, "JAX's FFTs": 1.2,
                "seconds": {"stored, one device": 0.02, "SciPy, 1 thread": 0.01, "JAX's FFTs": 0.015},
            }
            for shape, value in zip(FLOOR, (2.5, 2.6, 1.5, 3.2), strict=True)
        ],
    ),
    "memory": settled(
        rows=[{"by": "reversible", "slabs": [64, 512], "waves": [5.0, 5.1], "growth": 0.02}],
    ),
    "rotation": settled(
        size=256, ratio=4.5, median=4.4, by="copy", parts={"forward": {"ratio": 2.0}, "adjoint": {"ratio": 2.5}},
        seconds=dict.fromkeys(("copy", "copy by JAX", "copy onto a copy", "forward", "adjoint", "both"), 0.02),
    ),
    "tomography": settled(
        size=64, views=8, ratio=2.4, median=2.6, together=5.5, slab_voxels=3, grid=[128, 128], between=[96, 96],
        **{"floor by": "FFTW", "ms a view": {"every voxel a slab": 9.0, "chosen slabs, vacuum around the frame": 3.5}},
    ),
    "scaling": settled(
        rows=[
            {
                "curve": "pixels along a wave's edge", "sizes": [8, 16],
                "time": {"values": [1.0, 2.0], "law": "n", "fixed": 0.0, "slope": 0.125, "deviation": 0.2},
                "memory": {"values": [3.0, 3.0], "law": "constant", "fixed": 3.0, "slope": 0.0, "deviation": 0.0},
            },
        ],
    ),
    "forecasts": settled(
        rows=[{"job": "star", "steps": "9 at 1, every 1", "memory": [6e8, 5.2e8], "time": [5.0, 10.0]}],
    ),
    "cone": settled(told={"wall time": "30 min"}, seconds=1800.0, peak_memory=5e9),
}  # fmt: skip


def by_name(results):
    return {one.what: one for one in verdicts(results)}


def test_what_is_met_and_what_is_not():
    met = {name: one.met for name, one in by_name(RESULTS).items()}
    assert met["8 x 128² x 16 slabs: time of its FFTs"] is True
    assert met["16 x 256² x 16 slabs: time of its FFTs"] is False
    assert met["1 x 1024² x 256 slabs: time of its FFTs"] is True
    assert met["rotation and adjoint of 256³"] is False
    assert met["a view of 64³ through 64 slabs: time of its FFTs"] is True
    assert met["a view of 64³ through chosen slabs"] is False
    assert met["time against pixels along a wave's edge"] is False
    assert met["memory against pixels along a wave's edge"] is True
    assert met["memory of `star` foretold"] is True
    assert met["time of `star` foretold"] is False
    assert met["the 256³ cone, default job"] is True
    assert met["memory of the 256³ cone"] is False
    assert met["256² waves in bulk on a GPU: part of the bandwidth"] is None


def test_nothing_is_known_of_nothing():
    assert {one.met for one in verdicts({})} == {None}


def test_a_forecast_may_be_off_either_way():
    rows = [{"job": "star", "steps": "", "memory": [4.3e8, 5e8], "time": [13.0, 10.0]}]
    found = by_name({"forecasts": settled(rows=rows)})
    assert found["memory of `star` foretold"].value == pytest.approx(0.14)
    assert found["time of `star` foretold"].told == "off by +30 %, limit 40 %"


def test_results_of_other_sizes_prove_nothing():
    other = {"rotation": {**RESULTS["rotation"], "size": 32}}
    assert by_name(other)["rotation and adjoint of 256³"].met is None


def test_a_gpu_is_judged_by_what_it_uses_of_its_memory():
    rows = [
        {"kernel": "copy", "bytes a second": 4e12},
        {"kernel": "64 x 256² through 16 slabs", "ms": 1.0, "µs each": 2.0, "bytes": 10**9, "fraction": 0.65},
        {"kernel": "100 frames of 364² through 4 slices", "ms": 1.0, "µs each": 120.0, "bytes": 10**9, "fraction": 0.3},
    ]
    results = {"gpu": settled(rows=rows)}
    found = by_name(results)
    assert found["256² waves in bulk on a GPU: part of the bandwidth"].met is True
    assert found["364² frames through 4 slices on a GPU"].met is False
    assert "| 64 x 256² through 16 slabs | 1 | 2 | 1 | 65 % |" in page(results)


# --- page -------------------------------------------------------------------------------------------------------------


def test_the_page_says_plainly_what_is_not_met(tmp_path):
    place = Place.of(tmp_path)
    for name, result in RESULTS.items():
        save_result(place, name, json.loads(json.dumps(result)))
    write_page(place)
    told = place.page.read_text(encoding="utf-8")
    assert "    - 16 x 256² x 16 slabs: time of its FFTs: 2.6 times, limit 2.5\n" in told
    assert "| 16 x 256² x 16 slabs | 20 | stored, one device | 10 | SciPy, 1 thread | **2.6** | 2.7 | 1.2 |" in told
    assert "| reversible | 5 | 5.1 | 2 % |" in told
    assert "- time against pixels along a wave's edge: small waves stay" in told
    assert "No GPU was there" in told
    assert "MKL through torch did not" in told
    assert "**2.4** times its 256 FFTs by FFTW (median 2.6), and 5.5 times those of 8 views in one call" in told
    assert (place.images / "speed-time.png").read_bytes().startswith(b"\x89PNG")
    assert load_results(place).keys() == RESULTS.keys()


def test_the_page_of_nothing_and_of_a_busy_machine():
    assert "**Met**: nothing." in page({})
    crowded = {"rotation": {**RESULTS["rotation"], "machine": {**MACHINE, "load": [9.0, 0.0]}}}
    assert "† Other programs kept the machine busy" in page(crowded)
    assert "† Other programs" not in page({"rotation": RESULTS["rotation"]})


def test_the_picture_of_curves():
    assert curves(RESULTS["scaling"]["rows"], "time", unit="ms", scale=1e3).startswith(b"\x89PNG")


def test_the_published_page_is_up_to_date():
    place = Place.of(None)
    made = page(load_results(place))
    assert place.page.read_text(encoding="utf-8") == made, "run: python -m benchmarks.speed.run page"


# --- commands ---------------------------------------------------------------------------------------------------------


def test_trials_leave_the_results_alone(capsys):
    for words in (["--small"], ["teapot"]):
        with pytest.raises(SystemExit):
            asked(words)
    told = capsys.readouterr().err
    assert "--results" in told
    assert "there is no benchmark teapot" in told
    with pytest.raises(SystemExit):
        paper.main(["--size", "32"])


@pytest.mark.single_precision
@pytest.mark.parametrize("name", ["memory", "rotation", "forecasts", "gpu"])
def test_a_benchmark_at_a_small_size(name, tmp_path):
    place = Place.of(tmp_path)
    measured([name], Settings(rounds=1, small=True), place)
    result = load_results(place)[name]
    assert result["machine"]["cores"]
    write_page(place)
    assert name in BENCHMARKS


@pytest.mark.single_precision
def test_memory_does_not_grow_where_the_wave_is_walked_back():
    from benchmarks.speed.kernels import memory

    rows = {row["by"]: row for row in memory(32, (8, 64))}
    assert rows["reversible"]["growth"] < 0.05
    assert rows["stored"]["growth"] > 3
    assert 0.5 < rows["segments"]["growth"] < rows["stored"]["growth"]


@pytest.mark.parametrize("make", [paper.cone_tables, paper.scan_tables], ids=["cone", "scan"])
def test_the_papers_problem_is_a_job(make, tmp_path):
    tables = make(256, 500)
    job, _ = checked(Job(tables, tmp_path))
    assert job.tables["scan"]["views"] == 500
    assert "stages" not in tables
    assert "regularizers" not in tables
