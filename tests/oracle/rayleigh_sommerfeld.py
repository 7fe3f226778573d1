"""The recipe of rayleigh_sommerfeld.json: diffraction by quadrature of Rayleigh and Sommerfeld's first integral.

    python tests/oracle/rayleigh_sommerfeld.py

writes it anew. No Fourier transform and no line of adorym is used: the integral

    u(x, y, z) = z / 2π ∫∫ u(x', y', 0) exp(ikr) / r² (1/r - ik) dx' dy'

(Goodman, Introduction to Fourier Optics, equation 3-41) is a sum over a source sampled finer than its chirp, without
the global phase exp(ikz).
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix(".json")
WAVELENGTH, PIXEL, DISTANCE = 1e-9, 2e-9, 3e-7
HALF, FINE = 32, 8
POINTS = [(0, 0), (5, 0), (0, -7), (-11, 4), (13, 13), (-18, -3), (22, 9), (2, 27)]


def source(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A smooth, lopsided and tilted beam with structure; lengths in pixels."""
    envelope = np.exp(-(x**2 + y**2) / (2 * 5.0**2))
    return envelope * (1 + 0.5 * np.sin(0.9 * x) + 0.3j * np.cos(0.7 * y - 0.2 * x)) * np.exp(0.25j * x)


def at(x: float, y: float) -> complex:
    """The field at one point of the plane z = DISTANCE, both in pixels."""
    axis = (np.arange(2 * HALF * FINE) - (2 * HALF * FINE - 1) / 2) / FINE
    xs, ys = np.meshgrid(axis, axis)
    r = np.sqrt((PIXEL * (x - xs)) ** 2 + (PIXEL * (y - ys)) ** 2 + DISTANCE**2)
    k = 2 * np.pi / WAVELENGTH
    kernel = DISTANCE / (2 * np.pi) * np.exp(1j * k * (r - DISTANCE)) / r**2 * (1 / r - 1j * k)
    return complex(np.sum(source(xs, ys) * kernel) * (PIXEL / FINE) ** 2)


def main() -> None:
    """Writes the file."""
    values = [at(float(x), float(y)) for x, y in POINTS]
    record = {
        "recipe": "python tests/oracle/rayleigh_sommerfeld.py",
        "numpy": np.__version__,
        "python": platform.python_version(),
        "points": POINTS,
        "real": [value.real for value in values],
        "imaginary": [value.imag for value in values],
    }
    FILE.write_text(json.dumps(record).replace(', "', ',\n"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
