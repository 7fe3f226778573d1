"""The bytes that an algorithm has to move through a device's memory, and how near it comes to the time that takes.

A 2D FFT of a wave that does not fit into a processor's own memory goes over it twice, along x and along y, and each
time reads it and writes it. All that is done to a wave besides can be done on the way, so it counts nothing; the waves
kept for the way back do, written once and read once, and so do the slabs, read on both ways, and their gradient.
"""

from __future__ import annotations

COMPLEX, REAL = 8, 4
"""Bytes of a number in 32 bits."""

FFT = 2 * 2 * COMPLEX
"""Bytes for each pixel: two passes, each read and write."""


def chain_bytes(waves: int, pixels: int, slabs: int, *, slab_pixels: int | None = None) -> int:
    """A multislice chain's value and gradient, its waves stored.

    Args:
        waves: that cross the slabs.
        pixels: of a wave.
        slabs: a free step between each and the next.
        slab_pixels: of a slab, where it is wider than a wave; log-amplitude and phase each.
    """
    steps = slabs - 1
    of_waves = waves * pixels * steps * (4 * FFT + 2 * COMPLEX)
    of_slabs = 2 * REAL * (slab_pixels or pixels) * slabs * 3
    return of_waves + of_slabs


def far_field_bytes(frames: int, pixels: int) -> int:
    """From the exit waves to frames that are compared with measured ones, and back: an FFT each way, the data read."""
    return frames * pixels * (2 * FFT + REAL)


def view_bytes(voxels: int, slab_values: int) -> int:
    """A view's volume turned into slabs and the slabs' gradient turned back: δ and β, or what stands for them.

    Args:
        voxels: of the volume.
        slab_values: pixels of all slabs.
    """
    forward = 2 * REAL * (voxels + slab_values)
    return forward + 2 * REAL * (slab_values + 2 * voxels)  # the gradient of a view is added to that of the others


def fraction(moved: int, seconds: float, bandwidth: float) -> float:
    """The part of the time that moving the bytes alone would take."""
    return moved / bandwidth / seconds
