"""What only the next stage refines waits for it, with the same compiled kernels."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
import pytest
from tests.contracts.cases import prepared

from adorym.likelihoods import AbstractLikelihood, Amplitude, Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate
from adorym.reconstruct._stages import problem_of
from adorym.solvers import LBFGS, FirstOrder

OBJECT, BOTH = ("object",), ("object", "geometry.position_offset")


def task(*stages: Stage, likelihood: AbstractLikelihood | None = None) -> Task:
    model, dataset = prepared("far-field ptychography, two modes")
    return Task(
        dataset, model, Problem(likelihood or Poisson()), stages, held_out=np.zeros(dataset.weights.shape, bool)
    )


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


def test_nothing_is_compiled_anew_for_what_waited() -> None:
    new = Amplitude(0.123)  # to no other test
    whole = task(Stage(OBJECT, LBFGS(), 2), Stage(BOTH, LBFGS(), 2), likelihood=new)
    whole.compile_ahead()
    steps, known = iterate(whole), set()
    jax.monitoring.register_event_duration_secs_listener(lambda name, _, **told: known.add(_kernel(name, told)))
    next(steps), next(steps)
    known.clear()
    whole.compile_after(0)
    next(steps)
    assert not known - {""}


def _kernel(name: str, told: dict[str, Any]) -> str:
    """The function whose compilation an event tells of."""
    return str(told.get("fun_name", name)) if name.endswith("backend_compile_duration") else ""


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
