"""What the data tell of absorption, and whether waves may be walked back through that."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from adorym.data import ArrayFrames
from adorym.experiment import (
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    plan_tomography,
)
from adorym.reconstruct import least_transmission, walks_back

PHOTONS = 400.0


def holograms(frames):
    plan = plan_holography(
        frames.shape[2:], pixel=2e-9, energy=1e3, distances=(1e-7,), views=len(frames), photons=PHOTONS
    )
    return dataclasses.replace(plan, frames=ArrayFrames(frames.astype(np.float32)))


def bright(views=3):
    return np.random.default_rng(0).poisson(PHOTONS, (views, 1, 32, 32))


def test_the_darkest_square_counts_and_not_its_noise():
    assert least_transmission(holograms(bright())) == pytest.approx(1, abs=0.02)
    dark = bright()
    dark[2, 0, 8:16, 16:24] //= 10
    assert least_transmission(holograms(dark)) == pytest.approx(0.1, rel=0.05)
    dark = bright()
    dark[1, 0, 5, 5] = 0  # a single pixel
    assert least_transmission(holograms(dark)) > 0.95


def test_what_is_rejected_does_not_count():
    frames = bright(4).astype(float)
    frames[0], frames[2] = np.nan, 0.0
    rejected = np.array([[0.0], [1.0], [0.0], [1.0]])
    seen = dataclasses.replace(holograms(frames), weights=rejected)
    assert least_transmission(seen) == pytest.approx(1, abs=0.02)


def test_what_is_not_measured_does_not_count():
    data = holograms(bright())
    data.frames.array[:, :, 3:5, 3:5] = 0
    mask = np.ones((32, 32), bool)
    mask[3:5, 3:5] = False
    assert least_transmission(data) < 0.97
    assert least_transmission(dataclasses.replace(data, mask=mask)) > 0.97


def test_a_flat_field_and_a_dark_one():
    rng = np.random.default_rng(1)
    flat, dark = rng.uniform(50, 200, (32, 32)), rng.uniform(0, 10, (32, 32))
    plan = plan_tomography((32, 32), pixel=1e-6, energy=2e4, views=2)
    frames = ArrayFrames(np.broadcast_to(dark + 0.3 * (flat - dark), (2, 1, 32, 32)))
    data = dataclasses.replace(plan, frames=frames, flat=flat, dark=dark)
    assert least_transmission(data) == pytest.approx(0.3, rel=1e-4)


def test_of_a_scan_the_darkest_frame():
    probe = GaussianProbe(16, 3.0)
    plan = plan_ptychography((16, 16), pixel=2e-9, energy=1e3, probe=probe, raster=Raster(8.0), photons=256.0)
    frames = np.ones(plan.frames.shape)
    frames[0, 4] *= 0.25
    assert least_transmission(dataclasses.replace(plan, frames=ArrayFrames(frames))) == pytest.approx(0.25)


def test_what_is_not_known():
    data = holograms(bright())
    assert least_transmission(dataclasses.replace(data, photons=None)) == 0.0
    planned = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2)
    assert least_transmission(planned) == 1.0


def test_waves_are_walked_back_through_what_lets_light_through():
    clear = holograms(bright())
    model = holography(clear, slab_voxels=2)
    assert walks_back(model, clear)
    black = holograms(np.where(np.arange(32) < 8, 0, bright()))
    assert not walks_back(model, black)
    assert not walks_back(model, dataclasses.replace(clear, photons=None))
    assert not walks_back(model, holograms(bright() // 20), tolerance=1e-16)
