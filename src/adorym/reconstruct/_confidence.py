"""How far an estimate may be off: deviations from the curvature of the objective, and errors foreseen for a plan.

Near its minimum the objective is a quadratic form with the matrix F + R: F = JᵀFJ, the Fisher information of the
frames, and R, the regularisers' curvature. Two questions have two answers:

- scatter: by how much would the estimate change if the same measurement were made again? Its covariance is
  (F+R)⁻¹ F (F+R)⁻¹. What the regularisers keep from moving does not scatter, right or wrong.
- posterior: how far is the truth from the estimate, if the regularisers describe what truths there are? Its covariance
  is (F+R)⁻¹, larger by the part that the regularisers decided and not the data.

Both hold for small deviations, for noise as the likelihood has it (a reduced χ² of 1), and for the elements that no
constraint holds at its bound. For total variation and L1, R is the curvature of the parabola that touches the penalty.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import PyTree

from adorym._core import DataError
from adorym.data import Feed
from adorym.problem import Problem
from adorym.reconstruct._hessian import Effort, Hessian, Solution, hessian
from adorym.reconstruct._leaf import Leaf
from adorym.solvers import dot

Kind = Literal["posterior", "scatter"]


@dataclasses.dataclass(frozen=True, eq=False)
class Region:
    """A weighted sum over one leaf, such as the mean of some voxels.

    Attributes:
        where: path of the leaf, such as "object.delta".
        weights: of its elements; `(z, y, x)` for a volume.

    Example:
        >>> Region.mean("object.delta", np.arange(4) < 2).weights.tolist()
        [0.5, 0.5, 0.0, 0.0]
    """

    where: str
    weights: np.ndarray

    @classmethod
    def mean(cls, where: str, mask: np.ndarray) -> Region:
        """The mean over the elements where a mask is true; a single one for a single voxel."""
        count = np.count_nonzero(mask)
        if not count:
            raise DataError(f"The region of {where} is empty: give a mask that is true somewhere.")
        return cls(where, (mask != 0) / count)


class Deviation(NamedTuple):
    """A standard deviation.

    Attributes:
        value: in the leaf's unit; 0 where a constraint holds the region, infinite where nothing else does.
        settled: whether it came to rest; if not, it is a lower bound.

    Example:
        >>> Deviation(1e-6, True).settled
        True
    """

    value: float
    settled: bool


class DeviationMap(NamedTuple):
    """An estimate of the standard deviations of a leaf, as far as it has got.

    Attributes:
        done: right-hand sides solved.
        total: right-hand sides there will be.
        deviation: in the leaf's unit and shape, `(z, y, x)` for a volume; not-a-number where it is not asked for or not
            known yet, 0 where a constraint holds the element, infinite where nothing does.
        settled: whether every solution came to rest; if not, values tend to be too small.

    Example:
        >>> DeviationMap(1, 16, np.ones((4, 4)), True).done
        1
    """

    done: int
    total: int
    deviation: np.ndarray
    settled: bool


class PredictedError(NamedTuple):
    """What a planned experiment will leave open.

    Attributes:
        photons: as the plan counts them, `(n,)`.
        error: root mean square error of the elements, in the leaf's unit, `(n,)`.
        settled: whether all of them came to rest; if not, they are lower bounds.

    Example:
        >>> PredictedError(np.array([1e3]), np.array([1e-6]), True).photons.tolist()
        [1000.0]
    """

    photons: np.ndarray
    error: np.ndarray
    settled: bool


def deviation(
    problem: Problem,
    model: PyTree,
    feed: Feed,
    *,
    regions: Sequence[Region],
    kind: Kind = "posterior",
    effort: Effort = Effort(tolerance=1e-3),  # noqa: B008
) -> tuple[Deviation, ...]:
    """Standard deviations of regions: √(eᵀ(F+R)⁻¹e) or, as scatter, √(eᵀ(F+R)⁻¹F(F+R)⁻¹e).

    Each takes one solution by conjugate gradients, each iteration of which is a pass over the data.

    Args:
        problem: what was solved; other free leaves, such as the probe, widen the deviations of the object.
        model: the estimate, an `Experiment`.
        feed: the frames that were fitted.
        regions: weighted sums over a leaf.
        kind: "posterior" or "scatter"; see this module's beginning.
        effort: what it may cost; `probes` has no meaning here.

    Raises:
        JobError: a region's leaf is not free.
        DataError: a region's shape is not its leaf's.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.regularizers import Tikhonov
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=1e4)
        >>> prior = Tikhonov("object.delta", weight=1.0, scale=1e-4)  # deviations of 1e-4 before the measurement
        >>> problem = Problem(Poisson(), free=("object.delta",), regularizers=(prior,))
        >>> region = Region.mean("object.delta", np.ones((8, 8, 8), bool))
        >>> feed = Feed(plan, views_per_batch=2, frames_per_batch=1)
        >>> (found,) = deviation(problem, holography(plan), feed, regions=[region])
        >>> 0 < found.value < 1e-4
        True
    """
    leaves = [Leaf.of(problem, model, region.where) for region in regions]
    right_sides = [leaf.put(region.weights) for leaf, region in zip(leaves, regions, strict=True)]
    known = hessian(problem, model, feed, seed=effort.seed)
    found = []
    for leaf, right in zip(leaves, right_sides, strict=True):
        if np.any(leaf.take(known.unseen) & (leaf.take(right) != 0)):
            found.append(Deviation(math.inf, True))
            continue
        solution = known.solve(right, effort)
        found.append(Deviation(math.sqrt(_variance(known, solution, kind)), solution.settled))
    return tuple(found)


def deviation_map(
    problem: Problem,
    model: PyTree,
    feed: Feed,
    *,
    where: str,
    kind: Kind = "posterior",
    within: np.ndarray | None = None,
    effort: Effort = Effort(),  # noqa: B008
) -> Iterator[DeviationMap]:
    """Standard deviations of all elements of a leaf, better with each of `effort.probes` solutions.

    A posterior's variances are found by random signs on lattices, each element far from others of its lattice, so that
    those disturb it little (Hutchinson's estimate, with the probing of Tang & Saad, Numer. Linear Algebra 19, 485
    (2012)); elements that are asked for are more exact the fewer they are. The scatter is that of solutions for drawn
    noise; n of them give it to one part in √(2n).

    Args:
        problem: what was solved.
        model: the estimate, an `Experiment`.
        feed: the frames that were fitted.
        where: path of the leaf.
        kind: "posterior" or "scatter"; see this module's beginning.
        within: True for the elements to ask for, of the leaf's shape, `(z, y, x)` for a volume.
        effort: what it may cost.

    Yields:
        the map as it stands after each solution; the last is the best.

    Raises:
        JobError: the leaf is not free.
        DataError: the shape of `within` is not the leaf's.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.regularizers import Tikhonov
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=1e4)
        >>> prior = Tikhonov("object.delta", weight=1.0, scale=1e-4)  # deviations of 1e-4 before the measurement
        >>> problem = Problem(Poisson(), free=("object.delta",), regularizers=(prior,))
        >>> feed = Feed(plan, views_per_batch=2, frames_per_batch=1)
        >>> *_, last = deviation_map(problem, holography(plan), feed, where="object.delta", effort=Effort(probes=8))
        >>> last.deviation.shape, bool(np.all(last.deviation < 1.1e-4))
        ((8, 8, 8), True)
    """
    leaf = Leaf.of(problem, model, where)
    wanted = leaf.chosen(within)
    known = hessian(problem, model, feed, seed=effort.seed)
    unseen = leaf.take(known.unseen) & wanted
    squares, counts, settled = np.zeros(leaf.shape), np.zeros(leaf.shape), True
    right_sides = _noises(known, effort) if kind == "scatter" else _lattices(leaf, wanted, effort)
    for done, (right, signs) in enumerate(right_sides, start=1):
        solution = known.solve(right, effort)
        settled &= solution.settled
        x = leaf.take(solution.x)
        squares += x**2 if signs is None else signs * x
        counts += 1 if signs is None else signs != 0
        with np.errstate(invalid="ignore", divide="ignore"):
            deviations = np.sqrt(np.maximum(squares / np.where(wanted, counts, np.nan), 0))
        yield DeviationMap(done, effort.probes, np.where(unseen, np.inf, deviations), settled)


def predicted_error(
    problem: Problem,
    model: PyTree,
    feed: Feed,
    *,
    photons: Sequence[float | int],
    where: str = "object.delta",
    within: np.ndarray | None = None,
    kind: Kind = "posterior",
    effort: Effort = Effort(probes=4),  # noqa: B008
) -> PredictedError:
    """The root mean square error to be expected of a planned experiment, for several numbers of photons.

    The Fisher information grows in proportion to the photons, the regularisers' curvature stays; the error is the root
    of the mean diagonal of the posterior, or of the scatter alone, found with random signs. Constraints count only
    where they leave an element no choice (a support).

    Args:
        problem: what will be solved. Its regularisers say what is known beforehand: without them, whatever the frames
            leave undetermined has no bound.
        model: the plan's experiment with a sample such as is expected.
        feed: of the plan; frames need not exist.
        photons: numbers to try, counted as in `dataset.photons`.
        where: path of the leaf.
        within: True for the elements whose error counts, of the leaf's shape, `(z, y, x)` for a volume.
        kind: "posterior" for the whole error, "scatter" for the part that is noise.
        effort: what it may cost.

    Raises:
        JobError: the leaf is not free.
        DataError: the shape of `within` is not the leaf's, or the plan does not say its photons.

    Example:
        >>> from adorym.experiment import holography, plan_holography
        >>> from adorym.likelihoods import Poisson
        >>> from adorym.regularizers import Tikhonov
        >>> plan = plan_holography((8, 8), pixel=2e-9, energy=1e3, distances=(1e-7,), views=2, photons=1e4)
        >>> prior = Tikhonov("object.delta", weight=1.0, scale=1e-4)  # deviations of 1e-4 before the measurement
        >>> problem = Problem(Poisson(), free=("object.delta",), regularizers=(prior,))
        >>> feed = Feed(plan, views_per_batch=2, frames_per_batch=1)
        >>> few, many = predicted_error(problem, holography(plan), feed, photons=(1e2, 1e6)).error
        >>> bool(1e-4 > few > many)
        True
    """
    planned, leaf = feed.dataset.photons, Leaf.of(problem, model, where)
    if planned is None:
        raise DataError(
            f"{feed.dataset.source} does not say its photons: give Dataset.photons, to which others relate."
        )
    wanted = leaf.chosen(within)
    errors, settled = [], True
    for number in photons:
        known = hessian(problem, model, feed, seed=effort.seed, planned=True, strength=number / planned)
        solutions = [known.solve(right, effort) for right, _ in _lattices(leaf, wanted, effort, stride=1)]
        total = np.mean([_variance(known, solution, kind) for solution in solutions])
        unseen = bool(np.any(leaf.take(known.unseen) & wanted))
        errors.append(math.inf if unseen else math.sqrt(total / np.count_nonzero(wanted)))
        settled &= all(solution.settled for solution in solutions)
    return PredictedError(np.asarray(photons, float), np.asarray(errors), settled)


def _variance(known: Hessian, solution: Solution, kind: Kind) -> float:
    if kind == "posterior" or math.isinf(solution.value):
        return solution.value
    return max(0.0, float(dot(solution.x, known.fisher(solution.x))))


def _noises(known: Hessian, effort: Effort) -> Iterator[tuple[PyTree, None]]:
    for draw in range(effort.probes):
        yield known.noise((effort.seed, 1, draw)), None


def _lattices(
    leaf: Leaf, wanted: np.ndarray, effort: Effort, *, stride: int = 0
) -> Iterator[tuple[PyTree, np.ndarray]]:
    """Random signs on one lattice after the other; together the lattices hold every wanted element.

    Of each axis along which there are several elements a lattice has every `stride`-th, as many as there are probes
    for where that is 0.
    """
    spans = [np.ptp(places) for places in np.nonzero(wanted)] if wanted.any() else []
    axes = [axis for axis, span in enumerate(spans) if span]
    stride = stride or max(1, int(effort.probes ** (1 / max(len(axes), 1)) + 1e-9))
    shifts = itertools.cycle(itertools.product(range(stride), repeat=len(axes)))
    places = np.indices(wanted.shape)
    for probe, shift in zip(range(effort.probes), shifts, strict=False):
        chosen = wanted.copy()
        for axis, offset in zip(axes, shift, strict=True):
            chosen &= places[axis] % stride == offset
        signs = np.random.default_rng([effort.seed, probe]).choice([-1.0, 1.0], wanted.shape) * chosen
        yield leaf.put(signs), signs
