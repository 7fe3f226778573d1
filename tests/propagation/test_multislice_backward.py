"""The backward passes by hand: JAX's own derivatives, less memory, and a warning where one is inaccurate."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec
from jax.test_util import check_grads
from tests.contracts.cases import prepared, whole

from adorym._core import SamplingError
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.propagation import Backward, backward_error, choose_backward, multislice, transfer_function, transmission
from adorym.waves import Grid

SHAPE, WIDE = (6, 5), (9, 8)
WAYS = get_args(Backward)
Chain = tuple[jax.Array, ...]


def windows(positions: jax.Array) -> Any:
    """For every frame a cut of the slab at a whole-pixel corner, moved by the rest of the position (Fourier)."""
    corners = jnp.asarray([[0, 0], [1, 2], [3, 3]])
    frequencies = jnp.asarray(np.stack(np.meshgrid(*(np.fft.fftfreq(n) for n in WIDE), indexing="ij")))

    def cut(slab: jax.Array) -> jax.Array:
        def one(corner: jax.Array, position: jax.Array) -> jax.Array:
            angle = -2 * jnp.pi * jnp.tensordot(position, frequencies.astype(position.dtype), 1)
            moved = jnp.fft.ifft2(jnp.fft.fft2(slab) * jax.lax.complex(jnp.cos(angle), jnp.sin(angle)))
            return jax.lax.dynamic_slice(moved, (corner[0], corner[1]), SHAPE)

        return jax.vmap(one)(corners, positions)

    return cut


def chain(count: int, seed: int = 0) -> Chain:
    """Field, log-amplitude, phase, step (not quite of modulus 1), positions; nothing about them is symmetric."""
    rng = np.random.default_rng(seed)
    field, change = (rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in ((3, *SHAPE), SHAPE))
    slabs = (-rng.uniform(0, top, (count, *WIDE)) for top in (0.2, 1.0))
    step = transfer_function(Grid(SHAPE, 2e-9, 1e-9), 4e-9) * (1 + 0.1 * change)
    return tuple(jnp.asarray(x) for x in (field, *slabs, step, rng.uniform(0, 1, (3, 2))))


def wave(backward: Any, *parts: jax.Array) -> jax.Array:
    """Behind the slabs; "autodiff" is the chain written out, whose derivatives are JAX's own."""
    field, log_amplitude, phase, step, positions = parts
    if backward == "autodiff":
        for k, slab in enumerate(zip(log_amplitude, phase, strict=True)):
            field = jnp.fft.ifft2(jnp.fft.fft2(field) * step) if k else field
            field = field * windows(positions)(transmission(*slab))
        return field
    return multislice(
        field,
        (log_amplitude, phase),
        step=step,
        transmit=lambda *slab: windows(positions)(transmission(*slab)),
        backward=backward,
    )


def single(parts: Chain) -> Chain:
    return tuple(x.astype(jnp.complex64 if jnp.iscomplexobj(x) else jnp.float32) for x in parts)


def like(parts: Any, seed: int) -> Any:
    """Random numbers in the shapes and types of arrays."""
    rng = np.random.default_rng(seed)

    def one(x: jax.Array) -> jax.Array:
        values = rng.normal(size=x.shape) + (1j * rng.normal(size=x.shape) if jnp.iscomplexobj(x) else 0)
        return jnp.asarray(values, x.dtype)

    return jax.tree.map(one, parts)


def gradient(backward: str, parts: Chain, weights: jax.Array) -> Any:
    def value(*parts: jax.Array) -> jax.Array:
        seen = wave(backward, *parts)
        return jnp.sum(weights * (jnp.square(seen.real) + jnp.square(seen.imag)) + jnp.real(seen))

    return jax.jit(jax.grad(value, range(5)))(*parts)


def agree(found: Any, wanted: Any, tolerance: float) -> None:
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert one.dtype == other.dtype
        assert relative(one, other) < tolerance


def relative(one: Any, other: Any) -> float:
    return float(np.linalg.norm(np.ravel(np.asarray(one) - np.asarray(other))) / np.linalg.norm(np.ravel(other)))


@pytest.mark.parametrize("count", [2, 8, 10])  # 7 and 9 steps: with slabs left over by the segments, and without
def test_gradients_are_those_of_autodiff(count: int) -> None:
    parts, weights = chain(count), jnp.asarray(np.random.default_rng(1).uniform(size=(3, *SHAPE)))
    wanted = gradient("autodiff", parts, weights)
    for backward in WAYS:
        agree(wave(backward, *parts), wave("autodiff", *parts), 1e-13)
        agree(gradient(backward, parts, weights), wanted, 1e-10)
        if count == 8:
            agree(gradient(backward, single(parts), weights.astype(jnp.float32)), single(wanted), 1e-4)


