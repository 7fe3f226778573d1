"""Coarse to fine: a stage's work on grids coarser than the data's, each level starting from the one before.

What is coarse shows in few pixels, few voxels and few views, and is found there for a fraction of the time (multigrid;
Nash, Optimization Methods and Software 14, 99 (2000)). A level changes what was there before by what it found: detail
finer than its grid is kept. Where a coarse model does not explain the coarse frames, its errors end up in what it
finds, and stay: then a level begins where the one before began.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp

from adorym._core.resampling import spread
from adorym.experiment import Experiment
from adorym.problem import Problem

LEAST_VIEWS = 16
"""Views that a coarser level keeps."""


class Leg(NamedTuple):
    """A part of a reconstruction: one stage at one binning.

    Attributes:
        stage: index of the stage.
        factor: by how much larger its pixels and voxels are than those of the data.
        steps: how many steps it has, at most.

    Example:
        >>> Leg(0, 2, 300).factor
        2
    """

    stage: int
    factor: int
    steps: int


class Level(NamedTuple):
    """Where a model stands that is refined on a coarser grid.

    Attributes:
        leg: index of the leg.
        first: steps that were done before it.
        factor: its binning.
        before: what the solver before it left, if there was one.
        base: the model at full resolution when the leg began.
        model: the model on the leg's own grid.

    Example:
        >>> Level._fields[:3]
        ('leg', 'first', 'factor')
    """

    leg: int
    first: int
    factor: int
    before: tuple[float, float] | None
    base: Experiment
    model: Experiment

    @classmethod
    def begun(
        cls, leg: int, first: int, *, factor: int, base: Experiment, before: tuple[float, float] | None = None
    ) -> Level:
        """A leg before its first step."""
        return cls(leg, first, factor, before, base, base if factor == 1 else _binned(base, factor))

    def moved(self, model: Experiment) -> Level:
        """The leg after a step to another model; where its grid is the full one, nothing else is kept."""
        return self._replace(model=model, base=model if self.factor == 1 else self.base)

    def whole(self, problem: Problem) -> Experiment:
        """The model at full resolution: what changed on the coarser grid is added to what was there."""
        if self.factor == 1:
            return self.model
        params, frozen = problem.split(_merged(self.base, self.model, self.factor))
        return eqx.combine(problem.project(params), eqx.combine(problem.split(self.base)[1], frozen))


@eqx.filter_jit
def _binned(model: Experiment, factor: int) -> Experiment:
    return model.binned(factor)


@eqx.filter_jit
def _merged(base: Experiment, coarse: Experiment, factor: int) -> Experiment:
    change = jax.tree.map(jnp.subtract, coarse, base.binned(factor))
    return jax.tree.map(jnp.add, base, spread(lambda model: model.binned(factor), base, change))
