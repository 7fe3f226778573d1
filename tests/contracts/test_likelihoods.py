"""What every likelihood owes."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from adorym._core import JobError
from adorym.likelihoods import LIKELIHOODS, AbstractLikelihood, Amplitude, Gaussian, Poisson

ROWS: dict[str, AbstractLikelihood] = {
    "poisson": Poisson(),
    "gaussian": Gaussian(3.0),
    "amplitude": Amplitude(),
}
members = pytest.mark.parametrize("likelihood", ROWS.values(), ids=ROWS)
EXPECTED = np.array([0.3, 2.0, 40.0, 3000.0])


@eqx.filter_jit
def parts(likelihood: AbstractLikelihood, predicted: jax.Array, measured: jax.Array) -> dict[str, jax.Array]:
    """All that it says of rows of pixels, and the first and second derivative of nll."""

    def one(i: jax.Array, m: jax.Array) -> jax.Array:
        return likelihood.nll(i[None, None], m[None, None])[0, 0]

    row, counts = predicted[None], measured[None]
    return {
        "nll": likelihood.nll(row, counts)[0],
        "residual": likelihood.residual(row, counts)[0],
        "fisher": likelihood.fisher(row)[0],
        "slope": jax.vmap(jax.grad(one))(predicted, measured),
        "bend": jax.vmap(jax.grad(jax.grad(one)))(predicted, measured),
    }


def test_every_likelihood_has_a_row() -> None:
    assert set(ROWS) == set(LIKELIHOODS)
    assert all(isinstance(LIKELIHOODS[name](), type(row)) for name, row in ROWS.items())


@members
def test_zero_for_a_perfect_prediction_and_above_otherwise(likelihood: AbstractLikelihood) -> None:
    perfect = parts(likelihood, EXPECTED, EXPECTED)
    np.testing.assert_allclose(perfect["nll"], 0, atol=1e-12)
    np.testing.assert_allclose(perfect["residual"], 0, atol=1e-12)
    for factor in (0.0, 0.5, 0.99, 1.01, 3.0):
        off = parts(likelihood, EXPECTED, factor * EXPECTED)
        assert np.all(off["nll"] > 0)
        assert np.all(np.sign(off["residual"]) == np.sign(1 - factor))


@pytest.mark.parametrize("expected", [0.0, 2.0])
def test_a_pixel_without_counts_has_a_slope_without_dark_counts(expected: float) -> None:
    """What is masked, rejected or filled up holds nothing, and its slope is multiplied by nought."""
    found = parts(Poisson(0.0), np.array([expected]), np.zeros(1))
    assert (found["nll"].item(), found["slope"].item(), found["bend"].item()) == (expected, 1.0, 0.0)


@members
def test_gradient_against_finite_differences(likelihood: AbstractLikelihood) -> None:
    measured, h = np.array([1.0, 1.0, 55.0, 2900.0]), 1e-4 * EXPECTED
    ahead, behind = (parts(likelihood, EXPECTED + step, measured)["nll"] for step in (h, -h))
    slope = parts(likelihood, EXPECTED, measured)["slope"]
    np.testing.assert_allclose(slope, (np.asarray(ahead) - np.asarray(behind)) / (2 * h), rtol=1e-5)


@members
def test_dark_pixels_have_a_gradient(likelihood: AbstractLikelihood) -> None:
    """A photon where none is expected pulls, and does not blow up."""
    dark = parts(likelihood, np.zeros(4), np.array([0.0, 1.0, 5.0, 100.0]))
    assert np.all(np.isfinite(dark["nll"]))
    assert np.all(dark["slope"][1:] < 0)
    assert np.all(np.isfinite(dark["slope"]))


@members
def test_half_the_squared_residual_near_the_optimum(likelihood: AbstractLikelihood) -> None:
    near = parts(likelihood, np.full(4, 1e4), 1e4 + np.array([-3.0, -1.0, 1.0, 3.0]))
    np.testing.assert_allclose(near["nll"], np.asarray(near["residual"]) ** 2 / 2, rtol=1e-3)


@members
def test_fisher_is_the_curvature_where_prediction_and_measurement_agree(likelihood: AbstractLikelihood) -> None:
    """Each nll is linear or nearly so in the measured counts, so that its mean curvature is that at the mean."""
    perfect = parts(likelihood, EXPECTED, EXPECTED)
    np.testing.assert_allclose(perfect["bend"], perfect["fisher"], rtol=1e-10)


@members
def test_fisher_is_the_expected_curvature_and_the_variance_of_the_slope(likelihood: AbstractLikelihood) -> None:
    """By summing over all counts that a bright pixel may show: both definitions of Fisher's information."""
    mean = 60.0
    if isinstance(likelihood, Gaussian):
        measured = mean + likelihood.deviation * np.linspace(-8, 8, 400)
        chance = stats.norm.pdf(measured, mean, likelihood.deviation)
    else:
        measured = np.arange(400.0)
        chance = stats.poisson.pmf(measured, mean)
    chance = chance / chance.sum()
    seen = {name: np.asarray(part) for name, part in parts(likelihood, np.full(400, mean), measured).items()}
    fisher = seen["fisher"][0]
    assert np.sum(chance * seen["bend"]) == pytest.approx(fisher, rel=0.01)
    assert np.sum(chance * seen["slope"] ** 2) == pytest.approx(fisher, rel=0.02)
    assert np.sum(chance * seen["slope"]) == pytest.approx(0, abs=0.1 * np.sqrt(fisher))


@members
def test_samples(likelihood: AbstractLikelihood) -> None:
    """Their mean is the prediction, the residual has unit variance and nll a mean of a half: a misfit says the same in
    every technique. They follow the key."""
    predicted = jnp.full((200, 200), 300.0)
    draw = jax.jit(likelihood.sample)
    measured, again, other = (np.asarray(draw(jax.random.key(seed), predicted)) for seed in (1, 1, 2))
    assert measured.shape == predicted.shape
    assert measured.dtype == predicted.dtype
    np.testing.assert_array_equal(measured, again)
    assert np.any(measured != other)
    assert measured.mean() == pytest.approx(300.0, abs=5 * measured.std() / 200)
    said = parts(likelihood, predicted.ravel(), measured.ravel())
    assert np.var(said["residual"]) == pytest.approx(1.0, rel=0.03)
    assert np.mean(said["nll"]) == pytest.approx(0.5, rel=0.03)
    if not isinstance(likelihood, Gaussian):
        np.testing.assert_array_equal(measured, np.round(measured))
        assert measured.min() >= 0
        assert measured.var() == pytest.approx(300.0, rel=0.03)


@pytest.mark.parametrize("counts", [-5.0, np.nan, np.inf])
def test_counts_and_deviations_that_cannot_be(counts: float) -> None:
    for likelihood in (Poisson, Amplitude):
        with pytest.raises(JobError, match=r"likelihood\.dark_counts is"):
            likelihood(counts)
    for deviation in (counts, 0.0):
        with pytest.raises(JobError, match=r"likelihood\.deviation is"):
            Gaussian(deviation)
