"""Who makes a processor's Fourier transforms: MKL or FFTW where they are installed, or what the environment says."""

from __future__ import annotations

import pytest

from adorym._core import JobError
from adorym.cli._jax import choose_transforms
from adorym.cli._results import environment
from adorym.fft import FftError


def broken(name, folder):
    raise FftError(f"there is no {name}.")


def test_without_a_library_they_are_xlas_and_the_reasons_are_kept(monkeypatch):
    monkeypatch.delenv("ADORYM_FFT", raising=False)
    monkeypatch.setattr("adorym.fft.use_library", broken)
    monkeypatch.setattr("adorym.fft.fastest_first", lambda: ("fftw", "mkl"))
    assert choose_transforms() == "XLA: there is no fftw. there is no mkl."
    assert environment()["Fourier transforms"] == "XLA: there is no fftw. there is no mkl."


def test_the_second_library_is_taken_where_the_first_is_missing(monkeypatch):
    monkeypatch.delenv("ADORYM_FFT", raising=False)
    monkeypatch.setattr("adorym.fft.fastest_first", lambda: ("fftw", "mkl"))
    monkeypatch.setattr(
        "adorym.fft.use_library", lambda name, folder: broken(name, folder) if name == "fftw" else f"here is {name}"
    )
    assert choose_transforms() == "here is mkl"


@pytest.mark.parametrize("name", ["mkl", "fftw"])
def test_a_library_that_is_asked_for_has_to_be_there(name, monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", name)
    monkeypatch.setattr("adorym.fft.use_library", lambda name, folder: f"{name} in {folder.name}")
    assert choose_transforms() == f"{name} in fft"
    monkeypatch.setattr("adorym.fft.use_library", broken)
    with pytest.raises(JobError, match=f"asks for {name.upper()}: there is no {name}"):
        choose_transforms()


def test_they_may_be_left_to_xla(monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", "xla")
    monkeypatch.setattr("adorym.fft.use_library", broken)
    assert choose_transforms() == "XLA, by ADORYM_FFT"


def test_what_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", "cufft")
    with pytest.raises(JobError, match=r'"cufft".*auto, mkl, fftw, xla'):
        choose_transforms()


def test_no_home_to_compile_in_is_no_error(monkeypatch, tmp_path):
    monkeypatch.delenv("ADORYM_FFT", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose_transforms()
