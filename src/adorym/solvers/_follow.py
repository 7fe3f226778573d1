"""Frames kept back judge what all share; what is their own has to be found from them, as those fitted had it."""

from __future__ import annotations

import dataclasses

import jax
from jaxtyping import PyTree

from adorym._core.trees import resolve
from adorym.data import Feed
from adorym.problem import Problem
from adorym.solvers._lbfgs import LBFGS
from adorym.solvers._solver import Moment


def own_paths(problem: Problem, model: PyTree, feed: Feed) -> tuple[str, ...]:
    """Free leaves of a model that belong to single views or frames, of which some are kept back and others are not.

    A model names such leaves as `of_frames`. What frames kept back have in common with others is not theirs.

    Example:
        >>> callable(own_paths)
        True
    """
    params, _ = problem.split(model)
    back, fitted = feed.held_out & (feed.dataset.weights > 0), feed.trained > 0
    found = []
    for path in getattr(model, "of_frames", ()):
        leaf = resolve(params, path)
        if leaf is None or not leaf.size:
            continue
        shared = back & fitted if leaf.shape[:2] == back.shape else back.any(axis=1) & fitted.any(axis=1)
        if back.any() and not shared.any():
            found.append(path)
    return tuple(found)


def followed(problem: Problem, model: PyTree, feed: Feed, *, steps: int, seed: int) -> PyTree:
    """The model with what belongs to frames kept back fitted to them, by a few steps; all else stays as it is.

    Without it a scan whose positions are refined would be judged by frames that are still where they were thought to
    be. A few numbers of a frame are found from thousands of pixels, so that it loses little of its word.

    Args:
        problem: what is free; penalties on such leaves do not take part.
        model: what is refined.
        feed: what serves the data.
        steps: of L-BFGS.
        seed: of what is random.

    Example:
        >>> callable(followed)
        True
    """
    paths = own_paths(problem, model, feed)
    if not paths:
        return model
    own, back = dataclasses.replace(problem, free=paths, regularizers=()), feed.kept_back()
    solver = LBFGS(back.views_per_batch, back.frames_per_batch)
    state = solver.init(own, model, back, seed=seed)
    for step in range(steps):
        model, state, info = solver.step(own, model, state, feed=back, moment=Moment(step, steps, seed))
        if info.refused:
            break
    return jax.block_until_ready(model)
