"""Results for other programs: TIFF stacks that open in ImageJ with their scale, HDF5 that plots as NeXus."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np

from adorym._core import DataError, JobError
from adorym.io._atomic import atomic_path
from adorym.io._folders import make_folder
from adorym.io._omezarr import read_image, read_volume
from adorym.io._run_folder import RunFolder

_NANOMETER = 1e-9
_IMAGEJ_LIMIT = 2**32 - 2**20


def export_run(
    run: str | os.PathLike[str],
    to: str,
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write a run's result for other programs.

    Args:
        run: the RUN folder.
        to: "tiff": one 32-bit stack per quantity (`delta.tif` and `beta.tif`, or `phase.tif` and `amplitude.tif`)
            in the folder `output`, with the voxel size in nm; "hdf5": one file `output` with the same arrays, in SI
            units, as a NeXus plot.
        output: the folder (TIFF) or file (HDF5) to write.
        overwrite: replace files that exist.

    Returns:
        the files written.

    Raises:
        DataError: the run has no result yet.
        JobError: an unknown format, or a file that exists.
        AdorymError: a file cannot be written.

    Example:
        >>> import tempfile
        >>> from adorym.io._omezarr import ImageResult, write_image
        >>> run = RunFolder.create(tempfile.mkdtemp() + "/run", "")
        >>> square = np.ones((4, 4), np.float32)
        >>> _ = write_image(run.image, ImageResult(phase=square, amplitude=square, pixel=1e-8, energy=8e3))
        >>> [path.name for path in export_run(run.path, "tiff", run.path.parent / "tiff")]
        ['phase.tif', 'amplitude.tif']
    """
    result, target = _result(RunFolder.open(run)), Path(output)
    if to == "tiff":
        files = [target / f"{name}.tif" for name in result.arrays]
        _check_absent(files, overwrite)
        make_folder(target)
        for path, array in zip(files, result.arrays.values(), strict=True):
            _write_tiff(path, array, result)
        return files
    if to == "hdf5":
        _check_absent([target], overwrite)
        _write_hdf5(target, result)
        return [target]
    raise JobError(f'Format "{to}" is not known: export to "tiff" or "hdf5".')


@dataclasses.dataclass(frozen=True)
class _Exported:
    arrays: dict[str, np.ndarray]
    voxel: float
    energy: float | None

    @property
    def physical(self) -> bool:
        return self.energy is not None or self.voxel != 1.0


def _result(run: RunFolder) -> _Exported:
    if run.volume.is_dir():
        volume = read_volume(run.volume)
        return _Exported({"delta": volume.delta, "beta": volume.beta}, volume.voxel, volume.energy)
    if run.image.is_dir():
        image = read_image(run.image)
        return _Exported({"phase": image.phase, "amplitude": image.amplitude}, image.pixel, image.energy)
    raise DataError(f"{run.path} holds no result yet: finish the run with `adorym resume {run.path}`.")


def _check_absent(files: list[Path], overwrite: bool) -> None:
    present = [path for path in files if path.exists()]
    if present and not overwrite:
        raise JobError(f"{present[0]} exists already: choose another place with -o, or replace it with --overwrite.")


def _write_tiff(path: Path, array: np.ndarray, result: _Exported) -> None:
    """ImageJ's own TIFF where it fits into 4 GB, OME-TIFF beyond; both carry the voxel size."""
    import tifffile

    axes = "ZYX" if array.ndim == 3 else "YX"
    size = result.voxel / _NANOMETER if result.physical else 1.0
    unit = "nm" if result.physical else "pixel"
    data = np.asarray(array, dtype=np.float32)
    with atomic_path(path) as part:
        if data.nbytes < _IMAGEJ_LIMIT:
            metadata = {"axes": axes, "spacing": size, "unit": unit, "min": float(data.min()), "max": float(data.max())}
            tifffile.imwrite(part, data, imagej=True, resolution=(1 / size, 1 / size), metadata=metadata)
        else:
            sizes = {f"PhysicalSize{axis}": size for axis in axes} | {f"PhysicalSize{axis}Unit": unit for axis in axes}
            tifffile.imwrite(part, data, ome=True, bigtiff=True, metadata={"axes": axes, **sizes})


def _write_hdf5(path: Path, result: _Exported) -> None:
    """NeXus: an NXdata whose default plot is the first quantity, with the axes' places in metres."""
    import h5py

    names = list(result.arrays)
    shape = result.arrays[names[0]].shape
    axes = ("z", "y", "x")[-len(shape) :]
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry"})
        entry = file.create_group("entry")
        entry.attrs.update({"NX_class": "NXentry", "default": "result"})
        group = entry.create_group("result")
        group.attrs.update({"NX_class": "NXdata", "signal": names[0], "auxiliary_signals": names[1:], "axes": axes})
        for name, array in result.arrays.items():
            dataset = group.create_dataset(name, data=array, chunks=True, compression="gzip", shuffle=True)
            dataset.attrs["units"] = "rad" if name == "phase" else "1"
        for axis, size in zip(axes, shape, strict=True):
            group[axis] = (np.arange(size) - (size - 1) / 2) * result.voxel
            group[axis].attrs["units"] = "m" if result.physical else "pixel"
        group["voxel_size"] = result.voxel
        group["voxel_size"].attrs["units"] = "m" if result.physical else "pixel"
        if result.energy is not None:
            entry["energy"] = result.energy
            entry["energy"].attrs["units"] = "eV"
