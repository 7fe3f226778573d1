"""How good a run is on its way: the fit to the data at steps that only the number of steps decides, and at the end."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from adorym._core import Batch
from adorym._core.ahead import read_ahead
from adorym.data import Dataset

if TYPE_CHECKING:
    from adorym.experiment import Experiment
    from adorym.problem import Problem
    from adorym.reconstruct import Leg, Residuals, Task

_COST = 0.05
"""Part of a run's work that looking at itself may take."""

_GRADIENT, _CURVATURE, _PRODUCT = 2.0, 2.0, 4.0
"""What a gradient, a curvature along a vector and a product with the Gauss-Newton matrix take, in units of a look at
the same frames."""

_USUAL = 40
"""Steps that a level usually has where the data decide its end."""

_MEMORY = 1 << 30

_SUMS = ("nll", "misfit", "counts", "chi_squared", "pixels")


class Evaluator:
    """Measures the fit, and the error where the truth is known.

    On the way a part of the data is looked at, the same every time, so that it costs no more than a twentieth of the
    run; at the end it is all of them.

    Args:
        task: what is run.
        evaluations: how often to look, the end included.
        error: the error of a model against the truth, if known.

    Attributes:
        residuals: what a model that was just looked at whole leaves unexplained.
    """

    def __init__(self, task: Task, evaluations: int, error: Callable[[Experiment], float] | None) -> None:
        self.task, self.error = task, error
        legs = [(task.stages[leg.stage], leg) for leg in task.legs()]
        expected = [min(leg.steps, _USUAL) if isinstance(stage.epochs, str) else leg.steps for stage, leg in legs]
        self._every = max(1.0, sum(expected) / evaluations)
        passes = sum(_passes(task, leg, steps) for (_, leg), steps in zip(legs, expected, strict=True))
        share = min(1.0, _COST * passes / min(evaluations, sum(expected)))
        held = np.zeros(task.dataset.weights.shape, bool) if task.held_out is None else task.held_out
        used = task.dataset.weights > 0
        self._everything = {"": used & ~held, "held_out_": used & held}
        solver = task.stages[0].solver
        self._sizes = solver.views_per_batch, solver.frames_per_batch
        self._samples = {name: _spread(frames, share, self._sizes) for name, frames in self._everything.items()}
        self._kept: dict[str, list[Batch]] = {}
        self._memory = min(_MEMORY, task.cache - task.feed(0).cached_bytes)
        self.residuals: Residuals | None = None

    def due(self, step: int) -> bool:
        """Whether a step is one after which to look; the number of steps alone decides."""
        return step // self._every > (step - 1) // self._every

    def look(self, model: Experiment, problem: Problem, *, whole: bool) -> dict[str, float]:
        """Misfit, reduced χ² and error, by the names they have in `metrics.jsonl`."""
        found: dict[str, float] = {}
        left = self.residuals = self._left_by(model, problem) if whole else None
        for name in self._everything:
            if left is not None:
                found |= {f"{name}{key}": value for key, value in measures(left.fit(held_out=bool(name))).items()}
                if np.array_equal(self._samples[name], self._everything[name]):
                    continue
            sample = fit_of(problem, model, self._batches(name, False))  # of a whole look, the last point of the curve
            mark = "sampled_" if whole else ""
            found |= {f"{name}{mark}{key}": value for key, value in sample.items()}
        chosen = self._everything if whole else self._samples
        found["share"] = float(chosen[""].sum() / self._everything[""].sum())
        if self.error is not None:
            begun = time.monotonic()
            found["error"] = self.error(model)
            found["compared_seconds"] = time.monotonic() - begun  # which is no part of reconstructing
        return found

    def batches(self, steps: int) -> int:
        """How many batches are computed by all looks at a run of so many steps."""

        def count(chosen: np.ndarray) -> int:
            return sum(1 for _ in _groups(chosen, self._sizes))

        sample, whole = (sum(map(count, each.values())) for each in (self._samples, self._everything))
        return (self.looks(steps) - 1) * sample + whole + count(self._everything[""])  # the last one is at everything

    def looks(self, steps: int) -> int:
        """How often a run of so many steps is looked at."""
        return 2 + int(steps // self._every)

    @property
    def kept_bytes(self) -> int:
        """What the frames that are looked at every time take in memory."""
        sizes = (self._bytes(chosen) for chosen in self._samples.values())
        return sum(size for size in sizes if size <= self._memory)

    def _bytes(self, chosen: np.ndarray) -> int:
        return 4 * int(chosen.sum()) * math.prod(self.task.dataset.frames.shape[2:])

    def unexplained(self, model: Experiment, problem: Problem) -> Residuals:
        """What the model leaves of all the data; known already where it was just looked at whole."""
        if self.residuals is None:
            self.residuals = self._left_by(model, problem)
        return self.residuals

    def _left_by(self, model: Experiment, problem: Problem) -> Residuals:
        from adorym.reconstruct import residuals

        return residuals(problem, model, self.task.feed(0))

    def misfit(self, model: Experiment, problem: Problem) -> float:
        """The misfit of a model to all the data that are fitted."""
        return fit_of(problem, model, self._batches("", True))["misfit"]

    def _batches(self, name: str, whole: bool) -> Iterable[Batch]:
        chosen = self._everything[name] if whole else self._samples[name]
        if whole and not np.array_equal(chosen, self._samples[name]):
            return self._read(chosen)
        if self._bytes(chosen) > self._memory:
            return self._read(chosen)
        if name not in self._kept:
            self._kept[name] = list(self._read(chosen))
        return self._kept[name]

    def _read(self, chosen: np.ndarray) -> Iterator[Batch]:
        return batches_of(self.task.dataset, chosen, self._sizes)


def _passes(task: Task, leg: Leg, steps: int) -> float:
    """What so many steps take, in units of a look at all frames."""
    import jax

    stage, feed = task.stages[leg.stage], task.feed(leg.stage, leg.factor)
    free, _ = dataclasses.replace(task.problem, free=stage.free).split(task.model)
    work = stage.solver.work(feed, steps, leaves=len(jax.tree.leaves(free)))
    derivatives = _GRADIENT * work.gradients + _CURVATURE * work.curvatures + _PRODUCT * work.products
    return (derivatives + work.fits) / feed.batches() / leg.factor**4


def fit_of(problem: Problem, model: Experiment, batches: Iterable[Batch]) -> dict[str, float]:
    """Misfit and reduced χ² over some batches; empty where there are none."""
    from adorym.sharding import replicate

    total, model = np.zeros(5), replicate(model)
    for batch in batches:
        total += np.array([float(value) for value in problem.fit(model, batch)])
    return measures(total)


def measures(fit: Iterable[float]) -> dict[str, float]:
    """Misfit and reduced χ² from the sums of a `Fit`; empty where there are no pixels."""
    sums = {name: float(value) for name, value in zip(_SUMS, fit, strict=True)}
    if not sums["pixels"]:
        return {}
    misfit = sums["misfit"] / sums["counts"] if sums["counts"] else math.inf
    return {"misfit": misfit, "reduced_chi2": sums["chi_squared"] / sums["pixels"]}


def batches_of(dataset: Dataset, chosen: np.ndarray, sizes: tuple[int, int]) -> Iterator[Batch]:
    """Batches of one shape that hold the chosen frames `(view, frame)` and no others."""
    shape = min(sizes[0], chosen.shape[0]), min(sizes[1], chosen.shape[1])
    yield from read_ahead(lambda parts: _batch(dataset, parts, shape), _groups(chosen, sizes))


def _groups(chosen: np.ndarray, sizes: tuple[int, int]) -> Iterator[dict[int, np.ndarray]]:
    """The views of each batch with their frames."""
    views_per_batch, frames_per_batch = (min(size, n) for size, n in zip(sizes, chosen.shape, strict=True))
    frames = {int(view): np.flatnonzero(chosen[view]) for view in np.flatnonzero(chosen.any(axis=1))}
    order = list(frames)
    for first in range(0, len(order), views_per_batch):
        group = order[first : first + views_per_batch]
        for start in range(0, max(len(frames[view]) for view in group), frames_per_batch):
            yield {view: frames[view][start : start + frames_per_batch] for view in group}


def _batch(dataset: Dataset, parts: dict[int, np.ndarray], shape: tuple[int, int]) -> Batch:
    views = np.full(shape[0], next(iter(parts)), np.int32)
    frames, weights = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    counts = np.zeros((*shape, *dataset.frames.shape[2:]), np.float32)
    for row, (view, chosen) in enumerate(parts.items()):
        views[row] = view
        if chosen.size:
            frames[row, : len(chosen)] = chosen
            weights[row, : len(chosen)] = dataset.weights[view, chosen]
            counts[row, : len(chosen)] = dataset.read(view, chosen)
    return Batch(views, frames, weights, dataset.mask.astype(np.float32), counts)


def _spread(frames: np.ndarray, share: float, sizes: tuple[int, int]) -> np.ndarray:
    """An even choice of about a share of the frames `(view, frame)`: whole views where there are several.

    No more than fill whole batches of the `sizes`, where it fills one: what is short of a batch takes as long as one.
    """
    if frames.shape[0] == 1 < frames.shape[1]:
        return _spread(frames.T, share, (sizes[1], sizes[0])).T
    views = np.flatnonzero(frames.any(axis=1))
    count = math.ceil(share * len(views))
    if sizes[0] < count < len(views):
        count -= count % sizes[0]
    kept = np.zeros_like(frames)
    if count:
        chosen = views[np.linspace(0, len(views) - 1, count).round().astype(int)]
        kept[chosen] = frames[chosen]
    return kept
