"""`adorym compare` and the measures behind it: the region, the voxels, and what ptychography cannot tell."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

from adorym._core import DataError
from adorym.cli._measures import agreement, centred, error_of, on_voxels
from adorym.io import ImageResult, Truth, VolumeResult, write_volume
from adorym.metrics import Gauge
from adorym.physics import wavenumber

RNG = np.random.default_rng(1)
BLOB = np.exp(-sum(x**2 for x in np.meshgrid(*[np.linspace(-2, 2, 16)] * 3)) * 2) * (1 + 0.3 * RNG.random((16, 16, 16)))
TRUTH = Truth((1e-4 * BLOB).astype(np.float32), (1e-6 * BLOB).astype(np.float32), 2e-9)


def volume(delta, reached=None, voxel=2e-9):
    return VolumeResult(delta=delta, beta=TRUTH.beta, voxel=voxel, energy=1e3, reached=reached)


def test_a_perfect_volume():
    found = agreement(volume(TRUTH.delta), TRUTH)
    assert found.error == found.error_whole == 0
    assert found.ssim == pytest.approx(1)
    assert found.numbers()["resolution_half_bit"] == pytest.approx(2e-9)


def test_the_error_counts_where_the_measurement_reached():
    reached = np.zeros(TRUTH.delta.shape, bool)
    reached[:, :, :8] = True
    wrong = np.where(reached, TRUTH.delta, 0)
    found = agreement(volume(wrong, reached), TRUTH)
    assert found.error == 0
    assert 0.5 < found.error_whole < 0.9
    assert error_of(volume(wrong, reached), TRUTH) == 0
    assert error_of(volume(1.25 * TRUTH.delta), TRUTH) == pytest.approx(0.25)


def test_a_larger_volume_is_cut_about_its_centre():
    larger = np.pad(TRUTH.delta, 2)
    result = VolumeResult(delta=larger, beta=larger, voxel=2e-9, energy=1e3, reached=larger > 0)
    assert agreement(result, TRUTH).error == 0
    assert np.array_equal(centred(TRUTH.delta, (20, 20, 20)), larger)
    with pytest.raises(DataError, match="even numbers"):
        centred(larger, (15, 16, 16))


def test_a_finer_truth_is_averaged():
    finer = Truth(*(np.kron(one, np.ones((2, 2, 2))).astype(np.float32) for one in (TRUTH.delta, TRUTH.beta)), 1e-9)
    assert on_voxels(finer, volume(TRUTH.delta)).voxel == 2e-9
    assert agreement(volume(TRUTH.delta), finer).error == pytest.approx(0, abs=1e-6)
    with pytest.raises(DataError, match="whole number of times"):
        on_voxels(TRUTH, volume(TRUTH.delta, voxel=3e-9))


def sheet():
    """A thin sample of 24² pixels, and its transmission."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, 24)] * 2, indexing="ij")
    delta = 0.01 * (np.hypot(y, x) < 0.6) * (np.sin(9 * np.arctan2(y, x)) > 0)
    truth = Truth(delta[None].astype(np.float32), 0.2 * delta[None].astype(np.float32), 1e-8)
    scale = wavenumber(8e3) * 1e-8
    return truth, np.exp(-scale * (truth.beta[0].astype(float) + 1j * truth.delta[0].astype(float)))


def image_of(wave, energy=8e3):
    return ImageResult(phase=np.angle(wave), amplitude=np.abs(wave), pixel=1e-8, energy=energy)


def test_an_image_is_freed_of_its_gauge():
    truth, wave = sheet()
    moved = Gauge(1.1 * np.exp(0.4j), (0.05, -0.02), (0.25, -0.5)).apply(wave)
    found = agreement(image_of(moved), truth)
    assert found.error < 1e-3
    assert np.abs(found.result[0] - found.truth[0]).max() < 0.05
    assert error_of(image_of(moved), truth) == pytest.approx(found.error)
    assert agreement(image_of(np.ones_like(wave)), truth).error > 0.05


def test_an_image_of_another_size_is_compared_where_both_are():
    truth, wave = sheet()
    assert agreement(image_of(np.pad(wave, 3, constant_values=1)), truth).error < 1e-3
    assert agreement(image_of(wave[2:-2, 2:-2]), truth).error < 1e-3


def test_an_image_in_pixel_units_cannot_be_compared():
    truth, wave = sheet()
    with pytest.raises(DataError, match="pixel units"):
        agreement(image_of(wave, energy=None), truth)


def test_the_command_agrees_with_the_run(command, holography_run, tmp_path):
    summary = json.loads((holography_run / "summary.json").read_text())
    (tmp_path / "job.toml").write_text((holography_run.parent / "job.toml").read_text())
    assert command("simulate", "job.toml", "-o", "cone.h5").code == 0
    ended = command("compare", holography_run, "cone.h5", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    for name in ("error", "error_whole", "ssim", "resolution_half_bit", "resolution_one_seventh"):
        assert found[name] == pytest.approx(summary[name], rel=1e-5)
    curve = summary["fourier_correlation"]
    assert set(curve) == {"frequency", "correlation", "half_bit", "one_seventh"}
    assert len({len(values) for values in curve.values()}) == 1
    assert curve["frequency"][-1] == pytest.approx(0.5, abs=0.05)
    assert set(curve["one_seventh"]) == {1 / 7}
    assert curve["correlation"][0] > curve["half_bit"][0] or curve["correlation"][1] > 0.9
    for name, values in found["fourier_correlation"].items():
        assert values == pytest.approx(curve[name], abs=1e-5)
    ended = command("compare", holography_run / "volume.zarr", "cone.h5")
    assert f"{found['error']:.4g} (the region is {100 * found['reached']:.3g} %" in ended.out


def test_one_run_against_another(command, holography_run, ptychography_run, tmp_path):
    ended = command("compare", holography_run, holography_run, "--json")
    assert json.loads(ended.out)["error"] == 0
    assert command("compare", holography_run, ptychography_run).code == 2
    with h5py.File(tmp_path / "zeros.h5", "w") as file:
        file["delta"], file["beta"] = np.zeros((2, 16, 16, 16))
    ended = command("compare", holography_run, "zeros.h5")
    assert ended.code == 2
    assert "zero everywhere" in ended.err


def test_nothing_resolved_is_null_in_json(command, tmp_path):
    noise = RNG.random((16, 16, 16)).astype(np.float32)
    write_volume(tmp_path / "volume.zarr", volume(noise))
    with h5py.File(tmp_path / "truth.h5", "w") as file:
        file["delta"], file["beta"] = RNG.random((2, 16, 16, 16))
    found = json.loads(command("compare", "volume.zarr", "truth.h5", "--json").out)
    assert found["resolution_half_bit"] is None or found["resolution_half_bit"] > 2e-9
