"""One computation over the devices of a machine: views, or frames where there is one view, are dealt out evenly.

On a CPU an FFT inside a loop runs on one core; with one host device per core, each core takes its share of the views.
What is refined is dealt out as well, and with it gradients, penalties and all that a solver remembers: each device has
a part of every array and does its part of what is done to it. Only for a pass over the data each has a whole copy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

from adorym._core import Batch
from adorym._core.words import scope

ALL_CORES = {"xla_disable_hlo_passes": ""}
"""Options of XLA's compiler for what one device does while the others wait: its kernels are cut up for all cores, which
is left out where each device has a core to itself."""


def replicate(tree: Any) -> Any:
    """The arrays of a tree, whole on every device of the machine.

    Example:
        >>> replicate(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """
    return _placed(tree, lambda leaf, devices: PartitionSpec())


def dealt(tree: Any) -> Any:
    """The arrays of a tree in equal parts along their first axis, one on each device; on all where that has no parts.

    What is done to one element after the other takes each device its part of the time, and of the memory.

    Example:
        >>> dealt(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """
    return _placed(tree, _parts)


def dealt_shapes(tree: Any) -> Any:
    """Shapes and types in the places where `dealt` would have arrays of them: to compile for what is yet to be found.

    Example:
        >>> dealt_shapes(jax.eval_shape(lambda: jnp.ones(2))).shape
        (2,)
    """
    devices = jax.local_devices()
    if len(devices) == 1:
        return tree
    mesh = Mesh(devices, ("device",))

    def placed(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=NamedSharding(mesh, _parts(leaf, len(devices))))

    return jax.tree.map(placed, tree)


def on_host(array: Any) -> np.ndarray:
    """The numbers of an array, of which nothing stays behind: JAX would keep the copy that it makes of a dealt one.

    Example:
        >>> on_host(jnp.ones(2)).tolist()
        [1.0, 1.0]
    """
    if not isinstance(array, jax.Array) or array.is_fully_replicated:
        return np.asarray(array)
    whole = np.empty(array.shape, array.dtype)
    for part in array.addressable_shards:
        whole[part.index] = part.data
    return whole


def dealt_bytes(tree: Any) -> int:
    """Bytes that each device has of a tree that is dealt out; only shapes and types count.

    Example:
        >>> dealt_bytes(jnp.ones(2, jnp.float32))
        8
    """
    devices = len(jax.local_devices())
    leaves = (leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))
    return sum(nbytes(leaf) // (devices if _divisible(leaf, devices) else 1) for leaf in leaves)


def nbytes(tree: Any) -> int:
    """Bytes of a tree's arrays; only shapes and types count.

    Example:
        >>> nbytes({"x": jnp.ones(2, jnp.float32)})
        8
    """
    leaves = (leaf for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype"))
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)


def _divisible(leaf: Any, devices: int) -> bool:
    return leaf.ndim > 0 and leaf.shape[0] % devices == 0


def _parts(leaf: Any, devices: int) -> PartitionSpec:
    """Along the first axis, if devices divide it."""
    return PartitionSpec("device") if _divisible(leaf, devices) else PartitionSpec()


def _placed(tree: Any, spec: Callable[[Any, int], PartitionSpec]) -> Any:
    """The arrays of a tree where a specification has them, given each and the number of devices."""
    devices = jax.local_devices()
    if len(devices) == 1:
        return tree
    mesh = Mesh(devices, ("device",))

    def placed(leaf: Any) -> Any:
        if not isinstance(leaf, jax.Array):
            return leaf
        wanted = NamedSharding(mesh, spec(leaf, len(devices)))
        if isinstance(leaf, Tracer):
            return jax.lax.with_sharding_constraint(leaf, wanted)
        if leaf.sharding == wanted:
            return leaf
        single = isinstance(leaf.sharding, SingleDeviceSharding)  # on the host it is cut without compiling anything
        return jax.device_put(np.asarray(leaf) if single and devices[0].platform == "cpu" else leaf, wanted)

    return jax.tree.map(placed, tree)


def deal_out(function: Callable[[Any, Batch], Any], constants: Any, batch: Batch, *, like: Any) -> Any:
    """Sum over devices of `function(constants, share of the batch)`, itself dealt out.

    The function has to be a weighted sum over views and frames: where they cannot be divided by the number of devices,
    the batch is filled up with frames of no weight. What is too small to be divided is done by one device.

    Args:
        function: of replicated constants and a batch; returns a tree of arrays.
        constants: a tree of arrays that every device gets.
        batch: dealt out along its views or its frames.
        like: a tree of the shapes that the function returns.

    Example:
        >>> import numpy as np
        >>> batch = Batch(np.zeros(2, np.int32), np.zeros((2, 1), np.int32), np.ones((2, 1)), np.ones((1, 1)),
        ...     np.ones((2, 1, 1, 1)))
        >>> weight = jax.jit(lambda b: deal_out(lambda c, part: c * part.weights.sum(), 1.0, b, like=jnp.zeros(())))
        >>> float(weight(batch))
        2.0
    """
    devices = jax.local_devices()
    views, frames = batch.weights.shape
    if len(devices) == 1 or max(views, frames) < len(devices):
        return dealt(function(constants, batch))
    by_views = views >= len(devices)
    batch = _filled_up(batch, len(devices), axis=0 if by_views else 1)
    split = PartitionSpec("device") if by_views else PartitionSpec(None, "device")
    specs = Batch(split if by_views else PartitionSpec(), split, split, PartitionSpec(), split)
    mesh = Mesh(devices, ("device",))

    def one(constants: Any, part: Batch) -> Any:
        total = function(constants, part)
        with scope("accumulate"):
            return jax.tree.map(summed, total)

    def summed(leaf: Any) -> Any:
        if _divisible(leaf, len(devices)):
            return jax.lax.psum_scatter(leaf, "device", tiled=True)
        return jax.lax.psum(leaf, "device")

    ends = jax.tree.map(lambda leaf: _parts(leaf, len(devices)), like)
    shared = jax.shard_map(one, mesh=mesh, in_specs=(PartitionSpec(), specs), out_specs=ends, check_vma=False)
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
