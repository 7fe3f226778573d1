"""The rotation: the right place, an adjoint that is exact, and every derivative that JAX can ask for."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from adorym.rotation import rotate

# few shapes, each compiled once, and many angles
shapes = st.sampled_from([((5, 5), (5, 5)), ((4, 7), (6, 3)), ((1, 6), (6, 5))])
angles = st.floats(-7.0, 7.0) | st.sampled_from([0.0, np.pi / 4, np.pi / 2, np.pi, -np.pi / 2, 2 * np.pi])
offsets = st.floats(-3.0, 3.0) | st.sampled_from([0.0, 0.5, 1.0])


def random(shape: tuple[int, ...], seed: int = 0) -> jnp.ndarray:
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def by_scipy(volume: np.ndarray, angle: float, offset: float, size: tuple[int, int]) -> np.ndarray:
    """Another code's bilinear interpolation, plane by plane, at the points of CONVENTIONS; vacuum outside."""
    z, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in size), indexing="ij")
    x = x - offset
    sample_x, sample_z = x * np.cos(angle) - z * np.sin(angle), x * np.sin(angle) + z * np.cos(angle)
    points = [sample_z + (volume.shape[0] - 1) / 2, sample_x + (volume.shape[1] - 1) / 2]
    padded = np.pad(volume, ((1, 1), (1, 1), (0, 0)))  # outside is vacuum from the edge voxel's neighbour on
    planes = [
        map_coordinates(padded[..., i], [p + 1 for p in points], order=1, mode="constant")
        for i in range(volume.shape[2])
    ]
    return np.stack(planes, axis=-1)


@settings(max_examples=40)
@given(shape=shapes, angle=angles, offset=offsets)
def test_agrees_with_scipy(shape: tuple, angle: float, offset: float) -> None:
    source, size = shape
    volume = random((*source, 2))
    turned = rotate(volume, angle, offset, size=size)
    np.testing.assert_allclose(turned, by_scipy(np.asarray(volume), angle, offset, size), atol=1e-12)


@settings(max_examples=40)
@given(shape=shapes, angle=angles, offset=offsets)
def test_the_adjoint_is_exact(shape: tuple, angle: float, offset: float) -> None:
    """<A v, w> = <v, A* w> for the transpose that gathers."""
    source, size = shape
    volume, cotangent = random((*source, 2)), random((*size, 2), seed=1)
    turned, pull = jax.vjp(lambda v: rotate(v, angle, offset, size=size), volume)
    (back,) = pull(cotangent)
    left, right = float(jnp.vdot(turned, cotangent)), float(jnp.vdot(volume, back))
    assert left == pytest.approx(right, rel=1e-12, abs=1e-12)


@jax.jit
def matrices(angle: float, offset: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The map from a grid of 5 x 6 to one of 6 x 4, its transpose, and the transpose of that, element by element."""
    apply = functools.partial(rotate, angle=angle, axis_offset=offset, size=(6, 4))
    sources, targets = jnp.eye(30).reshape(30, 5, 6, 1), jnp.eye(24).reshape(24, 6, 4, 1)
    back = jax.linear_transpose(apply, sources[0])
    again = jax.linear_transpose(lambda w: back(w)[0], targets[0])
    forward, backward, forth = (jax.vmap(f)(x) for f, x in [(apply, sources), (back, targets), (again, sources)])
    return forward.reshape(30, 24), backward[0].reshape(24, 30), forth[0].reshape(30, 24)


@pytest.mark.parametrize("angle", [0.0, 0.4, np.pi / 4, 1.7, -2.9])
@pytest.mark.parametrize("offset", [0.0, 0.7])
def test_the_adjoint_is_the_transposed_matrix(angle: float, offset: float) -> None:
    forward, backward, forth = matrices(angle, offset)
    np.testing.assert_allclose(backward, forward.T, atol=1e-14)
    np.testing.assert_allclose(forth, forward, atol=1e-14)
    assert float(forward.max()) > 0.1


@pytest.mark.parametrize("size", [4, 7])
def test_no_turn_changes_nothing(size: int) -> None:
    volume = random((size, size, 3))
    np.testing.assert_array_equal(rotate(volume, 0.0, 0.0, size=(size, size)), volume)


@pytest.mark.parametrize("size", [4, 7])
def test_quarter_turns_are_permutations(size: int) -> None:
    """z turns towards x: what the laboratory sees at (x, z) is the sample's (-z, x)."""
    volume = random((size, size, 2))
    turned = volume
    for quarter in range(1, 5):
        turned = jnp.swapaxes(turned, 0, 1)[::-1]
        seen = rotate(volume, quarter * np.pi / 2, 0.0, size=(size, size))
        np.testing.assert_allclose(seen, turned, atol=1e-13)
    np.testing.assert_allclose(turned, volume)


def test_whole_offsets_shift_the_view() -> None:
    volume = random((5, 5, 2))
    shifted = rotate(volume, 0.0, 2.0, size=(5, 5))
    np.testing.assert_array_equal(shifted[:, 2:], volume[:, :-2])
    np.testing.assert_array_equal(shifted[:, :2], 0)


def weighted(volume: jax.Array, angle: jax.Array | float, offset: jax.Array | float) -> jax.Array:
    """A number that depends on all that the rotation returns, not linearly."""
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(5, 7, 2)))
    return jnp.sum(jnp.sin(rotate(volume, angle, offset, size=(5, 7))) * weights)


