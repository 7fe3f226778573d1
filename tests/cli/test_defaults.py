"""What a job takes where it does not say."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from adorym.cli._defaults import default_levels, filled
from adorym.cli._prepare import prepare
from adorym.config import load_job
from adorym.experiment import GaussianProbe, Raster, plan_holography, plan_ptychography, plan_tomography


@pytest.mark.parametrize(
    ("shape", "levels"),
    [
        ((64, 64), [1]),
        ((127, 256), [1]),
        ((128, 128), [2, 1]),
        ((128, 512), [2, 1]),
        ((256, 256), [4, 2, 1]),
        ((512, 264), [4, 2, 1]),
        ((2048, 2048), [8, 4, 2, 1]),
        ((300, 300), [4, 2, 1]),
        ((250, 250), [2, 1]),
    ],
)
def test_large_holograms_begin_coarse(shape: tuple[int, int], levels: list[int]) -> None:
    """As long as the factor divides both sides and leaves 64 pixels."""
    plan = plan_holography(shape, pixel=2e-9, energy=5e3, distances=(1e-6,), views=40)
    assert default_levels(plan) == levels


def test_frames_in_focus_and_scans_do_not() -> None:
    assert default_levels(plan_tomography((256, 256), pixel=1e-6, energy=2e4, views=40)) == [1]
    scan = plan_ptychography((128, 128), pixel=2e-9, energy=1e3, probe=GaussianProbe(128), raster=Raster(32.0), views=3)
    assert default_levels(scan) == [1]


def test_only_the_first_stage_begins_coarse_and_only_if_the_data_decide_its_end() -> None:
    plan = plan_holography((128, 128), pixel=2e-9, energy=5e3, distances=(1e-6,), views=40)

    def binnings(*stages: dict) -> list[list[int]]:
        tables = {"stages": list(stages)} if stages else {}
        return [one["binning"] for one in filled(tables, plan)["stages"]]

    assert binnings() == [[2, 1]]
    assert binnings({"memory": 3}, {"free": ["object", "probe"]}) == [[2, 1], [1]]
    assert binnings({"epochs": 30}) == [[1]]
    assert binnings({"solver": "first order", "epochs": 3}, {}) == [[1], [1]]
    assert binnings({"binning": [1]}) == [[1]]
    assert binnings({"free": ["geometry.axis_offset"]}, {}) == [[1], [1]]  # of the sample nothing moves


def test_only_what_frames_kept_back_can_judge_begins_coarse() -> None:
    few = plan_holography((128, 128), pixel=2e-9, energy=5e3, distances=(1e-6,), views=8)
    assert filled({}, few)["stages"][0]["binning"] == [1]
    many = plan_holography((128, 128), pixel=2e-9, energy=5e3, distances=(1e-6,), views=40)
    assert filled({"output": {"held_out": 0}}, many)["stages"][0]["binning"] == [1]
    lit = dataclasses.replace(many, probe=np.ones((1, 128, 128), complex))  # on a grid that need not be divided
    assert default_levels(lit) == [1]
    dead = np.random.default_rng(0).random((128, 128)) > 0.2  # squares of 4 that are measured whole: 41 %
    assert default_levels(dataclasses.replace(many, mask=dead)) == [2, 1]
    assert default_levels(dataclasses.replace(many, mask=dead & dead[::-1])) == [1]


def test_a_known_probe_is_refined_once_there_is_something_to_be_seen() -> None:
    def stages(views: int, *, known: bool = True, **tables: Any) -> list[tuple[list[str], object]]:
        probe = GaussianProbe(16)
        scan = plan_ptychography((32, 32), pixel=2e-9, energy=1e3, probe=probe, raster=Raster(4.0), views=views)
        scan = scan if known else dataclasses.replace(scan, probe=None)
        return [(one["free"], one.get("epochs", "auto")) for one in filled(tables, scan)["stages"]]

    both = ["object", "probe"]
    assert stages(1) == [(["object"], 18), (both, "auto")]
    assert stages(1, known=False) == [(both, "auto")]
    assert stages(1, stages=[{"memory": 3}]) == [(both, "auto")]
    assert stages(1, experiment={"slices": 2}) == [(both, "auto")]
    assert stages(3) == [(["object"], "auto")]  # of a volume the probe is left as it is


def test_delta_and_beta_are_held_apart_where_several_distances_tell_them_apart() -> None:
    def held(*distances: float, stage: dict | None = None, **experiment: str) -> list[str]:
        plan = plan_holography((64, 64), pixel=2e-9, energy=1e3, distances=distances, views=40)
        tables = {"experiment": experiment, **({"stages": [stage]} if stage else {})}
        found = filled(tables, plan)["regularizers"]
        assert {(one["kind"], one["weight"]) for one in found} == {("total variation", "auto")}
        return [one["where"] for one in found]

    together, apart = ["object"], ["object.delta", "object.beta"]
    assert held(1e-7) == together
    assert held(1e-7, 4e-7) == apart
    assert held(1e-7, 1e-7) == together
    assert held(1e-7, 4e-7, parametrization="fixed ratio") == together
    assert held(1e-7, 4e-7, stage={"free": ["object.delta"]}) == together
    assert held(1e-7, 4e-7, stage={"free": ["object", "geometry.axis_offset"]}) == apart
    frames_in_focus = plan_tomography((64, 64), pixel=1e-6, energy=2e4, views=40)
    assert filled({}, frames_in_focus)["regularizers"][0]["where"] == "object"


JOB = """
version = 1
[phantom]
kind = "cone"
size = 16
voxel = "8 nm"
[scan]
kind = "holography"
distances = ["300 nm"]
views = 6
photons = 1e6
[output]
held_out = 3
[[stages]]
solver = "l-bfgs"
epochs = 2
"""


@pytest.mark.parametrize(
    ("free", "start", "found"),
    [
        (["object"], "auto", (True, True)),
        (["object.delta"], "auto", (True, False)),
        (["object.beta"], "auto", (False, True)),
        (["object.delta"], None, (True, False)),
        (["object.delta"], "back-propagation", (True, True)),
        (["probe"], "auto", (True, True)),
    ],
)
def test_a_start_that_nobody_asked_for_is_not_kept_where_nothing_refines_it(free, start, found, tmp_path) -> None:
    """A rough β would stay for good where the job refines δ alone, as for a sample that does not absorb."""
    said = f'[experiment]\nstart = "{start}"\n' if start else ""
    (tmp_path / "job.toml").write_text(f"{JOB}free = {free!r}\n{said}", encoding="utf-8")
    sample = prepare(load_job(tmp_path / "job.toml"), 1).task.model.object.parametrization
    assert (bool(np.any(sample.delta)), bool(np.any(sample.beta))) == found


def test_what_another_technique_starts_from_stays_as_it_is(tmp_path) -> None:
    """Filtered back-projection is what a tomogram is known to start from, refined or not."""
    job = JOB.replace('"holography"', '"tomography"').replace('distances = ["300 nm"]\n', "")
    asked = 'free = ["object.delta"]\n[experiment]\nparametrization = "delta beta"\n'
    (tmp_path / "job.toml").write_text(job + asked, encoding="utf-8")
    sample = prepare(load_job(tmp_path / "job.toml"), 1).task.model.object.parametrization
    assert np.any(sample.beta)
