"""CXI files: ptychography and single diffraction patterns.

CXI looks along the beam with y up and x to the left (x = -x, y = -y of the conventions) and gives the sample's
translation s; the probe then stands at -s on the sample, which is (+s_y, +s_x) of the file in the conventions' axes.
Frames are turned by what `basis_vectors` says of the detector's slow and fast axes, one per column; the usual (-y, -x)
needs nothing. Positions are counted from the middle of the scan.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from adorym._core import DataError
from adorym.data import Regime, Technique
from adorym.io._hdf5 import Hdf5Frames, array, find, is_hdf5, open_hdf5, scalar
from adorym.io._overrides import Overrides
from adorym.io._recording import Recording, check_frames
from adorym.io._sources import Step, flip_x, flip_y, transpose
from adorym.physics import HC

_JOULE = 1 / 1.602176634e-19


def is_cxi(path: Path) -> bool:
    """Whether a file says it is CXI or has its first entry's data."""
    if not is_hdf5(path):
        return False
    with open_hdf5(path) as file:
        return "cxi_version" in file or "entry_1/data_1" in file


def read_cxi(path: Path, overrides: Overrides, *, entry: int = 1, detector: int = 1) -> Recording:
    """A CXI file; near field where [data] gives `focus_distance` or says so, else far field.

    Args:
        path: the file.
        overrides: the rest of [data].
        entry: which `entry_N` to read.
        detector: which `data_N` and `detector_N` of it.

    Raises:
        DataError: something is missing or contradictory.
    """
    root, place = f"entry_{entry}", f"entry_{entry}/instrument_1/detector_{detector}"
    with open_hdf5(path) as file:
        data = find(file, f"{root}/data_{detector}/data", f"{place}/data")
        if data is None:
            raise DataError(f"{path} has no {root}/data_{detector}/data: set entry or detector in [data].")
        if data.ndim not in (2, 3):
            raise DataError(f"{data.name} in {path} has shape {data.shape}: (frame, y, x) is needed.")
        check_frames(path, data.shape)
        name, shape, count = f"{root}/data_{detector}/data", data.shape, 1 if data.ndim == 2 else data.shape[0]
        if find(file, name) is None:
            name = f"{place}/data"
        translation = _translation(file, f"{root}/data_{detector}", count)
        bad = find(file, f"{place}/mask", f"{root}/image_{detector}/mask")
        mask = None if bad is None else array(bad) == 0
        energy = _energy(file, root)
        distance = scalar(file, f"{place}/distance")
        pixel = _detector_pixel(file, place)
        steps = _orientation(file, place)
    technique: Technique = "cdi" if translation is None else "ptychography"
    return Recording(
        path=path,
        frames=Hdf5Frames(path, name, index=np.arange(count)[None]),
        technique=technique,
        regime=_regime(overrides),
        energy=energy,
        detector_pixel=pixel,
        detector_distance=distance,
        positions=translation,
        mask=None if mask is None else _one_mask(path, mask, shape[-2:]),
        steps=steps,
        notes={} if translation is None else {"positions": "counted from the middle of the scan"},
    )


def _regime(overrides: Overrides) -> Regime:
    given = overrides.focus_distance is not None or overrides.distances is not None
    return overrides.regime or ("near field" if given else "far field")


def _translation(file: h5py.File, place: str, count: int) -> np.ndarray | None:
    """Probe positions (y, x), metres from the middle of the scan."""
    standard = f"{place.partition('/')[0]}/sample_1/geometry_1/translation"
    found = find(file, standard, f"{place}/translation")
    if found is None:
        if count > 1:
            raise DataError(
                f"{file.filename} has {count} frames but no {standard}: choose one with "
                "frames in [data], or add the positions to the file."
            )
        return None
    values = array(found).astype(np.float64)
    if values.ndim != 2 or values.shape[1] < 2 or len(values) != count:
        raise DataError(
            f"{found.name} in {file.filename} has shape {values.shape} for {count} frames: one (x, y, z) per frame is "
            "needed."
        )
    positions = values[:, 1::-1]
    return positions - (positions.min(axis=0) + positions.max(axis=0)) / 2


def _energy(file: h5py.File, root: str) -> float | None:
    """Energy in eV; CXI says joule, some writers mean eV; the wavelength must not contradict it."""
    source = f"{root}/instrument_1/source_1"
    energy, wave = scalar(file, f"{source}/energy"), scalar(file, f"{source}/wavelength")
    if energy is not None and energy < 1.0:  # no photon has a joule
        energy *= _JOULE
    if wave is None or wave <= 0:
        return energy
    if energy is not None and abs(energy * wave / HC - 1) > 0.01:
        raise DataError(
            f"{source} in {file.filename} contradicts itself: {energy:.5g} eV, but a wavelength of {wave:.4g} m "
            f"({HC / wave:.5g} eV); correct the file."
        )
    return HC / wave if energy is None else energy


def _detector_pixel(file: h5py.File, place: str) -> float | None:
    x, y = scalar(file, f"{place}/x_pixel_size"), scalar(file, f"{place}/y_pixel_size")
    if x is not None and y is not None and abs(x - y) > 1e-3 * x:
        raise DataError(f"{place} in {file.filename} has pixels of {x:g} x {y:g} m: only square pixels can be used.")
    if x is None and y is None:
        basis = find(file, f"{place}/basis_vectors")
        return None if basis is None else float(np.linalg.norm(_axes(file, basis)[1]))
    return y if x is None else x


def _orientation(file: h5py.File, place: str) -> tuple[Step, ...]:
    """What turns stored frames to rows down, columns to the right."""
    basis = find(file, f"{place}/basis_vectors")
    if basis is None:
        return ()
    slow, fast = -_axes(file, basis)[:, :2]  # x, y of the conventions
    steps: list[Step] = []
    if abs(slow[0]) > abs(slow[1]):
        steps.append(transpose)
        slow, fast = fast, slow
    if min(abs(slow[1]), abs(fast[0])) < 0.99 * max(np.hypot(*slow), np.hypot(*fast)):
        raise DataError(
            f"{place}/basis_vectors in {file.filename} are not along x and y: a tilted detector cannot be read; "
            "resample its frames."
        )
    if slow[1] < 0:
        steps.append(flip_y)
    if fast[0] < 0:
        steps.append(flip_x)
    return tuple(steps)


def _axes(file: h5py.File, basis: h5py.Dataset) -> np.ndarray:
    """Slow and fast axis as rows, (x, y, z) of CXI; written as columns (3, 2) or as rows (2, 3)."""
    vectors = array(basis).astype(np.float64)
    if vectors.shape not in ((3, 2), (2, 3)) or not np.isfinite(vectors).all():
        raise DataError(f"{basis.name} in {file.filename} has shape {vectors.shape}: two vectors (x, y, z) are needed.")
    return vectors.T if vectors.shape == (3, 2) else vectors


def _one_mask(path: Path, mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """One mask for all frames; per-frame masks keep the pixels that are good in all."""
    one = mask if mask.ndim == 2 else np.asarray(mask.reshape(-1, *mask.shape[-2:]).all(axis=0))
    if one.shape != tuple(shape):
        raise DataError(f"The mask in {path} has shape {mask.shape} but frames have {tuple(shape)}: they must agree.")
    return one
