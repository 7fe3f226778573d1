"""Objects to start from, found directly from the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from adorym.data import Dataset
from adorym.rotation import rotate
from adorym.sharding import ALL_CORES


def ramp_filter(projections: Float[np.ndarray, "y x"]) -> Float[np.ndarray, "y x"]:
    """Each row filtered by |f| (Ram-Lak, band-limited in real space; Kak & Slaney, equation 3.61), edges continued.

    Example:
        >>> float(abs(ramp_filter(np.ones((1, 64)))[0, 32]).round(2))
        0.0
    """
    width = projections.shape[1]
    size = 4 * width
    n = np.fft.fftfreq(size, 1 / size)
    kernel = np.where(n % 2 == 0, 0.0, -1 / (np.pi * np.where(n == 0, 1, n)) ** 2)
    kernel[0] = 0.25
    before = (size - width) // 2
    padded = np.pad(projections, ((0, 0), (before, size - width - before)), mode="edge")
    spectrum = np.fft.fft(padded, axis=1) * np.fft.fft(kernel).real
    return np.fft.ifft(spectrum, axis=1).real[:, before : before + width]


def back_projection(
    images: Iterable[tuple[float, Float[np.ndarray, "y x"]]], shape: tuple[int, int, int], *, axis_offset: float = 0.0
) -> np.ndarray:
    """Values per voxel `(z, x, y)` from their sums along the beam: filtered, spread back, over half a turn or more.

    The views count alike, so that they have to be spread evenly.

    Args:
        images: the angle of every view in radians, and the sums.
        shape: of the volume, `(z, x, y)`.
        axis_offset: where the axis stands, in pixels right of the images' centre.

    Example:
        >>> views = [(angle, np.ones((1, 16))) for angle in np.arange(40) * np.pi / 40]
        >>> back_projection(views, (16, 16, 1)).shape
        (16, 16, 1)
    """
    offset = jnp.asarray(axis_offset, jnp.zeros(()).dtype)

    @partial(jax.jit, compiler_options=ALL_CORES)
    def spread(projection: Array, angle: Array) -> Array:
        def project(volume: Array) -> Array:
            return rotate(volume, angle, offset, size=(shape[0], projection.shape[1]), planes=shape[0])[0]

        return jax.linear_transpose(project, jnp.zeros(shape))(projection.T)[0]

    total, views = jnp.zeros(shape), 0
    for angle, image in images:
        total = total + spread(jnp.asarray(ramp_filter(image), total.dtype), jnp.asarray(angle, total.dtype))
        views += 1
    return np.asarray(total) * np.pi / max(1, views)


def filtered_back_projection(dataset: Dataset, shape: tuple[int, int, int]) -> np.ndarray:
    """Attenuation per voxel `(z, x, y)` from frames in focus: minus the logarithm, filtered, spread back.

    Frames of weight 0 are left out. What is below zero is set to zero.

    Args:
        dataset: frames in focus, with flat and dark fields where the beam is uneven.
        shape: of the volume, `(z, x, y)`.

    Raises:
        DataError: a frame that is not finite.

    Example:
        >>> from adorym.data import ArrayFrames, Dataset
        >>> frames = ArrayFrames(np.full((40, 1, 1, 16), np.exp(-1.0)))
        >>> dataset = Dataset(frames=frames, technique="tomography", regime="in focus", pixel=1.0, energy=None,
        ...     angles=np.arange(40) * np.pi / 40, distances=np.zeros(0), mask=np.ones((1, 16), bool),
        ...     weights=np.ones((40, 1)), photons=1.0)
        >>> filtered_back_projection(dataset, (16, 16, 1)).shape
        (16, 16, 1)
    """
    dark = np.zeros(1) if dataset.dark is None else dataset.dark
    flat = np.full(1, dataset.photons or 1.0) if dataset.flat is None else dataset.flat
    beam = np.maximum(flat - dark, 1e-6 * np.max(flat))

    def lines() -> Iterator[tuple[float, np.ndarray]]:
        for view in np.flatnonzero(dataset.weights[:, 0] > 0):
            counts = dataset.read_finite(int(view), np.array([0]))[0]
            transmitted = np.clip((counts - dark) / beam, 1e-4, None)
            yield float(dataset.angles[view]), np.where(dataset.mask, -np.log(transmitted), 0.0)

    return np.maximum(back_projection(lines(), shape, axis_offset=dataset.axis_offset), 0)
