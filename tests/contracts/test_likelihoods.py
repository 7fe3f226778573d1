"""What every likelihood owes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adorym.likelihoods import LIKELIHOODS, AbstractLikelihood, Amplitude, Gaussian, Poisson

ROWS: dict[str, AbstractLikelihood] = {
    "poisson": Poisson(),
    "gaussian": Gaussian(3.0),
    "amplitude": Amplitude(),
}
members = pytest.mark.parametrize("likelihood", ROWS.values(), ids=ROWS)
EXPECTED = jnp.array([[0.3, 2.0, 40.0, 3000.0]])


def test_every_likelihood_has_a_row() -> None:
    assert set(ROWS) == set(LIKELIHOODS)
    assert all(isinstance(LIKELIHOODS[name](), type(row)) for name, row in ROWS.items())


@members
def test_zero_for_a_perfect_prediction_and_above_otherwise(likelihood: AbstractLikelihood) -> None:
    np.testing.assert_allclose(likelihood.nll(EXPECTED, EXPECTED), 0, atol=1e-12)
    np.testing.assert_allclose(likelihood.residual(EXPECTED, EXPECTED), 0, atol=1e-12)
    for factor in (0.0, 0.5, 0.99, 1.01, 3.0):
        assert np.all(likelihood.nll(EXPECTED, factor * EXPECTED) > 0)
        assert np.all(jnp.sign(likelihood.residual(EXPECTED, factor * EXPECTED)) == np.sign(1 - factor))
    assert np.all(np.isfinite(likelihood.nll(jnp.zeros((1, 2)), jnp.array([[0.0, 5.0]]))))


@members
def test_gradient_against_finite_differences(likelihood: AbstractLikelihood) -> None:
    measured = jnp.array([[1.0, 1.0, 55.0, 2900.0]])
    gradient = jax.grad(lambda predicted: likelihood.nll(predicted, measured).sum())(EXPECTED)
    h = 1e-4 * EXPECTED
    numeric = (likelihood.nll(EXPECTED + h, measured) - likelihood.nll(EXPECTED - h, measured)) / (2 * h)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5)


@members
def test_dark_pixels_have_a_gradient(likelihood: AbstractLikelihood) -> None:
    """A photon where none is expected pulls, and does not blow up."""
    gradient = jax.grad(lambda predicted: likelihood.nll(predicted, jnp.ones((1, 1))).sum())(jnp.zeros((1, 1)))
    assert -np.inf < float(gradient[0, 0]) < 0


@members
def test_half_the_squared_residual_near_the_optimum(likelihood: AbstractLikelihood) -> None:
    bright = jnp.full((1, 1), 1e4)
    for deviation in (-1.0, 1.0):
        measured = bright + deviation
        nll, residual = likelihood.nll(bright, measured), likelihood.residual(bright, measured)
        np.testing.assert_allclose(nll, jnp.square(residual) / 2, rtol=1e-3)


@members
def test_fisher_is_the_curvature_where_prediction_and_measurement_agree(likelihood: AbstractLikelihood) -> None:
    """Each nll is linear or nearly so in the measured counts, so that its mean curvature is that at the mean."""
    second = jax.vmap(jax.hessian(lambda i, m: likelihood.nll(i[None, None], m[None, None])[0, 0]))
    np.testing.assert_allclose(second(EXPECTED[0], EXPECTED[0]), likelihood.fisher(EXPECTED)[0], rtol=1e-10)


@members
def test_fisher_is_the_expected_curvature_and_the_variance_of_the_slope(likelihood: AbstractLikelihood) -> None:
    """By summing over all counts (or samples) of a bright pixel: both definitions of Fisher's information."""
    mean = 60.0
    if isinstance(likelihood, Gaussian):
        measured = mean + likelihood.deviation * np.linspace(-8, 8, 4001)
        chance = stats.norm.pdf(measured, mean, likelihood.deviation)
    else:
        measured = np.arange(400.0)
        chance = stats.poisson.pmf(measured, mean)
    chance = chance / chance.sum()
    one = jax.grad(lambda i, m: likelihood.nll(i[None, None], m[None, None])[0, 0])
    slopes = np.asarray(jax.vmap(one, (None, 0))(jnp.array(mean), jnp.asarray(measured)))
    bends = np.asarray(jax.vmap(jax.grad(one), (None, 0))(jnp.array(mean), jnp.asarray(measured)))
    fisher = float(likelihood.fisher(jnp.full((1, 1), mean))[0, 0])
    assert np.sum(chance * bends) == pytest.approx(fisher, rel=0.01)
    assert np.sum(chance * slopes**2) == pytest.approx(fisher, rel=0.02)
    assert np.sum(chance * slopes) == pytest.approx(0, abs=0.1 * np.sqrt(fisher))


@members
def test_the_residual_has_unit_variance_and_nll_a_mean_of_a_half(likelihood: AbstractLikelihood) -> None:
    """So that a misfit says the same in every technique: 1/2 per pixel when the model is right."""
    predicted = jnp.full((200, 200), 300.0)
    measured = likelihood.sample(jax.random.key(1), predicted)
    assert measured.shape == predicted.shape
    assert measured.dtype == predicted.dtype
    assert float(measured.mean()) == pytest.approx(300.0, abs=5 * float(measured.std()) / 200)
    assert float(jnp.var(likelihood.residual(predicted, measured))) == pytest.approx(1.0, rel=0.03)
    assert float(likelihood.nll(predicted, measured).mean()) == pytest.approx(0.5, rel=0.03)


@members
def test_samples_follow_the_key(likelihood: AbstractLikelihood) -> None:
    predicted = jnp.full((20, 20), 5.0)
    first, again, other = (likelihood.sample(jax.random.key(seed), predicted) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert float(jnp.abs(first - other).max()) > 0
    if not isinstance(likelihood, Gaussian):
        np.testing.assert_array_equal(first, np.round(first))
        assert float(first.min()) >= 0
        assert float(first.var()) == pytest.approx(5.0, rel=0.3)
