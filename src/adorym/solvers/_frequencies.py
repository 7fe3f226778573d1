"""How much frames tell of an image at every spatial frequency, and steps that are as long as that allows.

What is coarse and lies in one of several slices might as well lie in the next: frames hardly notice. Of two slices in
a convergent beam the curvature along a coarse difference is a thousandth of that along the sum, and quasi-Newton steps
that start from one number per leaf take hundreds of iterations to tell them apart. So the curvature is measured in
bands, of frequencies in the plane and of cosines from slice to slice: by products with random images of a few bands far
from one another, of which each takes its own part (Hutchinson's estimate, restricted to a band). The inverse that steps
start from is diagonal in cosines instead of pixels:

    P = S C⁻¹ [λ(k) + μ max λ]⁻¹ C S,    S² = (max λ + mean d) / (max λ + d)

with λ the curvature of the data, and S the pixels' share of it where the penalties' diagonal d varies. (The mean of d
has no place in the brackets: a total variation pulls at what is coarse much less than its diagonal says. With it a
Siemens star takes a third more steps.)

μ is Levenberg's: far from the answer what frames hardly tell would take up the mistakes of everything else. It falls
with the objective, as fast as keeps the convergence of Newton's method in the end (Fan & Yuan, Computing 74, 23
(2005)): with the root of it, λ of what differs from slice to slice is drowned in μ until the end. For that λ has to be
right, and it is measured anew when most of the objective is gone: before something of the sample is there hardly any
light goes far, and what is fine seems to be worth a hundredth of what it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from adorym._core.trees import images_among, leaf_paths
from adorym.data import Feed
from adorym.problem import Problem
from adorym.sharding import dealt, on_host
from adorym.solvers._passes import data_product
from adorym.solvers._vectors import only

_MODES = 4
"""Bands from slice to slice, at most."""

_APART = 3
"""Octaves between bands that share a product: two such bands see hardly anything of one another."""

_OUTDATED = 0.02
"""Part of the objective at which bands are measured anew. Two slices take 60 steps from 0.01 to 0.02, 62 at 0.06."""

_DAMPING = 5.0
"""μ where the objective is what it was at the beginning. A Siemens star of 1e8 photons ends where it should from 4 to
10 (0.058 to 0.061), and beside it at 1 and 3 (0.086, 0.075); one of 1e5 photons at 0.0502, 0.0503 and 0.0505 at 4, 5
and 6. Two slices take 66, 62 and 61 steps to an error of 0.032 at 3, 5 and 6."""

_LEAST_DAMPING = 0.001

_BESIDE = 2.0
"""By how much more curvature counts of leaves beside images, such as a probe, as both would make up for the same
mistake. Stars and two slices take 10 to 20 % fewer steps than at 1; at 0.5 and 4 two slices take more."""

_FAINTEST = 1e-7
"""Part of the largest curvature below which bands are alike."""

_NOTHING = 1e-30

Bands = Float[Array, "mode band"]
"""Curvature of the data along an image, or a stack of them."""


class ImageMetric(NamedTuple):
    """The second derivative with respect to an image as solvers scale by it, as the module's equation has it.

    Attributes:
        pixels: S, in the image's shape.
        curvature: what the brackets hold, cosine by cosine.

    Example:
        >>> ImageMetric._fields
        ('pixels', 'curvature')
    """

    pixels: Float[Array, "*image"]
    curvature: Float[Array, "slice y x"]


Metric = tuple[Float[Array, "..."] | ImageMetric, ...]


def no_bands(split: tuple[PyTree, PyTree]) -> tuple[Bands | None, ...]:
    """The bands of every free leaf that a model counts among its `images`, not yet measured.

    Example:
        >>> no_bands(((jnp.zeros((8, 8)),), (None,)))
        (None,)
    """
    images, leaves = images_among(*split), zip(leaf_paths(split[0]), jax.tree.leaves(split[0]), strict=True)
    return tuple(jnp.asarray(np.zeros(_counts(leaf), leaf.dtype)) if path in images else None for path, leaf in leaves)


def outdated(bands: tuple[Bands | None, ...], *, measured: Array, now: Array) -> bool:
    """Whether bands are to be measured anew, given the objective when they were, and now.

    Example:
        >>> [outdated(bands, measured=jnp.array(1.0), now=jnp.array(0.01)) for bands in ((jnp.ones((1, 2)),), (None,))]
        [True, False]
    """
    return any(known is not None for known in bands) and float(now) < _OUTDATED * float(measured)


def _counts(leaf: Any) -> tuple[int, int]:
    """How many bands there are from slice to slice and in the plane: octaves, down to the size of the image."""
    slices, *sides = _stack(leaf).shape
    return min(slices, _MODES), 1 + max(1, int(np.log2(min(sides))))


def measured_bands(
    problem: Problem, split: tuple[PyTree, PyTree], feed: Feed, *, seed: int
) -> tuple[Bands | None, ...]:
    """The bands of the free leaves that are images, over a sample of the data.

    Args:
        problem: whose second derivative.
        split: free leaves and the rest.
        feed: what serves the data.
        seed: of the random images.

    Example:
        >>> callable(measured_bands)
        True
    """
    generator, feed, found = np.random.default_rng(seed), feed.sample(), list(no_bands(split))
    for index, (leaf, bands) in enumerate(zip(jax.tree.leaves(split[0]), found, strict=True)):
        if bands is None:
            continue
        noise, told = generator.standard_normal(leaf.shape).astype(leaf.dtype), np.zeros(bands.shape, leaf.dtype)
        for mode, first in np.ndindex(bands.shape[0], min(_APART, bands.shape[1])):
            parts = [_in_band(noise, mode, band) for band in range(first, bands.shape[1], _APART)]
            along = dealt(only(split[0], index, jnp.asarray(sum(parts))))
            product = on_host(jax.tree.leaves(data_product(problem, split, along, feed=feed))[index])
            told[mode, first::_APART] = [max(0.0, float(np.vdot(part, product)) / leaf.size) for part in parts]
        found[index] = dealt(jnp.asarray(told))
    return tuple(found)


def metric(simple: tuple[Array, ...], diagonal: PyTree, bands: tuple[Bands | None, ...], *, part: Array) -> Metric:
    """The second derivative as solvers scale by it, leaf by leaf.

    Args:
        simple: the diagonal of leaves that are no images.
        diagonal: of the penalties.
        bands: of the leaves that are images.
        part: what is left of the objective that there was at the beginning.

    Example:
        >>> float(metric((jnp.array(2.0),), (jnp.array(1.0),), (None,), part=jnp.array(1.0))[0])
        2.0
    """
    damping = jnp.maximum(_DAMPING * jnp.clip(part, 0, 1), _LEAST_DAMPING)
    beside = _BESIDE if any(known is not None for known in bands) else 1.0
    known = [(beside * one,) if told is None else told for one, told in zip(simple, bands, strict=True)]

    def of(known: Bands | tuple[Array], own: Array) -> Array | ImageMetric:
        return known[0] if isinstance(known, tuple) else _of_image(known, own, damping)

    images = [told is not None for told in bands]
    return tuple(_each(of, known, jax.tree.leaves(diagonal), images=images))


def inverse_times(metric: Metric, tree: PyTree) -> PyTree:
    """P v, of the module's equation for images and by the diagonal for other leaves; zero for a leaf without curvature.

    Example:
        >>> float(inverse_times((jnp.array(2.0),), (jnp.array(3.0),))[0])
        1.5
    """
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten(_each(_inverse, metric, leaves, images=_are_images(metric)))


def squared_length(metric: Metric, tree: PyTree) -> Float[Array, ""]:
    """vᵀ P v.

    Example:
        >>> float(squared_length((jnp.array(2.0),), (jnp.array(3.0),)))
        4.5
    """
    return sum(_each(_length, metric, jax.tree.leaves(tree), images=_are_images(metric)), jnp.zeros(()))


def _are_images(metric: Metric) -> tuple[bool, ...]:
    return tuple(isinstance(one, ImageMetric) for one in metric)


def _each(
    function: Callable[[Any, Array], Any], known: Sequence[Any], leaves: Sequence[Array], *, images: Sequence[bool]
) -> list[Any]:
    """A function of every leaf and what is known of it; images of one shape together, which compiles half as much."""
    alike: dict[tuple[int, ...] | int, list[int]] = {}
    for index, (leaf, image) in enumerate(zip(leaves, images, strict=True)):
        alike.setdefault(leaf.shape if image else index, []).append(index)
    found: dict[int, Any] = {}
    for places in alike.values():
        group = [(known[place], leaves[place]) for place in places]
        if len(places) == 1:
            found[places[0]] = function(*group[0])
            continue
        together = jax.vmap(function)(*jax.tree.map(lambda *parts: jnp.stack(parts), *group))
        found |= {place: jax.tree.map(lambda part, i=i: part[i], together) for i, place in enumerate(places)}
    return [found[index] for index in range(len(leaves))]


def _inverse(one: Array | ImageMetric, leaf: Array) -> Array:
    if not isinstance(one, ImageMetric):
        return jnp.where(one > _NOTHING, 1 / one, 0) * leaf
    back = _cosines(_cosines(_stack(one.pixels * leaf)) / one.curvature, back=True)
    return one.pixels * back.reshape(leaf.shape)


def _length(one: Array | ImageMetric, leaf: Array) -> Array:
    if not isinstance(one, ImageMetric):
        return jnp.vdot(leaf, _inverse(one, leaf))
    return jnp.sum(jnp.square(_cosines(_stack(one.pixels * leaf))) / one.curvature)


def _of_image(bands: Bands, diagonal: Array, damping: Array) -> ImageMetric:
    most, (along, across) = jnp.maximum(jnp.max(bands), _NOTHING), _places(diagonal)
    modes = jnp.stack([_share(along, mode) for mode in range(bands.shape[0])])
    rows = jnp.einsum("ms,mb->sb", modes, jnp.log(jnp.maximum(bands, _FAINTEST * most)))
    low = sum(rows[:, band, None, None] * _share(across, band) for band in range(bands.shape[1]))
    pixels = jnp.sqrt((most + jnp.mean(diagonal)) / (most + diagonal))
    return ImageMetric(pixels, jnp.exp(low) + damping.astype(pixels.dtype) * most)


def _stack(leaf: Any) -> Any:
    """An image as a stack of one."""
    return leaf.reshape((-1, *leaf.shape[-2:]))


def _in_band(noise: np.ndarray, mode: int, band: int) -> np.ndarray:
    """Noise of one band of frequencies, its mean square 1; on the host, which compiles nothing."""
    along, across = _places(noise)
    part = _stack(noise) * _share(along, mode)[:, None, None] * _share(across, band)
    image = _cosines(part, back=True).reshape(noise.shape)
    return image / np.sqrt(max(np.mean(np.square(image)), _NOTHING))


def _places(leaf: Any) -> tuple[Any, Any]:
    """Where cosines from slice to slice, and those in the plane, lie among the bands.

    A band is an octave, the first what is below the others: middles are at 0, ..., 1/8, 1/4, 1/2 cycles per pixel.
    Few slices have a band for each cosine.
    """
    lib, (slices, ny, nx), (modes, octaves) = _library(leaf), _stack(leaf).shape, _counts(leaf)
    along = lib.arange(slices) if slices <= _MODES else _place(lib.arange(slices) / (2 * slices), modes)
    y, x = (lib.arange(n) / (2 * n) for n in (ny, nx))
    return along.astype(leaf.dtype), _place(lib.hypot(y[:, None], x), octaves).astype(leaf.dtype)


def _place(frequency: Any, count: int) -> Any:
    lib, ratio = _library(frequency), frequency / 0.5 ** (count - 1)
    return lib.minimum(lib.where(ratio < 1, ratio, 1 + lib.log2(lib.maximum(ratio, 1))), count - 1)


def _share(place: Any, band: int) -> Any:
    """How much a band has of what lies at a place: between the middles of two both have a share."""
    lib = _library(place)
    return lib.maximum(0, 1 - lib.abs(place - band))


def _library(array: Any) -> Any:
    """NumPy for what is on the host."""
    return np if isinstance(array, np.ndarray) else jnp


def _cosines(stack: Any, *, back: bool = False) -> Any:
    """Orthonormal cosine transform along all axes, or its inverse; by matrices, which every device is fast at."""
    for axis, size in enumerate(stack.shape):
        if size > 1:
            matrix = _cosine_matrix(size).astype(stack.dtype)
            matrix, axes = matrix.T if back else matrix, (1, axis)
            if isinstance(stack, np.ndarray):
                product = np.tensordot(matrix, stack, axes)
            else:
                product = jnp.tensordot(matrix, stack, axes, precision="highest")
            stack = _library(stack).moveaxis(product, 0, axis)
    return stack


@functools.cache
def _cosine_matrix(size: int) -> np.ndarray:
    """Rows are cosines of rising frequency."""
    row, column = np.arange(size)[:, None], np.arange(size)
    matrix = np.sqrt(2 / size) * np.cos(np.pi * row * (column + 0.5) / size)
    matrix[0] /= np.sqrt(2)
    return matrix
