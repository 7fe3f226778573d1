"""The comparison with other programs: what drivers say, the one measure, the limits, the page. Nothing is run here."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from benchmarks.peers import programs
from benchmarks.peers.case import CASES, PROBE, SIDE, Case, carried, field, illumination, layers, positions, region
from benchmarks.peers.error import centred, object_error
from benchmarks.peers.page import page
from benchmarks.peers.programs import DRIVERS, PROGRAMS, ROOT, Program, environment, parsed, run
from benchmarks.peers.run import PAGE, curve_of, load, save
from benchmarks.peers.verdicts import of_error, of_speed, reached, until

from adorym.metrics import Gauge

MACHINE = {
    "processor": "a", "cores": 2, "load": [0.0, 2.0], "versions": {"adorym": "1", "jax": "1"}, "date": "2026-01-01",
}  # fmt: skip


def textured(shape, seed=0):
    """A smooth random phase."""
    squared = np.add.outer(*[np.fft.fftfreq(n) ** 2 for n in shape])
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-40 * squared)).real
    return np.exp(0.5j * smooth / smooth.std())


# --- the measurement --------------------------------------------------------------------------------------------------


def test_every_probe_lies_on_the_field_and_is_not_far_above_a_whole_pixel():
    places = positions()
    assert places.shape == (SIDE**2, 2)
    assert np.all(2 * np.abs(places) + PROBE <= field())
    fraction = places - np.floor(places)
    assert fraction.min() >= 0
    assert fraction.max() < 0.5
    assert field() % 2 == 0
    assert region().sum() > 80**2


def test_modes_share_the_photons_and_the_wrong_defocus_is_wrong():
    right = illumination(4, 1e-4)
    shares = np.sum(np.abs(right) ** 2, axis=(1, 2)) / np.sum(np.abs(right) ** 2)
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.1, 0.05])
    wrong = illumination(1, 0.8e-4)
    overlap = abs(np.vdot(wrong, illumination(1, 1e-4))) / np.sum(np.abs(wrong) ** 2)
    assert 0.1 < overlap < 0.9


def test_free_space_there_and_back():
    wave = illumination(1, 1e-4)
    assert np.abs(carried(wave, 2e-5) - wave).max() > 0.1 * np.abs(wave).max()
    np.testing.assert_allclose(carried(carried(wave, 2e-5), -2e-5), wave, atol=1e-9 * np.abs(wave).max())


def test_layers_differ_and_absorb():
    two = layers(2)
    assert two.shape == (2, field(), field())
    assert np.all(np.abs(two) <= 1)
    assert np.abs(two[0] - two[1]).mean() > 0.05
    assert len({case.slug for case in CASES}) == 6


# --- the measure ------------------------------------------------------------------------------------------------------


def test_the_gauge_of_each_slice_is_no_error():
    truth = np.stack([textured((64, 64), seed) for seed in (1, 2)])
    mask = np.zeros((64, 64), bool)
    mask[16:48, 16:48] = True
    gauges = Gauge(1.2 * np.exp(0.3j), (0.01, -0.02), (0.4, -0.7)), Gauge(0.8 + 0j, (0.0, 0.01), (-1.2, 0.3))
    moved = np.stack([gauge.apply(one) for gauge, one in zip(gauges, truth, strict=True)])
    assert object_error(moved, truth, mask) < 0.02  # the part around the region that is compared does not wrap round
    assert object_error(truth, truth, mask) < 1e-9
    assert object_error(np.ones_like(truth), truth, mask) > 0.2
    swapped = object_error(truth[::-1], truth, mask)
    assert swapped > 0.2


def test_an_error_counts_all_slices_and_only_the_region():
    truth = np.stack([textured((48, 48), seed) for seed in (3, 4)])
    mask = np.zeros((48, 48), bool)
    mask[12:36, 12:36] = True
    spoilt = truth.copy()
    spoilt[1, 12:36, 12:36] = textured((24, 24), 9)
    alone = object_error(spoilt[1:], truth[1:], mask)
    assert object_error(spoilt, truth, mask) == pytest.approx(alone / np.sqrt(2), rel=1e-6)
    spoilt = truth.copy()
    spoilt[0, 0, 0] = 5.0
    assert object_error(spoilt, truth, mask) < 1e-6
    spoilt[0, 0, 0] = np.nan
    assert object_error(spoilt, truth, mask) == math.inf


def test_objects_are_cut_or_filled_about_their_middle():
    stack = np.arange(2 * 5 * 4).reshape(2, 5, 4) + 0j
    np.testing.assert_array_equal(centred(stack, 4)[:, :, :], stack[:, 0:4, :])
    wide = centred(stack, 8)
    np.testing.assert_array_equal(wide[:, 2:7, 2:6], stack)
    assert np.all(wide[:, 0] == 1)
    assert centred(stack, 3).shape == (2, 3, 3)


# --- drivers ----------------------------------------------------------------------------------------------------------


def test_what_a_driver_says():
    lines = [
        '{"event": "ready", "seconds": 2.0}', '{"event": "epoch", "epoch": 1, "seconds": 5.0, "object": "000001.npy"}',
        "a library that prints", '{"event": "epoch", "epoch": 2, "seconds": 5.5}',
        '{"event": "epoch", "epoch": 3, "seconds": 6.5}', '{"event": "epo',
    ]  # fmt: skip
    ended = parsed(lines)
    assert (ended.ready, ended.epochs, ended.objects) == (2.0, [5.0, 5.5, 6.5], [(5.0, "000001.npy")])
    assert ended.intervals == [0.5, 1.0]
    assert parsed([]).intervals == []


DRIVER = """
import numpy as np
from protocol import Driver
driver = Driver()
print("not a report")
driver.ready()
while driver.epoch(lambda: np.ones((1, 4, 4)) * 2j):
    pass
