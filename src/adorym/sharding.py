"""One computation over the devices of a machine: views, or frames where there is one view, are dealt out evenly.

On a CPU an FFT inside a loop runs on one core; with one host device per core, each core takes its share of the views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adorym._core import Batch
from adorym._core.words import scope


def replicate(tree: Any) -> Any:
    """The arrays of a tree, on every device of the machine: where kernels leave what they return.

    Example:
        >>> import jax.numpy as jnp
        >>> replicate(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """
    return _placed(tree, lambda leaf, devices: PartitionSpec())


def dealt(tree: Any) -> Any:
    """The arrays of a tree in equal parts along their first axis, one on each device; on all where that has no parts.

    What is done to one element after the other takes each device its part of the time, and of the memory.

    Example:
        >>> import jax.numpy as jnp
        >>> dealt(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """

    def parts(leaf: jax.Array, devices: int) -> PartitionSpec:
        return PartitionSpec("device") if leaf.ndim and leaf.shape[0] % devices == 0 else PartitionSpec()

    return _placed(tree, parts)


def _placed(tree: Any, spec: Callable[[jax.Array, int], PartitionSpec]) -> Any:
    """The arrays of a tree where a specification has them, given each and the number of devices."""
    devices = jax.local_devices()
    if len(devices) == 1:
        return tree
    mesh = Mesh(devices, ("device",))

    def placed(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer):
            return leaf
        wanted = NamedSharding(mesh, spec(leaf, len(devices)))
        return leaf if leaf.sharding == wanted else jax.device_put(leaf, wanted)

    return jax.tree.map(placed, tree)


def deal_out(function: Callable[[Any, Batch], Any], constants: Any, batch: Batch) -> Any:
    """Sum over devices of `function(constants, share of the batch)`.

    The function has to be a weighted sum over views and frames: where they cannot be divided by the number of devices,
    the batch is filled up with frames of no weight. What is too small to be divided is done by one device.

    Args:
        function: of replicated constants and a batch; returns a tree of arrays.
        constants: a tree of arrays that every device gets.
        batch: dealt out along its views or its frames.

    Example:
        >>> import numpy as np
        >>> batch = Batch(np.zeros(2, np.int32), np.zeros((2, 1), np.int32), np.ones((2, 1)), np.ones((1, 1)),
        ...     np.ones((2, 1, 1, 1)))
        >>> float(jax.jit(lambda b: deal_out(lambda c, part: part.weights.sum() + 0 * c, 0.0, b))(batch))
        2.0
    """
    devices = jax.local_devices()
    views, frames = batch.weights.shape
    if len(devices) == 1 or max(views, frames) < len(devices):
        return function(constants, batch)
    by_views = views >= len(devices)
    batch = _filled_up(batch, len(devices), axis=0 if by_views else 1)
    split = PartitionSpec("device") if by_views else PartitionSpec(None, "device")
    specs = Batch(split if by_views else PartitionSpec(), split, split, PartitionSpec(), split)
    mesh = Mesh(devices, ("device",))

    def one(constants: Any, part: Batch) -> Any:
        total = function(constants, part)
        with scope("accumulate"):
            return jax.lax.psum(total, "device")

    shared = jax.shard_map(
        one, mesh=mesh, in_specs=(PartitionSpec(), specs), out_specs=PartitionSpec(), check_vma=False
    )
    return shared(constants, batch)


def _filled_up(batch: Batch, devices: int, *, axis: int) -> Batch:
    """The batch with its first views or frames once more, at no weight, until the devices divide it."""
    missing = -batch.weights.shape[axis] % devices
    if not missing:
        return batch
    ends = [(0, missing if i == axis else 0) for i in range(2)]
    return Batch(
        jnp.pad(batch.views, ends[0], mode="wrap") if axis == 0 else batch.views,
        jnp.pad(batch.frames, ends, mode="wrap"),
        jnp.pad(batch.weights, ends),
        batch.mask,
        jnp.pad(batch.counts, [*ends, (0, 0), (0, 0)]),
    )
