"""What only the next stage refines waits for it, with the same compiled kernels."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from tests.contracts.cases import prepared

from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate
from adorym.reconstruct._stages import problem_of
from adorym.solvers import LBFGS, FirstOrder

OBJECT, BOTH = ("object",), ("object", "geometry.position_offset")


def task(*stages: Stage) -> Task:
    model, dataset = prepared("far-field ptychography, two modes")
    return Task(dataset, model, Problem(Poisson()), stages, held_out=np.zeros(dataset.weights.shape, bool))


def test_what_waits_stays_where_it_is_and_then_moves() -> None:
    whole = task(Stage(OBJECT, LBFGS(), 3), Stage(BOTH, LBFGS(), 3))
    start = np.asarray(whole.model.geometry.position_offset)
    steps = list(iterate(whole))
    for progress in steps[:3]:
        np.testing.assert_array_equal(progress.model.geometry.position_offset, start)
    assert np.any(np.asarray(steps[-1].model.geometry.position_offset) != start)
    alone = list(iterate(task(Stage(OBJECT, LBFGS(), 3))))[-1]
    for name in ("phase", "log_amplitude"):
        got, wanted = (getattr(one.model.object.parametrization, name) for one in (steps[2], alone))
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9)


def test_nothing_is_compiled_anew_for_what_waited(caplog: pytest.LogCaptureFixture) -> None:
    whole = task(Stage(OBJECT, LBFGS(), 2), Stage(BOTH, LBFGS(), 2))
    whole.compile_ahead()
    steps = iterate(whole)
    next(steps), next(steps)
    whole.compile_after(0)
    with jax.log_compiles(), caplog.at_level("WARNING"):
        next(steps)
    large = ("_value_and_gradient", "_gauss_newton_product", "_fit", "_ahead", "_newton_length")
    assert not [line for line in caplog.messages if "Compiling" in line and any(name in line for name in large)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Stage(OBJECT, FirstOrder(), 2), Stage(BOTH, LBFGS(), 2)),
        (Stage(("geometry.position_offset",), LBFGS(), 2), Stage(BOTH, LBFGS(), 2)),  # what waits is larger
        (Stage(OBJECT, LBFGS(), 2), Stage(("geometry.position_offset",), LBFGS(), 2)),
    ],
)
def test_what_is_costly_or_of_other_steps_does_not_wait(first: Stage, second: Stage) -> None:
    model, _ = prepared("far-field ptychography, two modes")
    problem = problem_of(Problem(Poisson()), (first, second), 0, model=model)
    assert problem == dataclasses.replace(Problem(Poisson()), free=first.free)
