"""What is drawn is what is meant: the right planes, one colour scale, round scale bars, curves where they belong."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from tests.report import samples

from adorym.report import History, Quantity, _curves, _figures, _side_by_side, _style, _views


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that are drawn, kept for a look at their contents."""
    from matplotlib.figure import Figure

    kept: list[Any] = []
    original = Figure.savefig

    def savefig(self: Any, *arguments: Any, **options: Any) -> None:
        kept.append(self)
        original(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    return kept


def _images(figure: Any) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


def test_the_three_cuts_are_the_planes_their_titles_name() -> None:
    z, y, x = np.meshgrid(np.arange(4), np.arange(6), np.arange(8), indexing="ij")
    volume = 100 * z + 10 * y + x
    front, side, above = (cut.plane(volume) for cut in _views.VOLUME_CUTS)
    np.testing.assert_array_equal(front, volume[2])  # (y, x) at the centre along the beam
    np.testing.assert_array_equal(side, 100 * np.arange(4)[None, :] + 10 * np.arange(6)[:, None] + 4)  # (y, z)
    np.testing.assert_array_equal(above, 100 * np.arange(4)[None, :] + 30 + np.arange(8)[:, None])  # (x, z)


def test_few_layers_are_stretched_and_said_to_be() -> None:
    volume = np.random.default_rng(0).random((3, 40, 24))
    front, side, above = _views.cuts_of(volume)
    assert (front.stretch, side.stretch, above.stretch) == (1, 6, 6)
    assert "6 ×" in side.name
    np.testing.assert_array_equal(side.plane(volume)[:, ::6], volume[:, :, 12].T)
    assert [cut.stretch for cut in _views.cuts_of(np.zeros((8, 8, 8)))] == [1, 1, 1]
    assert _views.cuts_of(volume[:1]) == _views.IMAGE_CUTS


def test_result_and_truth_share_a_scale_and_the_difference_is_symmetric(figures: list[Any]) -> None:
    run = samples.volume_run(16)
    quantity = run.quantities[0]
    picture = _figures.object_picture(quantity, run.settings)
    grid = [axes for axes in figures[0].axes if axes.images]
    assert len(grid) == 9
    scales = [axes.images[0].get_clim() for axes in grid]
    assert len({(round(low, 9), round(high, 9)) for low, high in scales[:6]}) == 1
    assert quantity.truth is not None
    assert scales[0] == pytest.approx((0, quantity.truth.max() / 1e-4))
    assert scales[6][0] == -scales[6][1]
    np.testing.assert_allclose(_images(figures[0])[0] * 1e-4, quantity.values[8])
    np.testing.assert_allclose(_images(figures[0])[6] * 1e-4, (quantity.values - quantity.truth)[8])
    assert "truth" in picture.alt


def test_all_runs_of_a_comparison_share_one_scale(figures: list[Any]) -> None:
    runs = samples.comparison(16, "holography").runs
    _side_by_side.objects_picture(runs)
    scales = [axes.images[0].get_clim() for axes in figures[0].axes if axes.images]
    assert len(scales) == 15
    assert len(set(scales)) == 2  # values, differences


def test_residuals_are_counted_in_noise(figures: list[Any]) -> None:
    frames = samples.frames(24)
    _figures.frames_picture(frames)
    residual = _images(figures[0])[2]
    np.testing.assert_allclose(residual, (frames.measured[0] - frames.predicted[0]) / np.sqrt(frames.predicted[0]))
    assert residual.std() == pytest.approx(1, abs=0.1)
    figures.clear()
    noisy = dataclasses.replace(frames, sigma=np.full(frames.measured.shape, 2.0))
    _figures.frames_picture(noisy)
    np.testing.assert_allclose(_images(figures[0])[2], (frames.measured[0] - frames.predicted[0]) / 2)


def test_unmeasured_pixels_are_not_drawn(figures: list[Any]) -> None:
    frames = samples.frames(24, logarithmic=True)
    measured = frames.measured.copy()
    measured[:, :, 8] = 1e9  # garbage where nothing was measured
    _figures.frames_picture(dataclasses.replace(frames, measured=measured))
    shown = figures[0].axes[0].images[0]
    assert np.ma.getmaskarray(shown.get_array())[:, 8].all()
    assert shown.get_clim()[1] < 1e6


def test_modes_are_ordered_by_their_photons(figures: list[Any]) -> None:
    run = samples.image_run(32)
    assert run.probe is not None
    _figures.probe_picture(run.probe[::-1], 1.0, run.settings)
    titles = [axes.get_title() for axes in figures[0].axes if axes.get_title()]
    assert titles[0].startswith("mode 1: 100 %")
    np.testing.assert_allclose(_images(figures[0])[0], np.abs(run.probe[0]) / np.abs(run.probe[0]).max())


def test_history_draws_only_what_was_measured(figures: list[Any]) -> None:
    history = samples.history(40)
    _curves.history_picture(history, "δ error")
    misfit, error = (axes for axes in figures[0].axes if axes.lines)
    assert len(misfit.lines) == 2
    assert len(misfit.lines[1].get_xdata()) == len(error.lines[0].get_xdata()) == 8  # every fifth step
    assert misfit.get_yscale() == "log"
    figures.clear()
    constant = History(step=np.arange(1, 4), seconds=np.arange(3.0), misfit=np.zeros(3), error=np.full(3, np.nan))
    _curves.history_picture(constant, "δ error")
    assert [axes.get_yscale() for axes in figures[0].axes if axes.lines] == ["linear"]


def test_the_resolution_is_marked_where_the_curve_crosses(figures: list[Any]) -> None:
    run = samples.volume_run(32, sigma=1.3)
    assert run.correlation is not None
    _curves.correlation_picture(run.correlation, run.settings, resolution=run.numbers.resolution)
    mark = figures[0].axes[0].lines[-1].get_xdata()[0]
    assert mark == pytest.approx(run.correlation.crossing())


@pytest.mark.parametrize(("length", "expected"), [(7.3, 5), (5.0, 5), (23.0, 20), (0.19, 0.1), (1000.0, 1000)])
def test_scale_bars_are_round(length: float, expected: float) -> None:
    assert _style.round_length(length) == pytest.approx(expected)


@pytest.mark.parametrize(("voxel", "unit"), [(2e-9, "nm"), (178e-9, "µm"), (5e-6, "µm"), (1e-4, "mm")])
def test_scale_bars_choose_their_unit(voxel: float, unit: str) -> None:
    settings = dataclasses.replace(samples.settings(64), voxel=voxel)
    pixel, name = _views.scale(settings, 64)
    assert name == unit
    assert 1 <= 64 * pixel / 4 < 1e4


def test_labels_carry_the_power_of_ten_and_the_unit() -> None:
    look = _views.look_of([Quantity(symbol="β", values=np.linspace(0, 3e-6, 27).reshape(3, 3, 3))])
    assert look.exponent == -6
    assert look.label == "β (10$^{-6}$)"
    phase = _views.look_of([Quantity(symbol="phase", values=np.linspace(-1, 1, 9).reshape(3, 3), unit="rad")])
    assert phase.label == "phase (rad)"
    assert phase.low < 0
