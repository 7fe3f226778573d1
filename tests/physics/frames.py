"""Frames of an experiment, compiled once for all experiments of the same make."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp

from adorym.experiment import Experiment


@eqx.filter_jit
def frames_of(experiment: Experiment, views: int = 1, frames: int = 1) -> jax.Array:
    """The first frames of the first views, `(view, frame, y, x)`."""
    return experiment.predict(jnp.arange(views), jnp.tile(jnp.arange(frames), (views, 1)))
