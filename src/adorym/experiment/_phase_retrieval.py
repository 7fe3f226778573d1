"""Phase and absorption of every view, found directly from near-field frames, and the volume that they make.

To first order the hologram of a thin sample exp(a + ip) over the intensity I₀ of the empty beam is linear in both
(contrast transfer; Cloetens et al., Appl. Phys. Lett. 75, 2912 (1999)): over a distance d, at the frequency f,

    ln(I / I₀)^ = 2 sin χ p^ + 2 cos χ a^,    χ = π λ d f², or exactly minus the phase of the transfer function.

Several distances tell a from p. One does not, but where β = ratio δ everywhere, a = ratio p is no unknown, and the
contrast of p is 2 (sin χ + ratio cos χ): for small χ the filter of Paganin et al., J. Microsc. 206, 33 (2002). Where
nothing is known of the ratio, one distance still tells how much of what it shows is likely to be phase: nearly all
where sin χ is large, nothing at f = 0. All are one least-squares problem at every frequency, with the unknowns y_j and
their contrasts c_dj,

    minimise   Σ_d weight_d |ln(I_d / I₀)^ - Σ_j c_dj y_j|² / σ² + Σ_j |y_j|² / S_j.

The last term holds back what the frames do not tell. It has no strength to be chosen: the power S_j of the sample and
that of the noise, σ², are read off the power spectrum of the frames (`Spectrum`), but for how one distance's power is
shared between phase and absorption.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from adorym._core import DataError
from adorym.data import Dataset
from adorym.experiment._demands import check_distances, check_kind
from adorym.experiment._grids import extended, near_field_grid
from adorym.experiment._starts import back_projection
from adorym.propagation import phase_per_length, transfer_function
from adorym.waves import Grid

_DARKEST = 1e-2  # of the beam: a pixel that happened to count nothing has no logarithm
_FILLED = 3  # times that pixels which are not measured are filled with what the solution predicts
_VIEWS = 20  # that show a spectrum well enough
_ROUNDS = 100
_EXPONENTS = np.arange(0, 8.5, 0.5)
_ROUNDING = 1e-12
_SHARE = 0.3**2  # power of absorption over that of phase, where one distance shows both: more than of most samples


class Spectrum(NamedTuple):
    """What the frames of a data set hold in the mean: powers of the sample and of the noise.

    A sample with borders has a spectrum that falls by a power law, noise has the same power at every frequency, and
    the contrast has zeros where noise alone is left: by that the two are told apart.

    Attributes:
        powers: of each unknown, the phase and, where it is one, the absorption, at the lowest frequencies; at one
            distance in a fixed proportion.
        exponent: of the power law.
        noise: power of the noise.

    Example:
        >>> Spectrum((2.0,), 4.0, 1.0).damping(np.array([[0.0, 1.0]])).round(6).tolist()
        [[[0.5, 2.0]]]
    """

    powers: tuple[float, ...]
    exponent: float
    noise: float

    @classmethod
    def of(cls, dataset: Dataset, *, ratio: float | None = None, grid: tuple[int, int] | None = None) -> Spectrum:
        """The most likely spectrum of a data set; the arguments are those of `back_propagation`."""
        return _spectrum(_Linear.of(dataset, ratio, grid))

    def damping(self, frequency: np.ndarray) -> np.ndarray:
        """σ² / S `(unknown, y, x)` at frequencies `(y, x)` in cycles per frame."""
        rises = (1 + frequency**2) ** (self.exponent / 2)
        least = _ROUNDING * self.noise
        return np.stack([self.noise / max(power, least) * rises + _ROUNDING for power in self.powers])


@dataclasses.dataclass(frozen=True, eq=False)
class _Linear:
    """Holograms as a linear function of phase and absorption.

    Attributes:
        dataset: the measurement.
        ratio: β/δ; `None` where absorption is an unknown of its own.
        grid: of the transforms.
        contrast: of each unknown in each frame, `(frame, unknown, y, x)`.
        beam: the frames without a sample, `(frame, y, x)`.
        noise: power that the noise has at least: that of the shot noise, but no more than fine detail shows, so that
            frames that are not counts, or have no noise, are taken for what they are.
    """

    dataset: Dataset
    ratio: float | None
    grid: Grid
    contrast: np.ndarray
    beam: np.ndarray
    noise: float = 0.0

    @classmethod
    def of(cls, dataset: Dataset, ratio: float | None, shape: tuple[int, int] | None) -> _Linear:
        check_kind(dataset, "holography")
        check_distances(dataset)
        distances = np.broadcast_to(dataset.distances, dataset.frames.shape[1:2])
        grid = Grid(shape or near_field_grid(dataset), dataset.pixel, dataset.wavelength)
        rate = -phase_per_length(grid)
        travels = np.isfinite(rate)
        chi = np.where(travels, rate, 0) * distances[:, None, None]
        contrast = np.stack([np.sin(chi), np.cos(chi)], axis=1)
        if ratio is not None:
            contrast = contrast[:, :1] + ratio * contrast[:, 1:]
        linear = cls(dataset, ratio, grid, 2 * travels * contrast, _beam(dataset, grid, distances))
        shot = float(np.mean(1 / linear.beam[linear.beam > 0]))
        return dataclasses.replace(linear, noise=min(shot, linear.roughness(int(linear.views[0]))))

    @property
    def shares(self) -> np.ndarray:
        """Powers of the unknowns `(power, unknown)` for each that the frames tell from others."""
        unknowns = self.contrast.shape[1]
        if unknowns == 2 and len(np.unique(self.dataset.distances)) < 2:
            return np.array([[1.0, _SHARE]])
        return np.eye(unknowns)

    @property
    def frequency(self) -> np.ndarray:
        """In cycles per frame, `(y, x)`."""
        fy, fx = (np.fft.fftfreq(n) for n in self.grid.shape)
        return np.hypot(fy[:, None], fx[None, :]) * max(self.dataset.frames.shape[2:])

    @property
    def views(self) -> np.ndarray:
        """Those that have a frame that is not rejected."""
        views = np.flatnonzero((self.dataset.weights > 0).any(axis=1))
        if not len(views):
            raise DataError(f"{self.dataset.source} has no frame left: every weight is 0.")
        return views

    @property
    def field(self) -> tuple[slice, slice]:
        """Where the frame lies on the grid."""
        shape = self.dataset.frames.shape[2:]
        starts = [(n - m) // 2 for n, m in zip(self.grid.shape, shape, strict=True)]
        return slice(starts[0], starts[0] + shape[0]), slice(starts[1], starts[1] + shape[1])

    def logarithms(self, view: int) -> tuple[np.ndarray, np.ndarray]:
        """ln(I / I₀) of a view `(frame, y, x)`, zero in the vacuum beyond the frame, and True where it is known.

        Of counts it is the logarithm with half a photon more, whose mean is that of the mean count.
        """
        dataset, inside = self.dataset, (slice(None), *self.field)
        used = dataset.weights[view] > 0
        counts = dataset.read_finite(view, np.flatnonzero(used)) - (0 if dataset.dark is None else dataset.dark)
        lit = self.beam[used] > 0
        measured = lit & dataset.mask
        transmitted = np.maximum(counts / np.where(lit, self.beam[used], 1), _DARKEST) + self.noise / 2
        found = np.where(measured, np.log(np.where(measured, transmitted, 1)), 0)
        logarithms, known = np.zeros(self.contrast[:, 0].shape), np.ones(self.contrast[:, 0].shape, bool)
        logarithms[inside][used], known[inside][used] = found, measured
        return logarithms, known

    def roughness(self, view: int) -> float:
        """Power of a view at the highest frequencies: of the differences of differences of neighbours."""
        used = self.dataset.weights[view] > 0
        logarithms, known = (image[(used, *self.field)] for image in self.logarithms(view))
        sides = slice(None, -1), slice(1, None)
        corners = [(..., a, b) for a in sides for b in sides]
        mixed = sum((sign * logarithms[one] for sign, one in zip((1, -1, -1, 1), corners, strict=True)), np.zeros(()))
        kept = np.all([known[one] for one in corners], axis=0)
        return float(np.mean(mixed**2, where=kept)) / 4 if kept.any() else 0.0

    def filters(self, weights: np.ndarray, damping: np.ndarray) -> np.ndarray:
        """From a view's frames to its unknowns, `(y, x, unknown, frame)`."""
        weighted = self.contrast * weights[:, None, None, None]
        normal = np.einsum("diyx,djyx->yxij", weighted, self.contrast)
        normal += np.einsum("iyx,ij->yxij", damping, np.eye(len(damping)))
        return np.linalg.solve(normal, np.einsum("diyx->yxid", weighted))

    def solved(self, view: int, filters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Phase and log-amplitude `(y, x)` of a view."""
        logarithms, known = self.logarithms(view)
        unknowns = _apply(filters, logarithms)
        for _ in range(0 if known.all() else _FILLED):
            predicted = np.fft.ifft2(np.einsum("djyx,jyx->dyx", self.contrast, unknowns)).real
            unknowns = _apply(filters, np.where(known, logarithms, predicted))
        images = np.fft.ifft2(unknowns).real[(slice(None), *self.field)]
        return images[0], images[1] if self.ratio is None else self.ratio * images[0]


def _apply(filters: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The spectra of the unknowns `(unknown, y, x)`."""
    return np.einsum("yxid,dyx->iyx", filters, np.fft.fft2(images))


def _beam(dataset: Dataset, grid: Grid, distances: np.ndarray) -> np.ndarray:
    """The frames without a sample: the flat field, or else the known illumination carried to the detector."""
    shape = (len(distances), *dataset.frames.shape[2:])
    if dataset.flat is not None:
        return np.broadcast_to(dataset.flat - (0 if dataset.dark is None else dataset.dark), shape)
    if dataset.probe is None:
        return np.full(shape, dataset.photons or 1.0)
    wave = np.fft.fft2(extended(dataset.probe, grid.shape))
    fields = (np.fft.ifft2(wave * transfer_function(grid, float(distance))) for distance in distances)
    intensity = np.stack([np.sum(np.abs(field) ** 2, axis=0) for field in fields])
    top, left = ((n - m) // 2 for n, m in zip(grid.shape, shape[1:], strict=True))
    return intensity[:, top : top + shape[1], left : left + shape[2]]


def _spectrum(linear: _Linear) -> Spectrum:
    """The most likely spectrum of the frames, averaged over views and over rings of frequencies."""
    views = linear.views
    views = views[np.unique(np.linspace(0, len(views) - 1, min(_VIEWS, len(views))).astype(int))]
    shown = (linear.dataset.weights[views] > 0).sum(axis=0)
    total = np.zeros(linear.beam.shape[:1] + linear.grid.shape)
    for view in views:
        total += np.abs(np.fft.fft2(linear.logarithms(int(view))[0], norm="ortho")) ** 2
    total *= np.prod(linear.grid.shape) / np.prod(linear.dataset.frames.shape[2:])  # there is no noise beyond the frame
    frequency = linear.frequency
    ring = np.rint(frequency).astype(int)
    inside = (ring > 0) & (ring <= max(linear.dataset.frames.shape[2:]) // 2)
    pixels = np.bincount(ring[inside])[1:]

    def averaged(images: np.ndarray) -> np.ndarray:
        flat = [np.bincount(ring[inside], image[inside])[1:] / pixels for image in images.reshape(-1, *ring.shape)]
        return np.reshape(flat, (*images.shape[:-2], len(pixels)))

    kept = shown > 0
    power = averaged(total[kept]) / shown[kept, None]

    def parts(exponent: float) -> np.ndarray:
        signal = averaged(linear.contrast[kept] ** 2 * (1 + frequency**2) ** (-exponent / 2))
        told = np.einsum("pj,djs->dps", linear.shares, signal)
        return np.concatenate([told, np.ones_like(told[:, :1])], axis=1)

    found = _most_likely(power, parts, count=pixels * shown[kept, None], least=linear.noise)
    return found._replace(powers=tuple(float(one) for one in found.powers @ linear.shares))


def _most_likely(
    power: np.ndarray, parts: Callable[[float], np.ndarray], *, count: np.ndarray, least: float
) -> Spectrum:
    """The powers, and the exponent, that make a power spectrum `(frame, ring)` most likely (Whittle's likelihood).

    The noise has the power `least` and what is added to it. A power is a mean over `count` values of χ² distribution
    about the sum of its parts, so that minus the logarithm of the likelihood is count (ln sum + power / sum), which
    multiplicative steps lower; they never make a part negative (Févotte, Bertin & Durrieu, Neural Computation 21,
    793 (2009)).
    """
    power = np.maximum(power, 1e-30)  # frames without anything on them
    found: list[tuple[float, Spectrum]] = []
    for exponent in _EXPONENTS:
        part = parts(float(exponent))
        amounts = power.mean() / np.maximum(part.mean((0, 2)), 1e-30)
        for _ in range(_ROUNDS):
            total = least + np.einsum("j,djs->ds", amounts, part)
            pull = np.einsum("ds,djs->j", count * power / total**2, part)
            amounts = amounts * pull / np.maximum(np.einsum("ds,djs->j", count / total, part), 1e-30)
        total = least + np.einsum("j,djs->ds", amounts, part)
        cost = float(np.sum(count * (np.log(total) + power / total)))
        *powers, noise = (float(one) for one in amounts)
        found.append((cost, Spectrum(tuple(powers), float(exponent), least + noise)))
    return min(found)[1]


def retrieve_phase(
    dataset: Dataset,
    view: int,
    *,
    ratio: float | None = None,
    grid: tuple[int, int] | None = None,
    spectrum: Spectrum | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Phase and log-amplitude `(y, x)` of a view's sample, as if it were thin and weak, in one step.

    What lies beyond the frame is vacuum; in pixels that are not measured stands what the solution predicts there.
    Frames of weight 0 have no part in it.

    Args:
        dataset: near-field frames, with their flat field, illumination or photons.
        view: which.
        ratio: β/δ; `None` finds absorption by itself, of which one distance tells little: what is coarse it takes for
            absorption, what is fine for phase.
        grid: pixels (y, x) of the transforms' periodic grid; left out, it is wide enough that nothing wraps round.
        spectrum: what the frames hold in the mean; left out, it is measured.

    Raises:
        DataError: no near-field frames, none that is not rejected, one that is not finite, or a spectrum of other
            unknowns.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> from adorym.simulate import simulate
        >>> plan = plan_holography((16, 16), pixel=2e-9, energy=1e3, distances=(3e-7,), views=1, photons=1e6)
        >>> delta = np.zeros((16, 16, 16))
        >>> delta[8, 6:10, 6:10] = 1e-3
        >>> phase, _ = retrieve_phase(simulate(plan, delta, 0.1 * delta), 0, ratio=0.1)
        >>> bool(phase[8, 8] < 2 * phase[8, 3] < 0)
        True
    """
    linear = _Linear.of(dataset, ratio, grid)
    if view not in linear.views:
        raise DataError(f"{dataset.source}: no frame of view {view} is left, all have weight 0: choose another view.")
    found = _spectrum(linear) if spectrum is None else spectrum
    if len(found.powers) != linear.contrast.shape[1]:
        raise DataError(
            f"The spectrum has {len(found.powers)} powers where {linear.contrast.shape[1]} are unknown: measure it "
            "with the same ratio."
        )
    return linear.solved(view, linear.filters(dataset.weights[view], found.damping(linear.frequency)))


def back_propagation(
    dataset: Dataset,
    shape: tuple[int, int, int],
    *,
    ratio: float | None = None,
    grid: tuple[int, int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """δ and β `(z, x, y)` from near-field frames over a turn or half a turn: every view's phase, back-projected.

    What is below zero is set to zero.

    Args:
        dataset: near-field frames at evenly spread angles; views without a frame of weight above 0 are left out.
        shape: of the volume, `(z, x, y)`.
        ratio: β/δ; `None` finds β by itself, as for `retrieve_phase`.
        grid: as for `retrieve_phase`.

    Raises:
        DataError: as `retrieve_phase`.

    Example:
        >>> from adorym.experiment import plan_holography
        >>> from adorym.simulate import simulate
        >>> plan = plan_holography((16, 16), pixel=2e-9, energy=1e3, distances=(3e-7,), views=16, photons=1e6)
        >>> sample = np.zeros((16, 16, 16))
        >>> sample[6:10, 6:10, 6:10] = 1e-3
        >>> delta, beta = back_propagation(simulate(plan, sample, 0.1 * sample), (16, 16, 16), ratio=0.1)
        >>> bool(delta[8, 8, 8] > 5 * delta[8, 2, 8]), bool(np.allclose(beta, 0.1 * delta))
        (True, True)
    """
    linear = _Linear.of(dataset, ratio, grid)
    damping = _spectrum(linear).damping(linear.frequency)
    scale = 2 * np.pi / dataset.wavelength * dataset.pixel

    def projections() -> Iterator[tuple[float, np.ndarray]]:
        weights, filters = np.zeros(0), np.zeros(0)
        for view in linear.views:
            if not np.array_equal(weights, dataset.weights[view]):  # most views have the same
                weights = dataset.weights[view]
                filters = linear.filters(weights, damping)
            images = linear.solved(int(view), filters)
            kept = images if ratio is None else images[:1]
            yield float(dataset.angles[view]), np.concatenate(kept) / -scale

    height = shape[2]
    both = (shape[0], shape[1], height if ratio is not None else 2 * height)
    found = np.maximum(back_projection(projections(), both, axis_offset=dataset.axis_offset), 0)
    delta = found[:, :, :height]
    return delta, found[:, :, height:] if ratio is None else ratio * delta
