"""Made-up results that look like real ones: a hollow cone, blurred and noisy; frames with shot noise; a probe."""

from __future__ import annotations

import dataclasses

import numpy as np

from adorym.metrics import fourier_correlation, nrmse
from adorym.physics import depth_of_focus, wavelength
from adorym.report import (
    Comparison,
    ComparisonContent,
    Confidence,
    Deviations,
    Frames,
    History,
    Numbers,
    Quantity,
    ReportContent,
    RunResult,
    Settings,
    ViewFits,
)

VOXEL = 2e-9
ENERGY = 1000.0


def cone(size: int) -> np.ndarray:
    """A hollow cone along y with a few spheres on it, 0 to 1.6, `(z, y, x)`."""
    z, y, x = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 3, indexing="ij")
    part = np.clip(y / (0.8 * size) + 0.5, 0, 1)
    outer, wall = size * (0.04 + 0.28 * part), size * (0.03 + 0.05 * part)
    radius = np.hypot(x, z)
    inside = np.abs(y) < 0.4 * size
    volume = np.clip(outer - radius, 0, 1) * np.clip(radius - outer + wall, 0, 1) * inside
    rng = np.random.default_rng(3)
    for _ in range(14):
        height, turn = rng.uniform(-0.3, 0.4) * size, rng.uniform(0, 2 * np.pi)
        reach = size * (0.04 + 0.28 * (height / (0.8 * size) + 0.5))
        distance = np.sqrt((x - reach * np.cos(turn)) ** 2 + (y - height) ** 2 + (z - reach * np.sin(turn)) ** 2)
        volume = np.maximum(volume, 1.6 * np.clip(rng.uniform(0.03, 0.06) * size - distance, 0, 1))
    return volume


def blurred(values: np.ndarray, sigma: float, noise: float, *, seed: int = 0) -> np.ndarray:
    """The array without its finest detail, and with noise."""
    frequencies = np.meshgrid(*[np.fft.fftfreq(size) for size in values.shape], indexing="ij")
    kernel = np.exp(-2 * (np.pi * sigma) ** 2 * sum(frequency**2 for frequency in frequencies))
    smooth = np.fft.ifftn(np.fft.fftn(values) * kernel).real
    return smooth + noise * np.random.default_rng(seed).standard_normal(values.shape)


def settings(size: int, *, technique: str = "holography", model: str = "multislice") -> Settings:
    scanned = technique == "ptychography"
    return Settings(
        technique=technique,
        model=model,  # type: ignore[arg-type]
        energy=ENERGY,
        voxel=VOXEL,
        shape=(size, size, size),
        views=60,
        frames=60 * (49 if scanned else 1),
        frame_shape=(32, 32) if scanned else (size, size),
        photons=1e7 if scanned else 1.4e5,
        photons_per="frame" if scanned else "pixel",
        distances=() if scanned else (428e-9,),
        thickness=size * VOXEL,
        depth_of_focus=depth_of_focus(2 * VOXEL, wavelength(ENERGY)),
        slabs=16 if model == "multislice" else 1,
        likelihood="Poisson",
        regularizers=("total variation of δ (weight 0.003)",),
        constraints=("δ ≥ 0", "β ≥ 0"),
        refined=("δ", "β"),
        stages=("60 steps of Adam, 4 views each", "20 steps of Gauss-Newton, all views"),
        source="simulated cone, grid twice as fine",
        more=(("Seed", "7"),),
    )


def history(steps: int = 80, floor: float = 1.2e-3) -> History:
    step = np.arange(1, steps + 1)
    fall = np.exp(-step / 12)
    wobble = 1 + 0.05 * np.random.default_rng(1).standard_normal(steps)
    held = np.where(step % 5 == 0, floor * 1.3 + 0.08 * fall, np.nan)
    error = np.where(step % 5 == 0, 0.3 + 0.7 * fall, np.nan)
    misfit = (floor + 0.08 * fall) * wobble
    return History(step=step, seconds=step * 0.9 + 4, misfit=misfit, held_out=held, error=error)


