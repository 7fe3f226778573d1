"""Choosing leaves of a model by the path a user writes, such as "object.delta" or "probe"."""

from __future__ import annotations

import difflib
from typing import Any

import equinox as eqx
import jax

from adorym._core.errors import JobError


def resolve(model: Any, path: str) -> Any:
    """The part of a model at a dotted path.

    Containers named `parametrization` may be left out: "object.delta" is "object.parametrization.delta".

    Raises:
        JobError: there is no such part.

    Example:
        >>> from adorym.probes import PlaneWave
        >>> float(resolve(PlaneWave.of(1.0), "log_photons"))
        0.0
    """
    node = model
    for name in path.split("."):
        inner = getattr(node, "parametrization", None)
        if name in _fields(node):
            node = getattr(node, name)
        elif inner is not None and name in _fields(inner):
            node = getattr(inner, name)
        else:
            known = sorted({*_fields(node), *_fields(inner)} - {"parametrization"})
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'no parts'}."
            raise JobError(f'"{path}": {type(node).__name__} has no part "{name}"; {hint}')
    return node


def _fields(node: Any) -> tuple[str, ...]:
    if isinstance(node, tuple) and hasattr(node, "_fields"):
        return tuple(node._fields)  # pyright: ignore[reportAttributeAccessIssue]
    return tuple(getattr(node, "__dataclass_fields__", ()))


def images_among(params: Any, frozen: Any) -> tuple[str, ...]:
    """Paths of the free leaves that a model counts among its `images`.

    Example:
        >>> from adorym.probes import PlaneWave
        >>> wave = PlaneWave.of(1.0)
        >>> images_among(wave, jax.tree.map(lambda leaf: None, wave))
        ()
    """
    images = getattr(eqx.combine(params, frozen), "images", ())
    leaves = zip(leaf_paths(params), jax.tree.leaves(params), strict=True)
    return tuple(path for path, leaf in leaves if path in images and leaf.ndim in (2, 3))


def selection(model: Any, paths: tuple[str, ...]) -> Any:
    """A tree of booleans: True for the real floating-point arrays under any of the paths.

    Example:
        >>> from adorym.probes import PlaneWave
        >>> selection(PlaneWave.of(1.0), ("log_photons",)).log_photons
        True
    """
    chosen = jax.tree.map(lambda _: False, model)
    for path in paths:
        part = jax.tree.map(eqx.is_inexact_array, resolve(model, path))
        if not any(jax.tree.leaves(part)):
            raise JobError(f'"{path}" holds nothing that can be refined: choose one of its leaves or another part.')
        chosen = eqx.tree_at(lambda tree, path=path: resolve(tree, path), chosen, part)
    return chosen


def replace(model: Any, path: str, value: Any) -> Any:
    """A copy of the model with the part at a path replaced.

    Example:
        >>> import jax.numpy as jnp
        >>> from adorym.probes import PlaneWave
        >>> float(replace(PlaneWave.of(1.0), "log_photons", jnp.array(2.0)).log_photons)
        2.0
    """
    resolve(model, path)
    return eqx.tree_at(lambda tree: resolve(tree, path), model, value)


def array_paths(model: Any, where: str | tuple[str, ...]) -> tuple[str, ...]:
    """Paths of the arrays at one or several paths: of a part that has several, those that are not single numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> from adorym.objects import DeltaBeta, Image
        >>> array_paths(Image(DeltaBeta(jnp.ones(2), jnp.ones(2))), "parametrization")
        ('parametrization.delta', 'parametrization.beta')
    """
    found = []
    for path in (where,) if isinstance(where, str) else where:
        part = resolve(model, path)
        names = [
            name for name, leaf in zip(leaf_paths(part), jax.tree.leaves(part), strict=True) if leaf.ndim or not name
        ]
        found += [f"{path}.{name}" if name else path for name in names]
    return tuple(found)


def leaf_paths(tree: Any) -> list[str]:
    """Dotted path of every array of a tree, in the order of its leaves.

    Example:
        >>> from adorym.probes import PlaneWave
        >>> leaf_paths(PlaneWave.of(1.0))
        ['log_photons']
    """
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in jax.tree.leaves_with_path(tree)]
