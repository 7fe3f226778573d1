"""What every solver is: a state and a step."""

from __future__ import annotations

import abc
import dataclasses
import math
import operator
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
from jaxtyping import PyTree

from adorym.data import Feed
from adorym.problem import Call, Problem


class Moment(NamedTuple):
    """Where in its stage a solver stands; all randomness follows from it.

    Attributes:
        step: number of steps done before this one.
        steps: number of steps the stage has.
        seed: of the order in which data are served.

    Example:
        >>> Moment(5, 10, 0).step
        5
    """

    step: int
    steps: int
    seed: int


class Info(NamedTuple):
    """What a step tells.

    Attributes:
        value: objective in nats, scaled to all data.
        note: what the solver did, in a few words.
        refused: whether no way down was found, or after trials one that rounding hides.
        every: every how many-th view it saw.

    Example:
        >>> Info(1.0, "accepted").note
        'accepted'
    """

    value: float
    note: str
    refused: bool = False
    every: int = 1


@dataclasses.dataclass(frozen=True)
class Work:
    """How many batches a solver computes, by what it asks of them.

    Attributes:
        gradients: of value and gradient.
        curvatures: of the second derivative along one vector.
        products: of products with the Gauss-Newton matrix.
        fits: of values alone.

    Example:
        >>> Work(3, 1) - Work(1)
        Work(gradients=2, curvatures=1, products=0, fits=0)
    """

    gradients: int = 0
    curvatures: int = 0
    products: int = 0
    fits: int = 0

    def __add__(self, other: Work) -> Work:
        return self._with(other, operator.add)

    def __sub__(self, other: Work) -> Work:
        return self._with(other, operator.sub)

    def _with(self, other: Work, joined: Callable[[int, int], int]) -> Work:
        return Work(*map(joined, dataclasses.astuple(self), dataclasses.astuple(other)))


class AbstractSolver(eqx.Module):
    """Moves the free leaves of a model towards a better fit.

    A state is a tree of arrays, so that it can be saved; nothing else is remembered between steps.

    Example:
        >>> from adorym.solvers import GaussNewton
        >>> issubclass(GaussNewton, AbstractSolver)
        True
    """

    views_per_batch: eqx.AbstractVar[int]
    frames_per_batch: eqx.AbstractVar[int]

    @property
    @abc.abstractmethod
    def sweeps(self) -> bool:
        """Whether one step goes over all data, rather than one batch."""

    @abc.abstractmethod
    def blank(self, problem: Problem, model: PyTree) -> PyTree:
        """A state of the right shape that has seen no data: what a saved one is read into."""

    @abc.abstractmethod
    def init(self, problem: Problem, model: PyTree, feed: Feed, *, seed: int) -> PyTree:
        """The state before the first step; may look at the data to scale the unknowns."""

    @abc.abstractmethod
    def step(
        self, problem: Problem, model: PyTree, state: PyTree, *, feed: Feed, moment: Moment
    ) -> tuple[PyTree, PyTree, Info]:
        """One step: the better model, the next state, and what happened."""

    @abc.abstractmethod
    def steps_per_epoch(self, feed: Feed) -> int:
        """How many steps see the data once."""

    def work(self, feed: Feed, steps: int, *, leaves: int) -> Work:
        """About what so many steps on `leaves` free leaves take, `init` included.

        By default what most solvers do: a gradient for every step, after a gradient, the curvature of every leaf and
        that along the first step.
        """
        return Work(gradients=(steps + 1) * feed.batches(), curvatures=(leaves + 1) * feed.sample().batches())

    def parts(self, feed: Feed) -> tuple[tuple[int, int], ...]:
        """Every how many-th view the first steps see, for how many steps, one after the other; later ones see all."""
        return ()

    @property
    def products(self) -> bool:
        """Whether steps need products with the Gauss-Newton matrix, beside the curvature along a vector."""
        return False

    def rewritten(self, state: PyTree) -> PyTree:
        """What of a state a step writes anew, beside the state before it; the rest is handed on."""
        return state

    def kernels(self, problem: Problem, model: PyTree) -> list[Call]:
        """Kernels of its own that take long to compile, with what they will be called with."""
        return []

    def posed(self, problem: Problem, state: PyTree) -> Problem:
        """The problem with what the solver has decided in it."""
        return problem

    def left(self, state: PyTree) -> tuple[float, float]:
        """What of the last state matters to what follows: an open weight as found, and what the noise's own is.

        Not a number where weights were not judged.
        """
        return math.nan, math.nan

    def following(self, left: tuple[float, float]) -> AbstractSolver:
        """This solver as it goes on from where another has ended, with what that `left`."""
        return self

    def roughly(self) -> AbstractSolver:
        """This solver where its result is but a start, for which nearly right is enough."""
        return self

    def explains(self, state: PyTree) -> bool:
        """Whether data are explained well enough for what was found to be a start; told by what judges itself."""
        return True

    def finished(self, state: PyTree) -> bool:
        """Whether nothing more is to be gained, so that a stage may end before its last step."""
        return False

    def moved(self, state: PyTree, change: tuple[PyTree, PyTree]) -> PyTree:
        """The state after the objective and its gradient changed by so much where the model stands.

        Nothing is left of the change.
        """
        return state

    def renewed(self, problem: Problem, model: PyTree, state: PyTree, *, feed: Feed) -> PyTree:
        """The state where the model stands, for other data."""
        return state

    def anew(self, problem: Problem, model: PyTree, state: PyTree, *, feed: Feed) -> PyTree:
        """The state where the model stands, without what steps on the way to another place taught; scales are kept.

        What takes a pass over the data is better left to the next step: until then the state before is held as well.
        """
        return self.renewed(problem, model, state, feed=feed)