"""


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir()
    np.savez(folder / "case.npz", truth=np.ones((1, field(), field()), np.complex64), slices=1)
    return folder


def test_a_driver_is_run_and_its_objects_are_measured(case, tmp_path, monkeypatch):
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    program = Program("adorym", str(driver), "x", "adorym", "nothing")
    monkeypatch.setattr(Program, "own", property(lambda self: True))
    ended = run(program, case, budget=20.0, epochs=3, objects=tmp_path / "kept")
    assert ended.how == "finished"
    assert len(ended.epochs) == 3
    assert ended.epochs == sorted(ended.epochs)
    assert 0 < ended.ready <= ended.epochs[0]
    assert [name for _, name in ended.objects][-1] == "000003.npy"
    np.save(tmp_path / "kept" / "000003.npy", np.ones((1, 4, 4)))
    curve = curve_of(ended, tmp_path / "kept", case)
    assert curve[-1][1] < 1e-6


def test_a_driver_that_fails_says_why(case, tmp_path, monkeypatch):
    driver = tmp_path / "driver.py"
    driver.write_text("raise ValueError('no such thing')")
    monkeypatch.setattr(Program, "own", property(lambda self: True))
    ended = run(Program("a", str(driver), "", "a", ""), case, budget=20.0)
    assert ended.how == "failed: ValueError: no such thing"
    assert ended.epochs == []


def test_a_driver_that_does_not_end_is_given_up(case, tmp_path, monkeypatch):
    driver = tmp_path / "driver.py"
    driver.write_text("import time\ntime.sleep(60)")
    monkeypatch.setattr(Program, "own", property(lambda self: True))
    monkeypatch.setattr(programs, "GRACE", 0.5)
    assert run(Program("a", str(driver), "", "a", ""), case, budget=0.5).how == "given up"


def test_everybody_has_as_many_threads_and_nothing_compiled():
    for program in PROGRAMS:
        told = environment(program, 2)
        assert (DRIVERS / program.driver).is_file()
        assert told["OMP_NUM_THREADS"] == told["PEERS_THREADS"] == "2"
        assert told["JAX_ENABLE_COMPILATION_CACHE"] == "false"
        assert ("standins" in told["PYTHONPATH"]) is not program.own
    wanted = (ROOT / "benchmarks/peers/requirements.txt").read_text(encoding="utf-8")
    for program in PROGRAMS:
        assert program.own or re.search(rf"^{program.package}(\[\w+\])?==", wanted, re.MULTILINE), program.package
    assert "://" not in wanted


# --- limits and page --------------------------------------------------------------------------------------------------

SPEED = {
    "adorym": {"seconds_per_epoch": 0.1}, "Pty-Chi autodiff": {"seconds_per_epoch": 0.3},
    "Pty-Chi LSQML": {"seconds_per_epoch": 0.24}, "phaser": {"seconds_per_epoch": 0.15},
    "cdtools": {"seconds_per_epoch": None},
}  # fmt: skip
ERROR = {
    "adorym, default job": {"curve": [(4.0, 0.2), (8.0, 0.05), (20.0, 0.04)], "ready": 3.0, "how": "finished"},
    "phaser": {"curve": [(10.0, 0.3), (50.0, 0.06), (70.0, 0.01)], "ready": 5.0, "how": "finished"},
    "cdtools": {"curve": [(10.0, 0.03)], "ready": 5.0, "how": "given up"},
    "Pty-Chi LSQML": {"curve": [], "ready": None, "how": "failed: no"},
}


def test_speed_is_judged_by_the_faster_of_each():
    ptychi, fastest = of_speed(SPEED)
    assert ptychi.value == pytest.approx(2.4)
    assert ptychi.met is False
    assert fastest.value == pytest.approx(1.5)
    assert fastest.met is True
    assert all(verdict.met is None for verdict in of_speed({}))


def test_a_peers_error_is_what_it_has_in_its_time():
    curve = [(1.0, 0.5), (2.0, 0.1), (3.0, 0.2)]
    assert reached(curve, 2.5) == reached(curve, 9.0) == 0.1
    assert reached(curve, 0.5) == until(curve, 0.01) == math.inf
    assert until(curve, 0.1) == 2.0
    found = of_error(ERROR)
    assert found["phaser"].value == pytest.approx(50.0 / 8.0)
    assert found["phaser"].met is True
    assert found["cdtools"].value == 0.0
    assert found["cdtools"].met is False
    assert found["Pty-Chi LSQML"].met is None


def test_the_page_tells_limits_machine_and_failures(tmp_path):
    slug = Case(2, 1).slug
    results = {
        "speed": {slug: {"programs": SPEED, "machine": MACHINE}},
        "error": {slug: {"programs": ERROR, "machine": {**MACHINE, "load": [9.0, 9.0]}}},
        "versions": {"torch": "2"},
    }
    text = page(results)
    assert "2.4, **not met**" in text
    assert "1.5, met" in text
    assert "6.25, met" in text
    assert "never" in text
    assert "failed: no" in text
    assert "busy" in text
    assert "torch 2" in text
    assert f"images/peers-{slug}.png" in text
    save(results, tmp_path / "results.json")
    assert load(tmp_path / "results.json") == json.loads(json.dumps(results))
    assert "Nothing was measured yet" in page(load(tmp_path / "none.json"))


def test_the_page_is_that_of_the_results():
    assert PAGE.read_text(encoding="utf-8") == page(load()), "run: python -m benchmarks.peers.run page"
