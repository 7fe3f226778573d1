"""What is compiled ahead is what is called later."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from collections.abc import Callable

import jax
import numpy as np
import pytest

from adorym.experiment import holography, plan_holography
from adorym.likelihoods import Poisson
from adorym.problem import Problem
from adorym.reconstruct import Stage, Task, iterate
from adorym.regularizers import TotalVariation
from adorym.simulate import simulate
from adorym.solvers import LBFGS, _lbfgs

KERNELS = ("_value_and_gradient", "_penalty_and_gradient", "_curvature", "_fit")
SHARED = ("_added", "_newton_length", "_reached", "_along", "_taught", "zeros_like", "_noise_weight", "_less")
OWN = ("_aimed", *SHARED)
OF_LARGE = ("_ahead", "_newest_first", "_oldest_first", "_unit", "_in_units", *SHARED)


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
    batch, *_ = task.feed(0).sweep()
    first = _posed(task).value_and_gradient(params, frozen, batch)
    vector = jax.tree.map(lambda x: np.float64(0.1) * x, first[1])
    _posed(task).curvature(params, frozen, batch, vector=params)
    assert _compiled(lambda: _posed(task).curvature(params, frozen, batch, vector=vector)) == 0


@pytest.mark.parametrize(("little", "own"), [(1 << 23, OWN), (0, OF_LARGE)])
def test_a_solvers_own_kernels_are_compiled_ahead_too(
    little: int, own: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes that no other test has."""
    monkeypatch.setattr(_lbfgs, "_LITTLE", little)
    task, later = (_task(size + 8 * (little == 0)) for size in (15, 17))
    task.compile_ahead()
    assert _compiled(lambda: list(iterate(task)), own) == 0
    assert _compiled(lambda: list(iterate(later)), own) == len(own)


_ON_TWO_DEVICES = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", True)
import numpy as np
from adorym.reconstruct import iterate
from adorym.sharding import dealt_bytes, nbytes, on_host
from tests.problem.test_compile_ahead import KERNELS, OWN, _compiled, _task

task, steps = _task(9), []
task.compile_ahead()
assert _compiled(lambda: steps.extend(iterate(task)), KERNELS + OWN) == 0
for refined in (steps[-1].state, steps[-1].model.object):
    arrays = jax.tree.leaves(refined)
    on_first = sum(array.addressable_shards[0].data.nbytes for array in arrays)
    assert on_first == dealt_bytes(refined) < 0.51 * nbytes(refined)
    assert all((on_host(array) == np.asarray(array)).all() for array in arrays)
"""


def test_on_two_devices_each_has_half_of_what_is_refined_and_nothing_is_compiled_twice(request: pytest.FixtureRequest):
    command = [sys.executable, "-c", _ON_TWO_DEVICES]
    run = subprocess.run(command, cwd=request.config.rootpath, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]


def _task(size: int) -> Task:
    plan = plan_holography((size + 1, size + 1), pixel=2e-9, energy=1e3, distances=(1e-7,), views=4, photons=100.0)
    shape = (size + 1,) * 3
    data = simulate(plan, np.full(shape, 1e-4), np.zeros(shape))
    problem = Problem(Poisson(), (), (TotalVariation("object", "auto"),))
    held_out = np.zeros((4, 1), bool)
    held_out[1] = True
    return Task(data, holography(data), problem, (Stage(("object",), LBFGS(2, 1), 2),), held_out=held_out)


def _posed(task: Task) -> Problem:
    return dataclasses.replace(task.problem.with_weight(2.0), free=("object",))


def _called(task: Task) -> None:
    problem = _posed(task)
    params, frozen = problem.split(task.model)
    batch, *_ = task.feed(0).sweep()
    problem.value_and_gradient(params, frozen, batch)
    problem.penalty_and_gradient(params, frozen)
    problem.curvature(params, frozen, batch, vector=params)
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
