"""What a job takes where it does not say: kinds by technique, stages, constraints."""

from __future__ import annotations

from typing import Any

import numpy as np

from adorym._core.choice import spread
from adorym.data import Dataset, held_out_frames

_DIM = 100.0
"""Counts of a pixel, on average, below which frames are dim."""

_COARSER = (8, 4, 2)
"""By how much larger pixels and voxels may be on the way to the finest."""

_BEFORE_PROBE = 18
"""Steps that an image takes, three looks at frames kept back, before a known illumination is refined as well."""

_LEAST_PIXELS = 64
"""Along each side of a frame, that the coarsest level keeps."""


def is_volume(dataset: Dataset) -> bool:
    """Whether the object is a volume: several angles, or a technique that is about volumes."""
    if dataset.technique == "cdi":
        return False
    return dataset.technique != "ptychography" or len(np.unique(dataset.angles)) > 1


def filled(tables: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """The job's tables with the sections that depend on the data."""
    tables = dict(tables)
    tables["experiment"] = {"kind": dataset.technique, **tables.get("experiment", {})}
    tables["likelihood"] = _likelihood(dataset, tables["experiment"]["kind"], tables.get("likelihood", {}))
    constraints = default_constraints(dataset, tables["experiment"])
    if constraints:
        tables.setdefault("constraints", constraints)
    usual = default_stages(dataset, tables["experiment"])
    told = tables.get("stages", usual)
    stages = [{"free": usual[-1]["free"], "binning": [1], **one} for one in told]
    judged = tables.get("output", {}).get("held_out", "auto") != 0 and held_out_frames(dataset) is not None
    if stages and "binning" not in told[0] and judged and _ends_itself(stages[0]) and _of_object(stages[0]):
        stages[0]["binning"] = default_levels(dataset)
    tables["stages"] = stages
    last = tables["stages"][-1] if tables["stages"] else {}
    if _ends_itself(last) and judged:
        tables.setdefault("regularizers", _penalties(dataset, tables["experiment"], free=last["free"]))
    return tables


def _penalties(dataset: Dataset, experiment: dict[str, Any], *, free: list[str]) -> list[dict[str, Any]]:
    """Total variation, of δ and β together where a border of the one tells where the other's is.

    A hologram at one distance confuses them. Holograms at several tell them apart, and then each has a weight of its
    own: with one for both, noise in β enters long before all of δ's detail does.
    """
    told_apart = dataset.technique == "holography" and len(np.unique(dataset.distances)) > 1
    both = told_apart and experiment.get("parametrization", _usual(experiment)) == "delta beta" and "object" in free
    where = ("object.delta", "object.beta") if both else ("object",)
    return [{"kind": "total variation", "where": path, "weight": "auto"} for path in where]


def _ends_itself(stage: dict[str, Any]) -> bool:
    """Whether the data decide the end of a stage."""
    return stage.get("solver") != "first order" and stage.get("epochs", "auto") == "auto"


def _of_object(stage: dict[str, Any]) -> bool:
    """Whether a stage refines the sample."""
    return any(str(path).split(".")[0] == "object" for path in stage["free"])


def _likelihood(dataset: Dataset, technique: str, told: dict[str, Any]) -> dict[str, Any]:
    """The noise of counts; of scattered light that of their roots, which errs less where the model does.

    Roots of a photon now and then are not what they should be on average, though: the root of an intensity far below
    1 would come out as the intensity itself. Where frames are so dim that most of what they say is said like that, and
    views are many enough for a volume, it is the noise of counts again, with next to nothing added to them.
    """
    if "kind" in told or technique not in ("ptychography", "cdi"):
        return {"kind": "poisson", **told}
    if told or not is_volume(dataset) or _mean_counts(dataset) >= _DIM:
        return {"kind": "amplitude", **told}
    return {"kind": "poisson", "dark_counts": 0.01}


def _mean_counts(dataset: Dataset) -> float:
    """Counts of a measured pixel, on average over frames; by a few of them where nobody told."""
    if dataset.photons is not None and dataset.regime == "far field":
        return dataset.photons / np.count_nonzero(dataset.mask)
    return float(np.mean(_glimpse(dataset, views=4, frames=16), dtype=np.float64))


def _glimpse(dataset: Dataset, *, views: int, frames: int) -> np.ndarray:
    """Measured pixels `(frame, pixel)` of some views, and of some frames of each; of none that are rejected."""
    chosen = spread(np.flatnonzero(dataset.weights.any(axis=1)), views)
    each = (dataset.read(int(view), spread(np.flatnonzero(dataset.weights[view]), frames)) for view in chosen)
    return np.concatenate([images[:, dataset.mask] for images in each])


def default_stages(dataset: Dataset, experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Stages that suit the technique; what they leave open the data decide.

    A known illumination of an image stays as it is until there is something of the sample to be seen: what data do not
    tell, where both lie and how bright each is, would drift while they are far from explained. Several slices would
    take up what is wrong with it, and have to give that back.
    """
    if dataset.technique == "cdi":
        return [{"solver": "first order", "free": ["object"], "epochs": 500}]
    if dataset.technique == "ptychography" and not is_volume(dataset):
        both = _open(["object", "probe"])
        waits = dataset.probe is not None and experiment.get("slices", 1) == 1
        return [{**both, "free": ["object"], "epochs": _BEFORE_PROBE}, both] if waits else [both]
    if dataset.technique == "ptychography":
        return [_open(["object"])]
    fixed = experiment.get("parametrization", _usual(experiment)) == "fixed ratio"
    return [_open(["object.delta" if fixed else "object"])]


def default_levels(dataset: Dataset) -> list[int]:
    """From coarse to fine, as a stage's `binning`: where a volume is so large that a coarse one costs next to nothing.

    Of holograms; frames in focus have a start already, and of a scan only the middles of the frames would be left.
    """
    if dataset.technique != "holography" or dataset.probe is not None:  # an illumination on a grid of its own
        return [1]
    sides, mask = dataset.frames.shape[2:], dataset.mask
    fine = [f for f in _COARSER if all(n % f == 0 and n // f >= _LEAST_PIXELS for n in sides)]
    return [*(f for f in fine if 2 * _measured(mask, f) >= np.mean(mask)), 1]


def _measured(mask: np.ndarray, factor: int) -> float:
    """How much of a frame is left where every pixel of a square has to be measured."""
    (ny, nx), f = mask.shape, factor
    return float(np.mean(mask.reshape(ny // f, f, nx // f, f).all(axis=(1, 3))))


def _usual(experiment: dict[str, Any]) -> str:
    """The parametrisation of a volume that the job does not choose."""
    return "fixed ratio" if experiment["kind"] == "tomography" else "delta beta"


def _open(free: list[str]) -> dict[str, Any]:
    return {"solver": "l-bfgs", "free": free, "epochs": "auto"}


def default_constraints(dataset: Dataset, experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Matter in vacuum or air has δ, β >= 0."""
    if dataset.pixel_units or not is_volume(dataset):
        return []
    leaves = {"delta beta": ("delta", "beta"), "fixed ratio": ("delta",)}
    kept = leaves.get(experiment.get("parametrization", _usual(experiment)), ())
    return [{"kind": "non-negative", "where": f"object.{leaf}"} for leaf in kept]


def guessed_photons(dataset: Dataset) -> float | None:
    """Photons of an incident plane wave that nobody told: the middle of what a mostly empty field shows."""
    lit = dataset.probe is not None or dataset.flat is not None or dataset.positions is not None
    if dataset.photons is not None or lit:
        return None
    pixels = _glimpse(dataset, views=8, frames=dataset.frames.shape[1])
    return float(np.mean(pixels, dtype=np.float64) if dataset.regime == "far field" else np.median(pixels))
