"""Times the kernels beside what no code can avoid: `make bench`, or a few by name.

    python -m benchmarks.speed.run [NAME ...]

Results go into `benchmarks/speed/results.json` as soon as they are there, and from it into `docs/speed.md`. On a
machine with a GPU the same command times the kernels that a GPU is judged by.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.quality.runs import observed
from benchmarks.speed.settings import Settings
from benchmarks.speed.tables import Place, save_result

from adorym.cli._huge_pages import ask_for_huge_pages

Result = dict[str, Any]

FORETOLD = ("quick-siemens", "dendrite", "holography-1e5", "ptychotomography-low", "siemens-1e5")
FLOOR = ((8, 128, 16), (16, 256, 16), (2, 512, 32), (1, 1024, 256))


def floor(settings: Settings) -> Result:
    """Chains of slabs against 4 FFTs a slab and wave."""
    from benchmarks.speed.chain import against_floor
    from benchmarks.speed.floor import ffts

    shapes = ((4, 16, 4), (1, 32, 4)) if settings.small else FLOOR
    with ffts(settings.pythons) as libraries:
        rows = [against_floor(shape, libraries, settings) for shape in shapes]
        return {"rows": rows, "libraries": libraries.versions}


def memory(settings: Settings) -> Result:
    """Temporaries against the number of slabs."""
    from benchmarks.speed.kernels import memory

    return {"rows": memory(32, (8, 64)) if settings.small else memory(1024, (64, 512))}


def rotation(settings: Settings) -> Result:
    """A rotation and its adjoint against copies."""
    from benchmarks.speed.kernels import rotation

    return rotation(32 if settings.small else 256, settings)


def tomography(settings: Settings) -> Result:
    """A view of a 64³ volume."""
    from benchmarks.speed.floor import ffts
    from benchmarks.speed.scenes import tomography

    with ffts(settings.pythons) as libraries:
        return {**tomography(16 if settings.small else 64, libraries, settings), "libraries": libraries.versions}


def scaling(settings: Settings) -> Result:
    """Time and memory against the laws that they should follow."""
    from benchmarks.speed.scaling import CURVES, measure

    chosen = CURVES[-1:] if settings.small else CURVES
    rows = []
    for curve in chosen:
        rows.append(measure(curve, settings))
        off = ", ".join(f"{what} off by {100 * rows[-1][what]['deviation']:.2g} %" for what in ("time", "memory"))
        print(f"{curve.name}: {off}", flush=True)
    return {"rows": rows}


def forecasts(settings: Settings) -> Result:
    """What `adorym plan` foretells of default jobs, against what they then take."""
    from benchmarks.plan import compared
    from benchmarks.quality.cases import load_cases, write_job

    few = {"stages": [{"solver": "l-bfgs", "epochs": 2}], "regularizers": [], "output": {"evaluations": 2}}
    rows = []
    for case in load_cases(only=FORETOLD[:1] if settings.small else FORETOLD[1:]):
        tables = case.reconstruction(case.simulated()) | (few if settings.small else {})
        rows.append({"job": case.name, **compared(write_job(tables, case.folder / "forecast.toml"), [])})
    return {"rows": rows}


def gpu(settings: Settings) -> Result:
    """Absolute times, and the part of the memory's bandwidth that they use."""
    from benchmarks.speed.gpu import against_bandwidth

    return {"rows": against_bandwidth(settings)}


BENCHMARKS: dict[str, Callable[[Settings], Result]] = {
    one.__name__: one for one in (floor, memory, rotation, tomography, scaling, forecasts, gpu)
}
ON_A_GPU = ("gpu", "memory")


def started() -> str:
    """JAX with a device for each core where there is no GPU, and the FFTs that a job would have; which there is."""
    import jax

    from adorym.cli._jax import choose_transforms, deal_cores_out

    choose_transforms()
    deal_cores_out()
    return jax.default_backend()


def measured(names: list[str], settings: Settings, place: Place) -> None:
    """Each in turn, written down at once."""
    import jax

    for name in names:
        begun = time.monotonic()
        with observed() as machine:
            result = BENCHMARKS[name](settings)
        machine["device"] = f"{jax.local_device_count()} x {jax.local_devices()[0].device_kind}"
        took = round(time.monotonic() - begun, 1)
        save_result(place, name, {**result, "took": took, "machine": machine})
        print(f"{name}: {took:.0f} s", flush=True)


def asked(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help=f"of {', '.join(BENCHMARKS)}, page; or all there are")
    parser.add_argument("--rounds", type=int, default=5, help="how many times what is compared runs in turn")
    parser.add_argument("--python", metavar="PATH", type=Path, action="append", default=[], help="whose FFTs take part")
    parser.add_argument("--results", metavar="FOLDER", type=Path, help="keep results and page there, for a trial")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the benchmarks themselves")
    arguments = parser.parse_args(words)
    unknown = set(arguments.names) - {*BENCHMARKS, "page"}
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}, page")
    if arguments.small and arguments.results is None:
        parser.error("--small is for trials: give --results FOLDER, so that the results stay as they are")
    return arguments


def main(words: list[str] | None = None) -> None:
    """Measure what was asked for, and write the page of all that is known."""
    from benchmarks.speed.page import write_page

    arguments = asked(words)
    place = Place.of(arguments.results)
    if arguments.names != ["page"]:
        ask_for_huge_pages()  # as the command `adorym` does
        import jax

        from adorym.cli._memory import free_memory

        backend = started()
        usual = ON_A_GPU if backend == "gpu" else tuple(name for name in BENCHMARKS if name != "gpu")
        if "gpu" in arguments.names and backend != "gpu" and not arguments.small:
            raise SystemExit("JAX finds no GPU here: make bench-gpu installs what it needs, on a machine that has one.")
        settings = Settings(arguments.rounds, jax.local_device_count(), 0.7 * free_memory(), arguments.small)
        settings = dataclasses.replace(settings, pythons=tuple(arguments.python))
        measured([one for one in arguments.names if one != "page"] or list(usual), settings, place)
    write_page(place)
    print(place.page)


if __name__ == "__main__":
    main()
