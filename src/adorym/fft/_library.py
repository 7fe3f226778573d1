"""Finds a library for Fourier transforms, compiles what stands between it and XLA, and has JAX use it."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import dataclasses
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from adorym._core import AdorymError
from adorym._core.crossing import cross_on_cpu
from adorym._core.fourier import Targets, use_on_cpu

_SOURCE = Path(__file__).with_name("fft.c")

_FIRST_CACHE = 32 << 10
"""Bytes of a wave that a processor's first cache has room for."""

_SEQUENTIAL = 1
"""MKL_THREADING_SEQUENTIAL: MKL needs no library of threads then."""

_OWN = ctypes.DEFAULT_MODE | getattr(os, "RTLD_DEEPBIND", 0)
"""How to load a library: it calls its own functions. MKL offers all processes that have loaded it some of FFTW's names,
and FFTW would call those."""

_DFTI = (
    "DftiCreateDescriptor",
    "DftiSetValue",
    "DftiCommitDescriptor",
    "DftiComputeForward",
    "DftiComputeBackward",
    "DftiErrorMessage",
)
"""In the order of the structure `Library` of mkl.h."""

_OF_FFTW = ("plan_dft_2d", "plan_many_dft", "execute_dft", "export_wisdom_to_filename")
"""In the order of the structure `Functions` of fftw.h."""


class FftError(AdorymError):
    """A library cannot be used here; the message says what is missing.

    Example:
        >>> str(FftError("there is no C compiler."))
        'there is no C compiler.'
    """


@dataclasses.dataclass(frozen=True)
class _Library:
    """A library for Fourier transforms.

    Attributes:
        package: of Python's packages, the one that brings it.
        stems: names of its files.
        divided: whether its inverse is divided by the number of points.
        transposed: bytes of a wave above which it is given the transpose of what it filters by, if ever.
        opened: from its files and the folder of what is kept to the structure `Library` of its header, and its version.
    """

    package: str
    stems: tuple[str, ...]
    divided: bool
    transposed: int | None
    opened: Callable[[tuple[ctypes.CDLL, ...], Path], tuple[Any, str]]


def use_library(name: str, folder: Path) -> str:
    """From now on the package's Fourier transforms on a CPU are a library's, in whatever is compiled after this call.

    The library is that of this Python's packages, or else the one that the system or the environment has. What stands
    between it and XLA is a small C program: it is compiled by the system's compiler (`CC`, or `cc`) where the folder
    does not hold it yet.

    Args:
        name: "mkl" or "fftw".
        folder: for what is compiled, and for the plans that FFTW found; made where it is not there.

    Returns:
        name and version of the library.

    Raises:
        FftError: there is no such library, or no compiler, or one of them failed.

    Example:
        >>> from pathlib import Path
        >>> import tempfile
        >>> try:
        ...     used = "Kernel Library" in use_library("mkl", Path(tempfile.mkdtemp()))
        ... except FftError as error:  # no MKL on this machine, or no compiler
        ...     used = bool(str(error))
        >>> used
        True
    """
    library, folder = _LIBRARIES[name], folder.absolute()
    files = tuple(_loaded(name, library.package, stem) for stem in library.stems)
    bridge, target = _bridge(name, folder)
    try:
        functions, version = library.opened(files, folder)
    except (AttributeError, ValueError) as error:
        raise FftError(f"{', '.join(file._name for file in files)} cannot be used: {error}.") from error
    bridge.adorym_use(ctypes.byref(functions))
    symbols = ("adorym_fft2", "adorym_ifft2", "adorym_filter2", "adorym_ifilter2")
    names = (_registered(bridge, symbol, target) for symbol in symbols)
    targets = Targets(*names, divided=library.divided, transposed=library.transposed)
    use_on_cpu(targets)
    cross_on_cpu(targets)
    return version


def fastest_first() -> tuple[str, ...]:
    """The libraries in the order in which to look for them: MKL is made for Intel's processors.

    Example:
        >>> sorted(fastest_first())
        ['fftw', 'mkl']
    """
    with contextlib.suppress(OSError):
        if "GenuineIntel" in Path("/proc/cpuinfo").read_text(encoding="utf-8"):
            return "mkl", "fftw"
    return "fftw", "mkl"


def _registered(bridge: ctypes.CDLL, symbol: str, name: str) -> str:
    """The target by which JAX knows a function; one compiled elsewhere is another."""
    target = f"{symbol}_{name}"
    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(getattr(bridge, symbol)), platform="cpu")
    return target


