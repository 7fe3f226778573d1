"""A first probe where none was measured."""

from __future__ import annotations

import numpy as np

from adorym.propagation import transfer_function
from adorym.waves import Grid


def add_modes(probe: np.ndarray, modes: int, *, seed: int = 0, share: float = 0.05) -> np.ndarray:
    """Further modes for a probe `(mode, y, x)`: the first one times smooth random phases, each with a small share.

    Example:
        >>> add_modes(np.ones((1, 8, 8), complex), 3).shape
        (3, 8, 8)
    """
    if modes <= probe.shape[0]:
        return probe[:modes]
    generator = np.random.default_rng(seed)
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in probe.shape[1:]), indexing="ij")
    extra = []
    for _ in range(modes - probe.shape[0]):
        a, b, c = generator.normal(size=3)
        extra.append(np.sqrt(share) * probe[0] * np.exp(1j * np.pi * (a * x + b * y + c * x * y)))
    kept = np.sqrt(max(1 - share * len(extra), 0.1))
    return np.concatenate([probe * kept, np.stack(extra)])


def from_far_field(mean_frame: np.ndarray) -> np.ndarray:
    """The field whose far field has the mean frame's magnitudes and no phase: an untilted, focused probe.

    Args:
        mean_frame: photons `(y, x)`, zero frequency at index N//2.

    Example:
        >>> float(np.sum(np.abs(from_far_field(np.ones((8, 8)))) ** 2).round(6))
        64.0
    """
    field = np.fft.ifft2(np.fft.ifftshift(np.sqrt(np.maximum(mean_frame, 0))), norm="ortho")
    return np.fft.fftshift(field)[None]


def from_near_field(mean_frame: np.ndarray, grid: Grid, distance: float) -> np.ndarray:
    """The mean frame's magnitudes, continued by their edge values and carried back to z = 0.

    Example:
        >>> guess = from_near_field(np.ones((8, 8)), Grid((12, 12), 1e-6, 1e-10), 1e-3)
        >>> bool(np.allclose(np.abs(guess), 1.0))
        True
    """
    pads = [((n - m) // 2, n - m - (n - m) // 2) for n, m in zip(grid.shape, mean_frame.shape, strict=True)]
    magnitude = np.pad(np.sqrt(np.maximum(mean_frame, 0)), pads, mode="edge")
    kernel = transfer_function(grid, -distance)
    return np.fft.ifft2(np.fft.fft2(magnitude) * kernel)[None]
