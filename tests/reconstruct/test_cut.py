"""Cut to fit: the fastest way for which there is room, the same result by every way, and no compiling without need."""

from __future__ import annotations

import dataclasses
import functools
import math

import jax
import numpy as np
import pytest

from adorym.data import ArrayFrames
from adorym.experiment import (
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Cut, Freedom, Stage, Task, fitted
from adorym.reconstruct import _cut as module
from adorym.simulate import simulate
from adorym.solvers import FirstOrder, GaussNewton


def sample(size):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 1e-4, (size,) * 3), rng.uniform(0, 1e-5, (size,) * 3)


@functools.cache
def thick(*, views=6, measured=True):
    """Holograms of many slabs; a measured wave crosses them on the whole grid and is most of what is needed."""
    plan = plan_holography((20, 20), pixel=2e-9, energy=1e3, distances=(4e-7,), views=views, photons=1e4)
    data = simulate(plan, *sample(20))
    if measured:
        data = dataclasses.replace(data, probe=np.full((1, 20, 20), 100.0 + 0j))
    model = holography(data, slab_voxels=1)
    stage = Stage(("object",), GaussNewton(iterations=2), 2)
    return Task(data, model, Problem(Poisson(), ()), (stage,))


@functools.cache
def scanned(solver=None):
    """Many frames of a few views."""
    probe, raster = GaussianProbe(16, 3.0), Raster(2.0)
    plan = plan_ptychography((20, 20), pixel=2e-9, energy=1e3, probe=probe, raster=raster, views=2, photons=1e5)
    data = simulate(plan, *sample(20))
    model = ptychography(data, slab_voxels=2, object_size=20)
    return Task(data, model, Problem(Poisson(), ()), (Stage(("object",), solver or GaussNewton(iterations=2), 2),))


def cut_of(task, room, **settings):
    free = Freedom(True, tuple((one.solver.sweeps,) * 2 for one in task.stages))
    return fitted(task, room, **({"freedom": free} | settings))


def forbidden(*arguments):
    raise AssertionError("a kernel was compiled")


def slope(task):
    """The gradient over all data."""
    problem = dataclasses.replace(task.problem, free=("object",))
    total = 0.0
    for batch in task.feed(0).sweep():
        value, gradient = problem.value_and_gradient(*problem.split(task.model), batch)
        total = total + np.concatenate([np.ravel(value), *map(np.ravel, jax.tree.leaves(gradient))])
    return total


@pytest.mark.parametrize("make", [thick, scanned])
def test_what_fits_is_left_as_it_is_without_compiling(make, monkeypatch):
    monkeypatch.setattr(module, "_compiled", forbidden)
    task = make()
    for room in (math.inf, 1.3 * cut_of(task, math.inf).need):
        found = cut_of(task, room, walks_back=forbidden, tell=forbidden)
        assert found.task is task
        assert found.fits


def test_the_fastest_way_that_fits():
    """With less and less room: one kernel that holds all waves, the wave walked back, at last a sentence."""
    task, ways = thick(), []
    whole = cut_of(task, math.inf).need
    for part in np.linspace(1.1, 0.6, 11):
        found = cut_of(task, part * whole, walks_back=lambda: True)
        assert found.fits == (found.need <= part * whole)
        ways.append(Cut.of(found.task).backward if found.fits else "none")
    order = ["stored", "reversible", "none"]
    assert sorted(ways, key=order.index) == ways
    assert set(ways) == set(order)
    least = cut_of(task, 0.6 * whole)
    assert not least.fits
    assert cut_of(task, 1.2 * least.need).fits


def test_waves_are_walked_back_only_where_that_is_accurate():
    task = thick()
    room = 0.9 * cut_of(task, math.inf).need
    assert Cut.of(cut_of(task, room, walks_back=lambda: True).task).backward == "reversible"
    assert Cut.of(cut_of(task, room, walks_back=lambda: False).task).backward == "segments"


@pytest.mark.parametrize("make", [thick, scanned])
def test_the_compiler_agrees_and_the_gradient_is_the_same(make):
    task = make()
    wanted, whole = slope(task), cut_of(task, math.inf).need
    seen = set()
    for part, accurate in ((0.9, True), (0.9, False), (0.6, False), (0.45, True), (0.4, True)):
        found = cut_of(task, part * whole, walks_back=lambda accurate=accurate: accurate)
        cut = Cut.of(found.task)
        if not found.fits or cut in seen:
            continue
        seen.add(cut)
        problem = dataclasses.replace(found.task.problem, free=("object",))
        kernels = problem.compile_ahead(found.task.model, found.task.feed(0).blank())
        assert max(kernels.values()) <= part * whole
        np.testing.assert_allclose(slope(found.task), wanted, rtol=1e-9, atol=1e-12 * np.abs(wanted).max())
    assert len(seen) >= 2
    assert any(cut != Cut.of(task) for cut in seen)


def test_kernels_take_about_what_shapes_tell():
    for task in (thick(), thick(measured=False), scanned()):
        (size,) = (module._Size.of(task, leg) for leg in task.legs())
        for backward, together in (("stored", 0), ("segments", 0), ("reversible", 0), ("stored", 1)):
            cut = Cut(backward, together, Cut.of(task).sizes)
            share = module._compiled(cut.applied(task), size) / size.kernel(cut)
            assert module._HOPE < share < module._CARE, (backward, together, share)


def test_steps_on_batches_keep_their_batches():
    """Another batch would be another path; frames of it go through the slabs a few at a time instead."""
    task = scanned(FirstOrder(views_per_batch=1, frames_per_batch=60))
    whole = cut_of(task, math.inf).need
    found = cut_of(task, 0.5 * whole)
    assert found.fits
    assert Cut.of(found.task).sizes == ((1, 60),)
    assert Cut.of(found.task)[:2] != ("stored", 0)


def test_what_the_job_says_is_kept():
    task = thick()
    kept = Freedom(False, ((False, False),))
    found = cut_of(task, 1.0, freedom=kept)
    assert not found.fits
    assert Cut.of(found.task) == Cut.of(task)
    few = dataclasses.replace(scanned(), model=dataclasses.replace(scanned().model, together=3))
    assert Cut.of(cut_of(few, 1.0).task).together == 3


def test_only_the_stage_that_needs_it_has_smaller_batches(monkeypatch):
    plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=64)
    model = holography(plan, slab_voxels=8)
    large = dataclasses.replace(plan, frames=ArrayFrames(np.zeros((64, 1, 8, 8), np.float32)))
    stages = tuple(Stage(("object",), GaussNewton(views_per_batch=views), 1) for views in (64, 4))
    task = Task(large, model, Problem(Poisson(), ()), stages)
    free = Freedom(True, ((True, True),) * 2)
    monkeypatch.setattr(module._Size, "need", lambda size, cut, share: 1000 * cut.sizes[size.leg.stage][0])
    monkeypatch.setattr(module, "_compiled", forbidden)
    found = fitted(task, 20e3, freedom=free)
    assert Cut.of(found.task).sizes == ((16, 1), (4, 1))
    assert found.need == 16_000


def test_a_batch_is_halved_as_the_devices_share_it(monkeypatch):
    halved = [module._halved((8, 6), (times, 0)) for times in range(5)]
    assert halved == [(8, 6), (4, 6), (2, 6), (1, 6), (1, 6)]
    monkeypatch.setattr(jax, "local_device_count", lambda: 4)
    assert [module._halved((12, 6), (times, 0))[0] for times in range(4)] == [12, 8, 4, 4]
    assert [module._halved((1, 30), (0, times))[1] for times in range(5)] == [30, 16, 8, 4, 4]
