"""The sections of a job and the constructors each may name: the library's own registries, gathered in one place."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from adorym._core import JobError
from adorym.config._resolve import Registries, Section


def data(*, file: Path) -> None:
    """A measurement that lies in a file.

    Args:
        file: the file, a folder, or a pattern such as "scan/*.tif".
    """


def chain(*, backward: Literal["auto", "stored", "segments", "reversible"] = "auto", frames_together: int = 0) -> None:
    """How waves go through the slabs.

    Args:
        backward: what the backward pass keeps of the forward one: "stored" the wave at every slab; half as slow again,
            "segments" those at √S of S slabs, and "reversible" the exit wave alone; "auto" takes the fastest that is
            accurate and for which there is `memory`.
        frames_together: frames of a scanned view that go through the slabs at a time, at the most, forward and back:
            there has to be memory for their waves. With 0 as many as are fastest, or "auto" decides it with `backward`.
    """


def stage(
    *,
    free: tuple[str, ...] = (),
    epochs: int | Literal["auto"] = "auto",
    binning: tuple[int, ...] = (),
) -> None:
    """A part of the reconstruction.

    Args:
        free: which parts of the model are refined, such as ["object", "probe"] or ["object.delta"]. Left out, the
            sample, with the probe in ptychography of an image; of a sample whose β is tied to δ, δ alone.
        epochs: how many steps there are, or with first-order steps how often they go through the data. "auto" ends
            when held-out frames gain no more, after 300 steps at the latest; a number is the most where a weight is
            left to the data, and first-order steps need one.
        binning: by how much larger pixels and voxels are than those of the data: [4] for a quick look, [4, 2, 1] from
            coarse to fine. Left out, [1]; in a first stage of large holograms whose end the data decide, factors of 2
            to 8 that divide both sides of the frames and leave 64 pixels come first.
    """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What a run leaves behind, and how often it looks at itself.

    Attributes:
        title: of the report.
        truth: the true object (HDF5 with delta and beta), where it is known.
        held_out: every how many-th view (of a single view: frame) is kept back from the fit, to test the prediction
            on; 0 keeps none, and every weight needs a number. "auto" keeps about eight, a tenth at most, where
            something is left for the data to decide.
        evaluations: how often the fit to the data is measured on the way, by a part of them; where the data decide
            the end, in 40 steps of it.
        checkpoint_seconds: least time between two checkpoints, longer where writing one takes more than a twentieth of
            it; 0 for one at every step.
        frames: number of measured frames that are kept with their predictions.
        half_sets: whether the report compares reconstructions from half of the data each; takes about as long again.
        deviation: standard deviations of the result in the report: "posterior", how far the truth may be, given the
            regularisers; "scatter", what another measurement would change. Many passes over the data.

    Example:
        >>> Output(held_out=5).evaluations
        20
    """

    title: str = ""
    truth: Path | None = None
    held_out: int | Literal["auto"] = "auto"
    evaluations: int = 20
    checkpoint_seconds: float = 30.0
    frames: int = 3
    half_sets: bool = False
    deviation: Literal["none", "posterior", "scatter"] = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.held_out, str) and (self.held_out < 0 or self.held_out == 1):
            raise JobError(f"output.held_out is {self.held_out}: give 0, or 2 and more to keep every n-th view back.")
        if not self.checkpoint_seconds >= 0:
            raise JobError(f"output.checkpoint_seconds is {self.checkpoint_seconds}: give 0 or more.")
        for name in ("evaluations", "frames"):
            if getattr(self, name) < 1:
                raise JobError(f"output.{name} is {getattr(self, name)}: give 1 or more.")


_PREFERRED = (
    "What is preferred among objects that fit alike. Left out, it is total variation of the object with a weight that "
    "the data decide, if the last stage leaves its end to them, too, and there are more than ten views (frames, of a "
    "single view); else there is none, so that a stage with a number of `epochs` wants a regularizer with it. `where` "
    'is a part of the model such as "object.delta"; `weight` is in nats per unit of the penalty; `scale` is the size '
    "of a typical value, for every leaf; left out, it follows from the sample."
)


def registries() -> Registries:
    """All sections of a job. Imports the library, JAX with it, which takes about a second.

    Example:
        >>> list(registries()["likelihood"].kinds)
        ['poisson', 'gaussian', 'amplitude']
    """
    from adorym.constraints import CONSTRAINTS
    from adorym.experiment import EXPERIMENTS
    from adorym.likelihoods import LIKELIHOODS
    from adorym.regularizers import REGULARIZERS
    from adorym.solvers import SOLVERS

    return {
        "data": data_section(),
        **_simulation_sections(),
        "experiment": Section(
            kinds=EXPERIMENTS,
            common=chain,
            given=("dataset",),
            about="How the measurement is modelled. Left out, the kind is that of the data.",
        ),
        "likelihood": Section(
            kinds=LIKELIHOODS,
            about=(
                "The noise. Left out, it is poisson, and amplitude for ptychography and CDI. Of a volume scanned with "
                "so few photons that a pixel counts less than 100 on average it is poisson with dark_counts = 0.01: "
                "the root of a photon now and then is biased."
            ),
        ),
        "regularizers": Section(
            kinds=REGULARIZERS,
            many=True,
            about=_PREFERRED,
        ),
        "constraints": Section(
            kinds=CONSTRAINTS,
            many=True,
            about=(
                "What always holds. Left out, δ and β of a volume in SI units are kept at or above zero; "
                "`constraints = []` before the first table keeps none."
            ),
        ),
        "stages": Section(
            kinds=SOLVERS,
            common=stage,
            selector="solver",
            default="l-bfgs",
            many=True,
            about=(
                "What is refined, by which solver, for how long. Left out, it is one stage of l-bfgs whose end the "
                "data decide; before it, for an image scanned by a known probe, 18 steps with the probe as it is; "
                "for CDI 500 epochs of first-order steps."
            ),
        ),
        "output": Section(common=Output, absent="fill"),
    }


def data_section() -> Section:
    """The section of measured data, which needs no JAX.

    Example:
        >>> data_section().selector
        'format'
    """
    from adorym.io import FORMATS, Overrides

    return Section(
        kinds={name: one.read for name, one in FORMATS.items()},
        common=(data, Overrides),
        selector="format",
        given=("path", "overrides"),
        about=(
            "The measurement, and what its file lacks or says wrongly. Left out, the format is found by looking into "
            "the file. File paths are relative to the job."
        ),
    )


def _simulation_sections() -> dict[str, Section]:
    """A sample and a scan to simulate."""
    from adorym.experiment import plan_holography, plan_ptychography, plan_tomography
    from adorym.phantoms import PHANTOMS
    from adorym.simulate import simulate

    return {
        "phantom": Section(
            kinds=PHANTOMS,
            about=(
                "A sample to simulate, instead of [data]. `size` and `voxel` are those of the reconstruction; the "
                "simulation's are finer by `simulate.refine`."
            ),
        ),
        "scan": Section(
            kinds={"holography": plan_holography, "ptychography": plan_ptychography, "tomography": plan_tomography},
            given=("shape", "field", "pixel", "energy"),
            about="How the phantom is measured. Field, pixel and energy are the phantom's.",
        ),
        "simulate": Section(
            common=simulate,
            given=("plan", "delta", "beta", "advance"),
            about="How the measurement of the phantom is computed.",
        ),
    }
