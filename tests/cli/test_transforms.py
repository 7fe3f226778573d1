"""Who makes a processor's Fourier transforms: MKL where it is installed, or what the environment says."""

from __future__ import annotations

import pytest

from adorym._core import JobError
from adorym.cli._jax import choose_transforms
from adorym.cli._results import environment
from adorym.mkl import MklError


def broken(_):
    raise MklError("there is none.")


def test_without_mkl_they_are_xlas_and_the_reason_is_kept(monkeypatch):
    monkeypatch.delenv("ADORYM_FFT", raising=False)
    monkeypatch.setattr("adorym.mkl.use_mkl", broken)
    assert choose_transforms() == "XLA: there is none."
    assert environment()["Fourier transforms"] == "XLA: there is none."


def test_mkl_that_is_asked_for_has_to_be_there(monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", "mkl")
    monkeypatch.setattr("adorym.mkl.use_mkl", lambda folder: f"MKL in {folder.name}")
    assert choose_transforms() == "MKL in mkl"
    monkeypatch.setattr("adorym.mkl.use_mkl", broken)
    with pytest.raises(JobError, match="asks for MKL: there is none"):
        choose_transforms()


def test_they_may_be_left_to_xla(monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", "xla")
    monkeypatch.setattr("adorym.mkl.use_mkl", broken)
    assert choose_transforms() == "XLA, by ADORYM_FFT"


def test_what_is_unknown_is_refused(monkeypatch):
    monkeypatch.setenv("ADORYM_FFT", "fftw")
    with pytest.raises(JobError, match=r'"fftw".*auto, mkl, xla'):
        choose_transforms()


def test_no_home_to_compile_in_is_no_error(monkeypatch, tmp_path):
    monkeypatch.delenv("ADORYM_FFT", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert choose_transforms()
