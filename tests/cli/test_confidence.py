"""How far to trust a run: told of every run, more where the job asks, refused beforehand where it cannot be told."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest

from adorym.cli import _confidence
from adorym.cli._run import start_run
from adorym.config import Output, load_job
from adorym.io import read_arrays, read_volume

from .conftest import HOLOGRAPHY, SCAN, made


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    """Eight views, so that they can be halved, one of which is kept back; halves and a posterior."""
    text = HOLOGRAPHY.replace("views = 6", "views = 10").replace("held_out = 3", "held_out = 9")
    both = '[[regularizers]]\nkind = "tikhonov"\nwhere = "object.beta"\nweight = 3.0\n[[stages]]'
    text = text.replace("[[stages]]", both)  # or nothing would keep β from being anything
    settings = ("--set", "stages.0.epochs=2", "--set", "regularizers.0.weight=3", "--set", "scan.photons=1e4")
    text += 'half_sets = true\ndeviation = "posterior"\n'
    return made(tmp_path_factory.mktemp("trusted"), text, *settings)


def summary_of(run):
    return json.loads((run / "summary.json").read_text())


def test_every_run_tells_how_its_views_fit(holography_run, ptychography_run):
    arrays, _ = read_arrays(holography_run / "confidence.h5")
    assert sorted(arrays["view_index"].tolist()) == list(range(6))
    assert arrays["view_held_out"].sum() == 2
    assert arrays["residual_mean"].shape == arrays["residual_mean_square"].shape == (16, 16)
    summary = summary_of(holography_run)
    fitted = ~arrays["view_held_out"]
    assert np.mean(arrays["view_reduced_chi2"][fitted]) == pytest.approx(summary["reduced_chi2"], rel=1e-4)
    assert np.mean(arrays["view_reduced_chi2"][~fitted]) == pytest.approx(summary["held_out_reduced_chi2"], rel=1e-4)
    assert summary["outlier_views"] == []
    assert "deviation" not in summary
    assert "How far to trust it" in (holography_run / "report.html").read_text()
    arrays, _ = read_arrays(ptychography_run / "confidence.h5")
    assert arrays["frame_index"].size == 36
    assert "outlier_frames" in summary_of(ptychography_run)


def test_halves_and_deviations_of_a_volume(volume):
    arrays, _ = read_arrays(volume / "confidence.h5")
    summary = summary_of(volume)
    assert arrays["half_sets_correlation"][0] > 0.5
    assert summary["half_set_resolution_one_seventh"] >= 8e-9
    found, result = summary["deviation"], read_volume(volume / "volume.zarr")
    assert found["kind"] == "posterior"
    assert found["of"] == "δ"
    assert found["mean"] == pytest.approx(result.delta[result.reached].mean(), rel=1e-5)
    assert 0 < found["of_mean"] < 1e-4
    assert found["settled"]
    cut, plane = arrays["deviation"], result.reached[8]
    assert np.array_equal(np.isfinite(cut), plane)
    assert cut[plane].max() > 10 * found["of_mean"]  # a voxel is less certain than the mean of all
    held = (result.delta[8] == 0) & plane
    assert np.mean(cut[held] == 0) > 0.5  # most of what lies at zero is pushed against it
    assert np.all(cut[plane & ~held] > 0)
    report = (volume / "report.html").read_text()
    for words in ("This is a posterior deviation", "Two reconstructions, each from half of the data"):
        assert words in report


@pytest.mark.usefixtures("without_report")
def test_halves_and_scatter_of_an_image(tmp_path, scan):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan) + 'half_sets = true\ndeviation = "scatter"\n')
    outcome = start_run(load_job(tmp_path / "job.toml", ["stages=[{epochs=4}]"]), tmp_path / "run")
    assert outcome.code == 0
    assert outcome.result is not None
    shown = outcome.result.confidence
    assert shown is not None
    assert shown.half_sets is not None
    assert shown.deviations is not None
    assert (shown.deviations.kind, shown.deviations.symbol, shown.deviations.unit) == ("scatter", "phase", "rad")
    assert shown.deviations.cut.ndim == 2
    assert np.nanmedian(shown.deviations.cut) > 0


@pytest.mark.usefixtures("without_report")
def test_a_signal_while_halves_are_reconstructed_ends_the_run_and_resume_goes_on(tmp_path, scan, command, monkeypatch):
    (tmp_path / "job.toml").write_text(SCAN.format(file=scan) + "half_sets = true\n")
    halves = _confidence._halves

    def interrupted(prepared, asked):
        asked._note(signal.SIGTERM, None)
        return halves(prepared, asked)

    monkeypatch.setattr(_confidence, "_halves", interrupted)
    ended = command("reconstruct", "job.toml", "-o", "run", "--set", "stages=[{epochs=1}]")
    assert ended.code == 143
    assert "adorym resume" in ended.err
    assert not (tmp_path / "run" / "summary.json").exists()
    monkeypatch.setattr(_confidence, "_halves", halves)
    assert command("resume", "run").code == 0
    assert "half_set_resolution_half_bit" in summary_of(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "settings", "words"),
    [
        (HOLOGRAPHY, ["output.half_sets=true"], "output.half_sets: simulation has 4 frames in 4 views, too few"),
        (HOLOGRAPHY, ["output.deviation=posterior", "stages.0.free=['probe']"], "refined in no stage"),
        (HOLOGRAPHY, ["output.deviation=guess"], 'expected "none" or "posterior" or "scatter"'),
    ],
)
def test_what_cannot_be_told_is_refused_before_the_run(tmp_path, command, text, settings, words):
    (tmp_path / "job.toml").write_text(text)
    ended = command("reconstruct", "job.toml", "-o", "run", *(word for one in settings for word in ("--set", one)))
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "run").exists()


def test_nothing_of_it_is_the_default():
    assert Output().half_sets is False
    assert Output().deviation == "none"
