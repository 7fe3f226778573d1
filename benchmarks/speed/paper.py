"""The problem of the paper: the 256³ cone, by holography from beginning to end, by ptycho-tomography in part.

    python -m benchmarks.speed.paper [cone] [ptychotomography]

`make bench-paper` runs both. Data and runs are kept in `runs/paper/`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.quality.cases import COMMAND, ROOT, write_job
from benchmarks.quality.runs import observed, run_job
from benchmarks.speed.tables import Place, save_result

FOLDER = ROOT / "runs" / "paper"
PHANTOM = {"kind": "cone", "size": 256, "voxel": "1 nm", "energy": "5 keV"}


def cone_tables(size: int, views: int) -> dict[str, Any]:
    """The hologram: 35,000 photons on each pixel, the detector 1 µm behind."""
    return {
        "version": 1,
        "phantom": {**PHANTOM, "size": size},
        "scan": {"kind": "holography", "distances": ["1 um"], "views": views, "photons": 35e3},
        "simulate": {"refine": 2, "slab_voxels": 4},
    }


def scan_tables(size: int, views: int) -> dict[str, Any]:
    """Ptycho-tomography: 23 x 23 positions over the sample, 11.6 pixels apart, 72² frames, a Gaussian probe."""
    pixels = min(72, size // 2 // 2 * 2)
    return {
        "version": 1,
        "phantom": {**PHANTOM, "size": size},
        "scan": {
            "kind": "ptychography",
            "probe": {"pixels": pixels, "sigma": 6.0, "curvature": "0.5 rad"},
            "raster": {"step": round(size / 22, 2), "jitter": 0.0},
            "views": views,
            "photons": 1.9e6,
        },
        "experiment": {"kind": "ptychography", "object_size": size},
    }


def cone(size: int, views: int, *, budget: float) -> dict[str, Any]:
    """Simulated once, reconstructed by the default job in a process of its own."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    tables, data = cone_tables(size, views), FOLDER / f"cone-{size}-{views}.h5"
    simulated = 0.0
    if not data.exists():
        begun = time.monotonic()
        job = write_job(tables, FOLDER / f"cone-{size}-{views}-simulate.toml")
        subprocess.run([*COMMAND, "simulate", job, "-o", data], check=True)
        simulated = time.monotonic() - begun
    job = {"version": 1, "experiment": {"kind": "holography"}, "data": {"file": str(data)}}
    ended = run_job(job, FOLDER / f"cone-{size}-{views}", budget=budget)
    summary = ended.summary
    told = {
        "data": f"{views} views of {size}² pixels, 35,000 photons each",
        "ended": ended.how,
        "wall time": f"{ended.seconds / 60:.3g} min, all included",
        "steps": str(summary.get("steps", len(ended.records))),
        "peak memory": "–" if "peak_memory" not in summary else f"{summary['peak_memory'] / 1e9:.3g} GB",
        "δ error": "–" if ended.error is None else f"{ended.error:.3g}",
        **_resolution(summary),
    }
    if simulated:
        told["simulation"] = f"{simulated / 60:.3g} min, not counted"
    chosen = {name: summary[name] for name in ("error", "peak_memory", "steps", "reduced_chi2") if name in summary}
    seconds = {"seconds": ended.seconds} if ended.how == "finished" else {}
    return {"told": told, **seconds, **chosen}


def _resolution(summary: dict[str, Any]) -> dict[str, str]:
    """By Fourier shell correlation with the truth, where the summary has it."""
    names = {"resolution_half_bit": "half a bit", "resolution_one_seventh": "1/7"}
    found = {name: summary[key] for key, name in names.items() if summary.get(key)}
    return {f"FSC with the truth, {name}": f"{1e9 * value:.3g} nm" for name, value in found.items()}


def scanned(size: int, views: int, *, batches: int) -> dict[str, Any]:
    """What `adorym plan` says of all patterns, and some batches of a pass."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    job = write_job(scan_tables(size, views), FOLDER / f"scan-{size}-{views}.toml")
    asked = subprocess.run([*COMMAND, "plan", str(job), "--json"], check=True, stdout=subprocess.PIPE)
    plan = json.loads(asked.stdout)
    words = [sys.executable, "-m", "benchmarks.speed.passes", str(job), "--batches", str(batches)]
    part = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)
    leg = plan["legs"][-1]
    whole = part["seconds"] / part["batches"] * part["of"]
    frames = plan["frames"]
    steps = plan["time"]["usual_steps"]
    told = {
        "data": f"{frames[0]} views of {frames[1]} frames of {frames[2]}² pixels",
        "plan: memory": f"{plan['memory']['host'] / 1e9:.3g} GB",
        "plan: a pass": _hours(leg["seconds_per_pass"]),
        "plan: in all": f"{_hours(plan['time']['usual'])} for {steps} steps",
        "plan: slabs": f"{plan['sample']['slabs']} of {plan['sample']['slab_voxels']} voxels",
        "measured": f"{part['batches']} of {part['of']} batches of a pass in {part['seconds']:.3g} s, "
        f"{part['frames']} frames; peak {part['peak_memory'] / 1e9:.3g} GB",
        "a pass, extrapolated": _hours(whole),
    }
    if leg["seconds_per_pass"] and plan["time"]["usual"]:
        told["in all, extrapolated"] = _hours(plan["time"]["usual"] * whole / leg["seconds_per_pass"])
    return {"told": told, "plan": plan["time"], "part": part, "pass": whole}


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    for most, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds / 3600:.3g} h"


def main(words: list[str] | None = None) -> None:
    """Do what the command line asks for."""
    from benchmarks.speed.page import write_page

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", metavar="NAME", nargs="*", help="cone, ptychotomography; or both")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--views", type=int, default=500)
    parser.add_argument("--budget", type=float, default=7200.0, help="seconds that the reconstruction may take")
    parser.add_argument("--batches", type=int, default=4, help="batches of a pass over the scan that are run")
    parser.add_argument("--gpu", action="store_true", help="note the cone's numbers as those of a GPU")
    parser.add_argument("--results", metavar="FOLDER", type=Path, help="keep results and page there, for a trial")
    arguments = parser.parse_args(words)
    if (arguments.size, arguments.views) != (256, 500) and arguments.results is None:
        parser.error("other sizes are for trials: give --results FOLDER, so that the results stay as they are")
    unknown = set(arguments.names) - {"cone", "ptychotomography"}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose cone or ptychotomography")
    place = Place.of(arguments.results)
    for name in arguments.names or ("cone", "ptychotomography"):
        begun = time.monotonic()
        with observed() as machine:
            if name == "cone":
                result = cone(arguments.size, arguments.views, budget=arguments.budget)
            else:
                result = scanned(arguments.size, arguments.views, batches=arguments.batches)
        result |= {"machine": machine, "took": round(time.monotonic() - begun, 1)}
        save_result(place, "cone on a GPU" if arguments.gpu and name == "cone" else name, result)
        for what, text in result["told"].items():
            print(f"{what}: {text}", flush=True)
    write_page(place)


if __name__ == "__main__":
    main()
