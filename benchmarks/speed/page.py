"""The page of results: what is met, what is not, and how it was measured."""

from __future__ import annotations

from typing import Any

from benchmarks.quality.runs import busy
from benchmarks.speed.figures import curves
from benchmarks.speed.limits import Results, Verdict, shape_told, verdicts
from benchmarks.speed.tables import Place, load_results
from benchmarks.speed.words import (
    EXPLAINED,
    FLOOR,
    FORECASTS,
    GPU,
    INTRODUCTION,
    MEMORY,
    NO_GPU,
    PAPER,
    ROTATION,
    SCALING,
    TOMOGRAPHY,
    TRIED,
)

from adorym.io._atomic import write_atomic

_MARKS = {True: "met", False: "**not met**", None: "*not measured*"}


def write_page(place: Place) -> None:
    """The page with its pictures."""
    results = load_results(place)
    place.images.mkdir(parents=True, exist_ok=True)
    rows = results.get("scaling", {}).get("rows", [])
    for what, unit, scale in (("time", "ms", 1e3), ("memory", "MB", 1e-6)):
        if any(what in row for row in rows):
            (place.images / f"speed-{what}.png").write_bytes(curves(rows, what, unit=unit, scale=scale))
    write_atomic(place.page, page(results).encode())


def page(results: Results) -> str:
    """The page as Markdown."""
    found = verdicts(results)
    parts = [
        INTRODUCTION,
        _summary(found),
        _circumstances(results),
        FLOOR,
        *_floor(results.get("floor")),
        TRIED,
        MEMORY,
        *_memory(results.get("memory")),
        ROTATION,
        *_rotation(results.get("rotation")),
        TOMOGRAPHY,
        *_tomography(results.get("tomography")),
        SCALING,
        *_scaling(results.get("scaling")),
        FORECASTS,
        *_forecasts(results.get("forecasts")),
        PAPER,
        *_paper(results),
        GPU,
        *_gpu(results),
    ]
    return "\n".join(part for part in parts if part)


def _summary(found: list[Verdict]) -> str:
    lines = []
    for met, title in ((True, "Met"), (False, "Not met"), (None, "Not measured yet")):
        chosen = [one for one in found if one.met is met]
        lines.append(f"- **{title}**{':' if chosen else ': nothing.'}")
        lines += [f"    - {one.what}{f': {one.told}' if one.told else ''}" for one in chosen]
    return "\n".join([*lines, ""])