def test_one_slab_has_no_way_back() -> None:
    parts = chain(1)
    for backward in WAYS:
        np.testing.assert_array_equal(wave(backward, *parts), wave("autodiff", *parts))


@pytest.mark.parametrize("which", range(5))
def test_one_alone_is_differentiated(which: int) -> None:
    parts = chain(5)

    def value(mode: str, one: jax.Array) -> jax.Array:
        return jnp.sum(jnp.abs(wave(mode, *parts[:which], one, *parts[which + 1 :]))[..., ::2])

    wanted = jax.jit(jax.grad(lambda one: value("autodiff", one)))(parts[which])
    for backward in WAYS:
        agree(jax.jit(jax.grad(lambda one, mode=backward: value(mode, one)))(parts[which]), wanted, 1e-10)


@pytest.mark.parametrize("backward", WAYS)
def test_distance_energy_and_incident_wave_against_finite_differences(backward: str) -> None:
    """The cotangent of the transfer function is that of what it is made of."""
    _, log_amplitude, phase, _, positions = chain(5)
    squared = sum(np.meshgrid(*(np.fft.fftfreq(n, 2.0) ** 2 for n in SHAPE), indexing="ij"))
    weights = jnp.asarray(np.random.default_rng(2).uniform(size=(3, *SHAPE)))

    def value(real: jax.Array, imaginary: jax.Array, spacing: jax.Array, wavelength: jax.Array) -> jax.Array:
        angle = -jnp.pi * wavelength * spacing * jnp.asarray(squared)
        step = jax.lax.complex(jnp.cos(angle), jnp.sin(angle))
        seen = wave(backward, jax.lax.complex(real, imaginary), log_amplitude, phase, step, positions)
        return jnp.sum(weights * (jnp.square(seen.real) + jnp.square(seen.imag)))

    args = (1 + weights, weights - 0.3, jnp.asarray(4.0), jnp.asarray(1.3))
    check_grads(jax.jit(value), args, 1, modes=("fwd", "rev"), atol=1e-6, rtol=1e-6, eps=1e-5)


@pytest.mark.parametrize("backward", WAYS)
def test_forward_mode_and_its_transpose(backward: str) -> None:
    parts = chain(8)
    moves, cotangent = like(parts, 4), like(parts[0], 5)
    (out, moved), (wanted, wanted_move) = (
        jax.jit(lambda parts, moves, mode=mode: jax.jvp(lambda *parts: wave(mode, *parts), parts, moves))(parts, moves)
        for mode in (backward, "autodiff")
    )
    agree((out, moved), (wanted, wanted_move), 1e-11)

    @jax.jit
    def both(parts: Chain, moves: Chain, cotangent: jax.Array) -> tuple[jax.Array, Chain]:
        _, linear = jax.linearize(lambda *parts: wave(backward, *parts), *parts)
        return linear(*moves), jax.linear_transpose(linear, *moves)(cotangent)

    forward, back = both(parts, moves, cotangent)
    agree(forward, wanted_move, 1e-11)
    # JAX's transposes have no conjugation; to real parts, as real moves have real cotangents
    products = [complex(jnp.sum(a * b)).real for a, b in zip(back, moves, strict=True)]
    np.testing.assert_allclose(sum(products), complex(jnp.sum(cotangent * forward)).real, rtol=1e-12)


def loss(mode: str, phase: jax.Array, field: jax.Array | None = None) -> jax.Array:
    parts = chain(4)
    seen = wave(mode, parts[0] if field is None else field, parts[1], phase, *parts[3:])
    return jnp.sum(jnp.square(seen.real) + jnp.square(seen.imag))


def few(mode: str, phase: jax.Array) -> jax.Array:
    field, log_amplitude, _, step, positions = chain(4)
    return jnp.abs(wave(mode, field, log_amplitude, phase, step, positions))[:, 0, :2]


def summed(mode: str, phase: jax.Array) -> jax.Array:
    body = jax.checkpoint(lambda total, field: (total + loss(mode, phase, field), None))
    return jax.lax.scan(body, jnp.zeros(()), jnp.stack([chain(4)[0], 2 * chain(4)[0]]))[0]


def dealt_out(mode: str, phase: jax.Array) -> jax.Array:
    mesh, everywhere = Mesh(np.array(jax.devices()[:1]), ("device",)), PartitionSpec()
    slope = jax.grad(lambda phase: summed(mode, phase))
    return jax.shard_map(slope, mesh=mesh, in_specs=everywhere, out_specs=everywhere, check_vma=False)(phase)


