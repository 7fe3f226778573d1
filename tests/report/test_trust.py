"""The section that says how far to trust a result: bad views are named, and which deviation it is is said."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.report import samples
from tests.report.test_pictures import figures as figures  # noqa: PLC0414
from tests.report.test_report import Page, _check_self_contained, _without_pictures

from adorym.report import Confidence, ViewFits, _trust, write_report

SIZE = 24


def trusted(found: Confidence | None, **numbers: float) -> Any:
    run = _without_pictures(samples.volume_run(SIZE))
    return dataclasses.replace(run, confidence=found, numbers=dataclasses.replace(run.numbers, **numbers))


def page(tmp_path: Path, found: Confidence | None, **numbers: float) -> Page:
    return Page(write_report(tmp_path, samples.content(trusted(found, **numbers))))


def test_everything_is_shown_and_said(tmp_path: Path) -> None:
    shown = page(tmp_path, samples.confidence(SIZE), reduced_chi2=1.04)
    _check_self_contained(shown)
    assert len(shown.images) == 4  # views, residual, halves, deviation
    for words in (
        "How far to trust it",
        "2 views of 60 are explained much less well than the others: “view 17, 102 deg” and “view 40, 240 deg”",
        "a reduced χ² of up to 3.2",
        "kept back from the fit",
        "Grey pixels were not measured",
        "compared detail by detail by the Fourier shell correlation",
        "δ is 3.21 × 10⁻⁵ ± 4.4 × 10⁻⁷ (one standard deviation)",
        "This is a posterior deviation",
        "The posterior standard deviation of δ in the central cut",
    ):
        assert words in shown.text, words
    for words in ("This is a scatter", "lower bounds", "times as large"):
        assert words not in shown.text, words


def test_which_deviation_it_is_is_said(tmp_path: Path) -> None:
    shown = page(tmp_path, samples.confidence(SIZE, kind="scatter"), reduced_chi2=4.0)
    assert "This is a scatter" in shown.text
    assert "The scatter standard deviation of δ" in shown.text
    assert "posterior" not in shown.text
    assert "the reduced χ² of 4 says that more is, and the deviations are to be taken 2 times as large" in shown.text


def test_what_did_not_come_to_rest_or_has_no_bound_is_not_sold_as_known(tmp_path: Path) -> None:
    found = samples.confidence(SIZE)
    assert found.deviations is not None
    rough = dataclasses.replace(found.deviations, settled=False)
    assert "± at least 4.4 × 10⁻⁷" in page(tmp_path, dataclasses.replace(found, deviations=rough)).text
    free = dataclasses.replace(found.deviations, of_mean=np.inf, cut=np.full((SIZE, SIZE), np.inf))
    shown = page(tmp_path, dataclasses.replace(found, deviations=free))
    assert "nothing in the measurement fixes it" in shown.text
    assert "inf" not in shown.text.split()


def test_what_was_not_asked_for_is_left_out(tmp_path: Path) -> None:
    found = samples.confidence(SIZE)
    usual = dataclasses.replace(found, half_sets=None, deviations=None)
    assert len(page(tmp_path, usual).images) == 2
    assert "How far to trust it" not in page(tmp_path, None).text
    assert "How far to trust it" not in page(tmp_path, Confidence()).text


def views(chi2: np.ndarray, **changes: Any) -> ViewFits:
    no = np.zeros(chi2.size, bool)
    return ViewFits(
        **{
            "unit": "view",
            "index": np.arange(chi2.size),
            "reduced_chi2": chi2,
            "held_out": no,
            "outlier": no,
            **changes,
        }
    )


def test_good_views_are_said_to_be_good_if_there_are_enough(tmp_path: Path) -> None:
    assert "Every view is explained about as well" in page(tmp_path, Confidence(views=views(np.ones(8)))).text
    few = page(tmp_path, Confidence(views=views(np.ones(3))))
    assert "about as well" not in few.text
    assert len(few.images) == 1
    assert not page(tmp_path, Confidence(views=views(np.ones(1)))).images


def test_of_many_bad_frames_some_are_named(tmp_path: Path) -> None:
    outlier = np.arange(100) < 20
    bad = tuple(f"frame {i}" for i in range(20))
    found = views(np.where(outlier, 50.0, 1.0), unit="frame", outlier=outlier, bad=bad)
    text = page(tmp_path, Confidence(views=found)).text
    assert "20 frames of 100 are explained much less well" in text
    assert "“frame 11” and 8 more" in text
    one = page(tmp_path, Confidence(views=views(np.ones(9), outlier=np.arange(9) == 2, bad=("view 2",)))).text
    assert "1 view of 9 is explained much less well than the others: “view 2”" in one


def test_the_pictures_show_what_they_say(figures: list[Any]) -> None:
    found = samples.confidence(SIZE)
    assert found.views is not None
    _trust.views_picture(found.views)
    fitted, kept, *circles = figures[0].axes[0].lines[:4]
    assert len(fitted.get_xdata()) == 50
    np.testing.assert_array_equal(kept.get_xdata(), np.arange(3, 60, 6))
    assert [circle.get_xdata()[0] for circle in circles] == [17, 40]
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["17", "40"]
    assert found.residual is not None
    assert found.residual_square is not None
    _trust.residual_picture(found.residual, found.residual_square, 60)
    mean, root = (axes.images[0] for axes in figures[1].axes[:2])
    low, high = mean.get_clim()
    assert low == -high
    assert np.ma.is_masked(mean.get_array()[0, 0])
    np.testing.assert_allclose(root.get_array()[5], np.sqrt(found.residual_square[5]))


@pytest.mark.parametrize("cut", [np.zeros((8, 8)), np.full((8, 8), np.nan)])
def test_degenerate_maps_are_drawn(cut: np.ndarray) -> None:
    found = samples.confidence(SIZE).deviations
    assert found is not None
    assert _trust.deviation_picture(dataclasses.replace(found, cut=cut), samples.settings(8)).png
    assert _trust.residual_picture(cut, cut, 0).png
