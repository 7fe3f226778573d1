"""3D images of thick samples from x-ray measurements, beyond the depth of focus.

    intensity = detector(transport(multislice(probe, object turned to the view)))

The names below are the ones most scripts need; they and the subpackages (`adorym.phantoms`, `adorym.metrics`, ...) are
imported when they are first used, so that `import adorym` waits for nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

__version__ = "0.1.0"

_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "adorym._core": ("AdorymError", "DataError", "JobError", "SamplingError"),
        "adorym.data": ("ArrayFrames", "Dataset", "FrameSource"),
        "adorym.waves": ("Wave",),
        "adorym.objects": ("Image", "Slices", "Volume"),
        "adorym.probes": ("Modes", "PlaneWave"),
        "adorym.geometry": ("Geometry",),
        "adorym.detectors": ("AbstractDetector", "Detector"),
        "adorym.experiment": (
            "Experiment",
            "GaussianProbe",
            "Raster",
            "cdi",
            "holography",
            "plan_holography",
            "plan_ptychography",
            "plan_tomography",
            "ptychography",
            "tomography",
        ),
        "adorym.likelihoods": ("Amplitude", "Gaussian", "Poisson"),
        "adorym.regularizers": ("L1", "ReweightedL1", "Tikhonov", "TotalVariation"),
        "adorym.constraints": ("Bounds", "Support", "non_negative"),
        "adorym.problem": ("Problem",),
        "adorym.solvers": ("ConjugateGradient", "FirstOrder", "GaussNewton", "LBFGS", "Proximal"),
        "adorym.reconstruct": ("Progress", "Stage", "Task", "iterate", "reached"),
        "adorym.io": ("export_run", "read_dataset", "read_truth", "read_volume", "write_dataset", "write_volume"),
    }
)

_HOMES: Mapping[str, str] = MappingProxyType({name: module for module, names in _NAMES.items() for name in names})

_MODULES = (
    "cli",
    "config",
    "constraints",
    "data",
    "detectors",
    "experiment",
    "geometry",
    "io",
    "likelihoods",
    "metrics",
    "fft",
    "objects",
    "phantoms",
    "physics",
    "probes",
    "problem",
    "profiling",
    "propagation",
    "reconstruct",
    "regularizers",
    "report",
    "rotation",
    "sharding",
    "simulate",
    "solvers",
    "transport",
    "waves",
)


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names."""
    return ["__version__", *sorted([*_HOMES, *_MODULES])]