def over_fields(mode: str, phase: jax.Array) -> jax.Array:
    slope = jax.jit(jax.grad(lambda phase, field: loss(mode, phase, field)))
    return jax.vmap(slope, (None, 0))(phase, jnp.stack([chain(4)[0], 2 * chain(4)[0]]))


def over_volumes(mode: str, phase: jax.Array) -> jax.Array:
    return jax.vmap(jax.jit(jax.grad(lambda phase: loss(mode, phase))))(jnp.stack([phase, 0.5 * phase]))


TRANSFORMED = {
    "vmap over fields": over_fields,
    "vmap over volumes": over_volumes,
    "jacfwd": lambda mode, phase: jax.jacfwd(lambda some: few(mode, phase * some))(jnp.ones(WIDE[1])),
    "jacrev": lambda mode, phase: jax.jacrev(lambda some: few(mode, phase * some))(jnp.ones(WIDE[1])),
    "checkpoint in a scan": lambda mode, phase: jax.grad(lambda phase: summed(mode, phase))(phase),
    "shard_map": dealt_out,
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_under_the_other_transformations(name: str) -> None:
    wanted, *found = (
        jax.jit(lambda phase, mode=mode: TRANSFORMED[name](mode, phase))(chain(4)[2]) for mode in ("autodiff", *WAYS)
    )
    agree(found, [wanted] * len(WAYS), 1e-10)


def test_second_derivatives() -> None:
    """The Hessian's product with a vector, whichever mode is over which."""
    phase = chain(4)[2]

    def curved(mode: str) -> tuple[jax.Array, ...]:
        def value(x: jax.Array) -> jax.Array:
            return loss(mode, x)

        return (
            jax.jvp(jax.grad(value), (phase,), (0.1 * phase,))[1],
            jax.grad(lambda x: jax.jvp(value, (x,), (0.1 * phase,))[1])(phase),
            jax.grad(lambda x: jnp.sum(0.1 * phase * jax.grad(value)(x)))(phase),
        )

    wanted = jax.jit(lambda: curved("autodiff"))()[0]
    for backward in WAYS:
        agree(jax.jit(lambda mode=backward: curved(mode))(), (wanted, wanted, wanted), 1e-9)


def test_an_experiment_is_refined_all_the_same() -> None:
    """Ptycho-tomography: windows, positions, modes, several views; gradient and Gauss-Newton product."""
    model, data = prepared("multislice ptycho-tomography")
    free = ("object", "probe", "geometry.position_offset")
    found = []
    for mode in WAYS:
        problem = Problem(Poisson(), free)
        params, frozen = problem.split(dataclasses.replace(model, backward=mode))
        batch = whole(data)
        gradient = problem.value_and_gradient(params, frozen, batch)
        found.append((gradient, problem.gauss_newton_product(params, frozen, batch, vector=params)))
    for lean in found[1:]:
        for one, other in zip(jax.tree.leaves(lean), jax.tree.leaves(found[0]), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11 * float(jnp.abs(other).max()))


# --- where it is accurate ---------------------------------------------------------------------------------------------


def absorber(transmission: float, count: int = 32, size: int = 64) -> tuple[np.ndarray, ...]:
    """A wave, slabs with a strongly absorbing block in one of the first, and a transfer function, in 32 bits."""
    middle = slice(size // 10, -size // 10)
    log_amplitude = np.zeros((count, size, size), np.float32)
    log_amplitude[count // 4, middle, middle] = np.log(transmission)
    phase = -np.random.default_rng(0).uniform(0, 0.1, log_amplitude.shape).astype(np.float32)
    step = transfer_function(Grid((size, size), 1e-9, 2.5e-10), 1e-7).astype(np.complex64)
    return np.ones((size, size), np.complex64), log_amplitude, phase, step


def plain_gradient(backward: Any, *parts: np.ndarray) -> Any:
    weights = 1 + 0.3 * np.random.default_rng(1).normal(size=parts[0].shape)

    def value(field: jax.Array, log_amplitude: jax.Array, phase: jax.Array, step: jax.Array) -> jax.Array:
        seen = multislice(field, (log_amplitude, phase), step=step, backward=backward)
        return jnp.sum(jnp.asarray(weights, phase.dtype) * (jnp.square(seen.real) + jnp.square(seen.imag)))

    return jax.jit(jax.grad(value, range(4)))(*map(jnp.asarray, parts))


def doubled(parts: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return tuple(x.astype(complex if np.iscomplexobj(x) else float) for x in parts)


def worst(found: Any, wanted: Any) -> float:
    return max(relative(one, other) for one, other in zip(found, wanted, strict=True))


def test_a_strongly_absorbing_block() -> None:
    """The error is foreseen, and not by orders of magnitude too large; segments do not mind."""
    for through, choice in ((0.1, "reversible"), (0.001, "segments")):
        parts = absorber(through)
        field, log_amplitude, _, step = parts
        assert choose_backward(field, log_amplitude, step, budget=10**4) == choice
        wanted = plain_gradient("stored", *doubled(parts))
        error, foreseen = worst(plain_gradient("reversible", *parts), wanted), backward_error(log_amplitude, step)
        assert foreseen / 10 < error < foreseen
        assert (foreseen < 1e-4) == (choice == "reversible")
        assert worst(plain_gradient("segments", *parts), wanted) < 1e-5
        assert backward_error(*(doubled((log_amplitude, step)))) < 1e-10


def test_a_band_limited_propagator() -> None:
    """What it stops does not come back, so the wave cannot be walked back; segments do not mind."""
    field, log_amplitude, phase, step = absorber(0.9, count=10, size=16)
    frequencies = np.fft.fftfreq(16)
    limited = np.where(np.hypot(*np.meshgrid(frequencies, frequencies)) < 0.4, step, 0)
    assert backward_error(log_amplitude, limited) == np.inf
    assert choose_backward(field, log_amplitude, limited, budget=10**4) == "segments"
    parts = doubled((field, log_amplitude, phase, limited))
    assert worst(plain_gradient("segments", *parts), plain_gradient("stored", *parts)) < 1e-10
    assert not np.all(np.isfinite(plain_gradient("reversible", *parts)[1]))
    # one that damps is undone, at its price in precision
    damped = doubled((field, log_amplitude, phase, step * np.float32(0.5)))
    assert backward_error(damped[1], damped[3]) == pytest.approx(2**9 * backward_error(damped[1], 2 * damped[3]))
    assert worst(plain_gradient("reversible", *damped), plain_gradient("stored", *damped)) < 1e-10


def test_the_choice_goes_by_the_budget_first() -> None:
    field, log_amplitude, _, step = absorber(0.001)
    stored = 32 * field.nbytes + 2 * log_amplitude.nbytes
    assert choose_backward(field, log_amplitude, step, budget=stored) == "stored"
    assert choose_backward(field, log_amplitude, step, budget=stored - 1) == "segments"
    assert choose_backward(field, log_amplitude, step, budget=stored - 1, tolerance=0.1) == "reversible"
    four = jax.ShapeDtypeStruct((4, *field.shape), field.dtype)
    assert choose_backward(four, log_amplitude, step, budget=stored) == "segments"


def test_an_unknown_backward_pass_is_an_error() -> None:
    field, log_amplitude, phase, step = map(jnp.asarray, absorber(0.9, 2, 8))
    with pytest.raises((SamplingError, TypeError), match="backward"):
        multislice(field, (log_amplitude, phase), step=step, backward="store")  # type: ignore[arg-type]


# --- memory -----------------------------------------------------------------------------------------------------------


def waves_of_memory(backward: Any, count: int, size: int = 128) -> float:
    """What a compiled gradient needs beyond its arguments and its results, in waves."""

    def value(field: jax.Array, log_amplitude: jax.Array, phase: jax.Array, step: jax.Array) -> jax.Array:
        return jnp.sum(jnp.abs(multislice(field, (log_amplitude, phase), step=step, backward=backward))[::2])

    one = jax.ShapeDtypeStruct((size, size), jnp.complex64)
    slabs = jax.ShapeDtypeStruct((count, size, size), jnp.float32)
    memory = jax.jit(jax.value_and_grad(value, range(4))).lower(one, slabs, slabs, one).compile().memory_analysis()
    return memory.temp_size_in_bytes / (8 * size**2)


def test_memory_beyond_the_volume_and_its_gradient() -> None:
    """From 17 to 129 slabs (16 and 128 steps): linear, as the root, and not at all."""
    stored, segments, reversible = (
        tuple(waves_of_memory(mode, count) for count in (17, 129)) for mode in ("stored", "segments", "reversible")
    )
    assert stored[1] - stored[0] > 112  # a wave a slab at least
    assert segments[1] - segments[0] < 3 * (np.sqrt(128) - np.sqrt(16))
    assert segments[1] < 3 * np.sqrt(128)
    assert reversible[1] < 1.05 * reversible[0]
    assert reversible[1] < 10