def _circumstances(results: Results) -> str:
    if not results:
        return ""
    lines = _table("benchmark", "when", "machine", "load before, after", "versions", "seconds")
    for name, result in results.items():
        machine = result["machine"]
        versions = ", ".join(f"{what} {which}" for what, which in machine["versions"].items())
        load = ", ".join(f"{one:g}" for one in machine["load"]) + (" †" if busy(machine) else "")
        place = f"{machine['processor']}, {machine['cores']} cores, {machine.get('device', '')}"
        cells = (name, machine["date"], place, load, versions, f"{result['took']:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    if any(busy(result["machine"]) for result in results.values()):
        lines.append("\n† Other programs kept the machine busy: ratios still hold roughly, absolute times do not.")
    return "\n".join([*lines, ""])


def _table(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]


def _floor(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    lines = _table("chain", "ms", "its backward pass", "4 FFTs a slab, ms", "by", "ratio", "median", "JAX's own FFTs")
    for row in result["rows"]:
        seconds = row["seconds"]
        cells = [
            shape_told(row["shape"]),
            f"{1e3 * seconds[row['by']]:.4g}",
            row["by"],
            f"{1e3 * seconds[row['floor by']]:.4g}",
            row["floor by"],
            f"**{row['ratio']:.3g}**",
            f"{row['median']:.3g}",
            f"{row['JAX' + chr(39) + 's FFTs']:.3g}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(result["libraries"].items()))
    lines.append(f"\nLibraries that took part: {libraries}.")
    if not any("torch" in name for name in result["libraries"]):
        lines.append("MKL through torch did not: `.venv-peers` was not there (`make bench-peers` sets it up).")
    every = ["", "All that were timed in the rounds, in ms:", ""]
    for row in result["rows"]:
        told = ", ".join(f"{name} {1e3 * s:.4g}" for name, s in sorted(row["seconds"].items(), key=lambda one: one[1]))
        every.append(f"- {shape_told(row['shape'])}, {row['rounds']} rounds: {told}")
    return ["\n".join([*lines, *every, ""])]


def _memory(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    depths = result["rows"][0]["slabs"]
    lines = _table("backward pass", *(f"{depth} slabs, waves" for depth in depths), "growth")
    for row in result["rows"]:
        waves = " | ".join(f"{one:.4g}" for one in row["waves"])
        lines.append(f"| {row['by']} | {waves} | {100 * row['growth']:.2g} % |")
    return ["\n".join([*lines, ""])]


def _rotation(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    seconds = result["seconds"]
    lines = _table("256³", "ms", "copies") if result["size"] == 256 else _table(f"{result['size']}³", "ms", "copies")
    for name, one in {**result["parts"], "forward and adjoint": {"ratio": result["ratio"]}}.items():
        took = seconds["both" if name == "forward and adjoint" else name]
        lines.append(f"| {name} | {1e3 * took:.3g} | {one['ratio']:.3g} |")
    copies = ", ".join(f"{name} {1e3 * seconds[name]:.3g} ms" for name in ("copy", "copy by JAX", "copy onto a copy"))
    return ["\n".join([*lines, f"\nCopies of the volume: {copies}; counted in: {result['by']}.", ""])]


def _tomography(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    lines = _table(f"a view of {result['size']}³", "ms")
    lines += [f"| {name} | {one:.3g} |" for name, one in result["ms a view"].items()]
    told = (
        f"\nThrough every slab: **{result['ratio']:.3g}** times its {4 * result['size']} FFTs by {result['floor by']} "
        f"(median {result['median']:.3g}), and {result['together']:.3g} times those of {result['views']} views in one "
        f"call. Gradients are of {result['views']} views, dealt out over the host devices. Chosen slabs have "
        f"{result['slab_voxels']} voxels; with vacuum around the frame waves are "
        f"{' x '.join(map(str, result['between']))} pixels between the slabs and "
        f"{' x '.join(map(str, result['grid']))} on the way to the detector.\n"
    )
    return ["\n".join([*lines, told])]


def _scaling(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    lines = _table("what grows", "n", "time", "off by", "memory", "off by")
    notes = []
    for row in result["rows"]:
        cells = [row["curve"], f"{row['sizes'][0]} to {row['sizes'][-1]}"]
        for what in ("time", "memory"):
            told = row.get(what)
            cells += [told["law"], f"{100 * told['deviation']:.2g} %"] if told else ["–", "–"]
            if told and told["deviation"] > 0.15 and (row["curve"], what) in EXPLAINED:
                notes.append(f"- {what} against {row['curve']}: {EXPLAINED[row['curve'], what]}")
        lines.append(f"| {' | '.join(cells)} |")
    pictures = "![time against what grows](images/speed-time.png)\n\n![memory](images/speed-memory.png)\n"
    return ["\n".join([*lines, "", *notes, "", pictures])]


def _forecasts(result: dict[str, Any] | None) -> list[str]:
    if result is None:
        return ["*Not measured yet.*\n"]
    lines = _table(
        "job", "steps: at a binning, on every how many-th view", "memory foretold", "taken", "time foretold", "taken"
    )
    for row in result["rows"]:
        memory = [f"{one / 1e6:.0f} MB" for one in row["memory"]]
        seconds = [f"{one:.3g} s" for one in row["time"]]
        lines.append(f"| `{row['job']}` | {' | '.join([row['steps'], *memory, *seconds])} |")
    return ["\n".join([*lines, ""])]


def _paper(results: Results) -> list[str]:
    parts = []
    cone, scan = results.get("cone"), results.get("ptychotomography")
    parts.append(_numbers("The cone by holography", cone) if cone else "The cone: *not measured yet.*\n")
    parts.append(_numbers("Ptycho-tomography", scan) if scan else "Ptycho-tomography: *not measured yet.*\n")
    return parts


def _numbers(title: str, result: dict[str, Any]) -> str:
    lines = [f"### {title}\n", *_table("", "")]
    lines += [f"| {name} | {text} |" for name, text in result["told"].items()]
    return "\n".join([*lines, ""])


def _gpu(results: Results) -> list[str]:
    if "gpu" not in results:
        return [NO_GPU]
    rows = results["gpu"]["rows"]
    copy = next(row for row in rows if row["kernel"] == "copy")
    lines = _table("kernel", "ms", "µs each", "GB moved", "part of the bandwidth")
    for row in rows:
        if row is not copy:
            told = [f"{row['ms']:.4g}", f"{row['µs each']:.4g}", f"{row['bytes'] / 1e9:.3g}"]
            lines.append(f"| {row['kernel']} | {' | '.join(told)} | {100 * row['fraction']:.3g} % |")
    cone = results.get("cone on a GPU")
    parts = ["\n".join([*lines, f"\nA plain copy moves {copy['bytes a second'] / 1e9:.0f} GB a second.", ""])]
    return [*parts, _numbers("The 256³ cone on a GPU", cone)] if cone else parts
