"""The proximal map of all penalties and constraints together, as they are: no corner is rounded.

It leads to the point x that the constraints allow where Σ h |x - y|² / 2 plus the penalties is least, with one
stiffness h per leaf. Squares (Tikhonov) join those of h. Lengths have a dual: w |Kx| is the largest p·Kx with |p| <= w,
p a vector at every voxel. For given p, x is the allowed point nearest to y - Kᵀp / h, so that bounds and supports are
exact, and the best p is found by fast gradient projection (Beck & Teboulle, IEEE Trans. Image Process. 18, 2419 (2009);
for leaves that share their borders Bresson & Chan, Inverse Problems and Imaging 2, 455 (2008)), with momentum that is
dropped where it leads back. Penalties on the same leaves have their p side by side. Where K does not mix voxels (L1)
and the leaves are of one stiffness, the first iteration is the soft threshold.

What is missing is known: the duality gap Σ w |Kx| - p·Kx bounds Σ h |x - x*|² / 2. A start from the last p makes it
small at once where little has changed.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from adorym._core.trees import array_paths, replace, resolve
from adorym._core.words import scope
from adorym.problem import Problem
from adorym.regularizers import AbstractRegularizer
from adorym.solvers._passes import scaled
from adorym.solvers._vectors import dot

_ROUND = 10  # iterations between two looks at the gap
_ROUNDS = 30

Duals = tuple[Float[Array, "..."], ...]  # of every regulariser: component, then the leaf's axes


class Mapped(NamedTuple):
    """Where a proximal map leads.

    Attributes:
        params: the free leaves.
        duals: p of every regulariser, to start from the next time.
        gap: what is missing at most, in nats.
        iterations: that it took.

    Example:
        >>> Mapped._fields[0]
        'params'
    """

    params: PyTree
    duals: Duals
    gap: Float[Array, ""]
    iterations: Int[Array, ""]


def no_duals(problem: Problem, model: PyTree) -> Duals:
    """The p of every regulariser before anything is known: zero.

    Example:
        >>> callable(no_duals)
        True
    """
    fields = eqx.filter_eval_shape(_fields, problem, model)
    return tuple(jnp.zeros(field.shape, field.dtype) for field in fields)


@eqx.filter_jit
def proximal_map(
    problem: Problem,
    place: tuple[PyTree, PyTree],
    target: PyTree,
    *,
    stiffness: tuple[Float[Array, ""], ...],
    duals: Duals,
    share: float = 0.01,
) -> Mapped:
    """The proximal map of a problem's penalties and constraints.

    A penalty that is not convex is replaced by the convex one that touches it where the model stands.

    Args:
        problem: whose penalties and constraints.
        place: free leaves where the model stands, and the rest.
        target: y, of the free leaves' shape.
        stiffness: h of every free leaf; one that has none stays at y.
        duals: to start from.
        share: of Σ h |x - place|² / 2 that may be missing.

    Example:
        >>> callable(proximal_map)
        True
    """
    with scope("regularise"):
        return _mapped(_Dual.of(problem.sharp(), place, target, stiffness=stiffness), duals, share)


def _mapped(dual: _Dual, duals: Duals, share: float) -> Mapped:
    def unfinished(carry: tuple[Array, _Climb, tuple[Array, Array]]) -> Array:
        rounds, _, (_, matters) = carry
        return (rounds < _ROUNDS) & matters

    def further(carry: tuple[Array, _Climb, tuple[Array, Array]]) -> tuple[Array, _Climb, tuple[Array, Array]]:
        climb = jax.lax.fori_loop(0, _ROUND, lambda _, one: dual.climbed(one), carry[1])
        return carry[0] + 1, climb, dual.missing(climb.best, share)

    start = tuple(_in_ball(p, radius) for p, radius in zip(duals, dual.radii, strict=True))
    begun = (jnp.zeros((), jnp.int32), _Climb(start, start, jnp.ones(())), dual.missing(start, share))
    rounds, climb, (gap, _) = jax.lax.while_loop(unfinished, further, begun)
    return Mapped(dual.primal(climb.best), climb.best, gap, _ROUND * rounds)


class _Climb(NamedTuple):
    """The best p so far, where momentum leads, and the age of the momentum."""

    best: Duals
    ahead: Duals
    age: Float[Array, ""]


class _Dual(eqx.Module):
    """What belongs to a p.

    Attributes:
        problem, params, frozen: as they were given.
        centre: y, drawn towards zero by squares.
        stiffness: with that of squares.
        radii: the largest |p| of every regulariser at every voxel.
        lengths: of every regulariser's step uphill.
    """

    problem: Problem
    params: PyTree
    frozen: PyTree
    centre: PyTree
    stiffness: tuple[Float[Array, ""], ...]
    radii: tuple[Float[Array, "..."], ...]
    lengths: tuple[Float[Array, ""], ...]

    @classmethod
    def of(
        cls,
        problem: Problem,
        place: tuple[PyTree, PyTree],
        target: PyTree,
        *,
        stiffness: tuple[Float[Array, ""], ...],
    ) -> _Dual:
        """The dual of a proximal map."""
        model = eqx.combine(*place)
        springs = jax.tree.leaves(_springs(problem, place[0], model))
        total = tuple(jnp.where(h > 0, h + k, 0) for h, k in zip(stiffness, springs, strict=True))
        drawn = [jnp.where(t > 0, h / jnp.where(t > 0, t, 1), 1) for h, t in zip(stiffness, total, strict=True)]
        centre = scaled(target, tuple(drawn), 1)
        radii = tuple(r.weight * r.slope(*_scaled(r, model)) for r in problem.regularizers)
        lengths = _lengths(problem, place[0], model, stiffness=total)
        return cls(problem, place[0], place[1], centre, total, radii, lengths)

    def primal(self, duals: Duals) -> PyTree:
        """x, the best for this p."""
        _, pull = jax.vjp(self._fields, self.params)
        return self.problem.project(jax.tree.map(jnp.subtract, self.centre, scaled(pull(duals)[0], self.stiffness, -1)))

    def climbed(self, climb: _Climb) -> _Climb:
        """One iteration."""
        uphill = self._fields(self.primal(climb.ahead))
        raised = (q + length * g for q, length, g in zip(climb.ahead, self.lengths, uphill, strict=True))
        best = tuple(_in_ball(p, radius) for p, radius in zip(raised, self.radii, strict=True))
        step = jax.tree.map(jnp.subtract, best, climb.best)
        back = dot(jax.tree.map(jnp.subtract, climb.ahead, best), step) > 0
        age = jnp.where(back, 1, (1 + jnp.sqrt(1 + 4 * climb.age**2)) / 2)
        momentum = jnp.where(back, 0, (climb.age - 1) / age)
        return _Climb(best, jax.tree.map(lambda p, s: p + momentum * s, best, step), age)

    def missing(self, duals: Duals, share: float) -> tuple[Float[Array, ""], Bool[Array, ""]]:
        """How much at most, and whether it matters: beside a share of the step, and beside rounding."""
        x = self.primal(duals)
        gap, penalty = jnp.zeros(()), jnp.zeros(())
        for p, field, radius in zip(duals, self._fields(x), self.radii, strict=True):
            full = radius * jnp.sqrt(jnp.sum(jnp.square(field), axis=0))
            gap, penalty = gap + jnp.sum(full - jnp.sum(p * field, axis=0)), penalty + jnp.sum(full)
        step = jax.tree.map(jnp.subtract, x, self.params)
        rounding = 4 * jnp.finfo(gap.dtype).eps * penalty
        return gap, gap > jnp.maximum(share * dot(step, scaled(step, self.stiffness, 1)) / 2, rounding)

    def _fields(self, params: PyTree) -> Duals:
        return _fields(self.problem, eqx.combine(params, self.frozen))


def _scaled(regularizer: AbstractRegularizer, model: PyTree) -> tuple[Array, ...]:
    return regularizer.scaled(tuple(resolve(model, path) for path in array_paths(model, regularizer.where)))


def _fields(problem: Problem, model: PyTree) -> Duals:
    """Kx of every regulariser."""
    return tuple(regularizer.field(*_scaled(regularizer, model)) for regularizer in problem.regularizers)


def _springs(problem: Problem, params: PyTree, model: PyTree) -> PyTree:
    """The stiffness of squares, one number per free leaf."""
    springs = jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype), params)
    for r in problem.regularizers:
        for path, scale in zip(array_paths(model, r.where), r.scales, strict=True):
            spring = resolve(springs, path)
            if spring is not None:
                springs = replace(springs, path, spring + r.weight * r.stiffness / scale**2)
    return springs


def _lengths(
    problem: Problem, params: PyTree, model: PyTree, *, stiffness: tuple[Array, ...]
) -> tuple[Float[Array, ""], ...]:
    """For every regulariser the longest step uphill that is safe: together they are 1 / |K h⁻¹ Kᵀ|."""
    softness = scaled(jax.tree.map(lambda leaf: jnp.ones((), leaf.dtype), params), stiffness, -1)
    found = []
    for r in problem.regularizers:
        bends = [jnp.zeros(())]
        for path, scale in zip(array_paths(model, r.where), r.scales, strict=True):
            leaf, soft = resolve(params, path), resolve(softness, path)
            if leaf is not None:
                bends.append(r.gain(leaf.ndim) * soft / scale**2)
        bend = sum(1 for one in problem.regularizers if one.gain(1)) * jnp.max(jnp.stack(bends))
        found.append(jnp.where(bend > 0, 1 / jnp.where(bend > 0, bend, 1), 0))
    return tuple(found)


def _in_ball(p: Float[Array, "component *shape"], radius: Float[Array, "*shape"]) -> Float[Array, "component *shape"]:
    """The nearest vectors that are no longer than the radius."""
    length = jnp.sqrt(jnp.sum(jnp.square(p), axis=0))
    return p * jnp.where(length > radius, radius / jnp.where(length > radius, length, 1), 1)
