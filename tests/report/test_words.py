"""Numbers and settings read as a person would write them."""

from __future__ import annotations

import dataclasses
import math

import pytest
from tests.report import samples

from adorym.report import _words

VOLUME = samples.settings(64)
IMAGE = samples.image_run(64).settings


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.354444, "0.354"), (1.2e-3, "0.0012"), (1.234e-5, "1.23 × 10⁻⁵"), (1e7, "10⁷"),
        (1.4e5, "1.4 × 10⁵"), (2940.0, "2,940"), (12.34, "12.3"), (999.9, "1,000"), (-3e-7, "-3 × 10⁻⁷"),
        (None, "–"), (math.nan, "–"), (math.inf, "–"),
    ],
)  # fmt: skip
def test_numbers(value: float | None, text: str) -> None:
    assert _words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(2e-9, "2 nm"), (1.7866e-7, "179 nm"), (1e-6, "1 µm"), (0.99999e-6, "1 µm"), (3.65e-3, "3.65 mm"), (2.0, "2 m")],
)
def test_lengths(value: float, text: str) -> None:
    assert _words.length(value, VOLUME) == text
    assert _words.length(None, VOLUME) == "–"


def test_lengths_without_a_scale_are_pixels() -> None:
    assert [_words.length(value, IMAGE) for value in (1.0, 2.5)] == ["1 pixel", "2.5 pixels"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.52, "0.52 s"), (9.4, "9.4 s"), (76.3, "76 s"), (140.0, "2 min 20 s"), (7300.0, "2 h 01 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert _words.duration(seconds) == text


def test_energies_memory_lists() -> None:
    assert (_words.energy(5000.0), _words.energy(12658.0), _words.energy(284.2)) == ("5 keV", "12.658 keV", "284.2 eV")
    assert (_words.memory(9e8), _words.memory(1.42e9), _words.memory(None)) == ("900 MB", "1.4 GB", "–")
    assert (_words.joined(["a"]), _words.joined(["a", "b", "c"]), _words.joined([])) == ("a", "a, b and c", "")
    assert (_words.percent(0.354), _words.percent(0.0213)) == ("35 %", "2.1 %")


@pytest.mark.parametrize(
    ("technique", "words"),
    [
        ("holography", "a detector 428 nm behind it recorded 60 holograms, one at each of 60 angles"),
        ("tomography", "recorded 60 shadows, one at each of 60 angles"),
        ("cdi", "Coherent x-rays of 1 keV"),
    ],
)
def test_every_technique_is_told(technique: str, words: str) -> None:
    assert words in _words.description(dataclasses.replace(VOLUME, technique=technique))[0]


def test_several_frames_per_view_and_several_distances_are_told() -> None:
    settings = dataclasses.replace(VOLUME, frames=120, distances=(4e-7, 8e-7))
    text = _words.description(settings)[0]
    assert "400 nm and 800 nm behind it recorded 120 holograms, at each of 60 angles" in text


def test_the_verdict_is_one_sentence_per_fact() -> None:
    run = samples.volume_run(24)
    text = _words.verdict(run)
    assert text.startswith(
        "The result explains the measured frames to a misfit of 0.00197, 3.4 % of what an empty sample"
    )
    assert "It differs from the truth by" in text
    bare = dataclasses.replace(run, numbers=dataclasses.replace(run.numbers, error=None, resolution=None))
    assert "truth" not in _words.verdict(bare)


def test_rows_that_do_not_apply_are_left_out() -> None:
    names = [name for name, _ in _words.table_rows(IMAGE)]
    assert "Wavelength" not in names
    assert "Slabs" not in names
    volume = dict(_words.table_rows(VOLUME))
    assert volume["Slabs"] == "16 slabs of 8 nm"
    assert volume["Volume"] == "64 × 64 × 64 (128 nm × 128 nm × 128 nm)"
    assert volume["Seed"] == "7"
    assert dict(_words.table_rows(dataclasses.replace(VOLUME, slabs=1)))["Slabs"].startswith("1 (")
