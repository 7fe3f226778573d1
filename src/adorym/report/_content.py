"""What a report is made of: plain arrays, numbers and words, so that reports know nothing of how they came about."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from adorym.metrics import FourierCorrelation

Model = Literal["multislice", "projection"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How the data were taken and what was done with them. Lengths are metres, or pixels where `energy` is `None`.

    Attributes:
        technique: "holography", "ptychography", "tomography" or "cdi".
        model: "multislice", or "projection" where each view sees the sample as one thin sheet.
        energy: photon energy in eV; `None` in pixel units.
        voxel: edge of a voxel (of a pixel, for an image).
        shape: of what was reconstructed, `(z, y, x)` or `(y, x)`.
        views: number of rotation angles.
        frames: number of frames, of all views together.
        frame_shape: pixels of a frame, `(y, x)`.
        photons: per detector pixel or per frame, without a sample; `None` if unknown.
        photons_per: what `photons` counts for.
        distances: sample (its centre) to detector, one or several; empty in focus and in the far field.
        thickness: of the reconstructed volume along the beam; `None` for an image.
        depth_of_focus: 2 r^2 / (0.61^2 wavelength) at a resolution r of two voxels; `None` in pixel units.
        slabs: number of slabs the wave passes.
        likelihood: such as "Poisson".
        regularizers, constraints, refined, stages: in words, one entry each.
        source: the data file, or how the data were simulated.
        more: further rows for the table, (name, text).

    Example:
        >>> settings = Settings(technique="holography", model="multislice", energy=1000.0, voxel=2e-9,
        ...     shape=(64, 64, 64), views=60, frames=60, frame_shape=(64, 64), likelihood="Poisson")
        >>> settings.dimensions
        3
    """

    technique: str
    model: Model
    energy: float | None
    voxel: float
    shape: tuple[int, ...]
    views: int
    frames: int
    frame_shape: tuple[int, int]
    photons: float | None = None
    photons_per: Literal["pixel", "frame"] = "pixel"
    distances: tuple[float, ...] = ()
    thickness: float | None = None
    depth_of_focus: float | None = None
    slabs: int = 1
    likelihood: str
    regularizers: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    refined: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    source: str = ""
    more: tuple[tuple[str, str], ...] = ()

    @property
    def dimensions(self) -> int:
        """3 for a volume, 2 for an image."""
        return len(self.shape)

    @property
    def focal_ratio(self) -> float | None:
        """Thickness over depth of focus; `None` where either is unknown."""
        if not self.thickness or not self.depth_of_focus:
            return None
        return self.thickness / self.depth_of_focus


