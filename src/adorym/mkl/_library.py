"""Finds MKL, compiles what stands between it and XLA, and has JAX use it."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax

from adorym._core import AdorymError
from adorym._core.fourier import use_on_cpu

_SOURCE = Path(__file__).with_name("fft.c")

_FUNCTIONS = (
    "DftiCreateDescriptor",
    "DftiSetValue",
    "DftiCommitDescriptor",
    "DftiComputeForward",
    "DftiComputeBackward",
    "DftiErrorMessage",
)
"""In the order of the structure `Dfti` of the source."""

_SEQUENTIAL = 1
"""MKL_THREADING_SEQUENTIAL: MKL needs no library of threads then."""


class MklError(AdorymError):
    """MKL cannot be used here; the message says what is missing.

    Example:
        >>> str(MklError("there is no C compiler."))
        'there is no C compiler.'
    """


def use_mkl(folder: Path) -> str:
    """From now on the package's Fourier transforms on a CPU are MKL's, in whatever is compiled after this call.

    MKL is the `mkl` of this Python's packages, or else the one that the system or the environment has. What stands
    between it and XLA is a small C program: it is compiled by the system's compiler (`CC`, or `cc`) where the folder
    does not hold it yet.

    Args:
        folder: for what is compiled; made where it is not there.

    Returns:
        name and version of the library.

    Raises:
        MklError: there is no MKL, or no compiler, or one of them failed.

    Example:
        >>> from pathlib import Path
        >>> import tempfile
        >>> try:
        ...     used = "Kernel Library" in use_mkl(Path(tempfile.mkdtemp()))
        ... except MklError as error:  # no MKL on this machine, or no compiler
        ...     used = bool(str(error))
        >>> used
        True
    """
    mkl = _loaded()
    bridge, name = _bridge(folder.absolute())
    functions = (ctypes.c_void_p * len(_FUNCTIONS))(
        *(ctypes.cast(getattr(mkl, name), ctypes.c_void_p) for name in _FUNCTIONS)
    )
    bridge.adorym_use(functions)
    use_on_cpu(*(_registered(bridge, symbol, name) for symbol in ("adorym_fft2", "adorym_ifft2")))
    return _version(mkl)


def _registered(bridge: ctypes.CDLL, symbol: str, name: str) -> str:
    """The target by which JAX knows a function; one compiled elsewhere is another."""
    target = f"{symbol}_{name}"
    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(getattr(bridge, symbol)), platform="cpu")
    return target


def _version(mkl: ctypes.CDLL) -> str:
    told = ctypes.create_string_buffer(200)
    mkl.MKL_Get_Version_String(told, len(told))
    return told.value.decode(errors="replace").split(" Product Build")[0].split("-Product")[0].strip()


def _loaded() -> ctypes.CDLL:
    for file in _candidates():
        with contextlib.suppress(OSError, AttributeError):
            mkl = ctypes.CDLL(str(file))
            for name in _FUNCTIONS:
                getattr(mkl, name)
            mkl.MKL_Set_Threading_Layer(_SEQUENTIAL)
            return mkl
    raise MklError("there is no libmkl_rt: on x86-64 Linux, pip install mkl, or adorym with the extra mkl.")


def _candidates() -> Iterator[Path | str]:
    """Where MKL may be, the likeliest first."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("mkl") or ():
            if file.name.startswith("libmkl_rt.so"):
                yield Path(str(file.locate())).resolve()
    yield from sorted((Path(sys.prefix) / "lib").glob("libmkl_rt.so*"))
    if (found := ctypes.util.find_library("mkl_rt")) is not None:
        yield found


def _bridge(folder: Path) -> tuple[ctypes.CDLL, str]:
    """The compiled source, and a short name for it, its place, and the version of XLA's interface."""
    headers = Path(jax.ffi.include_dir())
    made_of = _SOURCE.read_bytes() + (headers / "xla" / "ffi" / "api" / "c_api.h").read_bytes()
    name = hashlib.sha256(made_of + bytes(folder)).hexdigest()[:12]
    file = folder / f"mkl-fft-{name}.so"
    try:
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _compile(file, headers)
        return ctypes.CDLL(str(file)), name
    except OSError as error:
        raise MklError(f"{file} cannot be made or loaded: {error}.") from error


def _compile(file: Path, headers: Path) -> None:
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        raise MklError("there is no C compiler: install gcc or clang, or say by CC where one is.")
    handle, draft = tempfile.mkstemp(suffix=".so", dir=file.parent)
    os.close(handle)
    command = [*compiler.split(), "-O2", "-shared", "-fPIC", f"-I{headers}", str(_SOURCE), "-o", draft, "-lpthread"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MklError(f"{compiler} cannot compile {_SOURCE}:\n{done.stderr.strip()}")
        Path(draft).replace(file)
    finally:
        Path(draft).unlink(missing_ok=True)