def _mkl(files: tuple[ctypes.CDLL, ...], folder: Path) -> tuple[Any, str]:
    (mkl,) = files
    mkl.MKL_Set_Threading_Layer(_SEQUENTIAL)
    told = ctypes.create_string_buffer(200)
    mkl.MKL_Get_Version_String(told, len(told))
    version = told.value.decode(errors="replace").split(" Product Build")[0].split("-Product")[0].strip()
    return (ctypes.c_void_p * len(_DFTI))(*(_address(mkl, name) for name in _DFTI)), version


class _Fftw(ctypes.Structure):
    """`Library` of fftw.h."""

    _fields_ = (("both", ctypes.c_void_p * (2 * len(_OF_FFTW))), ("files", (ctypes.c_char * 4096) * 2))


def _fftw(files: tuple[ctypes.CDLL, ...], folder: Path) -> tuple[Any, str]:
    functions = _Fftw()
    for index, (file, prefix) in enumerate(zip(files, ("fftw", "fftwf"), strict=True)):
        for place, name in enumerate(_OF_FFTW, start=len(_OF_FFTW) * index):
            functions.both[place] = _address(file, f"{prefix}_{name}")
        functions.files[index].value = path = bytes(folder / f"{prefix}-plans")
        getattr(file, f"{prefix}_import_wisdom_from_filename")(path)  # 0 where there is none yet
    version = (ctypes.c_char * 64).in_dll(files[1], "fftwf_version").value.decode(errors="replace")
    return functions, version.replace("fftw-", "FFTW ", 1)


_LIBRARIES = {
    "mkl": _Library("mkl", ("libmkl_rt",), True, None, _mkl),
    "fftw": _Library("pyfftw", ("libfftw3", "libfftw3f"), False, _FIRST_CACHE, _fftw),
}


def _address(file: ctypes.CDLL, name: str) -> int | None:
    return ctypes.cast(getattr(file, name), ctypes.c_void_p).value


def _loaded(name: str, package: str, stem: str) -> ctypes.CDLL:
    for file in _candidates(package, stem):
        with contextlib.suppress(OSError):
            return ctypes.CDLL(str(file), mode=_OWN)
    raise FftError(f"there is no {stem}: pip install {package}, or adorym with the extra {name}.")


def _candidates(package: str, stem: str) -> Iterator[Path | str]:
    """Where a file may be, the likeliest first: of this Python, of its environment, of the system."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files(package) or ():
            if file.name.startswith((f"{stem}.so", f"{stem}-", f"{stem}.")) and ".so" in file.name:
                yield Path(str(file.locate())).resolve()
    yield from sorted((Path(sys.prefix) / "lib").glob(f"{stem}.so*"))
    if (found := ctypes.util.find_library(stem.removeprefix("lib"))) is not None:
        yield found


def _bridge(name: str, folder: Path) -> tuple[ctypes.CDLL, str]:
    """The compiled source, and a short name for it, its place, and the version of XLA's interface."""
    headers, header = Path(jax.ffi.include_dir()), _SOURCE.with_name(f"{name}.h")
    parts = (_SOURCE, header, headers / "xla" / "ffi" / "api" / "c_api.h")
    made_of = b"".join(part.read_bytes() for part in parts)
    target = f"{name}_{hashlib.sha256(made_of + bytes(folder) + b'%d' % _FIRST_CACHE).hexdigest()[:12]}"
    file = folder / f"{target}.so"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            _compile(file, headers, header)
        return ctypes.CDLL(str(file)), target
    except OSError as error:
        raise FftError(f"{file} cannot be made or loaded: {error}.") from error


def _compile(file: Path, headers: Path, header: Path) -> None:
    compiler = os.environ.get("CC") or next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None:
        raise FftError("there is no C compiler: install gcc or clang, or say by CC where one is.")
    handle, draft = tempfile.mkstemp(suffix=".so", dir=file.parent)
    os.close(handle)
    flags = [
        "-O3",
        "-fno-strict-aliasing",
        "-shared",
        "-fPIC",
        f"-I{headers}",
        f'-DLIBRARY="{header}"',
        f"-DFIRST_CACHE={_FIRST_CACHE}",
    ]
    command = [*compiler.split(), *flags, str(_SOURCE), "-o", draft, "-lpthread"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise FftError(f"{compiler} cannot compile {_SOURCE}:\n{done.stderr.strip()}")
        Path(draft).replace(file)
    finally:
        Path(draft).unlink(missing_ok=True)
