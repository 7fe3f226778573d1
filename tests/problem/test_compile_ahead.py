"""What is compiled ahead is what is called later."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

import jax
import numpy as np

from adorym.experiment import holography, plan_holography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate
from adorym.regularizers import TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS

KERNELS = ("_value_and_gradient", "_penalty_and_gradient", "_gauss_newton_product", "_fit")
OWN = ("_ahead", "_newton_length", "_reweighted")


def test_what_was_compiled_ahead_is_not_compiled_again():
    """A size that no other test has, so that nothing was compiled before; without it the kernels are compiled."""
    task, later = _task(11), _task(13)
    task.compile_ahead()
    assert _compiled(lambda: _called(task)) == 0
    assert _compiled(lambda: _called(later)) == 4


def test_every_kernel_is_compiled_once_in_a_reconstruction():
    """Whatever a step hands on lies where the first step's arguments lay."""
    task = _task(9)
    params, frozen = _posed(task).split(task.model)
    (batch,) = task.feed(0).sweep()
    first = _posed(task).value_and_gradient(params, frozen, batch)
    vector = jax.tree.map(lambda x: np.float64(0.1) * x, first[1])
    _posed(task).gauss_newton_product(params, frozen, batch, vector=params)
    assert _compiled(lambda: _posed(task).gauss_newton_product(params, frozen, batch, vector=vector)) == 0


def test_a_solvers_own_kernels_are_compiled_ahead_too():
    task, later = _task(15), _task(17)
    task.compile_ahead()
    assert _compiled(lambda: list(iterate(task)), OWN) == 0
    assert _compiled(lambda: list(iterate(later)), OWN) == len(OWN)


def _task(size: int) -> Task:
    plan = plan_holography((size + 1, size + 1), pixel=2e-9, energy=1e3, distances=(1e-7,), views=4, photons=100.0)
    shape = (size + 1,) * 3
    data = simulate(plan, np.full(shape, 1e-4), np.zeros(shape))
    problem = Problem(Poisson(), (), (TotalVariation("object", "auto"),))
    held_out = np.zeros((4, 1), bool)
    held_out[1] = True
    return Task(data, holography(data), problem, (Stage(("object",), LBFGS(), 2),), held_out=held_out)


def _posed(task: Task) -> Problem:
    return dataclasses.replace(task.problem.with_weight(2.0), free=("object",))


def _called(task: Task) -> None:
    problem = _posed(task)
    params, frozen = problem.split(task.model)
    (batch,) = task.feed(0).sweep()
    problem.value_and_gradient(params, frozen, batch)
    problem.penalty_and_gradient(params, frozen)
    problem.gauss_newton_product(params, frozen, batch, vector=params)
    problem.fit(task.model, batch)


def _compiled(work: Callable[[], object], kernels: tuple[str, ...] = KERNELS) -> int:
    """How many of these kernels are compiled by some work."""
    heard = _Heard()
    logging.getLogger("jax").addHandler(heard)
    try:
        with jax.log_compiles():
            work()
    finally:
        logging.getLogger("jax").removeHandler(heard)
    return sum("Compiling" in name and any(f"({kernel})" in name for kernel in kernels) for name in heard.sentences)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(record.getMessage())