def frames(size: int, *, logarithmic: bool = False) -> Frames:
    """Rings (holograms) or a bright centre with speckle (far field), with shot noise."""
    rng = np.random.default_rng(5)
    y, x = np.meshgrid(*[np.arange(size) - size // 2] * 2, indexing="ij")
    radius = np.hypot(x, y)
    if logarithmic:
        clean = np.stack([1e5 / (1 + radius**3) * (1.2 + np.cos(0.8 * x + turn)) for turn in (0, 2)])
    else:
        clean = np.stack(
            [500 * (1 + 0.3 * np.sin(radius**2 / size + turn) * np.exp(-radius / size * 4)) for turn in (0, 2)]
        )
    mask = np.ones((size, size), bool)
    if logarithmic:
        mask[:, size // 3] = False
    labels = ("view 0, 0 deg", "view 30, 180 deg")
    measured = rng.poisson(clean).astype(np.float32)
    return Frames(measured=measured, predicted=clean, labels=labels, mask=mask, logarithmic=logarithmic)


def probe(size: int) -> np.ndarray:
    y, x = np.meshgrid(*[np.arange(size) - size // 2] * 2, indexing="ij")
    gauss = np.exp(-(x**2 + y**2) / (2 * (size / 7) ** 2))
    return np.stack([gauss * np.exp(0.02j * (x**2 + y**2)), 0.2 * gauss * x / size * np.exp(0.3j * y)])


def confidence(size: int, *, kind: str = "posterior") -> Confidence:
    """Sixty views of which every sixth was kept back and two are bad; a bad column; halves; deviations of a cone."""
    rng = np.random.default_rng(4)
    index = np.arange(60)
    held = index % 6 == 3
    chi2 = 1.1 + 0.05 * rng.standard_normal(60) + 0.3 * held
    chi2[[17, 40]] = 3.2, 2.1
    outlier = np.isin(index, (17, 40))
    mean = rng.standard_normal((size, size)) / 8
    mean[:, size // 3] += 1
    square = 1 + np.abs(mean) + 0.02 * rng.standard_normal((size, size))
    mean[0, :4] = square[0, :4] = np.nan
    z, x = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    cut = np.where(np.hypot(z, x) < size / 2, 1e-6 * (1 + 0.2 * rng.standard_normal((size, size))), np.nan)
    cut[size // 2] = 0
    volumes = (blurred(cone(size), 0.8, 0.1, seed=seed) for seed in (1, 2))
    return Confidence(
        views=ViewFits(
            unit="view", index=index, reduced_chi2=chi2, held_out=held, outlier=outlier,
            bad=("view 17, 102 deg", "view 40, 240 deg"),
        ),
        residual=mean,
        residual_square=square,
        half_sets=fourier_correlation(*volumes),
        deviations=Deviations(kind=kind, symbol="δ", cut=cut, mean=3.21e-5, of_mean=4.4e-7),  # type: ignore[arg-type]
    )  # fmt: skip


def volume_run(
    size: int, *, name: str = "multislice", technique: str = "holography", sigma: float = 0.6, noise: float = 0.08
) -> RunResult:
    truth = cone(size)
    values = np.maximum(blurred(truth, sigma, noise), 0)
    correlation = fourier_correlation(values, truth)
    scanned = technique == "ptychography"
    model = "multislice" if name == "multislice" else "projection"
    numbers = Numbers(
        misfit=1.23e-3 * (1 + sigma),
        relative_misfit=0.021 * (1 + sigma),
        reduced_chi2=1.04 * (1 + sigma),
        error=nrmse(values, truth),
        error_whole=nrmse(values, truth) * 1.02,
        resolution=correlation.resolution() * VOXEL,
        seconds=76.3,
        peak_memory=1.42e9,
        steps=80,
    )
    return RunResult(
        name=name,
        settings=settings(size, technique=technique, model=model),
        numbers=numbers,
        quantities=(
            Quantity(symbol="δ", values=values * 4.6e-4, truth=truth * 4.6e-4),
            Quantity(symbol="β", values=values * 7e-5 + 4e-6, truth=truth * 7e-5),
        ),
        history=history(),
        correlation=correlation,
        frames=frames(32 if scanned else size, logarithmic=scanned),
        probe=probe(32) if scanned else None,
        probe_pixel=VOXEL if scanned else None,
    )


def image_run(size: int, *, known: bool = False) -> RunResult:
    """A star in pixel units, from one scan."""
    y, x = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * 2, indexing="ij")
    star = (np.sin(12 * np.arctan2(y, x)) > 0) * (np.hypot(x, y) < 0.42 * size)
    phase, amplitude = -0.8 * star + 0.02 * np.random.default_rng(0).standard_normal(star.shape), 1 - 0.2 * star
    base = settings(size, technique="ptychography")
    flat = dataclasses.replace(
        base, energy=None, voxel=1.0, shape=(size, size), views=1, frames=516, frame_shape=(128, 128), thickness=None,
        depth_of_focus=None, slabs=1, model="projection", photons=None, refined=("the image", "the probe (2 modes)"),
    )  # fmt: skip
    return RunResult(
        name="ptychography",
        settings=flat,
        numbers=Numbers(misfit=1.61e-2, seconds=140.0, peak_memory=9e8, steps=300),
        quantities=(
            Quantity(symbol="phase", values=phase, truth=-0.8 * star if known else None, unit="rad"),
            Quantity(symbol="amplitude", values=amplitude, truth=1 - 0.2 * star if known else None),
        ),
        history=dataclasses.replace(history(), error=None, held_out=None),
        frames=frames(64, logarithmic=True),
        probe=probe(64),
        probe_pixel=1.0,
    )


def content(run: RunResult, title: str = "A hollow glass cone by holography") -> ReportContent:
    provenance = (("adorym", "0.1.0"), ("JAX", "0.10.2"), ("seed", "7"), ("command", "adorym reconstruct cone.toml"))
    text = "A hollow glass cone with spheres of TiO₂ on it, 128 nm high, reconstructed from simulated holograms."
    return ReportContent(title=title, run=run, introduction=text, provenance=provenance)


def comparison(size: int, technique: str) -> Comparison:
    """Multislice beside a blurrier projection, of the same data."""
    multislice = volume_run(size, technique=technique)
    projection = volume_run(size, name="projection", technique=technique, sigma=1.3, noise=0.1)
    if projection.frames is not None:
        y, x = np.meshgrid(*[np.arange(size) for size in projection.frames.predicted.shape[1:]], indexing="ij")
        wrong = projection.frames.predicted * (1 + 0.08 * np.sin(0.7 * x) * np.cos(0.5 * y))
        projection = dataclasses.replace(projection, frames=dataclasses.replace(projection.frames, predicted=wrong))
    runs = (dataclasses.replace(multislice, link=f"{technique}-multislice/report.html"), projection)
    return Comparison(name=technique.capitalize(), runs=runs, text=f"Simulated {technique} of the cone.")


def comparison_content(size: int) -> ComparisonContent:
    return ComparisonContent(
        title="Thick samples in 3D, by two microscopes",
        comparisons=(comparison(size, "holography"), comparison(size, "ptychography")),
        introduction=(
            "A hollow glass cone with spheres of TiO₂ on it, thicker than the depth of focus, was imaged in simulation "
            "by two x-ray microscopes and reconstructed by one program, once with the wave followed through the sample "
            "(multislice) and once as if each view were a flat shadow (projection)."
        ),
        remarks=("The projection loses the fine wall where the wave has spread on its way through the sample.",),
        provenance=(("adorym", "0.1.0"), ("seed", "7")),
    )
