"""One computation over the devices of a machine: views, or frames where there is one view, are dealt out evenly.

On a CPU an FFT inside a loop runs on one core; with one host device per core, each core takes its share of the views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from adorym._core import Batch


def replicate(tree: Any) -> Any:
    """The arrays of a tree, on every device of the machine: where kernels leave what they return.

    Example:
        >>> import jax.numpy as jnp
        >>> replicate(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """
    devices = jax.local_devices()
    if len(devices) == 1:
        return tree
    everywhere = NamedSharding(Mesh(devices, ("device",)), PartitionSpec())

    def spread(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array) or isinstance(leaf, Tracer) or leaf.sharding == everywhere:
            return leaf
        return jax.device_put(leaf, everywhere)

    return jax.tree.map(spread, tree)


def deal_out(function: Callable[[Any, Batch], Any], constants: Any, batch: Batch) -> Any:
    """Sum over devices of `function(constants, share of the batch)`.

    The function has to be a sum over views and frames. Where neither the views nor the frames can be divided by the
    number of devices, one device does it all.

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
    if len(devices) > 1 and views % len(devices) == 0:
        split = PartitionSpec("device")
        specs = Batch(split, split, split, PartitionSpec(), split)
    elif len(devices) > 1 and frames % len(devices) == 0:
        split = PartitionSpec(None, "device")
        specs = Batch(PartitionSpec(), split, split, PartitionSpec(), split)
    else:
        return function(constants, batch)
    mesh = Mesh(devices, ("device",))

    def one(constants: Any, part: Batch) -> Any:
        return jax.lax.psum(function(constants, part), "device")

    shared = jax.shard_map(
        one, mesh=mesh, in_specs=(PartitionSpec(), specs), out_specs=PartitionSpec(), check_vma=False
    )
    return shared(constants, batch)
