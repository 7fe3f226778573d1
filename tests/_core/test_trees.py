"""Leaves by the path that a user writes."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from adorym._core import JobError
from adorym._core.trees import leaf_paths, replace, resolve, selection
from adorym.experiment import (
    Experiment,
    GaussianProbe,
    Raster,
    holography,
    plan_holography,
    plan_ptychography,
    ptychography,
)


class Pair(NamedTuple):
    left: jax.Array
    right: jax.Array


class Small(eqx.Module):
    """One of everything that a model may hold."""

    real: jax.Array
    whole: jax.Array
    pair: Pair
    number: float = eqx.field(static=True)


@pytest.fixture(scope="module")
def small() -> Small:
    return Small(jnp.ones(2), jnp.arange(3), Pair(jnp.zeros(1), jnp.ones(1)), 2.0)


@pytest.fixture(scope="module")
def model() -> Experiment:
    return holography(plan_holography((4, 4), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2), slab_voxels=2)


def test_a_path_walks_attributes_and_named_tuples(small: Small, model: Experiment) -> None:
    assert resolve(small, "pair.right") is small.pair.right
    assert resolve(model, "object") is model.object
    assert resolve(model, "geometry.angles") is model.geometry.angles


def test_a_parametrisation_need_not_be_named(model: Experiment) -> None:
    assert resolve(model, "object.delta") is resolve(model, "object.parametrization.delta")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("object.dleta", "did you mean delta?"),
        ("probee", "did you mean probe?"),
        ("geometry.zzz", "it has angles, axis_offset"),
        ("object.delta.x", "it has no parts"),
    ],
)
def test_a_wrong_path_gets_a_hint(model: Experiment, path: str, hint: str) -> None:
    with pytest.raises(JobError, match=f'"{path}".*no part.*{hint}'.replace("?", r"\?")):
        resolve(model, path)


def test_a_selection_takes_the_real_arrays_under_its_paths(small: Small) -> None:
    chosen = selection(small, ("pair", "real"))
    assert (chosen.real, chosen.whole, chosen.pair) == (True, False, Pair(True, True))
    assert not any(jax.tree.leaves(selection(small, ())))


def test_a_selection_splits_and_joins(model: Experiment) -> None:
    params, frozen = eqx.partition(model, selection(model, ("object.delta", "geometry.axis_offset")))
    assert leaf_paths(params) == ["object.parametrization.delta", "geometry.axis_offset"]
    assert eqx.tree_equal(eqx.combine(params, frozen), model)


def test_what_cannot_be_refined_is_refused(small: Small) -> None:
    with pytest.raises(JobError, match='"whole" holds nothing that can be refined'):
        selection(small, ("whole",))
    with pytest.raises(JobError, match='"number" holds nothing'):
        selection(small, ("number",))


def test_replace_copies(model: Experiment) -> None:
    moved = replace(model, "object.delta", jnp.ones((4, 4, 4)))
    assert float(moved.object.parametrization.delta.sum()) == 64
    assert float(model.object.parametrization.delta.sum()) == 0
    assert moved.object.parametrization.beta is model.object.parametrization.beta
    with pytest.raises(JobError, match="no part"):
        replace(model, "object.gamma", jnp.ones(1))


def test_leaf_paths_name_every_array_once(small: Small) -> None:
    assert leaf_paths(small) == ["real", "whole", "pair.left", "pair.right"]
    scan = plan_ptychography((8, 8), pixel=2e-9, energy=1e3, probe=GaussianProbe(8), raster=Raster(4.0))
    paths = leaf_paths(ptychography(scan))
    assert len(paths) == len(set(paths)) == len(jax.tree.leaves(ptychography(scan)))
    assert {"probe.real", "geometry.position_offset", "detector.gain"} <= set(paths)