def test_derivatives_against_central_differences() -> None:
    """By volume, angle and axis: reverse mode, forward mode, and second derivatives by the angle."""
    volume, direction, step = random((5, 6, 2)), random((5, 6, 2), 1), 1e-6
    value, gradient = jax.jit(weighted), jax.jit(jax.grad(weighted, (0, 1, 2)))
    forward = jax.jit(lambda at, along: jax.jvp(weighted, at, along)[1])
    for angle, offset in [(0.3, 0.1), (1.9, -0.6), (-0.7, 1.3)]:
        by_volume, by_angle, by_offset = gradient(volume, angle, offset)
        ahead, behind = (
            [
                value(volume + h * direction, angle, offset),
                value(volume, angle + h, offset),
                value(volume, angle, offset + h),
            ]
            for h in (step, -step)
        )
        numeric = (np.array(ahead) - np.array(behind)) / (2 * step)
        slopes = [np.vdot(by_volume, direction), float(by_angle), float(by_offset)]
        np.testing.assert_allclose(slopes, numeric, rtol=1e-6)
        along = (direction, jnp.array(0.7), jnp.array(-0.4))
        pushed = forward((volume, jnp.array(angle), jnp.array(offset)), along)
        assert float(pushed) == pytest.approx(np.dot(slopes, [1.0, 0.7, -0.4]), rel=1e-10)
    second = jax.jit(jax.grad(jax.grad(weighted, 1), (1, 2)))(volume, 0.3, 0.1)
    ahead, behind = (gradient(volume, 0.3 + h, 0.1) for h in (step, -step))
    np.testing.assert_allclose(second, (np.array(ahead[1:]) - np.array(behind[1:])) / (2 * step), rtol=1e-5)


def test_maps_over_volumes_angles_and_offsets() -> None:
    volumes, turns, moves = random((3, 4, 5, 2)), jnp.array([0.1, 1.2, 2.3]), jnp.array([0.0, 0.5, -1.0])
    one = jax.jit(functools.partial(rotate, size=(4, 5)))
    loop = np.stack([one(volumes[i], turns[i], moves[i]) for i in range(3)])
    np.testing.assert_allclose(jax.vmap(one)(volumes, turns, moves), loop, atol=1e-14)
    shared = jax.vmap(one, in_axes=(None, 0, None))(volumes[0], turns, moves[1])
    np.testing.assert_allclose(shared, np.stack([one(volumes[0], t, moves[1]) for t in turns]), atol=1e-14)
    inner = jax.vmap(one, in_axes=(3, None, None), out_axes=3)(jnp.moveaxis(volumes, 0, 3), turns[1], moves[1])
    np.testing.assert_allclose(inner[..., 2], one(volumes[2], turns[1], moves[1]), atol=1e-14)
    slope = jax.jit(jax.grad(lambda v, t: jnp.sum(jnp.square(one(v, t, 0.0)))))
    np.testing.assert_allclose(jax.vmap(slope)(volumes, turns)[2], slope(volumes[2], turns[2]), atol=1e-14)


def test_jacobians_in_both_modes() -> None:
    """jacfwd and jacrev map over tangents and cotangents: the batching rules of the map and of its transpose."""
    volume = random((3, 3, 1))
    forward, backward = (
        jax.jit(mode(lambda v, t: rotate(v, t, 0.0, size=(3, 3)), (0, 1)))(volume, 0.7)
        for mode in (jax.jacfwd, jax.jacrev)
    )
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-13)
    assert float(jnp.abs(forward[1]).max()) > 0.1


def test_jit_changes_nothing_and_compiles_once() -> None:
    turned = jax.jit(functools.partial(rotate, size=(4, 4)))
    volume = random((4, 4, 2))
    for angle in (0.1, 0.2, 3.0):
        np.testing.assert_allclose(turned(volume, angle, 0.0), rotate(volume, angle, 0.0, size=(4, 4)), atol=1e-15)
    assert turned._cache_size() == 1


@pytest.mark.single_precision
def test_the_adjoint_is_exact_in_32_bits_too() -> None:
    volume, cotangent = random((9, 8, 3)).astype(jnp.float32), random((7, 9, 3), seed=1).astype(jnp.float32)
    for angle in np.linspace(-3, 3, 13):
        turned, pull = jax.vjp(lambda v, t=float(angle): rotate(v, t, 0.3, size=(7, 9)), volume)
        assert turned.dtype == jnp.float32
        left, right = float(jnp.vdot(turned, cotangent)), float(jnp.vdot(volume, pull(cotangent)[0]))
        assert left == pytest.approx(right, abs=2e-5 * float(jnp.linalg.norm(turned) * jnp.linalg.norm(cotangent)))