@dataclasses.dataclass(frozen=True, kw_only=True)
class Numbers:
    """The result in numbers; `None` is unknown.

    Attributes:
        misfit: sum (sqrt(predicted) - sqrt(measured))^2 / sum measured.
        relative_misfit: that misfit over the misfit of an empty object.
        reduced_chi2: 1 where only shot noise is left.
        error: ||x - truth|| / ||truth|| over the region the measurement reached, x = delta, or the image.
        error_whole: the same over everything.
        resolution: half period at which the Fourier correlation falls below the half-bit threshold, as lengths are.
        seconds: wall time of the reconstruction.
        peak_memory: bytes.
        steps: of the solver.

    Example:
        >>> Numbers(misfit=2e-3, error=0.31).error
        0.31
    """

    misfit: float
    relative_misfit: float | None = None
    reduced_chi2: float | None = None
    error: float | None = None
    error_whole: float | None = None
    resolution: float | None = None
    seconds: float | None = None
    peak_memory: float | None = None
    steps: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Quantity:
    """One reconstructed quantity, and its truth where that is known.

    Attributes:
        symbol: as it is printed: "δ", "β", "phase", "amplitude".
        values: `(z, y, x)` or `(y, x)`.
        truth: the same shape, free of the technique's ambiguities; `None` if unknown.
        unit: such as "rad"; empty for a pure number.

    Example:
        >>> Quantity(symbol="δ", values=np.zeros((4, 4, 4))).truth is None
        True
    """

    symbol: str
    values: np.ndarray
    truth: np.ndarray | None = None
    unit: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class History:
    """How the fit went, one entry per recorded step; not-a-number where a value was not computed.

    Attributes:
        step: completed steps.
        seconds: since the start.
        misfit: of the data that were fitted.
        held_out: misfit of frames kept back from the fit.
        error: of the object against the truth.

    Example:
        >>> History(step=np.arange(3), seconds=np.arange(3.0), misfit=np.array([1.0, 0.5, 0.3])).error is None
        True
    """

    step: np.ndarray
    seconds: np.ndarray
    misfit: np.ndarray
    held_out: np.ndarray | None = None
    error: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """A few measured frames and what the result predicts for them.

    Attributes:
        measured, predicted: photons `(frame, y, x)`.
        labels: what each shows, such as "view 12, 30 deg".
        sigma: standard deviation of the noise, the same shape; `None` for shot noise, the root of the prediction.
        mask: True where a pixel is measured `(y, x)`; `None` for everywhere.
        logarithmic: show brightness on a logarithmic scale (far field).

    Example:
        >>> Frames(measured=np.ones((1, 4, 4)), predicted=np.ones((1, 4, 4)), labels=("view 0",)).logarithmic
        False
    """

    measured: np.ndarray
    predicted: np.ndarray
    labels: tuple[str, ...]
    sigma: np.ndarray | None = None
    mask: np.ndarray | None = None
    logarithmic: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ViewFits:
    """How well every view, or every frame of a single view, is explained.

    Attributes:
        unit: what an entry is.
        index: which view or frame `(n,)`.
        reduced_chi2: 1 where only noise is left `(n,)`.
        held_out: True for entries that were kept back from the fit `(n,)`.
        bad: names of those that stand out, such as "view 12, 30 deg".
        outlier: which entries they are `(n,)`.

    Example:
        >>> no = np.zeros(2, bool)
        >>> ViewFits(unit="view", index=np.arange(2), reduced_chi2=np.ones(2), held_out=no, outlier=no).bad
        ()
    """

    unit: Literal["view", "frame"]
    index: np.ndarray
    reduced_chi2: np.ndarray
    held_out: np.ndarray
    outlier: np.ndarray
    bad: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Deviations:
    """Standard deviations of a quantity.

    Attributes:
        kind: "posterior", how far the truth may be; or "scatter", what another measurement would change.
        symbol: of the quantity.
        unit: such as "rad"; empty for a pure number.
        cut: the deviations in one plane `(y, x)`; 0 where a constraint holds the result, not-a-number outside.
        mean: of the quantity over the region that the measurement reached.
        of_mean: its deviation; infinite where nothing holds it.
        settled: whether all came to rest; if not, they are lower bounds.

    Example:
        >>> Deviations(kind="scatter", symbol="δ", cut=np.ones((4, 4)), mean=1e-5, of_mean=1e-7).settled
        True
    """

    kind: Literal["posterior", "scatter"]
    symbol: str
    unit: str = ""
    cut: np.ndarray
    mean: float
    of_mean: float
    settled: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Confidence:
    """How far a result may be trusted; what is `None` was not asked for.

    Attributes:
        views: see there.
        residual: mean of (measured - predicted) / σ over all frames `(y, x)`; not-a-number where nothing was measured.
        residual_square: mean of its square `(y, x)`.
        half_sets: correlation that the result may be trusted to have, from reconstructions of half of the data each.
        deviations: see there.

    Example:
        >>> Confidence().half_sets is None
        True
    """

    views: ViewFits | None = None
    residual: np.ndarray | None = None
    residual_square: np.ndarray | None = None
    half_sets: FourierCorrelation | None = None
    deviations: Deviations | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimeSpent:
    """Where the time of a run went.

    Attributes:
        words: what it was spent on, in one word each.
        meanings: what each word means.
        seconds: spent on each; they sum to the run's time.
        per_step: seconds of each in a step; 0 for what is done besides the steps.
        remarks: what this rests on, one sentence each.

    Example:
        >>> TimeSpent(words=("rotate",), meanings=("the volume turned",), seconds=(2.0,), per_step=(0.1,)).remarks
        ()
    """

    words: tuple[str, ...]
    meanings: tuple[str, ...]
    seconds: tuple[float, ...]
    per_step: tuple[float, ...]
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RunResult:
    """One reconstruction, ready to be shown; what is `None` is left out of the report.

    Attributes:
        name: as it stands in legends and tables, such as "multislice".
        settings, numbers: see there.
        quantities: δ and β of a volume; phase and amplitude of an image.
        history, correlation, frames: see there.
        probe: the refined probe's modes `(mode, y, x)`, complex.
        probe_pixel: the probe's sampling, as lengths are.
        confidence, time: see there.
        link: relative path of the run's own report, for comparisons.

    Example:
        >>> settings = Settings(technique="cdi", model="projection", energy=None, voxel=1.0, shape=(4, 4), views=1,
        ...     frames=1, frame_shape=(4, 4), likelihood="Poisson")
        >>> phase = Quantity(symbol="phase", values=np.zeros((4, 4)), unit="rad")
        >>> RunResult(name="projection", settings=settings, numbers=Numbers(misfit=0.1), quantities=(phase,)).name
        'projection'
    """

    name: str
    settings: Settings
    numbers: Numbers
    quantities: tuple[Quantity, ...]
    history: History | None = None
    correlation: FourierCorrelation | None = None
    frames: Frames | None = None
    probe: np.ndarray | None = None
    probe_pixel: float | None = None
    confidence: Confidence | None = None
    time: TimeSpent | None = None
    link: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ReportContent:
    """The report of one run.

    Attributes:
        title: the page's title.
        run: the reconstruction.
        introduction: a sentence or two on what was looked at, in front of everything else; may be empty.
        provenance: versions, seed, command: (name, text) for the foot of the page.

    Example:
        >>> settings = Settings(technique="cdi", model="projection", energy=None, voxel=1.0, shape=(4, 4), views=1,
        ...     frames=1, frame_shape=(4, 4), likelihood="Poisson")
        >>> run = RunResult(name="CDI", settings=settings, numbers=Numbers(misfit=0.1), quantities=())
        >>> ReportContent(title="A star", run=run).title
        'A star'
    """

    title: str
    run: RunResult
    introduction: str = ""
    provenance: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Several reconstructions of the same data; the first is the one the others are measured against.

    Attributes:
        name: such as "Holography".
        text: what the data are; may be empty.
        runs: at least two, of the same shape and with the same truth.

    Example:
        >>> Comparison(name="Holography", runs=()).text
        ''
    """

    name: str
    runs: tuple[RunResult, ...]
    text: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonContent:
    """The report that sets several runs side by side.

    Attributes:
        title: the page's title.
        comparisons: one for each data set.
        introduction: what is compared and why, in front of everything else.
        remarks: what the numbers show, one paragraph each, added to the sentences drawn from the numbers.
        provenance: versions, seed, command: (name, text) for the foot of the page.

    Example:
        >>> ComparisonContent(title="Demo", comparisons=()).remarks
        ()
    """

    title: str
    comparisons: tuple[Comparison, ...]
    introduction: str = ""
    remarks: tuple[str, ...] = ()
    provenance: tuple[tuple[str, str], ...] = ()
